//! enter: the first word of the command, argv[0]. Of a script, such as the probe, the kernel
//! drops it, so here the command is a program.

use std::ffi::CString;
use std::os::unix::fs::symlink;

use labkit::call::Seen;
use labkit::describe::Failure;
use labkit::frame::{Facts, Rules, Words, error_of, rule};
use labkit::host::Host;
use labkit::proc::Proc;
use labkit::verdict::{Evidence, Finding};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::LAB;
use crate::acts::Order;
use crate::container::FAST;
use crate::entered::{FUNCTION, call, others};
use crate::scene::{Scene, TOOLS, wait_until, words_of};

/// The program, which is in no other directory of the given `PATH`; and how long it
/// sleeps: longer than the container's first process, and than any other command here.
const NAME: &str = "sleep";
const HOW_LONG: &str = "1002";

/// A call for a command that only sleeps.
struct Named {
    seen: Seen<Result<i32, Failure>>,
    /// The words that it was given, and those that it has, if it runs.
    given: [String; 2],
    words: Option<Vec<Vec<u8>>>,
}

impl Facts for Named {
    fn words(&self) -> Words {
        error_of(&self.seen.returned)
    }
}

static RULES: Rules<Named> =
    Rules { lab: LAB, function: FUNCTION, tables: &[&[rule("first-word-changed", |_| true)]] };

/// Whether a program that runs has the word by which it was given.
pub fn as_given(host: &Host) -> Result<(), Finding> {
    for word in [format!("{TOOLS}/{NAME}"), NAME.to_owned()] {
        let facts = observe(host, word)?;
        // That it runs, and is found by its name, are other promises.
        let kept = facts.words.as_ref().is_none_or(|words| words.iter().eq(facts.given_bytes()));
        RULES.judge(&facts, kept, || {
            let words = facts.words.iter().flatten().map(|it| String::from_utf8_lossy(it));
            let seen = words.collect::<Vec<_>>().join(" ");
            vec![Evidence::differs("/proc/PID/cmdline", facts.given.join(" "), seen)]
        })?;
    }
    Ok(())
}

impl Named {
    fn given_bytes(&self) -> impl Iterator<Item = &[u8]> {
        self.given.iter().map(|it| it.as_bytes())
    }
}

fn observe(host: &Host, word: String) -> Result<Named, Finding> {
    let proc = Proc::open().expect("the witness has one");
    let scene = Scene::new(host);
    let program = scene.inside(&format!("{TOOLS}/{NAME}"));
    if program.symlink_metadata().is_err() {
        symlink(format!("/bin/{NAME}"), program).expect("the scratch directory");
    }
    let container = scene.start(host, &proc, FAST);
    let given = [word, HOW_LONG.to_owned()];
    let path = CString::new(format!("PATH={TOOLS}")).expect("no NUL in it");
    let order = Order { environment: vec![path], ..scene.order(&container, &given) };
    let mut words = None;
    let (seen, ()) = call(host, order).make_meanwhile(
        |place, answering| {
            let sleeps = |pid: &i32| {
                let words = words_of(place.proc, *pid);
                words.last().is_some_and(|it| it == HOW_LONG.as_bytes())
            };
            let find = || {
                let all = others(place, &container).into_iter().map(|(pid, ..)| pid);
                all.filter(sleeps).max()
            };
            wait_until(|| answering.outcome().is_some() || find().is_some());
            let Some(pid) = find() else { return };
            words = Some(words_of(place.proc, pid));
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        },
        |_, _| container.end_with_all(),
    )?;
    Ok(Named { seen, given, words })
}
