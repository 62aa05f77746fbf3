//! `mydocker stop`, `kill`, `wait` and `rm`.

use std::path::Path;
use std::time::Duration;

use clap::Args;
use mydocker::container;
use mydocker::proc_pid::minds;
use mydocker::running::{self, Running};
use mydocker_kernel::error::FAILED;
use mydocker_kernel::{Error, Result};
use nix::sys::signal::Signal;

use crate::{complain, note, print};

/// End containers: first with SIGTERM, then with SIGKILL if that does not help
#[derive(Args)]
#[command(after_help = "\
The command is the container's PID 1: the kernel drops a SIGTERM that it does not
handle, and stop waits until the time is up. It is not an error if a container has
ended.")]
pub struct StopArguments {
    /// How many seconds the command has to end
    #[arg(short, long, value_name = "S", default_value = "10")]
    time: u16,
    /// The containers, as `mydocker ps` lists them
    #[arg(required = true)]
    containers: Vec<String>,
}

/// Send a signal to the command of one or more containers
#[derive(Args)]
pub struct KillArguments {
    /// The signal, by name or number: TERM, SIGUSR1, 9
    #[arg(short, long, value_name = "SIG", default_value = "KILL", value_parser = parse_signal)]
    signal: i32,
    /// The containers, as `mydocker ps` lists them
    #[arg(required = true)]
    containers: Vec<String>,
}

/// Wait until containers end, and print their exit codes
#[derive(Args)]
pub struct WaitArguments {
    /// The containers, as `mydocker ps -a` lists them
    #[arg(required = true)]
    containers: Vec<String>,
}

/// Delete containers that have ended
#[derive(Args)]
pub struct RmArguments {
    /// Kill those that are running
    #[arg(short, long)]
    force: bool,
    /// The containers, as `mydocker ps -a` lists them
    #[arg(required = true)]
    containers: Vec<String>,
}

/// Ends containers.
pub fn stop(root: &Path, arguments: &StopArguments) -> Result<u8> {
    each(&arguments.containers, |id| {
        if let Ok(running) = Running::of(container::find(root, id)?)? {
            running.stop(Duration::from_secs(arguments.time.into()))?;
        }
        Ok(id.to_owned())
    })
}

/// Sends a signal.
pub fn kill(root: &Path, arguments: &KillArguments) -> Result<u8> {
    let signal = arguments.signal;
    each(&arguments.containers, |id| {
        let (_, process) = running::find(root, id)?;
        let is_always_heard = [Signal::SIGKILL as i32, Signal::SIGSTOP as i32].contains(&signal);
        let is_heard = is_always_heard || minds(process.pid, signal)?;
        process.signal(signal)?;
        if !is_heard {
            note(&format_args!(
                "the command of {id:?} is PID 1 and does not handle this signal, so the kernel \
                 drops it"
            ));
        }
        Ok(id.to_owned())
    })
}

/// Waits for the end.
pub fn wait(root: &Path, arguments: &WaitArguments) -> Result<u8> {
    each(&arguments.containers, |id| {
        let code = match Running::of(container::find(root, id)?)? {
            Ok(running) => running.wait()?,
            Err(ended) => ended.exit_code,
        };
        let code = code.ok_or_else(|| {
            Error::new(format!("how container {id:?} ended is not known"))
                .because("its files are gone, or its mydocker was killed")
                .advise("only what run -d or run --keep started can be asked")
        })?;
        Ok(code.to_string())
    })
}

/// Deletes containers.
pub fn rm(root: &Path, arguments: &RmArguments) -> Result<u8> {
    each(&arguments.containers, |id| {
        let listed = container::find(root, id)?;
        let folder = listed.folder.clone();
        if arguments.force
            && let Ok(running) = Running::of(listed)?
        {
            running.kill()?;
            // One that was not to be kept is gone by now.
            if !folder.exists() {
                return Ok(id.to_owned());
            }
        }
        container::remove(root, id).map(|()| id.to_owned())
    })
}

/// Does it for each, whatever becomes of the others, and prints what comes of it.
fn each(containers: &[String], act: impl Fn(&str) -> Result<String>) -> Result<u8> {
    let mut code = 0;
    for id in containers {
        match act(id) {
            Ok(line) => print(&(line + "\n"))?,
            Err(error) => {
                complain(&error);
                code = FAILED;
            }
        }
    }
    Ok(code)
}

fn parse_signal(text: &str) -> std::result::Result<i32, String> {
    let upper = text.to_ascii_uppercase();
    let name = if upper.starts_with("SIG") { upper.clone() } else { format!("SIG{upper}") };
    match (text.parse(), name.parse::<Signal>()) {
        (Ok(number), _) if (1..=nix::libc::SIGRTMAX()).contains(&number) => Ok(number),
        (_, Ok(signal)) => Ok(signal as i32),
        _ => Err(super::chinese::reason(
            "write a name or a number, as in TERM or 15",
            "要写信号的名字或编号，例如 TERM 或 15",
        )),
    }
}
