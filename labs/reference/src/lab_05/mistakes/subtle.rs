//! Answers that look at nearly all.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::lchown;
use std::path::{Component, Path, PathBuf};

use lab_05_grader::Answers;
use tar::{Archive, EntryType, Header};

use super::attributes::mode_and_time;
use super::{mistake, target};
use crate::catalogue::Mistake;
use crate::lab_05::solution::{make, owner, place, set_attributes};
use crate::lab_05::steps::{STEPS, Steps, create};

/// A hard link to what the name leads to in the end.
pub const HARD_LINKS_TO_REAL_FILES: Mistake<Answers> =
    mistake("hard_links_to_real_files", "rootfs/hard-link-to-outside", |tar, layer| {
        Steps::making(EntryType::Link, |entry, path, folder| {
            fs::hard_link(place(folder, &target(entry)?)?.canonicalize()?, path)
        })
        .create(tar, layer)
    });

/// Many archives have no end mark, so a header that is cut off is the end.
pub const CUT_HEADER_IS_THE_END: Mistake<Answers> =
    mistake("cut_header_is_the_end", "rootfs/cut-archive-taken-for-whole", |tar, layer| {
        create(tar, layer, |tar, folder| {
            let mut archive = Archive::new(File::open(tar)?);
            let is_whole = |(count, entry): &(usize, io::Result<_>)| match entry {
                Err(error) => *count == 0 || !error.to_string().contains("entire block"),
                Ok(_) => true,
            };
            let whole = archive.entries()?.enumerate().take_while(is_whole);
            STEPS.unpack_entries(whole.map(|(_, entry)| entry), folder)
        })
    });

thread_local! {
    /// The names of links, as the archive has them.
    static LINKS: RefCell<BTreeSet<Vec<u8>>> = const { RefCell::new(BTreeSet::new()) };
}

/// Remembers the links by their names: `./door` is not `door`.
pub const LINKS_BY_NAME_AS_WRITTEN: Mistake<Answers> =
    mistake("links_by_name_as_written", "rootfs/planted-symlink-followed", |tar, layer| {
        LINKS.with_borrow_mut(BTreeSet::clear);
        Steps { make: make_by_names, ..STEPS }.create(tar, layer)
    });

fn make_by_names(entry: &mut tar::Entry<File>, name: &Path, folder: &Path) -> io::Result<PathBuf> {
    let bytes = |name: &Path| name.as_os_str().as_bytes().to_vec();
    let leads_out = |name: &Path| {
        let is_link = |above: &Path| LINKS.with_borrow(|links| links.contains(&bytes(above)));
        name.is_absolute()
            || name.components().any(|part| part == Component::ParentDir)
            || name.ancestors().skip(1).any(is_link)
    };
    let out = || io::Error::other("the name leads out of the layer");
    if leads_out(name) {
        return Err(out());
    }
    let path = folder.join(name);
    match entry.header().entry_type() {
        EntryType::Regular => io::copy(entry, &mut File::create_new(&path)?).map(|_| path),
        EntryType::Link => {
            let target = target(entry)?;
            if leads_out(&target) {
                return Err(out());
            }
            if folder.join(&target).is_symlink() {
                LINKS.with_borrow_mut(|links| links.insert(bytes(name)));
            }
            fs::hard_link(folder.join(&target), &path).map(|()| path)
        }
        EntryType::Symlink => {
            LINKS.with_borrow_mut(|links| links.insert(bytes(name)));
            make(entry, name, folder)
        }
        _ => make(entry, name, folder),
    }
}

/// The number that the host has for a name.
fn number_of(file: &str, name: Option<&[u8]>) -> Option<u32> {
    let name = String::from_utf8(name?.to_vec()).ok()?;
    let all = fs::read_to_string(file).ok()?;
    let line = all.lines().find(|line| line.split(':').next() == Some(&name))?;
    line.split(':').nth(2)?.parse().ok()
}

/// As GNU tar does it: whom the host calls so is the owner.
pub const OWNERS_BY_NAME: Mistake<Answers> =
    mistake("owners_by_name", "rootfs/owners-lost", |tar, layer| {
        fn named(path: &Path, header: &Header) -> io::Result<()> {
            let user = number_of("/etc/passwd", header.username_bytes());
            let group = number_of("/etc/group", header.groupname_bytes());
            if user.is_some() || group.is_some() {
                lchown(path, user, group)?;
            }
            Ok(())
        }
        Steps {
            set_attributes: |path, header| {
                let mut of_root = header.clone();
                if number_of("/etc/passwd", header.username_bytes()).is_some() {
                    of_root.set_uid(0);
                    of_root.set_gid(0);
                }
                named(path, header)?;
                set_attributes(path, &of_root)
            },
            ..STEPS
        }
        .create(tar, layer)
    });

/// The name in the error is the header's: its first 100 bytes.
pub const ERRORS_NAMED_BY_THE_HEADER: Mistake<Answers> =
    mistake("errors_named_by_the_header", "rootfs/error-without-name", |tar, layer| {
        Steps { shown: |entry| Ok(entry.header().path()?.into_owned()), ..STEPS }.create(tar, layer)
    });

/// Who is not permitted to give files away keeps them: as tar does it for users.
pub const CHOWN_WHERE_PERMITTED: Mistake<Answers> =
    mistake("chown_where_permitted", "rootfs/error-ignored", |tar, layer| {
        Steps {
            set_attributes: |path, header| {
                let (user, group) = owner(header)?;
                match lchown(path, Some(user), Some(group)) {
                    Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {}
                    owned => owned?,
                }
                mode_and_time(path, header)
            },
            ..STEPS
        }
        .create(tar, layer)
    });
