//! The process of an answer: how it is started, watched and ended.
//!
//! The witness, PID 1 of the sandbox, is its parent, and nobody in the sandbox can kill
//! that. The process begins as a copy of the witness, gives up everything that it has,
//! and executes the answer's program.

use std::convert::Infallible;
use std::ffi::{CStr, CString};
use std::fmt;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::thread;

use mydocker_kernel::mountinfo::MountTable;
use mydocker_kernel::sys::{
    clone, close_all_but, join_new_session_keyring, pidfd_open, reset_signals,
};
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sched::CloneFlags;
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{
    Pid, chdir, dup2_stderr, dup2_stdin, dup2_stdout, fexecve, pipe, pipe2, setsid, write,
};

use crate::act::{ANSWER, REQUEST};
use crate::deciding::{Deciding, Listening};
use crate::killed_at::{run_until, trace};
use crate::limits::{self, Allowance, Excess, limit_this_process};
use crate::need::Seal;
use crate::powers;
use crate::printed;
use crate::process::Process;
use crate::reply::{Reply, ReplyReader};
use crate::supervised::Ground;
use crate::sys;

/// How often the witness checks for a reply, in milliseconds.
const LOOK_EVERY: u16 = 1;

/// All that an answer's process finds in its environment.
const ENVIRONMENT: [&CStr; 2] =
    [c"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", c"HOME=/root"];

/// A program with an answer in it.
#[derive(Debug)]
pub struct Program {
    file: File,
    /// Which answer, where it has several.
    pub answer: String,
}

impl Program {
    /// Opens it where it is, before the sandbox is around us. A file that others may not read
    /// is copied, because the answer is another user in the sandbox.
    ///
    /// # Errors
    /// There is no such file, or it cannot be read.
    pub fn open(path: &Path, answer: &str) -> io::Result<Program> {
        let mut file = File::open(path)?;
        if file.metadata()?.mode() & 0o005 != 0o005 {
            let mut copy = File::from(memfd_create("answer", MFdFlags::MFD_CLOEXEC)?);
            io::copy(&mut file, &mut copy)?;
            copy.set_permissions(PermissionsExt::from_mode(0o555))?;
            // A file that is open for writing cannot be executed.
            file = File::open(format!("/proc/self/fd/{}", copy.as_raw_fd()))?;
        }
        Ok(Program { file, answer: answer.to_owned() })
    }
}

/// What is special about a process of an answer.
#[derive(Default)]
pub struct Circumstances<'a> {
    /// The namespaces that are its own.
    pub namespaces: Option<CloneFlags>,
    /// What the process does before it executes the answer's program.
    pub before: Option<Box<dyn Fn() -> io::Result<()> + 'a>>,
    /// The descriptors that it is given.
    pub given: Vec<OwnedFd>,
    /// Variables of its environment, `NAME=VALUE`.
    pub variables: Vec<CString>,
    /// Whether it is run by [`Answering::kill_at`].
    pub is_traced: bool,
    /// The calls that wait for a decision.
    pub deciding: Option<Deciding>,
}

impl fmt::Debug for Circumstances<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Circumstances")
            .field("namespaces", &self.namespaces)
            .field("given", &self.given)
            .field("variables", &self.variables)
            .finish_non_exhaustive()
    }
}

/// How a process has gone on.
#[derive(Debug)]
pub enum Outcome {
    /// It has replied, and waits to be looked at.
    Replied(Reply),
    /// It has ended without a reply.
    Exited(i32),
    /// The same, by a signal.
    Signaled(Signal),
    /// It waits for something that cannot come any more.
    Asleep,
    /// It was about to take more than allowed.
    Excessive(Excess),
}

/// A process that answers.
#[derive(Debug)]
pub struct Answering {
    /// Its number in the witness's PID namespace.
    pub pid: Pid,
    /// Its mount table before its program began.
    pub mounts_before: MountTable,
    pidfd: OwnedFd,
    reply: ReplyReader,
    printed: File,
    allowance: Allowance,
    ended: Option<WaitStatus>,
    listening: Option<Listening>,
}

impl Answering {
    /// Starts a process that will answer `request`.
    ///
    /// # Errors
    /// The sandbox does not allow what the process needs.
    pub fn start(
        ground: &Ground,
        program: &Program,
        request: &[u8],
        circumstances: Circumstances,
    ) -> io::Result<Answering> {
        let reply = ReplyReader::new()?;
        let printed = printed::file()?;
        let asked = request_file(request)?;
        let (ready, say_ready) = pipe()?;
        let (hold, let_go) = pipe()?;
        let namespaces = circumstances.namespaces.unwrap_or(CloneFlags::empty());
        let pid = ground
            .start(namespaces, || {
                let begin = Beginning {
                    ground,
                    program,
                    circumstances: &circumstances,
                    request: &asked,
                    reply: reply.descriptor(),
                    printed: &printed,
                };
                let Err(error) = begin.become_answer(&say_ready, &hold);
                let _ = sys::write_unasked(say_ready.as_fd(), error.to_string().as_bytes());
                0
            })
            .map_err(|error| io::Error::other(error.to_string()))?;
        drop((hold, say_ready));

        // It stands still between its preparation and its program.
        let mut ready = File::from(ready);
        let mut said = [0];
        let mounts_before = match ready.read(&mut said)? {
            1 if said == READY => ground.proc.mount_table(&pid.to_string())?,
            _ => return Err(failed(said, ready)),
        };
        if circumstances.is_traced {
            trace(pid)?;
        }
        let pidfd = pidfd_open(pid)?;
        let mut listening = match circumstances.deciding {
            Some(deciding) => {
                let mut number = [0; size_of::<i32>()];
                ready.read_exact(&mut number)?;
                let listener = sys::descriptor_of(pidfd.as_fd(), i32::from_ne_bytes(number));
                listener.ok().map(|listener| Listening::new(listener, deciding))
            }
            None => None,
        };
        File::from(let_go).write_all(&READY)?;
        // The pipe is closed when the program is executed; one that is traced
        // stops before that.
        if !circumstances.is_traced {
            if let Some(listening) = &mut listening {
                // execve(2) itself may be among the calls that are decided on.
                while !can_read(ready.as_fd(), listening.listener())? {
                    listening.decide(|| reply.begun() > 0);
                }
            }
            if ready.read(&mut said)? != 0 {
                return Err(failed(said, ready));
            }
        }
        let allowance = Allowance::begin();
        Ok(Answering {
            pid,
            mounts_before,
            pidfd,
            reply,
            printed,
            allowance,
            ended: None,
            listening,
        })
    }

    /// Kills a process that was started as a traced one when it is about to make
    /// its `nth` call, from 1, that changes files or mounts. Returns how it went
    /// on if it made fewer.
    ///
    /// # Errors
    /// As ptrace(2).
    pub fn kill_at(&mut self, ground: &Ground, nth: usize) -> io::Result<Option<Outcome>> {
        // A process that waits for a traced one waits for good: another one checks what
        // the answer uses.
        let (told, tell) = pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK)?;
        let (pid, allowance) = (self.pid, &mut self.allowance);
        let watcher = clone(CloneFlags::empty(), || {
            let excess = loop {
                thread::sleep(limits::LOOK_EVERY);
                if let Some(excess) = allowance.excess(&ground.proc) {
                    break excess;
                }
            };
            let _ = write(&tell, &[excess as u8]);
            let _ = kill(pid, Signal::SIGKILL);
            0
        });
        watcher.map_err(|error| io::Error::other(error.to_string()))?;
        let Some(ended) = run_until(self.pid, nth)? else { return Ok(None) };
        self.ended = Some(ended);
        let mut excess = [0];
        match File::from(told).read(&mut excess) {
            Ok(1..) => Ok(Some(Outcome::Excessive(Excess::ALL[usize::from(excess[0])]))),
            _ => Ok(self.outcome()),
        }
    }

    /// Waits until it has replied or ended, or does something that it must not.
    pub fn watch(&mut self, ground: &Ground) -> Outcome {
        loop {
            if let Some(outcome) = self.outcome().or_else(|| self.excess(ground)) {
                return outcome;
            }
            self.wait_for_news();
        }
    }

    /// Waits for a moment until it has ended or makes a call that is decided on, and
    /// decides: somebody must, while something else is waited for.
    pub fn wait_for_news(&mut self) {
        let mut news = vec![PollFd::new(self.pidfd.as_fd(), PollFlags::POLLIN)];
        let listener = self.listening.as_ref().map(Listening::listener);
        news.extend(listener.map(|it| PollFd::new(it, PollFlags::POLLIN)));
        let _ = poll(&mut news, PollTimeout::from(LOOK_EVERY));
        self.decide();
    }

    /// Decides on its calls that wait.
    fn decide(&mut self) {
        if let Some(listening) = &mut self.listening {
            listening.decide(|| self.reply.begun() > 0);
        }
    }

    /// Waits until a process stands still, and returns its pid; nothing if it has come to
    /// that no call was made before which it should. See
    /// [`Call::standing_still`](crate::call::Call::standing_still).
    pub(crate) fn stand_still(&mut self, ground: &Ground) -> Option<Pid> {
        loop {
            if let Some(pid) = self.listening.as_ref().and_then(Listening::standing) {
                return Some(Pid::from_raw(pid));
            }
            if self.outcome().or_else(|| self.excess(ground)).is_some() {
                return None;
            }
            self.wait_for_news();
        }
    }

    /// Lets the process that stands still go on.
    pub fn go_on(&mut self) {
        if let Some(listening) = &mut self.listening {
            listening.go_on();
        }
    }

    /// What it and those that it has started have taken too much of: looked at now
    /// and then.
    pub(crate) fn excess(&mut self, ground: &Ground) -> Option<Outcome> {
        self.allowance.excess(&ground.proc).map(Outcome::Excessive)
    }

    /// How it has gone on, if it is not still at it. Its calls that wait are decided on.
    pub fn outcome(&mut self) -> Option<Outcome> {
        self.decide();
        // A process that has ended may have replied before.
        let ended = self.is_ended();
        if let Some(reply) = self.reply.read() {
            return Some(Outcome::Replied(reply));
        }
        match ended? {
            WaitStatus::Exited(_, code) => Some(Outcome::Exited(code)),
            WaitStatus::Signaled(_, signal, _) => Some(Outcome::Signaled(signal)),
            _ => None,
        }
    }

    /// How its process has ended, if it has.
    pub fn is_ended(&mut self) -> Option<WaitStatus> {
        if self.ended.is_none() {
            self.ended = match waitpid(self.pid, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::StillAlive) => None,
                Ok(status) => Some(status),
                Err(_) => Some(WaitStatus::Exited(self.pid, 0)),
            };
        }
        self.ended
    }

    /// The input that it has begun with last, where it was given many.
    pub fn at(&self) -> usize {
        self.reply.at()
    }

    /// What the kernel shows of its process.
    pub fn look(&self, ground: &Ground) -> Option<Process> {
        Process::look(&ground.proc, self.pid.as_raw())
    }

    /// The beginning of what it has printed.
    pub fn printed(&mut self) -> String {
        printed::beginning_and_end_of(&self.printed)
    }

    /// Ends its process.
    pub fn end(&mut self) {
        if self.is_ended().is_none() {
            let _ = kill(self.pid, Signal::SIGKILL);
            self.ended = waitpid(self.pid, None).ok();
        }
    }
}

/// Waits until there is something to read, or its end, or a call that waits for a
/// decision; and returns whether it is the former.
fn can_read(from: BorrowedFd, listener: BorrowedFd) -> io::Result<bool> {
    let mut news = [from, listener].map(|it| PollFd::new(it, PollFlags::POLLIN));
    poll(&mut news, PollTimeout::NONE)?;
    Ok(news[0].any().unwrap_or(true))
}

/// What the process says when it is prepared.
const READY: [u8; 1] = *b"r";

/// Why no answer's program came to be executed.
fn failed(said: [u8; 1], mut rest: File) -> io::Error {
    let mut words = said.to_vec();
    let _ = rest.read_to_end(&mut words);
    io::Error::other(String::from_utf8_lossy(&words).into_owned())
}

/// A file in memory with the request in it.
fn request_file(request: &[u8]) -> io::Result<File> {
    let mut file = File::from(memfd_create("request", MFdFlags::MFD_CLOEXEC)?);
    file.write_all(request)?;
    io::Seek::rewind(&mut file)?;
    Ok(file)
}

/// A copy of the witness that is about to become an answer's process.
struct Beginning<'a> {
    ground: &'a Ground,
    program: &'a Program,
    circumstances: &'a Circumstances<'a>,
    request: &'a File,
    reply: BorrowedFd<'a>,
    printed: &'a File,
}

impl Beginning<'_> {
    /// Gives up what the witness has, and executes the program.
    fn become_answer(&self, say_ready: &OwnedFd, hold: &OwnedFd) -> io::Result<Infallible> {
        // 1. No terminal, no keys. Not every kernel has keyrings.
        setsid()?;
        let _ = join_new_session_keyring();
        // 2. Nothing to read, and all output into a file.
        dup2_stdin(File::open("/dev/null")?)?;
        dup2_stdout(self.printed)?;
        dup2_stderr(self.printed)?;
        // 3. Where it begins.
        chdir(&self.ground.scratch)?;
        self.circumstances.before.as_ref().map_or(Ok(()), |before| before())?;
        if self.circumstances.is_traced {
            // Nobody may trace a copy of the witness.
            nix::sys::prctl::set_dumpable(true)?;
        }
        // 4. Its limits. Its root is nobody outside the sandbox, so they hold.
        limit_this_process(self.ground.processes_outside);
        // 5. No power over the witness, who may be the same user. It needs CAP_SYS_ADMIN
        //    in its user namespace, which what came before may have given up.
        let _ = sys::keep_from_limiting_others();
        if self.ground.seal == Seal::DeviceFiles {
            powers::keep_those_over_files()?;
        }
        // 6. The witness looks at it as it is now. To trace it, it must be allowed to.
        //    The same holds for who decides on its calls.
        let deciding = self.circumstances.deciding.as_ref();
        nix::sys::prctl::set_dumpable(self.circumstances.is_traced || deciding.is_some())?;
        let listener = deciding.map(|deciding| {
            nix::sys::prctl::set_no_new_privs()?;
            sys::ask_about(&deciding.numbers())
        });
        let mut said = READY.to_vec();
        if let Some(listener) = &listener {
            // If the kernel has no such filters, nothing fails.
            let number = listener.as_ref().map_or(-1, AsRawFd::as_raw_fd);
            said.extend(number.to_ne_bytes());
        }
        sys::write_unasked(say_ready.as_fd(), &said)?;
        File::from(hold.try_clone()?).read_exact(&mut [0])?;
        // 7. Signals as after a login, whatever the grader's caller ignores or blocks: a
        //    shell's `&` and nohup(1) do.
        reset_signals();
        // 8. The descriptors: away from where they must go, then there.
        let aside = |descriptor: BorrowedFd| -> io::Result<OwnedFd> {
            let number = fcntl(descriptor, FcntlArg::F_DUPFD_CLOEXEC(ASIDE))?;
            sys::take_descriptor(number)
        };
        let (request, reply) = (aside(self.request.as_fd())?, aside(self.reply)?);
        let (program, say_ready) = (aside(self.program.file.as_fd())?, aside(say_ready.as_fd())?);
        let given = self.circumstances.given.iter().map(|it| aside(it.as_fd()));
        let given = given.collect::<io::Result<Vec<_>>>()?;
        let all = [&request, &reply].into_iter().chain(&given);
        let mut kept = vec![program.as_raw_fd(), say_ready.as_raw_fd()];
        for (number, descriptor) in (REQUEST..).zip(all) {
            sys::place_descriptor(descriptor.as_fd(), number)?;
            kept.push(number);
        }
        close_all_but(&kept).map_err(|error| io::Error::other(error.to_string()))?;
        // 9. The program.
        let which = CString::new(self.program.answer.as_str())?;
        let arguments = [c"answer".to_owned(), CString::new(ANSWER)?, which];
        Ok(fexecve(program, &arguments, &self.environment())?)
    }

    /// Its variables, and of the usual ones those that it is not given.
    fn environment(&self) -> Vec<&CStr> {
        let given = &self.circumstances.variables;
        let is_given = |usual: &CStr| given.iter().any(|it| name(it) == name(usual));
        let usual = ENVIRONMENT.into_iter().filter(|usual| !is_given(usual));
        given.iter().map(CString::as_c_str).chain(usual).collect()
    }
}

/// What a variable is called.
fn name(variable: &CStr) -> Option<&[u8]> {
    variable.to_bytes().split(|byte| *byte == b'=').next()
}

/// Above all numbers that an answer is given.
const ASIDE: i32 = 64;
