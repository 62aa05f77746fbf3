//! Archives of images: as docker save writes them, and OCI layouts.

// Each test file uses a part of this.
#![allow(dead_code)]

use std::io::Write;

use flate2::write::GzEncoder;
use ruzstd::encoding::{CompressionLevel, compress_to_vec};
use sha2::{Digest, Sha256};

use super::image_support::*;

/// Compresses a stream, or leaves it as it is.
pub type Compress = fn(&[u8]) -> Vec<u8>;

pub fn plain(bytes: &[u8]) -> Vec<u8> {
    bytes.into()
}

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// As pigz and `cat a.gz b.gz` make them.
pub fn gzip_of_several_members(bytes: &[u8]) -> Vec<u8> {
    let (first, second) = bytes.split_at(bytes.len() / 3);
    [gzip(first), gzip(b""), gzip(second)].concat()
}

pub fn zstd(bytes: &[u8]) -> Vec<u8> {
    compress_to_vec(bytes, CompressionLevel::Fastest)
}

/// Frames without data may lie anywhere, and pzstd begins with one.
pub fn zstd_of_several_frames(bytes: &[u8]) -> Vec<u8> {
    let (first, second) = bytes.split_at(bytes.len() / 3);
    let skipped = b"\x50\x2a\x4d\x18\x05\0\0\0hello";
    [&skipped[..], &zstd(first), skipped, &zstd(b""), &zstd(second), skipped].concat()
}

pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A bottom layer and one on it, as archives of files.
pub fn two_layers() -> [Vec<u8>; 2] {
    [
        tar(&[directory("etc"), file("etc/name", "lower"), file("gone", "")]),
        tar(&[file("etc/name", "upper"), file(".wh.gone", "")]),
    ]
}

pub fn config(layers: &[Vec<u8>]) -> String {
    let ids: Vec<String> = layers.iter().map(|l| format!("\"sha256:{}\"", sha256(l))).collect();
    format!(
        r#"{{"architecture":"amd64","os":"linux",
            "config":{{"Env":["PATH=/bin","A=b=c"],"WorkingDir":"/srv","Cmd":["sh"]}},
            "rootfs":{{"type":"layers","diff_ids":[{}]}}}}"#,
        ids.join(",")
    )
}

/// docker save before 25: a folder a layer; the same layer twice is a link.
pub fn docker_save_of_old(compress: Compress) -> Vec<Item> {
    let layers = two_layers();
    let manifest = r#"[{"Config":"c0ffee.json","RepoTags":["it:latest"],
        "Layers":["a/layer.tar","b/layer.tar"]}]"#;
    vec![
        directory("a/"),
        file("a/VERSION", "1.0"),
        file("real/layer.tar", compress(&layers[0])),
        symlink("a/layer.tar", "../real/layer.tar"),
        directory("b/"),
        file("b/layer.tar", compress(&layers[1])),
        file("c0ffee.json", config(&layers)),
        file("manifest.json", manifest),
        file("repositories", "{}"),
    ]
}

pub fn descriptor(blob: &[u8], more: &str) -> String {
    format!(r#"{{"digest":"sha256:{}","size":{}{more}}}"#, sha256(blob), blob.len())
}

pub fn blob(bytes: &[u8]) -> Item {
    file(format!("blobs/sha256/{}", sha256(bytes)), bytes)
}

/// The blobs of an image, and its manifest.
pub fn oci_image(compress: Compress) -> (Vec<Item>, Vec<u8>) {
    let layers = two_layers();
    let compressed = [compress(&layers[0]), compress(&layers[1])];
    let config = config(&layers).into_bytes();
    let manifest = format!(
        r#"{{"schemaVersion":2,"config":{},"layers":[{},{}]}}"#,
        descriptor(&config, ""),
        descriptor(&compressed[0], ""),
        descriptor(&compressed[1], ""),
    )
    .into_bytes();
    let blobs = vec![blob(&compressed[0]), blob(&compressed[1]), blob(&config), blob(&manifest)];
    (blobs, manifest)
}

pub fn oci_layout(mut blobs: Vec<Item>, manifests: &[String]) -> Vec<Item> {
    let index = format!(r#"{{"schemaVersion":2,"manifests":[{}]}}"#, manifests.join(","));
    blobs.push(file("oci-layout", r#"{"imageLayoutVersion":"1.0.0"}"#));
    blobs.push(file("index.json", index));
    blobs
}

pub fn oci(compress: Compress) -> Vec<Item> {
    let (blobs, manifest) = oci_image(compress);
    oci_layout(blobs, &[descriptor(&manifest, "")])
}

/// An OCI layout of the image with these layers, the bottom one first.
pub fn oci_of(layers: &[Vec<u8>]) -> Vec<Item> {
    let config = config(layers).into_bytes();
    let descriptors: Vec<String> = layers.iter().map(|layer| descriptor(layer, "")).collect();
    let manifest = format!(
        r#"{{"schemaVersion":2,"config":{},"layers":[{}]}}"#,
        descriptor(&config, ""),
        descriptors.join(",")
    );
    let mut blobs: Vec<Item> = layers.iter().map(|layer| blob(layer)).collect();
    blobs.extend([blob(&config), blob(manifest.as_bytes())]);
    oci_layout(blobs, &[descriptor(manifest.as_bytes(), "")])
}

/// docker save of the image with these layers; it says nothing of their digests.
pub fn docker_save_of(layers: &[Vec<u8>]) -> Vec<Item> {
    let paths: Vec<String> =
        (0..layers.len()).map(|number| format!("{number}/layer.tar")).collect();
    let mut items: Vec<Item> =
        paths.iter().zip(layers).map(|(path, layer)| file(path, layer)).collect();
    items.push(file("config.json", r#"{"rootfs":{"diff_ids":[]}}"#));
    let manifest = format!(r#"[{{"Config":"config.json","RepoTags":null,"Layers":{paths:?}}}]"#);
    items.push(file("manifest.json", manifest));
    items
}

/// docker save since 25: an OCI layout, and docker's manifest beside it.
pub fn docker_save(compress: Compress) -> Vec<Item> {
    let layers = two_layers();
    let path = |bytes: &[u8]| format!("blobs/sha256/{}", sha256(bytes));
    let manifest = format!(
        r#"[{{"Config":"{}","RepoTags":null,"Layers":["{}","{}"]}}]"#,
        path(config(&layers).as_bytes()),
        path(&compress(&layers[0])),
        path(&compress(&layers[1])),
    );
    let mut items = oci(compress);
    items.push(file("manifest.json", manifest));
    items
}
