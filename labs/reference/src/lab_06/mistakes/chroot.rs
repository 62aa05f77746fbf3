//! Mistakes on enter_with_chroot and break_out_of_chroot.

use std::fs;

use lab_06_grader::Answers;
use nix::unistd::{chdir, chroot};

use crate::catalogue::Mistake;
use crate::lab_06::SOLUTION;

/// Whoever reads only chroot(2)'s first line: a relative path leads outside.
pub const CHROOT_WITHOUT_CHDIR: Mistake<Answers> = Mistake {
    name: "chroot_without_chdir",
    code: "pivot-root/chroot-without-chdir",
    answers: Answers { enter_with_chroot: |new_root| Ok(chroot(new_root)?), ..SOLUTION },
};

/// Takes the working directory for the root.
pub const ONLY_CHDIR: Mistake<Answers> = Mistake {
    name: "only_chdir",
    code: "pivot-root/only-chdir",
    answers: Answers { enter_with_chroot: |new_root| Ok(chdir(new_root)?), ..SOLUTION },
};

/// Ok(()) to see what the tests say.
pub const CHROOT_DOES_NOTHING: Mistake<Answers> = Mistake {
    name: "chroot_does_nothing",
    code: "answer/did-nothing",
    answers: Answers { enter_with_chroot: |_| Ok(()), ..SOLUTION },
};

/// Goes into the new folder, so that the working directory is inside of it.
pub const BREAKOUT_FROM_INSIDE: Mistake<Answers> = Mistake {
    name: "breakout_from_inside",
    code: "pivot-root/breakout-from-inside",
    answers: Answers {
        break_out_of_chroot: || {
            fs::create_dir("/out")?;
            chroot("/out")?;
            chdir("/")?;
            for _ in 0..100 {
                chdir("..")?;
            }
            Ok(chroot(".")?)
        },
        ..SOLUTION
    },
};

/// Is outside with the working directory, and leaves the root where it was.
pub const BREAKOUT_NOT_FINISHED: Mistake<Answers> = Mistake {
    name: "breakout_not_finished",
    code: "pivot-root/breakout-not-finished",
    answers: Answers {
        break_out_of_chroot: || {
            fs::create_dir("/out")?;
            chroot("/out")?;
            for _ in 0..100 {
                chdir("..")?;
            }
            Ok(())
        },
        ..SOLUTION
    },
};

/// One `..`: the folder that holds the old root is not the host's root.
pub const BREAKOUT_ONE_STEP: Mistake<Answers> = Mistake {
    name: "breakout_one_step",
    code: "pivot-root/breakout-stops-half-way",
    answers: Answers {
        break_out_of_chroot: || {
            fs::create_dir("/out")?;
            chroot("/out")?;
            chdir("..")?;
            Ok(chroot(".")?)
        },
        ..SOLUTION
    },
};

/// It has always worked so far.
pub const CHROOT_ERROR_DROPPED: Mistake<Answers> = Mistake {
    name: "chroot_error_dropped",
    code: "pivot-root/error-ignored",
    answers: Answers {
        enter_with_chroot: |new_root| {
            let _ = chroot(new_root);
            Ok(chdir("/")?)
        },
        ..SOLUTION
    },
};

/// Goes up without the second chroot: `..` stops at the root.
pub const BREAKOUT_WITHOUT_CHROOT: Mistake<Answers> = Mistake {
    name: "breakout_without_chroot",
    code: "pivot-root/breakout-from-inside",
    answers: Answers {
        break_out_of_chroot: || {
            for _ in 0..100 {
                chdir("..")?;
            }
            Ok(chroot(".")?)
        },
        ..SOLUTION
    },
};
