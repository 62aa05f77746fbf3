//! Images that are not as a runtime would like them, and containers that try
//! to get out.

mod escapes;
mod images;

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::sync::Mutex;

use harness::image_tar::{Image, Layer};

use crate::ground::Ground;
use crate::parallel::attempt_all;
use crate::report::Section;
use crate::{Proof, Subject};

/// See the promise.
pub const SUBJECT: Subject = Subject {
    name: "hostile-images",
    promise: "Whatever an image has in it, and whatever a container tries: nothing of the host \
              is read or changed, and nothing is left behind.",
    lacking: || None,
    prove,
};

/// One container. It has the volume, read-only, and reads nothing.
struct Attempt {
    /// What it tries.
    name: &'static str,
    /// The layers upon busybox; the path is that of a folder of the host, in
    /// which lies a file, that no container may see.
    layers: fn(&Path) -> Vec<Layer>,
    /// More options for `mydocker run`.
    options: &'static [&'static str],
    /// A script for the container's shell, which finds that folder in $SECRET,
    /// and the number of a process of the host in $OUTSIDE.
    script: &'static str,
    /// What it prints.
    expected: &'static str,
}

impl Attempt {
    fn new(name: &'static str, script: &'static str, expected: &'static str) -> Attempt {
        Attempt { name, layers: |_| Vec::new(), options: &[], script, expected }
    }
}

fn prove(proof: &Proof, section: &mut Section) {
    let attempts: Vec<Attempt> =
        images::attempts(proof).into_iter().chain(escapes::attempts()).collect();
    let program = fs::read(&proof.program).expect("the program");
    let rows = Mutex::new(Vec::new());
    section.failures = attempt_all(proof, &attempts, |ground, attempt| {
        let (seen, outcome) = match run(ground, attempt) {
            Ok(seen) if seen == attempt.expected => (seen, Ok(())),
            Ok(seen) => {
                (seen.clone(), Err(format!("expected {:?}, seen {seen:?}", attempt.expected)))
            }
            Err(error) => ("BROKEN, see below".into(), Err(error)),
        };
        let number = attempts.iter().position(|other| other.name == attempt.name);
        let row = vec![attempt.name.into(), attempt.expected.into(), seen];
        rows.lock().expect("no panic here").push((number, row));
        outcome.map_err(|error| format!("{}: {error}", attempt.name))
    });
    if fs::read(&proof.program).expect("the program") != program {
        section.failures.push("a container has changed the program of mydocker".into());
    }
    let mut rows = rows.into_inner().expect("no panic here");
    rows.sort();
    section.figure("attempts", attempts.len());
    let rows = rows.into_iter().map(|(_, row)| row).collect();
    section.table("Attempts", &["attempt", "expected", "seen"], rows);
}

/// Returns what the container has printed, its lines joined by `; `.
fn run(ground: &Ground, attempt: &Attempt) -> Result<String, String> {
    let secret = ground.host.path("volume");
    let layers = (attempt.layers)(&secret);
    let image = if layers.is_empty() { "busybox" } else { "hostile" };
    if image == "hostile" {
        let image = layers.into_iter().fold(Image::on_busybox(), Image::layer);
        image.import(&ground.host, "hostile", &[]);
    }
    let secret = secret.to_str().expect("a path in UTF-8").to_owned();
    let readable = ground.host.path("readable");
    let _ = fs::create_dir(&readable);
    let volume = format!("{}:/volume:ro", readable.display());

    // As a careless caller would: with descriptors of the host's open.
    let mut command = std::process::Command::new("sh");
    command.arg("-c").arg(r#"exec 7<"$0" 8<"$0/canary"; exec "$@""#).arg(&secret);
    let mydocker = ground.command(["run", "--image", image, "-v", &volume]);
    command.arg(mydocker.get_program()).args(mydocker.get_args());
    command.envs(mydocker.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.env("OF_THE_HOST", "secret");
    command.args([
        "-e",
        &format!("SECRET={secret}"),
        "-e",
        &format!("OUTSIDE={}", std::process::id()),
    ]);
    command.args(attempt.options).args(["sh", "-c", attempt.script]);
    let output = command.stdin(Stdio::null()).output().map_err(|error| error.to_string())?;

    if image == "hostile" {
        let removed = ground.command(["image", "rm", "hostile"]).status().expect("mydocker starts");
        assert!(removed.success(), "the image cannot be removed");
    }
    ground.check()?;
    let said = String::from_utf8_lossy(&output.stdout).trim_end().replace('\n', "; ");
    match output.status.success() {
        true => Ok(said),
        false => {
            let error = String::from_utf8_lossy(&output.stderr).into_owned();
            Ok(error.lines().next().unwrap_or("no error").to_owned())
        }
    }
}
