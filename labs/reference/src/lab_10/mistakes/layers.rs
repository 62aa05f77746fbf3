//! What people get wrong about the layers of a new image.

use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use lab_10_grader::Answers;

use super::new_image::mistake;
use crate::catalogue::Mistake;
use crate::lab_10::solution::{fill, layer_name, names, unpack_layer};
use crate::lab_10::steps::{MAKING, Making};

/// Fills the directory of an image; `share` makes what a layer below becomes.
fn fill_by(
    draft: &Path,
    base: &Path,
    archive: &mut dyn Read,
    share: fn(&Path, &Path) -> io::Result<()>,
) -> io::Result<()> {
    let (layers, below) = (draft.join("layers"), base.join("layers"));
    fs::create_dir(&layers)?;
    let count = names(&below)?.len();
    for number in (0..count).map(layer_name) {
        below.join(&number).canonicalize()?;
        share(&below.join(&number), &layers.join(&number))?;
    }
    unpack_layer(archive, &layers.join(layer_name(count)))?;
    fs::copy(base.join("image.json"), draft.join("image.json"))?;
    Ok(())
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir(to)?;
    for name in names(from)? {
        let (from, to) = (from.join(&name), to.join(&name));
        if from.is_dir() { copy(&from, &to)? } else { fs::copy(from, to).map(drop)? }
    }
    Ok(())
}

/// The blog's way: an image has all its files.
pub const LAYERS_COPIED: Mistake<Answers> =
    mistake("layers_copied", "commit/layers-copied", |images, base, name, archive| {
        Making { fill: |draft, base, archive| fill_by(draft, base, archive, copy), ..MAKING }
            .make(images, base, name, archive)
    });

/// To the layer where it lies.
pub const ABSOLUTE_LINKS: Mistake<Answers> =
    mistake("absolute_links", "commit/absolute-link", |images, base, name, archive| {
        Making {
            fill: |draft, base, archive| {
                fill_by(draft, base, archive, |from, to| symlink(from.canonicalize()?, to))
            },
            ..MAKING
        }
        .make(images, base, name, archive)
    });

/// IMAGE/layers/NN.
fn last_three(path: &Path) -> PathBuf {
    let mut names: Vec<_> = path.iter().rev().take(3).collect();
    names.reverse();
    names.into_iter().collect()
}

/// Whatever the layer of the base is.
pub const LINKS_TO_THE_BASE: Mistake<Answers> =
    mistake("links_to_the_base", "commit/link-to-a-link", |images, base, name, archive| {
        Making {
            fill: |draft, base, archive| {
                fill_by(draft, base, archive, |from, to| {
                    symlink(Path::new("../..").join(last_three(from)), to)
                })
            },
            ..MAKING
        }
        .make(images, base, name, archive)
    });

/// The real path is compared with `images` as it was given. A path that does not fit is
/// taken for one that need not be resolved.
pub const IMAGES_AS_GIVEN: Mistake<Answers> =
    mistake("images_as_given", "commit/link-depends-on-path", |images, base, name, archive| {
        Making {
            fill: |draft, base, archive| {
                fill_by(draft, base, archive, |from, to| {
                    let real = from.canonicalize()?;
                    let images = from.ancestors().nth(3).expect("IMAGES/NAME/layers/NN");
                    let layer = if real.starts_with(images) { real.as_path() } else { from };
                    symlink(Path::new("../..").join(last_three(layer)), to)
                })
            },
            ..MAKING
        }
        .make(images, base, name, archive)
    });

/// A relative link is read from the directory that it is in.
pub const LINKS_FROM_THE_WRONG_PLACE: Mistake<Answers> = mistake(
    "links_from_the_wrong_place",
    "commit/link-leads-elsewhere",
    |images, base, name, archive| {
        Making {
            fill: |draft, base, archive| {
                fill_by(draft, base, archive, |from, to| {
                    symlink(Path::new("..").join(last_three(&from.canonicalize()?)), to)
                })
            },
            ..MAKING
        }
        .make(images, base, name, archive)
    },
);

/// The layers have other numbers than those of the base.
fn numbered(
    draft: &Path,
    base: &Path,
    archive: &mut dyn Read,
    number_of: fn(usize, usize) -> usize,
) -> io::Result<()> {
    fill(draft, base, archive)?;
    let layers = draft.join("layers");
    let count = names(&layers)?.len();
    for number in 0..count {
        let path = layers.join(layer_name(number));
        fs::rename(path, layers.join(format!("n{}", number_of(number, count))))?;
    }
    for name in names(&layers)? {
        let number = name.to_string_lossy()[1..].parse().expect("a number");
        fs::rename(layers.join(&name), layers.join(layer_name(number)))?;
    }
    Ok(())
}

/// 01 is the first.
pub const NUMBERED_FROM_ONE: Mistake<Answers> =
    mistake("numbered_from_one", "commit/layer-numbers-wrong", |images, base, name, archive| {
        Making {
            fill: |draft, base, archive| numbered(draft, base, archive, |number, _| number + 1),
            ..MAKING
        }
        .make(images, base, name, archive)
    });

/// 00 is the newest, as the first of lowerdir.
pub const NEW_LAYER_AT_THE_BOTTOM: Mistake<Answers> = mistake(
    "new_layer_at_the_bottom",
    "commit/layer-numbers-wrong",
    |images, base, name, archive| {
        Making {
            fill: |draft, base, archive| {
                numbered(draft, base, archive, |number, count| (number + 1) % count)
            },
            ..MAKING
        }
        .make(images, base, name, archive)
    },
);
