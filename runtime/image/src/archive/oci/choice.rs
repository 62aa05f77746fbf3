//! Which of several images is the one to import.

use super::super::{Files, several_images};
use super::{Descriptor, Manifest, Named, Platform, UNKNOWN, is_about_another};
use mydocker_kernel::{Error, Result};

/// The image for this machine; or the only one, whatever it is for.
///
/// # Errors
/// There is none, or several suit.
pub fn choose(files: &Files, named: Named) -> Result<Descriptor> {
    let Named { mut images, others, .. } = named;
    if let [only] = images.as_slice() {
        return Ok(only.clone());
    }
    // An index need not say what its images are for.
    for image in images.iter_mut().filter(|image| image.platform.is_none()) {
        image.platform = platform(files, image)?;
    }
    images.retain(|image| !is_about_another(image));
    let for_here: Vec<Descriptor> = images.iter().filter(|i| is_for_here(i)).cloned().collect();
    if for_here.is_empty() {
        // An archive may hold fewer images than its index names.
        let mut held = Vec::new();
        for image in &images {
            if holds(files, image)? {
                held.push(image.clone());
            }
        }
        return match (held.as_slice(), images.as_slice()) {
            ([only], _) => Ok(only.clone()),
            (_, []) => Err(no_image(files, others.into_iter().collect())),
            (_, all) => Err(several_images(&files.label, all.iter().map(name).collect())),
        };
    }

    // The lowest variant asks the least of the processor: amd64 before amd64/v3.
    let plainest = for_here.iter().min_by_key(|image| variant(image)).map(variant);
    let is_one_image = for_here.iter().all(|image| reference(image) == reference(&for_here[0]));
    let suitable = for_here.iter().filter(|&i| !is_one_image || Some(variant(i)) == plainest);
    match suitable.collect::<Vec<_>>().as_slice() {
        [only] => Ok((*only).clone()),
        several => Err(several_images(&files.label, several.iter().map(|i| name(i)).collect())),
    }
}

fn no_image(files: &Files, others: Vec<String>) -> Error {
    let error = Error::new(format!("{} holds no image", files.label));
    match others.as_slice() {
        [] => error.because("its index.json names none"),
        others => error.because(format!("its index.json names only {}", others.join(", "))),
    }
}

/// Whether the archive has the manifest of an image.
fn holds(files: &Files, image: &Descriptor) -> Result<bool> {
    let Ok((path, _)) = files.blob(&image.digest) else { return Ok(false) };
    Ok(files.find(&path)?.is_some())
}

/// What an image is for, by its own configuration; `unknown` if it is no image.
fn platform(files: &Files, image: &Descriptor) -> Result<Option<Platform>> {
    if !holds(files, image)? {
        return Ok(None);
    }
    let manifest: Manifest = files.read_blob(&image.digest)?;
    if manifest.is_of_something_else().is_some() {
        return Ok(Some(Platform { os: UNKNOWN.into(), ..Platform::default() }));
    }
    match holds(files, &manifest.config)? {
        true => files.read_blob(&manifest.config.digest).map(Some),
        false => Ok(None),
    }
}

fn is_for_here(image: &Descriptor) -> bool {
    image
        .platform
        .as_ref()
        .is_some_and(|platform| platform.os == "linux" && platform.architecture == architecture())
}

/// This machine's, as Go and so images call it.
pub fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "x86" => "386",
        "powerpc64" => "ppc64le",
        other => other,
    }
}

/// The number of a variant; the plain one is `v8` of arm64, `v1` of amd64.
fn variant(image: &Descriptor) -> u32 {
    let variant = image.platform.as_ref().map(|platform| platform.variant.trim_start_matches('v'));
    variant.and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// The name that an index gives an image.
fn reference(image: &Descriptor) -> Option<&String> {
    let annotation = |key| image.annotations.get(key);
    annotation("io.containerd.image.name").or(annotation("org.opencontainers.image.ref.name"))
}

fn name(image: &Descriptor) -> String {
    let name = reference(image).unwrap_or(&image.digest);
    match &image.platform {
        None => name.clone(),
        Some(platform) => {
            let parts = [&platform.os, &platform.architecture, &platform.variant];
            let parts: Vec<&str> =
                parts.into_iter().map(String::as_str).filter(|part| !part.is_empty()).collect();
            format!("{name} ({})", parts.join("/"))
        }
    }
}
