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
    command::EMPTY_ENVIRONMENT,
    command::START_WAITS,
    command::STARTS_NOTHING,
    failures::RELATIVE_PATH_OF_PROC,
    failures::ERRORS_ONLY_PRINTED,
    failures::RUNS_WITHOUT_NAMESPACES,
    failures::CHILD_EXITS_WITH_0,
    failures::NOTHING_SAID,
    failures::CHILD_EXITS_WITH_1,
    failures::ALWAYS_127,
    failures::ALWAYS_125,
    waiting::WAIT_DOES_NOT_WAIT,
    waiting::WAIT_FOR_ANY_CHILD,
    waiting::ZOMBIE_LEFT,
    waiting::STATUS_NOT_READ,
    waiting::SIGNAL_IS_AN_ERROR,
    codes::ALWAYS_0,
    codes::EXIT_CODE_AS_I8,
    codes::SIGNAL_WITHOUT_128,
    codes::SIGNAL_IS_0,
    codes::SIGNAL_IS_MINUS_1,
    codes::CORE_DUMP_COUNTED,
];
