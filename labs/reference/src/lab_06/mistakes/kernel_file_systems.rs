//! Mistakes on mount_kernel_file_systems.

use std::fs::File;

use lab_06_grader::Answers;
use nix::mount::{MsFlags, mount};
use nix::sys::stat::{Mode, SFlag, makedev, mknod};

use super::{BIND, NOTHING, SAFE, dev, devices, proc};
use crate::catalogue::Mistake;
use crate::lab_06::{SOLUTION, solution};

/// Thinks that a program needs nothing but its files.
pub const NO_PROC: Mistake<Answers> = Mistake {
    name: "no_proc",
    code: "pivot-root/proc-not-mounted",
    answers: Answers { mount_kernel_file_systems: dev, ..SOLUTION },
};

/// The host's processes are seen, and can be killed by their numbers.
pub const PROC_BOUND_FROM_THE_HOST: Mistake<Answers> = Mistake {
    name: "proc_bound_from_the_host",
    code: "pivot-root/proc-of-the-host",
    answers: Answers {
        mount_kernel_file_systems: |new_root| {
            mount(Some("/proc"), &new_root.join("proc"), NOTHING, BIND, NOTHING)?;
            dev(new_root)
        },
        ..SOLUTION
    },
};

/// mount -t proc proc /proc, as every tutorial has it.
pub const PROC_WITHOUT_FLAGS: Mistake<Answers> = Mistake {
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
};

/// The blog's /proc: the kernel's knobs can be turned from inside.
pub const PROC_SYS_LEFT_WRITABLE: Mistake<Answers> = Mistake {
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
};

/// MS_RDONLY is ignored when a bind mount is made.
pub const READ_ONLY_BIND_IN_ONE_CALL: Mistake<Answers> = Mistake {
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
};

/// No /dev at all.
pub const NO_DEV: Mistake<Answers> = Mistake {
    name: "no_dev",
    code: "pivot-root/dev-not-mounted",
    answers: Answers { mount_kernel_file_systems: proc, ..SOLUTION },
};

/// The blog's /dev: a tmpfs and nothing in it. The first `> /dev/null` makes a
/// file that grows.
pub const DEV_LEFT_EMPTY: Mistake<Answers> = Mistake {
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
};

/// mknod says EPERM in a user namespace, so ordinary files have to do.
pub const DEVICES_AS_FILES: Mistake<Answers> = Mistake {
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
};

/// "Safer" flags on the devices: opening them says EACCES.
pub const DEVICES_ON_NODEV: Mistake<Answers> = Mistake {
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
};

/// The host's disks and terminals are all there.
pub const DEV_BOUND_FROM_THE_HOST: Mistake<Answers> = Mistake {
    name: "dev_bound_from_the_host",
    code: "pivot-root/dev-of-the-host",
    answers: Answers {
        mount_kernel_file_systems: |new_root| {
            proc(new_root)?;
            Ok(mount(Some("/dev"), &new_root.join("dev"), NOTHING, BIND, NOTHING)?)
        },
        ..SOLUTION
    },
};

/// The empty files are made in the image: it is another one now.
pub const DEVICES_BOUND_ONTO_THE_IMAGE: Mistake<Answers> = Mistake {
    name: "devices_bound_onto_the_image",
    code: "pivot-root/dev-on-the-image",
    answers: Answers {
        mount_kernel_file_systems: |new_root| {
            proc(new_root)?;
            devices(&new_root.join("dev"))
        },
        ..SOLUTION
    },
};

/// Better a container without /proc than none.
pub const MOUNT_ERRORS_DROPPED: Mistake<Answers> = Mistake {
    name: "mount_errors_dropped",
    code: "pivot-root/error-ignored",
    answers: Answers {
        mount_kernel_file_systems: |new_root| {
            let _ = solution::mount_kernel_file_systems(new_root);
            Ok(())
        },
        ..SOLUTION
    },
};

/// As root would: in a user namespace mknod says EPERM.
pub const DEVICES_BY_MKNOD: Mistake<Answers> = Mistake {
    name: "devices_by_mknod",
    code: "pivot-root/device-by-mknod",
    answers: Answers {
        mount_kernel_file_systems: |new_root| {
            proc(new_root)?;
            let dev = new_root.join("dev");
            let flags = MsFlags::MS_NOSUID;
            mount(Some("tmpfs"), &dev, Some("tmpfs"), flags, Some("mode=755"))?;
            let mode = Mode::from_bits_truncate(0o666);
            Ok(mknod(&dev.join("null"), SFlag::S_IFCHR, mode, makedev(1, 3))?)
        },
        ..SOLUTION
    },
};

/// Expects the bind mount to make its target.
pub const DEVICES_BOUND_ONTO_NOTHING: Mistake<Answers> = Mistake {
    name: "devices_bound_onto_nothing",
    code: "pivot-root/nothing-to-bind-onto",
    answers: Answers {
        mount_kernel_file_systems: |new_root| {
            proc(new_root)?;
            let dev = new_root.join("dev");
            let flags = MsFlags::MS_NOSUID;
            mount(Some("tmpfs"), &dev, Some("tmpfs"), flags, Some("mode=755"))?;
            let null = dev.join("null");
            Ok(mount(Some("/dev/null"), &null, NOTHING, MsFlags::MS_BIND, NOTHING)?)
        },
        ..SOLUTION
    },
};
