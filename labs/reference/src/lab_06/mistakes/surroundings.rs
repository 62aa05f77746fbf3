//! Mistakes on what is in new_root, and around it, when the root is changed.

use std::fs::{self, File};
use std::os::fd::IntoRawFd;

use lab_06_grader::Answers;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::unistd::{chdir, fchdir, pivot_root};

use super::{NOTHING, bind, pivot, private};
use crate::catalogue::Mistake;
use crate::lab_06::{SOLUTION, solution};

/// `mnt` is there for something like this, and cleaned up afterwards.
pub const MNT_CLEANED_UP: Mistake<Answers> = Mistake {
    name: "mnt_cleaned_up",
    code: "pivot-root/directory-of-the-image-removed",
    answers: Answers {
        enter_with_pivot_root: |new_root| {
            private()?;
            bind(new_root)?;
            pivot_root(new_root, &new_root.join("mnt"))?;
            chdir("/")?;
            umount2("/mnt", MntFlags::MNT_DETACH)?;
            fs::remove_dir("/mnt")
        },
        ..SOLUTION
    },
};

/// The directory below the bind mount is held, and looks like the new root.
pub const NEW_ROOT_HELD_OPEN: Mistake<Answers> = Mistake {
    name: "new_root_held_open",
    code: "pivot-root/descriptor-of-the-old-root",
    answers: Answers {
        enter_with_pivot_root: |new_root| {
            let _ = File::open(new_root)?.into_raw_fd();
            solution::enter_with_pivot_root(new_root)
        },
        ..SOLUTION
    },
};

/// Goes to the new root by a descriptor that is older than its mount.
pub const ENTERED_BELOW_THE_BIND: Mistake<Answers> = Mistake {
    name: "entered_below_the_bind",
    code: "pivot-root/working-directory-outside",
    answers: Answers {
        enter_with_pivot_root: |new_root| {
            let directory = File::open(new_root)?;
            solution::enter_with_pivot_root(new_root)?;
            Ok(fchdir(&directory)?)
        },
        ..SOLUTION
    },
};

/// Without MS_REC, what is mounted below stays where it was.
pub const BOUND_WITHOUT_REC: Mistake<Answers> = Mistake {
    name: "bound_without_rec",
    code: "pivot-root/mounts-below-left-behind",
    answers: Answers {
        enter_with_pivot_root: |new_root| {
            private()?;
            mount(Some(new_root), new_root, NOTHING, MsFlags::MS_BIND, NOTHING)?;
            pivot(new_root)
        },
        ..SOLUTION
    },
};

/// Both arguments by the path that was given: from within, a relative one leads nowhere.
pub const PIVOT_BY_A_RELATIVE_PATH: Mistake<Answers> = Mistake {
    name: "pivot_by_a_relative_path",
    code: "pivot-root/relative-path-fails",
    answers: Answers {
        enter_with_pivot_root: |new_root| {
            private()?;
            bind(new_root)?;
            chdir(new_root)?;
            pivot_root(new_root, new_root)?;
            umount2("/", MntFlags::MNT_DETACH)?;
            Ok(chdir("/")?)
        },
        ..SOLUTION
    },
};

/// Stands in new_root, and still begins each path with it.
pub const MOUNTED_BY_A_RELATIVE_PATH: Mistake<Answers> = Mistake {
    name: "mounted_by_a_relative_path",
    code: "pivot-root/relative-path-fails",
    answers: Answers {
        mount_kernel_file_systems: |new_root| {
            chdir(new_root)?;
            solution::mount_kernel_file_systems(new_root)
        },
        ..SOLUTION
    },
};

/// An image without /dev gets one.
pub const DEV_MADE_IN_THE_IMAGE: Mistake<Answers> = Mistake {
    name: "dev_made_in_the_image",
    code: "pivot-root/mount-point-made",
    answers: Answers {
        mount_kernel_file_systems: |new_root| {
            fs::create_dir_all(new_root.join("dev"))?;
            solution::mount_kernel_file_systems(new_root)
        },
        ..SOLUTION
    },
};

/// A flag for each device, and not those that its mount has to keep.
pub const DEVICES_REMOUNTED: Mistake<Answers> = Mistake {
    name: "devices_remounted",
    code: "pivot-root/stopped-between-devices",
    answers: Answers {
        mount_kernel_file_systems: |new_root| {
            super::proc(new_root)?;
            let dev = super::empty_dev(new_root)?;
            for name in super::DEVICES {
                let (host, device) = (std::path::Path::new("/dev").join(name), dev.join(name));
                File::create(&device)?;
                mount(Some(&host), &device, NOTHING, MsFlags::MS_BIND, NOTHING)?;
                let flags = MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_NOEXEC;
                mount(NOTHING, &device, NOTHING, flags, NOTHING)?;
            }
            Ok(())
        },
        ..SOLUTION
    },
};
