//! Other right answers to lab 10.

use std::collections::{BTreeMap, HashMap};
use std::ffi::{OsStr, OsString};
use std::fs::{self, File, Metadata};
use std::io::{self, BufWriter, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};

use lab_10_grader::Answers;
use lab_10_grader::change::{Change, Kind};
use nix::fcntl::{AT_FDCWD, OFlag, RenameFlags, openat, renameat2};
use nix::sys::stat::Mode;
use tar::{Builder, EntryType, Header};

use super::SOLUTION;
use super::solution::{
    Below, attributes, changed_files, fill, is_opaque, is_whiteout, layer_name, lookup, names,
    new_image, unpack_layer, write_layer_tar,
};
use super::steps::{
    Archive, Entry, MAKING, Making, WRITING, Writing, append_records, kept_attributes, mark_header,
};
use crate::catalogue::Variant;

/// Right, and not as the solution does it.
pub static RIGHT: &[Variant<Answers>] = &[
    // A stack of directories to visit in the place of recursion, and one look into the
    // layers from their tops for each path.
    Variant {
        name: "each_path_from_the_top",
        answers: Answers { changed_files: from_the_top, ..SOLUTION },
    },
    // A map of all paths, so that they come out sorted.
    Variant {
        name: "sorted_by_a_map",
        answers: Answers {
            changed_files: |write_layer, layers| {
                let mut all = BTreeMap::new();
                for change in changed_files(write_layer, layers)?.into_iter().rev() {
                    let names: Vec<OsString> = change.path.iter().map(OsStr::to_owned).collect();
                    all.insert(names, change);
                }
                Ok(all.into_values().collect())
            },
            ..SOLUTION
        },
    },
    // In memory first, buffered, and in one piece.
    Variant {
        name: "archive_in_memory",
        answers: Answers {
            write_layer_tar: |write_layer, out| {
                let mut archive = Vec::new();
                write_layer_tar(write_layer, &mut archive)?;
                let mut out = BufWriter::with_capacity(1000, out);
                out.write_all(&archive)?;
                out.flush()
            },
            ..SOLUTION
        },
    },
    // With an entry for the top, and marks of mode 0.
    Variant {
        name: "with_the_top",
        answers: Answers { write_layer_tar: with_the_top, ..SOLUTION },
    },
    // Pax records for whatever does not fit into a header, and attributes for each name of a
    // file.
    Variant {
        name: "ustar_headers",
        answers: Answers {
            write_layer_tar: |write_layer, out| {
                Writing {
                    header: ustar_header,
                    mark_header: || {
                        let mut header = mark_header();
                        header.set_mode(0o644);
                        header
                    },
                    attributes: |path| {
                        let mut records = kept_attributes(path)?;
                        let seconds = path.symlink_metadata()?.mtime().to_string();
                        records.push(("mtime".to_owned(), seconds.into_bytes()));
                        Ok(records)
                    },
                    repeats_attributes: true,
                    append: in_pax_records,
                    ..WRITING
                }
                .write(write_layer, out)
            },
            ..SOLUTION
        },
    },
    // The name of the draft by the process and a counter, the links by the names alone.
    Variant {
        name: "links_read_and_not_resolved",
        answers: Answers {
            new_image: |images, base, name, archive| {
                Making {
                    draft: |images, _| {
                        for number in 0.. {
                            let draft = images.join(format!(".{}-{number}", std::process::id()));
                            match fs::create_dir(&draft) {
                                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                                made => return made.map(|()| draft),
                            }
                        }
                        unreachable!("there is a free number")
                    },
                    fill: links_by_name,
                    ..MAKING
                }
                .make(images, base, name, archive)
            },
            ..SOLUTION
        },
    },
    // The archive is read before anything is made, and all is made through descriptors.
    Variant {
        name: "archive_read_first",
        answers: Answers {
            new_image: |images, base, name, archive| {
                let mut bytes = Vec::new();
                archive.read_to_end(&mut bytes)?;
                new_image(images, base, name, &mut bytes.as_slice())
            },
            ..SOLUTION
        },
    },
    Variant {
        name: "renamed_through_a_descriptor",
        answers: Answers {
            new_image: |images, base, name, archive| {
                Making {
                    rename: |draft, image| {
                        let images = image.parent().expect("it is in a directory");
                        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
                        let images = openat(AT_FDCWD, images, flags, Mode::empty())?;
                        let last = |path: &Path| path.file_name().expect("a name").to_owned();
                        let (from, to) = (last(draft), last(image));
                        let flags = RenameFlags::RENAME_NOREPLACE;
                        let (from, to) = (from.as_os_str(), to.as_os_str());
                        Ok(renameat2(images.as_fd(), from, images.as_fd(), to, flags)?)
                    },
                    fill: |draft, base, archive| {
                        // The configuration first.
                        fs::copy(base.join("image.json"), draft.join("image.json"))?;
                        fill(draft, base, archive)
                    },
                    ..MAKING
                }
                .make(images, base, name, archive)
            },
            ..SOLUTION
        },
    },
];

fn from_the_top(write_layer: &Path, layers: &[PathBuf]) -> io::Result<Vec<Change>> {
    let mut changes = Vec::new();
    let mut known = HashMap::new();
    // The last one comes next.
    let mut to_visit: Vec<PathBuf> = names(write_layer)?.into_iter().map(PathBuf::from).collect();
    to_visit.reverse();
    while let Some(path) = to_visit.pop() {
        let on_disk = write_layer.join(&path);
        let metadata = on_disk.symlink_metadata()?;
        let below = below(write_layer, layers, &path)?;
        let is_new = matches!(below, Below::Nothing);
        let mut hard_link = None;
        let kind = if is_whiteout(&metadata) {
            (!is_new).then_some(Kind::Deleted)
        } else if !metadata.is_dir() {
            let first: &PathBuf = known.entry(metadata.ino()).or_insert(path.clone());
            hard_link = (*first != path).then(|| first.clone());
            Some(if is_new { Kind::Added } else { Kind::Changed })
        } else {
            let inside = names(&on_disk)?.into_iter().rev().map(|name| path.join(name));
            to_visit.extend(inside);
            match below {
                Below::Nothing => Some(Kind::Added),
                Below::File => Some(Kind::Changed),
                Below::Directories(_) if is_opaque(&on_disk)? => Some(Kind::Emptied),
                Below::Directories(below) => {
                    let is_same = attributes(&metadata) == attributes(&below[0].metadata()?);
                    (!is_same).then_some(Kind::Changed)
                }
            }
        };
        changes.extend(kind.map(|kind| Change { kind, path, hard_link }));
    }
    Ok(changes)
}

/// What the layers below show at a path of the write layer.
fn below(write_layer: &Path, layers: &[PathBuf], path: &Path) -> io::Result<Below> {
    let mut directories = layers.to_vec();
    let mut here = write_layer.to_owned();
    let mut names = path.iter().peekable();
    while let Some(name) = names.next() {
        let found = lookup(&directories, name)?;
        here.push(name);
        if names.peek().is_none() {
            return Ok(found);
        }
        match found {
            Below::Directories(merged) if !is_opaque(&here)? => directories = merged,
            _ => return Ok(Below::Nothing),
        }
    }
    Ok(Below::Nothing)
}

fn with_the_top(write_layer: &Path, out: &mut dyn Write) -> io::Result<()> {
    let mut archive = Builder::new(out);
    let mut top = mark_header();
    top.set_entry_type(EntryType::Directory);
    top.set_mode(0o755);
    archive.append_data(&mut top, "./", io::empty())?;
    let mut bytes = Vec::new();
    Writing {
        mark_header: || {
            let mut header = mark_header();
            header.set_mode(0);
            header
        },
        ends: false,
        ..WRITING
    }
    .write(write_layer, &mut bytes)?;
    archive.get_mut().write_all(&bytes)?;
    archive.finish()
}

fn ustar_header(metadata: &Metadata) -> Header {
    let mut header = Header::new_ustar();
    header.set_mode(metadata.mode() & 0o7777);
    header.set_uid(metadata.uid().into());
    header.set_gid(metadata.gid().into());
    header.set_mtime(metadata.mtime().try_into().unwrap_or(0));
    header.set_size(0);
    header
}

fn in_pax_records(archive: &mut Archive<'_>, mut entry: Entry<'_>) -> io::Result<()> {
    let target = entry.target.unwrap_or_default();
    let fields = entry.header.as_old_mut();
    for (key, field, path) in [
        ("path", &mut fields.name, entry.name),
        ("linkpath", &mut fields.linkname, target.as_path()),
    ] {
        let bytes = path.as_os_str().as_bytes();
        let length = bytes.len().min(field.len());
        field[..length].copy_from_slice(&bytes[..length]);
        if bytes.len() > field.len() {
            entry.records.push((key.to_owned(), bytes.to_vec()));
        }
    }
    entry.header.set_cksum();
    append_records(archive, &entry.records)?;
    archive.append(&entry.header, entry.content)
}

fn links_by_name(draft: &Path, base: &Path, archive: &mut dyn Read) -> io::Result<()> {
    let (layers, below) = (draft.join("layers"), base.join("layers"));
    fs::create_dir(&layers)?;
    let count = names(&below)?.len();
    for number in (0..count).map(layer_name) {
        let layer = below.join(&number);
        // What leads nowhere is missing.
        File::open(&layer)?;
        let target = match layer.read_link() {
            Ok(target) => target,
            Err(_) => {
                let base = base.file_name().expect("a name");
                Path::new("../..").join(base).join("layers").join(&number)
            }
        };
        symlink(target, layers.join(&number))?;
    }
    unpack_layer(archive, &layers.join(layer_name(count)))?;
    fs::copy(base.join("image.json"), draft.join("image.json")).map(drop)
}
