//! Which calls are made to fail, and how each may fail by its man page.

/// A system call, and the errors that are tried of those that it may give.
#[derive(Debug)]
pub struct Call {
    /// As strace names it.
    pub name: &'static str,
    /// What the kernel may answer.
    pub errors: &'static [&'static str],
}

const fn call(name: &'static str, errors: &'static [&'static str]) -> Call {
    Call { name, errors }
}

/// The calls on files, mounts, namespaces, processes and control groups.
///
/// Errors that are an answer and no failure are left out: ENOENT of a stat,
/// EINVAL of a readlink, EAGAIN of a flock that is not to wait, EPERM where an
/// attribute is then left out with a note. ENOSYS is there where an older
/// kernel gives it and there is another way.
///
/// A close has no errors here, only its SIGKILL: the kernel closes the
/// descriptor also when it answers with an error, see close(2), but strace,
/// which leaves out the call, does not.
pub const CALLS: [Call; 60] = [
    // Files: their names, what is in them, what is said of them.
    call("openat", &["EPERM", "EMFILE", "ENOMEM", "ENOSPC", "EINTR", "EIO"]),
    call("openat2", &["EPERM", "EMFILE", "ENOMEM", "EINTR", "EIO"]),
    call("close", &[]),
    call("close_range", &["EINVAL", "EMFILE", "ENOMEM"]),
    call("read", &["EINVAL", "EINTR", "EIO"]),
    call("write", &["EPERM", "EBUSY", "EINVAL", "ENOSPC", "EINTR", "EIO"]),
    call("lseek", &["EINVAL", "EIO"]),
    call("getdents64", &["EINVAL", "EIO"]),
    call("statx", &["EACCES", "ENOMEM", "EIO"]),
    call("newfstatat", &["ENOMEM", "EIO"]),
    call("readlink", &["EACCES", "ENOMEM", "EIO"]),
    call("readlinkat", &["EACCES", "ENOMEM", "EIO"]),
    call("access", &["EACCES", "ENOMEM", "EIO"]),
    call("faccessat", &["EACCES", "ENOMEM", "EIO"]),
    call("faccessat2", &["EACCES", "ENOMEM", "EIO"]),
    call("mkdir", &["EPERM", "ENOMEM", "ENOSPC", "EIO"]),
    call("mkdirat", &["EPERM", "ENOMEM", "ENOSPC", "EIO"]),
    call("mknodat", &["EPERM", "ENOMEM", "ENOSPC", "EIO"]),
    call("symlink", &["EPERM", "ENOMEM", "ENOSPC", "EIO"]),
    call("symlinkat", &["EPERM", "ENOMEM", "ENOSPC", "EIO"]),
    call("linkat", &["EPERM", "ENOMEM", "ENOSPC", "EIO"]),
    call("rmdir", &["EPERM", "EBUSY", "ENOMEM", "EIO"]),
    call("unlink", &["EPERM", "EBUSY", "ENOMEM", "EIO"]),
    call("unlinkat", &["EPERM", "EBUSY", "ENOMEM", "EIO"]),
    call("renameat2", &["EPERM", "EBUSY", "EINVAL", "ENOSPC", "EIO"]),
    call("chmod", &["EPERM", "ENOMEM", "EIO"]),
    call("fchmod", &["EPERM", "ENOMEM", "EIO"]),
    call("fchmodat", &["EPERM", "ENOMEM", "EIO"]),
    call("chown", &["EPERM", "ENOMEM", "EIO"]),
    call("fchown", &["EPERM", "ENOMEM", "EIO"]),
    call("fchownat", &["EPERM", "ENOMEM", "EIO"]),
    call("utimensat", &["EPERM", "EACCES", "EIO"]),
    call("setxattr", &["ENOSPC", "EIO"]),
    call("fsetxattr", &["ENOSPC", "EIO"]),
    call("removexattr", &["EPERM", "EIO"]),
    call("chdir", &["EACCES", "ENOMEM", "EIO"]),
    call("getcwd", &["ENOENT", "ENOMEM"]),
    call("flock", &["EINVAL", "ENOLCK", "EINTR"]),
    call("fcntl", &["EINVAL", "EMFILE"]),
    call("dup2", &["EBUSY", "EMFILE", "EINTR"]),
    call("ioctl", &["EPERM", "EINVAL", "EIO"]),
    // Mounts.
    call("mount", &["EPERM", "ENOMEM", "EBUSY", "EINVAL", "ENOSPC", "EIO"]),
    call("umount2", &["EPERM", "ENOMEM", "EBUSY", "EINVAL"]),
    call("pivot_root", &["EPERM", "EBUSY", "EINVAL"]),
    call("open_tree", &["EPERM", "ENOMEM", "EINVAL", "EMFILE"]),
    call("move_mount", &["EPERM", "ENOMEM", "EBUSY", "EINVAL"]),
    call("mount_setattr", &["EPERM", "ENOMEM", "EBUSY", "EINVAL", "ENOSYS"]),
    // Namespaces and processes.
    call("clone", &["EPERM", "EAGAIN", "ENOMEM", "EINVAL", "ENOSPC"]),
    call("execve", &["EPERM", "ENOMEM", "EACCES", "EIO"]),
    call("wait4", &["EINVAL", "EINTR"]),
    call("prctl", &["EPERM", "EINVAL"]),
    call("capset", &["EPERM", "EINVAL"]),
    call("setsid", &["EPERM"]),
    call("sethostname", &["EPERM", "EINVAL"]),
    // What the two sides of a start talk through, and what the parent waits with.
    call("socketpair", &["EMFILE", "ENOMEM"]),
    call("socket", &["EPERM", "EINVAL", "EMFILE", "ENOMEM"]),
    call("sendmsg", &["ENOMEM", "EINTR", "EINVAL"]),
    call("recvmsg", &["ENOMEM", "EINTR", "EINVAL"]),
    call("poll", &["ENOMEM", "EINTR", "EINVAL"]),
    call("signalfd4", &["EINVAL", "EMFILE", "ENOMEM"]),
];

/// Calls on memory, on the actions and masks of signals, and such that cannot
/// fail. A call that is in neither list is reported, so that none is forgotten.
pub const LEFT_OUT: [&str; 16] = [
    "brk",
    "mmap",
    "munmap",
    "mremap",
    "madvise",
    "mprotect",
    "getrandom",
    "futex",
    "rt_sigaction",
    "rt_sigprocmask",
    "sigaltstack",
    "geteuid",
    "getegid",
    "getpid",
    "umask",
    "exit_group",
];
