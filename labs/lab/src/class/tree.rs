//! What somebody has handed in, as it is read: a directory, or a zip, of which
//! nothing is ever unpacked onto a disk.
//!
//! So no name in a zip leads anywhere, no link in it is followed, and of a file
//! that would fill the disk only as much is read as an answer may have.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Component, Path, PathBuf};

use zip::ZipArchive;
use zip::result::ZipError;

use super::refusal::Refusal;

/// How large an answer may be.
const AT_MOST: u64 = 1 << 20;
/// How many files a zip may list.
const FILES_AT_MOST: usize = 100_000;

/// Something that holds files by their paths.
pub enum Tree {
    Directory(PathBuf),
    Zip(Zip),
}

/// A zip, and where in it the files are; of two with the same path both.
pub struct Zip {
    archive: ZipArchive<File>,
    files: BTreeMap<PathBuf, Vec<usize>>,
}

impl Tree {
    /// A zip's. Only what a path within it can be is listed: no absolute one,
    /// and none with `..`.
    pub fn of_zip(file: &Path) -> Result<Tree, Refusal> {
        let not_readable = |error: io::Error| Refusal::NotReadable { error: error.to_string() };
        let opened = File::open(file).map_err(not_readable)?;
        let mut archive = ZipArchive::new(opened).map_err(zip_refusal)?;
        if archive.len() > FILES_AT_MOST {
            return Err(Refusal::TooManyFiles);
        }
        if archive.has_duplicate_names() {
            return Err(Refusal::Twice);
        }
        let mut files: BTreeMap<PathBuf, Vec<usize>> = BTreeMap::new();
        for index in 0..archive.len() {
            let entry = archive.by_index_raw(index).map_err(zip_refusal)?;
            if let Some(path) = path_in_zip(entry.name_raw())
                && !entry.is_dir()
            {
                files.entry(path).or_default().push(index);
            }
        }
        Ok(Tree::Zip(Zip { archive, files }))
    }

    /// The names of the directories at its top.
    pub fn directories(&self) -> io::Result<Vec<OsString>> {
        let mut names = match self {
            Tree::Directory(top) => entries(top, |entry| Ok(entry.file_type()?.is_dir()))?,
            Tree::Zip(zip) => {
                let deep = zip.files.keys().filter(|path| path.components().count() > 1);
                deep.filter_map(|path| Some(path.iter().next()?.to_owned())).collect()
            }
        };
        names.sort();
        names.dedup();
        Ok(names)
    }

    /// The zips at the top of a directory.
    pub fn zips(&self) -> io::Result<Vec<PathBuf>> {
        let Tree::Directory(top) = self else { return Ok(Vec::new()) };
        let names =
            entries(top, |entry| Ok(entry.file_type()?.is_file() && is_zip(&entry.file_name())))?;
        Ok(names.into_iter().map(|name| top.join(name)).collect())
    }

    /// Whether there is anything at a path.
    pub fn has(&self, path: &Path) -> bool {
        match self {
            Tree::Directory(top) => top.join(path).symlink_metadata().is_ok(),
            Tree::Zip(zip) => zip.files.contains_key(path),
        }
    }

    /// The content of a file that can be an answer.
    pub fn read(&mut self, path: &Path) -> Result<Vec<u8>, Refusal> {
        match self {
            Tree::Directory(top) => read_from_directory(top, path),
            Tree::Zip(zip) => zip.read(path),
        }
    }
}

impl Zip {
    fn read(&mut self, path: &Path) -> Result<Vec<u8>, Refusal> {
        let index = match self.files.get(path).map(Vec::as_slice) {
            Some([index]) => *index,
            Some(_) => return Err(Refusal::Twice),
            None => return Err(Refusal::NoFile),
        };
        let mut entry = self.archive.by_index(index).map_err(zip_refusal)?;
        if entry.is_symlink() {
            return Err(Refusal::Link);
        }
        at_most(&mut entry)
    }
}

/// Whether a file calls itself a zip.
pub fn is_zip(name: &OsStr) -> bool {
    Path::new(name).extension().is_some_and(|it| it.eq_ignore_ascii_case("zip"))
}

/// The names in a directory of which something is so.
fn entries(
    directory: &Path,
    is_wanted: impl Fn(&fs::DirEntry) -> io::Result<bool>,
) -> io::Result<Vec<OsString>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if is_wanted(&entry)? {
            names.push(entry.file_name());
        }
    }
    names.sort();
    Ok(names)
}

/// A path as a zip writes it; old programs of Windows write `\` for `/`.
fn path_in_zip(name: &[u8]) -> Option<PathBuf> {
    let name: Vec<u8> = name.iter().map(|&byte| if byte == b'\\' { b'/' } else { byte }).collect();
    if name.contains(&0) {
        return None;
    }
    let path = PathBuf::from(OsString::from_vec(name));
    let mut plain = PathBuf::new();
    for component in path.components() {
        match component {
            Component::Normal(name) => plain.push(name),
            Component::CurDir => {}
            Component::RootDir | Component::ParentDir | Component::Prefix(_) => return None,
        }
    }
    (plain.as_os_str().as_bytes() != b"").then_some(plain)
}

fn read_from_directory(top: &Path, path: &Path) -> Result<Vec<u8>, Refusal> {
    let not_readable = |error: io::Error| Refusal::NotReadable { error: error.to_string() };
    let top = top.canonicalize().map_err(not_readable)?;
    let file = top.join(path).canonicalize().map_err(not_readable)?;
    if !file.starts_with(&top) {
        return Err(Refusal::Link);
    }
    if !file.metadata().map_err(not_readable)?.is_file() {
        return Err(Refusal::NoFile);
    }
    at_most(&mut File::open(file).map_err(not_readable)?)
}

/// All of a file that is no larger than an answer may be.
fn at_most(file: &mut impl Read) -> Result<Vec<u8>, Refusal> {
    let mut content = Vec::new();
    let read = file.take(AT_MOST + 1).read_to_end(&mut content);
    read.map_err(|error| Refusal::NotReadable { error: error.to_string() })?;
    if content.len() as u64 > AT_MOST { Err(Refusal::TooLarge) } else { Ok(content) }
}

fn zip_refusal(error: ZipError) -> Refusal {
    match error {
        ZipError::UnsupportedArchive(ZipError::PASSWORD_REQUIRED) => Refusal::Encrypted,
        error => Refusal::NotReadable { error: error.to_string() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_path_of_a_zip_leads_out_of_it() {
        let path = |name: &[u8]| path_in_zip(name).map(|path| path.display().to_string());
        assert_eq!(
            path(b"labs\\06-pivot-root\\src\\lib.rs").unwrap(),
            "labs/06-pivot-root/src/lib.rs"
        );
        assert_eq!(path(b"./lib.rs").unwrap(), "lib.rs");
        for hostile in
            [&b"/lib.rs"[..], b"../lib.rs", b"a/../../lib.rs", b"lib.rs\0.txt", b"", b"."]
        {
            assert_eq!(path(hostile), None, "{hostile:?}");
        }
    }
}
