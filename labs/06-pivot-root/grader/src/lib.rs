//! What must hold of an answer to lab 06, and how to find out.

mod breakout;
mod chroot;
mod kernel_file_systems;
mod pivot;

use std::io;
use std::path::Path;

use labkit::exam::{Exam, Promise};

/// The functions that the student writes. A mistake is the solution with one of
/// them replaced.
pub struct Answers {
    /// See labs/06-pivot-root/src/lib.rs, as for the others.
    pub enter_with_chroot: fn(&Path) -> io::Result<()>,
    /// Leaves what the first has entered.
    pub break_out_of_chroot: fn() -> io::Result<()>,
    /// What cannot be left.
    pub enter_with_pivot_root: fn(&Path) -> io::Result<()>,
    /// /proc and /dev.
    pub mount_kernel_file_systems: fn(&Path) -> io::Result<()>,
}

/// The lab.
pub static EXAM: Exam<Answers> = Exam {
    lab_toml: include_str!("../../lab.toml"),
    promises: &[
        Promise { name: "chroot_changes_the_root", needs: &[], check: chroot::root },
        Promise {
            name: "chroot_changes_the_working_directory",
            needs: &[],
            check: chroot::working_directory,
        },
        Promise { name: "a_failed_chroot_is_told", needs: &[], check: chroot::failure },
        Promise { name: "the_breakout_reaches_the_host", needs: &[], check: chroot::breakout },
        Promise { name: "new_root_is_the_root", needs: &[], check: pivot::root },
        Promise {
            name: "the_working_directory_is_inside",
            needs: &[],
            check: pivot::working_directory,
        },
        Promise { name: "old_root_is_unreachable", needs: &[], check: pivot::old_root },
        Promise { name: "the_breakout_fails", needs: &[], check: pivot::breakout },
        Promise { name: "the_hosts_mounts_stay", needs: &[], check: pivot::host_mounts },
        Promise { name: "nothing_is_left_in_new_root", needs: &[], check: pivot::leftovers },
        Promise { name: "it_works_a_second_time", needs: &[], check: pivot::second_time },
        Promise { name: "a_failure_is_told", needs: &[], check: pivot::failure },
        Promise { name: "proc_is_fresh", needs: &[], check: kernel_file_systems::proc_is_fresh },
        Promise { name: "proc_is_harmless", needs: &[], check: kernel_file_systems::proc_flags },
        Promise {
            name: "proc_sys_is_read_only",
            needs: &[],
            check: kernel_file_systems::proc_sys_is_read_only,
        },
        Promise { name: "dev_is_a_tmpfs", needs: &[], check: kernel_file_systems::dev_is_a_tmpfs },
        Promise { name: "the_devices_work", needs: &[], check: kernel_file_systems::devices },
        Promise {
            name: "the_image_stays_as_it_is",
            needs: &[],
            check: kernel_file_systems::image_stays,
        },
        Promise { name: "a_failed_mount_is_told", needs: &[], check: kernel_file_systems::failure },
    ],
};

/// The code for what no rule of this lab explains.
const UNFORESEEN: &str = "pivot-root/unforeseen";
