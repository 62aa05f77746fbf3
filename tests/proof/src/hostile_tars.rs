//! Archives that an attacker, or a broken program, has made.

mod cases;
mod look;
pub(crate) mod others;

// How the runtime's own tests make archives.
#[path = "../../../runtime/image/tests/image_support/items.rs"]
pub(crate) mod items;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;

use mydocker_kernel::delete::delete_tree;
use nix::mount::{MntFlags, umount2};
use nix::unistd::geteuid;

use crate::ground::Ground;
use crate::parallel::attempt_all;
use crate::report::Section;
use crate::{Proof, Subject};
use cases::{AsGnuTar, AsUmoci, AsUmociWithout, Case, Refused};
pub(crate) use look::look;

/// See the promise.
pub const SUBJECT: Subject = Subject {
    name: "hostile-tars",
    promise: "An archive is imported as GNU tar or umoci would unpack it, or refused with the \
              entry named; never a byte outside of the image is touched, and what is refused \
              leaves nothing.",
    lacking,
    prove,
};

pub(crate) fn lacking() -> Option<String> {
    let there = Command::new("umoci").arg("--version").output().is_ok();
    (!there).then(|| "umoci is not installed: scripts/install-tools umoci".into())
}

fn prove(proof: &Proof, section: &mut Section) {
    let cases = cases::all();
    let rows = Mutex::new(Vec::new());
    section.failures = attempt_all(proof, &cases, |ground, case| {
        let outcome = attempt(ground, case);
        let seen = match &outcome {
            Ok(seen) => seen.clone(),
            Err(_) => "BROKEN, see below".into(),
        };
        let number = cases.iter().position(|other| other.name == case.name);
        let row = vec![case.name.into(), format!("{:?}", case.expected), seen];
        rows.lock().expect("no panic here").push((number, row));
        outcome.map(drop).map_err(|error| format!("{}: {error}", case.name))
    });
    let mut rows = rows.into_inner().expect("no panic here");
    rows.sort();
    section.figure("archives", cases.len());
    let rows = rows.into_iter().map(|(_, row)| row).collect();
    section.table("Archives", &["archive", "expected", "seen"], rows);
}

/// Returns what was seen, in a few words.
fn attempt(ground: &Ground, case: &Case) -> Result<String, String> {
    let work = ground.host.path("work");
    // An attempt that has failed may have left its own.
    delete_tree(&work).map_err(|error| error.to_string())?;
    fs::create_dir(&work).map_err(|error| error.to_string())?;
    let canary = ground.host.path("volume");
    let layers = (case.layers)(&canary);
    let source = write_source(&layers, &work);

    let import = ["image", "import", "it", source.to_str().expect("UTF-8")];
    let said = ground.command(import).args(case.arguments).output().expect("mydocker starts");
    let error = String::from_utf8_lossy(&said.stderr).into_owned();
    let seen = match (said.status.code(), case.expected) {
        (Some(0), AsGnuTar | AsUmoci | AsUmociWithout(_)) => compare(ground, case, &layers, &work),
        (Some(125), Refused(text)) if error.contains(text) => Ok("refused".into()),
        _ => Err(format!("{}\n{error}", said.status)),
    };
    if said.status.success() {
        let removed = ground.command(["image", "rm", "it"]).status().expect("mydocker starts");
        assert!(removed.success(), "the image cannot be removed");
    }
    delete_tree(&work).map_err(|error| error.to_string())?;
    let untouched = ground.check();
    seen.and_then(|seen| untouched.map(|()| seen))
}

/// One layer is an archive of files; several are an image of umoci's form.
pub(crate) fn write_source(layers: &[Vec<u8>], work: &Path) -> std::path::PathBuf {
    match layers {
        [one] => {
            let archive = work.join("archive");
            fs::write(&archive, one).expect("the archive");
            archive
        }
        several => {
            others::write_layout(several, &work.join("layout")).expect("an image layout");
            work.join("layout")
        }
    }
}

fn compare(
    ground: &Ground,
    case: &Case,
    layers: &[Vec<u8>],
    work: &Path,
) -> Result<String, String> {
    let (theirs, who) = match case.expected {
        AsUmoci | AsUmociWithout(_) => {
            others::umoci(layers, &work.join("umoci"))?;
            (work.join("umoci/bundle/rootfs"), "umoci")
        }
        _ => {
            others::gnu_tar(&work.join("archive"), &work.join("tar"))?;
            (work.join("tar"), "GNU tar")
        }
    };
    let ours = ground.host.images().join("it/layers");
    let ours = match layers.len() {
        1 => look(&ours.join("00")),
        // Only root can see layers as one here.
        count if geteuid().is_root() => merged(&ours, count, work)?,
        _ => return Ok("imported".into()),
    };
    let mut theirs = look(&theirs);
    let mut ours = ours;
    if let AsUmociWithout(path) = case.expected {
        for seen in [&mut ours, &mut theirs] {
            let other = |line: &&str| line.split(' ').next() != Some(path);
            *seen = seen.lines().filter(other).map(|line| format!("{line}\n")).collect();
        }
    }
    match ours == theirs {
        true => Ok(format!("as {who}")),
        false => Err(format!("differs from {who}:\n--- mydocker\n{ours}--- {who}\n{theirs}")),
    }
}

/// What an overlay of these layers shows.
pub(crate) fn merged(layers: &Path, count: usize, work: &Path) -> Result<String, String> {
    // From their folder, because the options of a mount are one page long.
    let lower: Vec<String> = (0..count).rev().map(|number| format!("{number:02}")).collect();
    let merged = work.join("merged");
    fs::create_dir(&merged).map_err(|error| error.to_string())?;
    let mounted = Command::new("mount")
        .args(["-t", "overlay", "overlay", "-o", &format!("lowerdir={}", lower.join(":"))])
        .arg(&merged)
        // By fsconfig(2), which it calls since 2.39, a value has at most 255 bytes.
        .env("LIBMOUNT_FORCE_MOUNT2", "always")
        .current_dir(layers)
        .output()
        .map_err(|error| error.to_string())?;
    if !mounted.status.success() {
        return Err(format!("mount: {}", String::from_utf8_lossy(&mounted.stderr)));
    }
    let seen = look(&merged);
    // A child that another thread is just starting has our descriptors until
    // its execve: without MNT_DETACH that is EBUSY.
    umount2(&merged, MntFlags::MNT_DETACH).map_err(|error| error.to_string())?;
    Ok(seen)
}
