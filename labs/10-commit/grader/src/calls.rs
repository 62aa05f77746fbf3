//! System calls that fail for an answer: under each name that they have, because
//! libraries differ in which one they use.

use labkit::calls::{Calls, GETXATTR, MKDIR, MKNOD, OPEN, RENAME, SYMLINK};
use nix::libc;

/// To list a directory.
const GETDENTS: Calls = (
    "getdents",
    &[
        libc::SYS_getdents64,
        #[cfg(target_arch = "x86_64")]
        libc::SYS_getdents,
    ],
);

/// To learn what is said of a file.
const STAT: Calls = (
    "stat",
    &[
        libc::SYS_statx,
        libc::SYS_newfstatat,
        libc::SYS_fstat,
        #[cfg(target_arch = "x86_64")]
        libc::SYS_stat,
        #[cfg(target_arch = "x86_64")]
        libc::SYS_lstat,
    ],
);

/// To list extended attributes.
const LISTXATTR: Calls =
    ("listxattr", &[libc::SYS_listxattr, libc::SYS_llistxattr, libc::SYS_flistxattr]);

/// To read where a symbolic link leads.
const READLINK: Calls = (
    "readlink",
    &[
        libc::SYS_readlinkat,
        #[cfg(target_arch = "x86_64")]
        libc::SYS_readlink,
    ],
);

/// What a write layer is read with.
pub const READING: &[Calls] = &[OPEN, GETDENTS, STAT, GETXATTR];

/// What an archive is made with, except the calls that copy bytes.
pub const ARCHIVING: &[Calls] = &[OPEN, GETDENTS, STAT, GETXATTR, LISTXATTR, READLINK];

/// What an image is made with, except the calls that copy bytes: in two parts, so that
/// each of them comes to its end.
pub const MAKING: [&[Calls]; 2] = [&[OPEN, GETDENTS, RENAME], &[MKDIR, SYMLINK, MKNOD]];

/// To read what is in a file; by these, the library copies from one to another.
pub const READ: &[i64] =
    &[libc::SYS_read, libc::SYS_pread64, libc::SYS_readv, libc::SYS_copy_file_range];

/// To write into a file.
pub const WRITE: &[i64] =
    &[libc::SYS_write, libc::SYS_pwrite64, libc::SYS_writev, libc::SYS_copy_file_range];
