//! enter: what the command has open. Its own program opens nothing.

use std::fs::{self, File};
use std::path::PathBuf;

use labkit::call::Seen;
use labkit::describe::{Failure, without_numbers};
use labkit::frame::{Facts, Rules, Words, error_of, rule};
use labkit::host::Host;
use labkit::proc::Proc;
use labkit::verdict::{Evidence, Finding};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, dup2_stdin};

use crate::LAB;
use crate::container::FAST;
use crate::entered::{FUNCTION, Given, call, observe, others};
use crate::scene::{Scene, wait_until, words_of};

/// The command: it sleeps for longer than the container's first process does.
const COMMAND: [&str; 2] = ["/bin/sleep", "1001"];

/// A call for a command that only sleeps.
struct Sleeping {
    seen: Seen<Result<i32, Failure>>,
    /// Its descriptors except 0, 1 and 2, by what they lead to.
    descriptors: Vec<PathBuf>,
    /// Whether 0, 1 and 2 are those of the caller.
    has_callers_streams: bool,
}

impl Facts for Sleeping {
    fn words(&self) -> Words {
        error_of(&self.seen.returned)
    }
}

static OPEN: Rules<Sleeping> = Rules {
    lab: LAB,
    function: FUNCTION,
    tables: &[&[
        rule("descriptor-in-the-command", |it| !it.descriptors.is_empty()),
        rule("other-streams", |it| !it.has_callers_streams),
    ]],
};

pub fn only_the_streams(host: &Host) -> Result<(), Finding> {
    // An answer that enters nothing is not blamed twice for it.
    observe(host, Given::Path, FAST)?.must_be_usual()?;
    let proc = Proc::open().expect("the witness has one");
    let scene = Scene::new(host);
    let container = scene.start(host, &proc, FAST);
    let order = scene.order(&container, &COMMAND);
    // Nothing that a process would take for its stdin by itself.
    let stdin = host.path("stdin");
    fs::write(&stdin, "words").expect("the scratch directory");
    let call = call(host, order).after(|| Ok(dup2_stdin(File::open(&stdin)?)?));
    let mut looked = None;
    let (seen, ()) = call.make_meanwhile(
        |place, answering| {
            let sleeps = |pid: &i32| words_of(place.proc, *pid) == COMMAND.map(|it| it.as_bytes());
            let find = || {
                let all = others(place, &container).into_iter().map(|(pid, ..)| pid);
                all.filter(sleeps).max()
            };
            wait_until(|| answering.outcome().is_some() || find().is_some());
            let Some(pid) = find() else { return };
            let link = |pid: i32, number: i32| proc.link(pid, &format!("fd/{number}")).ok();
            let numbers = proc.descriptors(pid).into_iter().filter(|number| *number > 2);
            let descriptors: Vec<PathBuf> =
                numbers.filter_map(|number| link(pid, number)).collect();
            let is_callers = |number: i32| link(pid, number) == link(place.pid.as_raw(), number);
            looked = Some((descriptors, (0..3).all(is_callers)));
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        },
        |_, _| container.end_with_all(),
    )?;
    let (descriptors, has_callers_streams) = looked.unwrap_or_default();
    let facts = Sleeping { seen, descriptors, has_callers_streams };
    OPEN.judge(&facts, facts.descriptors.is_empty() && facts.has_callers_streams, || {
        if facts.descriptors.is_empty() {
            let what = "/proc/PID/fd of the command, 0 to 2";
            return vec![Evidence::differs(what, "those of the caller", "others")];
        }
        let mut shown: Vec<String> =
            facts.descriptors.iter().map(|it| without_numbers(&it.display().to_string())).collect();
        shown.dedup();
        let what = "/proc/PID/fd of the command, above 2";
        vec![Evidence::differs(what, "-", shown.join(", "))]
    })
}
