//! What people get wrong in lab 05.

mod attributes;
mod contents;
mod inherited;
mod names;
mod subtle;
mod twice;
mod whole;

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use lab_05_grader::Answers;
use tar::Entry;

use crate::catalogue::Mistake;

/// See each one's comment.
pub static MISTAKES: &[Mistake<Answers>] = &[
    contents::DOES_NOTHING,
    contents::ONE_READ_PER_FILE,
    contents::CONTENTS_AS_TEXT,
    contents::NAME_FROM_THE_HEADER,
    contents::SYMLINKS_COPIED,
    contents::SYMLINK_TARGETS_BELOW_THE_LAYER,
    contents::HARD_LINKS_COPIED,
    contents::HARD_LINKS_AS_FILES,
    contents::DEVICES_AS_FILES,
    contents::NAMES_AS_TEXT,
    contents::NAMES_UNWRAPPED,
    contents::LINK_FROM_THE_HEADER,
    contents::HARD_LINKS_AS_SYMLINKS,
    contents::DEVICE_NUMBERS_OF_16_BITS,
    attributes::MODE_0622,
    attributes::MODES_MASKED_BY_THE_UMASK,
    attributes::MODES_NOT_SET,
    attributes::THREE_DIGITS_OF_THE_MODE,
    attributes::CHOWN_AFTER_CHMOD,
    attributes::CHMOD_THROUGH_SYMLINKS,
    attributes::CHOWN_THROUGH_SYMLINKS,
    attributes::TIMES_THROUGH_SYMLINKS,
    attributes::FILE_TYPE_REFUSED,
    attributes::OWNERS_LOST,
    attributes::TIMES_LOST,
    attributes::FOLDER_TIMES_SET_BEFORE_FILLING,
    attributes::LAYER_ITSELF_LEFT_OUT,
    names::DOT_DOT_FOLLOWED,
    names::ABSOLUTE_NAME_JOINED,
    names::NAMES_MADE_HARMLESS,
    names::TWO_DOTS_REFUSED,
    names::ONLY_THE_PARENT_CHECKED,
    names::WHAT_IS_THERE_GIVES_WAY,
    names::PLANTED_SYMLINK_FOLLOWED,
    names::FILE_WRITTEN_THROUGH_A_SYMLINK,
    names::FOLDER_TAKEN_THROUGH_A_SYMLINK,
    names::HARD_LINK_TO_OUTSIDE,
    names::LAYER_MADE_BY_ITS_ENTRY,
    whole::DEVICES_LEFT_OUT,
    whole::ERRORS_ONLY_PRINTED,
    whole::ERRORS_WITHOUT_NAMES,
    whole::ATTRIBUTES_WITHOUT_NAMES,
    whole::ERRORS_FLATTENED,
    whole::FOLDER_THERE_SO_DONE,
    whole::TRIED_BESIDE_IT,
    whole::UNPACKED_IN_PLACE,
    whole::LEFT_OVER_IN_THE_WAY,
    whole::LEFT_OVER_TAKEN_IN,
    whole::LEFT_OVERS_PILE_UP,
    whole::LEFT_OVER_OF_AN_ERROR,
    whole::UNPACKED_IN_TMP,
    whole::UNPACKED_ON_EVERY_RUN,
    whole::ARCHIVE_OPENED_FIRST,
    whole::LAYER_THERE_IS_AN_ERROR,
    whole::RENAME_ERROR_IGNORED,
    whole::MOVED_BY_MV,
    whole::LEFT_OVERS_BY_PREFIX,
    whole::ARCHIVE_LEFT_OPEN,
    twice::LINK_IN_PLACE_OF_A_DIRECTORY,
    twice::ONLY_LINK_ENTRIES_REMEMBERED,
    twice::FIFO_OPENED,
    twice::PARENT_OF_A_BARE_NAME,
    twice::EMPTY_LAYER_FILLED,
    twice::ARCHIVE_LEFT_OPEN_BY_AN_ERROR,
    twice::LINK_TARGET_OF_THE_HEADER,
    attributes::OWNER_OF_A_LINK_NOT_CHECKED,
    attributes::OWNER_CAST,
    attributes::OWNER_MINUS_ONE,
    attributes::TIMES_IN_AN_INT,
    whole::LEFT_OVER_EMPTIED_THROUGH_A_LINK,
    whole::NAMES_IN_QUOTES,
    inherited::HEADERS_OF_HARD_LINKS,
    inherited::TIME_ZERO_LEFT_OUT,
    inherited::CHMOD_FOR_SPECIAL_BITS_ONLY,
    inherited::CHOWN_FOR_OTHERS_ONLY,
    inherited::LAYER_AS_MKDIR_LEAVES_IT,
    inherited::READ_ERRORS_END_A_FILE,
    inherited::UNKNOWN_TYPES_SKIPPED,
    inherited::UNKNOWN_TYPES_AS_FILES,
    inherited::GLOBAL_HEADERS_SKIPPED,
    inherited::LABELS_AND_LISTS_SKIPPED,
    inherited::ALL_THAT_IS_UNFINISHED,
    inherited::SECOND_FILE_TRUNCATES,
    inherited::PATHS_UNWRAPPED,
    subtle::HARD_LINKS_TO_REAL_FILES,
    subtle::CUT_HEADER_IS_THE_END,
    subtle::LINKS_BY_NAME_AS_WRITTEN,
    subtle::OWNERS_BY_NAME,
    subtle::ERRORS_NAMED_BY_THE_HEADER,
    subtle::CHOWN_WHERE_PERMITTED,
];

/// A mistake in the one function that there is.
const fn mistake(
    name: &'static str,
    code: &'static str,
    create_read_only_layer: fn(&Path, &Path) -> io::Result<()>,
) -> Mistake<Answers> {
    Mistake { name, code, answers: Answers { create_read_only_layer } }
}

/// What an entry leads to.
fn target(entry: &Entry<File>) -> io::Result<PathBuf> {
    Ok(entry.link_name()?.unwrap_or_default().into_owned())
}
