//! Image archives: what `docker save` writes, and OCI image layouts.
//!
//! Both are a folder, or a tar of one, with JSON files that name the layers.
//! See the OCI image specification, image-layout.md and manifest.md; docker's
//! own form is the file `manifest.json`.

mod docker;
mod files;
mod oci;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Deserializer};

pub use files::{Files, hex};
pub use oci::architecture;

use mydocker_kernel::{Error, Result};

/// An image, as its archive describes it.
pub struct ImageArchive {
    /// The archives of the layers, the bottom one first.
    pub layers: Vec<Blob>,
    /// The environment that the image wants.
    pub env: Vec<String>,
    /// The directory in which the image wants its command to start.
    pub working_dir: Option<String>,
}

/// The archive of one layer, a file of the image archive.
pub struct Blob {
    /// Where it lies in the image archive.
    pub path: PathBuf,
    /// The SHA-256 that it must have, if the image archive says so.
    pub digest: Option<Digest>,
}

/// A SHA-256 in hexadecimal digits.
pub enum Digest {
    /// Of the file as it is.
    OfFile(String),
    /// Of the file when it is unpacked.
    OfUnpacked(String),
}

/// The image that `folder` holds; `None` if it is the files of no image
/// archive, but any others.
///
/// # Errors
/// It is an image archive, but damaged, or holds several images.
pub fn recognise(folder: &Path, label: &str) -> Result<Option<ImageArchive>> {
    let files = Files::open(folder, label)?;
    if let Some(image) = docker::image(&files)? {
        return Ok(Some(image));
    }
    if let Some(image) = oci::image(&files)? {
        return Ok(Some(image));
    }
    docker::refuse_of_before_1_10(&files)?;
    Ok(None)
}

/// The image's configuration, in both forms; see the OCI's config.md.
#[derive(Deserialize)]
struct Config {
    config: Option<Execution>,
    #[serde(default, deserialize_with = "null_is_default")]
    rootfs: RootFs,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Execution {
    env: Option<Vec<String>>,
    working_dir: Option<String>,
}

#[derive(Default, Deserialize)]
struct RootFs {
    #[serde(default, deserialize_with = "null_is_default")]
    diff_ids: Vec<String>,
}

/// Programs in Go write `null` for an empty list.
fn null_is_default<'de, D, T>(deserializer: D) -> std::result::Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

impl ImageArchive {
    fn new(layers: Vec<Blob>, config: Option<Execution>) -> ImageArchive {
        let Execution { env, working_dir } = config.unwrap_or_default();
        let working_dir = working_dir.filter(|path| !path.is_empty());
        ImageArchive { layers, env: env.unwrap_or_default(), working_dir }
    }
}

/// The hexadecimal digits of `sha256:DIGITS`.
fn sha256(digest: &str) -> Option<&str> {
    let digits = digest.strip_prefix("sha256:")?;
    let is_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    (digits.len() == 64 && digits.bytes().all(is_hex)).then_some(digits)
}

fn several_images(label: &str, names: Vec<String>) -> Error {
    Error::new(format!("{label} holds {} images", names.len()))
        .because(format!("they are: {}", names.join(", ")))
        .advise("make an archive with one image in it: docker save IMAGE")
}
