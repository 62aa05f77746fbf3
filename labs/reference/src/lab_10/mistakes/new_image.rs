//! What people get wrong in new_image, except in its layers.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::symlink;
use std::path::Path;

use lab_10_grader::Answers;

use crate::catalogue::Mistake;
use crate::lab_10::SOLUTION;
use crate::lab_10::solution::{check_name, fill, names, new_image};
use crate::lab_10::steps::{MAKING, Making};

type Function = fn(&Path, &str, &str, &mut dyn Read) -> io::Result<()>;

pub const fn mistake(
    name: &'static str,
    code: &'static str,
    new_image: Function,
) -> Mistake<Answers> {
    Mistake { name, code, answers: Answers { new_image, ..SOLUTION } }
}

/// What is returned for a program that must compile.
pub const MAKES_NOTHING: Mistake<Answers> =
    mistake("makes_nothing", "answer/did-nothing", |_, _, _, _| Ok(()));

/// An image is its layers.
pub const CONFIGURATION_LOST: Mistake<Answers> =
    mistake("configuration_lost", "commit/configuration-lost", |images, base, name, archive| {
        Making {
            fill: |draft, base, archive| {
                fill(draft, base, archive)?;
                fs::write(draft.join("image.json"), "{}")
            },
            ..MAKING
        }
        .make(images, base, name, archive)
    });

/// The layers move to the newer image, and the older one gets the links.
pub const BASE_MOVED: Mistake<Answers> =
    mistake("base_moved", "commit/base-changed", |images, base, name, archive| {
        new_image(images, base, name, archive)?;
        let layer = images.join(base).join("layers/00");
        if layer.is_symlink() {
            return Ok(());
        }
        let moved = images.join(name).join("layers/00");
        fs::remove_file(&moved)?;
        fs::rename(&layer, moved)?;
        symlink(format!("../../{name}/layers/00"), layer)
    });

/// Removes a tree with what links lead to.
fn remove_through_links(path: &Path) -> io::Result<()> {
    for name in names(path)? {
        let path = path.join(name);
        if path.is_dir() {
            remove_through_links(&path)?;
            let _ = fs::remove_dir(&path);
        }
        let _ = fs::remove_file(&path);
    }
    Ok(())
}

/// is_dir() says yes for a link to a directory.
pub const DRAFT_DELETED_THROUGH_LINKS: Mistake<Answers> =
    mistake("draft_deleted_through_links", "commit/base-changed", |images, base, name, archive| {
        Making {
            clean_up: |draft| {
                let _ = remove_through_links(draft);
                let _ = fs::remove_dir_all(draft);
                Ok(())
            },
            ..MAKING
        }
        .make(images, base, name, archive)
    });

/// The directory of the image first, and then what is in it.
pub const MADE_IN_PLACE: Mistake<Answers> =
    mistake("made_in_place", "commit/half-an-image", |images, base, name, archive| {
        Making {
            draft: |images, name| {
                let image = images.join(name);
                fs::create_dir(&image)?;
                Ok(image)
            },
            rename: |_, _| Ok(()),
            ..MAKING
        }
        .make(images, base, name, archive)
    });

/// NAME.tmp is a good name of an image.
pub const DRAFT_WITHOUT_A_DOT: Mistake<Answers> =
    mistake("draft_without_a_dot", "commit/draft-is-an-image", |images, base, name, archive| {
        Making {
            draft: |images, name| {
                let short = &name[..name.len().min(100)];
                Ok(nix::unistd::mkdtemp(&images.join(format!("{short}.XXXXXX")))?)
            },
            ..MAKING
        }
        .make(images, base, name, archive)
    });

/// Whoever was killed has left it.
pub const ONE_DRAFT_FOR_ALL: Mistake<Answers> =
    mistake("one_draft_for_all", "commit/left-over-in-the-way", |images, base, name, archive| {
        Making {
            draft: |images, name| {
                let draft = images.join(format!(".{name}"));
                fs::create_dir(&draft)?;
                Ok(draft)
            },
            ..MAKING
        }
        .make(images, base, name, archive)
    });

/// What has the draft's name is left of a call that was killed; or of one that goes on.
pub const LEFT_OVER_REMOVED: Mistake<Answers> =
    mistake("left_over_removed", "commit/draft-of-another-call", |images, base, name, archive| {
        Making {
            draft: |images, name| {
                let draft = images.join(format!(".new-{name}"));
                match fs::remove_dir_all(&draft) {
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    other => other?,
                }
                fs::create_dir(&draft)?;
                Ok(draft)
            },
            ..MAKING
        }
        .make(images, base, name, archive)
    });

/// No other process has this number, but one that was killed may have had it.
pub const DRAFT_BY_PID: Mistake<Answers> =
    mistake("draft_by_pid", "commit/left-over-in-the-way", |images, base, name, archive| {
        Making {
            draft: |images, _| {
                let draft = images.join(format!(".{}", std::process::id()));
                fs::create_dir(&draft)?;
                Ok(draft)
            },
            ..MAKING
        }
        .make(images, base, name, archive)
    });

/// rename(2) replaces an empty directory.
pub const PLAIN_RENAME: Mistake<Answers> =
    mistake("plain_rename", "commit/existing-image-replaced", |images, base, name, archive| {
        Making { rename: |draft, image| fs::rename(draft, image), ..MAKING }
            .make(images, base, name, archive)
    });

/// exists() is false for a link that leads nowhere, and what is not empty cannot be
/// replaced anyway.
pub const EXISTING_REMOVED: Mistake<Answers> =
    mistake("existing_removed", "commit/existing-image-replaced", |images, base, name, archive| {
        Making {
            looks: false,
            rename: |draft, image| {
                if image.is_dir() {
                    fs::remove_dir_all(image)?;
                } else if image.is_symlink() {
                    fs::remove_file(image)?;
                }
                fs::rename(draft, image)
            },
            ..MAKING
        }
        .make(images, base, name, archive)
    });

/// A name is a name.
pub const NAMES_NOT_CHECKED: Mistake<Answers> =
    mistake("names_not_checked", "commit/name-not-checked", |images, base, name, archive| {
        Making { check_name: |_| Ok(()), ..MAKING }.make(images, base, name, archive)
    });

/// What leads outside is refused, and nothing else.
pub const SLASH_ALONE_IS_CHECKED: Mistake<Answers> =
    mistake("slash_alone_is_checked", "commit/name-not-checked", |images, base, name, archive| {
        Making {
            check_name: |name| match name.contains('/') || ["", ".", ".."].contains(&name) {
                true => Err(io::ErrorKind::InvalidInput.into()),
                false => Ok(()),
            },
            ..MAKING
        }
        .make(images, base, name, archive)
    });

/// char::is_alphanumeric, and a length in characters.
pub const LETTERS_OF_ANY_SCRIPT: Mistake<Answers> =
    mistake("letters_of_any_script", "commit/name-not-checked", |images, base, name, archive| {
        let check_name = |name: &str| {
            let is_right = name.chars().count() <= 128
                && name.starts_with(char::is_alphanumeric)
                && name.chars().all(|it| it.is_alphanumeric() || "_.-".contains(it));
            is_right.then_some(()).ok_or(io::ErrorKind::InvalidInput.into())
        };
        Making { check_name, ..MAKING }.make(images, base, name, archive)
    });

/// It says what is wrong, and no more.
pub const ERRORS_OF_NO_KIND: Mistake<Answers> =
    mistake("errors_of_no_kind", "commit/wrong-kind-of-error", |images, base, name, archive| {
        new_image(images, base, name, archive).map_err(|error| io::Error::other(error.to_string()))
    });

/// Letters and digits.
pub const NAMES_OF_LETTERS: Mistake<Answers> =
    mistake("names_of_letters", "commit/good-name-refused", |images, base, name, archive| {
        if !name.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        new_image(images, base, name, archive)
    });

/// The ? operator returns at once.
pub const LEFT_OVER_OF_AN_ERROR: Mistake<Answers> =
    mistake("left_over_of_an_error", "commit/left-over-stays", |images, base, name, archive| {
        Making { clean_up: |_| Ok(()), ..MAKING }.make(images, base, name, archive)
    });

/// As the blog logs them.
pub const ERRORS_ONLY_PRINTED: Mistake<Answers> =
    mistake("errors_only_printed", "commit/failed-call-not-told", |images, base, name, archive| {
        check_name(name)?;
        check_name(base)?;
        if images.join(name).symlink_metadata().is_ok() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        if let Err(error) = new_image(images, base, name, archive) {
            if error.kind() == io::ErrorKind::AlreadyExists {
                return Err(error);
            }
            println!("commit: {error}");
        }
        Ok(())
    });

/// Opened to sync it.
pub const DRAFT_LEFT_OPEN: Mistake<Answers> =
    mistake("draft_left_open", "commit/descriptor-left-open", |images, base, name, archive| {
        let opened = File::open(images)?;
        new_image(images, base, name, archive)?;
        std::mem::forget(opened);
        Ok(())
    });
