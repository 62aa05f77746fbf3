//! Wrong predictions.

/// The text of a predictions.toml with these answers.
#[rustfmt::skip]
macro_rules! predictions {
    ($append:literal, $read:literal, $mode:literal, $touch:literal, $delete:literal,
     $delete_new:literal, $replace:literal, $rename:literal, $two_names:literal) => {
        concat!(
            "append_to_a_file = '", $append, "'\n",
            "read_a_file = '", $read, "'\n",
            "change_a_mode = '", $mode, "'\n",
            "touch_a_file = '", $touch, "'\n",
            "delete_a_file_of_the_image = '", $delete, "'\n",
            "delete_a_new_file = '", $delete_new, "'\n",
            "replace_a_folder = '", $replace, "'\n",
            "rename_a_folder = '", $rename, "'\n",
            "write_to_one_of_two_names = '", $two_names, "'\n",
        )
    };
}

/// Thinks of blocks: only what is new is stored.
pub const APPENDED_PART_ONLY: &str = predictions!(
    "part-of-a-file",
    "nothing",
    "whole-file",
    "whole-file",
    "whiteout",
    "nothing",
    "opaque-folder",
    "EXDEV",
    "old"
);

/// Thinks that whatever is opened is copied.
pub const READING_COPIES: &str = predictions!(
    "whole-file",
    "whole-file",
    "whole-file",
    "whole-file",
    "whiteout",
    "nothing",
    "opaque-folder",
    "EXDEV",
    "old"
);

/// A mode is no content: true with `metacopy`, which needs root and is off.
pub const MODE_WITHOUT_CONTENT: &str = predictions!(
    "whole-file",
    "nothing",
    "empty-file",
    "whole-file",
    "whiteout",
    "nothing",
    "opaque-folder",
    "EXDEV",
    "old"
);

/// Takes a time for no change of the file.
pub const TOUCH_CHANGES_NOTHING: &str = predictions!(
    "whole-file",
    "nothing",
    "whole-file",
    "nothing",
    "whiteout",
    "nothing",
    "opaque-folder",
    "EXDEV",
    "old"
);

/// What is deleted is gone.
pub const DELETION_LEAVES_NOTHING: &str = predictions!(
    "whole-file",
    "nothing",
    "whole-file",
    "whole-file",
    "nothing",
    "nothing",
    "opaque-folder",
    "EXDEV",
    "old"
);

/// Has learnt that whatever is deleted leaves a whiteout.
pub const DELETION_LEAVES_A_WHITEOUT: &str = predictions!(
    "whole-file",
    "nothing",
    "whole-file",
    "whole-file",
    "whiteout",
    "whiteout",
    "opaque-folder",
    "EXDEV",
    "old"
);

/// A folder is a folder: the old files would be back in it.
pub const NEW_FOLDER_IS_PLAIN: &str = predictions!(
    "whole-file",
    "nothing",
    "whole-file",
    "whole-file",
    "whiteout",
    "nothing",
    "folder",
    "EXDEV",
    "old"
);

/// It works with AUFS, and with mv, which copies.
pub const FOLDER_IS_RENAMED: &str = predictions!(
    "whole-file",
    "nothing",
    "whole-file",
    "whole-file",
    "whiteout",
    "nothing",
    "opaque-folder",
    "done",
    "old"
);

/// Two names of one file: only one of them is copied up.
pub const NAMES_STAY_ONE_FILE: &str = predictions!(
    "whole-file",
    "nothing",
    "whole-file",
    "whole-file",
    "whiteout",
    "nothing",
    "opaque-folder",
    "EXDEV",
    "new"
);

/// Does not read which words there are.
pub const ANSWER_IN_OWN_WORDS: &str = predictions!(
    "a copy",
    "nothing",
    "whole-file",
    "whole-file",
    "whiteout",
    "nothing",
    "opaque-folder",
    "EXDEV",
    "old"
);

/// Forgets the quotes.
pub const WITHOUT_QUOTES: &str = "append_to_a_file = whole-file\n";
