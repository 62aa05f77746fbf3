//! Commands written down in a way that cannot be read again.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use lab_04_grader::Answers;

use crate::catalogue::Mistake;
use crate::lab_04::SOLUTION;

/// Writes a text of which the reader will know whether it is whole.
fn write_text(read_end: OwnedFd, write_end: OwnedFd, text: &OsStr) -> io::Result<()> {
    let length = text.len().to_string();
    write_all(read_end, write_end, &[length.as_bytes(), b"\n", text.as_bytes()].concat())
}

fn read_text(read_end: OwnedFd, write_end: OwnedFd) -> io::Result<Vec<u8>> {
    let message = read_all(read_end, write_end)?;
    let end = message.iter().position(|byte| *byte == b'\n').ok_or_else(cut_off)?;
    let text = message[end + 1..].to_vec();
    if text.len().to_string().as_bytes() == &message[..end] { Ok(text) } else { Err(cut_off()) }
}

fn write_all(read_end: OwnedFd, write_end: OwnedFd, message: &[u8]) -> io::Result<()> {
    drop(read_end);
    File::from(write_end).write_all(message)
}

fn read_all(read_end: OwnedFd, write_end: OwnedFd) -> io::Result<Vec<u8>> {
    drop(write_end);
    let mut message = Vec::new();
    File::from(read_end).read_to_end(&mut message)?;
    Ok(message)
}

fn arguments<'a>(parts: impl Iterator<Item = &'a [u8]>) -> Vec<OsString> {
    parts.map(|part| OsString::from_vec(part.to_vec())).collect()
}

fn cut_off() -> io::Error {
    io::ErrorKind::UnexpectedEof.into()
}

/// The blog's separator: strings.Join(command, " ") and strings.Split(message, " "). The
/// script of `sh -c` falls into its words.
pub const JOINED_WITH_BLANKS: Mistake<Answers> = Mistake {
    name: "joined_with_blanks",
    code: "pipe-env/joined-with-blanks",
    answers: Answers {
        send_command: |read_end, write_end, command| {
            write_text(read_end, write_end, &command.join(OsStr::new(" ")))
        },
        receive_command: |read_end, write_end| {
            Ok(arguments(read_text(read_end, write_end)?.split(|byte| *byte == b' ')))
        },
        ..SOLUTION
    },
};

/// The same with strings.Fields: several blanks become one, too, and lines are
/// joined.
pub const SPLIT_AS_A_SHELL_DOES: Mistake<Answers> = Mistake {
    name: "split_as_a_shell_does",
    code: "pipe-env/joined-with-blanks",
    answers: Answers {
        send_command: JOINED_WITH_BLANKS.answers.send_command,
        receive_command: |read_end, write_end| {
            let message = read_text(read_end, write_end)?;
            let words = message.split(u8::is_ascii_whitespace);
            Ok(arguments(words.filter(|word| !word.is_empty())))
        },
        ..SOLUTION
    },
};

/// One argument a line, until one has two lines.
pub const A_LINE_EACH: Mistake<Answers> = Mistake {
    name: "a_line_each",
    code: "pipe-env/joined-with-a-character",
    answers: Answers {
        send_command: |read_end, write_end, command| {
            write_text(read_end, write_end, &command.join(OsStr::new("\n")))
        },
        receive_command: |read_end, write_end| {
            Ok(arguments(read_text(read_end, write_end)?.split(|byte| *byte == b'\n')))
        },
        ..SOLUTION
    },
};

/// A character that nobody uses, until somebody does: ASCII's unit separator.
pub const UNIT_SEPARATORS: Mistake<Answers> = Mistake {
    name: "unit_separators",
    code: "pipe-env/joined-with-a-character",
    answers: Answers {
        send_command: |read_end, write_end, command| {
            write_text(read_end, write_end, &command.join(OsStr::new("\x1f")))
        },
        receive_command: |read_end, write_end| {
            Ok(arguments(read_text(read_end, write_end)?.split(|byte| *byte == 0x1f)))
        },
        ..SOLUTION
    },
};

/// A NUL after each argument, as in /proc/PID/cmdline: when the runtime is killed
/// while it writes, `rm -rf / tmp/x` may lose its end.
pub const NUL_WITHOUT_COUNT: Mistake<Answers> = Mistake {
    name: "nul_without_count",
    code: "pipe-env/half-command-accepted",
    answers: Answers {
        send_command: |read_end, write_end, command| {
            let mut message = command.join(OsStr::new("\0")).into_vec();
            message.push(0);
            write_all(read_end, write_end, &message)
        },
        receive_command: |read_end, write_end| {
            let mut message = read_all(read_end, write_end)?;
            if message.pop() != Some(0) {
                return Err(cut_off());
            }
            Ok(arguments(message.split(|byte| *byte == 0)))
        },
        ..SOLUTION
    },
};

/// An empty string after the last, as at the end of a list of strings in memory:
/// where an argument is empty, the command seems to end there.
pub const TWO_NULS_AT_THE_END: Mistake<Answers> = Mistake {
    name: "two_nuls_at_the_end",
    code: "pipe-env/half-command-accepted",
    answers: Answers {
        send_command: |read_end, write_end, command| {
            let mut message = command.join(OsStr::new("\0")).into_vec();
            message.extend(b"\0\0");
            write_all(read_end, write_end, &message)
        },
        receive_command: |read_end, write_end| {
            let message = read_all(read_end, write_end)?;
            let command = message.strip_suffix(b"\0\0").ok_or_else(cut_off)?;
            Ok(arguments(command.split(|byte| *byte == 0)))
        },
        ..SOLUTION
    },
};

/// A length in two bytes before each argument: 64 KiB must be enough.
pub const LENGTHS_OF_16_BITS: Mistake<Answers> = Mistake {
    name: "lengths_of_16_bits",
    code: "pipe-env/length-too-small",
    answers: Answers {
        send_command: |read_end, write_end, command| {
            let mut message = (command.len() as u32).to_le_bytes().to_vec();
            for argument in command {
                message.extend((argument.len() as u16).to_le_bytes());
                message.extend(argument.as_bytes());
            }
            write_all(read_end, write_end, &message)
        },
        receive_command: |read_end, write_end| {
            let message = read_all(read_end, write_end)?;
            let (count, mut rest) = message.split_first_chunk().ok_or_else(cut_off)?;
            let mut command = Vec::new();
            for _ in 0..u32::from_le_bytes(*count) {
                let (length, after) = rest.split_first_chunk().ok_or_else(cut_off)?;
                let length = u16::from_le_bytes(*length).into();
                let (argument, after) = after.split_at_checked(length).ok_or_else(cut_off)?;
                command.push(OsString::from_vec(argument.to_vec()));
                rest = after;
            }
            Ok(command)
        },
        ..SOLUTION
    },
};

/// Nobody has more arguments than that, until `*` stands for the files of a folder.
pub const COUNT_OF_16_BITS: Mistake<Answers> = Mistake {
    name: "count_of_16_bits",
    code: "pipe-env/length-too-small",
    answers: Answers {
        send_command: |read_end, write_end, command| {
            let mut message = (command.len() as u16).to_le_bytes().to_vec();
            for argument in command {
                message.extend(argument.as_bytes());
                message.push(0);
            }
            write_all(read_end, write_end, &message)
        },
        receive_command: |read_end, write_end| {
            let message = read_all(read_end, write_end)?;
            let (count, rest) = message.split_first_chunk().ok_or_else(cut_off)?;
            let count = u16::from_le_bytes(*count).into();
            let ended = rest.split_inclusive(|byte| *byte == 0).take(count);
            let command: Option<Vec<&[u8]>> = ended.map(|it| it.strip_suffix(b"\0")).collect();
            let command = command.filter(|it| it.len() == count).ok_or_else(cut_off)?;
            Ok(arguments(command.into_iter()))
        },
        ..SOLUTION
    },
};

/// A line each, with line ends in an argument written as `\\n`: and who has typed `\\n`
/// gets a line end.
pub const LINES_WITH_ESCAPES: Mistake<Answers> = Mistake {
    name: "lines_with_escapes",
    code: "pipe-env/byte-with-a-meaning",
    answers: Answers {
        send_command: |read_end, write_end, command| {
            let mut message = format!("{}\n", command.len()).into_bytes();
            for argument in command {
                for byte in argument.as_bytes() {
                    match byte {
                        b'\n' => message.extend(b"\\n"),
                        byte => message.push(*byte),
                    }
                }
                message.push(b'\n');
            }
            write_all(read_end, write_end, &message)
        },
        receive_command: |read_end, write_end| {
            let message = read_all(read_end, write_end)?;
            let lines: Vec<&[u8]> = message.split(|byte| *byte == b'\n').collect();
            let [count, lines @ .., b""] = lines.as_slice() else { return Err(cut_off()) };
            if lines.len().to_string().as_bytes() != *count {
                return Err(cut_off());
            }
            let argument = |line: &&[u8]| {
                let parts: Vec<Vec<u8>> = split_at(line, b"\\n");
                OsString::from_vec(parts.join(&b'\n'))
            };
            Ok(lines.iter().map(argument).collect())
        },
        ..SOLUTION
    },
};

fn split_at(bytes: &[u8], separator: &[u8]) -> Vec<Vec<u8>> {
    let mut parts = vec![Vec::new()];
    let mut rest = bytes;
    while let Some((first, after)) = rest.split_first() {
        match rest.strip_prefix(separator) {
            Some(after) => {
                parts.push(Vec::new());
                rest = after;
            }
            None => {
                parts.last_mut().expect("never empty").push(*first);
                rest = after;
            }
        }
    }
    parts
}

/// The count in two digits of base 16, as there were never more than a few.
pub const COUNT_OF_TWO_DIGITS: Mistake<Answers> = {
    fn digits(count: usize) -> String {
        format!("{:02x}", count % 256)
    }
    Mistake {
        name: "count_of_two_digits",
        code: "pipe-env/half-command-accepted",
        answers: Answers {
            send_command: |read_end, write_end, command| {
                let mut message = digits(command.len()).into_bytes();
                for argument in command {
                    message.extend(argument.as_bytes());
                    message.push(0);
                }
                write_all(read_end, write_end, &message)
            },
            receive_command: |read_end, write_end| {
                let message = read_all(read_end, write_end)?;
                let (count, rest) = message.split_at_checked(2).ok_or_else(cut_off)?;
                let rest = rest.strip_suffix(&[0]).ok_or_else(cut_off)?;
                let command = arguments(rest.split(|byte| *byte == 0));
                let is_whole = digits(command.len()).as_bytes() == count;
                if is_whole { Ok(command) } else { Err(cut_off()) }
            },
            ..SOLUTION
        },
    }
};
