//! `mydocker image`.

use std::path::{Path, PathBuf};

use clap::{Subcommand, ValueEnum};
use mydocker::{container, user_namespace};
use mydocker_image::{self as image, Image, ImportOptions};
use mydocker_kernel::Result;
use mydocker_kernel::limit::Limit;

use super::bytes::parse_bytes;
use super::containers::age;
use super::{driver, output};
use crate::{counted, note, print};

/// What to do with images.
#[derive(Subcommand)]
pub enum Command {
    /// Unpack an image: docker export, docker save or an OCI layout; plain, gzip or zstd
    #[command(after_help = "\
Examples:
  docker export $(docker create busybox) | mydocker image import busybox -
  docker save alpine | mydocker image import alpine -
  mydocker image import busybox busybox.tar.gz

An image appears only when it is complete: an import that fails or is killed
leaves nothing.")]
    Import {
        /// Its name: letters and digits, with . _ - in between
        name: String,
        /// The archive, or the directory of an OCI layout; - is stdin
        file: PathBuf,
        /// The driver that must understand which files of lower layers are deleted;
        /// auto: the one that `run` uses
        #[arg(long, value_enum, default_value = "auto")]
        driver: driver::Choice,
        /// How much the archive may unpack to, as in 20g: a number with b, k, m or g; or max
        #[arg(long, value_name = "BYTES", default_value = "4g", value_parser = parse_bytes, allow_negative_numbers = true)]
        max_size: Limit,
    },
    /// Write an image as an archive, for docker, podman, skopeo, umoci or another mydocker
    #[command(after_help = "\
Examples:
  mydocker image export mine mine.tar
  mydocker image export mine - | docker load
  mydocker image export --format oci mine mine.oci.tar
  skopeo copy docker-archive:mine.tar oci:mine

The same image always gives the same bytes. The archive has no default command: give
docker run one.")]
    Export {
        /// The image
        name: String,
        /// The archive, which must not exist yet; - is stdout
        file: PathBuf,
        /// An archive as docker save writes it, or a tar of an OCI image layout
        #[arg(long, value_enum, default_value = "docker", hide_possible_values = false)]
        format: Format,
    },
    /// List the images
    Ls,
    /// Remove an image that no container uses
    Rm {
        /// Its name
        name: String,
    },
}

/// What kind of archive is written.
#[derive(Clone, Copy, ValueEnum)]
pub enum Format {
    // Their help would be one of several lines each.
    Docker,
    Oci,
}

impl Command {
    /// Whether it makes or deletes something.
    pub fn changes_the_store(&self) -> bool {
        !matches!(self, Command::Export { .. } | Command::Ls)
    }
}

/// Does it.
pub fn execute(root: &Path, command: Command) -> Result<u8> {
    match command {
        Command::Import { name, file, driver, max_size } => {
            let whiteouts = driver.driver().whiteout_form();
            let options = ImportOptions { whiteouts, max_size, progress: true };
            let summary = image::import(root, &name, &file, &options)?;
            summary.warnings.iter().for_each(note);
            let (entries, layers) = (summary.entries, counted(summary.layers, "layer"));
            print(&format!("{name}: {entries} entries in {layers}\n"))?;
        }
        Command::Export { name, file, format } => {
            let image = Image::open(root, &name)?;
            user_namespace::become_root_of_own()?;
            let format = match format {
                Format::Docker => image::Format::Docker,
                Format::Oci => image::Format::Oci,
            };
            output::write(&image, format, &file)?.warnings.iter().for_each(note);
        }
        Command::Ls => {
            let mut text = format!("{:<24} {:>6}  {}\n", "NAME", "LAYERS", "IMPORTED");
            for image in image::list(root)? {
                let (name, layers) = (&image.name, image.layers);
                let age = if layers == 0 { "damaged".to_owned() } else { age(image.imported) };
                text += &format!("{name:<24} {layers:>6}  {age}\n");
            }
            print(&text)?;
        }
        Command::Rm { name } => {
            let of_it = |listed: &container::Listed| {
                listed.record.as_ref().is_some_and(|record| record.image == name)
            };
            // One that cannot be looked at may be using the image.
            let (all, failure) = container::list(root)?;
            failure.map_or(Ok(()), Err)?;
            let users: Vec<String> = all.into_iter().filter(of_it).map(|it| it.id).collect();
            image::remove(root, &name, &users)?;
        }
    }
    Ok(0)
}
