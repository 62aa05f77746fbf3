//! What is mounted, and where it shows.

use std::fs::File;

use lab_02_grader::Answers;
use mydocker_kernel::mountinfo::MountTable;
use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, setns, unshare};
use nix::unistd::fchdir;

use crate::catalogue::Mistake;
use crate::lab_02::SOLUTION;
use crate::lab_02::steps::{
    ALL, NOTHING, PRIVATE, SAFE, execute, mount_proc, prepare, propagate, start,
};

/// Works on a host without systemd; elsewhere the host's /proc is covered.
pub const NOTHING_MADE_PRIVATE: Mistake<Answers> = Mistake {
    name: "nothing_made_private",
    code: "run/propagation-left-shared",
    answers: Answers {
        start: |command| start(ALL, || mount_proc(SAFE), || execute(command)),
        ..SOLUTION
    },
};

/// The blog's own first version: `/` is private, /proc and /tmp are not.
pub const PRIVATE_WITHOUT_REC: Mistake<Answers> = Mistake {
    name: "private_without_rec",
    code: "run/private-not-recursive",
    answers: Answers {
        start: |command| {
            let prepare = || propagate(MsFlags::MS_PRIVATE).and_then(|()| mount_proc(SAFE));
            start(ALL, prepare, || execute(command))
        },
        ..SOLUTION
    },
};

/// A loop over the mount table, mount by mount: a path leads to the topmost one only.
pub const EACH_BY_ITS_PATH: Mistake<Answers> = Mistake {
    name: "each_by_its_path",
    code: "run/covered-mounts-left-shared",
    answers: Answers {
        start: |command| {
            let prepare = || {
                let table = MountTable::read().map_err(|_| Errno::EIO)?;
                for it in table.mounts {
                    let private = MsFlags::MS_PRIVATE;
                    match mount(NOTHING, &it.mount_point, NOTHING, private, NOTHING) {
                        // No path leads there.
                        Ok(()) | Err(Errno::EINVAL | Errno::ENOENT | Errno::ENOTDIR) => {}
                        Err(errno) => return Err(errno),
                    }
                }
                mount_proc(SAFE)
            };
            start(ALL, prepare, || execute(command))
        },
        ..SOLUTION
    },
};

/// Both calls are there: the first one has reached the host before the second.
pub const PRIVATE_AFTER_PROC: Mistake<Answers> = Mistake {
    name: "private_after_proc",
    code: "run/private-too-late",
    answers: Answers {
        start: |command| {
            let prepare = || mount_proc(SAFE).and_then(|()| propagate(PRIVATE));
            start(ALL, prepare, || execute(command))
        },
        ..SOLUTION
    },
};

/// In the parent, before clone: it is the host's own mounts that become private.
pub const HOST_MADE_PRIVATE: Mistake<Answers> = Mistake {
    name: "host_made_private",
    code: "run/host-made-private",
    answers: Answers {
        start: |command| {
            propagate(PRIVATE)?;
            start(ALL, || mount_proc(SAFE), || execute(command))
        },
        ..SOLUTION
    },
};

/// What runc does, for images that want the host's later mounts: a USB stick
/// that is plugged in shows in the container, and keeps busy.
pub const SLAVE_MOUNTS: Mistake<Answers> = Mistake {
    name: "slave_mounts",
    code: "run/slave-not-private",
    answers: Answers {
        start: |command| {
            let slave = MsFlags::MS_SLAVE.union(MsFlags::MS_REC);
            start(ALL, || propagate(slave).and_then(|()| mount_proc(SAFE)), || execute(command))
        },
        ..SOLUTION
    },
};

/// /proc is mounted by a process that is not in the new PID namespace; it goes
/// back to its own mounts afterwards.
pub const PROC_MOUNTED_BY_THE_CALLER: Mistake<Answers> = Mistake {
    name: "proc_mounted_by_the_caller",
    code: "run/proc-before-pid-namespace",
    answers: Answers {
        start: |command| {
            let own = File::open("/proc/self/ns/mnt")?;
            let here = File::open(".")?;
            unshare(CloneFlags::CLONE_NEWNS)?;
            let started = prepare()
                .map_err(Into::into)
                .and_then(|()| start(ALL, || propagate(PRIVATE), || execute(command)));
            // That leads to the root directory, too.
            setns(own, CloneFlags::CLONE_NEWNS)?;
            fchdir(here)?;
            started
        },
        ..SOLUTION
    },
};

/// A new PID namespace is thought to bring its /proc along.
pub const PROC_NOT_MOUNTED: Mistake<Answers> = Mistake {
    name: "proc_not_mounted",
    code: "run/proc-not-mounted",
    answers: Answers {
        start: |command| start(ALL, || propagate(PRIVATE), || execute(command)),
        ..SOLUTION
    },
};

/// mount -t proc proc /proc, as every tutorial has it.
pub const PROC_WITHOUT_FLAGS: Mistake<Answers> = Mistake {
    name: "proc_without_flags",
    code: "run/proc-without-flags",
    answers: Answers {
        start: |command| {
            let prepare = || propagate(PRIVATE).and_then(|()| mount_proc(MsFlags::empty()));
            start(ALL, prepare, || execute(command))
        },
        ..SOLUTION
    },
};
