//! OCI image layouts: `index.json` names manifests, and these the layers.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::Deserialize;

use super::{Blob, Config, Digest, Files, ImageArchive, several_images};
use crate::error::{Error, Result};

/// How many indexes may lie one in another.
const MAX_DEPTH: usize = 4;

#[derive(Deserialize)]
struct Index {
    manifests: Vec<Descriptor>,
}

#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    #[serde(default)]
    media_type: String,
    digest: String,
    platform: Option<Platform>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

#[derive(Clone, Deserialize)]
struct Platform {
    os: String,
    architecture: String,
}

#[derive(Deserialize)]
struct Manifest {
    config: Descriptor,
    layers: Vec<Descriptor>,
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
    let mut images = Vec::new();
    collect(files, files.read(index)?, &mut images, &mut BTreeSet::new(), 0)?;

    // The one for this machine; or the only one, whatever it is for.
    let for_here: Vec<Descriptor> = images.iter().filter(|i| is_for_here(i)).cloned().collect();
    let image = match (images.as_slice(), for_here.as_slice()) {
        ([], _) => {
            return Err(Error::new(format!("{} holds no image", files.label))
                .because("its index.json names none"));
        }
        ([only], _) | (_, [only]) => only,
        (all, []) => return Err(several_images(&files.label, all.iter().map(name).collect())),
        (_, several) => {
            return Err(several_images(&files.label, several.iter().map(name).collect()));
        }
    };

    let manifest: Manifest = files.read_blob(&image.digest)?;
    let config: Config = files.read_blob(&manifest.config.digest)?;
    let layer = |layer: &Descriptor| {
        let (path, digits) = files.blob(&layer.digest)?;
        Ok(Blob { path, digest: Some(Digest::OfFile(digits)) })
    };
    let layers = manifest.layers.iter().map(layer).collect::<Result<_>>()?;
    Ok(Some(ImageArchive::new(layers, config.config)))
}

/// Adds the images of an index, and of the indexes that it names: each of them
/// once, or a few small files that name each other many times would take days.
fn collect(
    files: &Files,
    index: Index,
    images: &mut Vec<Descriptor>,
    indexes: &mut BTreeSet<String>,
    depth: usize,
) -> Result<()> {
    for descriptor in index.manifests {
        if descriptor.media_type.ends_with("image.index.v1+json")
            || descriptor.media_type.ends_with("manifest.list.v2+json")
        {
            if depth == MAX_DEPTH {
                return Err(files.damaged(Path::new("index.json"), "it has too many levels"));
            }
            if !indexes.insert(descriptor.digest.clone()) {
                continue;
            }
            let mut nested: Index = files.read_blob(&descriptor.digest)?;
            // The name of an image of many platforms is that of each of them.
            for inner in &mut nested.manifests {
                for (key, value) in &descriptor.annotations {
                    inner.annotations.entry(key.clone()).or_insert_with(|| value.clone());
                }
            }
            collect(files, nested, images, indexes, depth + 1)?;
        } else if !is_attestation(&descriptor)
            // One image can have several names.
            && images.iter().all(|image| image.digest != descriptor.digest)
        {
            images.push(descriptor);
        }
    }
    Ok(())
}

/// What docker build adds to describe an image is no image.
fn is_attestation(descriptor: &Descriptor) -> bool {
    descriptor.annotations.contains_key("vnd.docker.reference.type")
        || descriptor.platform.as_ref().is_some_and(|platform| platform.os == "unknown")
}

fn is_for_here(descriptor: &Descriptor) -> bool {
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "x86" => "386",
        "powerpc64" => "ppc64le",
        other => other,
    };
    descriptor
        .platform
        .as_ref()
        .is_some_and(|platform| platform.os == "linux" && platform.architecture == architecture)
}

fn name(descriptor: &Descriptor) -> String {
    let name = descriptor
        .annotations
        .get("io.containerd.image.name")
        .or_else(|| descriptor.annotations.get("org.opencontainers.image.ref.name"))
        .unwrap_or(&descriptor.digest);
    match &descriptor.platform {
        None => name.clone(),
        Some(platform) => format!("{name} ({}/{})", platform.os, platform.architecture),
    }
}
