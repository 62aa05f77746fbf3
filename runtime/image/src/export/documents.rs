//! The documents of an image archive: its configuration, and what names its parts.
//!
//! See the OCI image specification, config.md, manifest.md and image-layout.md.
//! Docker's own form has `manifest.json` in the place of manifest and index.

use serde::Serialize;

use super::Format;
use super::blob::Blob;
use crate::Image;
use crate::archive::architecture;

const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// The tag: there are none here, and this is the usual one.
const TAG: &str = "latest";

/// What is in an archive beside the layers, and where those lie in it.
pub struct Described {
    /// Where each layer goes, the bottom one first.
    pub layers: Vec<String>,
    /// The other files, in their order.
    pub documents: Vec<(String, Vec<u8>)>,
    /// What an importer should know.
    pub warning: Option<String>,
}

#[derive(Serialize)]
struct Config<'a> {
    architecture: &'a str,
    config: Execution<'a>,
    os: &'a str,
    rootfs: RootFs,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Execution<'a> {
    env: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    working_dir: Option<&'a str>,
}

#[derive(Serialize)]
struct RootFs {
    diff_ids: Vec<String>,
    r#type: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor<'a> {
    media_type: &'a str,
    digest: String,
    size: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    annotations: Option<Annotations>,
}

#[derive(Serialize)]
struct Annotations {
    /// The name that docker gives it.
    #[serde(rename = "io.containerd.image.name", skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(rename = "org.opencontainers.image.ref.name")]
    tag: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Manifest<'a> {
    schema_version: u32,
    media_type: &'a str,
    config: Descriptor<'a>,
    layers: Vec<Descriptor<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Index<'a> {
    schema_version: u32,
    media_type: &'a str,
    manifests: [Descriptor<'a>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct DockerManifest<'a> {
    config: String,
    repo_tags: Option<[String; 1]>,
    layers: &'a [String],
}

/// Describes an image of these layers, the bottom one first.
pub fn describe(image: &Image, layers: &[Blob], format: Format) -> Described {
    let config = json(&Config {
        architecture: architecture(),
        config: Execution { env: image.env(), working_dir: image.working_dir() },
        os: "linux",
        rootfs: RootFs { diff_ids: layers.iter().map(Blob::digest).collect(), r#type: "layers" },
    });
    let name = image.name();
    let warning = (!is_reference(name))
        .then(|| format!("docker takes no name as {name:?}: it will show the image without one"));
    match format {
        Format::Docker => docker(name, layers, config, warning),
        Format::Oci => oci(name, layers, config, warning),
    }
}

fn docker(name: &str, layers: &[Blob], config: Vec<u8>, warning: Option<String>) -> Described {
    let layers: Vec<String> = layers.iter().map(|layer| layer.digits.clone() + ".tar").collect();
    let config_path = Blob::of(&config).digits + ".json";
    let repo_tags = warning.is_none().then(|| [format!("{name}:{TAG}")]);
    let manifest = DockerManifest { config: config_path.clone(), repo_tags, layers: &layers };
    let manifest = json(&[manifest]);
    let documents = vec![(config_path, config), ("manifest.json".into(), manifest)];
    Described { layers, documents, warning }
}

fn oci(name: &str, layers: &[Blob], config: Vec<u8>, warning: Option<String>) -> Described {
    let path = |blob: &Blob| format!("blobs/sha256/{}", blob.digits);
    let descriptor = |media_type, blob: &Blob, annotations| Descriptor {
        media_type,
        digest: blob.digest(),
        size: blob.size,
        annotations,
    };
    let config_blob = Blob::of(&config);
    let manifest = json(&Manifest {
        schema_version: 2,
        media_type: MANIFEST,
        config: descriptor(CONFIG, &config_blob, None),
        layers: layers.iter().map(|layer| descriptor(LAYER, layer, None)).collect(),
    });
    let manifest_blob = Blob::of(&manifest);
    let name = warning.is_none().then(|| format!("docker.io/library/{name}:{TAG}"));
    let annotations = Some(Annotations { name, tag: TAG });
    let index = json(&Index {
        schema_version: 2,
        media_type: INDEX,
        manifests: [descriptor(MANIFEST, &manifest_blob, annotations)],
    });
    let documents = vec![
        (path(&config_blob), config),
        (path(&manifest_blob), manifest),
        ("index.json".into(), index),
        ("oci-layout".into(), br#"{"imageLayoutVersion":"1.0.0"}"#.to_vec()),
    ];
    Described { layers: layers.iter().map(path).collect(), documents, warning }
}

fn json(document: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(document).expect("strings and numbers")
}

/// Whether docker takes it for the name of an image: words of small letters and
/// digits, between them `.`, `_`, `__` or any number of `-`.
fn is_reference(name: &str) -> bool {
    let separators = |rest: &str| -> usize {
        match rest.len() - rest.trim_start_matches('-').len() {
            0 if rest.starts_with("__") => 2,
            0 if rest.starts_with(['.', '_']) => 1,
            dashes => dashes,
        }
    };
    let is_word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let mut rest = name;
    loop {
        let after = rest.trim_start_matches(is_word);
        if after.len() == rest.len() {
            return false;
        }
        if after.is_empty() {
            return true;
        }
        match separators(after) {
            0 => return false,
            length => rest = &after[length..],
        }
    }
}
