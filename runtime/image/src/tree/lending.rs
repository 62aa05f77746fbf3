//! Hard links, also to files of the layers below.
//!
//! A file of another layer cannot be linked. So it becomes a file of this layer
//! first, at its old place: what overlayfs does for link(2), its "copy-up".

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;
use std::rc::Rc;

use nix::errno::Errno;
use nix::fcntl::AtFlags;
use nix::sys::stat::{SFlag, major, minor};
use nix::unistd::{Whence, linkat, lseek};

use super::{Tree, file_name, kind};
use crate::allowance::{Allowed, is_used_up};
use crate::stack::Found;
use mydocker_kernel::{OnPath, Result};

impl Tree<'_> {
    /// Makes `path` another name of the file `target`, of this layer or of those
    /// below.
    ///
    /// # Errors
    /// There is no such file, or it is a directory; names the entry.
    pub fn make_hard_link(&mut self, path: &Path, target: &Path) -> Result<()> {
        self.begin();
        let real = match self.real_path(target) {
            Err(error) if error.errno().is_none() => {
                return Err(self.refusal(path).because(format!(
                    "it is a hard link to {target:?}, and no directory holds that"
                )));
            }
            other => other?,
        };
        if self.missing.contains(&real) {
            return self.miss(path);
        }
        let there = match self.stat(target)? {
            Some(there) => there,
            None => {
                self.lend(path, target, &real)?;
                match self.stat(target)? {
                    Some(there) => there,
                    None => return Ok(()),
                }
            }
        };
        if kind(&there) == SFlag::S_IFDIR {
            return Err(self
                .refusal(path)
                .because(format!("it is a hard link to {target:?}, which is a directory")));
        }
        // To replace a link of a file to itself would lose the file.
        if self.stat(path)?.is_some_and(|is| is.st_ino == there.st_ino) {
            return Ok(());
        }
        let source = Rc::clone(&self.parent(target)?.directory);
        self.make(path, "linkat", |directory, name| {
            linkat(&source, file_name(target), directory, name, AtFlags::empty())
        })
    }

    /// Makes what the layers below have at `real` a file of this layer too, for the
    /// hard link `path` to `target`.
    fn lend(&mut self, path: &Path, target: &Path, real: &Path) -> Result<()> {
        let refusal = |why: &str| {
            Err(self.refusal(path).because(format!("it is a hard link to {target:?}, {why}")))
        };
        let (file, metadata) = match self.lower.lookup_path(real)? {
            Found::File(file, metadata) => (file, metadata),
            Found::Directory(_) => return refusal("which is a directory"),
            Found::Nothing if self.lower.directories.is_empty() => {
                return refusal("and the archive has no such file before it");
            }
            Found::Nothing => {
                return refusal(
                    "and neither the archive before it nor a layer below has such a file",
                );
            }
        };
        let attributes = self.attributes_below(&file)?;
        let kind = metadata.file_type();
        if kind.is_file() {
            let mut from = File::open(&file).on("open", &file)?;
            let allowance = self.allowance;
            self.make_file(real, &attributes, |to| {
                copy_data(&mut from, to, &metadata, |from| Allowed { source: from, allowance })
                    .map_err(|error| match is_used_up(&error) {
                        true => allowance.explain(mydocker_kernel::Error::new(format!(
                            "{target:?} of a layer below cannot be copied"
                        ))),
                        false => Err::<(), _>(error).on("copy", &file).unwrap_err(),
                    })
            })?;
        } else if kind.is_symlink() {
            let to = std::fs::read_link(&file).on("readlink", &file)?;
            self.make_symlink(real, &attributes, to.as_os_str())?;
        } else {
            let device = (major(metadata.rdev()) as u32, minor(metadata.rdev()) as u32);
            let (kind, device) = match (kind.is_char_device(), kind.is_block_device()) {
                (true, _) => (SFlag::S_IFCHR, device),
                (_, true) => (SFlag::S_IFBLK, device),
                _ => (SFlag::S_IFIFO, (0, 0)),
            };
            self.make_node(real, &attributes, kind, device)?;
        }
        self.lent.insert(real.into());
        Ok(())
    }
}

/// Copies the data of a file, and leaves its holes.
///
/// # Errors
/// As lseek(2), read(2), write(2) and ftruncate(2).
pub fn copy_data<'a, R: io::Read>(
    from: &'a mut File,
    to: &mut File,
    metadata: &Metadata,
    count: impl Fn(io::Take<&'a File>) -> R,
) -> io::Result<()> {
    let from = &*from;
    let mut end = 0;
    loop {
        let data = match lseek(from, end, Whence::SeekData) {
            // Nothing but a hole follows.
            Err(Errno::ENXIO) => break,
            other => other?,
        };
        end = lseek(from, data, Whence::SeekHole)?;
        lseek(from, data, Whence::SeekSet)?;
        lseek(&*to, data, Whence::SeekSet)?;
        io::copy(&mut count(io::Read::take(from, (end - data) as u64)), to)?;
    }
    to.set_len(metadata.size())
}
