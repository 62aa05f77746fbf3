//! The files of an image archive: read with suspicion.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};

use super::super::allowance::{Allowance, is_used_up};
use super::super::compression::decompress;
use super::{Blob, Digest, sha256};
use mydocker_kernel::sys::open_in_root;
use mydocker_kernel::{Error, OnPath, Result};

/// No index, manifest or configuration comes near this.
const JSON_LIMIT: u64 = 8 * 1024 * 1024;

/// The folder of an image archive.
pub struct Files {
    folder: OwnedFd,
    /// The name of the image archive, for errors.
    pub label: String,
}

impl Files {
    /// Opens the folder; errors call the image archive `label`.
    ///
    /// # Errors
    /// It cannot be opened.
    pub fn open(folder: &Path, label: &str) -> Result<Files> {
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let opened = open(folder, flags, Mode::empty()).on("open", folder)?;
        Ok(Files { folder: opened, label: label.into() })
    }

    /// Opens the regular file `path`, if there is one that can be read; no
    /// symbolic link leads out of the folder.
    ///
    /// # Errors
    /// The kernel lacks the means: nothing is known of the file then.
    pub fn find(&self, path: &Path) -> Result<Option<File>> {
        match self.look(path)? {
            Found::File(file) => Ok(Some(file)),
            Found::Nothing | Found::NoFile | Found::Closed(_) => Ok(None),
        }
    }

    fn get(&self, path: &Path) -> Result<File> {
        match self.look(path)? {
            Found::File(file) => Ok(file),
            Found::Nothing => Err(self.damaged(path, "it is missing")),
            Found::NoFile => Err(self.damaged(path, "it is no regular file")),
            Found::Closed(errno) => Err(self.failed("open", path, errno)),
        }
    }

    fn look(&self, path: &Path) -> Result<Found> {
        let found = match open_in_root(&self.folder, path, OFlag::O_PATH) {
            Err(Errno::ENOENT | Errno::ENOTDIR) => return Ok(Found::Nothing),
            Err(errno) if is_of_the_path(errno) => return Ok(Found::Closed(errno)),
            other => File::from(other.map_err(|errno| self.failed("openat2", path, errno))?),
        };
        // To open a fifo would wait, and a device might do anything; so it is
        // opened when it is known to be neither.
        let name = PathBuf::from(self.name(path));
        if !found.metadata().on("fstat", &name)?.is_file() {
            return Ok(Found::NoFile);
        }
        match File::open(format!("/proc/self/fd/{}", found.as_raw_fd())) {
            Err(error) if error.raw_os_error() == Some(libc::EACCES) => {
                Ok(Found::Closed(Errno::EACCES))
            }
            other => other.on("open", &name).map(Found::File),
        }
    }

    /// A call that failed on a file of the image archive. What is at its path on
    /// this machine would explain nothing.
    fn failed(&self, call: &str, path: &Path, errno: Errno) -> Error {
        Error::call(format_args!("{call}({:?})", self.name(path)), errno)
    }

    /// The names in the folder; those that are no text are left out.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn names(&self) -> Result<Vec<String>> {
        let path = PathBuf::from(format!("/proc/self/fd/{}", self.folder.as_raw_fd()));
        let mut names = Vec::new();
        for entry in std::fs::read_dir(&path).on("opendir", &path)? {
            names.extend(entry.on("readdir", &path)?.file_name().into_string());
        }
        Ok(names)
    }

    /// Opens the archive of a layer, after its checksum was compared. What is
    /// unpacked for that only counts in a copy of `allowance`.
    ///
    /// # Errors
    /// It is missing, altered, or there is no allowance for it.
    pub fn open_layer(&self, blob: &Blob, allowance: &Allowance) -> Result<File> {
        let path = &blob.path;
        let open = || self.get(path);
        let (sum, expected) = match &blob.digest {
            None => return open(),
            Some(Digest::OfFile(expected)) => (checksum(open()?), expected),
            Some(Digest::OfUnpacked(expected)) => {
                let copy = allowance.clone();
                (checksum(decompress(open()?, &self.name(path), &copy)?), expected)
            }
        };
        let sum = sum.map_err(|error| match is_used_up(&error) {
            true => allowance.explain(self.damaged(path, "")),
            false => match error.raw_os_error() {
                Some(_) => Err::<(), _>(error).on("read", Path::new(&self.name(path))).unwrap_err(),
                None => self.damaged(path, error.to_string()),
            },
        })?;
        match &sum == expected {
            true => open(),
            false => Err(self.altered(path, expected, &sum)),
        }
    }

    /// Reads a JSON file.
    ///
    /// # Errors
    /// It is missing or damaged.
    pub fn read<T: DeserializeOwned>(&self, path: &Path) -> Result<T> {
        let bytes = self.read_bytes(path)?;
        serde_json::from_slice(&bytes).map_err(|error| self.damaged(path, error.to_string()))
    }

    /// Reads a JSON file by its digest, `sha256:DIGITS`.
    ///
    /// # Errors
    /// It is missing, altered or damaged.
    pub fn read_blob<T: DeserializeOwned>(&self, digest: &str) -> Result<T> {
        let (path, expected) = self.blob(digest)?;
        let bytes = self.read_bytes(&path)?;
        let sum = hex(&Sha256::digest(&bytes));
        if sum != expected {
            return Err(self.altered(&path, &expected, &sum));
        }
        serde_json::from_slice(&bytes).map_err(|error| self.damaged(&path, error.to_string()))
    }

    /// The path of a blob in an OCI layout, and the digits of its digest.
    ///
    /// # Errors
    /// It is no SHA-256.
    pub fn blob(&self, digest: &str) -> Result<(PathBuf, String)> {
        let digits = sha256(digest).ok_or_else(|| {
            Error::new(format!("{} cannot be imported", self.label))
                .because(format!("the digest {digest:?} is not of the form sha256:DIGITS"))
        })?;
        Ok((Path::new("blobs/sha256").join(digits), digits.into()))
    }

    /// A file of the image archive, in words.
    pub fn name(&self, path: &Path) -> String {
        format!("{} in {}", path.display(), self.label)
    }

    /// An error on a file of the image archive.
    pub fn damaged(&self, path: &Path, why: impl Into<String>) -> Error {
        Error::new(format!("{} is damaged", self.name(path)))
            .because(why)
            .advise("make the archive or fetch it again")
    }

    fn altered(&self, path: &Path, expected: &str, sum: &str) -> Error {
        self.damaged(path, format!("its SHA-256 is {sum}, and should be {expected}"))
    }

    fn read_bytes(&self, path: &Path) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.get(path)?.take(JSON_LIMIT + 1).read_to_end(&mut bytes).on("read", path)?;
        match bytes.len() as u64 > JSON_LIMIT {
            true => Err(self.damaged(path, format!("it has more than {JSON_LIMIT} bytes"))),
            false => Ok(bytes),
        }
    }
}

/// What lies at a path.
enum Found {
    File(File),
    Nothing,
    /// A folder, a fifo, a device.
    NoFile,
    /// This process may not, or cannot, get there.
    Closed(Errno),
}

/// Whether an error tells something of the path, and not of the kernel's means.
fn is_of_the_path(errno: Errno) -> bool {
    use Errno::{EACCES, EINVAL, ELOOP, ENAMETOOLONG, EXDEV};
    matches!(errno, EACCES | EINVAL | ELOOP | ENAMETOOLONG | EXDEV)
}

fn checksum(mut source: impl Read) -> io::Result<String> {
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 128 * 1024];
    loop {
        match source.read(&mut buffer) {
            Ok(0) => return Ok(hex(&hasher.finalize())),
            Ok(count) => hasher.update(&buffer[..count]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Bytes in hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
