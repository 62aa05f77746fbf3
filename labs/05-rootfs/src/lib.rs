//! Lab 05: a root file system from an archive. The task is in README.md.

use std::io;
use std::path::Path;

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
    todo!("unpack {tar:?} to {layer:?}")
}
