//! `mydocker image`.

use std::path::{Path, PathBuf};

use clap::{Subcommand, ValueEnum};
use mydocker::container;
use mydocker::error::Result;
use mydocker::image::whiteout::WhiteoutForm;
use mydocker::image::{self, ImportOptions};
use mydocker::limits::Limit;

use super::bytes::parse_bytes;
use super::containers::age;
use crate::{complain, print};

/// What to do with images.
#[derive(Subcommand)]
pub enum Command {
    /// Unpack an image: docker export, docker save or an OCI layout; plain, gzip or zstd
    #[command(after_help = "\
Examples:
  docker export $(docker create busybox) | mydocker image import busybox -
  docker save alpine | mydocker image import alpine -
  mydocker image import busybox busybox.tar.gz

The image is there when all of it is: an import that fails or is killed leaves none.")]
    Import {
        /// What to call it: letters, digits, and . _ - inside
        name: String,
        /// The archive, or the folder of an OCI layout; - is stdin
        file: PathBuf,
        /// For which driver deleted files of lower layers are marked
        #[arg(long, value_enum, default_value = "overlay")]
        driver: Form,
        /// What the archive may unpack to, as in 20g: a number with b, k, m or g; or max
        #[arg(long, value_name = "BYTES", default_value = "4g", value_parser = parse_bytes, allow_negative_numbers = true)]
        max_size: Limit,
    },
    /// List the images
    Ls,
    /// Remove an image that no container uses
    Rm {
        /// Its name
        name: String,
    },
}

/// The drivers, by their way to mark a deleted file.
#[derive(Clone, Copy, ValueEnum)]
pub enum Form {
    Overlay,
    Aufs,
}

/// Does it.
pub fn execute(root: &Path, command: Command) -> Result<u8> {
    match command {
        Command::Import { name, file, driver, max_size } => {
            let whiteouts = match driver {
                Form::Overlay => WhiteoutForm::Overlay,
                Form::Aufs => WhiteoutForm::Aufs,
            };
            let options = ImportOptions { whiteouts, max_size, progress: true };
            let summary = image::import(root, &name, &file, &options)?;
            for warning in &summary.warnings {
                complain(&format!("note: {warning}"));
            }
            let (layers, entries) = (summary.layers, summary.entries);
            let s = if layers == 1 { "" } else { "s" };
            print(&format!("{name}: {entries} entries in {layers} layer{s}\n"))?;
        }
        Command::Ls => {
            let mut text = format!("{:<24} {:>6}  {}\n", "NAME", "LAYERS", "IMPORTED");
            for image in image::list(root)? {
                let (name, layers, age) = (&image.name, image.layers, age(image.imported));
                text += &format!("{name:<24} {layers:>6}  {age}\n");
            }
            print(&text)?;
        }
        Command::Rm { name } => {
            let of_it = |listed: &container::Listed| {
                listed.record.as_ref().is_some_and(|record| record.image == name)
            };
            let users: Vec<String> =
                container::list(root)?.into_iter().filter(of_it).map(|listed| listed.id).collect();
            image::remove(root, &name, &users)?;
        }
    }
    Ok(0)
}
