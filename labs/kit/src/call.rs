//! One act of an answer: how it is asked for, and what is seen of it.

use std::cell::Cell;
use std::ffi::{CString, OsStr};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use mydocker_kernel::mountinfo::{Change, MountTable, difference};
use nix::errno::Errno;
use nix::sched::CloneFlags;
use nix::unistd::chdir;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::act::{Act, Each, Header};
use crate::answering::{Answering, Circumstances, Outcome};
use crate::calls::Calls;
use crate::deciding::{Asked, Deciding, Decision};
use crate::describe::mounts_below;
use crate::failing::{self, Failed, Which};
use crate::host::Host;
use crate::inside::Place;
use crate::process::Process;
use crate::reply::Reply;
use crate::supervised::end_all;
use crate::sys;
use crate::together::asleep_for_good;
use crate::verdict::{Evidence, Finding, HUNG, NOT_WRITTEN, PANICKED, Whose};

/// What the witness saw of one act of an answer.
#[derive(Debug)]
pub struct Seen<T> {
    /// The act's output, as the answer reported it.
    pub returned: T,
    /// The mount table of the answer's process before its program began.
    pub mounts_before: MountTable,
    /// The answer's process when the act was done.
    pub process: Process,
    /// The mount table of the host before the act.
    pub host_before: MountTable,
    /// The mount table of the host after the end of the answer's process.
    pub host_after: MountTable,
    /// What the answer has printed.
    pub printed: String,
    /// The call that was made to fail, if the answer made that many.
    pub failed: Option<Failed>,
}

impl<T> Seen<T> {
    /// What has changed in the host's mount table.
    pub fn host_changes(&self) -> Vec<Change> {
        difference(&self.host_before, &self.host_after)
    }

    /// What the act has changed in the mount table of the answer's process.
    pub fn container_changes(&self) -> Vec<Change> {
        difference(&self.mounts_before, &self.process.mounts)
    }

    /// The mounts that the answer's process had at `top` and below it, drawn as a
    /// tree.
    pub fn mounts_drawn(&self, top: &Path) -> Evidence {
        self.drawn(&self.process.mounts, top)
    }

    /// The mounts of a table at `top` and below it, drawn as a tree.
    pub fn drawn(&self, table: &MountTable, top: &Path) -> Evidence {
        Evidence::Tree {
            what: format!("/proc/PID/mountinfo, {}", top.display()),
            drawing: mounts_below(table, &self.mounts_before, top),
        }
    }

    /// The change of the host's mount table as evidence.
    pub fn host_evidence(&self) -> Evidence {
        Evidence::changes(Whose::Host, &self.host_changes())
    }
}

/// An act that did not finish.
#[derive(Debug)]
pub struct Ended {
    /// What happened instead.
    pub finding: Finding,
    /// The input that it was working on, if it had many.
    pub at: usize,
}

/// An act that an answer will be asked for.
#[derive(Debug)]
pub struct Call<'h, I, O> {
    host: &'h Host,
    function: &'static str,
    header: Header,
    input: I,
    circumstances: Circumstances<'h>,
    /// The call that failed; or that fails whenever it is made, if a single one cannot be
    /// made to fail.
    failed: Rc<Cell<Option<Failed>>>,
    output: std::marker::PhantomData<fn() -> O>,
}

impl Host {
    /// Asks the answer to do `act`; nothing happens before the call is made.
    pub fn act<'h, A, I: Serialize, O: DeserializeOwned>(
        &'h self,
        act: &Act<A, I, O>,
        input: I,
    ) -> Call<'h, I, O> {
        Call::new(self, act.name, act.function, input)
    }

    /// Asks the answer to do `each` for all these inputs.
    pub fn each<'h, 'i, A, I: Serialize, O: DeserializeOwned>(
        &'h self,
        each: &Each<A, I, O>,
        inputs: Vec<&'i I>,
    ) -> Call<'h, Vec<&'i I>, Vec<O>> {
        Call::new(self, each.name, each.function, inputs)
    }
}

impl<'h, I: Serialize, O: DeserializeOwned> Call<'h, I, O> {
    /// The act called `name`, which is about `function`.
    pub(crate) fn new(host: &'h Host, name: &str, function: &'static str, input: I) -> Self {
        Call {
            host,
            function,
            header: Header { act: name.to_owned(), refuse: Vec::new(), waits: true },
            input,
            circumstances: Circumstances::default(),
            failed: Rc::default(),
            output: std::marker::PhantomData,
        }
    }

    /// In new namespaces.
    pub fn in_new(mut self, namespaces: CloneFlags) -> Self {
        self.circumstances.namespaces = Some(namespaces);
        self
    }

    /// After the process has done this, and what was named before. It is not part of the
    /// answer.
    pub fn after(mut self, then: impl Fn() -> io::Result<()> + 'h) -> Self {
        let first = self.circumstances.before.take();
        self.circumstances.before = Some(Box::new(move || {
            first.as_ref().map_or(Ok(()), |first| first())?;
            then()
        }));
        self
    }

    /// With this working directory, or the one that it has after what was named before.
    pub fn standing_in(self, directory: PathBuf) -> Self {
        self.after(move || Ok(chdir(&directory)?))
    }

    /// While system calls fail with `errno`, whatever they ask for, as do those that were
    /// named before. `numbers` are their numbers: `libc::SYS_mount`.
    pub fn refusing(mut self, numbers: &[i64], errno: Errno) -> Self {
        self.header.refuse.extend(numbers.iter().map(|number| (*number, errno as i32)));
        self
    }

    /// While the `nth` of these system calls of the act, from 1, fails with `errno`. The
    /// others are made. [`Seen::failed`] says what was made to fail. If the kernel cannot do
    /// it (before Linux 5.6), all calls of the `nth` name fail.
    pub fn failing(self, nth: usize, calls: &[Calls], errno: Errno) -> Self {
        self.failing_which(nth, Which::Alone, calls, errno)
    }

    /// The same, of the `nth` call alone or of each later one of its name, too.
    pub fn failing_which(
        mut self,
        nth: usize,
        which: Which,
        calls: &[Calls],
        errno: Errno,
    ) -> Self {
        if sys::can_decide_on_calls() {
            let failed = self.failed.clone();
            let decision = Decision::Fail(errno);
            self.circumstances.deciding = Some(failing::nth(nth, which, calls, decision, failed));
            return self;
        }
        let Some((name, numbers)) = calls.get(nth - 1) else { return self };
        self.failed.set(Some(Failed { name, nth: 1, which }));
        self.refusing(numbers, errno)
    }

    /// While the process that makes the `nth` of these calls, from 1, is paused before it,
    /// until [`Answering::go_on`]: the act's process, or one that it has started. If the
    /// kernel cannot do it (before Linux 5.6), no process is paused.
    pub fn standing_still(mut self, nth: usize, calls: &[Calls]) -> Self {
        if sys::can_decide_on_calls() {
            let decision = Decision::StandStill;
            let deciding = failing::nth(nth, Which::Alone, calls, decision, Rc::default());
            self.circumstances.deciding = Some(deciding);
        }
        self
    }

    /// While each of these calls of the answer waits for a decision from `decide`: nothing if
    /// it is made, or the error that it fails with. If the kernel cannot do it (before Linux
    /// 5.6), all are made, and `decide` does not see them.
    pub fn deciding(
        mut self,
        calls: &[Calls],
        mut decide: impl FnMut(&Asked) -> Option<Errno> + 'static,
    ) -> Self {
        if sys::can_decide_on_calls() {
            self.circumstances.deciding =
                Some(Deciding::new(calls, move |asked| decide(asked).into()));
        }
        self
    }

    /// With these descriptors, which the act takes by [`given`](crate::act::given).
    pub fn giving(mut self, descriptors: Vec<OwnedFd>) -> Self {
        self.circumstances.given = descriptors;
        self
    }

    /// With a variable in its environment.
    ///
    /// # Panics
    /// It contains a NUL.
    pub fn with_variable(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        let variable = [name.as_ref().as_bytes(), b"=", value.as_ref().as_bytes()].concat();
        self.circumstances.variables.push(CString::new(variable).expect("no NUL in it"));
        self
    }

    /// Has the act done, and looks at its process.
    ///
    /// # Errors
    /// The act did not finish: what happened instead.
    pub fn make(self) -> Result<Seen<O>, Finding> {
        self.make_and_look(|_, _| ()).map(|(seen, ())| seen)
    }

    /// The same. While the process waits, `probe` looks from its place.
    ///
    /// # Errors
    /// As [`Call::make`].
    pub fn make_and_look<P>(
        self,
        probe: impl FnOnce(&Place, &O) -> P,
    ) -> Result<(Seen<O>, P), Finding> {
        self.make_meanwhile(|_, _| (), probe)
    }

    /// The same. During the act, we do `meanwhile`, and the act may wait for it.
    ///
    /// # Errors
    /// As [`Call::make`].
    pub fn make_meanwhile<P>(
        self,
        meanwhile: impl FnOnce(&Place, &mut Answering),
        probe: impl FnOnce(&Place, &O) -> P,
    ) -> Result<(Seen<O>, P), Finding> {
        self.run(meanwhile, probe).map_err(|ended| ended.finding)
    }

    fn run<P>(
        self,
        meanwhile: impl FnOnce(&Place, &mut Answering),
        probe: impl FnOnce(&Place, &O) -> P,
    ) -> Result<(Seen<O>, P), Ended> {
        let (host, function, failed) = (self.host, self.function, self.failed.clone());
        let host_before = host.mount_table();
        let mut answering = self.start();
        let place = Place { proc: &host.ground.proc, pid: answering.pid };
        meanwhile(&place, &mut answering);
        let outcome = answering.watch(&host.ground);

        // 1. Looked at while it waits.
        let mut seen = None;
        if let Outcome::Replied(Reply::Returned(output)) = &outcome
            && let Some(process) = answering.look(&host.ground)
            && let Ok(returned) = serde_json::from_str(output)
        {
            let found = probe(&place, &returned);
            seen = Some((returned, process, found));
        }

        // 2. Its end, and that of all that it has started.
        answering.end();
        let left = end_all(&host.ground.proc);
        let printed = answering.printed();
        host.keep_printed(printed.clone());
        let finding = match (outcome, seen) {
            (_, _) if host.ground.is_full() => Finding::new("answer/disk-full"),
            (_, Some(_)) if !left.is_empty() => {
                Finding::new("answer/processes-left").word("processes", left.join(", "))
            }
            (_, Some((returned, process, found))) => {
                let failed = failed.get();
                let mounts_before = answering.mounts_before;
                let host_after = host.mount_table();
                let seen = Seen {
                    returned,
                    mounts_before,
                    process,
                    host_before,
                    host_after,
                    printed,
                    failed,
                };
                return Ok((seen, found));
            }
            (outcome, None) => unfinished(outcome),
        };
        let finding = Finding { printed, ..finding.word("function", function) };
        Err(Ended { at: answering.at(), finding })
    }

    /// Has the act done, and kills its process before its `nth` call, from 1, that changes
    /// files or mounts. Returns whether it was killed: false means that it made fewer, and
    /// finished.
    ///
    /// # Errors
    /// As [`Call::make`].
    ///
    /// # Panics
    /// The process cannot be traced.
    pub fn kill_at(mut self, nth: usize) -> Result<bool, Finding> {
        self.circumstances.is_traced = true;
        // A process that waits for a traced one decides on no calls.
        self.circumstances.deciding = None;
        self.header.waits = false;
        let (host, function) = (self.host, self.function);
        let mut answering = self.start();
        let outcome = answering.kill_at(&host.ground, nth).expect("the sandbox allows it");
        end_all(&host.ground.proc);
        let printed = answering.printed();
        let finding = match outcome {
            _ if host.ground.is_full() => Finding::new("answer/disk-full"),
            None => return Ok(true),
            Some(Outcome::Replied(Reply::Returned(_))) => return Ok(false),
            Some(outcome) => unfinished(outcome),
        };
        Err(Finding { printed, ..finding.word("function", function) })
    }

    /// Starts the process, for a caller that watches several of them. [`end_all`] ends
    /// whatever is left of them.
    ///
    /// # Panics
    /// The sandbox does not allow what the process needs.
    pub fn start(self) -> Answering {
        let request = serde_json::to_vec(&(&self.header, &self.input)).expect("plain data");
        let ground = &self.host.ground;
        Answering::start(ground, self.host.program(), &request, self.circumstances)
            .unwrap_or_else(|error| panic!("{}: {error}", self.function))
    }
}

impl<I: Serialize, O: DeserializeOwned> Call<'_, Vec<&I>, Vec<O>> {
    /// Has the act done for each input.
    ///
    /// # Errors
    /// It did not survive one of them.
    pub fn make_each(self) -> Result<Seen<Vec<O>>, Ended> {
        let (function, count) = (self.function, self.input.len());
        let (seen, ()) = self.run(|_, _| (), |_, _| ())?;
        if seen.returned.len() != count {
            let finding = Finding::new("answer/exited").word("code", 0);
            return Err(Ended { at: 0, finding: finding.word("function", function) });
        }
        Ok(seen)
    }
}

/// What an act returned that was asked for by [`Call::start`].
///
/// # Errors
/// It did not finish: what happened instead.
pub fn output<O: DeserializeOwned>(outcome: Outcome, function: &str) -> Result<O, Finding> {
    let finding = match outcome {
        Outcome::Replied(Reply::Returned(output)) => match serde_json::from_str(&output) {
            Ok(output) => return Ok(output),
            Err(_) => unfinished(Outcome::Exited(0)),
        },
        outcome => unfinished(outcome),
    };
    Err(finding.word("function", function))
}

/// What is wrong with an act that did not finish.
pub fn unfinished(outcome: Outcome) -> Finding {
    use nix::sys::signal::Signal;
    match outcome {
        Outcome::Replied(Reply::Panicked { words, .. })
            if words.starts_with("not yet implemented") =>
        {
            Finding::new(NOT_WRITTEN)
        }
        Outcome::Replied(Reply::Panicked { words, place }) => {
            Finding::new(PANICKED).word("words", words).word("place", place)
        }
        // A reply that cannot be read does not count as one.
        Outcome::Replied(Reply::Returned(_)) => Finding::new("answer/exited").word("code", 0),
        Outcome::Exited(code) => Finding::new("answer/exited").word("code", code),
        Outcome::Signaled(Signal::SIGXFSZ) => Finding::new("answer/disk-full"),
        Outcome::Signaled(signal) => Finding::new("answer/killed-by-signal").word("signal", signal),
        Outcome::Asleep => Finding::new(HUNG).word("seconds", asleep_for_good().as_secs_f64()),
        Outcome::Excessive(excess) => Finding::of_excess(excess),
    }
}
