//! Two faults at once in lab 03.

use std::fs;
use std::io;

use lab_03_grader::Answers;
use lab_03_grader::group::Group;

use super::{SOLUTION, solution};
use crate::catalogue::Pair;

/// See each one's name.
pub static PAIRS: &[Pair<Answers>] = &[
    Pair {
        name: "units_of_a_thousand_unchecked",
        broken: &[
            ("sizes_are_in_bytes", "limits/units-of-a-thousand"),
            ("what_is_no_size_is_refused", "limits/units-of-a-thousand"),
        ],
        answers: Answers {
            parse_size: |text| {
                let digits = text.strip_suffix(['g', 'G']).unwrap_or(text);
                match digits.parse::<u64>() {
                    Ok(number) if digits != text && !text.starts_with('+') => {
                        let bytes = number.checked_mul(1_000_000_000);
                        Ok(Some(bytes.ok_or(io::ErrorKind::InvalidInput)?))
                    }
                    _ => solution::parse_size(text),
                }
            },
            ..SOLUTION
        },
    },
    // create_dir_all finds what is there good, and makes what is not.
    Pair {
        name: "create_dir_all_and_nothing_handed_on",
        broken: &[
            ("a_group_of_version_2_has_one_folder", "limits/controllers-not-handed-on"),
            ("a_name_that_is_taken_is_an_error", "limits/group-of-another-taken"),
            ("a_missing_controller_is_an_error", "limits/controller-made-up"),
            ("a_new_group_can_limit", "limits/controllers-not-handed-on"),
        ],
        answers: Answers {
            create_group: |root, name| {
                let group = match root.join("cgroup.controllers").exists() {
                    true => Group { memory: root.join(name), pids: root.join(name) },
                    false => Group {
                        memory: root.join("memory").join(name),
                        pids: root.join("pids").join(name),
                    },
                };
                fs::create_dir_all(&group.memory)?;
                fs::create_dir_all(&group.pids)?;
                Ok(group)
            },
            ..SOLUTION
        },
    },
    Pair {
        name: "begun_first_and_memory_only",
        broken: &[
            ("it_begins_within_its_limits", "limits/begun-first"),
            ("it_does_not_begin_without_limits", "limits/begun-first"),
            ("it_does_not_begin_outside_of_the_group", "limits/begun-first"),
            ("a_process_that_is_gone_is_an_error", "limits/begun-first"),
            ("the_kernel_limits_it_when_it_begins", "limits/begun-first"),
        ],
        answers: Answers {
            start_limited: |group, memory, pids, process| {
                let pid = process.pid().to_string();
                process.begin()?;
                solution::set_limits(group, memory, pids)?;
                fs::write(group.memory.join("cgroup.procs"), pid)
            },
            ..SOLUTION
        },
    },
    Pair {
        name: "too_little_together_and_errors_dropped",
        broken: &[
            ("limits_are_written_in_version_1", "limits/swap-alone-in-version-1"),
            ("no_limit_is_written_too", "limits/swap-alone-in-version-1"),
            ("swap_need_not_be_counted", "limits/swap-alone-in-version-1"),
            ("a_limit_that_cannot_be_set_is_an_error", "limits/missing-controller-ignored"),
            ("memory_is_never_above_memory_and_swap", "limits/swap-alone-in-version-1"),
            ("limits_can_be_changed", "limits/swap-alone-in-version-1"),
            ("too_much_memory_is_death", "limits/swap-alone-in-version-1"),
            ("one_process_too_many_is_refused", "limits/swap-alone-in-version-1"),
        ],
        answers: Answers {
            set_limits: |group, memory, pids| {
                if let Err(error) = solution::set_limits(group, memory, pids) {
                    eprintln!("set limits: {error}");
                }
                let both = group.memory.join("memory.memsw.limit_in_bytes");
                if both.exists() && memory.is_some() {
                    let _ = fs::write(both, "0");
                }
                Ok(())
            },
            ..SOLUTION
        },
    },
];
