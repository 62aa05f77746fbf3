//! enter: the number that it returns.

use std::ffi::CString;
use std::fs::{self, File};

use labkit::describe::Failure;
use labkit::frame::{Facts, Rule, Rules, Words, error_of, rule};
use labkit::host::Host;
use labkit::proc::Proc;
use labkit::verdict::{Evidence, Finding};
use nix::errno::Errno;
use nix::libc::{SYS_execve, SYS_execveat};
use nix::unistd::dup2_stderr;

use crate::LAB;
use crate::acts::{ENTER_AS_A_PARENT, OTHERS_CODE, Order};
use crate::command;
use crate::container::{Container, FAST};
use crate::entered::{Entering, FUNCTION, Given, call, in_words, observe};
use crate::joined::SETNS;
use crate::scene::{CALLERS, Scene, TOOLS, program};

/// Docker's numbers for a command that has not come to run.
pub const FAILED: i32 = 125;
const CANNOT_BE_EXECUTED: i32 = 126;
const NOT_FOUND: i32 = 127;

/// A call, and what was to come of it.
struct Ending {
    returned: Result<i32, Failure>,
    expected: i32,
    /// What was written to stderr.
    said: String,
    /// What was printed to stdout.
    printed: String,
}

impl Facts for Ending {
    fn words(&self) -> Words {
        let mut words = error_of(&self.returned);
        words.push(("code", self.returned.as_ref().map_or(0, |code| *code).to_string()));
        words.push(("expected", self.expected.to_string()));
        words
    }
}

/// Has a command run in a container to its end.
fn attempt(
    host: &Host,
    expected: i32,
    order: impl Fn(&Scene, &Container) -> Order,
) -> Result<Ending, Finding> {
    attempt_so(host, expected, order, |call| call)
}

/// The same with something particular about the call.
fn attempt_so(
    host: &Host,
    expected: i32,
    order: impl Fn(&Scene, &Container) -> Order,
    change: impl FnOnce(Entering<'_>) -> Entering<'_>,
) -> Result<Ending, Finding> {
    let proc = Proc::open().expect("the witness has one");
    let scene = Scene::new(host);
    scene.only_inside();
    for directory in [TOOLS, CALLERS] {
        program(&scene.inside(directory).join("closed"), "#!/bin/sh\n", 0o644);
    }
    let without_interpreter = scene.inside(TOOLS).join("without-its-interpreter");
    program(&without_interpreter, "#!/bin/nothing\n", 0o755);
    let container = scene.start(host, &proc, FAST);
    let stderr = host.path("stderr");
    let call = change(call(host, order(&scene, &container)));
    let (seen, ()) = call
        .after(|| Ok(dup2_stderr(File::create(&stderr)?)?))
        .make_and_look(|_, _| container.end_with_all())?;
    let said = String::from_utf8_lossy(&fs::read(&stderr).unwrap_or_default()).into_owned();
    Ok(Ending { returned: seen.returned, expected, said, printed: seen.printed })
}

const fn rules(tables: &'static [&'static [Rule<Ending>]]) -> Rules<Ending> {
    Rules { lab: LAB, function: FUNCTION, tables }
}

impl Ending {
    fn is(&self, code: i32) -> bool {
        self.returned.as_ref().is_ok_and(|it| *it == code)
    }

    /// The promise is that the number is the expected one, and `what` is what was run. An
    /// answer that runs nothing at all is told that.
    fn judge(&self, host: &Host, rules: &Rules<Ending>, what: &str) -> Result<(), Finding> {
        self.judge_where(host, rules, what, "")
    }

    /// The same for a call that was not as usual. `so` says in which way.
    fn judge_where(
        &self,
        host: &Host,
        rules: &Rules<Ending>,
        what: &str,
        so: &str,
    ) -> Result<(), Finding> {
        let kept = self.is(self.expected);
        if !kept {
            observe(host, Given::Path, FAST)?.must_be_usual()?;
        }
        let printed = format!("{}{}", self.said, self.printed);
        let judged = rules.judge(self, kept, || {
            let seen = in_words(&self.returned);
            vec![Evidence::differs(format!("{FUNCTION}(PID, {what}, …){so}"), self.expected, seen)]
        });
        judged.map_err(|finding| Finding { printed, ..finding })
    }
}

/// `sh -c` with these words.
fn shell(host: &Host, script: &str, expected: i32) -> Result<Ending, Finding> {
    attempt(host, expected, |scene, container| scene.order(container, &["/bin/sh", "-c", script]))
}

pub fn exit_codes(host: &Host) -> Result<(), Finding> {
    static RULES: Rules<Ending> = rules(&[&[
        rule("status-lost", |it| it.is(0)),
        rule("ending-is-an-error", |it| it.returned.is_err()),
    ]]);
    for code in [0, 3, 200, 255] {
        let script = format!("exit {code}");
        let what = format!("[\"/bin/sh\", \"-c\", {script:?}]");
        shell(host, &script, code)?.judge(host, &RULES, &what)?;
    }
    beside_another_child(host)
}

/// The caller has another child, which has ended before.
fn beside_another_child(host: &Host) -> Result<(), Finding> {
    static RULES: Rules<Ending> = rules(&[&[
        rule("waits-for-any-child", |it| it.is(OTHERS_CODE)),
        rule("status-lost", |it| it.is(0)),
        rule("ending-is-an-error", |it| it.returned.is_err()),
    ]]);
    const CODE: i32 = 3;
    let proc = Proc::open().expect("the witness has one");
    let scene = Scene::new(host);
    let container = scene.start(host, &proc, FAST);
    let script = format!("exit {CODE}");
    let words = ["/bin/sh", "-c", &script];
    let call = host.act(&ENTER_AS_A_PARENT, scene.order(&container, &words));
    let (seen, ()) = call.make_and_look(|_, _| container.end_with_all())?;
    let (returned, said) = (seen.returned, String::new());
    let ending = Ending { returned, expected: CODE, said, printed: seen.printed };
    RULES.judge(&ending, ending.is(CODE), || {
        let case = format!("another child has ended with {OTHERS_CODE} before");
        let what = format!("{FUNCTION}(PID, {words:?}, …), where {case}");
        vec![Evidence::differs(what, CODE, in_words(&ending.returned))]
    })
}

pub fn signals(host: &Host) -> Result<(), Finding> {
    static RULES: Rules<Ending> = rules(&[&[
        rule("status-lost", |it| it.is(0)),
        rule("signal-without-128", |it| it.is(it.expected - 128)),
        rule("ending-is-an-error", |it| it.returned.is_err() || it.is(FAILED)),
    ]]);
    for (name, number) in [("TERM", 15), ("KILL", 9)] {
        let script = format!("kill -{name} $$");
        let what = format!("[\"/bin/sh\", \"-c\", {script:?}]");
        shell(host, &script, 128 + number)?.judge(host, &RULES, &what)?;
    }
    Ok(())
}

/// Why a command that cannot run has another number.
static NOT_RUN: Rules<Ending> = rules(&[&[
    rule("status-lost", |it| it.is(0)),
    rule("wrong-failure-code", |it| !it.is(it.expected)),
]]);

pub fn missing_command(host: &Host) -> Result<(), Finding> {
    for words in [&["/bin/nothing"][..], &["nothing"]] {
        let ending = attempt(host, NOT_FOUND, |scene, container| scene.order(container, words))?;
        ending.judge(host, &NOT_RUN, &format!("{words:?}"))?;
    }
    // What is no directory has no commands: execvp(3) passes over it, too.
    let path = format!("PATH={TOOLS}/closed:/bin");
    let ending = attempt(host, NOT_FOUND, |scene, container| Order {
        environment: vec![CString::new(path.as_str()).expect("no NUL in it")],
        ..scene.order(container, &["nothing"])
    })?;
    ending.judge(host, &NOT_RUN, &format!("[\"nothing\"], [{path:?}]"))?;
    // There is no command below a file either. A script can exist without its interpreter,
    // but execve(2) returns ENOENT for it.
    let below = ["/tmp/tools/closed/nothing"];
    let scripts = ["/tmp/tools/without-its-interpreter", "without-its-interpreter"];
    for word in below.into_iter().chain(scripts) {
        let ending = attempt(host, NOT_FOUND, |scene, container| scene.order(container, &[word]))?;
        ending.judge(host, &NOT_RUN, &format!("[{word:?}]"))?;
    }
    Ok(())
}

/// The calls by which a program is executed.
const EXECUTING: &[i64] = &[SYS_execve, SYS_execveat];

pub fn closed_command(host: &Host) -> Result<(), Finding> {
    for words in [&["/tmp/tools/closed"][..], &["closed"], &["/etc"]] {
        if words == ["closed"] {
            // An answer that finds nothing by name does not find this one, either.
            command::found_by_name(host)?;
        }
        let order = |scene: &Scene, container: &Container| scene.order(container, words);
        let ending = attempt(host, CANNOT_BE_EXECUTED, order)?;
        ending.judge(host, &NOT_RUN, &format!("{words:?}"))?;
    }
    // Whatever else execve(2) can return.
    for errno in [Errno::ENOEXEC, Errno::ELOOP, Errno::E2BIG, Errno::EIO] {
        let order = |scene: &Scene, container: &Container| scene.order(container, &["/bin/true"]);
        let ending =
            attempt_so(host, CANNOT_BE_EXECUTED, order, |call| call.refusing(EXECUTING, errno))?;
        let so = format!(", where execve(2) says {errno:?}");
        ending.judge_where(host, &NOT_RUN, "[\"/bin/true\"]", &so)?;
    }
    Ok(())
}

/// A name whose command is behind an entry of `PATH` that is missing, or is a file: there
/// execve(2) returns ENOENT or ENOTDIR, and the look-up goes on.
pub fn found_in_a_later_directory(host: &Host) -> Result<(), Finding> {
    static RULES: Rules<Ending> =
        rules(&[&[rule("look-up-ends-early", |it| it.is(NOT_FOUND) || it.is(CANNOT_BE_EXECUTED))]]);
    for entry in ["nothing", "closed"] {
        let path = format!("PATH={TOOLS}/{entry}:/bin");
        let ending = attempt(host, 0, |scene, container| Order {
            environment: vec![CString::new(path.as_str()).expect("no NUL in it")],
            ..scene.order(container, &["true"])
        })?;
        ending.judge(host, &RULES, &format!("[\"true\"], [{path:?}]"))?;
    }
    Ok(())
}

pub fn says_why(host: &Host) -> Result<(), Finding> {
    static RULES: Rules<Ending> =
        rules(&[&[rule("failure-not-told", |it| it.said.trim().is_empty())]]);
    let order = |scene: &Scene, container: &Container| scene.order(container, &["/bin/nothing"]);
    let not_found = attempt(host, NOT_FOUND, order)?;
    let not_joined = attempt_so(host, FAILED, order, |call| call.failing(1, SETNS, Errno::EPERM))?;
    for (case, ending) in
        [("there is no such command", not_found), ("the 1st setns(2) fails", not_joined)]
    {
        let has_said = !ending.said.trim().is_empty();
        // An answer that does not wait for the command leaves it no time to say anything, and
        // is not blamed for that here.
        let is_silent = !has_said && ending.returned.is_ok();
        if is_silent && observe(host, Given::Path, FAST)?.must_be_usual().is_err() {
            continue;
        }
        RULES.judge(&ending, has_said || ending.returned.is_err(), || {
            vec![Evidence::differs(format!("stderr, where {case}"), "some words", "-")]
        })?;
    }
    Ok(())
}

/// A call for a container that does not exist.
pub fn no_container(host: &Host) -> Result<(), Finding> {
    static RULES: Rules<Ending> = rules(&[&[
        rule("runs-without-a-container", |it| it.is(0)),
        rule("no-such-process-is-a-number", |it| it.returned.is_ok()),
        rule("no-such-process-is-another-error", |it| it.returned.is_err()),
    ]]);
    const NOBODY: i32 = 30_000;
    let order = |scene: &Scene, container: &Container| Order {
        pid: NOBODY,
        ..scene.order(container, &["/bin/true"])
    };
    let ending = attempt(host, 0, order)?;
    let esrch = Some(Errno::ESRCH as i32);
    let kept = ending.returned.as_ref().is_err_and(|failure| failure.errno == esrch);
    RULES.judge(&ending, kept, || {
        let what = format!("{FUNCTION}(PID, …), where no process has this PID");
        vec![Evidence::differs(what, "ESRCH (No such process)", in_words(&ending.returned))]
    })
}
