//! What the student writes, and how it is called. Only this file runs in the
//! process of an answer.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use labkit::act::{Act, Each, Performable, given};
use labkit::describe::Failure;
use labkit::frame::Returned;
use nix::fcntl::{FcntlArg, OFlag, fcntl, open};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use nix::sys::stat::Mode;
use nix::unistd::pipe;
use serde::{Deserialize, Serialize};

/// The functions that the student writes. A mistake is the solution with one of
/// them replaced, or with both ends of the pipe.
pub struct Answers {
    /// See labs/04-pipe-env/src/lib.rs, as for the others.
    pub send_command: fn(OwnedFd, OwnedFd, &[OsString]) -> io::Result<()>,
    /// What the first has sent.
    pub receive_command: fn(OwnedFd, OwnedFd) -> io::Result<Vec<OsString>>,
    /// The image's variables and those of `-e`.
    pub merge_environment: Merge,
    /// All but 0, 1 and 2.
    pub close_descriptors: fn() -> io::Result<()>,
}

/// Of the image's variables, the given ones and the host's, those of the command.
pub type Merge = fn(&[OsString], &[OsString], &[(OsString, OsString)]) -> Vec<OsString>;

/// All that an answer can be asked to do.
pub static ACTS: &[&dyn Performable<Answers>] = &[
    &SEND_COMMAND,
    &SEND_TO_NOBODY,
    &RECEIVE_COMMAND,
    &SEND_EACH,
    &RECEIVE_EACH,
    &MERGE_ENVIRONMENT,
    &CLOSE_DESCRIPTORS,
];

/// Sends a command through the pipe of which it is given both ends.
pub static SEND_COMMAND: Act<Answers, Command, Returned> = Act {
    name: "send_command",
    function: "send_command",
    perform: |answers, Command(command)| {
        listen_to_signals();
        (answers.send_command)(given(0), given(1), &command).map_err(Failure::from)
    },
};

/// Sends a command through a pipe that nobody else has.
pub static SEND_TO_NOBODY: Act<Answers, Command, Returned> = Act {
    name: "send_to_nobody",
    function: "send_command",
    perform: |answers, Command(command)| {
        let (read_end, write_end) = pipe().map_err(io::Error::from)?;
        (answers.send_command)(read_end, write_end, &command).map_err(Failure::from)
    },
};

/// Receives a command through the pipe of which it is given both ends.
pub static RECEIVE_COMMAND: Act<Answers, (), Received> = Act {
    name: "receive_command",
    function: "receive_command",
    perform: |answers, ()| {
        listen_to_signals();
        receive(answers, given(0), given(1))
    },
};

/// Sends short commands, each through a pipe that holds all of it, and returns the
/// messages.
pub static SEND_EACH: Act<Answers, Vec<Command>, Vec<Message>> = Act {
    name: "send_each",
    function: "send_command",
    perform: |answers, commands| {
        let message = |Command(command): &Command| {
            let (read_end, write_end) = pipe()?;
            let mut reader = File::from(read_end.try_clone()?);
            // An answer that leaves the write end open is not waited for.
            fcntl(&reader, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
            (answers.send_command)(read_end, write_end, command)?;
            let mut message = Vec::new();
            let _ = reader.read_to_end(&mut message);
            Ok(message)
        };
        commands.iter().map(|command| message(command).map_err(|it: io::Error| it.into())).collect()
    },
};

/// Receives short messages, of each as many of its first bytes as the lengths say,
/// in turn.
pub static RECEIVE_EACH: Act<Answers, Vec<Parts>, Vec<Vec<Received>>> = Act {
    name: "receive_each",
    function: "receive_command",
    perform: |answers, messages| {
        let receive = |bytes: &[u8]| {
            let (read_end, write_end) = pipe().map_err(io::Error::from)?;
            File::from(write_end.try_clone()?).write_all(bytes)?;
            receive(answers, read_end, write_end)
        };
        let each = |(message, lengths): Parts| {
            lengths.iter().map(|length| receive(&message[..*length])).collect()
        };
        messages.into_iter().map(each).collect()
    },
};

/// Merges an environment.
pub static MERGE_ENVIRONMENT: Each<Answers, Variables, Vec<OsString>> = Each {
    name: "merge_environment",
    function: "merge_environment",
    perform: |answers, it| (answers.merge_environment)(&it.image, &it.given, &it.host),
};

/// Opens a directory, a file, a pipe and others, at all the numbers that are asked for,
/// lowers both limits, and lets the function close them.
pub static CLOSE_DESCRIPTORS: Act<Answers, Opened, Returned> = Act {
    name: "close_descriptors",
    function: "close_descriptors",
    perform: |answers, opened| {
        opened.open().expect("the sandbox allows it");
        (answers.close_descriptors)().map_err(Failure::from)
    },
};

/// What send_command has written.
pub type Message = Result<Vec<u8>, Failure>;

/// A message, and the lengths of those of its beginnings that are asked for.
pub type Parts = (Vec<u8>, Vec<usize>);

/// What receive_command returned.
pub type Received = Result<Command, Failure>;

fn receive(answers: &Answers, read_end: OwnedFd, write_end: OwnedFd) -> Received {
    (answers.receive_command)(read_end, write_end).map(Command).map_err(Failure::from)
}

/// A command. In JSON it is the lengths of its arguments and one text, in which each
/// byte is the character of its number: a megabyte is quickly read and written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "(Vec<usize>, String)", into = "(Vec<usize>, String)")]
pub struct Command(pub Vec<OsString>);

impl From<Command> for (Vec<usize>, String) {
    fn from(Command(arguments): Command) -> Self {
        let lengths = arguments.iter().map(|argument| argument.len()).collect();
        let mut bytes = Vec::new();
        arguments.iter().for_each(|argument| bytes.extend_from_slice(argument.as_bytes()));
        let text = match String::from_utf8(bytes) {
            Ok(text) if text.is_ascii() => text,
            Ok(text) => text.bytes().map(char::from).collect(),
            Err(error) => error.into_bytes().into_iter().map(char::from).collect(),
        };
        (lengths, text)
    }
}

impl From<(Vec<usize>, String)> for Command {
    fn from((lengths, text): (Vec<usize>, String)) -> Self {
        let bytes = match text.is_ascii() {
            true => text.into_bytes(),
            false => text.chars().map(|character| character as u8).collect(),
        };
        let mut rest = bytes.as_slice();
        let argument = |length: usize| {
            let (argument, after) = rest.split_at(length.min(rest.len()));
            rest = after;
            OsString::from_vec(argument.to_vec())
        };
        Command(lengths.into_iter().map(argument).collect())
    }
}

/// What is merged.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Variables {
    /// The image's.
    pub image: Vec<OsString>,
    /// As with `-e`.
    pub given: Vec<OsString>,
    /// Names and values.
    pub host: Vec<(OsString, OsString)>,
}

/// What is open before the call, beside 0, 1 and 2.
#[derive(Debug, Serialize, Deserialize)]
pub struct Opened {
    /// Its descriptor is 3.
    pub directory: PathBuf,
    /// Its descriptor is 4; 5 and 6 are a pipe.
    pub file: PathBuf,
    /// Further numbers of the directory.
    pub of_directory: Vec<i32>,
    /// Further numbers of the pipe's read end.
    pub of_pipe: Vec<i32>,
    /// What else is open, and its number.
    pub others: Vec<(PathBuf, i32)>,
    /// Numbers of the file that are close-on-exec already.
    pub close_on_exec: Vec<i32>,
    /// What RLIMIT_NOFILE is by then: the soft limit and the hard one.
    pub limits: (u64, u64),
}

impl Opened {
    fn open(&self) -> io::Result<()> {
        let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
        setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
        // Not as std opens them: that would be close-on-exec.
        let open = |path: &PathBuf| open(path, OFlag::O_RDONLY, Mode::empty());
        let (directory, file, pipe) = (open(&self.directory)?, open(&self.file)?, pipe()?);
        for number in &self.of_directory {
            fcntl(&directory, FcntlArg::F_DUPFD(*number))?;
        }
        for number in &self.of_pipe {
            fcntl(&pipe.0, FcntlArg::F_DUPFD(*number))?;
        }
        for (path, number) in &self.others {
            fcntl(open(path)?, FcntlArg::F_DUPFD(*number))?;
        }
        for number in &self.close_on_exec {
            fcntl(&file, FcntlArg::F_DUPFD_CLOEXEC(*number))?;
        }
        let (soft, hard) = self.limits;
        setrlimit(Resource::RLIMIT_NOFILE, soft, hard)?;
        // Left open: closing them is up to the answer.
        std::mem::forget((directory, file, pipe));
        Ok(())
    }
}

/// Lets this process's calls be interrupted by SIGWINCH, as a runtime's are that
/// passes the size of the terminal on. See signal(7).
#[allow(unsafe_code)]
fn listen_to_signals() {
    extern "C" fn nothing(_: libc::c_int) {}
    let action = SigAction::new(SigHandler::Handler(nothing), SaFlags::empty(), SigSet::empty());
    // SAFETY: a function that does nothing is safe to be called at any time.
    unsafe { sigaction(Signal::SIGWINCH, &action) }.expect("a valid signal");
}
