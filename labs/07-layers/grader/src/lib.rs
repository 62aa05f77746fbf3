//! What must hold of an answer to lab 07, and how to find out.

mod aufs_options;
mod hidden_name;
mod init_layer;
mod layer;
mod mount_point;
mod overlay;
mod overlay_options;
mod predictions;
mod whiteouts_to_aufs;
mod whiteouts_to_overlay;
mod write_layer;

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::Path;

use labkit::exam::{Exam, Promise};
use labkit::need::Need::{Aufs, Overlay};
use labkit::verdict::Finding;

/// The functions that the student writes. A mistake is the solution with one of
/// them replaced.
pub struct Answers {
    /// See labs/07-layers/src/lib.rs, as for the others.
    pub overlay_options: fn(&[&Path], &Path, &Path, bool) -> OsString,
    /// The same for AUFS.
    pub aufs_options: fn(&Path, &[&Path]) -> io::Result<OsString>,
    /// What `.wh.NAME` hides.
    pub hidden_name: fn(&OsStr) -> Option<&OsStr>,
    /// From `.wh.` names to overlayfs's marks.
    pub whiteouts_to_overlay: fn(&Path, bool) -> io::Result<()>,
    /// The way back.
    pub whiteouts_to_aufs: fn(&Path, bool) -> io::Result<()>,
    /// The container's own /etc/hosts and the like.
    pub create_init_layer: fn(&Path, &Path, &str) -> io::Result<()>,
    /// What the container will write.
    pub create_write_layer: fn(&Path) -> io::Result<()>,
    /// All layers as one tree.
    pub create_mount_point: fn(&Path, &Path, bool) -> io::Result<()>,
    /// The same with AUFS.
    pub create_aufs_mount_point: fn(&Path, &Path) -> io::Result<()>,
    /// The text of predictions.toml.
    pub predictions: &'static str,
}

/// The lab.
pub static EXAM: Exam<Answers> = Exam {
    lab_toml: include_str!("../../lab.toml"),
    promises: &[
        Promise {
            name: "each_layer_is_in_its_place",
            needs: &[],
            check: overlay_options::each_layer_is_in_its_place,
        },
        Promise {
            name: "any_path_can_be_an_option",
            needs: &[],
            check: overlay_options::any_path_can_be_an_option,
        },
        Promise {
            name: "userxattr_only_where_asked",
            needs: &[],
            check: overlay_options::userxattr_only_where_asked,
        },
        Promise {
            name: "the_kernel_takes_the_options",
            needs: &[Overlay],
            check: overlay_options::the_kernel_takes_the_options,
        },
        Promise {
            name: "branches_say_what_they_are",
            needs: &[],
            check: aufs_options::branches_say_what_they_are,
        },
        Promise {
            name: "what_aufs_cannot_take_is_refused",
            needs: &[],
            check: aufs_options::what_aufs_cannot_take_is_refused,
        },
        Promise {
            name: "whiteouts_name_what_they_hide",
            needs: &[],
            check: hidden_name::whiteouts_name_what_they_hide,
        },
        Promise {
            name: "nothing_else_hides_a_file",
            needs: &[],
            check: hidden_name::nothing_else_hides_a_file,
        },
        Promise {
            name: "deleted_files_stay_deleted",
            needs: &[Overlay],
            check: whiteouts_to_overlay::deleted_files_stay_deleted,
        },
        Promise {
            name: "opaque_folders_show_only_their_own",
            needs: &[Overlay],
            check: whiteouts_to_overlay::opaque_folders_show_only_their_own,
        },
        Promise {
            name: "all_other_files_stay",
            needs: &[Overlay],
            check: whiteouts_to_overlay::all_other_files_stay,
        },
        Promise {
            name: "the_names_come_back",
            needs: &[Overlay],
            check: whiteouts_to_aufs::the_names_come_back,
        },
        Promise {
            name: "init_layer_has_its_files",
            needs: &[],
            check: init_layer::init_layer_has_its_files,
        },
        Promise {
            name: "everybody_can_read_the_init_layer",
            needs: &[],
            check: init_layer::everybody_can_read_the_init_layer,
        },
        Promise {
            name: "the_image_is_never_written",
            needs: &[],
            check: init_layer::the_image_is_never_written,
        },
        Promise {
            name: "links_of_the_image_are_covered",
            needs: &[],
            check: init_layer::links_of_the_image_are_covered,
        },
        Promise {
            name: "write_layer_is_empty_and_open",
            needs: &[],
            check: write_layer::write_layer_is_empty_and_open,
        },
        Promise {
            name: "work_lies_beside_the_write_layer",
            needs: &[],
            check: write_layer::work_lies_beside_the_write_layer,
        },
        Promise {
            name: "mnt_shows_all_layers",
            needs: &[Overlay],
            check: mount_point::mnt_shows_all_layers,
        },
        Promise {
            name: "writes_land_in_the_write_layer",
            needs: &[Overlay],
            check: mount_point::writes_land_in_the_write_layer,
        },
        Promise {
            name: "long_paths_can_be_mounted",
            needs: &[Overlay],
            check: mount_point::long_paths_can_be_mounted,
        },
        Promise {
            name: "a_failed_mount_is_told",
            needs: &[Overlay],
            check: mount_point::a_failed_mount_is_told,
        },
        Promise {
            name: "aufs_shows_all_layers",
            needs: &[Aufs],
            check: mount_point::aufs_shows_all_layers,
        },
        Promise {
            name: "copy_up_is_predicted",
            needs: &[Overlay],
            check: predictions::copy_up_is_predicted,
        },
        Promise {
            name: "deletions_are_predicted",
            needs: &[Overlay],
            check: predictions::deletions_are_predicted,
        },
        Promise {
            name: "renames_and_links_are_predicted",
            needs: &[Overlay],
            check: predictions::renames_and_links_are_predicted,
        },
    ],
};

/// The code for what no rule of this lab explains.
const UNFORESEEN: &str = "layers/unforeseen";

/// A finding of this lab.
fn finding(code: &str) -> Finding {
    Finding::new(format!("layers/{code}"))
}
