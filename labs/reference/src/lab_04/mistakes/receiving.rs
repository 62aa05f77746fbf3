//! What people get wrong in receive_command, with the solution's send_command.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::mem::ManuallyDrop;
use std::os::fd::IntoRawFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use lab_04_grader::Answers;
use nix::errno::Errno;
use nix::unistd::read;

use crate::catalogue::Mistake;
use crate::lab_04::{SOLUTION, solution};

/// The arguments of a whole message.
fn parse(message: &[u8]) -> io::Result<Vec<OsString>> {
    let fields: Vec<&[u8]> = message.split(|byte| *byte == 0).collect();
    match fields.as_slice() {
        [count, arguments @ .., b""] if arguments.len().to_string().as_bytes() == *count => {
            Ok(arguments.iter().map(|it| OsString::from_vec(it.to_vec())).collect())
        }
        _ => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

/// The reader holds a write end itself, and waits for itself to write.
pub const WRITE_END_LEFT_OPEN: Mistake<Answers> = Mistake {
    name: "write_end_left_open",
    code: "pipe-env/write-end-open-in-container",
    answers: Answers {
        receive_command: |read_end, _write_end| {
            let mut message = Vec::new();
            File::from(read_end).read_to_end(&mut message)?;
            parse(&message)
        },
        ..SOLUTION
    },
};

/// One read(2) returns what is there by then, and at most what the buffer holds.
pub const READ_ONCE: Mistake<Answers> = Mistake {
    name: "read_once",
    code: "pipe-env/read-once",
    answers: Answers {
        receive_command: |read_end, write_end| {
            drop(write_end);
            let mut buffer = vec![0; 64 * 1024];
            let length = File::from(read_end).read(&mut buffer)?;
            parse(&buffer[..length])
        },
        ..SOLUTION
    },
};

/// Nobody types commands that are longer than a page.
pub const ONE_PAGE: Mistake<Answers> = Mistake {
    name: "one_page",
    code: "pipe-env/fixed-size-buffer",
    answers: Answers {
        receive_command: |read_end, write_end| {
            drop(write_end);
            let mut message = Vec::new();
            File::from(read_end).take(4096).read_to_end(&mut message)?;
            parse(&message)
        },
        ..SOLUTION
    },
};

/// A loop over read(2) that takes EINTR for a failure.
pub const READ_UNTIL_A_SIGNAL: Mistake<Answers> = Mistake {
    name: "read_until_a_signal",
    code: "pipe-env/interrupted-call",
    answers: Answers {
        receive_command: |read_end, write_end| {
            drop(write_end);
            let mut message = Vec::new();
            let mut buffer = [0; 4096];
            loop {
                match read(&read_end, &mut buffer)? {
                    0 => return parse(&message),
                    length => message.extend(&buffer[..length]),
                }
            }
        },
        ..SOLUTION
    },
};

/// An argument becomes a String, whatever it takes: names of old files change.
pub const LOSSY: Mistake<Answers> = Mistake {
    name: "lossy",
    code: "pipe-env/lossy-utf8",
    answers: Answers {
        receive_command: |read_end, write_end| {
            let command = solution::receive_command(read_end, write_end)?;
            Ok(command.iter().map(|it| it.to_string_lossy().into_owned().into()).collect())
        },
        ..SOLUTION
    },
};

/// read_to_string, as for a text.
pub const STRICT_UTF8: Mistake<Answers> = Mistake {
    name: "strict_utf8",
    code: "pipe-env/only-utf8",
    answers: Answers {
        receive_command: |read_end, write_end| {
            drop(write_end);
            let message = io::read_to_string(File::from(read_end))?;
            parse(message.as_bytes())
        },
        ..SOLUTION
    },
};

/// "" is nothing, so it goes: `test -n ""` is another question then.
pub const EMPTY_ARGUMENTS_FILTERED: Mistake<Answers> = Mistake {
    name: "empty_arguments_filtered",
    code: "pipe-env/empty-argument-dropped",
    answers: Answers {
        receive_command: |read_end, write_end| {
            let mut command = solution::receive_command(read_end, write_end)?;
            command.retain(|argument| !argument.as_bytes().is_empty());
            Ok(command)
        },
        ..SOLUTION
    },
};

/// Takes the NUL for what stands between two arguments: after the last one there
/// seems to be another.
pub const SPLIT_AFTER_THE_LAST_NUL: Mistake<Answers> = Mistake {
    name: "split_after_the_last_nul",
    code: "pipe-env/empty-argument-added",
    answers: Answers {
        receive_command: |read_end, write_end| {
            let mut command = solution::receive_command(read_end, write_end)?;
            command.push(OsString::new());
            Ok(command)
        },
        ..SOLUTION
    },
};

/// Sees a message that was cut off, but not that there is none at all.
pub const NO_MESSAGE_IS_NO_COMMAND: Mistake<Answers> = Mistake {
    name: "no_message_is_no_command",
    code: "pipe-env/empty-pipe-accepted",
    answers: Answers {
        receive_command: |read_end, write_end| {
            drop(write_end);
            let mut message = Vec::new();
            File::from(read_end).read_to_end(&mut message)?;
            if message.is_empty() {
                return Ok(Vec::new());
            }
            parse(&message)
        },
        ..SOLUTION
    },
};

/// An empty list to see what the tests say.
pub const NOTHING_RECEIVED: Mistake<Answers> = Mistake {
    name: "nothing_received",
    code: "answer/did-nothing",
    answers: Answers { receive_command: |_, _| Ok(Vec::new()), ..SOLUTION },
};

/// Takes the rest behind the last NUL for an argument where one is missing: of a
/// command that was cut off there, the last word is empty.
pub const AN_EMPTY_WORD_FOR_THE_MISSING: Mistake<Answers> = Mistake {
    name: "an_empty_word_for_the_missing",
    code: "pipe-env/half-command-accepted",
    answers: Answers {
        receive_command: |read_end, write_end| {
            drop(write_end);
            let mut message = Vec::new();
            File::from(read_end).read_to_end(&mut message)?;
            let mut fields = message.split(|byte| *byte == 0);
            let count = fields.next().unwrap_or_default();
            let count: usize = String::from_utf8_lossy(count).parse().map_err(io::Error::other)?;
            let command: Vec<OsString> =
                fields.take(count).map(|it| OsString::from_vec(it.to_vec())).collect();
            if command.len() < count {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            Ok(command)
        },
        ..SOLUTION
    },
};

/// into_raw_fd, and nobody closes the number: the command inherits it.
pub const READ_END_GIVEN_AWAY: Mistake<Answers> = Mistake {
    name: "read_end_given_away",
    code: "pipe-env/read-end-open-in-container",
    answers: Answers {
        receive_command: |read_end, write_end| {
            let copy = read_end.try_clone()?.into_raw_fd();
            assert!(copy > 2, "a descriptor of its own");
            solution::receive_command(read_end, write_end)
        },
        ..SOLUTION
    },
};

/// Takes the descriptor apart with the file only where all is well.
pub const READ_END_LEFT_BY_AN_ERROR: Mistake<Answers> = Mistake {
    name: "read_end_left_by_an_error",
    code: "pipe-env/read-end-open-in-container",
    answers: Answers {
        receive_command: |read_end, write_end| {
            drop(write_end);
            let mut reader = ManuallyDrop::new(File::from(read_end));
            let mut message = Vec::new();
            reader.read_to_end(&mut message)?;
            let command = parse(&message)?;
            drop(ManuallyDrop::into_inner(reader));
            Ok(command)
        },
        ..SOLUTION
    },
};

/// Reads the beginning before it lets go of the write end: from a runtime that was
/// killed at once, there is none.
pub const LET_GO_LATE: Mistake<Answers> = Mistake {
    name: "let_go_late",
    code: "pipe-env/write-end-open-in-container",
    answers: Answers {
        receive_command: |read_end, write_end| {
            let mut pipe = File::from(read_end);
            let mut message = vec![0];
            pipe.read_exact(&mut message)?;
            drop(write_end);
            pipe.read_to_end(&mut message)?;
            parse(&message)
        },
        ..SOLUTION
    },
};

/// More than any command that anybody types: but a shell can write it.
pub const A_MEBIBYTE: Mistake<Answers> = Mistake {
    name: "a_mebibyte",
    code: "pipe-env/fixed-size-buffer",
    answers: Answers {
        receive_command: |read_end, write_end| {
            drop(write_end);
            let mut message = vec![0; 1024 * 1024];
            let mut length = 0;
            let mut pipe = File::from(read_end);
            while length < message.len() {
                match pipe.read(&mut message[length..]) {
                    Ok(0) => break,
                    Ok(count) => length += count,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(error),
                }
            }
            parse(&message[..length])
        },
        ..SOLUTION
    },
};

/// Whatever ends it: what has come is looked at, and that is a command.
pub const ERROR_IS_AN_END: Mistake<Answers> = Mistake {
    name: "error_is_an_end",
    code: "pipe-env/read-error-ignored",
    answers: Answers {
        receive_command: |read_end, write_end| {
            drop(write_end);
            let mut message = Vec::new();
            let read = File::from(read_end).read_to_end(&mut message);
            parse(&message).map_err(|cut_off| read.err().unwrap_or(cut_off))
        },
        ..SOLUTION
    },
};

/// Goes on after a signal while something of the message is missing. When only the end is, a
/// signal is taken for a failure.
pub const NO_SIGNAL_AT_THE_END: Mistake<Answers> = Mistake {
    name: "no_signal_at_the_end",
    code: "pipe-env/interrupted-call",
    answers: Answers {
        receive_command: |read_end, write_end| {
            drop(write_end);
            let mut message = Vec::new();
            let mut buffer = vec![0; 64 * 1024];
            loop {
                match read(&read_end, &mut buffer) {
                    Err(Errno::EINTR) if parse(&message).is_err() => {}
                    Ok(0) => return parse(&message),
                    Ok(length) => message.extend(&buffer[..length]),
                    Err(errno) => return Err(errno.into()),
                }
            }
        },
        ..SOLUTION
    },
};
