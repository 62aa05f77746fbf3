//! What a container in the background writes, as its supervisor keeps it.
//!
//! One line each, in the form of the Container Runtime Interface's logs:
//! `TIME STREAM TAG TEXT`. The tag is F for a full line, and P for a part of one, which
//! the next record of that stream goes on with. When the file is full it becomes
//! `log.1`, in the place of the one before; so there are at most two.
//!
//! Nothing that happens to the log stops the container: what cannot be written is lost,
//! and as soon as something can be written, that is written first.

use std::cell::RefCell;
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::time::rfc3339;
use mydocker_kernel::{OnPath, Result};

/// How large a file of a log becomes, but for its last record.
pub const FULL: u64 = 8 << 20;

/// The stream of what we say ourselves.
pub const OWN_STREAM: &str = "mydocker";

#[derive(Debug)]
struct Log {
    path: PathBuf,
    /// Missing after it could not be made.
    file: Option<File>,
    length: u64,
    lost: u64,
}

/// One stream of a container, into its log.
#[derive(Debug, Clone)]
pub struct LogStream {
    log: Rc<RefCell<Log>>,
    name: &'static str,
}

/// Makes the log of the container in `folder`; the streams stdout and stderr of it.
///
/// # Errors
/// As open(2).
pub fn create(folder: &Path) -> Result<[LogStream; 2]> {
    let path = folder.join("log");
    let file = open(&path).on("open", &path)?;
    let log = Rc::new(RefCell::new(Log { path, file: Some(file), length: 0, lost: 0 }));
    Ok(["stdout", "stderr"].map(|name| LogStream { log: Rc::clone(&log), name }))
}

fn open(path: &Path) -> std::io::Result<File> {
    File::options().append(true).create_new(true).mode(0o600).open(path)
}

impl LogStream {
    /// Notes what the container has written.
    pub fn write(&self, bytes: &[u8]) {
        let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let time = rfc3339(time);
        let mut records = Vec::with_capacity(bytes.len() + 64);
        for line in bytes.split_inclusive(|&byte| byte == b'\n') {
            let (text, tag) = match line.strip_suffix(b"\n") {
                Some(text) => (text, "F"),
                None => (line, "P"),
            };
            record(&mut records, &time, self.name, tag, text);
        }
        self.log.borrow_mut().append(&records, &time, bytes.len() as u64);
    }
}

fn record(records: &mut Vec<u8>, time: &str, stream: &str, tag: &str, text: &[u8]) {
    records.extend(format!("{time} {stream} {tag} ").as_bytes());
    records.extend(text);
    records.push(b'\n');
}

impl Log {
    /// Appends records that hold so many bytes of the container's.
    fn append(&mut self, records: &[u8], time: &str, bytes: u64) {
        if self.length >= FULL {
            self.rotate();
        }
        if self.lost > 0 {
            let text = format!("{} bytes were lost: the log could not be written", self.lost);
            let mut own = Vec::new();
            record(&mut own, time, OWN_STREAM, "F", text.as_bytes());
            if self.write(&own) {
                self.lost = 0;
            }
        }
        if !self.write(records) {
            self.lost += bytes;
        }
    }

    /// Writes all of it or nothing.
    fn write(&mut self, records: &[u8]) -> bool {
        if self.file.is_none() {
            self.file = open(&self.path).ok();
            self.length = 0;
        }
        let Some(file) = &mut self.file else { return false };
        match file.write_all(records) {
            Ok(()) => {
                self.length += records.len() as u64;
                true
            }
            // No half a record: the next one would be taken for its end.
            Err(_) => {
                let _ = file.set_len(self.length);
                false
            }
        }
    }

    fn rotate(&mut self) {
        if fs::rename(&self.path, self.path.with_extension("1")).is_ok() {
            self.file = None;
        }
    }
}
