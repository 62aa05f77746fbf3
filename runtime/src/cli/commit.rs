//! `mydocker commit`.

use std::path::Path;

use clap::Args;
use mydocker::commit::commit;
use mydocker_kernel::Result;

use crate::{counted, note, print};

/// Make an image from what a container has become
#[derive(Args)]
#[command(after_help = "\
Example:
  mydocker run --keep --name c1 sh -c 'echo hello >/greeting'
  mydocker commit c1 greeter
  mydocker run --image greeter cat /greeting

The container's write layer becomes the top layer. The layers below it are those of
its image, shared, not copied. Volumes are left out, and so are the files that belong
to one container: /etc/hostname, /etc/hosts, /etc/resolv.conf, /etc/mtab. Environment
and working directory are the image's, whatever you told run.")]
pub struct Arguments {
    /// The container, running or kept, as `mydocker ps` lists it
    container: String,
    /// The image's name: letters and digits, with . _ - in between
    image: String,
    /// Pause the container meanwhile; this needs a limit, and so a control
    /// group
    #[arg(short = 'p', long)]
    pause: bool,
}

/// Does it.
pub fn execute(root: &Path, arguments: &Arguments) -> Result<u8> {
    let Arguments { container, image, pause } = arguments;
    let committed = commit(root, container, image, *pause)?;
    committed.warnings.iter().for_each(note);
    let (entries, layers) = (committed.entries, counted(committed.layers, "layer"));
    print(&format!("{image}: {entries} new entries, {layers}\n")).map(|()| 0)
}
