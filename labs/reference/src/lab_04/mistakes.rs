//! What people get wrong in lab 04.

mod descriptors;
mod environment;
mod receiving;
mod sending;
mod writing_down;

use lab_04_grader::Answers;

use crate::catalogue::Mistake;

/// See each one's comment.
pub static MISTAKES: &[Mistake<Answers>] = &[
    sending::READ_END_LEFT_OPEN,
    sending::WRITE_END_GIVEN_AWAY,
    sending::ONE_WRITE,
    sending::WRITTEN_UNTIL_A_SIGNAL,
    sending::ERROR_IGNORED,
    sending::NOTHING_SENT,
    writing_down::JOINED_WITH_BLANKS,
    writing_down::SPLIT_AS_A_SHELL_DOES,
    writing_down::A_LINE_EACH,
    writing_down::UNIT_SEPARATORS,
    writing_down::NUL_WITHOUT_COUNT,
    writing_down::LENGTHS_OF_16_BITS,
    writing_down::COUNT_OF_16_BITS,
    receiving::WRITE_END_LEFT_OPEN,
    receiving::READ_ONCE,
    receiving::ONE_PAGE,
    receiving::READ_UNTIL_A_SIGNAL,
    receiving::LOSSY,
    receiving::STRICT_UTF8,
    receiving::EMPTY_ARGUMENTS_FILTERED,
    receiving::SPLIT_AFTER_THE_LAST_NUL,
    receiving::NO_MESSAGE_IS_NO_COMMAND,
    receiving::NOTHING_RECEIVED,
    environment::ONLY_WHAT_IS_GIVEN,
    environment::ONLY_WHAT_IS_NEW,
    environment::APPENDED,
    environment::PREFIX_OF_THE_NAME,
    environment::WHOLE_HOST,
    environment::SORTED,
    environment::REPLACED_AT_THE_END,
    environment::SECOND_PART_OF_THE_SPLIT,
    environment::LAST_EQUALS,
    environment::EMPTY_IS_NONE,
    environment::AS_TEXT,
    environment::NAME_ALONE_IGNORED,
    environment::NAME_ALONE_EMPTY,
    environment::NAME_ALONE_PASSED_ON,
    environment::UNSET_IS_EMPTY,
    environment::NO_PATH,
    environment::ALWAYS_THE_DEFAULT_PATH,
    environment::IMAGE_UNCHANGED,
    descriptors::THREE_TO_TEN,
    descriptors::AS_MANY_AS_THERE_ARE,
    descriptors::UP_TO_THE_LIMIT,
    descriptors::UNTIL_NONE_IS_OPEN,
    descriptors::EACH_MUST_BE_OPEN,
    descriptors::ITS_OWN_FOLDER,
    descriptors::THE_LIST_ITSELF,
    descriptors::ALL_OF_THEM,
    descriptors::ONLY_PIPES,
    descriptors::NONE_CLOSED,
];
