//! Lab 09: a mydocker of your own. The task is in README.md.

pub mod earlier;

use std::convert::Infallible;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, exit};

use nix::mount::{MsFlags, mount};
use nix::sched::CloneFlags;
use nix::unistd::pipe;

use earlier::{
    clone, close_descriptors, create_init_layer, create_mount_point, create_read_only_layer,
    create_write_layer, delete_workspace, enter_with_pivot_root, mount_kernel_file_systems,
    receive_command, send_command, wait,
};

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
    let workspace = Path::new(WORKSPACE);
    delete_workspace(workspace)?;
    create_read_only_layer(Path::new(ARCHIVE), Path::new(IMAGE))?;

    // Whatever happens from here on, there is something to delete.
    let outcome = run_in(workspace, request);
    delete_workspace(workspace)?;
    outcome
}

// Steps 3 to 5 of `run`.
fn run_in(workspace: &Path, request: &Request) -> io::Result<i32> {
    fs::create_dir(workspace)?;
    create_init_layer(workspace, Path::new(IMAGE), "mydocker")?;
    create_write_layer(workspace)?;
    create_mount_point(workspace, Path::new(IMAGE), needs_user_xattr()?)?;

    let mnt = workspace.join("mnt");
    if let Some((host, container)) = &request.volume {
        mount_volume(host, container, &mnt)?;
    }

    let namespaces = CloneFlags::CLONE_NEWNS
        | CloneFlags::CLONE_NEWPID
        | CloneFlags::CLONE_NEWUTS
        | CloneFlags::CLONE_NEWIPC
        | CloneFlags::CLONE_NEWNET;
    // The child takes its copies of both ends, and leaves ours alone.
    let mut ends = Some(pipe()?);
    let first_process = clone(namespaces, || {
        let (read_end, write_end) = ends.take().expect("a pipe");
        let Err(error) = become_command(read_end, write_end, &mnt);
        eprintln!("mydocker: {error}");
        FAILED.into()
    })?;
    let (read_end, write_end) = ends.take().expect("a pipe");
    let sent = send_command(read_end, write_end, &request.command);
    // Also a process that could not be told anything must be waited for.
    let code = wait(first_process)?;
    sent.map(|()| code)
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
    let command = receive_command(read_end, write_end)?;
    mount(NOTHING, "/", NOTHING, MsFlags::MS_PRIVATE | MsFlags::MS_REC, NOTHING)?;
    // They go with mnt when that becomes the root.
    mount_kernel_file_systems(mnt)?;
    enter_with_pivot_root(mnt)?;

    let variables = environment();
    let variables = variables.iter().filter_map(|variable| variable.to_str()?.split_once('='));
    let mut program = Command::new(&command[0]);
    program.args(&command[1..]).env_clear().envs(variables);
    close_descriptors()?;
    // Returns only if it fails.
    let error = program.exec();
    eprintln!("mydocker: {}: {error}", command[0].display());
    exit(if error.kind() == io::ErrorKind::NotFound { 127 } else { 126 })
}

// Where mount(2) takes a string that it does not need.
const NOTHING: Option<&str> = None;

/// Shows the host's directory `host` in the container as `container`, an absolute
/// path there. Makes the directory below `mnt` if it is missing.
///
/// # Errors
/// Those of mkdir(2) and mount(2).
pub fn mount_volume(host: &Path, container: &Path, mnt: &Path) -> io::Result<()> {
    let place = mnt.join(container.strip_prefix("/").unwrap_or(container));
    fs::create_dir_all(&place)?;
    let flags = MsFlags::MS_BIND | MsFlags::MS_REC;
    Ok(mount(Some(host), &place, NOTHING, flags, NOTHING)?)
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
