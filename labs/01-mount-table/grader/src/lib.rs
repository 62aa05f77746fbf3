//! What must hold of an answer to lab 01, and how to find out; and the types of
//! its functions, in [`table`].

mod case;
mod difference;
mod escapes;
mod parse_line;
mod reading;
mod real;
pub mod table;
mod tables;
mod tree;
mod unescape;

use std::ffi::OsString;
use std::io;

use labkit::exam::{Exam, Promise};
use labkit::host::Host;
use labkit::verdict::Finding;

use table::{Change, Mount};

/// The functions that the student writes. A mistake is the solution with one of
/// them replaced.
pub struct Answers {
    /// See labs/01-mount-table/src/lib.rs, as for the others.
    pub unescape: fn(&[u8]) -> OsString,
    /// One line.
    pub parse_line: fn(&[u8]) -> io::Result<Mount>,
    /// What is mounted on what.
    pub tree: fn(&[Mount]) -> Vec<(usize, u32)>,
    /// What has changed.
    pub difference: fn(&[Mount], &[Mount]) -> Vec<Change>,
}

/// The lab.
pub static EXAM: Exam<Answers> = Exam {
    lab_toml: include_str!("../../lab.toml"),
    promises: &[
        // unescape
        promise("escapes_become_bytes", unescape::escapes_become_bytes),
        promise("escapes_are_undone_once", unescape::escapes_are_undone_once),
        promise("what_is_no_escape_stays", unescape::what_is_no_escape_stays),
        promise("names_need_not_be_utf8", unescape::names_need_not_be_utf8),
        // parse_line
        promise("a_line_has_its_fields", parse_line::fields),
        promise("optional_fields_are_none_or_several", parse_line::optional_fields),
        promise("a_lone_dash_separates", parse_line::separator),
        promise("a_source_may_be_empty", parse_line::empty_source),
        promise("names_in_a_line_are_unescaped", parse_line::names),
        promise("names_in_a_line_may_be_any_bytes", parse_line::any_bytes),
        promise("options_are_lists", parse_line::lists),
        promise("a_broken_line_is_an_error", parse_line::broken_lines),
        promise("lines_of_several_kernels_are_read", parse_line::several_kernels),
        promise("real_mounts_are_read", parse_line::real_mounts),
        // tree
        promise("a_mount_is_followed_by_what_is_on_it", tree::children),
        promise("a_neighbour_is_not_below", tree::neighbours),
        promise("stacked_mounts_are_on_each_other", tree::stacked),
        promise("a_mount_may_come_before_its_parent", tree::child_first),
        promise("a_table_has_several_roots", tree::several_roots),
        promise("a_root_may_be_its_own_parent", tree::own_parent),
        promise("tables_of_several_kernels_are_trees", tree::several_kernels),
        promise("a_real_table_is_a_tree", tree::real_table),
        // difference
        promise("what_came_and_went_is_told", difference::came_and_went),
        promise("a_moved_mount_is_no_new_one", difference::moved),
        promise("new_options_are_a_remount", difference::new_options),
        promise("a_new_propagation_is_a_remount", difference::new_propagation),
        promise("moved_and_remounted_are_two_changes", difference::moved_and_remounted),
        promise("a_number_used_again_is_another_mount", difference::number_used_again),
        promise("stacked_mounts_are_told_apart", difference::stacked),
        promise("what_stays_is_no_change", difference::nothing_changed),
        promise("real_changes_are_told", difference::real_changes),
    ],
};

/// A promise that any kernel and any user can grade.
const fn promise(name: &'static str, check: Check) -> Promise<Answers> {
    Promise { name, needs: &[], check }
}

type Check = fn(&Answers, &Host) -> Result<(), Finding>;

/// The code for what no rule of this lab explains.
const UNFORESEEN: &str = "mount-table/unforeseen";
