//! The program that this process runs, so that nobody can write to it.
//!
//! A container can have the host's mydocker executed inside of it: with a script that
//! begins with `#!/proc/self/exe`, in the place of the command of `exec`. A process of
//! the container that opens that process's /proc/PID/exe then has the host's file, and
//! root may write to it when it does not run any more. So what runs is a copy in memory
//! that is sealed. See CVE-2019-5736, memfd_create(2).

use std::ffi::CString;
use std::fs::File;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStringExt;
use std::path::Path;

use mydocker_kernel::{Error, OnPath, Result};
use nix::errno::Errno;
use nix::unistd::fexecve;
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, fcntl_get_seals, memfd_create, sendfile};

/// How much one sendfile(2) copies at most.
const AT_ONCE: usize = 0x7fff_f000;

/// How often the copy is sealed at most. Each time the kernel waits up to 150 ms for its
/// pages: memfd_wait_for_pins() in the kernel's mm/memfd.c.
const SEALING_ATTEMPTS: usize = 20;

/// Starts this program once more, from a sealed copy; if it is one, goes on.
///
/// # Errors
/// As memfd_create(2) and execve(2).
pub fn make_read_only() -> Result<()> {
    let path = Path::new("/proc/self/exe");
    let own = File::open(path).on("open", path)?;
    // Other files know no seals.
    if fcntl_get_seals(&own).is_ok_and(|seals| seals.contains(SealFlags::WRITE)) {
        return Ok(());
    }
    let failed = |call: &'static str| {
        move |errno: rustix::io::Errno| Error::call(call, Errno::from_raw(errno.raw_os_error()))
    };
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let copy = memfd_create("mydocker", flags).map_err(failed("memfd_create()"))?;
    loop {
        match sendfile(&copy, &own, None, AT_ONCE) {
            Ok(0) => break,
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(errno) => return Err(failed("sendfile(<own program>)")(errno)),
        }
    }
    let seals = SealFlags::SEAL | SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE;
    // EBUSY: a page of the copy is in somebody's hands, such as a part of the kernel that
    // moves pages. The kernel has waited for it before it says so, and it does not last.
    let mut attempts = 1..SEALING_ATTEMPTS;
    let sealed = loop {
        match fcntl_add_seals(&copy, seals) {
            Err(rustix::io::Errno::BUSY) if attempts.next().is_some() => {}
            sealed => break sealed,
        }
    };
    sealed.map_err(failed("fcntl(F_ADD_SEALS)"))?;

    let c_string = |text: std::ffi::OsString| CString::new(text.into_vec());
    let arguments: std::result::Result<Vec<CString>, _> =
        std::env::args_os().map(c_string).collect();
    let variables: std::result::Result<Vec<CString>, _> = std::env::vars_os()
        .map(|(mut name, value)| {
            name.push("=");
            name.push(value);
            c_string(name)
        })
        .collect();
    let (Ok(arguments), Ok(variables)) = (arguments, variables) else {
        return Err(Error::new("an argument has a NUL byte, which none can have"));
    };
    let Err(errno) = fexecve(copy.as_fd(), &arguments, &variables);
    Err(Error::call("fexecve(<own program>)", errno))
}
