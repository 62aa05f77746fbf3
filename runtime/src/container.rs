//! The folder of a container is its journal.
//!
//! `ROOT/containers/ID` exists if and only if the container or something of it
//! does. Whoever runs the container holds a lock on `ID/lock`; the kernel lets
//! go of it when that process ends, however it ends. So a folder whose lock is
//! free is left over, and anybody may clear it.

use std::ffi::OsString;
use std::fs::{DirEntry, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::errno::Errno;
use serde::{Deserialize, Serialize};

use crate::exit_code;
use crate::limits::{Group, remove_with_old_name};
use crate::process::Identity;
use crate::program::Environment;
use crate::workspace::complete_write_layer;
use crate::workspace::delete::{delete_mount_point, delete_workspace};
use mydocker_kernel::delete::delete_tree;
use mydocker_kernel::folder::{make_folder, make_own_folder};
use mydocker_kernel::lock::{FlockOperation, Lock, lock_folder};
use mydocker_kernel::{Error, OnPath, Result, store_file};

/// How long the processes of a killed container may take to end.
const BUSY_FOR: Duration = Duration::from_secs(2);

/// What is known of a container: the content of `lock`, as JSON.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Record {
    /// Its PID 1.
    #[serde(flatten)]
    pub process: Identity,
    /// The mydocker that runs it, and holds the lock.
    #[serde(default)]
    pub owner: Identity,
    /// The image it was started from.
    pub image: String,
    /// The driver of its workspace: `overlay` or `aufs`.
    pub driver: crate::workspace::Driver,
    /// The command and its arguments, for the eye.
    pub command: Vec<String>,
    /// When it was started, in seconds since 1970.
    pub created: u64,
    /// Whether its workspace was to stay after its end.
    pub keep: bool,
    /// Whether it runs in the background, or did.
    #[serde(default)]
    pub detached: bool,
    /// The variables that its command got.
    #[serde(default)]
    pub environment: Environment,
    /// Where its command started, whatever bytes the path has.
    #[serde(default)]
    pub working_dir: OsString,
    /// Whether it keeps every capability.
    #[serde(default)]
    pub privileged: bool,
}

/// Seconds since 1970.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// `ROOT/containers/ID`, whether it is there or not.
pub fn folder(root: &Path, id: &str) -> PathBuf {
    root.join("containers").join(id)
}

/// A container's folder, locked by this process.
#[derive(Debug)]
pub struct Container {
    /// Its name, or twelve random hexadecimal digits.
    pub id: String,
    /// `ROOT/containers/ID`.
    pub folder: PathBuf,
    lock: Lock,
}

impl Container {
    /// Makes the folder of a new container and locks it.
    ///
    /// # Errors
    /// The name is taken or no name, or the folder cannot be made.
    pub fn create(root: &Path, name: Option<&str>) -> Result<Container> {
        let id = match name {
            Some(name) => {
                mydocker_image::check_name(name, "container").map(|()| name.to_owned())?
            }
            None => random_id()?,
        };
        let containers = root.join("containers");
        make_folder(&containers, 0o700)?;

        // Between mkdir and flock the folder looks left over. `prune` waits
        // for this lock before it judges.
        let _no_prune = lock_folder(&containers, FlockOperation::LockShared)?;
        let folder = folder(root, &id);
        match make_own_folder(&folder) {
            Err(error) if error.errno() == Some(Errno::EEXIST) => {
                return Err(Error::new(format!("there is a container {id:?} already"))
                    .because(format!("{folder:?} exists"))
                    .advise("choose another --name; mydocker ps -a shows them, rm deletes one"));
            }
            other => other?,
        }
        // A folder that is not locked is nobody's: it must not stay.
        let lock = lock_new(&folder).inspect_err(|_| drop(delete_tree(&folder)))?;
        Ok(Container { id, folder, lock })
    }

    /// Notes what `ps` and `diff` want to know.
    ///
    /// # Errors
    /// The lock file cannot be written.
    pub fn note(&mut self, record: &Record) -> Result<()> {
        let path = self.folder.join("lock");
        let json = serde_json::to_vec(record).expect("strings and numbers");
        self.lock.0.write_all(&json).on("write", &path)
    }
}

fn lock_new(folder: &Path) -> Result<Lock> {
    let path = folder.join("lock");
    let mut options = OpenOptions::new();
    let file = options.write(true).create_new(true).mode(0o600).open(&path).on("open", &path)?;
    Lock::take(file, FlockOperation::NonBlockingLockExclusive).on("flock", &path)
}

/// Twelve hexadecimal digits, like docker's short IDs.
fn random_id() -> Result<String> {
    let source = Path::new("/dev/urandom");
    let mut bytes = [0; 6];
    File::open(source).and_then(|mut file| file.read_exact(&mut bytes)).on("read", source)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// How a container is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Its owner lives.
    Running,
    /// It has ended, and its workspace was to stay.
    Kept,
    /// Its owner was killed before it could clean up.
    LeftOver,
}

/// A container as `ps` lists it.
#[derive(Debug)]
pub struct Listed {
    /// Its name or number.
    pub id: String,
    /// `ROOT/containers/ID`.
    pub folder: PathBuf,
    /// How it is doing.
    pub state: State,
    /// Missing where it is just being started, or its owner was killed then.
    pub record: Option<Record>,
    /// How it has ended, if it was kept.
    pub exit_code: Option<u8>,
}

impl Listed {
    /// What is known of it.
    ///
    /// # Errors
    /// It was never written.
    pub fn record(&self) -> Result<&Record> {
        self.record.as_ref().ok_or_else(|| {
            Error::new(format!("container {:?} has no record", self.id))
                .because("the run that made it was killed before it had written it")
                .advise("mydocker prune")
        })
    }

    /// As long as the lock lives, the container may end, but its files stay: see
    /// [`delete_workspace`].
    ///
    /// # Errors
    /// It is being deleted just now.
    pub fn hold(&self) -> Result<Lock> {
        let gone = || Error::new(format!("container {:?} is being deleted", self.id));
        let folder = File::open(&self.folder).on("open", &self.folder)?;
        let lock = match Lock::take(folder, FlockOperation::NonBlockingLockShared) {
            Err(Errno::EWOULDBLOCK) => return Err(gone()),
            other => other.on("flock", &self.folder)?,
        };
        if lock.is_on(&self.folder)? { Ok(lock) } else { Err(gone()) }
    }
}

/// All containers below `root`, by name; and why others cannot be looked at, if there
/// are any.
///
/// # Errors
/// The folder cannot be read.
pub fn list(root: &Path) -> Result<(Vec<Listed>, Option<Error>)> {
    let (all, failure) = look_at_all(root, false, &|_| false)?;
    Ok((all.into_iter().map(|(listed, _)| listed).collect(), failure))
}

/// The container `id`.
///
/// # Errors
/// There is none of that name; the error lists those there are. It, or another that may
/// be it, cannot be looked at.
pub fn find(root: &Path, id: &str) -> Result<Listed> {
    let (mut all, failure) = list(root)?;
    match (all.iter().position(|container| container.id == id), failure) {
        (Some(index), _) => Ok(all.swap_remove(index)),
        (None, Some(failure)) => Err(failure),
        (None, None) => {
            let names: Vec<&str> = all.iter().map(|container| container.id.as_str()).collect();
            let why = match names.as_slice() {
                [] => "there are no containers".to_owned(),
                names => format!("there are: {}", names.join(", ")),
            };
            Err(Error::new(format!("there is no container {id:?}")).because(why).advise(
                "mydocker ps -a lists them; one that has ended is gone, unless run had --keep or -d",
            ))
        }
    }
}

/// Deletes what killed runs left behind: mounts, folders, control groups. With
/// `kept`, also the workspaces that were to stay. Returns what was cleared, and the
/// first failure to clear a container or to look at it: all others were tried.
///
/// # Errors
/// The folder cannot be read.
pub fn prune(root: &Path, kept: bool) -> Result<(Vec<String>, Option<Error>)> {
    let mut cleared = Vec::new();
    let (all, mut failure) = look_at_all(root, true, &|_| true)?;
    for (listed, lock) in all {
        let clear = |delete| clear(&listed, delete);
        let outcome = match listed.state {
            State::Running => continue,
            // Its files stay; a mount or a control group of a killed run does not.
            State::Kept if !kept => {
                let driver = listed.record.as_ref().map(|record| record.driver);
                let completed =
                    driver.map_or(Ok(()), |it| complete_write_layer(it, &listed.folder));
                clear(delete_mount_point).and(completed)
            }
            _ => clear(delete_workspace).map(|()| cleared.push(listed.id.clone())),
        };
        if let Err(error) = outcome {
            failure = failure.or(Some(error));
        }
        // Until here nobody else could take the folder for theirs.
        drop(lock);
    }
    Ok((cleared, failure))
}

/// Deletes the container `id`, which has ended.
///
/// # Errors
/// There is none, or it runs; something of it cannot be deleted.
pub fn remove(root: &Path, id: &str) -> Result<()> {
    find(root, id)?;
    let (all, _) = look_at_all(root, true, &|other| other == id)?;
    let Some((listed, _lock)) = all.into_iter().find(|(listed, _)| listed.id == id) else {
        return Ok(());
    };
    match listed.state {
        State::Running => Err(Error::new(format!("container {id:?} runs"))
            .advise(format!("end it first: mydocker stop {id}; or: mydocker rm -f {id}"))),
        State::Kept | State::LeftOver => clear(&listed, delete_workspace),
    }
}

/// What is not a file of it, and then what `delete` deletes.
fn clear(listed: &Listed, delete: fn(&Path) -> Result<()>) -> Result<()> {
    listed.record.as_ref().map_or(Ok(()), end)?;
    remove_with_old_name(&listed.id)?;
    Group::find(&listed.folder)?.remove().and_then(|()| delete(&listed.folder))
}

/// Sees to it that a container whose owner is dead has ended, too. Its keeper has
/// been killed with the owner, but that takes a moment: and nothing is deleted
/// under what runs.
fn end(record: &Record) -> Result<()> {
    let Some(process) = record.process.process()? else { return Ok(()) };
    let _ = process.signal(libc::SIGKILL);
    match process.ends_within(Some(BUSY_FOR))? {
        true => Ok(()),
        false => Err(Error::new(format!("the container's process {} does not end", process.pid))
            .because("it was killed, and is still there")
            .advise("see what it waits for: cat /proc/PID/stack; then: mydocker prune")),
    }
}

/// A container, with its lock where nobody else has that.
type Found = (Listed, Option<Lock>);

/// Looks at every container, with the lock of those that nobody owns and that are
/// `wanted`: whoever looks meanwhile takes these for running. With `claim`, half-made
/// ones without a lock get one. Why some cannot be looked at comes beside the others.
fn look_at_all(
    root: &Path,
    claim: bool,
    wanted: &dyn Fn(&str) -> bool,
) -> Result<(Vec<Found>, Option<Error>)> {
    let containers = root.join("containers");
    let _no_create = match lock_folder(&containers, FlockOperation::LockExclusive) {
        Err(error) if error.errno() == Some(Errno::ENOENT) => return Ok((Vec::new(), None)),
        other => other?,
    };
    let (mut all, mut failures) = (Vec::new(), Vec::new());
    for entry in std::fs::read_dir(&containers).on("readdir", &containers)? {
        let entry = entry.on("readdir", &containers)?;
        // A link or a file is no container of ours.
        if !entry.file_type().on("lstat", &entry.path())?.is_dir() {
            continue;
        }
        match look_at(&entry, claim) {
            Ok((listed, lock)) => {
                let lock = lock.filter(|_| wanted(&listed.id));
                all.push((listed, lock));
            }
            Err(failure) => failures.push(failure),
        }
    }
    all.sort_by(|(a, _), (b, _)| a.id.cmp(&b.id));
    Ok((all, failures.into_iter().reduce(|first, next| first.followed_by(&next))))
}

/// Looks at one container, with its lock if nobody owns it.
///
/// Only what the kernel says for certain counts: a container that runs, or was to be
/// kept, must not be taken for left over.
fn look_at(entry: &DirEntry, claim: bool) -> Result<Found> {
    let (folder, name): (PathBuf, OsString) = (entry.path(), entry.file_name());
    let lock_file = folder.join("lock");
    let mut options = OpenOptions::new();
    options.read(true).write(claim).create(claim);
    let (mut owned, mut lock, mut record) = (false, None, None::<Record>);
    if let Some(file) = store_file::open(&lock_file, &mut options)? {
        let same = file.try_clone().on("dup", &lock_file)?;
        match Lock::take(file, FlockOperation::NonBlockingLockExclusive) {
            Err(Errno::EWOULDBLOCK) => owned = true,
            other => lock = Some(other.on("flock", &lock_file)?),
        }
        // Only now: whoever has the lock may still be writing.
        record = serde_json::from_slice(&store_file::read_all(&same, &lock_file)?).ok();
    }
    let state = match &record {
        _ if owned => State::Running,
        Some(record) if record.keep => State::Kept,
        _ => State::LeftOver,
    };
    let exit_code = exit_code::read(&folder).filter(|_| !owned);
    let id = name.to_string_lossy().into_owned();
    Ok((Listed { id, folder, state, record, exit_code }, lock))
}
