//! Two faults at once in lab 04.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use lab_04_grader::Answers;
use nix::unistd::write;

use super::{SOLUTION, solution};
use crate::catalogue::Pair;

fn split_at_blanks(text: &[u8]) -> Vec<OsString> {
    text.split(|byte| *byte == b' ').map(|word| OsString::from_vec(word.to_vec())).collect()
}

/// See each one's name.
pub static PAIRS: &[Pair<Answers>] = &[
    // The blog's way: the words are joined, and nothing says how many there are.
    Pair {
        name: "joined_and_without_length",
        broken: &[
            ("each_argument_stays_one", "pipe-env/joined-with-blanks"),
            ("every_byte_but_nul_arrives", "pipe-env/joined-with-blanks"),
            ("it_may_come_in_pieces", "pipe-env/joined-with-blanks"),
            ("half_a_command_is_refused", "pipe-env/half-command-accepted"),
            ("an_empty_pipe_is_refused", "pipe-env/empty-pipe-accepted"),
            ("any_command_arrives", "pipe-env/joined-with-blanks"),
        ],
        answers: Answers {
            send_command: |read_end, write_end, command| {
                drop(read_end);
                File::from(write_end).write_all(command.join(OsStr::new(" ")).as_bytes())
            },
            receive_command: |read_end, write_end| {
                drop(write_end);
                let mut message = Vec::new();
                File::from(read_end).read_to_end(&mut message)?;
                Ok(split_at_blanks(&message))
            },
            ..SOLUTION
        },
    },
    Pair {
        name: "joined_and_unwrapped",
        broken: &[
            ("each_argument_stays_one", "pipe-env/joined-with-blanks"),
            ("every_byte_but_nul_arrives", "answer/panicked"),
            ("it_may_come_in_pieces", "pipe-env/joined-with-blanks"),
            ("any_command_arrives", "pipe-env/joined-with-blanks"),
        ],
        answers: Answers {
            send_command: |read_end, write_end, command| {
                let words: Vec<&str> = command.iter().map(|word| word.to_str().unwrap()).collect();
                solution::send_command(read_end, write_end, &[words.join(" ").into()])
            },
            receive_command: |read_end, write_end| {
                let text = solution::receive_command(read_end, write_end)?.join(OsStr::new(""));
                Ok(split_at_blanks(text.as_bytes()))
            },
            ..SOLUTION
        },
    },
    Pair {
        name: "one_write_and_read_end_left_open",
        broken: &[
            ("a_dead_reader_is_told", "pipe-env/read-end-open-in-parent"),
            ("a_signal_cuts_nothing_off", "pipe-env/short-write"),
        ],
        answers: Answers {
            send_command: |_read_end, write_end, command| {
                let mut message = format!("{}\0", command.len()).into_bytes();
                for argument in command {
                    message.extend(argument.as_bytes());
                    message.push(0);
                }
                write(write_end, &message)?;
                Ok(())
            },
            ..SOLUTION
        },
    },
    Pair {
        name: "strict_utf8_and_one_page",
        broken: &[
            ("every_byte_but_nul_arrives", "pipe-env/only-utf8"),
            ("large_commands_arrive", "pipe-env/fixed-size-buffer"),
            ("any_command_arrives", "pipe-env/only-utf8"),
        ],
        answers: Answers {
            receive_command: |read_end, write_end| {
                drop(write_end);
                let mut text = String::new();
                File::from(read_end).take(4096).read_to_string(&mut text)?;
                let fields: Vec<&str> = text.split('\0').collect();
                match fields.as_slice() {
                    [count, words @ .., ""] if *count == words.len().to_string() => {
                        Ok(words.iter().map(OsString::from).collect())
                    }
                    _ => Err(io::ErrorKind::UnexpectedEof.into()),
                }
            },
            ..SOLUTION
        },
    },
    Pair {
        name: "unset_is_empty_and_sorted",
        broken: &[
            ("a_name_alone_takes_the_hosts_value", "pipe-env/unset-becomes-empty"),
            ("the_order_stays", "pipe-env/order-lost"),
            ("any_environment_is_merged", "pipe-env/order-lost"),
        ],
        answers: Answers {
            merge_environment: |image, given, host| {
                let mut given = given.to_vec();
                for variable in &mut given {
                    let is_set = |(name, _): &(OsString, OsString)| name == variable;
                    if !variable.as_bytes().contains(&b'=') && !host.iter().any(is_set) {
                        variable.push("=");
                    }
                }
                let mut environment = solution::merge_environment(image, &given, host);
                environment.sort();
                environment
            },
            ..SOLUTION
        },
    },
];
