//! What people get wrong in lab 03.

mod creation;
mod limits;
mod processes;
mod removal;
mod sizes;

use lab_03_grader::Answers;

use crate::catalogue::Mistake;

/// See each one's comment.
pub static MISTAKES: &[Mistake<Answers>] = &[
    sizes::ONLY_NUMBERS,
    sizes::UNIT_CUT_OFF,
    sizes::SMALL_LETTERS_ONLY,
    sizes::UNITS_OF_A_THOUSAND,
    sizes::SIZE_IN_PAGES,
    sizes::MAX_IS_NO_NUMBER,
    sizes::MAX_IS_THE_LARGEST_NUMBER,
    sizes::DIGITS_PICKED_OUT,
    sizes::SIGN_TAKEN,
    sizes::MAX_IN_CAPITALS,
    sizes::MULTIPLIED_WITHOUT_A_LOOK,
    sizes::UNWRAPPED,
    creation::THE_BLOGS_WAY,
    creation::VERSION_2_ONLY,
    creation::UNIFIED_IS_THERE,
    creation::CONTROLLERS_NOT_HANDED_ON,
    creation::MEMORY_ONLY,
    creation::PARENT_TOLD,
    creation::ALREADY_THERE,
    creation::CONTROLLER_MADE_BY_HAND,
    creation::CONTROLLERS_THAT_ARE_THERE,
    creation::HALF_A_GROUP_LEFT,
    creation::CLEARS_UP_TOO_MUCH,
    creation::CREATES_NOTHING,
    limits::THE_BLOGS_WAY,
    limits::VERSION_2_ONLY,
    limits::MEMORY_IN_PAGES,
    limits::WRITTEN_AS_RUST_SHOWS_IT,
    limits::PARENT_LIMITED,
    limits::NO_LIMIT_LEFT_OUT,
    limits::NO_LIMIT_IS_U64_MAX,
    limits::MAX_IN_VERSION_1,
    limits::SWAP_FORGOTTEN,
    limits::SWAP_ON_TOP,
    limits::NO_SWAP_TOGETHER,
    limits::MEMORY_FIRST,
    limits::MEMORY_LAST,
    limits::SWAP_REQUIRED,
    limits::ONLY_FILES_THAT_ARE_THERE,
    limits::ERRORS_DROPPED,
    limits::SWAP_ERROR_DROPPED,
    limits::SETS_NOTHING,
    processes::TASKS,
    processes::CALLER_JOINS,
    processes::MEMORY_ONLY,
    processes::FAILED_JOIN_PRINTED,
    processes::JOINS_NOTHING,
    processes::BEGUN_FIRST,
    processes::LIMITED_LAST,
    processes::NEVER_JOINED,
    processes::FAILED_LIMIT_PRINTED,
    processes::NEVER_BEGUN,
    removal::REMOVE_DIR_ALL,
    removal::ONE_HIERARCHY,
    removal::NO_SECOND_TRY,
    removal::BUSY_PRINTED,
    removal::TRIES_FOR_EVER,
    removal::PROCESSES_KILLED,
    removal::GROUPS_IN_IT_FORGOTTEN,
    removal::GONE_IS_AN_ERROR,
    removal::REMOVES_NOTHING,
];
