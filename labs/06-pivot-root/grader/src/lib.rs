//! What must hold of an answer to lab 06, and how to find out.

mod acts;
mod below;
mod beside;
mod breakout;
mod chroot;
mod failed_pivot;
mod found;
mod kernel_file_systems;
mod odd_names;
mod own_host;
mod own_words;
mod pivot;
mod ways_back;

use labkit::exam::{Exam, Promise};

pub use acts::{ACTS, Answers};

/// The lab.
pub static EXAM: Exam = Exam {
    lab_toml: include_str!("../../lab.toml"),
    promises: &[
        Promise::new("chroot_changes_the_root", chroot::root),
        Promise::new("chroot_changes_the_working_directory", chroot::working_directory),
        Promise::new("a_failed_chroot_is_told", chroot::failure),
        Promise::new("the_breakout_reaches_the_host", chroot::breakout),
        Promise::new("a_failed_breakout_is_told", chroot::failed_breakout),
        Promise::new("new_root_is_the_root", pivot::root),
        Promise::new("the_working_directory_is_inside", pivot::working_directory),
        Promise::new("old_root_is_unreachable", pivot::old_root),
        Promise::new("the_breakout_fails", pivot::breakout),
        Promise::new("the_hosts_mounts_stay", pivot::host_mounts),
        Promise::new("nothing_is_left_in_new_root", pivot::leftovers),
        Promise::new("it_works_a_second_time", pivot::second_time),
        Promise::new("a_failure_is_told", failed_pivot::failure).long(),
        Promise::new("mounts_below_come_along", below::mounts),
        Promise::new("new_root_may_be_relative", below::other_paths),
        Promise::new("proc_is_fresh", kernel_file_systems::proc_is_fresh),
        Promise::new("proc_is_harmless", kernel_file_systems::proc_flags),
        Promise::new("proc_sys_is_read_only", kernel_file_systems::proc_sys_is_read_only),
        Promise::new("dev_is_a_tmpfs", kernel_file_systems::dev_is_a_tmpfs),
        Promise::new("the_devices_work", kernel_file_systems::devices),
        Promise::new("the_path_may_be_relative", kernel_file_systems::other_paths),
        Promise::new("the_image_stays_as_it_is", kernel_file_systems::image_stays),
        Promise::new("a_failed_mount_is_told", kernel_file_systems::failure).long(),
    ],
};

/// What the codes of this lab begin with.
const LAB: &str = "pivot-root";
