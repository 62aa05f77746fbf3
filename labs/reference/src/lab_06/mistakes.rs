//! What people get wrong in lab 06.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use lab_06_grader::Answers;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::unistd::{chdir, chroot, pivot_root};

use super::{SOLUTION, solution};
use crate::catalogue::Mistake;

const NOTHING: Option<&str> = None;
const PRIVATE: MsFlags = MsFlags::MS_PRIVATE.union(MsFlags::MS_REC);
const BIND: MsFlags = MsFlags::MS_BIND.union(MsFlags::MS_REC);
const SAFE: MsFlags = MsFlags::MS_NOSUID.union(MsFlags::MS_NODEV).union(MsFlags::MS_NOEXEC);

/// Makes everything private.
fn private() -> nix::Result<()> {
    mount(NOTHING, "/", NOTHING, PRIVATE, NOTHING)
}

/// Makes a folder a mount point.
fn bind(folder: &Path) -> nix::Result<()> {
    mount(Some(folder), folder, NOTHING, BIND, NOTHING)
}

/// All of the solution's /dev, after another /proc.
fn dev(new_root: &Path) -> io::Result<()> {
    let dev = new_root.join("dev");
    mount(Some("tmpfs"), &dev, Some("tmpfs"), MsFlags::MS_NOSUID, Some("mode=755"))?;
    devices(&dev)
}

fn devices(dev: &Path) -> io::Result<()> {
    for name in ["null", "zero", "full", "random", "urandom", "tty"] {
        File::create(dev.join(name))?;
        let host = Path::new("/dev").join(name);
        mount(Some(&host), &dev.join(name), NOTHING, MsFlags::MS_BIND, NOTHING)?;
    }
    Ok(())
}

/// All of the solution's /proc, before another /dev.
fn proc(new_root: &Path) -> io::Result<()> {
    let proc = new_root.join("proc");
    mount(Some("proc"), &proc, Some("proc"), SAFE, NOTHING)?;
    let sys = proc.join("sys");
    mount(Some(&sys), &sys, NOTHING, MsFlags::MS_BIND, NOTHING)?;
    let read_only = MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_RDONLY;
    Ok(mount(NOTHING, &sys, NOTHING, read_only | SAFE, NOTHING)?)
}

/// See each one's comment.
pub static MISTAKES: &[Mistake<Answers>] = &[
    // Whoever reads only chroot(2)'s first line: a relative path leads outside.
    Mistake {
        name: "chroot_without_chdir",
        code: "pivot-root/chroot-without-chdir",
        answers: Answers { enter_with_chroot: |new_root| Ok(chroot(new_root)?), ..SOLUTION },
    },
    // Takes the working directory for the root.
    Mistake {
        name: "only_chdir",
        code: "pivot-root/only-chdir",
        answers: Answers { enter_with_chroot: |new_root| Ok(chdir(new_root)?), ..SOLUTION },
    },
    // Ok(()) to see what the tests say.
    Mistake {
        name: "chroot_does_nothing",
        code: "answer/did-nothing",
        answers: Answers { enter_with_chroot: |_| Ok(()), ..SOLUTION },
    },
    // Goes into the new folder, so that the working directory is inside of it.
    Mistake {
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
    },
    // Is outside with the working directory, and leaves the root where it was.
    Mistake {
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
    },
    // One `..`: the folder that holds the old root is not the host's root.
    Mistake {
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
    },
    // chroot is simpler, and looks the same from inside.
    Mistake {
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
    },
    // The man page's first condition, overlooked: EINVAL.
    Mistake {
        name: "new_root_is_no_mount_point",
        code: "pivot-root/new-root-not-a-mount-point",
        answers: Answers {
            enter_with_pivot_root: |new_root| {
                private()?;
                chdir(new_root)?;
                pivot_root(".", ".")?;
                umount2(".", MntFlags::MNT_DETACH)?;
                Ok(chdir("/")?)
            },
            ..SOLUTION
        },
    },
    // Works in a VM without systemd; elsewhere everything is shared: EINVAL, and
    // the bind mount shows on the host.
    Mistake {
        name: "nothing_made_private",
        code: "pivot-root/still-shared",
        answers: Answers {
            enter_with_pivot_root: |new_root| {
                bind(new_root)?;
                chdir(new_root)?;
                pivot_root(".", ".")?;
                umount2(".", MntFlags::MNT_DETACH)?;
                Ok(chdir("/")?)
            },
            ..SOLUTION
        },
    },
    // The blog's own first version: MS_REC forgotten.
    Mistake {
        name: "private_without_rec",
        code: "pivot-root/private-not-recursive",
        answers: Answers {
            enter_with_pivot_root: |new_root| {
                mount(NOTHING, "/", NOTHING, MsFlags::MS_PRIVATE, NOTHING)?;
                bind(new_root)?;
                chdir(new_root)?;
                pivot_root(".", ".")?;
                umount2(".", MntFlags::MNT_DETACH)?;
                Ok(chdir("/")?)
            },
            ..SOLUTION
        },
    },
    // A put_old somewhere else on the host: EINVAL.
    Mistake {
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
    },
    // The error is only printed: the command would run on the host's root.
    Mistake {
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
    },
    // The old root has mounts of its own: EBUSY.
    Mistake {
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
    },
    // pivot_root worked, so it is left at that: the host is in /.pivot_root.
    Mistake {
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
    },
    // Made private is only what pivot_root asks for; then the old root goes,
    // and with it the host's own mounts.
    Mistake {
        name: "old_root_detached_while_shared",
        code: "pivot-root/host-unmounted",
        answers: Answers {
            enter_with_pivot_root: |new_root| {
                mount(NOTHING, "/tmp", NOTHING, MsFlags::MS_PRIVATE, NOTHING)?;
                bind(new_root)?;
                chdir(new_root)?;
                pivot_root(".", ".")?;
                umount2(".", MntFlags::MNT_DETACH)?;
                Ok(chdir("/")?)
            },
            ..SOLUTION
        },
    },
    // The blog's .pivot_root, made and not removed: EEXIST the next time.
    Mistake {
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
    },
    // The root is the new one, the working directory is not in it.
    Mistake {
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
    },
    Mistake {
        name: "pivot_does_nothing",
        code: "answer/did-nothing",
        answers: Answers { enter_with_pivot_root: |_| Ok(()), ..SOLUTION },
    },
    // Thinks that a program needs nothing but its files.
    Mistake {
        name: "no_proc",
        code: "pivot-root/proc-not-mounted",
        answers: Answers { mount_kernel_file_systems: dev, ..SOLUTION },
    },
    // The host's processes are seen, and can be killed by their numbers.
    Mistake {
        name: "proc_bound_from_the_host",
        code: "pivot-root/proc-of-the-host",
        answers: Answers {
            mount_kernel_file_systems: |new_root| {
                mount(Some("/proc"), &new_root.join("proc"), NOTHING, BIND, NOTHING)?;
                dev(new_root)
            },
            ..SOLUTION
        },
    },
    // mount -t proc proc /proc, as every tutorial has it.
    Mistake {
        name: "proc_without_flags",
        code: "pivot-root/proc-without-flags",
        answers: Answers {
            mount_kernel_file_systems: |new_root| {
                let proc = new_root.join("proc");
                mount(Some("proc"), &proc, Some("proc"), MsFlags::empty(), NOTHING)?;
                dev(new_root)
            },
            ..SOLUTION
        },
    },
    // The blog's /proc: the kernel's knobs can be turned from inside.
    Mistake {
        name: "proc_sys_left_writable",
        code: "pivot-root/proc-sys-writable",
        answers: Answers {
            mount_kernel_file_systems: |new_root| {
                let proc = new_root.join("proc");
                mount(Some("proc"), &proc, Some("proc"), SAFE, NOTHING)?;
                dev(new_root)
            },
            ..SOLUTION
        },
    },
    // MS_RDONLY is ignored when a bind mount is made.
    Mistake {
        name: "read_only_bind_in_one_call",
        code: "pivot-root/read-only-bind-in-one-call",
        answers: Answers {
            mount_kernel_file_systems: |new_root| {
                let proc = new_root.join("proc");
                mount(Some("proc"), &proc, Some("proc"), SAFE, NOTHING)?;
                let sys = proc.join("sys");
                let read_only = MsFlags::MS_BIND | MsFlags::MS_RDONLY;
                mount(Some(&sys), &sys, NOTHING, read_only, NOTHING)?;
                dev(new_root)
            },
            ..SOLUTION
        },
    },
    // No /dev at all.
    Mistake {
        name: "no_dev",
        code: "pivot-root/dev-not-mounted",
        answers: Answers { mount_kernel_file_systems: proc, ..SOLUTION },
    },
    // The blog's /dev: a tmpfs and nothing in it. The first `> /dev/null` makes a
    // file that grows.
    Mistake {
        name: "dev_left_empty",
        code: "pivot-root/dev-is-empty",
        answers: Answers {
            mount_kernel_file_systems: |new_root| {
                proc(new_root)?;
                let dev = new_root.join("dev");
                let flags = MsFlags::MS_NOSUID;
                Ok(mount(Some("tmpfs"), &dev, Some("tmpfs"), flags, Some("mode=755"))?)
            },
            ..SOLUTION
        },
    },
    // mknod says EPERM in a user namespace, so ordinary files have to do.
    Mistake {
        name: "devices_as_files",
        code: "pivot-root/device-is-a-file",
        answers: Answers {
            mount_kernel_file_systems: |new_root| {
                proc(new_root)?;
                let dev = new_root.join("dev");
                let flags = MsFlags::MS_NOSUID;
                mount(Some("tmpfs"), &dev, Some("tmpfs"), flags, Some("mode=755"))?;
                for name in ["null", "zero", "full", "random", "urandom", "tty"] {
                    File::create(dev.join(name))?;
                }
                Ok(())
            },
            ..SOLUTION
        },
    },
    // "Safer" flags on the devices: opening them says EACCES.
    Mistake {
        name: "devices_on_nodev",
        code: "pivot-root/device-on-nodev",
        answers: Answers {
            mount_kernel_file_systems: |new_root| {
                solution::mount_kernel_file_systems(new_root)?;
                let flags = MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_RDONLY | SAFE;
                for name in ["null", "zero", "full", "random", "urandom", "tty"] {
                    let device = new_root.join("dev").join(name);
                    mount(NOTHING, &device, NOTHING, flags, NOTHING)?;
                }
                Ok(())
            },
            ..SOLUTION
        },
    },
    // The host's disks and terminals are all there.
    Mistake {
        name: "dev_bound_from_the_host",
        code: "pivot-root/dev-of-the-host",
        answers: Answers {
            mount_kernel_file_systems: |new_root| {
                proc(new_root)?;
                Ok(mount(Some("/dev"), &new_root.join("dev"), NOTHING, BIND, NOTHING)?)
            },
            ..SOLUTION
        },
    },
    // The empty files are made in the image: it is another one now.
    Mistake {
        name: "devices_bound_onto_the_image",
        code: "pivot-root/dev-on-the-image",
        answers: Answers {
            mount_kernel_file_systems: |new_root| {
                proc(new_root)?;
                devices(&new_root.join("dev"))
            },
            ..SOLUTION
        },
    },
];
