//! How a child has ended, in one number, as a shell says it in `$?`.

use std::path::Path;

use mydocker_kernel::{OnPath, Result};
use nix::errno::Errno;
use nix::unistd::Pid;
use rustix::process::{WaitOptions, waitpid};

/// Waits for the end of a child: its exit code, or 128+n if signal n has ended it.
///
/// # Errors
/// Those of waitpid(2).
pub fn wait(child: Pid) -> Result<u8> {
    loop {
        if let Some(code) = look(child, WaitOptions::empty())? {
            return Ok(code);
        }
    }
}

/// The same without waiting; `None` if the child has not ended.
///
/// # Errors
/// Those of waitpid(2).
pub fn has_ended(child: Pid) -> Result<Option<u8>> {
    look(child, WaitOptions::NOHANG)
}

// Not nix's waitpid: its `Signal` has no real-time signals, so if one of them has ended
// the child, it says EINVAL.
fn look(child: Pid, options: WaitOptions) -> Result<Option<u8>> {
    let pid = rustix::process::Pid::from_raw(child.as_raw());
    let ended = match waitpid(pid, options) {
        Err(rustix::io::Errno::INTR) => None,
        other => other
            .map_err(|error| Errno::from_raw(error.raw_os_error()))
            .on("waitpid", Path::new(&format!("/proc/{child}")))?,
    };
    Ok(ended.and_then(|(_, status)| {
        let code = status.exit_status().map(|code| code as u8);
        code.or_else(|| status.terminating_signal().map(|signal| 128 + signal as u8))
    }))
}
