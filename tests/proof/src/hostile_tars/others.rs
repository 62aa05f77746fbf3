//! What GNU tar and umoci make of the same archives.

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use nix::unistd::geteuid;
use sha2::{Digest, Sha256};

/// Unpacks an archive with GNU tar to the new folder `to`.
///
/// # Errors
/// What tar says.
pub fn gnu_tar(archive: &Path, to: &Path) -> Result<(), String> {
    fs::create_dir(to).map_err(|error| error.to_string())?;
    let mut tar = Command::new("tar");
    tar.arg("--extract").arg("--file").arg(archive).arg("--directory").arg(to);
    tar.args([
        "--blocking-factor=1",
        "--numeric-owner",
        "--same-permissions",
        "--xattrs",
        "--xattrs-include=*",
    ]);
    let output = run(&mut tar)?;
    // An ordinary user cannot make devices; all else is there.
    match output.status.success() || !geteuid().is_root() {
        true => Ok(()),
        false => Err(format!("GNU tar: {}", String::from_utf8_lossy(&output.stderr))),
    }
}

/// Unpacks the layers with umoci; the files are in `folder/bundle/rootfs` then.
///
/// # Errors
/// What umoci says.
pub fn umoci(layers: &[Vec<u8>], folder: &Path) -> Result<(), String> {
    fs::create_dir(folder).map_err(|error| error.to_string())?;
    write_layout(layers, &folder.join("oci")).map_err(|error| error.to_string())?;
    let mut umoci = Command::new("umoci");
    umoci.current_dir(folder).args(["unpack", "--image", "oci:it"]);
    if !geteuid().is_root() {
        umoci.arg("--rootless");
    }
    let output = run(umoci.arg("bundle"))?;
    match output.status.success() {
        true => Ok(()),
        false => Err(format!("umoci: {}", String::from_utf8_lossy(&output.stderr))),
    }
}

fn run(command: &mut Command) -> Result<Output, String> {
    let name = command.get_program().to_string_lossy().into_owned();
    command.stdin(Stdio::null()).output().map_err(|error| format!("{name}: {error}"))
}

/// An OCI image layout with one image, `it`. See the specification's
/// image-layout.md.
///
/// # Errors
/// As open(2) and write(2).
pub fn write_layout(layers: &[Vec<u8>], folder: &Path) -> std::io::Result<()> {
    fs::create_dir_all(folder.join("blobs/sha256"))?;
    let blob = |kind: &str, bytes: &[u8]| {
        let digits = sha256(bytes);
        fs::write(folder.join("blobs/sha256").join(&digits), bytes)?;
        std::io::Result::Ok(serde_json::json!({
            "mediaType": format!("application/vnd.oci.image.{kind}"),
            "digest": format!("sha256:{digits}"),
            "size": bytes.len(),
        }))
    };
    let descriptors: Vec<_> =
        layers.iter().map(|layer| blob("layer.v1.tar", layer)).collect::<Result<_, _>>()?;
    let ids: Vec<String> = layers.iter().map(|layer| format!("sha256:{}", sha256(layer))).collect();
    let config = serde_json::json!({
        "architecture": "amd64", "os": "linux", "config": {},
        "rootfs": { "type": "layers", "diff_ids": ids },
    });
    let config = blob("config.v1+json", config.to_string().as_bytes())?;
    let manifest =
        serde_json::json!({ "schemaVersion": 2, "config": config, "layers": descriptors });
    let mut image = blob("manifest.v1+json", manifest.to_string().as_bytes())?;
    image["annotations"] = serde_json::json!({ "org.opencontainers.image.ref.name": "it" });
    let index = serde_json::json!({ "schemaVersion": 2, "manifests": [image] });
    fs::write(folder.join("index.json"), index.to_string())?;
    fs::write(folder.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#)
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
