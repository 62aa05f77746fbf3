//! What people get wrong in lab 02.

mod codes;
mod command;
mod failures;
mod mounts;
mod namespaces;
mod waiting;

use lab_02_grader::Answers;

use crate::catalogue::Mistake;

/// See each one's comment.
pub static MISTAKES: &[Mistake<Answers>] = &[
    namespaces::NO_MOUNT_NAMESPACE,
    namespaces::NO_PID_NAMESPACE,
    namespaces::UNSHARE_WITHOUT_FORK,
    namespaces::SUPERVISOR_BETWEEN,
    namespaces::CALLER_UNSHARES,
    namespaces::NO_UTS_NAMESPACE,
    namespaces::NO_IPC_NAMESPACE,
    namespaces::NO_NETWORK_NAMESPACE,
    mounts::NOTHING_MADE_PRIVATE,
    mounts::PRIVATE_WITHOUT_REC,
    mounts::PRIVATE_AFTER_PROC,
    mounts::HOST_MADE_PRIVATE,
    mounts::SLAVE_MOUNTS,
    mounts::PROC_MOUNTED_BY_THE_CALLER,
    mounts::PROC_NOT_MOUNTED,
    mounts::PROC_WITHOUT_FLAGS,
    command::SPAWNED_INSTEAD_OF_EXECUTED,
    command::JOINED_FOR_A_SHELL,
    command::JOINED_AND_SPLIT,
    command::NAME_LEFT_OUT_OF_THE_LIST,
    command::EXECV_WITHOUT_PATH,
    command::EXECV_AND_ONE_CODE,
    command::EMPTY_ENVIRONMENT,
    command::CHILD_FORKS_AND_ENDS,
    command::CHILD_FORKS_AND_ENDS_LATE,
    command::NAME_CUT,
    command::SIGNALS_BLOCKED,
    command::UMASK_OF_THE_CALLER,
    command::START_WAITS,
    command::STARTS_NOTHING,
    failures::RELATIVE_PATH_OF_PROC,
    failures::ERRORS_ONLY_PRINTED,
    failures::RUNS_WITHOUT_NAMESPACES,
    failures::CHILD_EXITS_WITH_0,
    failures::NOTHING_SAID,
    failures::TOLD_ON_STDOUT,
    failures::CHILD_EXITS_WITH_1,
    failures::ALWAYS_127,
    failures::ALWAYS_125,
    failures::WITHOUT_WHAT_IS_REFUSED,
    failures::PROC_IF_IT_MAY_BE,
    command::FILES_CLOSED,
    command::READY_WHEN_IT_ENDS,
    command::READY_AND_LEFT_OPEN,
    waiting::WAIT_DOES_NOT_WAIT,
    waiting::WAIT_FOR_ANY_CHILD,
    waiting::ZOMBIE_LEFT,
    waiting::STATUS_NOT_READ,
    waiting::SIGNAL_IS_AN_ERROR,
    waiting::NO_CHILD_IS_SUCCESS,
    waiting::STOP_IS_AN_END,
    codes::ALWAYS_0,
    codes::EXIT_CODE_AS_I8,
    codes::SIGNAL_WITHOUT_128,
    codes::SIGNAL_IS_0,
    codes::SIGNAL_IS_MINUS_1,
    codes::CORE_DUMP_COUNTED,
    codes::EXIT_CODE_OF_7_BITS,
    codes::SIGNAL_IS_NEGATIVE,
    codes::STOPPED_HAS_A_CODE,
    command::VARIABLES_AS_TEXT,
    command::FOUND_PATH_IN_PLACE_OF_THE_NAME,
    command::EXISTS_DECIDES,
    command::CALLER_IGNORES_INTERRUPTS,
];
