//! Which calls are made to fail, and how each may fail by its man page.
//!
//! They are told apart by what they do. Which of several names a deed has, the C
//! library and the processor decide: glibc asks for the state of a descriptor
//! with newfstatat(2) up to 2.38 and with fstat(2) since, arm64 has no mkdir(2)
//! but mkdirat(2), and 32-bit systems have a name of their own for what has a
//! time or an offset in it.

/// What a process asks of the kernel, and the errors that are tried of those
/// that it may get.
#[derive(Debug)]
pub struct Call {
    /// The system calls that do it, as strace names them.
    pub names: &'static [&'static str],
    /// What the kernel may answer.
    pub errors: &'static [&'static str],
}

const fn call(names: &'static [&'static str], errors: &'static [&'static str]) -> Call {
    Call { names, errors }
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
pub const CALLS: [Call; 63] = [
    // Files: their names, what is in them, what is said of them.
    call(&["open", "openat", "creat"], &["EPERM", "EMFILE", "ENOMEM", "ENOSPC", "EINTR", "EIO"]),
    call(&["openat2"], &["EPERM", "EAGAIN", "EMFILE", "ENOMEM", "EINTR", "EIO", "ENOSYS"]),
    call(&["close"], &[]),
    call(&["close_range"], &["EINVAL", "EMFILE", "ENOMEM", "ENOSYS"]),
    call(&["read", "readv", "pread64", "preadv", "preadv2"], &["EINVAL", "EINTR", "EIO"]),
    call(
        &["write", "writev", "pwrite64", "pwritev", "pwritev2"],
        &["EPERM", "EBUSY", "EINVAL", "ENOSPC", "EINTR", "EIO"],
    ),
    call(&["memfd_create"], &["EMFILE", "ENOMEM"]),
    call(
        &["copy_file_range", "sendfile", "sendfile64", "splice"],
        &["EINVAL", "ENOSPC", "ENOMEM", "EIO"],
    ),
    call(&["ftruncate", "ftruncate64"], &["EPERM", "EINTR", "EINVAL", "EIO"]),
    call(&["lseek", "_llseek"], &["EINVAL", "EIO"]),
    call(&["getdents", "getdents64"], &["EINVAL", "EIO"]),
    call(&["statx", "stat", "lstat", "stat64", "lstat64"], &["EACCES", "ENOMEM", "EIO"]),
    // Of a descriptor, where there is nothing that one might not enter.
    call(&["fstat", "fstat64", "newfstatat", "fstatat64"], &["ENOMEM", "EIO"]),
    call(&["readlink", "readlinkat"], &["EACCES", "ENOMEM", "EIO"]),
    call(&["access", "faccessat", "faccessat2"], &["EACCES", "ENOMEM", "EIO"]),
    call(&["mkdir", "mkdirat"], &["EPERM", "ENOMEM", "ENOSPC", "EIO"]),
    call(&["mknod", "mknodat"], &["EPERM", "ENOMEM", "ENOSPC", "EIO"]),
    call(&["symlink", "symlinkat"], &["EPERM", "ENOMEM", "ENOSPC", "EIO"]),
    call(&["link", "linkat"], &["EPERM", "ENOMEM", "ENOSPC", "EIO"]),
    call(&["unlink", "rmdir", "unlinkat"], &["EPERM", "EBUSY", "ENOMEM", "EIO"]),
    call(&["rename", "renameat", "renameat2"], &["EPERM", "EBUSY", "EINVAL", "ENOSPC", "EIO"]),
    call(&["chmod", "fchmod", "fchmodat", "fchmodat2"], &["EPERM", "ENOMEM", "EIO"]),
    call(
        &["chown", "lchown", "fchown", "fchownat", "chown32", "lchown32", "fchown32"],
        &["EPERM", "ENOMEM", "EIO"],
    ),
    call(&["utimensat", "utimensat_time64"], &["EPERM", "EACCES", "EIO"]),
    call(&["setxattr", "lsetxattr", "fsetxattr"], &["ENOSPC", "EIO"]),
    call(&["removexattr", "lremovexattr", "fremovexattr"], &["EPERM", "EIO"]),
    call(&["listxattr", "llistxattr", "flistxattr"], &["ENOMEM", "EIO"]),
    call(&["getxattr", "lgetxattr", "fgetxattr"], &["ENOMEM", "EIO"]),
    call(&["chdir", "fchdir"], &["EACCES", "ENOMEM", "EIO"]),
    call(&["getcwd"], &["ENOENT", "ENOMEM"]),
    call(&["flock"], &["EINVAL", "ENOLCK", "EINTR"]),
    call(&["fcntl", "fcntl64"], &["EINVAL", "EMFILE"]),
    call(&["dup", "dup2", "dup3"], &["EBUSY", "EMFILE", "EINTR"]),
    call(&["ioctl"], &["EPERM", "EINVAL", "EIO"]),
    // Mounts.
    call(&["mount"], &["EPERM", "ENOMEM", "EBUSY", "EINVAL", "ENOSPC", "EIO"]),
    call(&["umount", "umount2"], &["EPERM", "ENOMEM", "EBUSY", "EINVAL"]),
    call(&["pivot_root"], &["EPERM", "EBUSY", "EINVAL"]),
    call(&["open_tree"], &["EPERM", "ENOMEM", "EINVAL", "EMFILE"]),
    call(&["move_mount"], &["EPERM", "ENOMEM", "EBUSY", "EINVAL"]),
    call(&["mount_setattr"], &["EPERM", "ENOMEM", "EBUSY", "EINVAL", "ENOSYS"]),
    call(&["fsopen"], &["EPERM", "ENOMEM", "ENODEV", "EMFILE"]),
    call(&["fsconfig"], &["EPERM", "ENOMEM", "EINVAL", "EBUSY"]),
    call(&["fsmount"], &["EPERM", "ENOMEM", "EINVAL", "EMFILE"]),
    // Namespaces and processes.
    call(&["clone", "clone3", "fork", "vfork"], &["EPERM", "EAGAIN", "ENOMEM", "EINVAL", "ENOSPC"]),
    call(&["unshare", "setns"], &["EPERM", "ENOMEM", "EINVAL", "ENOSPC"]),
    call(&["pidfd_open", "pidfd_send_signal"], &["EMFILE", "ENOMEM"]),
    call(&["setgroups", "setgroups32"], &["EPERM", "ENOMEM"]),
    call(&["setresuid", "setresuid32", "setresgid", "setresgid32"], &["EPERM", "EINVAL"]),
    call(&["keyctl"], &["EPERM", "EDQUOT", "ENOMEM"]),
    call(&["pipe", "pipe2"], &["EMFILE", "ENFILE"]),
    call(&["execve", "execveat"], &["EPERM", "ENOMEM", "EACCES", "EIO"]),
    call(&["wait4", "waitid"], &["EINVAL", "EINTR"]),
    call(&["prctl"], &["EPERM", "EINVAL"]),
    call(&["capget"], &["EPERM", "EINVAL"]),
    call(&["capset"], &["EPERM", "EINVAL"]),
    call(&["setsid"], &["EPERM"]),
    call(&["sethostname"], &["EPERM", "EINVAL"]),
    // What the two sides of a start talk through, and what the parent waits with.
    call(&["socketpair"], &["EMFILE", "ENOMEM"]),
    call(&["socket"], &["EPERM", "EINVAL", "EMFILE", "ENOMEM"]),
    call(&["sendmsg", "sendto"], &["ENOMEM", "EINTR", "EINVAL"]),
    call(&["recvmsg", "recvfrom"], &["ENOMEM", "EINTR", "EINVAL"]),
    call(&["poll", "ppoll", "ppoll_time64"], &["ENOMEM", "EINTR", "EINVAL"]),
    call(&["signalfd", "signalfd4"], &["EINVAL", "EMFILE", "ENOMEM"]),
];

/// Calls on memory, on threads and time, on the actions and masks of signals, and
/// such that cannot fail. A call that is in neither list is reported, so that none
/// is forgotten.
pub const LEFT_OUT: [&str; 51] = [
    // Memory.
    "brk",
    "mmap",
    "mmap2",
    "munmap",
    "mremap",
    "madvise",
    "mprotect",
    // What a C library does for its threads, its random numbers and its limits.
    "arch_prctl",
    "set_thread_area",
    "set_tid_address",
    "set_robust_list",
    "rseq",
    "membarrier",
    "sched_getaffinity",
    "sched_yield",
    "getrandom",
    "futex",
    "futex_time64",
    "futex_wait",
    "futex_wake",
    "prlimit64",
    "getrlimit",
    "ugetrlimit",
    "uname",
    // Time; a sleep that is cut short is slept on.
    "clock_gettime",
    "clock_gettime64",
    "clock_nanosleep",
    "clock_nanosleep_time64",
    "nanosleep",
    "gettimeofday",
    "time",
    // Signals.
    "rt_sigaction",
    "rt_sigprocmask",
    "rt_sigreturn",
    "sigaltstack",
    "sigreturn",
    "restart_syscall",
    // What cannot fail.
    "getuid",
    "getuid32",
    "geteuid",
    "geteuid32",
    "getgid",
    "getgid32",
    "getegid",
    "getegid32",
    "getpid",
    "getppid",
    "gettid",
    "umask",
    "exit",
    "exit_group",
];

/// What the system call of this name does, as far as [`CALLS`] has it.
pub fn named(name: &str) -> Option<(&'static str, &'static Call)> {
    CALLS.iter().find_map(|call| {
        let known = call.names.iter().find(|known| **known == name)?;
        Some((*known, call))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stands_in_one_place_only() {
        let deeds = CALLS.iter().flat_map(|call| call.names);
        let mut names: Vec<&str> = deeds.chain(&LEFT_OUT).copied().collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
