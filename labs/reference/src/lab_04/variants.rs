//! Answers to lab 04 that are not like the solution: right ones, and wrong ones
//! that no rule foresees.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufReader, Read, Write};
use std::mem::forget;
use std::os::fd::RawFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use lab_04_grader::Answers;
use nix::errno::Errno;
use nix::unistd::close;

use super::{SOLUTION, solution};
use crate::catalogue::Variant;

fn read_number(pipe: &mut impl Read) -> io::Result<u64> {
    let mut bytes = [0; 8];
    pipe.read_exact(&mut bytes)?;
    Ok(u64::from_le_bytes(bytes))
}

/// What keeps every promise.
pub static RIGHT: &[Variant<Answers>] = &[
    // How many arguments there are, and of each its length; written and read bit by
    // bit, and not up to the end.
    Variant {
        name: "lengths_of_64_bits",
        answers: Answers {
            send_command: |read_end, write_end, command| {
                drop(read_end);
                let mut pipe = File::from(write_end);
                pipe.write_all(&(command.len() as u64).to_le_bytes())?;
                for argument in command {
                    pipe.write_all(&(argument.len() as u64).to_le_bytes())?;
                    pipe.write_all(argument.as_bytes())?;
                }
                Ok(())
            },
            receive_command: |read_end, write_end| {
                drop(write_end);
                let mut pipe = BufReader::new(File::from(read_end));
                let mut command = Vec::new();
                for _ in 0..read_number(&mut pipe)? {
                    let mut argument = vec![0; read_number(&mut pipe)? as usize];
                    pipe.read_exact(&mut argument)?;
                    command.push(OsString::from_vec(argument));
                }
                Ok(command)
            },
            ..SOLUTION
        },
    },
    // Where close_range(2) is not known.
    Variant {
        name: "each_that_is_open",
        answers: Answers {
            close_descriptors: || {
                let mut open: Vec<RawFd> = Vec::new();
                for entry in fs::read_dir("/proc/self/fd")? {
                    open.extend(entry?.file_name().to_string_lossy().parse::<RawFd>());
                }
                for number in open.into_iter().filter(|number| *number > 2) {
                    match close(number) {
                        // The folder itself.
                        Ok(()) | Err(Errno::EBADF) => {}
                        Err(errno) => return Err(errno.into()),
                    }
                }
                Ok(())
            },
            ..SOLUTION
        },
    },
    // Nothing is closed before it must be.
    Variant {
        name: "close_on_exec",
        answers: Answers { close_descriptors: mark_close_on_exec, ..SOLUTION },
    },
];

#[allow(unsafe_code)]
fn mark_close_on_exec() -> io::Result<()> {
    let flags = libc::CLOSE_RANGE_CLOEXEC as libc::c_int;
    // SAFETY: nothing is closed yet.
    Errno::result(unsafe { libc::close_range(3, libc::c_uint::MAX, flags) })?;
    Ok(())
}

/// What breaks promises in ways of its own.
pub static UNFORESEEN: &[Variant<Answers>] = &[
    Variant {
        name: "arguments_reversed",
        answers: Answers {
            receive_command: |read_end, write_end| {
                let mut command = solution::receive_command(read_end, write_end)?;
                command.reverse();
                Ok(command)
            },
            ..SOLUTION
        },
    },
    Variant {
        name: "a_variable_of_its_own",
        answers: Answers {
            merge_environment: |image, given, host| {
                let mut environment = solution::merge_environment(image, given, host);
                environment.push("CONTAINER=yes".into());
                environment
            },
            ..SOLUTION
        },
    },
    // In the smallest case, a value is empty afterwards: that alone explains nothing.
    Variant {
        name: "values_trimmed",
        answers: Answers {
            merge_environment: |image, given, host| {
                let mut environment = solution::merge_environment(image, given, host);
                for variable in &mut environment {
                    *variable = OsString::from_vec(variable.as_bytes().trim_ascii().to_vec());
                }
                environment
            },
            ..SOLUTION
        },
    },
    Variant {
        name: "a_descriptor_of_its_own",
        answers: Answers {
            close_descriptors: || {
                solution::close_descriptors()?;
                forget(nix::unistd::dup(io::stderr())?);
                Ok(())
            },
            ..SOLUTION
        },
    },
];
