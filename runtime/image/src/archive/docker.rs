//! What `docker save` writes: `manifest.json` names configuration and layers.

use std::path::Path;

use serde::Deserialize;

use super::{Blob, Config, Digest, Files, ImageArchive, null_is_default, several_images, sha256};
use mydocker_kernel::{Error, Result};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Manifest {
    config: String,
    #[serde(deserialize_with = "null_is_default")]
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
    let mut manifests: Vec<Manifest> = match files.read(path) {
        Err(error) if error.errno().is_none() => return Ok(None),
        other => other?,
    };
    // One image under several names is still one.
    manifests.dedup_by(|one, other| one.config == other.config && one.layers == other.layers);
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

/// Refuses what `docker save` wrote before `manifest.json`: for each layer a
/// folder with its ID for a name, in which are `json` and `layer.tar`.
///
/// # Errors
/// It is such an archive; or its folder cannot be read.
pub fn refuse_of_before_1_10(files: &Files) -> Result<()> {
    let is_id = |name: &str| name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    for id in files.names()?.iter().filter(|name| is_id(name)) {
        let folder = Path::new(id);
        if files.find(&folder.join("json"))?.is_some()
            && files.find(&folder.join("layer.tar"))?.is_some()
        {
            return Err(Error::new(format!("{} cannot be imported", files.label))
                .because("it is what docker save wrote before docker 1.10: it has no manifest.json")
                .advise("docker load it where that still works, and docker save it again"));
        }
    }
    Ok(())
}

fn name(manifest: Manifest) -> String {
    match manifest.repo_tags.as_deref() {
        None | Some([]) => manifest.config,
        Some(tags) => tags.join(" = "),
    }
}
