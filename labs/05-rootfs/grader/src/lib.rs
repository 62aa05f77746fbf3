//! What must hold of an answer to lab 05, and how to find out.

mod archive;
mod damage;
mod diagnosis;
mod faithful;
mod hostile;
mod killed;
mod listing;
mod outside;
mod repeated;
mod run;

use std::io;
use std::path::Path;

use labkit::exam::{Exam, Promise};
use labkit::need::Need;

/// The function that the student writes.
pub struct Answers {
    /// See labs/05-rootfs/src/lib.rs.
    pub create_read_only_layer: fn(&Path, &Path) -> io::Result<()>,
}

/// The lab.
pub static EXAM: Exam<Answers> = Exam {
    lab_toml: include_str!("../../lab.toml"),
    promises: &[
        Promise { name: "files_have_their_contents", needs: &[], check: faithful::contents },
        Promise { name: "folders_have_their_modes", needs: &[], check: faithful::folder_modes },
        Promise { name: "files_have_their_modes", needs: &[], check: faithful::file_modes },
        Promise { name: "symbolic_links_stay_links", needs: &[], check: faithful::symlinks },
        Promise { name: "hard_links_are_one_file", needs: &[], check: faithful::hard_links },
        Promise { name: "files_have_their_times", needs: &[], check: faithful::file_times },
        Promise { name: "folders_have_their_times", needs: &[], check: faithful::folder_times },
        Promise { name: "all_have_their_owners", needs: &[Need::Owners], check: faithful::owners },
        Promise {
            name: "devices_are_devices",
            needs: &[Need::DeviceFiles],
            check: faithful::devices,
        },
        Promise {
            name: "what_cannot_be_made_is_an_error",
            needs: &[],
            check: hostile::forbidden_device,
        },
        Promise { name: "no_name_leads_outside", needs: &[], check: hostile::names },
        Promise { name: "no_symbolic_link_is_followed", needs: &[], check: hostile::symlinks },
        Promise { name: "no_hard_link_leads_outside", needs: &[], check: hostile::hard_links },
        Promise { name: "a_damaged_archive_leaves_nothing", needs: &[], check: damage::check },
        Promise { name: "it_is_unpacked_once", needs: &[], check: repeated::check },
        Promise { name: "a_killed_run_leaves_no_half_layer", needs: &[], check: killed::no_half },
        Promise { name: "the_next_run_makes_it_whole", needs: &[], check: killed::next_run },
        Promise { name: "busybox_is_whole", needs: &[], check: faithful::busybox },
    ],
};

const FUNCTION: &str = "create_read_only_layer";

/// The code for what no rule of this lab explains.
const UNFORESEEN: &str = "rootfs/unforeseen";
