//! What the student writes, and how it is called. Only this file runs in the
//! process of an answer.

use std::ffi::OsString;
use std::io;
use std::path::Path;

use labkit::act::{Act, Performable};
use labkit::describe::Failure;
use labkit::frame::Returned;

/// The functions that the student writes. A mistake is the solution with one of
/// them replaced.
pub struct Answers {
    /// See labs/06-pivot-root/src/lib.rs, as for the others.
    pub enter_with_chroot: fn(&Path) -> io::Result<()>,
    /// Leaves what the first has entered.
    pub break_out_of_chroot: fn() -> io::Result<()>,
    /// What cannot be left.
    pub enter_with_pivot_root: fn(&Path) -> io::Result<()>,
    /// /proc and /dev.
    pub mount_kernel_file_systems: fn(&Path) -> io::Result<()>,
}

/// All that an answer can be asked to do.
pub static ACTS: &[&dyn Performable<Answers>] =
    &[&ENTER_WITH_CHROOT, &BREAK_OUT_OF_CHROOT, &ENTER_WITH_PIVOT_ROOT, &MOUNT_KERNEL_FILE_SYSTEMS];

/// Enters the directory that it is given, by a path that need not be UTF-8.
pub static ENTER_WITH_CHROOT: Act<Answers, OsString, Returned> = Act {
    name: "enter_with_chroot",
    function: "enter_with_chroot",
    perform: |answers, new_root| {
        (answers.enter_with_chroot)(Path::new(&new_root)).map_err(Failure::from)
    },
};

/// Leaves the root directory that the process has.
pub static BREAK_OUT_OF_CHROOT: Act<Answers, (), Returned> = Act {
    name: "break_out_of_chroot",
    function: "break_out_of_chroot",
    perform: |answers, ()| (answers.break_out_of_chroot)().map_err(Failure::from),
};

/// Enters the directory that it is given, by a path that need not be UTF-8.
pub static ENTER_WITH_PIVOT_ROOT: Act<Answers, OsString, Returned> = Act {
    name: "enter_with_pivot_root",
    function: "enter_with_pivot_root",
    perform: |answers, new_root| {
        (answers.enter_with_pivot_root)(Path::new(&new_root)).map_err(Failure::from)
    },
};

/// Mounts them below the directory that it is given.
pub static MOUNT_KERNEL_FILE_SYSTEMS: Act<Answers, OsString, Returned> = Act {
    name: "mount_kernel_file_systems",
    function: "mount_kernel_file_systems",
    perform: |answers, new_root| {
        (answers.mount_kernel_file_systems)(Path::new(&new_root)).map_err(Failure::from)
    },
};
