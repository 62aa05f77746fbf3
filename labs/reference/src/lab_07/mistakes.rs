//! What people get wrong in lab 07: the comment on each function says who makes
//! the mistake, and what happens.

mod aufs;
mod errors;
mod folders;
mod marks;
mod modes;
mod mounts;
mod nearly;
mod numbers;
mod options;
mod predictions;
mod resolver;
mod whiteouts;

use lab_07_grader::Answers;

use super::SOLUTION;
use crate::catalogue::Mistake;

/// The solution with one function replaced, for each line: the mistake's name, the
/// code of its diagnosis, and what the function is replaced by.
macro_rules! mistakes {
    ($($function:ident { $($name:ident, $code:literal, $wrong:expr;)* })*) => {
        &[$($(Mistake {
            name: stringify!($name),
            code: $code,
            answers: Answers { $function: $wrong, ..SOLUTION },
        },)*)*]
    };
}

/// All of them.
#[rustfmt::skip]
pub static MISTAKES: &[Mistake<Answers>] = mistakes! {
    overlay_options {
        lower_order_reversed, "layers/lower-order-reversed", options::lower_order_reversed;
        upper_and_lower_swapped, "layers/upper-is-a-lower-layer", options::upper_and_lower_swapped;
        upper_and_work_swapped, "layers/upper-and-work-swapped", options::upper_and_work_swapped;
        workdir_forgotten, "layers/no-workdir", options::workdir_forgotten;
        work_is_upper, "layers/upper-and-work-equal", options::work_is_upper;
        work_below_upper, "layers/work-in-the-write-layer", options::work_below_upper;
        nothing_escaped, "layers/not-escaped", options::nothing_escaped;
        backslash_forgotten, "layers/backslash-not-escaped", options::backslash_forgotten;
        paths_as_utf_8, "layers/not-utf-8", options::paths_as_utf_8;
        lowerdir_repeated, "layers/lowerdir-repeated", options::lowerdir_repeated;
        userxattr_forgotten, "layers/no-userxattr", options::userxattr_forgotten;
        three_layers_at_most, "layers/layer-left-out", options::three_layers_at_most;
        escaped_in_octal, "layers/escaped-in-octal", options::escaped_in_octal;
        blanks_in_octal, "layers/escaped-in-octal", options::blanks_in_octal;
        userxattr_always, "layers/userxattr-always", options::userxattr_always;
        last_backslash_forgotten, "layers/backslash-not-escaped", options::last_backslash_forgotten;
        only_the_first_escaped, "layers/escaped-in-part", options::only_the_first_escaped;
        one_colon_escaped, "layers/escaped-in-part", options::one_colon_escaped;
    }
    aufs_options {
        aufs_like_the_blog, "layers/branch-without-attribute", options::aufs_like_the_blog;
        aufs_without_wh, "layers/whiteouts-not-honoured", options::aufs_without_wh;
        aufs_write_branch_last, "layers/writable-branch-not-first", options::aufs_write_branch_last;
        aufs_order_reversed, "layers/lower-order-reversed", options::aufs_order_reversed;
        aufs_escaped, "layers/aufs-path-not-refused", options::aufs_escaped;
        aufs_equals_sign_refused, "layers/legal-path-refused", options::aufs_equals_sign_refused;
        aufs_error_of_another_kind, "layers/error-of-another-kind", options::aufs_error_of_another_kind;
    }
    hidden_name {
        prefix_anywhere, "layers/prefix-anywhere", whiteouts::prefix_anywhere;
        book_keeping_hides, "layers/book-keeping-is-no-whiteout", whiteouts::book_keeping_hides;
        parent_can_be_hidden, "layers/whiteout-of-the-parent", whiteouts::parent_can_be_hidden;
        names_as_utf_8, "layers/not-utf-8", whiteouts::names_as_utf_8;
        hidden_files_overlooked, "layers/hidden-file-overlooked", whiteouts::hidden_files_overlooked;
        book_keeping_by_a_shorter_prefix, "layers/hidden-file-overlooked", marks::book_keeping_by_a_shorter_prefix;
        book_keeping_by_a_list, "layers/book-keeping-is-no-whiteout", numbers::book_keeping_by_a_list;
    }
    whiteouts_to_overlay {
        nothing_rewritten, "answer/did-nothing", whiteouts::nothing_rewritten;
        markers_left, "layers/marker-left-behind", whiteouts::markers_left;
        only_the_top_folder, "layers/sub-folders-forgotten", whiteouts::only_the_top_folder;
        whiteouts_as_empty_files, "layers/whiteout-is-a-file", whiteouts::whiteouts_as_empty_files;
        markers_only_deleted, "layers/whiteout-dropped", whiteouts::markers_only_deleted;
        opaque_mark_deleted, "layers/opaque-mark-lost", whiteouts::opaque_mark_deleted;
        opaque_in_the_wrong_namespace, "layers/opaque-in-the-wrong-namespace", whiteouts::opaque_in_the_wrong_namespace;
        opaque_is_one, "layers/opaque-value", whiteouts::opaque_is_one;
        whiteout_is_null, "layers/whiteout-is-another-device", whiteouts::whiteout_is_null;
        only_below_the_top, "layers/opaque-top-forgotten", whiteouts::only_below_the_top;
        user_attribute_always, "layers/opaque-in-the-wrong-namespace", whiteouts::user_attribute_always;
        attribute_not_set_is_no_error, "layers/failed-call-not-told", whiteouts::attribute_not_set_is_no_error;
        all_that_begins_with_wh, "layers/other-files-changed", whiteouts::all_that_begins_with_wh;
        whiteouts_in_opaque_folders, "layers/whiteout-in-opaque-folder", whiteouts::whiteouts_in_opaque_folders;
        book_keeping_left, "layers/book-keeping-left", whiteouts::book_keeping_left;
        links_followed, "layers/link-followed", whiteouts::links_followed;
        opaque_for_one_level, "layers/whiteout-in-opaque-folder", whiteouts::opaque_for_one_level;
        book_keeping_below_left, "layers/book-keeping-left", marks::book_keeping_below_left;
        whiteouts_of_dot_files_left, "layers/marker-left-behind", marks::whiteouts_of_dot_files_left;
        unseen_is_not_there, "layers/failed-call-not-told", marks::unseen_is_not_there;
        only_listed_book_keeping_removed, "layers/book-keeping-left", numbers::only_listed_book_keeping_removed;
        unlisted_book_keeping_hides, "layers/book-keeping-is-no-whiteout", numbers::unlisted_book_keeping_hides;
        opaque_handed_down, "layers/opaque-without-a-mark", marks::opaque_handed_down;
        opaque_mark_in_its_turn, "layers/whiteout-in-opaque-folder", marks::opaque_mark_in_its_turn;
    }
    whiteouts_to_aufs {
        devices_left, "layers/whiteout-left-as-a-device", whiteouts::devices_left;
        devices_only_deleted, "layers/whiteout-dropped", whiteouts::devices_only_deleted;
        opaque_overlooked, "layers/opaque-mark-lost", whiteouts::opaque_overlooked;
        attribute_left, "layers/opaque-attribute-left", whiteouts::attribute_left;
        any_device_is_a_whiteout, "layers/device-taken-for-a-whiteout", whiteouts::any_device_is_a_whiteout;
        any_value_is_the_mark, "layers/opaque-value-overlooked", whiteouts::any_value_is_the_mark;
        top_attribute_overlooked, "layers/opaque-top-forgotten", whiteouts::top_attribute_overlooked;
        user_attribute_taken_always, "layers/opaque-in-the-wrong-namespace", whiteouts::user_attribute_taken_always;
        whiteouts_through_links, "layers/link-followed", marks::whiteouts_through_links;
        opaque_marks_through_links, "layers/link-followed", marks::opaque_marks_through_links;
        names_taken_for_marks, "layers/link-left-as-a-mark", marks::names_taken_for_marks;
        no_number_is_zero, "layers/fifo-taken-for-a-whiteout", marks::no_number_is_zero;
        values_that_begin_like_the_mark, "layers/opaque-value-overlooked", marks::values_that_begin_like_the_mark;
        opaque_not_entered, "layers/opaque-folder-not-entered", marks::opaque_not_entered;
        block_devices_too, "layers/device-taken-for-a-whiteout", numbers::block_devices_too;
        major_number_alone, "layers/device-taken-for-a-whiteout", numbers::major_number_alone;
        minor_number_alone, "layers/device-taken-for-a-whiteout", numbers::minor_number_alone;
        marks_with_content, "layers/mark-not-empty", nearly::marks_with_content;
        opaque_marks_handed_down, "layers/opaque-without-a-mark", marks::opaque_marks_handed_down;
    }
    create_init_layer {
        init_layer_not_made, "answer/did-nothing", folders::init_layer_not_made;
        files_in_the_image, "layers/init-files-in-the-image", folders::files_in_the_image;
        links_copied, "layers/link-followed", folders::links_copied;
        files_mounted, "layers/mounted-for-the-init-layer", folders::files_mounted;
        init_layer_with_the_umask, "layers/closed-by-the-umask", folders::init_layer_with_the_umask;
        modes_of_the_image_lost, "layers/image-mode-lost", folders::modes_of_the_image_lost;
        only_what_is_lacking, "layers/mount-point-left-to-the-image", folders::only_what_is_lacking;
        umask_lost_with_an_error, "layers/umask-not-restored", folders::umask_lost_with_an_error;
        host_without_resolver_refused, "layers/no-resolver-is-no-error", folders::host_without_resolver_refused;
        mode_of_a_links_target, "layers/link-followed", folders::mode_of_a_links_target;
        closed_mode_is_no_error, "layers/failed-call-not-told", folders::closed_mode_is_no_error;
        a_file_left_open, "layers/descriptor-left-open", folders::a_file_left_open;
        hosts_without_the_hostname, "layers/init-file-wrong", folders::hosts_without_the_hostname;
        unreadable_resolver_is_none, "layers/failed-call-not-told", folders::unreadable_resolver_is_none;
        unseen_modes_are_usual, "layers/failed-call-not-told", folders::unseen_modes_are_usual;
        only_the_sticky_bit, "layers/image-mode-lost", folders::only_the_sticky_bit;
        image_listed, "layers/image-listed", folders::image_listed;
        init_layer_reused, "layers/used-directory-accepted", folders::init_layer_reused;
        resolver_as_text, "layers/resolver-read-as-text", resolver::as_text;
        resolver_as_far_as_it_is_text, "layers/resolver-read-as-text", resolver::as_far_as_it_is_text;
        resolver_by_lines, "layers/init-file-wrong", resolver::by_lines;
        resolver_in_one_read, "layers/init-file-wrong", resolver::in_one_read;
        resolver_without_local_servers, "layers/resolver-line-dropped", resolver::without_local_servers;
        umask_lost_with_the_resolver, "layers/umask-not-restored", folders::umask_lost_with_the_resolver;
        resolver_with_its_mode, "layers/mode-not-as-asked", resolver::with_its_mode;
        init_layer_cleared, "layers/anothers-files-changed", errors::init_layer_cleared;
        workspace_cleared, "layers/anothers-files-changed", errors::workspace_cleared;
        init_layer_written_first, "layers/anothers-files-changed", errors::init_layer_written_first;
        short_hostname, "layers/init-file-wrong", nearly::short_hostname;
        init_layer_by_the_umask_alone, "layers/mode-handed-down", modes::init_layer_by_the_umask_alone;
        init_files_by_the_umask_alone, "layers/mode-handed-down", modes::init_files_by_the_umask_alone;
        etc_closed_before_it_is_filled, "layers/image-mode-too-early", modes::etc_closed_before_it_is_filled;
        image_opened_for_its_modes, "layers/unreadable-directory-refused", modes::image_opened_for_its_modes;
        files_chmodded_in_a_closed_etc, "layers/unreadable-directory-refused", modes::files_chmodded_in_a_closed_etc;
    }
    create_write_layer {
        write_layer_not_made, "answer/did-nothing", folders::write_layer_not_made;
        work_forgotten, "layers/no-work-folder", folders::work_forgotten;
        work_in_the_write_layer, "layers/work-in-the-write-layer", folders::work_in_the_write_layer;
        work_on_a_tmpfs, "layers/on-two-file-systems", folders::work_on_a_tmpfs;
        write_layer_for_all, "layers/mode-not-as-asked", folders::write_layer_for_all;
        umask_set_for_good, "layers/umask-not-restored", folders::umask_set_for_good;
        write_layer_with_the_umask, "layers/closed-by-the-umask", folders::write_layer_with_the_umask;
        write_layer_reused, "layers/used-directory-accepted", folders::write_layer_reused;
        write_layer_cleared, "layers/anothers-files-changed", errors::write_layer_cleared;
        empty_work_removed, "layers/anothers-files-changed", errors::empty_work_removed;
        write_layer_by_the_umask_alone, "layers/mode-handed-down", modes::write_layer_by_the_umask_alone;
    }
    create_mount_point {
        nothing_mounted, "answer/did-nothing", mounts::nothing_mounted;
        init_layer_left_out, "layers/init-layer-missing", mounts::init_layer_left_out;
        image_on_the_init_layer, "layers/lower-order-reversed", mounts::image_on_the_init_layer;
        image_is_the_upper_layer, "layers/upper-is-a-lower-layer", mounts::image_is_the_upper_layer;
        init_layer_is_the_upper_layer, "layers/writes-in-the-init-layer", mounts::init_layer_is_the_upper_layer;
        image_bound, "layers/not-merged", mounts::image_bound;
        no_upper_layer, "layers/mounted-read-only", mounts::no_upper_layer;
        mnt_not_made, "layers/no-mount-point", mounts::mnt_not_made;
        mounted_on_merged, "layers/mounted-elsewhere", mounts::mounted_on_merged;
        work_is_not_there, "layers/option-names-no-folder", mounts::work_is_not_there;
        work_is_the_write_layer, "layers/mount-refused", mounts::work_is_the_write_layer;
        work_below_the_write_layer, "layers/work-in-the-write-layer", mounts::work_below_the_write_layer;
        work_elsewhere, "layers/on-two-file-systems", mounts::work_elsewhere;
        upper_on_an_overlay, "layers/upper-on-an-overlay", mounts::upper_on_an_overlay;
        userxattr_not_passed_on, "layers/no-userxattr", mounts::userxattr_not_passed_on;
        errors_only_printed, "layers/error-ignored", mounts::errors_only_printed;
        userxattr_never_left_out, "layers/userxattr-always", mounts::userxattr_never_left_out;
        mounted_twice, "layers/mounted-twice", mounts::mounted_twice;
        options_of_any_length, "layers/options-cut-off", mounts::options_of_any_length;
        limit_of_a_whole_page, "layers/options-cut-off", mounts::limit_of_a_whole_page;
        fsconfig_with_one_lowerdir, "layers/option-too-long", mounts::fsconfig_with_one_lowerdir;
        limit_in_characters, "layers/options-cut-off", mounts::limit_in_characters;
        limit_one_too_low, "layers/whole-page-refused", mounts::limit_one_too_low;
        mnt_reused, "layers/used-directory-accepted", mounts::mnt_reused;
        handle_left_after_an_error, "layers/descriptor-left-open", mounts::handle_left_after_an_error;
        layers_cleared, "layers/anothers-files-changed", errors::layers_cleared;
        mnt_cleared, "layers/anothers-files-changed", errors::mnt_cleared;
        without_userxattr_if_refused, "layers/no-userxattr", nearly::without_userxattr_if_refused;
    }
    create_aufs_mount_point {
        mkdir_for_aufs_ignored, "layers/mkdir-error-ignored", aufs::mkdir_ignored;
        aufs_options_ignored, "layers/options-error-ignored", aufs::options_ignored;
        aufs_failure_only_printed, "layers/error-ignored", aufs::failure_only_printed;
        aufs_without_the_init_layer, "layers/layer-left-out", aufs::without_the_init_layer;
        aufs_image_on_the_init_layer, "layers/lower-order-reversed", aufs::image_on_the_init_layer;
        aufs_options_for_an_overlay, "layers/aufs-not-asked-for", aufs::options_for_an_overlay;
        aufs_beside_mnt, "layers/aufs-not-asked-for", aufs::beside_mnt;
        aufs_mnt_cleared, "layers/anothers-files-changed", errors::aufs_mnt_cleared;
        aufs_write_layer_cleared, "layers/anothers-files-changed", errors::aufs_write_layer_cleared;
        overlay_if_there_is_no_aufs, "layers/failed-call-not-told", nearly::overlay_if_there_is_no_aufs;
    }
    predictions {
        appended_part_only, "layers/predicted-otherwise-copy-up", predictions::APPENDED_PART_ONLY;
        reading_copies, "layers/predicted-otherwise-copy-up", predictions::READING_COPIES;
        mode_without_content, "layers/predicted-otherwise-copy-up", predictions::MODE_WITHOUT_CONTENT;
        touch_changes_nothing, "layers/predicted-otherwise-copy-up", predictions::TOUCH_CHANGES_NOTHING;
        deletion_leaves_nothing, "layers/predicted-otherwise-deletion", predictions::DELETION_LEAVES_NOTHING;
        deletion_leaves_a_whiteout, "layers/predicted-otherwise-deletion", predictions::DELETION_LEAVES_A_WHITEOUT;
        new_folder_is_plain, "layers/predicted-otherwise-opaque", predictions::NEW_FOLDER_IS_PLAIN;
        folder_is_renamed, "layers/predicted-otherwise-rename", predictions::FOLDER_IS_RENAMED;
        names_stay_one_file, "layers/predicted-otherwise-hard-link", predictions::NAMES_STAY_ONE_FILE;
        answer_in_own_words, "layers/prediction-is-no-word", predictions::ANSWER_IN_OWN_WORDS;
        without_quotes, "layers/predictions-unreadable", predictions::WITHOUT_QUOTES;
    }
};
