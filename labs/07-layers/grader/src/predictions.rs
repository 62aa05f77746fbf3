//! predictions.toml: what the student expects, beside what an overlay does.

use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::Path;
use std::time::SystemTime;

use labkit::host::Host;
use labkit::overlay::{mount_overlay, user_xattr};
use labkit::verdict::{Evidence, Finding, NOT_WRITTEN};
use nix::errno::Errno;
use serde::Deserialize;

use crate::LAB;
use crate::acts::PREDICTIONS;
use crate::layer::{directories, fill};
use crate::overlay::opaque_attribute;

/// The words that an answer may be.
const WORDS: [&str; 11] = [
    "nothing",
    "whole-file",
    "part-of-a-file",
    "empty-file",
    "whiteout",
    "folder",
    "opaque-folder",
    "done",
    "EXDEV",
    "old",
    "new",
];

/// predictions.toml: an answer to each question.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Predictions {
    append_to_a_file: String,
    read_a_file: String,
    change_a_mode: String,
    touch_a_file: String,
    delete_a_file_of_the_image: String,
    delete_a_new_file: String,
    replace_a_folder: String,
    rename_a_folder: String,
    write_to_one_of_two_names: String,
}

/// One question: what is done in an overlay, and where the answer is then seen.
struct Question {
    /// Its name in predictions.toml.
    name: &'static str,
    /// The student's answer.
    predicted: fn(&Predictions) -> &str,
    /// Does it in the overlay at this path; what the call itself says is the
    /// answer, if it is something.
    act: fn(&Path) -> io::Result<Option<&'static str>>,
    /// Otherwise what lies here in the write layer.
    look_at: &'static str,
    /// What is wrong with another answer.
    code: &'static str,
}

const CONTENT: &str = "a file of the image";

const COPY_UP: [Question; 4] = [
    Question {
        name: "append_to_a_file",
        predicted: |it| &it.append_to_a_file,
        act: |mnt| {
            OpenOptions::new().append(true).open(mnt.join("etc/motd"))?.write_all(b"more")?;
            Ok(None)
        },
        look_at: "etc/motd",
        code: "predicted-otherwise-copy-up",
    },
    Question {
        name: "read_a_file",
        predicted: |it| &it.read_a_file,
        act: |mnt| fs::read(mnt.join("etc/motd")).map(|_| None),
        look_at: "etc/motd",
        code: "predicted-otherwise-copy-up",
    },
    Question {
        name: "change_a_mode",
        predicted: |it| &it.change_a_mode,
        act: |mnt| {
            fs::set_permissions(mnt.join("etc/motd"), Permissions::from_mode(0o600)).map(|()| None)
        },
        look_at: "etc/motd",
        code: "predicted-otherwise-copy-up",
    },
    Question {
        name: "touch_a_file",
        predicted: |it| &it.touch_a_file,
        act: |mnt| {
            let file = OpenOptions::new().append(true).open(mnt.join("etc/motd"))?;
            file.set_modified(SystemTime::now()).map(|()| None)
        },
        look_at: "etc/motd",
        code: "predicted-otherwise-copy-up",
    },
];

const DELETIONS: [Question; 3] = [
    Question {
        name: "delete_a_file_of_the_image",
        predicted: |it| &it.delete_a_file_of_the_image,
        act: |mnt| fs::remove_file(mnt.join("etc/motd")).map(|()| None),
        look_at: "etc/motd",
        code: "predicted-otherwise-deletion",
    },
    Question {
        name: "delete_a_new_file",
        predicted: |it| &it.delete_a_new_file,
        act: |mnt| {
            fs::write(mnt.join("new"), "a")?;
            fs::remove_file(mnt.join("new")).map(|()| None)
        },
        look_at: "new",
        code: "predicted-otherwise-deletion",
    },
    Question {
        name: "replace_a_folder",
        predicted: |it| &it.replace_a_folder,
        act: |mnt| {
            fs::remove_dir_all(mnt.join("etc"))?;
            fs::create_dir(mnt.join("etc")).map(|()| None)
        },
        look_at: "etc",
        code: "predicted-otherwise-opaque",
    },
];

const RENAMES_AND_LINKS: [Question; 2] = [
    Question {
        name: "rename_a_folder",
        predicted: |it| &it.rename_a_folder,
        act: |mnt| match fs::rename(mnt.join("etc"), mnt.join("etc2")) {
            Err(error) if error.raw_os_error() == Some(Errno::EXDEV as i32) => Ok(Some("EXDEV")),
            other => other.map(|()| Some("done")),
        },
        look_at: "etc2",
        code: "predicted-otherwise-rename",
    },
    Question {
        name: "write_to_one_of_two_names",
        predicted: |it| &it.write_to_one_of_two_names,
        act: |mnt| {
            fs::write(mnt.join("a"), "new")?;
            let is_new = fs::read(mnt.join("b"))? == b"new";
            Ok(Some(if is_new { "new" } else { "old" }))
        },
        look_at: "a",
        code: "predicted-otherwise-hard-link",
    },
];

/// Does what a question is about, in an overlay of its own, and returns the
/// word for what is seen.
fn find_out(question: &Question, ground: &Path) -> io::Result<String> {
    let [image, upper, work, mnt] =
        ["image", "write-layer", "work", "mnt"].map(|name| ground.join(name));
    fill(&image, &[("etc/motd", CONTENT), ("a", CONTENT)]);
    fs::hard_link(image.join("a"), image.join("b"))?;
    directories(ground, ["write-layer", "work", "mnt"]);
    mount_overlay(&[&image], &upper, &work, &mnt)?;
    let said = (question.act)(&mnt)?;
    Ok(said.map_or_else(|| describe(&upper.join(question.look_at)), str::to_owned))
}

/// The word for what lies in the write layer.
fn describe(path: &Path) -> String {
    let Ok(data) = path.symlink_metadata() else { return "nothing".to_owned() };
    if data.file_type().is_char_device() && data.rdev() == 0 {
        return "whiteout".to_owned();
    }
    if data.is_dir() {
        let opaque = xattr::get(path, opaque_attribute(user_xattr())).ok().flatten().is_some();
        return if opaque { "opaque-folder" } else { "folder" }.to_owned();
    }
    let content = fs::read(path).unwrap_or_default();
    let word = if content.starts_with(CONTENT.as_bytes()) {
        "whole-file"
    } else if content.iter().all(|byte| *byte == 0) {
        "empty-file"
    } else {
        "part-of-a-file"
    };
    word.to_owned()
}

fn finding(code: &str) -> Finding {
    Finding::new(format!("{LAB}/{code}"))
}

fn judge(host: &Host, questions: &[Question]) -> Result<(), Finding> {
    let text = host.act(&PREDICTIONS, ()).make()?.returned;
    let predictions: Predictions = toml::from_str(&text)
        .map_err(|error| finding("predictions-unreadable").word("error", error.message()))?;
    for question in questions {
        let predicted = (question.predicted)(&predictions);
        if predicted == "?" {
            let evidence = Evidence::differs(question.name, "one of the words", "?");
            let finding = Finding::new(NOT_WRITTEN).word("function", PREDICTIONS.function);
            return Err(finding.with([evidence]));
        }
        if !WORDS.contains(&predicted) {
            let finding = finding("prediction-is-no-word").word("question", question.name);
            return Err(finding.word("predicted", predicted));
        }
    }
    for question in questions {
        let predicted = (question.predicted)(&predictions);
        let seen = find_out(question, &host.path(question.name)).expect("the sandbox allows it");
        if seen != predicted {
            let finding = finding(question.code).word("question", question.name);
            let finding = finding.word("predicted", predicted).word("seen", &seen);
            return Err(finding.with([Evidence::differs(question.name, &seen, predicted)]));
        }
    }
    Ok(())
}

pub fn copy_up_is_predicted(host: &Host) -> Result<(), Finding> {
    judge(host, &COPY_UP)
}

pub fn deletions_are_predicted(host: &Host) -> Result<(), Finding> {
    judge(host, &DELETIONS)
}

pub fn renames_and_links_are_predicted(host: &Host) -> Result<(), Finding> {
    judge(host, &RENAMES_AND_LINKS)
}
