//! `mydocker ps`, `prune` and `diff`.

use std::path::Path;

use clap::Args;
use mydocker::container::{self, State, now};
use mydocker::error::{Error, Result};
use mydocker::image::{self, Image};
use mydocker::workspace::diff;
use mydocker::workspace::lookup::Stack;

use crate::{complain, print};

/// Delete what killed runs left: mounts, workspaces, control groups, half images
#[derive(Args)]
#[command(after_help = "\
What runs is never touched, so prune can be used at any time, and twice.")]
pub struct PruneArguments {
    /// Delete the workspaces of `run --keep` too
    #[arg(long)]
    kept: bool,
}

/// Show what a container changed: A added, C changed, D deleted, as docker diff
#[derive(Args)]
#[command(after_help = "\
Example:
  mydocker run --keep --name c1 sh -c 'touch /new; rm /etc/group'
  mydocker diff c1
  mydocker prune --kept

The write layer itself is in ROOT/containers/ID/write-layer (ROOT: mydocker
doctor): there a deleted file is a device 0:0, with AUFS a file .wh.NAME.")]
pub struct DiffArguments {
    /// The container, running or kept, as `mydocker ps` lists it
    id: String,
}

/// Lists the containers.
pub fn ps(root: &Path) -> Result<u8> {
    let mut text = format!(
        "{:<16} {:<8} {:<16} {:<10} {:<14} {}\n",
        "ID", "PID", "IMAGE", "STATE", "STARTED", "COMMAND"
    );
    let mut left_over = 0;
    for listed in container::list(root)? {
        let state = match listed.state {
            State::Running => "running",
            State::Kept => "kept",
            State::LeftOver => {
                left_over += 1;
                "left over"
            }
        };
        let running = listed.state == State::Running;
        let pid = listed.record.as_ref().filter(|_| running).map(|record| record.pid.to_string());
        let (image, started, command) = match &listed.record {
            Some(record) => (record.image.as_str(), age(record.created), record.command.join(" ")),
            None => ("-", "-".into(), "-".into()),
        };
        let (id, pid) = (&listed.id, pid.unwrap_or("-".into()));
        // One line a container, whatever its command has in it.
        let command = command.escape_debug();
        text += &format!("{id:<16} {pid:<8} {image:<16} {state:<10} {started:<14} {command}\n");
    }
    print(&text)?;
    if left_over > 0 {
        complain(&format!("{left_over} left over by a killed run; clear with: mydocker prune"));
    }
    Ok(0)
}

/// Clears what is left over and says what that was.
pub fn prune(root: &Path, arguments: &PruneArguments) -> Result<u8> {
    let mut text = String::new();
    for id in container::prune(root, arguments.kept)? {
        text += &format!("container {id}\n");
    }
    for name in image::clear_leftovers(root)? {
        text += &format!("half an image: {name}\n");
    }
    print(if text.is_empty() { "nothing was left over\n" } else { &text }).map(|()| 0)
}

/// Prints the changes of a container.
pub fn diff(root: &Path, arguments: &DiffArguments) -> Result<u8> {
    let listed = container::find(root, &arguments.id)?;
    let Some(record) = listed.record else {
        return Err(Error::new(format!("container {:?} has no record", listed.id))
            .because("the run that made it was killed before it had written it")
            .advise("mydocker prune"));
    };
    let image = Image::open(root, &record.image)?;
    let mut directories = vec![listed.folder.join("init-layer")];
    directories.extend(image.layers());
    let lower = Stack { directories, form: record.driver.whiteout_form() };
    let changes = diff::diff(&listed.folder.join("write-layer"), &lower)?;
    print(&changes.iter().map(|change| format!("{change}\n")).collect::<String>()).map(|()| 0)
}

/// How long ago a time was, given in seconds since 1970: `5 minutes`.
pub fn age(time: u64) -> String {
    let seconds = now().saturating_sub(time);
    let (number, unit) = match seconds {
        0..60 => (seconds, "second"),
        60..3600 => (seconds / 60, "minute"),
        3600..86_400 => (seconds / 3600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    format!("{number} {unit}{} ago", if number == 1 { "" } else { "s" })
}
