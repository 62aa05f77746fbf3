//! Lab 05: a root file system from an archive. The task is in README.md.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::{PermissionsExt, lchown, symlink};
use std::path::{Component, Path, PathBuf};

use nix::fcntl::AT_FDCWD;
use nix::sys::stat::{Mode, SFlag, UtimensatFlags, makedev, mknod, utimensat};
use nix::sys::time::TimeSpec;
use nix::unistd::{getegid, geteuid};
use tar::{Archive, Entry, EntryType, Header};

// What a file has until it gets its own mode.
const UNSET: Mode = Mode::empty();

/// Unpacks the archive `tar`, as `docker export` writes it, into the directory
/// `layer`: the read-only layer under every container of this image.
///
/// The directory that contains `layer` exists. Read the archive with the crate
/// `tar`, entry by entry, and start no other program for it. Every directory comes
/// before its contents, though these need not follow at once, and `./` is the layer
/// itself. Both paths may be relative, and need not be UTF-8.
///
/// **As in the archive.** Create files with their contents, directories, symbolic
/// links that lead where the archive says, whether or not anything exists there, hard
/// links as names of one file, fifos and devices. Give each of them the archive's mode,
/// whatever the umask, including the set-user-ID bit and the like; the owner and group,
/// by their numbers, also for symbolic links; and the modification time, in seconds,
/// also for symbolic links and directories. Only the lower 12 bits of a mode in the
/// archive count, because Docker also writes the bits of the file type there. If the
/// archive has no `./`, the layer belongs to you and has mode 0755, whatever the umask.
/// If the directory around `layer` has the set-group-ID bit, that changes nothing. A
/// symbolic link has no mode; a hard link has what its file has, whatever its own header
/// says. See tar(5), umask(2), chown(2), utimensat(2), inode(7).
///
/// **Nothing outside.** The author of the archive may be hostile, and you are root.
/// Nothing outside `layer` is created or changed. Refuse an entry
///
/// - if its name is absolute or has a part `..`, wherever that leads;
/// - if its name leads through a symbolic link from the same archive, wherever that
///   leads;
/// - if it is a hard link to such a name. A hard link to a symbolic link is one, too;
/// - if it is the layer itself but not a directory.
///
/// If a name occurs twice, refuse the second entry or let it replace the first. Either way, nothing
/// goes through a link, not even through a hard link. See path_resolution(7) and openat2(2).
///
/// **Once.** If `layer` exists, even as an empty directory, there is nothing to do: it
/// stays as it is, down to its times, and nobody checks whether the archive still exists.
///
/// **Whole or not at all.** `layer` appears only when it is complete, even if this
/// process is killed halfway, for example by the OOM killer. The next call then
/// completes it, and nothing is left of the call before. For the unfinished layer, choose
/// a fixed name next to `layer`, such as `layer.unfinished`: what has exactly that name
/// is yours to delete. Nobody asks for fsync(2). See rename(2).
///
/// # Errors
/// - An entry is refused, is of a type not named above, cannot be created, or cannot get
///   its attributes. For example, devices are forbidden, or the number of an owner or group
///   is too large for chown(2). The error's text contains the entry's name as the archive
///   has it. No entry is skipped, not even a pax global header (`g`) or a volume label
///   (`V`).
/// - The archive is missing, is not an archive, cannot be read to the end of its last
///   entry, or is cut off within an entry. Nobody asks whether it has the blocks of
///   zeros at its end.
///
/// After an error there is no `layer`, and nothing else that was not there before the
/// call. Whatever it returns, other files next to `layer` stay, and nothing is left open.
pub fn create_read_only_layer(tar: &Path, layer: &Path) -> io::Result<()> {
    // 1. What has this name is whole: step 4 sees to that.
    if layer.symlink_metadata().is_ok() {
        return Ok(());
    }
    // 2. Another name, on the same file system. A killed run may have left it.
    let unfinished = layer.with_added_extension("unfinished");
    remove(&unfinished)?;
    fs::create_dir(&unfinished)?;
    // 3. All, or nothing.
    let made = unpack(tar, &unfinished)
        // 4. From one moment to the next it is there, as a whole.
        .and_then(|()| fs::rename(&unfinished, layer));
    if made.is_err() {
        remove(&unfinished)?;
    }
    made
}

// Removes what has this name, if it is there: a directory together with its contents.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => fs::remove_file(path),
        removed => removed,
    }
}

// Unpacks an archive to an empty folder.
pub(crate) fn unpack(tar: &Path, folder: &Path) -> io::Result<()> {
    // An archive may say nothing of the layer itself. The directory around it hands nothing
    // down: neither its group nor the bit that hands a group down.
    lchown(folder, Some(geteuid().as_raw()), Some(getegid().as_raw()))?;
    fs::set_permissions(folder, Permissions::from_mode(0o755))?;
    let mut folders = Vec::new();
    for entry in Archive::new(File::open(tar)?).entries()? {
        let mut entry = entry?;
        let name = entry.path()?.into_owned();
        let made = make(&mut entry, &name, folder).map_err(|error| naming(&name, error))?;
        match entry.header().entry_type() {
            // Its time changes with each file that is made in it.
            EntryType::Directory => folders.push((made, name, entry.header().clone())),
            // A name of a file that has all that already.
            EntryType::Link => {}
            _ => set_attributes(&made, entry.header()).map_err(|error| naming(&name, error))?,
        }
    }
    folders.iter().try_for_each(|(folder, name, header)| {
        set_attributes(folder, header).map_err(|error| naming(name, error))
    })
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

// Gives a file what its entry says: owner, mode and time, in this order, because
// a new owner costs the set-user-ID bit. Never gives it to what a link leads to.
pub(crate) fn set_attributes(path: &Path, header: &Header) -> io::Result<()> {
    let (user, group) = owner(header)?;
    lchown(path, Some(user), Some(group))?;
    if header.entry_type() != EntryType::Symlink {
        fs::set_permissions(path, Permissions::from_mode(header.mode()?))?;
    }
    let time = TimeSpec::new(header.mtime()? as i64, 0);
    Ok(utimensat(AT_FDCWD, path, &time, &time, UtimensatFlags::NoFollowSymlink)?)
}

// The user and the group that an entry names.
pub(crate) fn owner(header: &Header) -> io::Result<(u32, u32)> {
    Ok((id(header.uid()?)?, id(header.gid()?)?))
}

// A number as chown(2) takes it. An archive may have a larger one. A cast would turn it into
// another user: 2^32 into root. The largest of 32 bits is -1, which changes nothing.
fn id(number: u64) -> io::Result<u32> {
    match u32::try_from(number) {
        Ok(id) if id != u32::MAX => Ok(id),
        _ => Err(io::Error::other(format!("no user and no group has the number {number}"))),
    }
}
