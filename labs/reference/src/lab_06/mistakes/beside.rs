//! Mistakes by which something else is changed, that show only with other names, or where
//! a call fails for good.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use lab_06_grader::Answers;
use nix::mount::{MntFlags, umount2};
use nix::unistd::{chdir, chroot, pivot_root};

use super::{bind, dev, pivot, private, proc, walk_up};
use crate::catalogue::Mistake;
use crate::lab_06::{SOLUTION, solution};

/// A path is a string, is it not?
pub const ROOT_AS_TEXT: Mistake<Answers> = Mistake {
    name: "root_as_text",
    code: "pivot-root/path-as-text",
    answers: Answers {
        enter_with_chroot: |new_root| {
            chroot(&*new_root.to_string_lossy())?;
            Ok(chdir("/")?)
        },
        ..SOLUTION
    },
};

/// The unwrap never fails on the author's machine.
pub const ROOT_UNWRAPPED: Mistake<Answers> = Mistake {
    name: "root_unwrapped",
    code: "pivot-root/path-as-text",
    answers: Answers {
        enter_with_pivot_root: |new_root| {
            let new_root = new_root.to_str().expect("a path");
            solution::enter_with_pivot_root(Path::new(new_root))
        },
        ..SOLUTION
    },
};

/// Paths put together with format!.
pub const MOUNTED_BY_TEXT: Mistake<Answers> = Mistake {
    name: "mounted_by_text",
    code: "pivot-root/path-as-text",
    answers: Answers {
        mount_kernel_file_systems: |new_root| {
            let new_root = format!("{}", new_root.display());
            proc(Path::new(&new_root))?;
            dev(Path::new(&new_root))
        },
        ..SOLUTION
    },
};

/// Cleans up when it is out: the name means another directory by then.
pub const BREAKOUT_CLEANS_UP_OUTSIDE: Mistake<Answers> = Mistake {
    name: "breakout_cleans_up_outside",
    code: "pivot-root/host-directory-removed",
    answers: Answers {
        break_out_of_chroot: || {
            solution::break_out_of_chroot()?;
            let _ = fs::remove_dir("/out");
            Ok(())
        },
        ..SOLUTION
    },
};

/// Leaves a proof that it was there.
pub const BREAKOUT_LEAVES_A_PROOF: Mistake<Answers> = Mistake {
    name: "breakout_leaves_a_proof",
    code: "pivot-root/left-on-the-host",
    answers: Answers {
        break_out_of_chroot: || {
            solution::break_out_of_chroot()?;
            let _ = fs::create_dir("/escaped");
            Ok(())
        },
        ..SOLUTION
    },
};

/// One clean-up for all failures, by both names that the directory may have.
pub const CLEANS_UP_BY_THE_NEW_NAME: Mistake<Answers> = Mistake {
    name: "cleans_up_by_the_new_name",
    code: "pivot-root/host-directory-removed",
    answers: Answers {
        enter_with_pivot_root: |new_root| {
            private()?;
            bind(new_root)?;
            let put_old = new_root.join(".pivot_root");
            fs::create_dir(&put_old)?;
            let entered = pivot_root(new_root, &put_old)
                .and_then(|()| chdir("/"))
                .and_then(|()| umount2("/.pivot_root", MntFlags::MNT_DETACH));
            for name in [put_old.as_path(), Path::new("/.pivot_root")] {
                let _ = fs::remove_dir(name);
            }
            Ok(entered?)
        },
        ..SOLUTION
    },
};

/// Makes sure that everybody may enter the new root.
pub const NEW_ROOT_MADE_PUBLIC: Mistake<Answers> = Mistake {
    name: "new_root_made_public",
    code: "pivot-root/image-changed",
    answers: Answers {
        enter_with_pivot_root: |new_root| {
            private()?;
            bind(new_root)?;
            fs::set_permissions(new_root, Permissions::from_mode(0o777))?;
            pivot(new_root)
        },
        ..SOLUTION
    },
};

/// Tries once more, and does not look any more.
pub const SECOND_CHDIR_NOT_CHECKED: Mistake<Answers> = Mistake {
    name: "second_chdir_not_checked",
    code: "pivot-root/error-ignored",
    answers: Answers {
        enter_with_chroot: |new_root| {
            chroot(new_root)?;
            if chdir("/").is_err() {
                let _ = chdir("/");
            }
            Ok(())
        },
        ..SOLUTION
    },
};

/// The same, on the way out.
pub const SECOND_CHROOT_NOT_CHECKED: Mistake<Answers> = Mistake {
    name: "second_chroot_not_checked",
    code: "pivot-root/error-ignored",
    answers: Answers {
        break_out_of_chroot: || {
            walk_up()?;
            if chroot(".").is_err() {
                let _ = chroot(".");
            }
            Ok(())
        },
        ..SOLUTION
    },
};
