//! Mistakes on mount_kernel_file_systems.

use std::fs::{self, File};
use std::path::Path;

use lab_06_grader::Answers;
use nix::errno::Errno;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::stat::{Mode, SFlag, makedev, mknod};

use super::{
    BIND, DEVICES, NOTHING, SAFE, dev, devices, devices_ignoring, empty_dev, proc, writable_proc,
};
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
            writable_proc(new_root)?;
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
            let sys = writable_proc(new_root)?.join("sys");
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
            empty_dev(new_root).map(drop)
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
            let dev = empty_dev(new_root)?;
            for name in DEVICES {
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
            for name in DEVICES {
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
            let dev = empty_dev(new_root)?;
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
            let dev = empty_dev(new_root)?;
            let null = dev.join("null");
            Ok(mount(Some("/dev/null"), &null, NOTHING, MsFlags::MS_BIND, NOTHING)?)
        },
        ..SOLUTION
    },
};

/// One mount less: proc itself is made read-only.
pub const PROC_ALL_READ_ONLY: Mistake<Answers> = Mistake {
    name: "proc_all_read_only",
    code: "pivot-root/proc-all-read-only",
    answers: Answers {
        mount_kernel_file_systems: |new_root| {
            let proc = writable_proc(new_root)?;
            let flags = MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_RDONLY;
            mount(NOTHING, &proc, NOTHING, flags | SAFE, NOTHING)?;
            dev(new_root)
        },
        ..SOLUTION
    },
};

/// MS_BIND is left out of the remount: that is one of the file system, wherever it is.
pub const PROC_REMOUNTED_AS_A_WHOLE: Mistake<Answers> = Mistake {
    name: "proc_remounted_as_a_whole",
    code: "pivot-root/proc-all-read-only",
    answers: Answers {
        mount_kernel_file_systems: |new_root| {
            let sys = writable_proc(new_root)?.join("sys");
            mount(Some(&sys), &sys, NOTHING, MsFlags::MS_BIND, NOTHING)?;
            let flags = MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY;
            mount(NOTHING, &sys, NOTHING, flags | SAFE, NOTHING)?;
            dev(new_root)
        },
        ..SOLUTION
    },
};

/// What is not there cannot be written to.
pub const PROC_SYS_COVERED: Mistake<Answers> = Mistake {
    name: "proc_sys_covered",
    code: "pivot-root/proc-sys-hidden",
    answers: Answers {
        mount_kernel_file_systems: |new_root| {
            let proc = writable_proc(new_root)?;
            let flags = SAFE | MsFlags::MS_RDONLY;
            mount(Some("tmpfs"), &proc.join("sys"), Some("tmpfs"), flags, NOTHING)?;
            dev(new_root)
        },
        ..SOLUTION
    },
};

/// A remount sets all flags anew: those that are not named are gone.
pub const PROC_SYS_WITHOUT_FLAGS: Mistake<Answers> = Mistake {
    name: "proc_sys_without_flags",
    code: "pivot-root/proc-without-flags",
    answers: Answers {
        mount_kernel_file_systems: |new_root| {
            let sys = writable_proc(new_root)?.join("sys");
            mount(Some(&sys), &sys, NOTHING, MsFlags::MS_BIND, NOTHING)?;
            let flags = MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_RDONLY;
            mount(NOTHING, &sys, NOTHING, flags, NOTHING)?;
            dev(new_root)
        },
        ..SOLUTION
    },
};

/// The tmpfs as it comes: everybody may write into /dev.
pub const DEV_AS_IT_COMES: Mistake<Answers> = Mistake {
    name: "dev_as_it_comes",
    code: "pivot-root/dev-mode",
    answers: Answers {
        mount_kernel_file_systems: |new_root| {
            proc(new_root)?;
            let dev = new_root.join("dev");
            mount(Some("tmpfs"), &dev, Some("tmpfs"), MsFlags::MS_NOSUID, NOTHING)?;
            devices(&dev)
        },
        ..SOLUTION
    },
};

/// Flags are for /proc.
pub const DEV_WITHOUT_NOSUID: Mistake<Answers> = Mistake {
    name: "dev_without_nosuid",
    code: "pivot-root/dev-without-nosuid",
    answers: Answers {
        mount_kernel_file_systems: |new_root| {
            proc(new_root)?;
            let dev = new_root.join("dev");
            mount(Some("tmpfs"), &dev, Some("tmpfs"), MsFlags::empty(), Some("mode=755"))?;
            devices(&dev)
        },
        ..SOLUTION
    },
};

/// Who has a terminal does not miss /dev/tty.
pub const NO_TTY: Mistake<Answers> = Mistake {
    name: "no_tty",
    code: "pivot-root/device-missing",
    answers: Answers {
        mount_kernel_file_systems: |new_root| {
            solution::mount_kernel_file_systems(new_root)?;
            let tty = new_root.join("dev/tty");
            umount2(&tty, MntFlags::empty())?;
            fs::remove_file(tty)
        },
        ..SOLUTION
    },
};

/// Two lists, and the second one is off by one.
pub const ZERO_IS_FULL: Mistake<Answers> = Mistake {
    name: "zero_is_full",
    code: "pivot-root/device-is-another",
    answers: Answers {
        mount_kernel_file_systems: |new_root| {
            solution::mount_kernel_file_systems(new_root)?;
            let zero = new_root.join("dev/zero");
            Ok(mount(Some("/dev/full"), &zero, NOTHING, MsFlags::MS_BIND, NOTHING)?)
        },
        ..SOLUTION
    },
};

/// A device that cannot be had is passed over.
pub const DEVICE_ERRORS_DROPPED: Mistake<Answers> = Mistake {
    name: "device_errors_dropped",
    code: "pivot-root/error-ignored",
    answers: Answers {
        mount_kernel_file_systems: |new_root| {
            proc(new_root)?;
            let dev = empty_dev(new_root)?;
            for name in DEVICES {
                File::create(dev.join(name))?;
                let host = Path::new("/dev").join(name);
                let _ = mount(Some(&host), &dev.join(name), NOTHING, MsFlags::MS_BIND, NOTHING);
            }
            Ok(())
        },
        ..SOLUTION
    },
};

/// A device that the host does not have is passed over.
pub const MISSING_DEVICE_PASSED_OVER: Mistake<Answers> = Mistake {
    name: "missing_device_passed_over",
    code: "pivot-root/error-ignored",
    answers: Answers {
        mount_kernel_file_systems: |new_root| {
            proc(new_root)?;
            devices_ignoring(&empty_dev(new_root)?, Some(Errno::ENOENT))
        },
        ..SOLUTION
    },
};

/// Asks for each device first, and goes on to the next where there is none.
pub const DEVICE_ASKED_FOR_FIRST: Mistake<Answers> = Mistake {
    name: "device_asked_for_first",
    code: "pivot-root/error-ignored",
    answers: Answers {
        mount_kernel_file_systems: |new_root| {
            proc(new_root)?;
            let dev = empty_dev(new_root)?;
            for name in DEVICES {
                let host = Path::new("/dev").join(name);
                if host.exists() {
                    File::create(dev.join(name))?;
                    mount(Some(&host), &dev.join(name), NOTHING, MsFlags::MS_BIND, NOTHING)?;
                }
            }
            Ok(())
        },
        ..SOLUTION
    },
};
