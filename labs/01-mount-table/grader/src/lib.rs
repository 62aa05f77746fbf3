//! What must hold of an answer to lab 01, and how to find out; and the types of
//! its functions, in [`table`].

mod acts;
mod difference;
mod escapes;
mod parse_line;
mod reading;
mod real;
pub mod table;
mod tables;
mod tree;
mod unescape;

use labkit::exam::{Exam, Promise};

pub use acts::{ACTS, Answers};
use difference::cases as changes;
use parse_line::cases as lines;
use tree::cases as trees;

/// What the codes of this lab begin with.
const LAB: &str = "mount-table";

/// The lab.
pub static EXAM: Exam = Exam {
    lab_toml: include_str!("../../lab.toml"),
    promises: &[
        // unescape
        Promise::new("escapes_become_bytes", |host| unescape::judge(host, unescape::escapes())),
        Promise::new("escapes_are_undone_once", |host| {
            unescape::judge(host, unescape::escaped_escapes())
        }),
        Promise::new("what_is_no_escape_stays", |host| {
            unescape::judge(host, unescape::no_escapes())
        }),
        Promise::new("names_need_not_be_utf8", |host| unescape::judge(host, unescape::any_bytes())),
        Promise::new("any_field_is_unescaped", unescape::any_field),
        // parse_line
        Promise::new("a_line_has_its_fields", |host| parse_line::judge(host, lines::fields())),
        Promise::new("optional_fields_are_none_or_several", |host| {
            parse_line::judge(host, lines::optional_fields())
        }),
        Promise::new("a_lone_dash_separates", |host| parse_line::judge(host, lines::separator())),
        Promise::new("a_source_may_be_empty", |host| {
            parse_line::judge(host, vec![lines::empty_source()])
        }),
        Promise::new("names_in_a_line_are_unescaped", |host| {
            parse_line::judge(host, lines::names())
        }),
        Promise::new("names_in_a_line_may_be_any_bytes", |host| {
            parse_line::judge(host, lines::any_bytes())
        }),
        Promise::new("options_are_lists", |host| parse_line::judge(host, lines::lists())),
        Promise::new("fields_of_a_later_kernel_are_passed_over", |host| {
            parse_line::judge(host, lines::later_fields())
        }),
        Promise::new("a_broken_line_is_an_error", |host| {
            parse_line::judge(host, lines::broken_lines())
        }),
        Promise::new("lines_of_several_kernels_are_read", parse_line::several_kernels),
        Promise::new("real_mounts_are_read", parse_line::real_mounts),
        Promise::new("any_line_is_read", parse_line::any_line),
        // tree
        Promise::new("a_mount_is_followed_by_what_is_on_it", |host| {
            tree::judge(host, vec![trees::plain()])
        }),
        Promise::new("a_neighbour_is_not_below", |host| {
            tree::judge(host, vec![trees::neighbours()])
        }),
        Promise::new("stacked_mounts_are_on_each_other", |host| {
            tree::judge(host, vec![trees::stacked(), trees::deep()])
        }),
        Promise::new("a_mount_may_come_before_its_parent", |host| {
            tree::judge(host, vec![trees::child_first()])
        }),
        Promise::new("a_table_has_several_roots", |host| {
            tree::judge(host, vec![trees::several_roots(), trees::on_number_zero()])
        }),
        Promise::new("a_root_may_be_its_own_parent", |host| {
            tree::judge(host, vec![trees::own_parent()])
        }),
        Promise::new("tables_of_several_kernels_are_trees", tree::several_kernels),
        Promise::new("a_real_table_is_a_tree", tree::real_table),
        Promise::new("any_table_is_a_tree", tree::any_table),
        // difference
        Promise::new("what_came_and_went_is_told", |host| {
            difference::judge(host, changes::came_and_went().into())
        }),
        Promise::new("a_moved_mount_is_no_new_one", |host| {
            difference::judge(host, changes::moves())
        }),
        Promise::new("new_options_are_a_remount", |host| {
            difference::judge(host, changes::new_options())
        }),
        Promise::new("a_new_propagation_is_a_remount", |host| {
            difference::judge(host, changes::new_propagation())
        }),
        Promise::new("moved_and_remounted_are_two_changes", |host| {
            difference::judge(host, vec![changes::moved_and_remounted()])
        }),
        Promise::new("a_number_used_again_is_another_mount", |host| {
            difference::judge(host, changes::number_used_again())
        }),
        Promise::new("stacked_mounts_are_told_apart", |host| {
            difference::judge(host, changes::stacked())
        }),
        Promise::new("what_stays_is_no_change", |host| {
            difference::judge(host, changes::nothing_changed())
        }),
        Promise::new("real_changes_are_told", difference::real_changes),
        Promise::new("any_change_is_told", difference::any_change),
    ],
};
