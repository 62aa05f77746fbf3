//! What people get wrong in write_layer_tar: which entries there are, in which order, and how
//! they are written.

use std::cmp::Reverse;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use lab_10_grader::Answers;

use crate::catalogue::Mistake;
use crate::lab_10::SOLUTION;
use crate::lab_10::solution::{FirstNames, attribute, is_whiteout, names, write_layer_tar};
use crate::lab_10::steps::{WRITING, Writing, kept_attributes, mark_header};

type Function = fn(&Path, &mut dyn Write) -> io::Result<()>;

pub const fn mistake(
    name: &'static str,
    code: &'static str,
    write_layer_tar: Function,
) -> Mistake<Answers> {
    Mistake { name, code, answers: Answers { write_layer_tar, ..SOLUTION } }
}

/// What is returned for a program that must compile.
pub const WRITES_NOTHING: Mistake<Answers> =
    mistake("writes_nothing", "answer/did-nothing", |_, _| Ok(()));

/// finish() is forgotten, and where the builder is kept nobody does it.
pub const NO_END: Mistake<Answers> =
    mistake("no_end", "commit/end-mark-missing", |write_layer, out| {
        Writing { ends: false, ..WRITING }.write(write_layer, out)
    });

/// A header is changed after its sum.
pub const NO_SUMS: Mistake<Answers> =
    mistake("no_sums", "commit/archive-damaged", |write_layer, out| {
        let mut archive = Vec::new();
        write_layer_tar(write_layer, &mut archive)?;
        if let Some(mode) = archive.get_mut(103) {
            *mode ^= 1;
        }
        out.write_all(&archive)
    });

/// As the write layer has them: only overlayfs knows what they are.
pub const WHITEOUTS_AS_DEVICES: Mistake<Answers> =
    mistake("whiteouts_as_devices", "commit/whiteout-as-device", |write_layer, out| {
        Writing { is_whiteout: |_| false, ..WRITING }.write(write_layer, out)
    });

/// What has the inode of something else is a hard link: also a whiteout, of which a kernel
/// makes one for all.
pub const NAMES_BEFORE_WHITEOUTS: Mistake<Answers> =
    mistake("names_before_whiteouts", "commit/whiteout-as-hard-link", |write_layer, out| {
        Writing { looks_for_names_first: true, ..WRITING }.write(write_layer, out)
    });

/// Compared as they are shown.
pub const SORTED_AS_SHOWN: Mistake<Answers> =
    mistake("sorted_as_shown", "commit/wrong-order", |write_layer, out| {
        let names = |directory: &Path| {
            let mut names = names(directory)?;
            names.sort_by_key(|name| name.to_string_lossy().into_owned());
            Ok(names)
        };
        Writing { names, ..WRITING }.write(write_layer, out)
    });

/// What is deleted is nothing that an archive can hold.
pub const WHITEOUTS_LEFT_OUT: Mistake<Answers> =
    mistake("whiteouts_left_out", "commit/whiteout-left-out", |write_layer, out| {
        Writing {
            names: |directory| {
                let mut names = names(directory)?;
                names.retain(|name| {
                    !directory.join(name).symlink_metadata().is_ok_and(|it| is_whiteout(&it))
                });
                Ok(names)
            },
            ..WRITING
        }
        .write(write_layer, out)
    });

/// An empty file in the place of what is deleted.
pub const HIDDEN_NAMES_AS_EMPTY_FILES: Mistake<Answers> =
    mistake("hidden_names_as_empty_files", "commit/whiteout-as-file", |write_layer, out| {
        Writing { mark: |name| name.to_owned(), ..WRITING }.write(write_layer, out)
    });

/// Whiteouts are known, opaque directories are not.
pub const OPAQUE_NOT_READ: Mistake<Answers> =
    mistake("opaque_not_read", "commit/opaque-not-seen", |write_layer, out| {
        Writing { is_opaque: |_| Ok(false), ..WRITING }.write(write_layer, out)
    });

/// As root's overlays have it.
pub const TRUSTED_ONLY: Mistake<Answers> =
    mistake("trusted_only", "commit/opaque-not-seen", |write_layer, out| {
        let is_opaque = |path: &Path| {
            Ok(attribute(path, "trusted.overlay.opaque".as_ref())?.is_some_and(|it| it == b"y"))
        };
        Writing { is_opaque, ..WRITING }.write(write_layer, out)
    });

/// metadata() is shorter than symlink_metadata().
pub const LINKS_FOLLOWED: Mistake<Answers> =
    mistake("links_followed", "commit/link-followed", |write_layer, out| {
        let metadata = |path: &Path| path.metadata().or_else(|_| path.symlink_metadata());
        Writing { metadata, ..WRITING }.write(write_layer, out)
    });

/// Each name is a file of its own.
pub const HARD_LINKS_COPIED: Mistake<Answers> =
    mistake("hard_links_copied", "commit/hard-links-copied", |write_layer, out| {
        Writing { keeps_hard_links: false, ..WRITING }.write(write_layer, out)
    });

/// insert() of a map replaces: it is the name before that is linked to.
pub const LINKED_TO_THE_LAST_NAME: Mistake<Answers> =
    mistake("linked_to_the_last_name", "commit/hard-link-to-another-name", |write_layer, out| {
        let other_name = |known: &mut FirstNames, metadata: &fs::Metadata, path: &Path| {
            known.insert((metadata.dev(), metadata.ino()), path.to_owned())
        };
        Writing { other_name, ..WRITING }.write(write_layer, out)
    });

/// What is nothing else is a fifo.
pub const SOCKETS_AS_FIFOS: Mistake<Answers> =
    mistake("sockets_as_fifos", "commit/socket-written", |write_layer, out| {
        Writing { leaves_out_sockets: false, ..WRITING }.write(write_layer, out)
    });

/// Readers make the directories that a file needs.
pub const NO_DIRECTORIES: Mistake<Answers> =
    mistake("no_directories", "commit/directories-left-out", |write_layer, out| {
        Writing { has_directories: false, ..WRITING }.write(write_layer, out)
    });

/// A directory's entries, and then all its files once more.
pub const ENTRIES_TWICE: Mistake<Answers> =
    mistake("entries_twice", "commit/listed-twice", |write_layer, out| {
        let names = |directory: &Path| {
            let mut all = names(directory)?;
            let files: Vec<OsString> = all
                .iter()
                .filter(|name| directory.join(name).is_file())
                .filter(|name| {
                    directory.join(name).symlink_metadata().is_ok_and(|it| it.nlink() == 1)
                })
                .cloned()
                .collect();
            all.extend(files);
            Ok(all)
        };
        Writing { names, ..WRITING }.write(write_layer, out)
    });

/// A mark is made now, and says so.
pub const MARKS_OF_NOW: Mistake<Answers> =
    mistake("marks_of_now", "commit/not-the-same-twice", |write_layer, out| {
        let mark_header = || {
            let mut header = mark_header();
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            header.set_mtime(now.as_secs());
            header
        };
        Writing { mark_header, ..WRITING }.write(write_layer, out)
    });

/// readdir has an order, does it not?
pub const UNSORTED: Mistake<Answers> =
    mistake("unsorted", "commit/wrong-order", |write_layer, out| {
        let names = |directory: &Path| {
            let mut names = names(directory)?;
            // A tmpfs lists the youngest first; another file system by a hash.
            names.sort_by_key(|name| Reverse(name.len()));
            Ok(names)
        };
        Writing { names, ..WRITING }.write(write_layer, out)
    });

/// Marks come first, as their names have it.
pub const SORTED_BY_ENTRY: Mistake<Answers> =
    mistake("sorted_by_entry", "commit/wrong-order", |write_layer, out| {
        let names = |directory: &Path| {
            let mut names = names(directory)?;
            let is_mark = |name: &OsString| {
                directory.join(name).symlink_metadata().is_ok_and(|it| is_whiteout(&it))
            };
            names.sort_by_key(|name| {
                let mark = if is_mark(name) { b".wh.".as_slice() } else { b"" };
                [mark, name.as_bytes()].concat()
            });
            Ok(names)
        };
        Writing { names, ..WRITING }.write(write_layer, out)
    });

/// A file is a file, whatever its name.
pub const MARKS_AS_FILES: Mistake<Answers> =
    mistake("marks_as_files", "commit/reserved-name-written", |write_layer, out| {
        Writing { is_mark: |_| false, ..WRITING }.write(write_layer, out)
    });

/// What is no UTF-8 is no text, and so begins with nothing.
pub const MARKS_LOOKED_FOR_IN_TEXT: Mistake<Answers> =
    mistake("marks_looked_for_in_text", "commit/reserved-name-written", |write_layer, out| {
        let is_mark = |name: &OsStr| name.to_str().is_some_and(|name| name.starts_with(".wh."));
        Writing { is_mark, ..WRITING }.write(write_layer, out)
    });

/// It says what is wrong, and no more.
pub const REFUSED_AS_OTHER: Mistake<Answers> =
    mistake("refused_as_other", "commit/wrong-kind-of-error", |write_layer, out| {
        write_layer_tar(write_layer, out).map_err(|error| io::Error::other(error.to_string()))
    });

/// The bare error.
pub const REFUSED_WITHOUT_NAME: Mistake<Answers> =
    mistake("refused_without_name", "commit/error-without-name", |write_layer, out| {
        write_layer_tar(write_layer, out).map_err(|error| error.kind().into())
    });

/// write() returns how much was written.
pub const WRITE_FOR_WRITE_ALL: Mistake<Answers> =
    mistake("write_for_write_all", "commit/short-writes", |write_layer, out| {
        let mut archive = Vec::new();
        write_layer_tar(write_layer, &mut archive)?;
        out.write(&archive).map(drop)
    });

/// What a BufWriter cannot write when it is dropped, nobody hears of.
pub const BUFFER_NOT_FLUSHED: Mistake<Answers> =
    mistake("buffer_not_flushed", "commit/write-error-lost", |write_layer, out| {
        write_layer_tar(write_layer, &mut BufWriter::new(out))
    });

/// What cannot be read is not in it.
pub const UNREADABLE_LEFT_OUT: Mistake<Answers> =
    mistake("unreadable_left_out", "commit/failed-call-not-told", |write_layer, out| {
        let attributes = |path: &Path| Ok(kept_attributes(path).unwrap_or_default());
        let names = |directory: &Path| Ok(names(directory).unwrap_or_default());
        Writing { attributes, names, ..WRITING }.write(write_layer, out)
    });

/// The whole file, however long it is by now.
pub const AS_LONG_AS_IT_IS: Mistake<Answers> =
    mistake("as_long_as_it_is", "commit/torn-entry", |write_layer, out| {
        let content = |file: File, _: &fs::Metadata| Box::new(file) as Box<dyn Read>;
        Writing { content, ..WRITING }.write(write_layer, out)
    });

/// A file to write to first.
pub const WRITTEN_TO_TMP_FIRST: Mistake<Answers> =
    mistake("written_to_tmp_first", "commit/left-over-stays", |write_layer, out| {
        write_layer_tar(write_layer, &mut File::create("/tmp/layer.tar")?)?;
        io::copy(&mut File::open("/tmp/layer.tar")?, out).map(drop)
    });
