//! What a file has from another entry, from the directory around it, or from nowhere; and
//! what an archive says that the answer does not know.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, lchown};
use std::path::Path;

use lab_05_grader::Answers;
use nix::fcntl::AT_FDCWD;
use nix::sys::stat::{Mode, UtimensatFlags, umask, utimensat};
use nix::sys::time::TimeSpec;
use tar::{Archive, EntryType, Header};

use super::mistake;
use crate::catalogue::Mistake;
use crate::lab_05::solution::{
    create_read_only_layer, make, naming, owner, place, remove, set_attributes,
};
use crate::lab_05::steps::{STEPS, Steps, create, own};

/// Every entry has a header, and every header is applied.
pub const HEADERS_OF_HARD_LINKS: Mistake<Answers> =
    mistake("headers_of_hard_links", "rootfs/hard-link-header-applied", |tar, layer| {
        create(tar, layer, |tar, folder| {
            let mut folders = Vec::new();
            for entry in Archive::new(File::open(tar)?).entries()? {
                let mut entry = entry?;
                let name = entry.path()?.into_owned();
                let made = make(&mut entry, &name, folder);
                let path = made.map_err(|error| naming(&name, error))?;
                match entry.header().entry_type() {
                    EntryType::Directory => folders.push((path, name, entry.header().clone())),
                    EntryType::Link if path.is_symlink() => {}
                    _ => set_attributes(&path, entry.header())
                        .map_err(|error| naming(&name, error))?,
                }
            }
            folders.iter().try_for_each(|(path, name, header)| {
                set_attributes(path, header).map_err(|error| naming(name, error))
            })
        })
    });

/// The owner and the mode that the entry says.
fn owner_and_mode(path: &Path, header: &Header) -> io::Result<()> {
    let (user, group) = owner(header)?;
    lchown(path, Some(user), Some(group))?;
    match header.entry_type() {
        EntryType::Symlink => Ok(()),
        _ => fs::set_permissions(path, Permissions::from_mode(header.mode()?)),
    }
}

/// The time that the entry says.
fn set_time(path: &Path, header: &Header) -> io::Result<()> {
    let time = TimeSpec::new(header.mtime()? as i64, 0);
    Ok(utimensat(AT_FDCWD, path, &time, &time, UtimensatFlags::NoFollowSymlink)?)
}

/// A header without a time has 0 there, has it not?
pub const TIME_ZERO_LEFT_OUT: Mistake<Answers> =
    mistake("time_zero_left_out", "rootfs/time-zero-taken-for-none", |tar, layer| {
        Steps {
            set_attributes: |path, header| match header.mtime()? {
                0 => owner_and_mode(path, header),
                _ => set_attributes(path, header),
            },
            ..STEPS
        }
        .create(tar, layer)
    });

/// Unpacks to a folder that has what the directory around it hands down. If the archive
/// does not speak of the layer itself, that is taken away, but only in the end.
fn create_inheriting(steps: &Steps, tar: &Path, layer: &Path) -> io::Result<()> {
    create(tar, layer, |tar, folder| {
        fs::remove_dir(folder)?;
        fs::create_dir(folder)?;
        steps.unpack(tar, folder)?;
        let mut archive = Archive::new(File::open(tar)?);
        let mut entries = archive.entries()?.flatten();
        let has_layer = entries.any(|entry| entry.path().is_ok_and(|it| *it == *Path::new(".")));
        if has_layer { Ok(()) } else { own(folder) }
    })
}

/// With a umask of 0, mkdir(2) gives the mode: only special bits need a chmod.
pub const CHMOD_FOR_SPECIAL_BITS_ONLY: Mistake<Answers> =
    mistake("chmod_for_special_bits_only", "rootfs/set-group-id-inherited", |tar, layer| {
        let before = umask(Mode::empty());
        let steps = Steps {
            set_attributes: |path, header| {
                let (mode, kind) = (header.mode()?, header.entry_type());
                if kind != EntryType::Directory || mode & 0o7000 != 0 {
                    return set_attributes(path, header);
                }
                let (user, group) = owner(header)?;
                lchown(path, Some(user), Some(group))?;
                let is = path.symlink_metadata()?.permissions().mode();
                if is & 0o777 != mode & 0o777 {
                    fs::set_permissions(path, Permissions::from_mode(mode))?;
                }
                set_time(path, header)
            },
            ..Steps::making(EntryType::Directory, |entry, path, folder| match path == folder {
                true => Ok(()),
                false => DirBuilder::new().mode(entry.header().mode()?).create(path),
            })
        };
        let made = create_inheriting(&steps, tar, layer);
        umask(before);
        made
    });

/// What this process makes belongs to root anyway.
pub const CHOWN_FOR_OTHERS_ONLY: Mistake<Answers> =
    mistake("chown_for_others_only", "rootfs/set-group-id-inherited", |tar, layer| {
        let steps = Steps {
            set_attributes: |path, header| {
                if (header.uid()?, header.gid()?) != (0, 0) {
                    return set_attributes(path, header);
                }
                if header.entry_type() != EntryType::Symlink {
                    fs::set_permissions(path, Permissions::from_mode(header.mode()?))?;
                }
                set_time(path, header)
            },
            ..STEPS
        };
        create_inheriting(&steps, tar, layer)
    });

/// Every archive has an entry `./`, has it not? Without one, the umask and the directory around
/// the layer decide who may enter it.
pub const LAYER_AS_MKDIR_LEAVES_IT: Mistake<Answers> =
    mistake("layer_as_mkdir_leaves_it", "rootfs/layer-without-entry", |tar, layer| {
        if layer.symlink_metadata().is_ok() {
            return Ok(());
        }
        let unfinished = layer.with_added_extension("unfinished");
        remove(&unfinished)?;
        fs::create_dir(&unfinished)?;
        let unpacked = STEPS.unpack(tar, &unfinished);
        let made = unpacked.and_then(|()| fs::rename(&unfinished, layer));
        made.or_else(|error| remove(&unfinished).and(Err(error)))
    });

/// Files are filled by as many reads as go well.
pub const READ_ERRORS_END_A_FILE: Mistake<Answers> =
    mistake("read_errors_end_a_file", "rootfs/cut-archive-taken-for-whole", |tar, layer| {
        Steps::making(EntryType::Regular, |entry, path, _| {
            let mut file = File::create_new(path)?;
            let mut buffer = [0; 8192];
            while let Ok(count @ 1..) = entry.read(&mut buffer) {
                file.write_all(&buffer[..count])?;
            }
            Ok(())
        })
        .create(tar, layer)
    });

/// What is none of the known types is of no use in a container.
pub const UNKNOWN_TYPES_SKIPPED: Mistake<Answers> =
    mistake("unknown_types_skipped", "rootfs/unknown-type-skipped", |tar, layer| {
        Steps {
            failed: |name, error| match error.to_string().contains("an entry of the type") {
                true => Ok(()),
                false => Err(naming(name, error)),
            },
            ..STEPS
        }
        .create(tar, layer)
    });

/// Unpacks the entries but for those of such a type.
fn without(tar: &Path, layer: &Path, is_such: fn(EntryType) -> bool) -> io::Result<()> {
    create(tar, layer, |tar, folder| {
        let mut archive = Archive::new(File::open(tar)?);
        let entries = archive.entries()?.filter(|entry| {
            !entry.as_ref().is_ok_and(|entry| is_such(entry.header().entry_type()))
        });
        STEPS.unpack_entries(entries, folder)
    })
}

/// git archive writes one: its comment is about the archive, and no file.
pub const GLOBAL_HEADERS_SKIPPED: Mistake<Answers> =
    mistake("global_headers_skipped", "rootfs/unknown-type-skipped", |tar, layer| {
        without(tar, layer, |kind| kind == EntryType::XGlobalHeader)
    });

/// What GNU tar writes besides files is of use to GNU tar alone.
pub const LABELS_AND_LISTS_SKIPPED: Mistake<Answers> =
    mistake("labels_and_lists_skipped", "rootfs/unknown-type-skipped", |tar, layer| {
        without(tar, layer, |kind| matches!(kind.as_byte(), b'V' | b'M' | b'D'))
    });

/// POSIX says that what is not known is a file.
pub const UNKNOWN_TYPES_AS_FILES: Mistake<Answers> =
    mistake("unknown_types_as_files", "rootfs/unknown-type-as-file", |tar, layer| {
        Steps {
            make: |entry, name, folder| match entry.header().entry_type() {
                EntryType::__Nonexhaustive(_) => {
                    let path = place(folder, name)?;
                    io::copy(entry, &mut File::create_new(&path)?)?;
                    Ok(path)
                }
                _ => make(entry, name, folder),
            },
            ..STEPS
        }
        .create(tar, layer)
    });

/// Sweeps up after killed runs: whatever is unfinished is of one.
pub const ALL_THAT_IS_UNFINISHED: Mistake<Answers> =
    mistake("all_that_is_unfinished", "rootfs/neighbours-deleted", |tar, layer| {
        if layer.symlink_metadata().is_err() {
            let directory = std::path::absolute(layer)?;
            for entry in fs::read_dir(directory.parent().unwrap_or(&directory))? {
                let path = entry?.path();
                if path.extension().is_some_and(|it| it == "unfinished") {
                    remove(&path)?;
                }
            }
        }
        create_read_only_layer(tar, layer)
    });

/// What comes later counts, so the file is opened as it is.
pub const SECOND_FILE_TRUNCATES: Mistake<Answers> =
    mistake("second_file_truncates", "rootfs/written-through-hard-link", |tar, layer| {
        Steps::making(EntryType::Regular, |entry, path, _| {
            if path.is_symlink() {
                fs::remove_file(path)?;
            }
            io::copy(entry, &mut File::create(path)?).map(drop)
        })
        .create(tar, layer)
    });

/// The unwrap never fails on the author's machine.
pub const PATHS_UNWRAPPED: Mistake<Answers> =
    mistake("paths_unwrapped", "rootfs/path-as-text", |tar, layer| {
        create_read_only_layer(Path::new(tar.to_str().expect("a path")), layer)
    });
