//! Lab 09: a mydocker of your own. The task is in README.md.

pub mod earlier;

use std::convert::Infallible;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The archive of the image.
pub const ARCHIVE: &str = "/root/busybox.tar";
/// The image: the read-only layer.
pub const IMAGE: &str = "/root/busybox";
/// The workspace: `init-layer`, `write-layer`, `work` and `mnt` are in it.
pub const WORKSPACE: &str = "/root/workspace";

/// The exit code when mydocker itself has failed, the same as docker's.
pub const FAILED: u8 = 125;

/// What `run` is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// A directory of the host, and where the container sees it.
    pub volume: Option<(PathBuf, PathBuf)>,
    /// The command and its arguments; at least one word.
    pub command: Vec<OsString>,
}

/// Runs a container and returns the exit code of its command.
///
/// 1. Clears away what a killed run has left of the workspace.
/// 2. Makes the image from the archive, unless it exists.
/// 3. Makes the workspace: the directory, then its layers, then the mount point.
/// 4. Mounts the volume, if there is one.
/// 5. Starts the container's first process in its own mount, PID, UTS, IPC and
///    network namespaces, where it runs [`become_command`]. Sends it the command
///    through a pipe, and waits for it to end.
/// 6. Deletes the workspace, however the steps before have ended.
///
/// # Errors
/// The error of the first step that fails, including step 6. An error of the
/// container's first process shows in its exit code, [`FAILED`].
pub fn run(request: &Request) -> io::Result<i32> {
    todo!("run {request:?}")
}

/// Turns this process, the first one of the container, into the command.
///
/// 1. Receives the command from the pipe; this process has both ends of it.
/// 2. Makes every mount private.
/// 3. Mounts /proc and /dev below `mnt`, then makes `mnt` the root.
/// 4. Closes what the command must not have, and executes it with [`environment`].
///    If that fails, the process exits with 127 if there is no such command, and
///    with 126 otherwise.
///
/// # Errors
/// The error of the first step that fails before the command is executed: then nothing is executed.
pub fn become_command(read_end: OwnedFd, write_end: OwnedFd, mnt: &Path) -> io::Result<Infallible> {
    todo!("become the command that {read_end:?} says, and not {write_end:?}, in {mnt:?}")
}

/// Shows the host's directory `host` in the container as `container`, an absolute
/// path there. Makes the directory below `mnt` if it is missing.
///
/// # Errors
/// Those of mkdir(2) and mount(2).
pub fn mount_volume(host: &Path, container: &Path, mnt: &Path) -> io::Result<()> {
    todo!("mount {host:?} on {container:?} in {mnt:?}")
}

/// Given; there is nothing to write here. Returns the variables of every command.
pub fn environment() -> Vec<OsString> {
    let host: Vec<_> = std::env::vars_os().collect();
    earlier::merge_environment(&["HOME=/root".into()], &["TERM".into()], &host)
}

/// Given. Says whether overlayfs must keep its marks in `user.*` attributes, because
/// this process is root only in a user namespace. See user_namespaces(7).
///
/// # Errors
/// If /proc is not mounted.
pub fn needs_user_xattr() -> io::Result<bool> {
    let map = fs::read_to_string("/proc/self/uid_map")?;
    Ok(map.split_whitespace().ne(["0", "0", "4294967295"]))
}

/// Given: the command line `run -ti [-v HOST:CONTAINER] COMMAND [ARGUMENT…]`.
pub fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    let Some(request) = parse(&arguments) else {
        eprintln!("usage: mydocker run -ti [-v HOST:CONTAINER] COMMAND [ARGUMENT…]");
        return ExitCode::from(FAILED);
    };
    match run(&request) {
        Ok(code) => ExitCode::from(code as u8),
        Err(error) => {
            eprintln!("mydocker: {error}");
            ExitCode::from(FAILED)
        }
    }
}

fn parse(arguments: &[OsString]) -> Option<Request> {
    let ["run", "-ti", ..] = first_words(arguments)[..] else { return None };
    let rest = &arguments[2..];
    let (volume, command) = match rest {
        [option, volume, command @ ..] if option == "-v" => {
            let (host, container) = volume.to_str()?.split_once(':')?;
            (Some((host.into(), container.into())), command)
        }
        command => (None, command),
    };
    (!command.is_empty()).then(|| Request { volume, command: command.to_owned() })
}

fn first_words(arguments: &[OsString]) -> Vec<&str> {
    arguments.iter().map_while(|argument| argument.to_str()).collect()
}
