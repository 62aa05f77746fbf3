//! start, where the command is a path from the working directory.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use labkit::frame::{Facts, Rules, Words, error_of, rule};
use labkit::host::Host;
use labkit::verdict::{Evidence, Finding};

use crate::LAB;
use crate::acts::START;
use crate::attempt::{Attempt, PROGRAMS, attempt_where};
use crate::child::State;
use crate::not_executed::NOT_FOUND;

/// A `/` in the middle: an answer that looks only for one at the beginning, or for a dot,
/// takes this for a name.
const COMMAND: &str = "tools/mark";
/// The working directory, which is not in `$PATH`.
const HERE: &str = "here";

/// What came of one call.
struct Relative {
    attempt: Attempt,
    /// Whether the program in the working directory has run, and the one below a directory
    /// of `$PATH`.
    ran_here: bool,
    ran_in_path: bool,
}

static RULES: Rules<Relative> = Rules {
    lab: LAB,
    function: START.function,
    tables: &[&[
        rule("answer/returned-error", |it| it.attempt.returned.is_err()),
        rule("relative-path-searched", |it| {
            it.ran_in_path || matches!(it.attempt.state, State::Ended(_))
        }),
    ]],
};

impl Facts for Relative {
    fn words(&self) -> Words {
        let mut words = error_of(&self.attempt.returned);
        words.push(("command", COMMAND.to_owned()));
        words
    }
}

impl Relative {
    /// Which program has run; otherwise what has become of the child.
    fn seen(&self) -> String {
        match (self.ran_here, self.ran_in_path) {
            (true, false) => in_working_directory(),
            (false, true) => below_path(),
            (true, true) => format!("{}, {}", in_working_directory(), below_path()),
            (false, false) => self.attempt.in_words(),
        }
    }
}

fn in_working_directory() -> String {
    format!("./{COMMAND}")
}

fn below_path() -> String {
    format!("DIR/{COMMAND} (PATH=DIR)")
}

/// A name with a `/` is a path, whatever there is below the directories of `$PATH`.
pub fn from_working_directory(host: &Host) -> Result<(), Finding> {
    runs_from(host, true, false)?;
    runs_from(host, true, true)?;
    runs_from(host, false, true)
}

/// Asks for the command where there is one in the working directory, or below a directory of
/// `$PATH`, or both. There is a busybox in `busybox`.
fn runs_from(host: &Host, is_here: bool, is_in_path: bool) -> Result<(), Finding> {
    let here = host.path(HERE);
    fs::create_dir_all(&here).expect("a directory in the scratch directory");
    let programs = [Program::new(host, HERE, is_here), Program::new(host, PROGRAMS, is_in_path)];
    // Of a script without words the kernel may not be able to drop the first one.
    let command = [Path::new(COMMAND), Path::new("word")];
    let attempt = attempt_where(host, None, &command, |call| call.standing_in(here))?;
    let [ran_here, ran_in_path] = programs.map(|program| program.trace.exists());
    let relative = Relative { attempt, ran_here, ran_in_path };
    let judged = RULES.judge(&relative, ran_here == is_here && !ran_in_path, || {
        let places = [(is_here, in_working_directory()), (is_in_path, below_path())];
        let places = places.into_iter().filter(|(exists, _)| *exists).map(|(_, place)| place);
        let places = places.collect::<Vec<_>>().join(", ");
        let expected =
            if is_here { in_working_directory() } else { State::Ended(NOT_FOUND).to_string() };
        let what = format!("start([{COMMAND:?}]), with {places}");
        vec![Evidence::differs(what, expected, relative.seen())]
    });
    let Attempt { said, printed, .. } = &relative.attempt;
    judged.map_err(|finding| Finding { printed: format!("{said}{printed}"), ..finding })
}

/// A script that leaves a trace.
struct Program {
    trace: PathBuf,
}

impl Program {
    /// Makes it below a directory of the host's, or takes it away; without its trace.
    fn new(host: &Host, directory: &str, exists: bool) -> Program {
        let path = host.path(directory).join(COMMAND);
        let trace = host.path(&format!("{directory}-has-run"));
        let _ = fs::remove_file(&trace);
        let _ = fs::remove_file(&path);
        if exists {
            let shell = host.path("busybox").join("bin/sh");
            let script = format!("#!{}\necho >{}\n", shell.display(), trace.display());
            fs::create_dir_all(path.parent().expect("a file in a directory"))
                .and_then(|()| fs::write(&path, script))
                .and_then(|()| fs::set_permissions(&path, Permissions::from_mode(0o755)))
                .expect("a file in the scratch directory");
        }
        Program { trace }
    }
}
