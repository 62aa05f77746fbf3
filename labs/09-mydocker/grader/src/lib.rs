//! What must hold of any `mydocker`, whatever it is written in, and how to find
//! out.
//!
//! The program is run through its command line, as its [`adapter`] says, with an
//! image that contains the graders' own script. What that script finds
//! in the container, and what the host's kernel shows of it meanwhile and
//! afterwards, are the facts; each promise is a predicate over them, and the
//! diagnosis says what is wrong.

pub mod adapter;
mod diagnose;
mod facts;
mod first_process;
mod image;
mod judge;
pub mod later;
mod layers;
mod mount_calls;
mod observe;
mod place;
pub mod program;
pub mod request;
mod running;
mod seen;
mod stages {
    pub mod delete_workspace;
    pub mod layers;
    pub mod pivot_root;
    pub mod rootfs;
    pub mod run;
}
mod trial;

use labkit::need::{Need, Told};
use labkit::programs::{Exam, Promise};

use program::Program;
use stages::{delete_workspace, layers as layers_stage, pivot_root, rootfs, run};

/// A program may join its layers by overlayfs.
const OVERLAY: &[Need] = &[Need::Overlay];

/// The lab.
pub static EXAM: Exam<Program> = Exam {
    lab_toml: include_str!("../../lab.toml"),
    promises: &[
        Promise { name: "the_command_is_process_1", needs: OVERLAY, check: run::process_1 },
        Promise { name: "its_namespaces_are_its_own", needs: OVERLAY, check: run::namespaces },
        Promise { name: "proc_is_its_own", needs: OVERLAY, check: run::proc },
        Promise { name: "the_hosts_mounts_stay", needs: OVERLAY, check: run::host_mounts },
        Promise { name: "the_exit_code_is_passed_on", needs: OVERLAY, check: run::exit_code },
        Promise { name: "death_by_a_signal_is_told", needs: OVERLAY, check: run::signal },
        Promise { name: "arguments_arrive_as_they_are", needs: OVERLAY, check: run::arguments },
        Promise { name: "the_environment_has_a_path", needs: OVERLAY, check: run::environment },
        Promise { name: "the_root_is_the_image", needs: OVERLAY, check: rootfs::root },
        Promise { name: "modes_and_times_are_kept", needs: OVERLAY, check: rootfs::modes },
        Promise { name: "links_stay_links", needs: OVERLAY, check: rootfs::links },
        Promise { name: "the_host_is_out_of_reach", needs: OVERLAY, check: pivot_root::host },
        Promise { name: "the_breakout_fails", needs: OVERLAY, check: pivot_root::breakout },
        Promise {
            name: "the_working_directory_is_inside",
            needs: OVERLAY,
            check: pivot_root::working_directory,
        },
        Promise {
            name: "no_descriptor_is_inherited",
            needs: OVERLAY,
            check: pivot_root::descriptors,
        },
        Promise { name: "the_null_device_is_there", needs: OVERLAY, check: pivot_root::devices },
        Promise {
            name: "a_failed_pivot_runs_nothing",
            needs: OVERLAY,
            check: pivot_root::failed_pivot,
        },
        Promise {
            name: "a_failed_start_runs_nothing",
            needs: OVERLAY,
            check: pivot_root::failed_start,
        },
        Promise {
            name: "what_is_written_is_in_the_write_layer",
            needs: OVERLAY,
            check: layers_stage::written,
        },
        Promise {
            name: "what_is_deleted_is_marked_there",
            needs: OVERLAY,
            check: layers_stage::deleted,
        },
        Promise { name: "the_host_sees_one_tree_at_mnt", needs: OVERLAY, check: layers_stage::mnt },
        Promise { name: "the_image_stays_as_it_is", needs: OVERLAY, check: layers_stage::image },
        Promise {
            name: "nothing_is_left_after_the_end",
            needs: OVERLAY,
            check: delete_workspace::success,
        },
        Promise {
            name: "nothing_is_left_after_a_failure",
            needs: OVERLAY,
            check: delete_workspace::failure,
        },
        Promise {
            name: "the_next_container_begins_afresh",
            needs: OVERLAY,
            check: delete_workspace::next,
        },
        Promise {
            name: "the_volume_keeps_its_files",
            needs: OVERLAY,
            check: delete_workspace::volume,
        },
        Promise {
            name: "a_busy_mount_costs_no_files",
            needs: OVERLAY,
            check: delete_workspace::busy,
        },
        Promise {
            name: "a_kill_is_recovered_from",
            needs: OVERLAY,
            check: delete_workspace::killed,
        },
    ],
};

/// What an adapter must tell so that a promise can be graded.
pub fn must_be_told(promise: &str) -> &'static [Told] {
    match promise {
        "what_is_written_is_in_the_write_layer" | "what_is_deleted_is_marked_there" => {
            &[Told::WriteLayer]
        }
        "the_host_sees_one_tree_at_mnt" => &[Told::Mnt],
        "the_image_stays_as_it_is" => &[Told::Image],
        "the_volume_keeps_its_files" => &[Told::Volume],
        "a_busy_mount_costs_no_files" => &[Told::Mnt, Told::Volume],
        _ => &[],
    }
}

/// What it must also tell before a promise can be called kept. A broken promise may be
/// seen without it.
pub fn must_be_told_to_keep(promise: &str) -> &'static [Told] {
    match promise {
        "nothing_is_left_after_the_end"
        | "nothing_is_left_after_a_failure"
        | "a_busy_mount_costs_no_files"
        | "a_kill_is_recovered_from" => &[Told::WriteLayer],
        _ => &[],
    }
}

/// The code for what no rule of this lab explains.
const UNFORESEEN: &str = "mydocker/unforeseen";
