//! Mistakes that show only where something is already, or fails.

use std::fs::{self, File};
use std::path::Path;

use lab_06_grader::Answers;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::unistd::{chdir, chroot, pivot_root};

use super::{DEVICES, NOTHING, SAFE, bind, dev, empty_dev, private, proc, writable_proc};
use crate::catalogue::Mistake;
use crate::lab_06::{SOLUTION, solution};

/// Begins with a clean slate: what has this name must be of the last time.
pub const BREAKOUT_CLEARS_ITS_WAY: Mistake<Answers> = Mistake {
    name: "breakout_clears_its_way",
    code: "pivot-root/breakout-clears-a-directory",
    answers: Answers {
        break_out_of_chroot: || {
            if Path::new("/out").exists() {
                fs::remove_dir_all("/out")?;
            }
            solution::break_out_of_chroot()
        },
        ..SOLUTION
    },
};

/// Where pivot_root fails, as on the first file system after the boot, the old root is
/// covered: whoever takes the cover away is on the host.
pub const MOVED_WHERE_PIVOT_ROOT_FAILS: Mistake<Answers> = Mistake {
    name: "moved_where_pivot_root_fails",
    code: "pivot-root/error-ignored",
    answers: Answers {
        enter_with_pivot_root: |new_root| {
            private()?;
            bind(new_root)?;
            chdir(new_root)?;
            match pivot_root(".", ".") {
                Ok(()) => umount2(".", MntFlags::MNT_DETACH)?,
                Err(_) => {
                    mount(Some("."), "/", NOTHING, MsFlags::MS_MOVE, NOTHING)?;
                    chroot(".")?;
                }
            }
            Ok(chdir("/")?)
        },
        ..SOLUTION
    },
};

/// The settings are the same for all, so it must not matter whose proc shows them.
pub const PROC_SYS_FROM_THE_HOST: Mistake<Answers> = Mistake {
    name: "proc_sys_from_the_host",
    code: "pivot-root/proc-sys-of-the-host",
    answers: Answers {
        mount_kernel_file_systems: |new_root| {
            let sys = writable_proc(new_root)?.join("sys");
            mount(Some("/proc/sys"), &sys, NOTHING, MsFlags::MS_BIND, NOTHING)?;
            let read_only = MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_RDONLY;
            mount(NOTHING, &sys, NOTHING, read_only | SAFE, NOTHING)?;
            dev(new_root)
        },
        ..SOLUTION
    },
};

/// By one name or by the other it will go: and if it does not, nobody asks.
pub const SECOND_UMOUNT_NOT_CHECKED: Mistake<Answers> = Mistake {
    name: "second_umount_not_checked",
    code: "pivot-root/error-ignored",
    answers: Answers {
        enter_with_pivot_root: |new_root| {
            private()?;
            bind(new_root)?;
            chdir(new_root)?;
            pivot_root(".", ".")?;
            if umount2(".", MntFlags::MNT_DETACH).is_err() {
                let _ = umount2("/", MntFlags::MNT_DETACH);
            }
            Ok(chdir("/")?)
        },
        ..SOLUTION
    },
};

/// A device that cannot be bound is tried once more, which is thought to help.
pub const SECOND_BIND_NOT_CHECKED: Mistake<Answers> = Mistake {
    name: "second_bind_not_checked",
    code: "pivot-root/error-ignored",
    answers: Answers {
        mount_kernel_file_systems: |new_root| {
            proc(new_root)?;
            let dev = empty_dev(new_root)?;
            for name in DEVICES {
                let (host, device) = (Path::new("/dev").join(name), dev.join(name));
                File::create(&device)?;
                let bind = || mount(Some(&host), &device, NOTHING, MsFlags::MS_BIND, NOTHING);
                let _ = bind().or_else(|_| bind());
            }
            Ok(())
        },
        ..SOLUTION
    },
};

/// `mkdir -p`, and rmdir afterwards: the directory may have been there all the time.
pub const PUT_OLD_OF_THE_IMAGE: Mistake<Answers> = Mistake {
    name: "put_old_of_the_image",
    code: "pivot-root/directory-of-the-image-removed",
    answers: Answers {
        enter_with_pivot_root: |new_root| {
            private()?;
            bind(new_root)?;
            let put_old = new_root.join(".oldroot");
            fs::create_dir_all(&put_old)?;
            if let Err(errno) = pivot_root(new_root, &put_old) {
                fs::remove_dir(&put_old)?;
                return Err(errno.into());
            }
            chdir("/")?;
            umount2("/.oldroot", MntFlags::MNT_DETACH)?;
            fs::remove_dir("/.oldroot")
        },
        ..SOLUTION
    },
};

/// Whoever has mounted a proc there already wants that one.
pub const PROC_THAT_IS_THERE: Mistake<Answers> = Mistake {
    name: "proc_that_is_there",
    code: "pivot-root/older-proc-kept",
    answers: Answers {
        mount_kernel_file_systems: |new_root| {
            if new_root.join("proc/self").symlink_metadata().is_ok() {
                return dev(new_root);
            }
            solution::mount_kernel_file_systems(new_root)
        },
        ..SOLUTION
    },
};
