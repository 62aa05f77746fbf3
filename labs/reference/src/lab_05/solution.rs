//! Lab 05: a root file system from an archive. The task is in README.md.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::{PermissionsExt, lchown, symlink};
use std::path::{Component, Path, PathBuf};

use nix::fcntl::AT_FDCWD;
use nix::sys::stat::{Mode, SFlag, UtimensatFlags, makedev, mknod, utimensat};
use nix::sys::time::TimeSpec;
use tar::{Archive, Entry, EntryType, Header};

// What a file has until it gets its own mode.
const UNSET: Mode = Mode::empty();

/// Unpacks the archive `tar`, as `docker export` writes it, to the folder
/// `layer`: the read-only layer, on which every container of this image stands.
///
/// The folder that `layer` lies in is there. The archive is read with the crate
/// `tar`, entry by entry; every folder comes before what is in it, and `./` is
/// the layer itself.
///
/// **As the archive has it.** Files with their contents; folders; symbolic links
/// that lead where the archive says, be anything there or not; hard links as
/// names of one file; fifos and devices. All of them with the archive's mode,
/// whatever the umask is, the set-user-ID bit and its like included; with its
/// owner and group, also symbolic links; and with its time of modification, in
/// seconds, also symbolic links and folders. A symbolic link has no mode.
/// See tar(5), umask(2), chown(2), utimensat(2).
///
/// **Nothing outside.** Whoever made the archive may be hostile, and you are
/// root. Nothing outside of `layer` is made or changed. Refused is each entry
///
/// - with an absolute name, or with `..` in its name;
/// - whose name leads through a symbolic link that the archive has brought
///   before, wherever that leads;
/// - that is a hard link to such a name;
/// - that is the layer itself and no folder.
///
/// See path_resolution(7) and openat2(2).
///
/// **Once.** If `layer` is there, all is done: it stays as it is, to the last
/// time, and nobody asks whether there still is an archive.
///
/// **Whole or not at all.** `layer` is there only when it is whole, even if this
/// process is killed in the middle, as by the OOM killer. The next call then
/// makes it whole, and nothing is left of the call before. See rename(2).
///
/// # Errors
/// - An entry is refused, or cannot be made, such as a device where that is not
///   allowed: the error's text has the entry's name in it. No entry is left out.
/// - The archive is not there, is none, or is cut off.
///
/// After an error there is no `layer`, and nothing else that was not there before.
pub fn create_read_only_layer(tar: &Path, layer: &Path) -> io::Result<()> {
    // 1. What has this name is whole: step 4 sees to that.
    if layer.symlink_metadata().is_ok() {
        return Ok(());
    }
    // 2. Another name, on the same file system. A killed run may have left it.
    let unfinished = layer.with_added_extension("unfinished");
    remove(&unfinished)?;
    // 3. All or nothing.
    fs::create_dir(&unfinished)?;
    if let Err(error) = unpack(tar, &unfinished) {
        remove(&unfinished)?;
        return Err(error);
    }
    // 4. From one moment to the next it is there, as a whole.
    fs::rename(&unfinished, layer)
}

// Removes a folder with all that is in it, if it is there.
pub(crate) fn remove(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

// Unpacks an archive to an empty folder.
pub(crate) fn unpack(tar: &Path, folder: &Path) -> io::Result<()> {
    let mut folders = Vec::new();
    for entry in Archive::new(File::open(tar)?).entries()? {
        let mut entry = entry?;
        let name = entry.path()?.into_owned();
        let made = make(&mut entry, &name, folder).map_err(|error| naming(&name, error))?;
        match entry.header().entry_type() {
            // Its time changes with each file that is made in it.
            EntryType::Directory => folders.push((made, entry.header().clone())),
            // A name of a file that has all that already.
            EntryType::Link => {}
            _ => set_attributes(&made, entry.header()).map_err(|error| naming(&name, error))?,
        }
    }
    folders.iter().try_for_each(|(folder, header)| set_attributes(folder, header))
}

// The error with the name of the entry in it.
pub(crate) fn naming(name: &Path, error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", name.display()))
}

// Makes what an entry says, below `folder`; returns its path.
pub(crate) fn make(entry: &mut Entry<File>, name: &Path, folder: &Path) -> io::Result<PathBuf> {
    let path = place(folder, name)?;
    let target = entry.link_name()?.unwrap_or_default().into_owned();
    match entry.header().entry_type() {
        EntryType::Directory if path == folder => {}
        EntryType::Directory => fs::create_dir(&path)?,
        EntryType::Symlink => symlink(target, &path)?,
        EntryType::Link => fs::hard_link(place(folder, &target)?, &path)?,
        EntryType::Char => mknod(&path, SFlag::S_IFCHR, UNSET, device(entry.header())?)?,
        EntryType::Block => mknod(&path, SFlag::S_IFBLK, UNSET, device(entry.header())?)?,
        EntryType::Fifo => mknod(&path, SFlag::S_IFIFO, UNSET, 0)?,
        EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
            // A new one: what is there already may be a link.
            io::copy(entry, &mut File::create_new(&path)?)?;
        }
        other => return Err(io::Error::other(format!("an entry of the type {other:?}"))),
    }
    Ok(path)
}

// Where an entry belongs: below `folder`, by a way that nothing bends.
pub(crate) fn place(folder: &Path, name: &Path) -> io::Result<PathBuf> {
    let mut path = folder.to_owned();
    for part in name.components() {
        // A symbolic link is no folder, even if it leads to one.
        if !path.symlink_metadata()?.is_dir() {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        match part {
            Component::CurDir => {}
            Component::Normal(name) => path.push(name),
            _ => return Err(io::Error::other("the name leads out of the layer")),
        }
    }
    Ok(path)
}

// The number of a device.
pub(crate) fn device(header: &Header) -> io::Result<u64> {
    let major = header.device_major()?.unwrap_or_default();
    let minor = header.device_minor()?.unwrap_or_default();
    Ok(makedev(major.into(), minor.into()))
}

// Gives a file what its entry says: owner, mode and time, in this order, for
// a new owner costs the set-user-ID bit, and never to what a link leads to.
pub(crate) fn set_attributes(path: &Path, header: &Header) -> io::Result<()> {
    lchown(path, Some(header.uid()? as u32), Some(header.gid()? as u32))?;
    if header.entry_type() != EntryType::Symlink {
        fs::set_permissions(path, Permissions::from_mode(header.mode()?))?;
    }
    let time = TimeSpec::new(header.mtime()? as i64, 0);
    Ok(utimensat(AT_FDCWD, path, &time, &time, UtimensatFlags::NoFollowSymlink)?)
}
