//! What people get wrong in close_descriptors.

use std::fs;
use std::io;
use std::os::fd::{AsRawFd, RawFd};

use lab_04_grader::Answers;
use nix::errno::Errno;
use nix::sys::resource::{Resource, getrlimit};
use nix::unistd::{SysconfVar, close, sysconf};

use crate::catalogue::Mistake;
use crate::lab_04::SOLUTION;

/// What is open, and where it leads; of these the folder that was read for it is
/// closed already.
fn open() -> io::Result<Vec<(RawFd, String)>> {
    let mut all = Vec::new();
    for entry in fs::read_dir("/proc/self/fd")? {
        let entry = entry?;
        let number = entry.file_name().to_string_lossy().parse().expect("a number");
        all.push((number, fs::read_link(entry.path())?.to_string_lossy().into_owned()));
    }
    Ok(all)
}

/// Closes them, whatever comes of that.
fn close_each(numbers: impl IntoIterator<Item = RawFd>) -> io::Result<()> {
    for number in numbers {
        let _ = close(number);
    }
    Ok(())
}

/// "Nobody has more than ten files open": fchdir(57) still leads to the host.
pub const THREE_TO_TEN: Mistake<Answers> = Mistake {
    name: "three_to_ten",
    code: "pipe-env/only-low-numbers",
    answers: Answers { close_descriptors: || close_each(3..=10), ..SOLUTION },
};

/// Counts what is open and takes the count for the highest number.
pub const AS_MANY_AS_THERE_ARE: Mistake<Answers> = Mistake {
    name: "as_many_as_there_are",
    code: "pipe-env/only-low-numbers",
    answers: Answers {
        close_descriptors: || {
            let count = open()?.len() as RawFd;
            close_each(3..count)
        },
        ..SOLUTION
    },
};

/// 1024 is the limit that a shell begins with; nobody says that it stays so.
pub const UP_TO_1023: Mistake<Answers> = Mistake {
    name: "up_to_1023",
    code: "pipe-env/only-low-numbers",
    answers: Answers { close_descriptors: || close_each(3..1024), ..SOLUTION },
};

/// sysconf(_SC_OPEN_MAX) is what may be opened now; what was opened before stays.
pub const UP_TO_THE_LIMIT: Mistake<Answers> = Mistake {
    name: "up_to_the_limit",
    code: "pipe-env/only-below-the-limit",
    answers: Answers {
        close_descriptors: || {
            let limit = sysconf(SysconfVar::OPEN_MAX)?.unwrap_or(1024);
            close_each(3..limit as RawFd)
        },
        ..SOLUTION
    },
};

/// The hard limit cannot be raised, so nothing can be above it, can it? It has been lowered
/// since.
pub const UP_TO_THE_HARD_LIMIT: Mistake<Answers> = Mistake {
    name: "up_to_the_hard_limit",
    code: "pipe-env/only-below-the-hard-limit",
    answers: Answers {
        close_descriptors: || {
            let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
            close_each(3..RawFd::try_from(hard).unwrap_or(RawFd::MAX))
        },
        ..SOLUTION
    },
};

/// Goes on while there is something to close: the first number that is free ends
/// it.
pub const UNTIL_NONE_IS_OPEN: Mistake<Answers> = Mistake {
    name: "until_none_is_open",
    code: "pipe-env/stops-at-the-first-gap",
    answers: Answers {
        close_descriptors: || {
            let mut number = 3;
            while close(number).is_ok() {
                number += 1;
            }
            Ok(())
        },
        ..SOLUTION
    },
};

/// A `?` behind each close: a number that is free is no failure here.
pub const EACH_MUST_BE_OPEN: Mistake<Answers> = Mistake {
    name: "each_must_be_open",
    code: "pipe-env/ebadf-taken-for-a-failure",
    answers: Answers {
        close_descriptors: || {
            for number in 3..1024 {
                close(number)?;
            }
            Ok(())
        },
        ..SOLUTION
    },
};

/// The folder /proc/self/fd is open while it is read, and lists itself; by the time
/// of the close it is closed.
pub const ITS_OWN_FOLDER: Mistake<Answers> = Mistake {
    name: "its_own_folder",
    code: "pipe-env/ebadf-taken-for-a-failure",
    answers: Answers {
        close_descriptors: || {
            for (number, _) in open()?.into_iter().filter(|(number, _)| *number > 2) {
                close(number)?;
            }
            Ok(())
        },
        ..SOLUTION
    },
};

/// Closes while it reads: one of the numbers is that of the list itself, and std
/// panics when it is to be closed once more.
pub const THE_LIST_ITSELF: Mistake<Answers> = Mistake {
    name: "the_list_itself",
    code: "pipe-env/closed-what-it-reads",
    answers: Answers {
        close_descriptors: || {
            for entry in fs::read_dir("/proc/self/fd")? {
                let number: RawFd =
                    entry?.file_name().to_string_lossy().parse().unwrap_or_default();
                if number > 2 {
                    let _ = close(number);
                }
            }
            Ok(())
        },
        ..SOLUTION
    },
};

/// From 0: the command has no terminal, and the first file that it opens becomes
/// its standard input.
pub const ALL_OF_THEM: Mistake<Answers> = Mistake {
    name: "all_of_them",
    code: "pipe-env/standard-descriptors-closed",
    answers: Answers {
        close_descriptors: || {
            for (number, _) in open()? {
                match close(number) {
                    Ok(()) | Err(Errno::EBADF) => {}
                    Err(errno) => return Err(errno.into()),
                }
            }
            Ok(())
        },
        ..SOLUTION
    },
};

/// Closes what it has made itself, and forgets what the caller had open.
pub const ONLY_PIPES: Mistake<Answers> = Mistake {
    name: "only_pipes",
    code: "pipe-env/only-what-it-knows",
    answers: Answers {
        close_descriptors: || {
            let pipes = open()?.into_iter().filter(|(_, link)| link.starts_with("pipe:"));
            close_each(pipes.map(|(number, _)| number))
        },
        ..SOLUTION
    },
};

/// Relies on close-on-exec, which only what it has opened itself has.
pub const NONE_CLOSED: Mistake<Answers> = Mistake {
    name: "none_closed",
    code: "answer/did-nothing",
    answers: Answers { close_descriptors: || Ok(()), ..SOLUTION },
};

/// Makes the call, and does not listen to what it says.
pub const CALL_ERROR_IGNORED: Mistake<Answers> = Mistake {
    name: "call_error_ignored",
    code: "pipe-env/close-error-ignored",
    answers: Answers { close_descriptors: close_without_a_look, ..SOLUTION },
};

#[allow(unsafe_code)]
fn close_without_a_look() -> io::Result<()> {
    // SAFETY: nothing in this process uses them afterwards.
    unsafe { libc::close_range(3, libc::c_uint::MAX, 0) };
    Ok(())
}

/// Turns the flag over where it should set it.
pub const FLAG_TURNED_OVER: Mistake<Answers> = Mistake {
    name: "flag_turned_over",
    code: "pipe-env/close-on-exec-taken-away",
    answers: Answers { close_descriptors: turn_over, ..SOLUTION },
};

#[allow(unsafe_code)]
fn turn_over() -> io::Result<()> {
    for (number, _) in open()?.into_iter().filter(|(number, _)| *number > 2) {
        // SAFETY: both calls take numbers only.
        unsafe {
            let flags = libc::fcntl(number, libc::F_GETFD);
            libc::fcntl(number, libc::F_SETFD, flags ^ libc::FD_CLOEXEC);
        }
    }
    Ok(())
}

/// `..` does not include its end.
pub const BELOW_THE_HIGHEST: Mistake<Answers> = Mistake {
    name: "below_the_highest",
    code: "pipe-env/highest-left",
    answers: Answers {
        close_descriptors: || {
            let highest = open()?.into_iter().map(|(number, _)| number).max().unwrap_or(2);
            close_each(3..highest)
        },
        ..SOLUTION
    },
};

/// So that the list is not closed while it is read: but others may have /proc open, too.
pub const WHAT_IS_IN_PROC_SPARED: Mistake<Answers> = Mistake {
    name: "what_is_in_proc_spared",
    code: "pipe-env/taken-for-its-own-list",
    answers: Answers {
        close_descriptors: || {
            let others = open()?.into_iter().filter(|(_, link)| !link.starts_with("/proc/"));
            close_each(others.map(|(number, _)| number).filter(|number| *number > 2))
        },
        ..SOLUTION
    },
};

/// The same with the list's own path: that can be open twice.
pub const EVERY_LIST_SPARED: Mistake<Answers> = Mistake {
    name: "every_list_spared",
    code: "pipe-env/taken-for-its-own-list",
    answers: Answers {
        close_descriptors: || {
            let others = open()?.into_iter().filter(|(_, link)| !link.ends_with("/fd"));
            close_each(others.map(|(number, _)| number).filter(|number| *number > 2))
        },
        ..SOLUTION
    },
};

/// Closes what it is told of; that it was not told of all is an entry like any other.
pub const LIST_UNTIL_AN_ERROR: Mistake<Answers> = Mistake {
    name: "list_until_an_error",
    code: "pipe-env/close-error-ignored",
    answers: Answers {
        close_descriptors: || {
            let entries = fs::read_dir("/proc/self/fd")?.map_while(Result::ok);
            let names: Vec<_> = entries.map(|entry| entry.file_name()).collect();
            let numbers = names.iter().filter_map(|name| name.to_str()?.parse().ok());
            close_each(numbers.filter(|number| *number > 2))
        },
        ..SOLUTION
    },
};

/// Asks for the list once. What does not fit into the buffer comes with the next call.
pub const ONE_BUFFER_OF_THE_LIST: Mistake<Answers> = Mistake {
    name: "one_buffer_of_the_list",
    code: "pipe-env/too-many-to-list",
    answers: Answers {
        close_descriptors: || {
            let numbers = beginning_of_the_list()?;
            close_each(numbers.into_iter().filter(|number| *number > 2))
        },
        ..SOLUTION
    },
};

/// Where a record of getdents64(2) has its length, and where its name begins.
const LENGTH: usize = 16;
const NAME: usize = 19;

#[allow(unsafe_code)]
fn beginning_of_the_list() -> io::Result<Vec<RawFd>> {
    let list = fs::File::open("/proc/self/fd")?;
    let mut buffer = [0_u8; 8192];
    // SAFETY: the kernel writes no more than the buffer holds.
    let length = unsafe {
        let (at, size) = (buffer.as_mut_ptr(), buffer.len());
        libc::syscall(libc::SYS_getdents64, list.as_raw_fd(), at, size)
    };
    let length = usize::try_from(length).map_err(|_| io::Error::last_os_error())?;
    let mut rest = &buffer[..length];
    let mut numbers = Vec::new();
    while rest.len() > NAME {
        let (record, after) =
            rest.split_at(u16::from_ne_bytes([rest[LENGTH], rest[LENGTH + 1]]).into());
        let name = record[NAME..].split(|byte| *byte == 0).next().unwrap_or_default();
        numbers.extend(String::from_utf8_lossy(name).parse::<RawFd>());
        rest = after;
    }
    Ok(numbers)
}
