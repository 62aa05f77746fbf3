//! Mistakes on enter_with_pivot_root.

use std::fs::{self, File};
use std::os::fd::IntoRawFd;

use lab_06_grader::Answers;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::unistd::{chdir, chroot, fchdir, pivot_root};

use super::{NOTHING, bind, pivot, private};
use crate::catalogue::Mistake;
use crate::lab_06::{SOLUTION, solution};

/// chroot is simpler, and looks the same from inside.
pub const CHROOT_INSTEAD_OF_PIVOT_ROOT: Mistake<Answers> = Mistake {
    name: "chroot_instead_of_pivot_root",
    code: "pivot-root/chroot-instead",
    answers: Answers {
        enter_with_pivot_root: |new_root| {
            private()?;
            bind(new_root)?;
            solution::enter_with_chroot(new_root)
        },
        ..SOLUTION
    },
};

/// The man page's first condition, overlooked: EINVAL.
pub const NEW_ROOT_IS_NO_MOUNT_POINT: Mistake<Answers> = Mistake {
    name: "new_root_is_no_mount_point",
    code: "pivot-root/new-root-not-a-mount-point",
    answers: Answers {
        enter_with_pivot_root: |new_root| {
            private()?;
            pivot(new_root)
        },
        ..SOLUTION
    },
};

/// Works in a VM without systemd; elsewhere everything is shared: EINVAL, and
/// the bind mount shows on the host.
pub const NOTHING_MADE_PRIVATE: Mistake<Answers> = Mistake {
    name: "nothing_made_private",
    code: "pivot-root/still-shared",
    answers: Answers {
        enter_with_pivot_root: |new_root| {
            bind(new_root)?;
            pivot(new_root)
        },
        ..SOLUTION
    },
};

/// The blog's own first version: MS_REC forgotten.
pub const PRIVATE_WITHOUT_REC: Mistake<Answers> = Mistake {
    name: "private_without_rec",
    code: "pivot-root/private-not-recursive",
    answers: Answers {
        enter_with_pivot_root: |new_root| {
            mount(NOTHING, "/", NOTHING, MsFlags::MS_PRIVATE, NOTHING)?;
            bind(new_root)?;
            pivot(new_root)
        },
        ..SOLUTION
    },
};

/// A put_old somewhere else on the host: EINVAL.
pub const PUT_OLD_OUTSIDE: Mistake<Answers> = Mistake {
    name: "put_old_outside",
    code: "pivot-root/put-old-not-below",
    answers: Answers {
        enter_with_pivot_root: |new_root| {
            private()?;
            bind(new_root)?;
            fs::create_dir_all("/tmp/old")?;
            pivot_root(new_root, "/tmp/old")?;
            chdir("/")?;
            Ok(umount2("/tmp/old", MntFlags::MNT_DETACH)?)
        },
        ..SOLUTION
    },
};

/// The error is only printed: the command would run on the host's root.
pub const ERRORS_ONLY_PRINTED: Mistake<Answers> = Mistake {
    name: "errors_only_printed",
    code: "pivot-root/error-ignored",
    answers: Answers {
        enter_with_pivot_root: |new_root| {
            private()?;
            if let Err(error) = solution::enter_with_pivot_root(new_root) {
                eprintln!("pivot_root: {error}");
            }
            Ok(())
        },
        ..SOLUTION
    },
};

/// The old root has mounts of its own: EBUSY.
pub const UMOUNT_WITHOUT_DETACH: Mistake<Answers> = Mistake {
    name: "umount_without_detach",
    code: "pivot-root/umount-without-detach",
    answers: Answers {
        enter_with_pivot_root: |new_root| {
            private()?;
            bind(new_root)?;
            chdir(new_root)?;
            pivot_root(".", ".")?;
            umount2(".", MntFlags::empty())?;
            Ok(chdir("/")?)
        },
        ..SOLUTION
    },
};

/// pivot_root worked, so it is left at that: the host is in /.pivot_root.
pub const OLD_ROOT_LEFT_MOUNTED: Mistake<Answers> = Mistake {
    name: "old_root_left_mounted",
    code: "pivot-root/old-root-still-mounted",
    answers: Answers {
        enter_with_pivot_root: |new_root| {
            private()?;
            bind(new_root)?;
            let put_old = new_root.join(".pivot_root");
            fs::create_dir_all(&put_old)?;
            pivot_root(new_root, &put_old)?;
            Ok(chdir("/")?)
        },
        ..SOLUTION
    },
};

/// Made private is only what pivot_root asks for; then the old root goes,
/// and with it the host's own mounts.
pub const OLD_ROOT_DETACHED_WHILE_SHARED: Mistake<Answers> = Mistake {
    name: "old_root_detached_while_shared",
    code: "pivot-root/host-unmounted",
    answers: Answers {
        enter_with_pivot_root: |new_root| {
            mount(NOTHING, "/tmp", NOTHING, MsFlags::MS_PRIVATE, NOTHING)?;
            bind(new_root)?;
            pivot(new_root)
        },
        ..SOLUTION
    },
};

/// The blog's .pivot_root, made and not removed: EEXIST the next time.
pub const PUT_OLD_NOT_REMOVED: Mistake<Answers> = Mistake {
    name: "put_old_not_removed",
    code: "pivot-root/put-old-left-behind",
    answers: Answers {
        enter_with_pivot_root: |new_root| {
            private()?;
            bind(new_root)?;
            let put_old = new_root.join(".pivot_root");
            fs::create_dir(&put_old)?;
            pivot_root(new_root, &put_old)?;
            chdir("/")?;
            Ok(umount2("/.pivot_root", MntFlags::MNT_DETACH)?)
        },
        ..SOLUTION
    },
};

/// The root is the new one, the working directory is not in it.
pub const PIVOT_WITHOUT_CHDIR: Mistake<Answers> = Mistake {
    name: "pivot_without_chdir",
    code: "pivot-root/working-directory-outside",
    answers: Answers {
        enter_with_pivot_root: |new_root| {
            private()?;
            bind(new_root)?;
            let put_old = new_root.join(".pivot_root");
            fs::create_dir(&put_old)?;
            pivot_root(new_root, &put_old)?;
            umount2("/.pivot_root", MntFlags::MNT_DETACH)?;
            fs::remove_dir("/.pivot_root")
        },
        ..SOLUTION
    },
};

/// Ok(()) to see what the tests say.
pub const PIVOT_DOES_NOTHING: Mistake<Answers> = Mistake {
    name: "pivot_does_nothing",
    code: "answer/did-nothing",
    answers: Answers { enter_with_pivot_root: |_| Ok(()), ..SOLUTION },
};

/// What switch_root(8) does: the new root covers the old one, and one umount
/// takes it away.
pub const MOVED_OVER_THE_OLD_ROOT: Mistake<Answers> = Mistake {
    name: "moved_over_the_old_root",
    code: "pivot-root/old-root-covered",
    answers: Answers {
        enter_with_pivot_root: |new_root| {
            private()?;
            bind(new_root)?;
            chdir(new_root)?;
            mount(Some("."), "/", NOTHING, MsFlags::MS_MOVE, NOTHING)?;
            chroot(".")?;
            Ok(chdir("/")?)
        },
        ..SOLUTION
    },
};

/// The umount of the old root is a nicety: whether it works is not looked at.
pub const UMOUNT_ERROR_DROPPED: Mistake<Answers> = Mistake {
    name: "umount_error_dropped",
    code: "pivot-root/error-ignored",
    answers: Answers {
        enter_with_pivot_root: |new_root| {
            private()?;
            bind(new_root)?;
            chdir(new_root)?;
            pivot_root(".", ".")?;
            let _ = umount2(".", MntFlags::MNT_DETACH);
            Ok(chdir("/")?)
        },
        ..SOLUTION
    },
};

/// The path that put_old had before: it begins with new_root.
pub const UMOUNT_BY_THE_OLD_NAME: Mistake<Answers> = Mistake {
    name: "umount_by_the_old_name",
    code: "pivot-root/old-name-of-a-path",
    answers: Answers {
        enter_with_pivot_root: |new_root| {
            private()?;
            bind(new_root)?;
            let put_old = new_root.join(".pivot_root");
            fs::create_dir_all(&put_old)?;
            pivot_root(new_root, &put_old)?;
            chdir("/")?;
            umount2(&put_old, MntFlags::MNT_DETACH)?;
            fs::remove_dir(&put_old)
        },
        ..SOLUTION
    },
};

/// The blog's own: what was made before a call that fails stays, and the next start
/// says EEXIST.
pub const PUT_OLD_LEFT_BY_A_FAILURE: Mistake<Answers> = Mistake {
    name: "put_old_left_by_a_failure",
    code: "pivot-root/put-old-left-behind",
    answers: Answers {
        enter_with_pivot_root: |new_root| {
            private()?;
            bind(new_root)?;
            let put_old = new_root.join(".pivot_root");
            fs::create_dir(&put_old)?;
            pivot_root(new_root, &put_old)?;
            chdir("/")?;
            umount2("/.pivot_root", MntFlags::MNT_DETACH)?;
            fs::remove_dir("/.pivot_root")
        },
        ..SOLUTION
    },
};

/// As runc holds the old root to come back to it, and without closing it.
pub const OLD_ROOT_HELD_OPEN: Mistake<Answers> = Mistake {
    name: "old_root_held_open",
    code: "pivot-root/descriptor-of-the-old-root",
    answers: Answers {
        enter_with_pivot_root: |new_root| {
            let old_root = File::open("/")?;
            solution::enter_with_pivot_root(new_root)?;
            std::mem::forget(old_root);
            Ok(())
        },
        ..SOLUTION
    },
};

/// A directory somewhere on the host, and not its root, is as good a way back.
pub const HOME_HELD_OPEN: Mistake<Answers> = Mistake {
    name: "home_held_open",
    code: "pivot-root/descriptor-of-the-old-root",
    answers: Answers {
        enter_with_pivot_root: |new_root| {
            let _ = File::open(new_root.parent().unwrap_or(new_root))?.into_raw_fd();
            solution::enter_with_pivot_root(new_root)
        },
        ..SOLUTION
    },
};

/// runc's way back to the old root, for the umount, and not forth again.
pub const STAYS_ON_THE_OLD_ROOT: Mistake<Answers> = Mistake {
    name: "stays_on_the_old_root",
    code: "pivot-root/working-directory-outside",
    answers: Answers {
        enter_with_pivot_root: |new_root| {
            let old_root = File::open("/")?;
            private()?;
            bind(new_root)?;
            chdir(new_root)?;
            pivot_root(".", ".")?;
            fchdir(&old_root)?;
            Ok(umount2(".", MntFlags::MNT_DETACH)?)
        },
        ..SOLUTION
    },
};

/// pivot_root(".", ".") needs no directory, so that nothing seems to be left.
pub const OLD_ROOT_STACKED: Mistake<Answers> = Mistake {
    name: "old_root_stacked",
    code: "pivot-root/old-root-still-mounted",
    answers: Answers {
        enter_with_pivot_root: |new_root| {
            private()?;
            bind(new_root)?;
            chdir(new_root)?;
            pivot_root(".", ".")?;
            Ok(chdir("/")?)
        },
        ..SOLUTION
    },
};

/// The bind mount is made of the directory around it.
pub const PARENT_BECOMES_THE_ROOT: Mistake<Answers> = Mistake {
    name: "parent_becomes_the_root",
    code: "pivot-root/root-is-the-parent",
    answers: Answers {
        enter_with_pivot_root: |new_root| {
            solution::enter_with_pivot_root(new_root.parent().unwrap_or(new_root))
        },
        ..SOLUTION
    },
};

/// The call that all this is about is forgotten.
pub const PIVOT_FORGOTTEN: Mistake<Answers> = Mistake {
    name: "pivot_forgotten",
    code: "pivot-root/no-pivot-root",
    answers: Answers {
        enter_with_pivot_root: |new_root| {
            private()?;
            bind(new_root)?;
            chdir(new_root)?;
            umount2(".", MntFlags::MNT_DETACH)?;
            Ok(chdir("/")?)
        },
        ..SOLUTION
    },
};

/// Goes into new_root first, and covers it then.
pub const BIND_AFTER_CHDIR: Mistake<Answers> = Mistake {
    name: "bind_after_chdir",
    code: "pivot-root/chdir-before-the-bind",
    answers: Answers {
        enter_with_pivot_root: |new_root| {
            private()?;
            chdir(new_root)?;
            bind(new_root)?;
            pivot_root(".", ".")?;
            umount2(".", MntFlags::MNT_DETACH)?;
            Ok(chdir("/")?)
        },
        ..SOLUTION
    },
};

/// All that is needed, in another order: the host has the bind mount, too.
pub const PRIVATE_AFTER_THE_BIND: Mistake<Answers> = Mistake {
    name: "private_after_the_bind",
    code: "pivot-root/private-after-the-bind",
    answers: Answers {
        enter_with_pivot_root: |new_root| {
            bind(new_root)?;
            private()?;
            pivot(new_root)
        },
        ..SOLUTION
    },
};

/// Makes sure that there is a root, whatever the path is.
pub const ROOT_MADE_FOR_PIVOT: Mistake<Answers> = Mistake {
    name: "root_made_for_pivot",
    code: "pivot-root/new-root-made",
    answers: Answers {
        enter_with_pivot_root: |new_root| {
            fs::create_dir_all(new_root)?;
            solution::enter_with_pivot_root(new_root)
        },
        ..SOLUTION
    },
};

/// "Only" the propagation: pivot_root stops the start, but the host has the bind mount.
pub const PRIVATE_ERROR_DROPPED: Mistake<Answers> = Mistake {
    name: "private_error_dropped",
    code: "pivot-root/still-shared",
    answers: Answers {
        enter_with_pivot_root: |new_root| {
            let _ = private();
            bind(new_root)?;
            pivot(new_root)
        },
        ..SOLUTION
    },
};

/// As for an initial RAM disk, whose root cannot be pivoted away.
pub const CHROOT_WHERE_PIVOT_ROOT_FAILS: Mistake<Answers> = Mistake {
    name: "chroot_where_pivot_root_fails",
    code: "pivot-root/error-ignored",
    answers: Answers {
        enter_with_pivot_root: |new_root| {
            private()?;
            bind(new_root)?;
            chdir(new_root)?;
            if pivot_root(".", ".").is_err() {
                chroot(".")?;
            } else {
                umount2(".", MntFlags::MNT_DETACH)?;
            }
            Ok(chdir("/")?)
        },
        ..SOLUTION
    },
};
