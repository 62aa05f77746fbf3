//! Other right answers to lab 06, and wrong ones that no rule foresees.

use std::fs;
use std::fs::File;
use std::path::Path;

use lab_06_grader::Answers;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::unistd::{chdir, chroot, fchdir, pivot_root};

use super::{SOLUTION, solution};
use crate::catalogue::Variant;

const NOTHING: Option<&str> = None;
const BIND: MsFlags = MsFlags::MS_BIND.union(MsFlags::MS_REC);

/// Right, and not as the solution does it.
pub static RIGHT: &[Variant<Answers>] = &[
    Variant {
        name: "chdir_before_chroot",
        answers: Answers {
            enter_with_chroot: |new_root| {
                chdir(new_root)?;
                Ok(chroot(".")?)
            },
            ..SOLUTION
        },
    },
    // The other classic: a descriptor of a directory outside.
    Variant {
        name: "breakout_by_descriptor",
        answers: Answers {
            break_out_of_chroot: || {
                let outside = File::open("/")?;
                fs::create_dir_all("/jail")?;
                chroot("/jail")?;
                fchdir(&outside)?;
                for _ in 0..1000 {
                    chdir("..")?;
                }
                Ok(chroot(".")?)
            },
            ..SOLUTION
        },
    },
    // The blog's way, with its folder, which is removed.
    Variant {
        name: "put_old_in_a_folder",
        answers: Answers {
            enter_with_pivot_root: |new_root| {
                mount(NOTHING, "/", NOTHING, MsFlags::MS_PRIVATE | MsFlags::MS_REC, NOTHING)?;
                mount(Some(new_root), new_root, NOTHING, BIND, NOTHING)?;
                let put_old = new_root.join(".pivot_root");
                fs::create_dir(&put_old)?;
                pivot_root(new_root, &put_old)?;
                chdir("/")?;
                umount2("/.pivot_root", MntFlags::MNT_DETACH)?;
                fs::remove_dir("/.pivot_root")
            },
            ..SOLUTION
        },
    },
    // runc's: slave in place of private.
    Variant {
        name: "slave_in_place_of_private",
        answers: Answers {
            enter_with_pivot_root: |new_root| {
                mount(NOTHING, "/", NOTHING, MsFlags::MS_SLAVE | MsFlags::MS_REC, NOTHING)?;
                mount(Some(new_root), new_root, NOTHING, BIND, NOTHING)?;
                // pivot_root asks that of the parent mount too.
                let parent = new_root.parent().unwrap_or(Path::new("/"));
                mount(Some(parent), parent, NOTHING, BIND, NOTHING)?;
                mount(NOTHING, parent, NOTHING, MsFlags::MS_PRIVATE, NOTHING)?;
                mount(Some(new_root), new_root, NOTHING, BIND, NOTHING)?;
                chdir(new_root)?;
                pivot_root(".", ".")?;
                umount2(".", MntFlags::MNT_DETACH)?;
                Ok(chdir("/")?)
            },
            ..SOLUTION
        },
    },
    // More than is asked for.
    Variant {
        name: "dev_with_pts_and_shm",
        answers: Answers {
            mount_kernel_file_systems: |new_root| {
                solution::mount_kernel_file_systems(new_root)?;
                for name in ["pts", "shm"] {
                    fs::create_dir(new_root.join("dev").join(name))?;
                }
                let shm = new_root.join("dev/shm");
                let safe = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
                mount(Some("tmpfs"), &shm, Some("tmpfs"), safe, Some("mode=1777"))?;
                std::os::unix::fs::symlink("/proc/self/fd", new_root.join("dev/fd"))
            },
            ..SOLUTION
        },
    },
];

/// Wrong, and so odd that only the evidence can be told.
pub static UNFORESEEN: &[Variant<Answers>] = &[
    // The root is another file system altogether.
    Variant {
        name: "root_is_an_empty_tmpfs",
        answers: Answers {
            enter_with_pivot_root: |new_root| {
                mount(NOTHING, "/", NOTHING, MsFlags::MS_PRIVATE | MsFlags::MS_REC, NOTHING)?;
                mount(Some("tmpfs"), new_root, Some("tmpfs"), MsFlags::empty(), NOTHING)?;
                chdir(new_root)?;
                pivot_root(".", ".")?;
                umount2(".", MntFlags::MNT_DETACH)?;
                Ok(chdir("/")?)
            },
            ..SOLUTION
        },
    },
    // All right, but one device is another one.
    Variant {
        name: "zero_is_full",
        answers: Answers {
            mount_kernel_file_systems: |new_root| {
                solution::mount_kernel_file_systems(new_root)?;
                let zero = new_root.join("dev/zero");
                Ok(mount(Some("/dev/full"), &zero, NOTHING, MsFlags::MS_BIND, NOTHING)?)
            },
            ..SOLUTION
        },
    },
];
