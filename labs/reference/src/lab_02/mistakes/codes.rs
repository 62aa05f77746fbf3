//! exit_code.

use lab_02_grader::Answers;
use nix::sys::wait::WaitStatus;

use crate::catalogue::Mistake;
use crate::lab_02::{SOLUTION, solution};

/// All is well, whatever has happened: `mydocker run false && deploy` deploys.
pub const ALWAYS_0: Mistake<Answers> = Mistake {
    name: "always_0",
    code: "run/exit-status-lost",
    answers: Answers { exit_code: |_| 0, ..SOLUTION },
};

/// Exit codes are thought to be signed bytes: 255 becomes -1.
pub const EXIT_CODE_AS_I8: Mistake<Answers> = Mistake {
    name: "exit_code_as_i8",
    code: "run/exit-code-truncated",
    answers: Answers {
        exit_code: |status| match status {
            WaitStatus::Exited(_, code) => i32::from(code as i8),
            other => solution::exit_code(other),
        },
        ..SOLUTION
    },
};

/// The signal's number alone: SIGINT looks like an exit code 2.
pub const SIGNAL_WITHOUT_128: Mistake<Answers> = Mistake {
    name: "signal_without_128",
    code: "run/signal-without-128",
    answers: Answers {
        exit_code: |status| match status {
            WaitStatus::Signaled(_, signal, _) => signal as i32,
            other => solution::exit_code(other),
        },
        ..SOLUTION
    },
};

/// WEXITSTATUS without WIFEXITED, in C: what was killed looks well.
pub const SIGNAL_IS_0: Mistake<Answers> = Mistake {
    name: "signal_is_0",
    code: "run/signal-is-success",
    answers: Answers {
        exit_code: |status| match status {
            WaitStatus::Exited(_, code) => code,
            _ => 0,
        },
        ..SOLUTION
    },
};

/// What Go's ExitCode() says: 255 in the shell, whatever the signal.
pub const SIGNAL_IS_MINUS_1: Mistake<Answers> = Mistake {
    name: "signal_is_minus_1",
    code: "run/signal-number-lost",
    answers: Answers {
        exit_code: |status| match status {
            WaitStatus::Exited(_, code) => code,
            _ => -1,
        },
        ..SOLUTION
    },
};

/// The bit for a core dump of the raw status is counted in.
pub const CORE_DUMP_COUNTED: Mistake<Answers> = Mistake {
    name: "core_dump_counted",
    code: "run/core-dump-counted",
    answers: Answers {
        exit_code: |status| match status {
            WaitStatus::Signaled(_, signal, true) => 128 + 128 + signal as i32,
            other => solution::exit_code(other),
        },
        ..SOLUTION
    },
};

/// Seven bits, as the raw status has them for a signal: 255 becomes 127.
pub const EXIT_CODE_OF_7_BITS: Mistake<Answers> = Mistake {
    name: "exit_code_of_7_bits",
    code: "run/exit-code-above-127-lost",
    answers: Answers {
        exit_code: |status| match status {
            WaitStatus::Exited(_, code) => code % 128,
            other => solution::exit_code(other),
        },
        ..SOLUTION
    },
};

/// What Python's subprocess has as returncode.
pub const SIGNAL_IS_NEGATIVE: Mistake<Answers> = Mistake {
    name: "signal_is_negative",
    code: "run/signal-is-negative",
    answers: Answers {
        exit_code: |status| match status {
            WaitStatus::Signaled(_, signal, _) => -(signal as i32),
            other => solution::exit_code(other),
        },
        ..SOLUTION
    },
};

/// A container that Ctrl-Z has stopped is taken for one that has ended.
pub const STOPPED_HAS_A_CODE: Mistake<Answers> = Mistake {
    name: "stopped_has_a_code",
    code: "run/exit-code-of-the-living",
    answers: Answers {
        exit_code: |status| match status {
            WaitStatus::Stopped(_, signal) => 128 + signal as i32,
            other => solution::exit_code(other),
        },
        ..SOLUTION
    },
};
