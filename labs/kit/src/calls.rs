//! System calls by what they do. The C library and the processor decide which of several
//! calls is used.

use nix::libc;

/// A call as its man page names it, and the numbers of those that do the same.
pub type Calls = (&'static str, &'static [i64]);

/// Those that write into a file. See [`Asked::written`](crate::deciding::Asked::written).
pub const WRITE: Calls = ("write", &[libc::SYS_write, libc::SYS_pwrite64, libc::SYS_writev]);

/// Those that read from a file.
pub const READ: Calls =
    ("read", &[libc::SYS_read, libc::SYS_pread64, libc::SYS_readv, libc::SYS_preadv]);

/// Those that wait for a while. See [`Asked::pause`](crate::deciding::Asked::pause).
pub const PAUSE: Calls = ("nanosleep", &[libc::SYS_nanosleep, libc::SYS_clock_nanosleep]);

/// Those that open a file or a directory.
pub const OPEN: Calls = (
    "open",
    &[
        libc::SYS_openat,
        libc::SYS_openat2,
        #[cfg(target_arch = "x86_64")]
        libc::SYS_open,
    ],
);

/// Those that mount a file system, or begin to.
pub const MOUNTING: &[Calls] = &[("mount", &[libc::SYS_mount]), ("fsopen", &[libc::SYS_fsopen])];

/// That which unmounts.
pub const UMOUNT: Calls = ("umount2", &[libc::SYS_umount2]);

/// Those that make a directory.
pub const MKDIR: Calls = (
    "mkdir",
    &[
        libc::SYS_mkdirat,
        #[cfg(target_arch = "x86_64")]
        libc::SYS_mkdir,
    ],
);

/// Those that make a symbolic link.
pub const SYMLINK: Calls = (
    "symlink",
    &[
        libc::SYS_symlinkat,
        #[cfg(target_arch = "x86_64")]
        libc::SYS_symlink,
    ],
);

/// Those that give a file another name.
pub const RENAME: Calls = (
    "rename",
    &[
        libc::SYS_renameat,
        libc::SYS_renameat2,
        #[cfg(target_arch = "x86_64")]
        libc::SYS_rename,
    ],
);

/// Those that make special files.
pub const MKNOD: Calls = (
    "mknod",
    &[
        libc::SYS_mknodat,
        #[cfg(target_arch = "x86_64")]
        libc::SYS_mknod,
    ],
);

/// Those that read an extended attribute.
pub const GETXATTR: Calls =
    ("getxattr", &[libc::SYS_getxattr, libc::SYS_lgetxattr, libc::SYS_fgetxattr]);

/// Those that delete a file or a directory.
pub const UNLINK: Calls = (
    "unlink",
    &[
        libc::SYS_unlinkat,
        #[cfg(target_arch = "x86_64")]
        libc::SYS_unlink,
        #[cfg(target_arch = "x86_64")]
        libc::SYS_rmdir,
    ],
);

/// The calls by which directories, mounts and roots are changed.
pub const CALLS: &[Calls] = &[
    ("mount", &[libc::SYS_mount]),
    UMOUNT,
    ("pivot_root", &[libc::SYS_pivot_root]),
    ("chroot", &[libc::SYS_chroot]),
    ("chdir", &[libc::SYS_chdir]),
    ("fchdir", &[libc::SYS_fchdir]),
    (
        "open",
        &[
            libc::SYS_openat,
            #[cfg(target_arch = "x86_64")]
            libc::SYS_open,
        ],
    ),
    MKDIR,
    MKNOD,
    SYMLINK,
    UNLINK,
    (
        "chmod",
        &[
            libc::SYS_fchmodat,
            libc::SYS_fchmod,
            #[cfg(target_arch = "x86_64")]
            libc::SYS_chmod,
        ],
    ),
    RENAME,
];
