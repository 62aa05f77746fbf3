//! OCI image layouts: `index.json` names manifests, and these the layers.

mod choice;
mod media_type;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::Deserialize;

use super::{Blob, Config, Digest, Files, ImageArchive, null_is_default};
pub use choice::architecture;
use media_type::Kind;
use mydocker_kernel::{Error, Result};

/// How many indexes may lie one in another.
const MAX_DEPTH: usize = 4;

/// The operating system of what is listed like an image and is none.
const UNKNOWN: &str = "unknown";

#[derive(Deserialize)]
struct Index {
    #[serde(default, deserialize_with = "null_is_default")]
    manifests: Vec<Descriptor>,
}

#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    #[serde(default, deserialize_with = "null_is_default")]
    media_type: String,
    digest: String,
    platform: Option<Platform>,
    #[serde(default, deserialize_with = "null_is_default")]
    annotations: BTreeMap<String, String>,
    /// Of what is no image, but has a manifest like one.
    artifact_type: Option<String>,
}

#[derive(Clone, Default, Deserialize)]
#[serde(default)]
struct Platform {
    #[serde(deserialize_with = "null_is_default")]
    os: String,
    #[serde(deserialize_with = "null_is_default")]
    architecture: String,
    #[serde(deserialize_with = "null_is_default")]
    variant: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Manifest {
    config: Descriptor,
    #[serde(default, deserialize_with = "null_is_default")]
    layers: Vec<Descriptor>,
    artifact_type: Option<String>,
}

/// The image for this machine; `None` if it is no OCI layout.
///
/// # Errors
/// The image archive is damaged, or holds several images.
pub fn image(files: &Files) -> Result<Option<ImageArchive>> {
    let index = Path::new("index.json");
    if files.find(Path::new("oci-layout"))?.is_none() || files.find(index)?.is_none() {
        return Ok(None);
    }
    let mut named = Named::default();
    named.collect(files, files.read(index)?, 0)?;
    let image = choice::choose(files, named)?;

    let manifest: Manifest = files.read_blob(&image.digest)?;
    if let Some(what) = manifest.is_of_something_else() {
        return Err(Error::new(format!("{} holds no image", files.label))
            .because(format!("it holds something of the type {what:?}")));
    }
    let config: Config = files.read_blob(&manifest.config.digest)?;
    let layer = |(number, layer): (usize, &Descriptor)| {
        if !media_type::is_archive(&layer.media_type) {
            let number = number + 1;
            return Err(Error::new(format!("{} cannot be imported", files.label)).because(
                format!(
                    "its layer {number} is of the type {:?}, which is no tar that can be read here",
                    layer.media_type
                ),
            ));
        }
        let (path, digits) = files.blob(&layer.digest)?;
        Ok(Blob { path, digest: Some(Digest::OfFile(digits)) })
    };
    let layers = manifest.layers.iter().enumerate().map(layer).collect::<Result<_>>()?;
    Ok(Some(ImageArchive::new(layers, config.config)))
}

impl Manifest {
    /// The type of what it describes, if that is no image: a signature, a chart…
    fn is_of_something_else(&self) -> Option<&str> {
        let config = &self.config.media_type;
        let is_archive = |layer: &Descriptor| media_type::is_archive(&layer.media_type);
        match (&self.artifact_type, self.layers.first()) {
            (Some(artifact), _) => Some(artifact),
            (None, _) if !media_type::is_image_config(config) => Some(config),
            (None, Some(first)) if !self.layers.iter().any(is_archive) => Some(&first.media_type),
            _ => None,
        }
    }
}

/// What an index and the indexes in it name.
#[derive(Default)]
struct Named {
    images: Vec<Descriptor>,
    /// The media types that are none of an image: to be ignored, see the
    /// specification's image-index.md.
    others: BTreeSet<String>,
    /// The indexes that were read.
    indexes: BTreeSet<String>,
}

impl Named {
    /// Adds the images of an index, and of the indexes that it names: each of them
    /// once, or a few small files that name each other many times would take days.
    fn collect(&mut self, files: &Files, index: Index, depth: usize) -> Result<()> {
        for descriptor in index.manifests {
            match media_type::kind(&descriptor.media_type) {
                Kind::Index => self.collect_nested(files, &descriptor, depth)?,
                Kind::Manifest if is_about_another(&descriptor) => {}
                // One image can have several names.
                Kind::Manifest
                    if self.images.iter().any(|image| image.digest == descriptor.digest) => {}
                Kind::Manifest => self.images.push(descriptor),
                Kind::Other => drop(self.others.insert(descriptor.media_type)),
            }
        }
        Ok(())
    }

    fn collect_nested(&mut self, files: &Files, index: &Descriptor, depth: usize) -> Result<()> {
        if depth == MAX_DEPTH {
            return Err(files.damaged(Path::new("index.json"), "it has too many levels"));
        }
        if !self.indexes.insert(index.digest.clone()) {
            return Ok(());
        }
        let mut nested: Index = files.read_blob(&index.digest)?;
        // The name of an image of many platforms is that of each of them.
        for inner in &mut nested.manifests {
            for (key, value) in &index.annotations {
                inner.annotations.entry(key.clone()).or_insert_with(|| value.clone());
            }
        }
        self.collect(files, nested, depth + 1)
    }
}

/// What is kept beside an image to describe it is no image: attestations of
/// docker build, signatures.
fn is_about_another(descriptor: &Descriptor) -> bool {
    descriptor.artifact_type.is_some()
        || descriptor.annotations.contains_key("vnd.docker.reference.type")
        || descriptor.platform.as_ref().is_some_and(|platform| platform.os == UNKNOWN)
}
