//! Other right answers to lab 06, and wrong ones that no rule foresees.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use lab_06_grader::Answers;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::unistd::{chdir, chroot, fchdir, pivot_root};

use super::{SOLUTION, solution};
use crate::catalogue::Variant;

const NOTHING: Option<&str> = None;
const REMOUNT: MsFlags = MsFlags::MS_REMOUNT.union(MsFlags::MS_BIND);
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
    // Says it in its own words, and of each kind what the kernel says of it.
    Variant {
        name: "chroot_errors_in_own_words",
        answers: Answers {
            enter_with_chroot: |new_root| {
                let told = |error: io::Error| {
                    io::Error::new(error.kind(), format!("{}: {error}", new_root.display()))
                };
                if !new_root.metadata().map_err(told)?.is_dir() {
                    return Err(told(io::ErrorKind::NotADirectory.into()));
                }
                chroot(new_root)?;
                Ok(chdir("/")?)
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
    // No file of the image is in the way of this name.
    Variant {
        name: "breakout_by_a_free_name",
        answers: Answers {
            break_out_of_chroot: || {
                let names = (0..).map(|nth| format!("/.out-{nth}"));
                let mut free = names.filter(|name| !Path::new(name).exists());
                let name = free.next().expect("names without end");
                fs::create_dir(&name)?;
                chroot(name.as_str())?;
                for _ in 0..64 {
                    chdir("..")?;
                }
                Ok(chroot(".")?)
            },
            ..SOLUTION
        },
    },
    // The blog's way, with its directory, which is removed, whatever happens.
    Variant {
        name: "put_old_in_a_directory",
        answers: Answers {
            enter_with_pivot_root: |new_root| {
                mount(NOTHING, "/", NOTHING, MsFlags::MS_PRIVATE | MsFlags::MS_REC, NOTHING)?;
                mount(Some(new_root), new_root, NOTHING, BIND, NOTHING)?;
                let put_old = new_root.join(".pivot_root");
                fs::create_dir(&put_old)?;
                if let Err(errno) = pivot_root(new_root, &put_old) {
                    fs::remove_dir(&put_old)?;
                    return Err(errno.into());
                }
                chdir("/")?;
                umount2("/.pivot_root", MntFlags::MNT_DETACH)?;
                fs::remove_dir("/.pivot_root")
            },
            ..SOLUTION
        },
    },
    // runc's: by descriptors of both roots, the old one made a slave before it goes.
    Variant {
        name: "by_descriptors",
        answers: Answers {
            enter_with_pivot_root: |new_root| {
                mount(NOTHING, "/", NOTHING, MsFlags::MS_PRIVATE | MsFlags::MS_REC, NOTHING)?;
                mount(Some(new_root), new_root, NOTHING, BIND, NOTHING)?;
                let (old_root, new_root) = (File::open("/")?, File::open(new_root)?);
                fchdir(&new_root)?;
                pivot_root(".", ".")?;
                fchdir(&old_root)?;
                mount(NOTHING, ".", NOTHING, MsFlags::MS_SLAVE | MsFlags::MS_REC, NOTHING)?;
                umount2(".", MntFlags::MNT_DETACH)?;
                Ok(chdir("/")?)
            },
            ..SOLUTION
        },
    },
    // The old root by its old name.
    Variant {
        name: "umount_by_slash",
        answers: Answers {
            enter_with_pivot_root: |new_root| {
                mount(NOTHING, "/", NOTHING, MsFlags::MS_PRIVATE | MsFlags::MS_REC, NOTHING)?;
                mount(Some(new_root), new_root, NOTHING, BIND, NOTHING)?;
                chdir(new_root)?;
                pivot_root(".", ".")?;
                umount2("/", MntFlags::MNT_DETACH)?;
                Ok(chdir("/")?)
            },
            ..SOLUTION
        },
    },
    // The mode is set afterwards; proc/sys is read-only by two calls.
    Variant {
        name: "dev_by_chmod",
        answers: Answers {
            mount_kernel_file_systems: |new_root| {
                solution::mount_kernel_file_systems(new_root)?;
                let dev = new_root.join("dev");
                mount(NOTHING, &dev, NOTHING, REMOUNT.union(MsFlags::MS_NOSUID), NOTHING)?;
                fs::set_permissions(&dev, Permissions::from_mode(0o755))
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
                let new_root = &new_root.canonicalize()?;
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
];
