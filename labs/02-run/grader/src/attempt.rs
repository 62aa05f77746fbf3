//! start, where something fails: a namespace, or a step in the child.

use std::ffi::CString;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use labkit::answering::Answering;
use labkit::calls::MOUNTING;
use labkit::deciding::Asked;
use labkit::describe::Failure;
use labkit::frame::{Facts, Rule, Rules, Words, rule};
use labkit::host::Host;
use labkit::inside::Place;
use labkit::process::Process;
use labkit::sys::can_decide_on_calls;
use labkit::verdict::{Evidence, Finding};
use mydocker_kernel::mountinfo::Mount;
use nix::errno::Errno::{EACCES, EBUSY, ENODEV, ENOENT, EPERM};
use nix::mount::{MsFlags, mount};
use nix::sys::stat::umask;
use nix::unistd::{chdir, chroot, dup2_stderr};

use crate::LAB;
use crate::acts::START;
use crate::child::{NAMESPACES, State, end_all_but, started_since, wait_until};
use crate::container::{Container, Given, UMASK, observe};
use crate::inheritance::{Difference, differs_in_caller};
use crate::probe::words;

/// A directory in `$PATH`.
pub const PROGRAMS: &str = "path";

/// Docker's exit code for a container that has not come to run.
pub const FAILED: i32 = 125;

/// What is seen of a call whose command cannot run.
pub struct Attempt {
    pub returned: Result<i32, Failure>,
    /// What has become of the child.
    pub state: State,
    /// How many processes were started.
    started: i32,
    /// The process that called start, afterwards.
    caller: Process,
    /// What was printed to stderr, by the child too.
    pub said: String,
    /// What was printed to stdout.
    pub printed: String,
    /// Whether the command has run all the same.
    pub has_run: bool,
    /// The kind of namespace that was refused, where it was one alone.
    refused: Option<&'static str>,
    /// If so: a container where all goes well, to see whether there was a step at
    /// all that could fail.
    container: Option<Container>,
}

pub type Call<'h> = labkit::call::Call<'h, Vec<CString>, Result<i32, Failure>>;

/// Calls start, in this root directory or in the host's, and waits for the end of
/// what it has started.
pub fn attempt(host: &Host, root: Option<&Path>, command: &[&Path]) -> Result<Attempt, Finding> {
    attempt_where(host, root, command, |call| call)
}

/// The same with a call to which `so` has added circumstances.
pub fn attempt_where(
    host: &Host,
    root: Option<&Path>,
    command: &[&Path],
    so: impl FnOnce(Call<'_>) -> Call<'_>,
) -> Result<Attempt, Finding> {
    let stderr = host.path("stderr");
    let before = || {
        dup2_stderr(File::create(&stderr)?)?;
        umask(UMASK);
        Ok(root.map_or(Ok(()), |root| chroot(root).and_then(|()| chdir("/")))?)
    };
    // One directory of this host's, and the usual ones.
    let path = format!("{}:/usr/local/bin:/usr/bin:/bin", host.path(PROGRAMS).display());
    let call = host.act(&START, words(command)).with_variable("PATH", path);
    let call = so(call.after(before));
    let (seen, (state, started)) =
        call.make_meanwhile(until_all_have_ended, |place, returned| {
            let child = *returned.as_ref().unwrap_or(&0);
            let state = State::at_the_end_of(place.proc, child, place.pid);
            let started = started_since(place.proc, place.pid);
            end_all_but(place.proc, place.pid);
            (state, started)
        })?;
    let said = String::from_utf8_lossy(&fs::read(&stderr).unwrap_or_default()).into_owned();
    let (returned, printed) = (seen.returned, seen.printed);
    Ok(Attempt {
        returned,
        state,
        started,
        caller: seen.process,
        said,
        printed,
        has_run: false,
        refused: None,
        container: None,
    })
}

impl Facts for Attempt {
    fn words(&self) -> Words {
        let namespace = self.refused.iter().map(|kind| ("namespace", (*kind).to_owned()));
        let what = self.differs_in_caller().map(|changed| ("what", changed.what.to_owned()));
        namespace.chain(what).collect()
    }
}

/// Why the caller was not told correctly that the command did not run.
pub const NOT_TOLD: &[Rule<Attempt>] = &[
    rule("answer/did-nothing", |it| it.returned.is_ok() && it.state == State::NoChild),
    rule("start-waits", |it| it.returned.is_ok() && it.state == State::Reaped),
    PID_1_ENDED,
    rule("failure-is-success", |it| it.state == State::Ended(0)),
    rule("wrong-failure-code", |it| it.returned.is_err() || matches!(it.state, State::Ended(_))),
];

pub const PID_1_ENDED: Rule<Attempt> =
    rule("pid-1-ended", |it| it.state == State::Ended(0) && it.started > 1);

const IGNORED: &[Rule<Attempt>] = &[rule("failed-step-ignored", |it| it.has_run)];

/// The rules on start with those of one of its promises.
pub const fn rules(tables: &'static [&'static [Rule<Attempt>]]) -> Rules<Attempt> {
    Rules { lab: LAB, function: START.function, tables }
}

impl Attempt {
    /// The error, or what has become of the process.
    pub fn in_words(&self) -> String {
        match &self.returned {
            Ok(_) => self.state.to_string(),
            Err(failure) => failure.to_string(),
        }
    }

    pub fn judge(
        &self,
        rules: &Rules<Attempt>,
        kept: bool,
        evidence: impl FnOnce() -> Vec<Evidence>,
    ) -> Result<(), Finding> {
        let printed = format!("{}{}", self.said, self.printed);
        rules.judge(self, kept, evidence).map_err(|finding| Finding { printed, ..finding })
    }

    /// What of the caller start has changed.
    fn differs_in_caller(&self) -> Option<Difference> {
        differs_in_caller(&self.caller, &[])
    }

    /// Whether this holds for the container where all goes well.
    fn usually(&self, is_so: impl FnOnce(&Container) -> bool) -> bool {
        self.container.as_ref().is_some_and(is_so)
    }

    /// The promise is kept if the command has not run where something says
    /// `refusal`, and the caller was told so.
    fn must_not_run(
        self,
        host: &Host,
        refusal: &str,
        rules: &Rules<Attempt>,
    ) -> Result<(), Finding> {
        let told = self.returned.is_err() || self.state == State::Ended(FAILED);
        let container = if self.has_run { Some(observe(host, Given::Path)?) } else { None };
        let facts = Attempt { container, ..self };
        facts.judge(rules, told && !facts.has_run, || {
            let ran = if facts.has_run { "Ok" } else { "-" };
            let ended = State::Ended(FAILED);
            vec![
                Evidence::differs(format!("execve(…), {refusal}"), "-", ran),
                Evidence::differs(format!("waitid(PID), {refusal}"), ended, facts.in_words()),
            ]
        })
    }
}

pub fn refused_namespaces(host: &Host) -> Result<(), Finding> {
    static RULES: Rules<Attempt> = rules(&[
        &[rule("no-mount-namespace", |it| {
            it.usually(|container| !NAMESPACES.iter().any(|kind| container.looked.is_new(kind)))
        })],
        &[rule("runs-without-a-namespace", |it| it.has_run && it.refused.is_some())],
        IGNORED,
        NOT_TOLD,
    ]);
    let root = host.busybox("root");
    let trace = host.path("has-run");
    let attempt = |kinds: &[&'static str]| {
        limit_namespaces(kinds, 0);
        let attempt = attempt(host, None, &[&root.join("bin/touch"), &trace]);
        limit_namespaces(kinds, 1000);
        let refused = kinds.first().copied().filter(|_| kinds.len() == 1);
        Ok::<_, Finding>(Attempt { has_run: trace.exists(), refused, ..attempt? })
    };
    attempt(&NAMESPACES)?.must_not_run(host, "where clone(2) says ENOSPC", &RULES)?;
    // One at a time, of those that the command otherwise has.
    let usual = observe(host, Given::Path)?;
    for kind in NAMESPACES.into_iter().filter(|kind| usual.looked.is_new(kind)) {
        let refusal = format!("where a new {kind} namespace is refused, ENOSPC");
        attempt(&[kind])?.must_not_run(host, &refusal, &RULES)?;
    }
    Ok(())
}

/// The caller is the same after a start that has failed: in the caller itself, or in the
/// child.
pub fn caller_of_a_failure(host: &Host) -> Result<(), Finding> {
    static RULES: Rules<Attempt> =
        rules(&[&[rule("caller-changed", |it| it.differs_in_caller().is_some())]]);
    let nothing = host.path("nothing");
    limit_namespaces(&NAMESPACES, 0);
    let refused = attempt(host, None, &[&nothing]);
    limit_namespaces(&NAMESPACES, 1000);
    for (so, attempt) in [
        ("where clone(2) says ENOSPC", refused?),
        ("where execve(2) says ENOENT", attempt(host, None, &[&nothing])?),
    ] {
        let changed = attempt.differs_in_caller();
        attempt.judge(&RULES, changed.is_none(), || {
            changed.map(|changed| changed.evidence_where(so)).into_iter().collect()
        })?;
    }
    Ok(())
}

/// How many new namespaces of these kinds there may be. See namespaces(7).
fn limit_namespaces(kinds: &[&str], count: u32) {
    for kind in kinds {
        let path = format!("/proc/sys/user/max_{kind}_namespaces");
        fs::write(path, count.to_string()).expect("the sandbox's own limit");
    }
}

pub fn failed_step(host: &Host) -> Result<(), Finding> {
    static NOT_PRIVATE: Rules<Attempt> = rules(&[
        &[
            rule("no-mount-namespace", |it| {
                it.usually(|container| !container.looked.is_new("mnt"))
            }),
            rule("propagation-left-shared", |it| {
                it.usually(|container| container.mount_at("/").is_some_and(Mount::is_shared))
            }),
        ],
        IGNORED,
        NOT_TOLD,
    ]);
    static NO_PROC: Rules<Attempt> = rules(&[
        &[rule("proc-not-mounted", |it| it.usually(|container| !container.proc_is_mounted()))],
        IGNORED,
        NOT_TOLD,
    ]);

    // 1. A root that is not a mount point: it cannot be made private.
    let root = host.busybox("root");
    let attempt = attempt(host, Some(&root), &TOUCH.map(Path::new))?;
    let attempt = Attempt { has_run: root.join("has-run").exists(), ..attempt };
    attempt.must_not_run(host, "where mount(2) says EINVAL for /", &NOT_PRIVATE)?;

    // 2. One that is a mount point, with a file for /proc.
    attempt_without_proc(host)?.must_not_run(
        host,
        "where mount(2) says ENOTDIR for /proc",
        &NO_PROC,
    )?;

    // 3. A host that allows everything but a new file system, as in a container, whatever
    //    its reason.
    if !can_decide_on_calls() {
        return Ok(());
    }
    let (touch, trace) = (root.join("bin/touch"), host.path("has-run"));
    for errno in [EPERM, EACCES, EBUSY, ENOENT, ENODEV] {
        let attempt = attempt_where(host, None, &[&touch, &trace], |call| {
            call.deciding(MOUNTING, move |asked| is_of_file_systems(asked).then_some(errno))
        })?;
        let attempt = Attempt { has_run: trace.exists(), ..attempt };
        let refusal = format!("where mount(2) says {errno:?} for a new proc");
        attempt.must_not_run(host, &refusal, &NO_PROC)?;
    }
    Ok(())
}

/// Whether it is about a new file system. Changing the propagation of a mount is
/// something else.
fn is_of_file_systems(asked: &Asked) -> bool {
    let propagation =
        MsFlags::MS_PRIVATE | MsFlags::MS_SLAVE | MsFlags::MS_SHARED | MsFlags::MS_UNBINDABLE;
    let is_propagation = asked.name == "mount" && asked.argument(3) & propagation.bits() != 0;
    !is_propagation
}

/// Decides on the calls of the answer's process, and of those that it has started, until
/// all these have ended.
fn until_all_have_ended(place: &Place, answering: &mut Answering) {
    wait_until(|| {
        answering.wait_for_news();
        // Only after it has returned can all that it starts be seen.
        let has_returned = answering.outcome().is_some();
        let others = place.proc.processes().into_iter();
        let mut others = others.filter(|(pid, ..)| *pid != place.pid.as_raw());
        has_returned && others.all(|(_, state, _)| state == 'Z')
    });
}

/// A command that leaves a trace.
const TOUCH: [&str; 2] = ["/bin/touch", "/has-run"];

/// In a root directory that has `touch`, and no place for a proc. There is a
/// busybox in `root`.
pub fn attempt_without_proc(host: &Host) -> Result<Attempt, Finding> {
    let root = root_without_proc(&host.path("root"), host.path("mounted"));
    let root = root.expect("the sandbox allows it");
    let attempt = attempt(host, Some(&root), &TOUCH.map(Path::new))?;
    Ok(Attempt { has_run: root.join("has-run").exists(), ..attempt })
}

fn root_without_proc(busybox: &Path, root: PathBuf) -> io::Result<PathBuf> {
    let nothing: Option<&str> = None;
    fs::create_dir_all(root.join("bin"))?;
    fs::hard_link(busybox.join("bin/touch"), root.join("bin/touch"))?;
    fs::write(root.join("proc"), "")?;
    mount(Some(&root), &root, nothing, MsFlags::MS_BIND, nothing)?;
    Ok(root)
}
