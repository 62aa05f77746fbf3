//! Lab 05: a root file system from an archive. The task is in README.md.

use std::io;
use std::path::Path;

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
    todo!("unpack {tar:?} to {layer:?}")
}
