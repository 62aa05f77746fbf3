//! What people get wrong in lab 11.

mod enter;
mod host;
mod join;
mod open;
mod status;

use lab_11_grader::Answers;

use crate::catalogue::Mistake;

/// See each one's comment.
pub static MISTAKES: &[Mistake<Answers>] = &[
    open::ONE_PATH_PER_NAMESPACE,
    open::PIDFD_NEVER_ASKED,
    open::THE_BLOGS_FIVE,
    open::NO_USER_NAMESPACE,
    open::ALL_SEVEN,
    open::NO_CLOSE_ON_EXEC,
    open::DIRECTORY_LEFT_OPEN,
    open::UNREADABLE_ONES_SKIPPED,
    open::MISSING_ONES_SKIPPED,
    open::EVERY_ERROR_IS_ESRCH,
    open::ENOENT_PASSED_ON,
    open::NOBODY_HAS_NO_NAMESPACES,
    open::KINDS_EXCHANGED,
    join::IN_THE_GIVEN_ORDER,
    join::USER_NAMESPACE_LAST,
    join::USER_NAMESPACE_NEVER,
    join::ERRORS_ONLY_PRINTED,
    join::EINVAL_IS_NO_ERROR,
    join::EINVAL_OF_THE_USER_NAMESPACE,
    join::ON_TO_THE_END,
    join::WITHOUT_THE_PID_NAMESPACE,
    join::NEW_ONES_OF_THE_SAME_KINDS,
    join::BACK_TO_THE_OLD_DIRECTORY,
    enter::CALLER_JOINS,
    enter::ONE_FORK,
    enter::NOTHING_JOINED,
    enter::ROOT_BY_CHROOT,
    enter::EXECVPE,
    enter::EXECVP,
    enter::ENVIRONMENT_ADDED,
    enter::LOOKED_UP_BEFORE,
    enter::NAMES_AS_TEXT,
    enter::EMPTY_WORDS_DROPPED,
    enter::FOUND_PATH_IN_PLACE_OF_THE_NAME,
    enter::JOIN_ERROR_PRINTED,
    enter::RUNS_ANYWAY,
    enter::NO_CONTAINER_IS_125,
    host::DESCRIPTORS_INHERITED,
    host::DESCRIPTORS_UP_TO_31_CLOSED,
    host::DESCRIPTORS_UP_TO_255_CLOSED,
    host::CLOSE_ON_EXEC_ONLY,
    host::CLOSED_AFTER_THE_BIRTH,
    host::LOOKED_AT,
    host::LISTED_AFTER_JOINING,
    host::STDIN_CLOSED,
    host::STDIN_IS_A_FILE,
    host::STDIN_IS_NULL,
    host::DIRECTORY_KEPT,
    host::NAMESPACES_LEFT_OPEN,
    status::JOINER_RETURNS_0,
    status::SIGNAL_WITHOUT_128,
    status::SIGNAL_IS_AN_ERROR,
    status::ALWAYS_1,
    status::ALWAYS_127,
    status::FILE_IN_PATH,
    status::WAIT_FOR_ANY_CHILD,
    status::NOT_WAITED_FOR,
    status::ZOMBIE_LEFT,
    status::NOTHING_SAID,
    status::JOINER_SAYS_NOTHING,
];
