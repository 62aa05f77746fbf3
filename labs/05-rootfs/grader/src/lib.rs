//! What must hold of an answer to lab 05, and how to find out.

mod acts;
mod archive;
mod around;
mod diagnosis;
mod failing;
mod faithful;
mod generated;
mod hostile;
mod killed;
mod listing;
mod named;
mod numbers;
mod outside;
mod reading;
mod repeated;
mod run;

use labkit::exam::{Exam, Promise};
use labkit::need::Need;

pub use acts::{ACTS, Answers};

/// The lab.
pub static EXAM: Exam = Exam {
    lab_toml: include_str!("../../lab.toml"),
    promises: &[
        Promise::new("files_have_their_contents", faithful::contents),
        Promise::new("folders_have_their_modes", faithful::folder_modes),
        Promise::new("files_have_their_modes", faithful::file_modes),
        Promise::new("symbolic_links_stay_links", faithful::symlinks),
        Promise::new("hard_links_are_one_file", faithful::hard_links),
        Promise::new("files_have_their_times", faithful::file_times),
        Promise::new("folders_have_their_times", faithful::folder_times),
        Promise::new("all_have_their_owners", faithful::owners).needing(&[Need::Owners]),
        Promise::new("devices_are_devices", faithful::devices).needing(&[Need::DeviceFiles]),
        Promise::new("fifos_are_fifos", faithful::fifos),
        Promise::new("paths_may_be_relative", faithful::other_paths),
        Promise::new("what_cannot_be_made_is_an_error", hostile::what_cannot_be_made),
        Promise::new("no_name_leads_outside", hostile::names),
        Promise::new("no_symbolic_link_is_followed", hostile::symlinks),
        Promise::new("no_hard_link_leads_outside", hostile::hard_links),
        Promise::new("a_damaged_archive_leaves_nothing", failing::damaged_archive),
        Promise::new("a_failed_call_leaves_nothing", reading::calls_and_reads).long(),
        Promise::new("it_is_unpacked_once", repeated::once),
        Promise::new("a_killed_run_leaves_no_half_layer", killed::no_half).long(),
        Promise::new("the_next_run_makes_it_whole", killed::next_run).long(),
        Promise::new("nothing_is_left_beside_the_layer", faithful::nothing_beside),
        Promise::new("no_other_program_is_started", failing::no_other_program),
        Promise::new("any_archive_is_unpacked", generated::any_archive),
        Promise::new("any_hostile_archive_is_refused", generated::any_hostile_archive),
        Promise::new("busybox_is_whole", faithful::busybox),
    ],
};

/// What the codes of this lab begin with.
const LAB: &str = "rootfs";
