//! `mydocker prune` and `diff`.

use std::path::Path;

use clap::Args;
use mydocker::container::{self, now};
use mydocker::user_namespace;
use mydocker::workspace::{complete_write_layer, diff};
use mydocker_image::stack::Stack;
use mydocker_image::{self as image, Image};
use mydocker_kernel::Result;
use mydocker_kernel::printable::printable;

use crate::print;

/// Delete what killed runs left: mounts, workspaces, control groups, partial images
#[derive(Args)]
#[command(after_help = "\
It never touches running containers: you can use it at any time, and repeat it.")]
pub struct PruneArguments {
    /// Delete the workspaces of `run --keep` too
    #[arg(long)]
    kept: bool,
}

/// Show what a container changed, like docker diff: A added, C changed, D deleted
#[derive(Args)]
#[command(after_help = "\
Example:
  mydocker run --keep --name c1 sh -c 'touch /new; rm /etc/group'
  mydocker diff c1
  mydocker prune --kept

The write layer itself is in ROOT/containers/ID/write-layer (ROOT: mydocker
doctor): there a deleted file is a device 0:0, or a file .wh.NAME with AUFS.")]
pub struct DiffArguments {
    /// The container, running or kept, as `mydocker ps` lists it
    id: String,
}

/// Clears what is left over and says what that was.
pub fn prune(root: &Path, arguments: &PruneArguments) -> Result<u8> {
    let mut text = String::new();
    let (containers, failure) = container::prune(root, arguments.kept)?;
    for id in containers {
        text += &format!("container {}\n", printable(&id));
    }
    let cleared = image::clear_leftovers(root)?;
    for name in cleared.names {
        text += &format!("half an image: {name}\n");
    }
    let failures = failure.into_iter().chain(cleared.failures);
    let failed = failures.reduce(|first, next| first.followed_by(&next));
    let is_clear = text.is_empty() && failed.is_none();
    print(if is_clear { "nothing was left over\n" } else { &text })?;
    failed.map_or(Ok(0), Err)
}

/// Prints the changes of a container.
pub fn diff(root: &Path, arguments: &DiffArguments) -> Result<u8> {
    let listed = container::find(root, &arguments.id)?;
    let record = listed.record()?;
    let image = Image::open(root, &record.image)?;
    let mut directories = vec![listed.folder.join("init-layer")];
    directories.extend(image.layers());
    let lower = Stack { directories, form: record.driver.whiteout_form() };
    complete_write_layer(record.driver, &listed.folder)?;
    user_namespace::become_root_of_own()?;
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
