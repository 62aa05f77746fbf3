//! What people get wrong in lab 01.

mod difference;
mod parse_line;
mod tree;
mod unescape;

use lab_01_grader::Answers;

use crate::catalogue::Mistake;

/// See each one's comment.
pub static MISTAKES: &[Mistake<Answers>] = &[
    unescape::NOT_UNESCAPED,
    unescape::BACKSLASH_FIRST,
    unescape::ONLY_BLANKS,
    unescape::FOUR_ESCAPES,
    unescape::DECIMAL,
    unescape::DIGITS_NOT_CHECKED,
    unescape::SIGN_TAKEN_FOR_A_DIGIT,
    unescape::DIGITS_NOT_COUNTED,
    unescape::LOSSY,
    unescape::BYTES_AS_CHARACTERS,
    unescape::UTF8_UNWRAPPED,
    parse_line::OPTIONAL_FIELDS_OVERLOOKED,
    parse_line::ONE_OPTIONAL_FIELD_DEMANDED,
    parse_line::ONLY_ONE_OPTIONAL_FIELD,
    parse_line::OPTIONAL_FIELDS_DROPPED,
    parse_line::UNKNOWN_FIELD_LOST,
    parse_line::ANY_DASH,
    parse_line::LAST_DASH,
    parse_line::SPLIT_WHITESPACE,
    parse_line::LINE_UNESCAPED,
    parse_line::NAMES_NOT_UNESCAPED,
    parse_line::SOURCE_NOT_UNESCAPED,
    parse_line::UTF8_DEMANDED,
    parse_line::LINE_LOSSY,
    parse_line::COMMAS_UNESCAPED,
    parse_line::OPTIONS_NOT_SPLIT,
    parse_line::ROOT_AND_MOUNT_POINT_EXCHANGED,
    parse_line::TYPE_AND_SOURCE_EXCHANGED,
    parse_line::BROKEN_LINE_ACCEPTED,
    parse_line::FIELDS_BY_INDEX,
    tree::BY_PATH,
    tree::BY_BEGINNING_OF_PATH,
    tree::ONE_MOUNT_A_PATH,
    tree::PARENT_FIRST,
    tree::TABLE_ORDER_KEPT,
    tree::BREADTH_FIRST,
    tree::SIBLINGS_SORTED,
    tree::DEPTH_BY_PATH,
    tree::DEPTH_BY_COMPONENTS,
    tree::ALL_BELOW_ARE_CHILDREN,
    tree::ROOT_BY_ITS_PATH,
    tree::OWN_PARENT_NO_ROOT,
    tree::OWN_PARENT_RECURSION,
    tree::OWN_PARENT_LOOP,
    difference::BY_MOUNT_POINT,
    difference::BY_ID,
    difference::ROOT_FORGOTTEN,
    difference::SOURCE_FORGOTTEN,
    difference::AS_A_WHOLE,
    difference::UMOUNTS_OVERLOOKED,
    difference::EXCHANGED,
    difference::ANOTHER_ORDER,
    difference::REMOUNT_OVERLOOKED,
    difference::PROPAGATION_OVERLOOKED,
    difference::SUPER_OPTIONS_OVERLOOKED,
    difference::MOVED_HIDES_REMOUNTED,
    difference::ANY_DIFFERENCE_IS_A_REMOUNT,
    difference::MOVED_BY_PARENT,
];
