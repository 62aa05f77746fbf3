//! What people get wrong in send_command.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{FromRawFd, IntoRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

use lab_04_grader::Answers;
use nix::unistd::write;

use crate::catalogue::Mistake;
use crate::lab_04::SOLUTION;

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
