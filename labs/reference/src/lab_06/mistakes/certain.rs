//! What people take for certain: which error a call returns, and what an image has.

use std::fs::File;
use std::io;
use std::path::Path;

use lab_06_grader::Answers;
use nix::errno::Errno;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::unistd::{chdir, chroot, pivot_root};

use super::{DEVICES, NOTHING, bind, devices_ignoring, empty_dev, pivot, private, proc};
use crate::catalogue::Mistake;
use crate::lab_06::{SOLUTION, solution};

/// EINVAL says that `/` is no mount point, and then it need not be private.
pub const EINVAL_IS_NO_MOUNT_POINT: Mistake<Answers> = Mistake {
    name: "einval_is_no_mount_point",
    code: "pivot-root/still-shared",
    answers: Answers {
        enter_with_pivot_root: |new_root| {
            match private() {
                Ok(()) | Err(Errno::EINVAL) => {}
                Err(errno) => return Err(errno.into()),
            }
            bind(new_root)?;
            pivot(new_root)
        },
        ..SOLUTION
    },
};

/// What is not there need not be entered.
pub const ENOENT_OF_CHDIR_IGNORED: Mistake<Answers> = Mistake {
    name: "enoent_of_chdir_ignored",
    code: "pivot-root/error-ignored",
    answers: Answers {
        enter_with_chroot: |new_root| {
            chroot(new_root)?;
            match chdir("/") {
                Ok(()) | Err(Errno::ENOENT) => Ok(()),
                Err(errno) => Err(errno.into()),
            }
        },
        ..SOLUTION
    },
};

/// Busy means that the device is bound there already.
pub const BUSY_MEANS_BOUND: Mistake<Answers> = Mistake {
    name: "busy_means_bound",
    code: "pivot-root/error-ignored",
    answers: Answers {
        mount_kernel_file_systems: |new_root| {
            proc(new_root)?;
            devices_ignoring(&empty_dev(new_root)?, Some(Errno::EBUSY))
        },
        ..SOLUTION
    },
};

/// Every image has a /mnt, so the old root goes there.
pub const PUT_OLD_IN_MNT: Mistake<Answers> = Mistake {
    name: "put_old_in_mnt",
    code: "pivot-root/root-needs-directories",
    answers: Answers {
        enter_with_pivot_root: |new_root| {
            private()?;
            bind(new_root)?;
            pivot_root(new_root, &new_root.join("mnt"))?;
            chdir("/")?;
            Ok(umount2("/mnt", MntFlags::MNT_DETACH)?)
        },
        ..SOLUTION
    },
};

/// An error is an error: one number for all of them.
pub const EVERY_PIVOT_ERROR_IS_EINVAL: Mistake<Answers> = Mistake {
    name: "every_pivot_error_is_einval",
    code: "pivot-root/another-error",
    answers: Answers {
        enter_with_pivot_root: |new_root| {
            solution::enter_with_pivot_root(new_root).map_err(|_| Errno::EINVAL.into())
        },
        ..SOLUTION
    },
};

/// The same for the mounts.
pub const EVERY_MOUNT_ERROR_IS_EPERM: Mistake<Answers> = Mistake {
    name: "every_mount_error_is_eperm",
    code: "pivot-root/another-error",
    answers: Answers {
        mount_kernel_file_systems: |new_root| {
            solution::mount_kernel_file_systems(new_root).map_err(|_| Errno::EPERM.into())
        },
        ..SOLUTION
    },
};

/// Does all steps, and tells of the first error at the end. Without the tmpfs the devices'
/// files are the image's.
pub const ERRORS_COLLECTED: Mistake<Answers> = Mistake {
    name: "errors_collected",
    code: "pivot-root/dev-on-the-image",
    answers: Answers {
        mount_kernel_file_systems: |new_root| {
            proc(new_root)?;
            let mut results: Vec<io::Result<()>> = Vec::new();
            let dev = new_root.join("dev");
            let flags = MsFlags::MS_NOSUID;
            let made = mount(Some("tmpfs"), &dev, Some("tmpfs"), flags, Some("mode=755"));
            results.push(made.map_err(io::Error::from));
            for name in DEVICES {
                results.push(File::create(dev.join(name)).map(drop));
                let host = Path::new("/dev").join(name);
                let bound = mount(Some(&host), &dev.join(name), NOTHING, MsFlags::MS_BIND, NOTHING);
                results.push(bound.map_err(io::Error::from));
            }
            results.into_iter().collect()
        },
        ..SOLUTION
    },
};

/// Unbindable is private, and more than that: mount(2) refuses the bind mount itself.
pub const MADE_UNBINDABLE: Mistake<Answers> = Mistake {
    name: "made_unbindable",
    code: "answer/returned-error",
    answers: Answers {
        enter_with_pivot_root: |new_root| {
            mount(NOTHING, "/", NOTHING, MsFlags::MS_UNBINDABLE | MsFlags::MS_REC, NOTHING)?;
            bind(new_root)?;
            pivot(new_root)
        },
        ..SOLUTION
    },
};
