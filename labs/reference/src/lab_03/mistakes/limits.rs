//! set_limits.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use lab_03_grader::Answers;
use lab_03_grader::group::Group;

use crate::catalogue::Mistake;
use crate::lab_03::SOLUTION;
use crate::lab_03::solution::set_limits;

const fn mistake(
    name: &'static str,
    code: &'static str,
    set_limits: fn(&Group, Option<u64>, Option<u64>) -> io::Result<()>,
) -> Mistake<Answers> {
    Mistake { name, code, answers: Answers { set_limits, ..SOLUTION } }
}

fn is_version_2(group: &Group) -> bool {
    group.memory.join("memory.max").exists()
}

fn or(limit: Option<u64>, none: &str) -> String {
    limit.map_or(none.to_owned(), |limit| limit.to_string())
}

/// The file that takes the limit of memory, and what no limit is there.
fn memory_file(group: &Group) -> (&'static str, &'static str) {
    if is_version_2(group) { ("memory.max", "max") } else { ("memory.limit_in_bytes", "-1") }
}

/// A file in the group that may be missing.
fn write_if_there(file: &Path, value: &str) -> io::Result<()> {
    if file.exists() { fs::write(file, value) } else { Ok(()) }
}

/// memory.limit_in_bytes is the only file that the blog knows: no such file on a
/// host of today.
pub const THE_BLOGS_WAY: Mistake<Answers> =
    mistake("the_blogs_file", "limits/version-1-on-version-2", |group, memory, pids| {
        let file = |name| group.memory.join(name);
        write_if_there(&file("memory.memsw.limit_in_bytes"), "-1")?;
        fs::write(file("memory.limit_in_bytes"), or(memory, "-1"))?;
        write_if_there(&file("memory.memsw.limit_in_bytes"), &or(memory, "-1"))?;
        fs::write(group.pids.join("pids.max"), or(pids, "max"))
    });

/// memory.max is what the documentation of today has.
pub const VERSION_2_ONLY: Mistake<Answers> =
    mistake("memory_max_only", "limits/version-2-on-version-1", |group, memory, pids| {
        let file = |name| group.memory.join(name);
        fs::write(file("memory.max"), or(memory, "max"))?;
        write_if_there(&file("memory.swap.max"), &or(memory.map(|_| 0), "max"))?;
        fs::write(group.pids.join("pids.max"), or(pids, "max"))
    });

/// 16 MiB become 4096 bytes: every process is killed at once.
pub const MEMORY_IN_PAGES: Mistake<Answers> =
    mistake("memory_in_pages", "limits/bytes-and-pages", |group, memory, pids| {
        set_limits(group, memory.map(|bytes| bytes / 4096), pids)
    });

/// `format!("{memory:?}")`: EINVAL, and the value looks right in the log.
pub const WRITTEN_AS_RUST_SHOWS_IT: Mistake<Answers> =
    mistake("written_as_rust_shows_it", "limits/value-not-a-number", |group, memory, pids| {
        set_limits(group, memory, pids)?;
        fs::write(group.memory.join(memory_file(group).0), format!("{memory:?}"))
    });

/// `..` for the folder that create_group was given: every container shares it.
pub const PARENT_LIMITED: Mistake<Answers> =
    mistake("parent_limited", "limits/parent-limited", |group, memory, pids| {
        let parent = |folder: &Path| folder.parent().map(Path::to_owned).unwrap_or_default();
        let parents = Group { memory: parent(&group.memory), pids: parent(&group.pids) };
        set_limits(&parents, memory, pids)
    });

/// `if let Some(bytes) = memory`: a limit that was there stays.
pub const NO_LIMIT_LEFT_OUT: Mistake<Answers> =
    mistake("no_limit_left_out", "limits/no-limit-not-written", |group, memory, pids| {
        if let Some(bytes) = memory {
            let (file, swap) = match is_version_2(group) {
                true => ("memory.swap.max", 0),
                false => ("memory.memsw.limit_in_bytes", bytes),
            };
            write_if_there(&group.memory.join("memory.memsw.limit_in_bytes"), "-1")?;
            fs::write(group.memory.join(memory_file(group).0), bytes.to_string())?;
            write_if_there(&group.memory.join(file), &swap.to_string())?;
        }
        match pids {
            Some(count) => fs::write(group.pids.join("pids.max"), count.to_string()),
            None => Ok(()),
        }
    });

/// The memory takes it for no limit; pids.max says ERANGE.
pub const NO_LIMIT_IS_U64_MAX: Mistake<Answers> =
    mistake("no_limit_is_u64_max", "limits/no-limit-as-a-number", |group, memory, pids| {
        set_limits(group, Some(memory.unwrap_or(u64::MAX)), Some(pids.unwrap_or(u64::MAX)))
    });

/// `max` everywhere: version 1 says EINVAL for it in memory.limit_in_bytes.
pub const MAX_IN_VERSION_1: Mistake<Answers> =
    mistake("max_in_version_1", "limits/max-in-version-1", |group, memory, pids| {
        set_limits(group, memory, pids)?;
        fs::write(group.memory.join(memory_file(group).0), or(memory, "max"))
    });

/// Beyond the limit the container is not killed, but everything becomes slow.
pub const SWAP_FORGOTTEN: Mistake<Answers> =
    mistake("swap_forgotten", "limits/swap-unlimited", |group, memory, pids| {
        let (file, none) = memory_file(group);
        fs::write(group.memory.join(file), or(memory, none))?;
        fs::write(group.pids.join("pids.max"), or(pids, "max"))
    });

/// memory.swap.max does not mean what memory.memsw.limit_in_bytes meant: it is
/// twice as much together.
pub const SWAP_ON_TOP: Mistake<Answers> =
    mistake("swap_on_top", "limits/swap-on-top", |group, memory, pids| {
        set_limits(group, memory, pids)?;
        match is_version_2(group) {
            true => write_if_there(&group.memory.join("memory.swap.max"), &or(memory, "max")),
            false => Ok(()),
        }
    });

/// memory.memsw.limit_in_bytes does not mean what memory.swap.max means, either: 0
/// for both together is less than the memory alone.
pub const NO_SWAP_TOGETHER: Mistake<Answers> =
    mistake("no_swap_together", "limits/swap-alone-in-version-1", |group, memory, pids| {
        set_limits(group, memory, pids)?;
        match is_version_2(group) {
            true => Ok(()),
            false => write_if_there(
                &group.memory.join("memory.memsw.limit_in_bytes"),
                &or(memory.map(|_| 0), "-1"),
            ),
        }
    });

/// The memory first: a limit of version 1 can be set once, and not be raised.
pub const MEMORY_FIRST: Mistake<Answers> =
    mistake("memory_first", "limits/above-memory-and-swap", |group, memory, pids| {
        let (file, none) = memory_file(group);
        fs::write(group.memory.join(file), or(memory, none))?;
        set_limits(group, memory, pids)
    });

/// Memory and swap first: in version 1 a group without limits refuses that.
pub const MEMORY_LAST: Mistake<Answers> =
    mistake("memory_last", "limits/above-memory-and-swap", |group, memory, pids| {
        if !is_version_2(group) {
            let together = group.memory.join("memory.memsw.limit_in_bytes");
            write_if_there(&together, &or(memory, "-1"))?;
        }
        set_limits(group, memory, pids)
    });

/// A kernel without swap accounting, or without swap: no container starts.
pub const SWAP_REQUIRED: Mistake<Answers> =
    mistake("swap_required", "limits/swap-required", |group, memory, pids| {
        set_limits(group, memory, pids)?;
        match is_version_2(group) {
            true => fs::write(group.memory.join("memory.swap.max"), or(memory.map(|_| 0), "max")),
            false => fs::write(group.memory.join("memory.memsw.limit_in_bytes"), or(memory, "-1")),
        }
    });

/// Careful with every file: what is missing is left out, and nobody is told.
pub const ONLY_FILES_THAT_ARE_THERE: Mistake<Answers> = mistake(
    "only_files_that_are_there",
    "limits/missing-controller-ignored",
    |group, memory, pids| match group.memory.join(memory_file(group).0).exists() {
        true => set_limits(group, memory, pids),
        false => write_if_there(&group.pids.join("pids.max"), &or(pids, "max")),
    },
);

/// The blog only logs an error of Apply and Set: the container runs unlimited.
pub const ERRORS_DROPPED: Mistake<Answers> =
    mistake("errors_dropped", "limits/missing-controller-ignored", |group, memory, pids| {
        if let Err(error) = set_limits(group, memory, pids) {
            eprintln!("set limits: {error}");
        }
        Ok(())
    });

/// "Not every kernel has that file": and so no error of it counts.
pub const SWAP_ERROR_DROPPED: Mistake<Answers> =
    mistake("swap_error_dropped", "limits/failed-limit-ignored", |group, memory, pids| {
        fs::write(group.pids.join("pids.max"), or(pids, "max"))?;
        let (file, none) = memory_file(group);
        let both = group.memory.join("memory.memsw.limit_in_bytes");
        let _ = write_if_there(&both, "-1");
        fs::write(group.memory.join(file), or(memory, none))?;
        let _ = match is_version_2(group) {
            true => {
                write_if_there(&group.memory.join("memory.swap.max"), &or(memory.map(|_| 0), none))
            }
            false => write_if_there(&both, &or(memory, none)),
        };
        Ok(())
    });

/// Ok(()) to see what the tests say.
pub const SETS_NOTHING: Mistake<Answers> =
    mistake("sets_nothing", "answer/did-nothing", |_, _, _| Ok(()));

/// What /proc/meminfo and `free` show: everything is killed at once.
pub const MEMORY_IN_KIBIBYTES: Mistake<Answers> =
    mistake("memory_in_kibibytes", "limits/not-in-bytes", |group, memory, pids| {
        set_limits(group, memory.map(|bytes| bytes >> 10), pids)
    });

/// Nothing is killed: the container becomes slower and slower.
pub const SOFT_LIMIT: Mistake<Answers> =
    mistake("soft_limit", "limits/memory-only-slowed-down", |group, memory, pids| {
        let (file, none) = match is_version_2(group) {
            true => ("memory.high", "max"),
            false => ("memory.soft_limit_in_bytes", "-1"),
        };
        fs::write(group.memory.join(file), or(memory, none))?;
        fs::write(group.pids.join("pids.max"), or(pids, "max"))
    });

/// As docker without --memory-swap: as much swap again as memory.
pub const SWAP_AS_DOCKER_HAS_IT: Mistake<Answers> =
    mistake("swap_as_docker_has_it", "limits/more-with-swap", |group, memory, pids| {
        set_limits(group, memory, pids)?;
        let both = memory.map(|bytes| bytes + bytes);
        match is_version_2(group) {
            true => Ok(()),
            false => {
                write_if_there(&group.memory.join("memory.memsw.limit_in_bytes"), &or(both, "-1"))
            }
        }
    });

/// "The first process is the container itself": so one more is allowed.
pub const FIRST_PROCESS_NOT_COUNTED: Mistake<Answers> =
    mistake("first_process_not_counted", "limits/off-by-one", |group, memory, pids| {
        set_limits(group, memory, pids.map(|count| count + 1))
    });

/// The word of the memory of version 1, everywhere.
pub const MINUS_ONE_EVERYWHERE: Mistake<Answers> =
    mistake("minus_one_everywhere", "limits/minus-one-is-no-word", |group, memory, pids| {
        set_limits(group, memory, pids)?;
        fs::write(group.pids.join("pids.max"), or(pids, "-1"))
    });

/// Never any swap, also where nothing is limited.
pub const NEVER_ANY_SWAP: Mistake<Answers> =
    mistake("never_any_swap", "limits/swap-forbidden-without-limit", |group, memory, pids| {
        set_limits(group, memory, pids)?;
        match is_version_2(group) {
            true => write_if_there(&group.memory.join("memory.swap.max"), "0"),
            false => Ok(()),
        }
    });

/// Opens the file for swap to see whether it can be written to, wherever it is not.
pub const SWAP_FILE_OPENED: Mistake<Answers> =
    mistake("swap_file_opened", "limits/swap-required", |group, memory, pids| {
        let name = if is_version_2(group) { "swap.max" } else { "memsw.limit_in_bytes" };
        fs::File::open(group.memory.join(format!("memory.{name}")))?;
        set_limits(group, memory, pids)
    });

/// println! to a terminal does the same, and there nobody sees that it is two writes.
pub const WRITTEN_BY_WRITELN: Mistake<Answers> =
    mistake("written_by_writeln", "limits/written-in-pieces", |group, memory, pids| {
        set_limits(group, memory, pids)?;
        let mut file = fs::OpenOptions::new().write(true).open(group.pids.join("pids.max"))?;
        writeln!(file, "{}", or(pids, "max"))
    });

/// Raising and lowering are thought of; to lift a limit is to raise it.
pub const LIFTED_FROM_BELOW: Mistake<Answers> =
    mistake("lifted_from_below", "limits/above-memory-and-swap", |group, memory, pids| {
        let both = group.memory.join("memory.memsw.limit_in_bytes");
        if memory.is_none() && both.exists() {
            fs::write(group.memory.join("memory.limit_in_bytes"), "-1")?;
            fs::write(both, "-1")?;
        }
        set_limits(group, memory, pids)
    });

/// What other programs mean by 0.
pub const ZERO_IS_NO_LIMIT: Mistake<Answers> =
    mistake("zero_is_no_limit", "limits/zero-taken-for-no-limit", |group, memory, pids| {
        set_limits(group, memory.filter(|bytes| *bytes != 0), pids.filter(|count| *count != 0))
    });

/// `unwrap_or_default()` makes one case of two: of 0 it cannot be told any more what it was.
pub const NONE_BECOMES_ZERO: Mistake<Answers> =
    mistake("none_becomes_zero", "limits/zero-taken-for-no-limit", |group, memory, pids| {
        let bytes = memory.unwrap_or_default();
        set_limits(group, (bytes > 0).then_some(bytes), pids)
    });
