//! Modes, owners and times.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt, chown, lchown};
use std::path::Path;

use lab_05_grader::Answers;
use nix::fcntl::AT_FDCWD;
use nix::sys::stat::{UtimensatFlags, utimensat};
use nix::sys::time::TimeSpec;
use tar::{Archive, EntryType, Header};

use super::mistake;
use crate::catalogue::Mistake;
use crate::lab_05::solution::{make, naming, owner, place, set_attributes};
use crate::lab_05::steps::{STEPS, Steps, create};

/// The owner that the entry says.
fn set_owner(path: &Path, header: &Header) -> io::Result<()> {
    let (user, group) = owner(header)?;
    lchown(path, Some(user), Some(group))
}

/// The mode that the entry says, in as far as `mask` has it.
fn set_mode(path: &Path, header: &Header, mask: u32) -> io::Result<()> {
    match header.entry_type() {
        EntryType::Symlink => Ok(()),
        _ => fs::set_permissions(path, Permissions::from_mode(header.mode()? & mask)),
    }
}

/// The time that the entry says.
fn set_time(path: &Path, header: &Header, follow: UtimensatFlags) -> io::Result<()> {
    let time = TimeSpec::new(header.mtime()? as i64, 0);
    Ok(utimensat(AT_FDCWD, path, &time, &time, follow)?)
}

const NO_FOLLOW: UtimensatFlags = UtimensatFlags::NoFollowSymlink;

/// All but the owner.
pub fn mode_and_time(path: &Path, header: &Header) -> io::Result<()> {
    set_mode(path, header, 0o7777)?;
    set_time(path, header, NO_FOLLOW)
}

/// All but the modes of files and folders.
fn owner_and_time(path: &Path, header: &Header) -> io::Result<()> {
    match header.entry_type() {
        EntryType::Char | EntryType::Block | EntryType::Fifo => set_attributes(path, header),
        _ => set_owner(path, header).and_then(|()| set_time(path, header, NO_FOLLOW)),
    }
}

/// Sets all attributes. `number` turns a number of the header into one for chown(2).
fn set_all(path: &Path, header: &Header, number: fn(u64) -> io::Result<u32>) -> io::Result<()> {
    lchown(path, Some(number(header.uid()?)?), Some(number(header.gid()?)?))?;
    mode_and_time(path, header)
}

/// The blog's 0622 for a folder: nobody but root can enter it.
pub const MODE_0622: Mistake<Answers> =
    mistake("mode_0622", "rootfs/folders-cannot-be-entered", |tar, layer| {
        Steps {
            set_attributes: |path, header| match header.entry_type() {
                EntryType::Directory => owner_and_time(path, header),
                _ => set_attributes(path, header),
            },
            ..Steps::making(EntryType::Directory, |_, path, folder| match path == folder {
                true => Ok(()),
                false => DirBuilder::new().mode(0o622).create(path),
            })
        }
        .create(tar, layer)
    });

/// mkdir and open take a mode, do they not? They take the umask off it.
pub const MODES_MASKED_BY_THE_UMASK: Mistake<Answers> =
    mistake("modes_masked_by_the_umask", "rootfs/umask-applied", |tar, layer| {
        Steps {
            make: |entry, name, folder| {
                let path = place(folder, name)?;
                let mode = entry.header().mode()?;
                match entry.header().entry_type() {
                    EntryType::Directory => {
                        if path == *folder {
                            fs::remove_dir(&path)?;
                        }
                        DirBuilder::new().mode(mode).create(&path)?;
                    }
                    EntryType::Regular => {
                        let mut options = OpenOptions::new();
                        options.write(true).create_new(true).mode(mode);
                        io::copy(entry, &mut options.open(&path)?)?;
                    }
                    _ => return make(entry, name, folder),
                }
                Ok(path)
            },
            set_attributes: owner_and_time,
            ..STEPS
        }
        .create(tar, layer)
    });

/// Nobody said that a file has a mode.
pub const MODES_NOT_SET: Mistake<Answers> =
    mistake("modes_not_set", "rootfs/modes-not-set", |tar, layer| {
        Steps { set_attributes: owner_and_time, ..STEPS }.create(tar, layer)
    });

/// A mode has three digits, has it not?
pub const THREE_DIGITS_OF_THE_MODE: Mistake<Answers> =
    mistake("three_digits_of_the_mode", "rootfs/special-bits-lost", |tar, layer| {
        Steps {
            set_attributes: |path, header| {
                set_owner(path, header)?;
                set_mode(path, header, 0o777)?;
                set_time(path, header, NO_FOLLOW)
            },
            ..STEPS
        }
        .create(tar, layer)
    });

/// The owner last: chown clears the set-user-ID bit, also when root calls it.
pub const CHOWN_AFTER_CHMOD: Mistake<Answers> =
    mistake("chown_after_chmod", "rootfs/set-user-id-cleared", |tar, layer| {
        Steps {
            set_attributes: |path, header| {
                set_mode(path, header, 0o7777)?;
                set_owner(path, header)?;
                set_time(path, header, NO_FOLLOW)
            },
            ..STEPS
        }
        .create(tar, layer)
    });

/// chmod follows a symbolic link: what it leads to gets the link's mode.
pub const CHMOD_THROUGH_SYMLINKS: Mistake<Answers> =
    mistake("chmod_through_symlinks", "rootfs/attributes-through-symlink", |tar, layer| {
        Steps {
            set_attributes: |path, header| {
                set_owner(path, header)?;
                fs::set_permissions(path, Permissions::from_mode(header.mode()?))?;
                set_time(path, header, NO_FOLLOW)
            },
            ..STEPS
        }
        .create(tar, layer)
    });

/// So does chown, and the set-user-ID bit of what it leads to is gone.
pub const CHOWN_THROUGH_SYMLINKS: Mistake<Answers> =
    mistake("chown_through_symlinks", "rootfs/attributes-through-symlink", |tar, layer| {
        Steps {
            set_attributes: |path, header| {
                let (user, group) = owner(header)?;
                chown(path, Some(user), Some(group))?;
                set_mode(path, header, 0o7777)?;
                set_time(path, header, NO_FOLLOW)
            },
            ..STEPS
        }
        .create(tar, layer)
    });

/// And so does utimensat, if it is not told otherwise.
pub const TIMES_THROUGH_SYMLINKS: Mistake<Answers> =
    mistake("times_through_symlinks", "rootfs/attributes-through-symlink", |tar, layer| {
        Steps {
            set_attributes: |path, header| {
                set_owner(path, header)?;
                set_mode(path, header, 0o7777)?;
                set_time(path, header, UtimensatFlags::FollowSymlink)
            },
            ..STEPS
        }
        .create(tar, layer)
    });

/// A mode has twelve bits, and whatever has more is none: so is every mode that Docker writes.
pub const FILE_TYPE_REFUSED: Mistake<Answers> =
    mistake("file_type_refused", "rootfs/file-type-in-mode", |tar, layer| {
        Steps {
            set_attributes: |path, header| {
                let mode = header.mode()?;
                if mode > 0o7777 {
                    return Err(io::Error::other(format!("{mode:o} is not a mode")));
                }
                set_attributes(path, header)
            },
            ..STEPS
        }
        .create(tar, layer)
    });

/// All files are root's: a mail server cannot write to its own spool.
pub const OWNERS_LOST: Mistake<Answers> =
    mistake("owners_lost", "rootfs/owners-lost", |tar, layer| {
        Steps {
            set_attributes: |path, header| {
                set_mode(path, header, 0o7777)?;
                set_time(path, header, NO_FOLLOW)
            },
            ..STEPS
        }
        .create(tar, layer)
    });

/// Nobody asks for the owner of a link.
pub const OWNER_OF_A_LINK_NOT_CHECKED: Mistake<Answers> =
    mistake("owner_of_a_link_not_checked", "rootfs/error-ignored", |tar, layer| {
        Steps {
            set_attributes: |path, header| match header.entry_type() {
                EntryType::Symlink => {
                    let (user, group) = owner(header)?;
                    let _ = lchown(path, Some(user), Some(group));
                    set_time(path, header, NO_FOLLOW)
                }
                _ => set_attributes(path, header),
            },
            ..STEPS
        }
        .create(tar, layer)
    });

/// `as u32` takes what fits. Of 2^32 that is 0, and root owns the file.
pub const OWNER_CAST: Mistake<Answers> =
    mistake("owner_cast", "rootfs/owner-number-accepted", |tar, layer| {
        Steps {
            set_attributes: |path, header| set_all(path, header, |number| Ok(number as u32)),
            ..STEPS
        }
        .create(tar, layer)
    });

/// What does not fit is an error. But u32::MAX fits: to chown(2) it is -1, which changes
/// nothing, and the file stays root's.
pub const OWNER_MINUS_ONE: Mistake<Answers> =
    mistake("owner_minus_one", "rootfs/owner-number-accepted", |tar, layer| {
        Steps {
            set_attributes: |path, header| {
                set_all(path, header, |number| u32::try_from(number).map_err(io::Error::other))
            },
            ..STEPS
        }
        .create(tar, layer)
    });

/// An int has room for every time, has it not?
pub const TIMES_IN_AN_INT: Mistake<Answers> =
    mistake("times_in_an_int", "rootfs/time-of-32-bits", |tar, layer| {
        Steps {
            set_attributes: |path, header| {
                set_attributes(path, header)?;
                let time = TimeSpec::new((header.mtime()? as i32).into(), 0);
                Ok(utimensat(AT_FDCWD, path, &time, &time, NO_FOLLOW)?)
            },
            ..STEPS
        }
        .create(tar, layer)
    });

/// Everything is of today: make, rsync and a build cache begin anew.
pub const TIMES_LOST: Mistake<Answers> =
    mistake("times_lost", "rootfs/times-lost", |tar, layer| {
        Steps {
            set_attributes: |path, header| {
                set_owner(path, header)?;
                set_mode(path, header, 0o7777)
            },
            ..STEPS
        }
        .create(tar, layer)
    });

/// Set at once: the next file that is made in the folder changes it.
pub const FOLDER_TIMES_SET_BEFORE_FILLING: Mistake<Answers> =
    mistake("folder_times_set_before_filling", "rootfs/folder-times-lost", |tar, layer| {
        create(tar, layer, |tar, folder| {
            for entry in Archive::new(File::open(tar)?).entries()? {
                let mut entry = entry?;
                let name = entry.path()?.into_owned();
                let path = make(&mut entry, &name, folder).map_err(|error| naming(&name, error))?;
                if entry.header().entry_type() != EntryType::Link {
                    let set = set_attributes(&path, entry.header());
                    set.map_err(|error| naming(&name, error))?;
                }
            }
            Ok(())
        })
    });

/// "`./` is there already": so it keeps what mkdir has given it.
pub const LAYER_ITSELF_LEFT_OUT: Mistake<Answers> =
    mistake("layer_itself_left_out", "rootfs/layer-without-attributes", |tar, layer| {
        Steps {
            set_attributes: |path, header| {
                // The name under which it is unpacked.
                match path.extension().is_some_and(|it| it == "unfinished") {
                    true => Ok(()),
                    false => set_attributes(path, header),
                }
            },
            ..STEPS
        }
        .create(tar, layer)
    });
