//! The rules on the container's files and where they are kept.

use labkit::verdict::Finding;

use super::{changed, code};
use crate::facts::Facts;
use crate::image::FILES;
use crate::layers::Layer;
use crate::seen::Run;

/// What the container's root file system is like.
pub fn image(facts: &Facts) -> Option<Finding> {
    [files, modes, links, devices].into_iter().find_map(|rule| rule(facts))
}

/// Whether all of the archive is there.
pub fn files(facts: &Facts) -> Option<Finding> {
    let mut runs = changed(facts);
    let lacks = |run: &Run| ["words", "hidden"].iter().any(|it| run.says(it) != Some(&facts.words));
    if runs.any(lacks) { code("files-missing") } else { None }
}

/// Whether it is there as it was packed.
pub fn modes(facts: &Facts) -> Option<Finding> {
    for run in changed(facts) {
        for (path, expected) in FILES {
            let Some(seen) = run.says(path) else { return code("files-missing") };
            if seen == expected {
                continue;
            }
            let without_time = |text: &str| text.rsplit_once(' ').map(|(it, _)| it.to_owned());
            let has_mode = without_time(seen) == without_time(expected);
            let finding = code(if has_mode { "times-lost" } else { "modes-lost" })?;
            return Some(finding.word("path", path));
        }
    }
    None
}

/// Whether a link is one.
pub fn links(facts: &Facts) -> Option<Finding> {
    for run in changed(facts) {
        if run.says("link") != Some("words") {
            return code("links-followed");
        }
        if run.says("twins").is_none() {
            return code("hard-links-copied");
        }
    }
    None
}

/// Whether the devices are there that every program counts on.
pub fn devices(facts: &Facts) -> Option<Finding> {
    if changed(facts).any(|run| run.says("null").is_none()) { code("dev-empty") } else { None }
}

/// Where the container's changes are.
pub fn layers(facts: &Facts) -> Option<Finding> {
    [image_layer, write_layer, mnt].into_iter().find_map(|rule| rule(facts))
}

/// What became of the image.
pub fn image_layer(facts: &Facts) -> Option<Finding> {
    let image = facts.image.as_ref();
    if let Some(image) = image.filter(|_| changed(facts).any(|run| !run.image_is_there)) {
        return not_found("folders.image", image);
    }
    if facts.runs.len() > 1 && !facts.has_image {
        return code("image-deleted");
    }
    if let Some(path) = facts.image_changes.first() {
        return Some(code("image-written")?.word("path", path));
    }
    let is_written = changed(facts).any(|run| run.image_has_new);
    is_written.then(|| Some(code("image-written")?.word("path", "/root/exam/new")))?
}

/// What came into the write layer.
pub fn write_layer(facts: &Facts) -> Option<Finding> {
    let run = changed(facts).find(|run| lacks_new(facts, run.write_layer.as_ref()))?;
    let layer = run.write_layer.as_ref().filter(|layer| !layer.is_there);
    match layer {
        _ if run.image_has_new => image_layer(facts),
        Some(layer) => not_found("folders.write_layer", &layer.path),
        None => code("write-layer-unused"),
    }
}

/// Whether the write layer is elsewhere than the adapter says, so that nobody can
/// tell what is left in it.
pub fn unknown_write_layer(facts: &Facts) -> Option<Finding> {
    let mut layers = changed(facts).filter_map(|run| run.write_layer.as_ref());
    let layer = layers.find(|layer| !layer.is_there)?;
    not_found("folders.write_layer", &layer.path)
}

/// What the host sees at mnt.
pub fn mnt(facts: &Facts) -> Option<Finding> {
    let run = changed(facts).find(|run| lacks_new(facts, run.mnt.as_ref()))?;
    match run.mnt.as_ref().filter(|layer| !layer.is_there) {
        Some(layer) => not_found("folders.mnt", &layer.path),
        None => code("mnt-not-on-the-host"),
    }
}

fn lacks_new(facts: &Facts, layer: Option<&Layer>) -> bool {
    layer.is_some_and(|layer| layer.new.as_ref() != Some(&facts.words))
}

/// A directory is not where the adapter says.
fn not_found(line: &str, folder: &str) -> Option<Finding> {
    Some(code("folder-not-found")?.word("line", line).word("folder", folder))
}
