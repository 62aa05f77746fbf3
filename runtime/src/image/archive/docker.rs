//! What `docker save` writes: `manifest.json` names configuration and layers.

use std::path::Path;

use serde::Deserialize;

use super::{Blob, Config, Digest, Files, ImageArchive, several_images, sha256};
use crate::error::Result;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Manifest {
    config: String,
    layers: Vec<String>,
    repo_tags: Option<Vec<String>>,
}

/// The image that `manifest.json` describes; `None` if there is no such file,
/// or it is something else's.
///
/// # Errors
/// The image archive is damaged, or holds several images.
pub fn image(files: &Files) -> Result<Option<ImageArchive>> {
    let path = Path::new("manifest.json");
    if files.find(path)?.is_none() {
        return Ok(None);
    }
    // Many programs have a file of that name, also in the root of an image.
    let manifests: Vec<Manifest> = match files.read(path) {
        Err(error) if error.errno().is_none() => return Ok(None),
        other => other?,
    };
    let [manifest] = manifests.as_slice() else {
        return match manifests.is_empty() {
            true => Ok(None),
            false => Err(several_images(&files.label, manifests.into_iter().map(name).collect())),
        };
    };
    if files.find(Path::new(&manifest.config))?.is_none() {
        return Ok(None);
    }

    let config: Config = files.read(Path::new(&manifest.config))?;
    let layer = |(number, path): (usize, &String)| Blob {
        path: path.into(),
        digest: config
            .rootfs
            .diff_ids
            .get(number)
            .and_then(|digest| Some(Digest::OfUnpacked(sha256(digest)?.into()))),
    };
    let layers = manifest.layers.iter().enumerate().map(layer).collect();
    Ok(Some(ImageArchive::new(layers, config.config)))
}

fn name(manifest: Manifest) -> String {
    match manifest.repo_tags.as_deref() {
        None | Some([]) => manifest.config,
        Some(tags) => tags.join(" = "),
    }
}
