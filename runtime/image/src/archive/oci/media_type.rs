//! What a media type says, see the specification's media-types.md; Docker's
//! names for the same are older.

/// What a descriptor in an index leads to.
pub enum Kind {
    Index,
    Manifest,
    /// Nothing of an image.
    Other,
}

/// What is of this media type. Where there is none it is a manifest.
pub fn kind(media_type: &str) -> Kind {
    match media_type {
        "application/vnd.oci.image.index.v1+json"
        | "application/vnd.docker.distribution.manifest.list.v2+json" => Kind::Index,
        ""
        | "application/vnd.oci.image.manifest.v1+json"
        | "application/vnd.docker.distribution.manifest.v2+json" => Kind::Manifest,
        _ => Kind::Other,
    }
}

/// Whether it is that of an image's configuration.
pub fn is_image_config(media_type: &str) -> bool {
    matches!(
        media_type,
        "" | "application/vnd.oci.image.config.v1+json"
            | "application/vnd.docker.container.image.v1+json"
    )
}

/// Whether it is that of a tar, compressed or not.
pub fn is_archive(media_type: &str) -> bool {
    // application/vnd.oci.image.layer.v1.tar+gzip
    let mut parts = media_type.split(['.', '+', '-', '/']);
    let is_encrypted = media_type.ends_with("+encrypted");
    media_type.is_empty() || parts.any(|part| part == "tar") && !is_encrypted
}
