//! What people get wrong in send_command.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::mem::ManuallyDrop;
use std::os::fd::{FromRawFd, IntoRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

use lab_04_grader::Answers;
use nix::sys::signal::{SigHandler, Signal, signal};
use nix::unistd::write;

use crate::catalogue::Mistake;
use crate::lab_04::{SOLUTION, solution};

/// The command as the solution writes it down.
fn message(command: &[OsString]) -> Vec<u8> {
    let mut message = format!("{}\0", command.len()).into_bytes();
    for argument in command {
        message.extend(argument.as_bytes());
        message.push(0);
    }
    message
}

/// A parameter that is not used lives as long as the function: when the container
/// dies, write(2) waits for the runtime itself to read.
pub const READ_END_LEFT_OPEN: Mistake<Answers> = Mistake {
    name: "read_end_left_open",
    code: "pipe-env/read-end-open-in-parent",
    answers: Answers {
        send_command: |_read_end, write_end, command| {
            File::from(write_end).write_all(&message(command))
        },
        ..SOLUTION
    },
};

/// into_raw_fd gives the descriptor away: from then on nobody closes it, and the
/// container's first process waits for the end of the message.
pub const WRITE_END_GIVEN_AWAY: Mistake<Answers> = Mistake {
    name: "write_end_given_away",
    code: "pipe-env/write-end-open-in-parent",
    answers: Answers { send_command: write_to_a_number, ..SOLUTION },
};

#[allow(unsafe_code)]
fn write_to_a_number(
    read_end: OwnedFd,
    write_end: OwnedFd,
    command: &[OsString],
) -> io::Result<()> {
    drop(read_end);
    // SAFETY: the number is that of an open file.
    let mut file = unsafe { File::from_raw_fd(write_end.into_raw_fd()) };
    file.write_all(&message(command))?;
    let _ = file.into_raw_fd();
    Ok(())
}

/// write(2) says how much it has written, and nobody listens: after a signal that
/// is not all.
pub const ONE_WRITE: Mistake<Answers> = Mistake {
    name: "one_write",
    code: "pipe-env/short-write",
    answers: Answers {
        send_command: |read_end, write_end, command| {
            drop(read_end);
            write(write_end, &message(command))?;
            Ok(())
        },
        ..SOLUTION
    },
};

/// Goes on after a short write, but takes EINTR for a failure.
pub const WRITTEN_UNTIL_A_SIGNAL: Mistake<Answers> = Mistake {
    name: "written_until_a_signal",
    code: "pipe-env/interrupted-call",
    answers: Answers {
        send_command: |read_end, write_end, command| {
            drop(read_end);
            let message = message(command);
            let mut rest = message.as_slice();
            while !rest.is_empty() {
                rest = &rest[write(&write_end, rest)?..];
            }
            Ok(())
        },
        ..SOLUTION
    },
};

/// "The container will notice": the runtime waits for a container that has never
/// started.
pub const ERROR_IGNORED: Mistake<Answers> = Mistake {
    name: "error_ignored",
    code: "pipe-env/error-ignored",
    answers: Answers {
        send_command: |read_end, write_end, command| {
            drop(read_end);
            let _ = File::from(write_end).write_all(&message(command));
            Ok(())
        },
        ..SOLUTION
    },
};

/// Ok(()) to see what the tests say.
pub const NOTHING_SENT: Mistake<Answers> = Mistake {
    name: "nothing_sent",
    code: "answer/did-nothing",
    answers: Answers { send_command: |_, _, _| Ok(()), ..SOLUTION },
};

/// The buffer is written out when it is dropped, and drop() has no result.
pub const BUFFER_NOT_FLUSHED: Mistake<Answers> = Mistake {
    name: "buffer_not_flushed",
    code: "pipe-env/error-ignored",
    answers: Answers {
        send_command: |read_end, write_end, command| {
            drop(read_end);
            let mut writer = BufWriter::new(File::from(write_end));
            writer.write_all(&message(command))
        },
        ..SOLUTION
    },
};

/// Closes by hand, and the `?` is before that.
pub const CLOSED_AFTER_SUCCESS: Mistake<Answers> = Mistake {
    name: "closed_after_success",
    code: "pipe-env/left-open-by-an-error",
    answers: Answers {
        send_command: |read_end, write_end, command| {
            drop(read_end);
            let mut file = ManuallyDrop::new(File::from(write_end));
            file.write_all(&message(command))?;
            drop(ManuallyDrop::into_inner(file));
            Ok(())
        },
        ..SOLUTION
    },
};

/// So that `runtime | head` ends quietly, as programs in C do.
pub const SIGPIPE_AS_IN_C: Mistake<Answers> = Mistake {
    name: "sigpipe_as_in_c",
    code: "pipe-env/killed-by-sigpipe",
    answers: Answers { send_command: die_of_sigpipe, ..SOLUTION },
};

#[allow(unsafe_code)]
fn die_of_sigpipe(read_end: OwnedFd, write_end: OwnedFd, command: &[OsString]) -> io::Result<()> {
    // SAFETY: the default needs no function.
    unsafe { signal(Signal::SIGPIPE, SigHandler::SigDfl) }?;
    solution::send_command(read_end, write_end, command)
}

/// Sets it by hand and "puts it back": to what it is in C, not to what it was.
pub const SIGPIPE_PUT_BACK: Mistake<Answers> = Mistake {
    name: "sigpipe_put_back",
    code: "pipe-env/sigpipe-no-longer-ignored",
    answers: Answers { send_command: put_sigpipe_back, ..SOLUTION },
};

#[allow(unsafe_code)]
fn put_sigpipe_back(read_end: OwnedFd, write_end: OwnedFd, command: &[OsString]) -> io::Result<()> {
    let sent = solution::send_command(read_end, write_end, command);
    // SAFETY: the default needs no function.
    unsafe { signal(Signal::SIGPIPE, SigHandler::SigDfl) }?;
    sent
}

/// A few bytes never wait, so they are written without a loop. But a signal may come before
/// the first one.
pub const COUNT_BY_ONE_CALL: Mistake<Answers> = Mistake {
    name: "count_by_one_call",
    code: "pipe-env/interrupted-call",
    answers: Answers {
        send_command: |read_end, write_end, command| {
            drop(read_end);
            let message = message(command);
            let (count, arguments) = message.split_at(command.len().to_string().len() + 1);
            write(&write_end, count)?;
            File::from(write_end).write_all(arguments)
        },
        ..SOLUTION
    },
};
