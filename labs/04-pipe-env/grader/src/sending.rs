//! send_command, and the grader as the reader.

use std::ffi::OsString;
use std::fs::File;
use std::io::Read;

use labkit::describe::{Failure, result};
use labkit::host::Host;
use labkit::verdict::{Evidence, Finding, require};
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sched::CloneFlags;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, kill, sigaction};
use serde::{Deserialize, Serialize};

use crate::peer::{Ended, Peer, wait_for};
use crate::pipe::{Ends, Pipe};
use crate::{Answers, UNFORESEEN, after, found, probes};

pub const FUNCTION: &str = "send_command";

/// What is known of one call.
#[derive(Serialize, Deserialize)]
pub struct Sent {
    pub ended: Ended<Result<(), Failure>>,
    /// What of the pipe its process has open afterwards.
    ends: Ends,
    /// Whether the reader came to the end.
    end_was_seen: bool,
    /// What was read.
    pub message: Vec<u8>,
}

/// Sends a command to a reader who reads all, but not before `attend` has
/// returned.
pub fn send(
    answers: &Answers,
    host: &Host,
    command: &[OsString],
    attend: impl FnOnce(&mut Peer),
) -> Sent {
    let mut pipe = Pipe::new();
    let id = pipe.id();
    let mut sender = Peer::start(host.path("sender"), || {
        let (read_end, write_end) = pipe.take();
        listen_to_signals();
        (answers.send_command)(read_end, write_end, command).map_err(Failure::from)
    });
    let (read_end, _) = pipe.take();
    attend(&mut sender);

    // Whoever leaves the write end open must not make the grader wait.
    fcntl(&read_end, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).expect("a pipe can do that");
    let mut reader = File::from(read_end);
    let mut message = Vec::new();
    let mut end_was_seen = false;
    let mut read = || end_was_seen = reader.read_to_end(&mut message).is_ok();
    wait_for(&mut [&mut sender], &mut read);
    read();
    let ends = Ends::held_by(sender.pid, id);
    Sent { ended: sender.ended(), ends, end_was_seen, message }
}

/// Lets this process's calls be interrupted by SIGWINCH, as a runtime's are that
/// passes the size of the terminal on. See signal(7).
#[allow(unsafe_code)]
pub fn listen_to_signals() {
    extern "C" fn nothing(_: libc::c_int) {}
    let action = SigAction::new(SigHandler::Handler(nothing), SaFlags::empty(), SigSet::empty());
    // SAFETY: a function that does nothing is safe to be called at any time.
    unsafe { sigaction(Signal::SIGWINCH, &action) }.expect("a valid signal");
}

/// Waits until a process is asleep in a call, interrupts that, and waits until it
/// is asleep again: what the call waits for must not come at the same time.
pub fn interrupt(peer: &mut Peer) {
    peer.wait_until_asleep();
    let _ = kill(peer.pid, Signal::SIGWINCH);
    peer.wait_until_asleep();
}

#[derive(Serialize, Deserialize)]
struct Facts {
    /// Nothing happens meanwhile. The message is left out of here, it is long.
    quiet: Sent,
    /// Two signals come before anything is read.
    interrupted: Sent,
    /// How long the message was in both.
    lengths: [usize; 2],
    /// The reader has ended before it has read anything.
    abandoned: Ended<Result<(), Failure>>,
    /// What of the pipe is open then in the sender's process.
    abandoned_ends: Ends,
    #[serde(skip)]
    printed: String,
}

fn observe(answers: &Answers, host: &Host) -> Result<Facts, Finding> {
    let seen = host.call(FUNCTION, CloneFlags::empty(), || {
        let command = probes::large();
        let quiet = send(answers, host, &command, |_| ());
        let interrupted = send(answers, host, &command, |sender| {
            // A write that has written something returns how much; the next one,
            // which has not, returns EINTR.
            interrupt(sender);
            interrupt(sender);
        });

        let mut pipe = Pipe::new();
        let id = pipe.id();
        let mut sender = Peer::start(host.path("sender"), || {
            let (read_end, write_end) = pipe.take();
            (answers.send_command)(read_end, write_end, &command).map_err(Failure::from)
        });
        drop(pipe);
        wait_for(&mut [&mut sender], || ());
        Facts {
            lengths: [quiet.message.len(), interrupted.message.len()],
            quiet: Sent { message: Vec::new(), ..quiet },
            interrupted: Sent { message: Vec::new(), ..interrupted },
            abandoned: sender.ended(),
            abandoned_ends: Ends::held_by(sender.pid, id),
            printed: String::new(),
        }
    })?;
    let facts = Facts { printed: seen.printed, ..seen.returned };
    // A function that comes to no end does so in all three.
    facts.quiet.ended.returned(FUNCTION).map_err(|finding| after(&facts.printed, finding))?;
    Ok(facts)
}

impl Facts {
    /// What is wrong already when nothing happens meanwhile.
    fn quiet(&self) -> Option<Finding> {
        match &self.quiet.ended {
            Ended::Returned(Err(failure)) => returned_error(failure),
            _ if self.lengths[0] == 0 => {
                Some(Finding::new("answer/did-nothing").word("function", FUNCTION))
            }
            _ => None,
        }
    }

    fn open_ends(&self) -> Option<Finding> {
        let ends = self.quiet.ends;
        let code = if ends.write { "write-end-open-in-parent" } else { "read-end-open-in-parent" };
        (ends != Ends::NONE).then(|| found(code))
    }

    /// What signals do.
    fn interrupted(&self) -> Option<Finding> {
        match &self.interrupted.ended {
            Ended::Returned(Err(failure)) if failure.errno == Some(Errno::EINTR as i32) => {
                Some(found("interrupted-call").word("function", FUNCTION))
            }
            Ended::Returned(Err(failure)) => returned_error(failure),
            Ended::Returned(Ok(())) if self.lengths[1] < self.lengths[0] => {
                let [whole, written] = self.lengths;
                Some(found("short-write").word("written", written).word("whole", whole))
            }
            Ended::Returned(Ok(())) => None,
            ended => ended.returned(FUNCTION).err(),
        }
    }

    /// What the end of the reader does.
    fn abandoned(&self) -> Option<Finding> {
        match &self.abandoned {
            Ended::Returned(Ok(())) => Some(found("error-ignored").word("function", FUNCTION)),
            Ended::Returned(Err(_)) => None,
            Ended::Asleep if self.abandoned_ends.read => Some(found("read-end-open-in-parent")),
            ended => ended.returned(FUNCTION).err(),
        }
    }

    /// Else `why` is asked for the reason.
    fn require(
        &self,
        kept: bool,
        evidence: impl FnOnce() -> Vec<Evidence>,
        why: fn(&Facts) -> Option<Finding>,
    ) -> Result<(), Finding> {
        let kept = kept && matches!(self.quiet.ended, Ended::Returned(Ok(())));
        require(kept, evidence, || self.quiet().or_else(|| why(self)), UNFORESEEN)
            .map_err(|finding| after(&self.printed, finding))
    }
}

fn returned_error(failure: &Failure) -> Option<Finding> {
    let finding = Finding::new("answer/returned-error");
    Some(finding.word("function", FUNCTION).word("error", failure))
}

pub fn pipe_is_closed(answers: &Answers, host: &Host) -> Result<(), Finding> {
    let facts = observe(answers, host)?;
    let Sent { ends, end_was_seen, .. } = facts.quiet;
    let kept = ends == Ends::NONE && end_was_seen && facts.lengths[0] > 0;
    let evidence = || {
        let what = "/proc/PID/fd after send_command, of the pipe";
        vec![
            Evidence::differs("bytes that the reader got", "some", facts.lengths[0]),
            Evidence::differs(what, Ends::NONE, ends),
        ]
    };
    facts.require(kept, evidence, Facts::open_ends)
}

pub fn dead_reader(answers: &Answers, host: &Host) -> Result<(), Finding> {
    let facts = observe(answers, host)?;
    let kept = matches!(facts.abandoned, Ended::Returned(Err(_)));
    let evidence = || {
        let what = "send_command, when the reader has ended";
        let error = "EPIPE (Broken pipe)";
        let Ended::Returned(returned) = &facts.abandoned else {
            let open = "/proc/PID/fd of the sender, of the pipe";
            let seen = facts.abandoned.in_words().unwrap_or_default();
            return vec![
                Evidence::differs(what, error, seen),
                Evidence::differs(open, Ends::WRITE, facts.abandoned_ends),
            ];
        };
        vec![Evidence::differs(what, error, result(returned))]
    };
    facts.require(kept, evidence, Facts::abandoned)
}

pub fn signal(answers: &Answers, host: &Host) -> Result<(), Finding> {
    let facts = observe(answers, host)?;
    let [whole, written] = facts.lengths;
    let kept =
        matches!(facts.interrupted.ended, Ended::Returned(Ok(()))) && whole == written && whole > 0;
    let evidence = || {
        let what = "bytes written by send_command, interrupted by two signals";
        vec![Evidence::differs(what, whole, written)]
    };
    facts.require(kept, evidence, Facts::interrupted)
}
