//! Reads the log of a container in the background: see [`crate::log`].

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write, stderr, stdout};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use mydocker_kernel::{Error, OnPath, Result, if_there, store_file};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};

use crate::log::OWN_STREAM;
use crate::process::Process;

/// What of a log is shown, and how.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Only so many lines at the end.
    pub tail: Option<usize>,
    /// With the time of each.
    pub timestamps: bool,
}

/// A record, without its line feed.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Record {
    time: String,
    stream: String,
    is_whole: bool,
    text: Vec<u8>,
}

impl Record {
    /// `None` for what is no record of ours.
    fn parse(line: &[u8]) -> Option<Record> {
        let mut parts = line.splitn(4, |&byte| byte == b' ');
        let mut word = || Some(String::from_utf8_lossy(parts.next()?).into_owned());
        let (time, stream, tag) = (word()?, word()?, word()?);
        Some(Record { time, stream, is_whole: tag == "F", text: parts.next()?.to_vec() })
    }
}

/// Shows the log of the container in `folder`; with `owner`, also what comes, until
/// that has ended. A reader of ours that has gone ends it, and is no failure.
///
/// # Errors
/// There is no log; it cannot be read, or stdout not be written.
pub fn show(folder: &Path, options: Options, owner: Option<&Process>) -> Result<()> {
    let mut reader = Reader::open(folder)?;
    // Before the first look: so nothing comes between.
    let watch = owner.map(|owner| watch(folder).map(|it| (owner, it))).transpose()?;
    let mut screen = Screen { timestamps: options.timestamps, unfinished: BTreeSet::new() };
    let lines = join(reader.read()?);
    let skipped = options.tail.map_or(0, |tail| lines.len().saturating_sub(tail));
    let mut shown = screen.show(&lines[skipped..]);
    if let Some((owner, watch)) = watch {
        while shown.is_ok() {
            // What was written until the end is there when the end is seen.
            let has_ended = !owner.is_there()?;
            shown = screen.show(&reader.read()?);
            if has_ended {
                break;
            }
            sleep(&watch, owner)?;
        }
    }
    match shown {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other.on("write", Path::new("/dev/stdout")),
    }
}

fn watch(folder: &Path) -> Result<Inotify> {
    let flags = InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK;
    let watch = Inotify::init(flags).map_err(|errno| Error::call("inotify_init1()", errno))?;
    let events = AddWatchFlags::IN_MODIFY | AddWatchFlags::IN_CREATE;
    watch.add_watch(folder, events).on("inotify_add_watch", folder)?;
    Ok(watch)
}

/// Until something happens to the log, or the container's mydocker has ended.
fn sleep(watch: &Inotify, owner: &Process) -> Result<()> {
    let flag = PollFlags::POLLIN;
    let mut watched = [PollFd::new(watch.as_fd(), flag), PollFd::new(owner.as_fd(), flag)];
    match poll(&mut watched, PollTimeout::NONE) {
        Ok(_) | Err(Errno::EINTR) => {}
        Err(errno) => return Err(Error::call("poll()", errno)),
    }
    // What happened is seen by reading.
    while watch.read_events().is_ok() {}
    Ok(())
}

/// Parts of lines to lines, in the order of their ends; those without an end come last.
fn join(records: Vec<Record>) -> Vec<Record> {
    let mut unfinished: BTreeMap<String, Record> = BTreeMap::new();
    let mut lines = Vec::new();
    for record in records {
        let line = match unfinished.remove(&record.stream) {
            Some(mut line) => {
                line.text.extend(record.text);
                Record { is_whole: record.is_whole, ..line }
            }
            None => record,
        };
        match line.is_whole {
            true => lines.push(line),
            false => drop(unfinished.insert(line.stream.clone(), line)),
        }
    }
    lines.extend(unfinished.into_values());
    lines
}

/// Our own stdout and stderr.
struct Screen {
    timestamps: bool,
    /// The streams that are in the middle of a line.
    unfinished: BTreeSet<String>,
}

impl Screen {
    fn show(&mut self, records: &[Record]) -> io::Result<()> {
        for record in records {
            let mut text = Vec::new();
            if !self.unfinished.remove(&record.stream) {
                if self.timestamps {
                    text.extend(format!("{} ", record.time).as_bytes());
                }
                if record.stream == OWN_STREAM {
                    text.extend(b"mydocker: ");
                }
            }
            text.extend(&record.text);
            match record.is_whole {
                true => text.push(b'\n'),
                false => drop(self.unfinished.insert(record.stream.clone())),
            }
            match record.stream.as_str() {
                "stdout" => stdout().write_all(&text)?,
                _ => stderr().write_all(&text)?,
            }
        }
        stdout().flush()
    }
}

/// Reads both files of a log, and goes along when they are exchanged.
struct Reader {
    path: PathBuf,
    /// The file before that one, until it is read.
    before: Option<File>,
    file: File,
    /// A record whose end is not there yet.
    rest: Vec<u8>,
}

impl Reader {
    fn open(folder: &Path) -> Result<Reader> {
        let path = folder.join("log");
        let file = store_file::open(&path, File::options().read(true))?.ok_or_else(|| {
            Error::new("the container has no log")
                .because("only what run -d starts has one; others write to their caller's streams")
        })?;
        // In this order: if they are exchanged meanwhile, both are the same file.
        let old = path.with_extension("1");
        let before = store_file::open(&old, File::options().read(true))?;
        let inode = |file: &File| file.metadata().map(|it| it.ino()).on("fstat", &path);
        let before = match before {
            Some(before) if inode(&before)? != inode(&file)? => Some(before),
            _ => None,
        };
        Ok(Reader { path, before, file, rest: Vec::new() })
    }

    /// What has come since the last time.
    fn read(&mut self) -> Result<Vec<Record>> {
        let mut records = Vec::new();
        if let Some(mut before) = self.before.take() {
            before.read_to_end(&mut self.rest).on("read", &self.path)?;
            self.take_records(&mut records);
        }
        loop {
            self.read_file()?;
            self.take_records(&mut records);
            let there = if_there(self.path.metadata()).on("stat", &self.path)?;
            let present = self.file.metadata().on("fstat", &self.path)?;
            if there.is_none_or(|there| there.ino() == present.ino()) {
                return Ok(records);
            }
            // It has become log.1, and nothing more is written to it.
            self.read_file()?;
            self.take_records(&mut records);
            self.rest.clear();
            let opened = store_file::open(&self.path, File::options().read(true))?;
            let Some(next) = opened else { return Ok(records) };
            self.file = next;
        }
    }

    fn read_file(&mut self) -> Result<()> {
        // After a write that failed it is shorter again, see `Log::write`.
        let length = self.file.metadata().on("fstat", &self.path)?.len();
        if self.file.stream_position().on("lseek", &self.path)? > length {
            self.file.seek(SeekFrom::Start(length)).on("lseek", &self.path)?;
            self.rest.clear();
        }
        self.file.read_to_end(&mut self.rest).map(drop).on("read", &self.path)
    }

    fn take_records(&mut self, records: &mut Vec<Record>) {
        let Some(end) = self.rest.iter().rposition(|&byte| byte == b'\n') else { return };
        let whole: Vec<u8> = self.rest.drain(..=end).collect();
        records.extend(whole[..end].split(|&byte| byte == b'\n').filter_map(Record::parse));
    }
}
