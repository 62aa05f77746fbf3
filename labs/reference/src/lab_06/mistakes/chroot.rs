//! Mistakes on enter_with_chroot and break_out_of_chroot.

use std::env;
use std::fs;
use std::io;
use std::path::Path;

use lab_06_grader::Answers;
use nix::errno::Errno;
use nix::unistd::{chdir, chroot};

use super::walk_up;
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

/// As mkdir -p in a script: a mistyped path becomes an empty root.
pub const ROOT_MADE_FOR_CHROOT: Mistake<Answers> = Mistake {
    name: "root_made_for_chroot",
    code: "pivot-root/new-root-made",
    answers: Answers {
        enter_with_chroot: |new_root| {
            fs::create_dir_all(new_root)?;
            chroot(new_root)?;
            Ok(chdir("/")?)
        },
        ..SOLUTION
    },
};

/// The root was entered: what can go wrong with a chdir into it?
pub const CHDIR_ERROR_DROPPED: Mistake<Answers> = Mistake {
    name: "chdir_error_dropped",
    code: "pivot-root/error-ignored",
    answers: Answers {
        enter_with_chroot: |new_root| {
            chroot(new_root)?;
            chdir("/").ok();
            Ok(())
        },
        ..SOLUTION
    },
};

/// Whether the last step works is not looked at.
pub const BREAKOUT_ERROR_DROPPED: Mistake<Answers> = Mistake {
    name: "breakout_error_dropped",
    code: "pivot-root/error-ignored",
    answers: Answers {
        break_out_of_chroot: || {
            walk_up()?;
            let _ = chroot(".");
            Ok(())
        },
        ..SOLUTION
    },
};

/// First in, then close the door behind: by a relative path there is no door inside.
pub const RELATIVE_PATH_TWICE: Mistake<Answers> = Mistake {
    name: "relative_path_twice",
    code: "pivot-root/relative-path-fails",
    answers: Answers {
        enter_with_chroot: |new_root| {
            chdir(new_root)?;
            chroot(new_root)?;
            Ok(chdir("/")?)
        },
        ..SOLUTION
    },
};

/// As many steps up as the tests' own root lies deep.
pub const BREAKOUT_OF_A_FEW_STEPS: Mistake<Answers> = Mistake {
    name: "breakout_of_a_few_steps",
    code: "pivot-root/breakout-stops-half-way",
    answers: Answers {
        break_out_of_chroot: || {
            fs::create_dir_all("/out")?;
            chroot("/out")?;
            for _ in 0..8 {
                chdir("..")?;
            }
            Ok(chroot(".")?)
        },
        ..SOLUTION
    },
};

/// "If it fails, it is not there": the kernel's own error is thrown away.
pub const EVERY_CHROOT_ERROR_IS_ENOENT: Mistake<Answers> = Mistake {
    name: "every_chroot_error_is_enoent",
    code: "pivot-root/another-error",
    answers: Answers {
        enter_with_chroot: |new_root| {
            chroot(new_root).map_err(|_| Errno::ENOENT)?;
            Ok(chdir("/")?)
        },
        ..SOLUTION
    },
};

/// Looks first, in order to say it in plain words, and says the same of a file.
pub const FILE_IS_NOT_FOUND: Mistake<Answers> = Mistake {
    name: "file_is_not_found",
    code: "pivot-root/another-error",
    answers: Answers {
        enter_with_chroot: |new_root| {
            if !new_root.is_dir() {
                let words = format!("no directory {}", new_root.display());
                return Err(io::Error::new(io::ErrorKind::NotFound, words));
            }
            chroot(new_root)?;
            Ok(chdir("/")?)
        },
        ..SOLUTION
    },
};

/// Keeps the caller's place, where the new root has it.
pub const PLACE_IN_THE_NEW_ROOT_KEPT: Mistake<Answers> = Mistake {
    name: "place_in_the_new_root_kept",
    code: "pivot-root/working-directory-below-the-root",
    answers: Answers {
        enter_with_chroot: |new_root| {
            let here = env::current_dir()?;
            let place = here.strip_prefix(new_root).unwrap_or(Path::new(""));
            chroot(new_root)?;
            Ok(chdir(&Path::new("/").join(place))?)
        },
        ..SOLUTION
    },
};

/// Saves the mkdir: every image has an /etc.
pub const BREAKOUT_BY_THE_IMAGES_OWN: Mistake<Answers> = Mistake {
    name: "breakout_by_the_images_own",
    code: "pivot-root/breakout-needs-files",
    answers: Answers {
        break_out_of_chroot: || {
            chroot("/etc")?;
            for _ in 0..100 {
                chdir("..")?;
            }
            Ok(chroot(".")?)
        },
        ..SOLUTION
    },
};

/// 64 directories, and the first step up is thought to be the one out of the new one.
pub const BREAKOUT_COUNTED_WRONGLY: Mistake<Answers> = Mistake {
    name: "breakout_counted_wrongly",
    code: "pivot-root/breakout-stops-half-way",
    answers: Answers {
        break_out_of_chroot: || {
            fs::create_dir_all("/out")?;
            chroot("/out")?;
            for _ in 1..64 {
                chdir("..")?;
            }
            Ok(chroot(".")?)
        },
        ..SOLUTION
    },
};
