//! The folder of a container is its journal.
//!
//! `ROOT/containers/ID` exists if and only if the container or something of it
//! does. Whoever runs the container holds a lock on `ID/lock`; the kernel lets
//! go of it when that process ends, however it ends. So a folder whose lock is
//! free is left over, and anybody may clear it.

use std::ffi::OsString;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use nix::errno::Errno;
use serde::{Deserialize, Serialize};

use crate::error::{Error, OnPath, Result, if_there};
use crate::folder::make_folder;
use crate::limits::Group;
use crate::lock::{FlockOperation, Lock};
use crate::workspace::delete::{delete_mount_point, delete_workspace};

/// What is known of a container: the content of `lock`, as JSON.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Record {
    /// Its PID 1, as the host numbers it.
    pub pid: i32,
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
}

/// Seconds since 1970.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
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
            Some(name) => crate::image::check_name(name, "container").map(|()| name.to_owned())?,
            None => random_id()?,
        };
        let containers = root.join("containers");
        make_folder(&containers, 0o700)?;

        // Between mkdir and flock the folder looks left over. `prune` waits
        // for this lock before it judges.
        let _no_prune = lock_folder(&containers, FlockOperation::LockShared)?;
        let folder = containers.join(&id);
        match DirBuilder::new().mode(0o700).create(&folder) {
            Err(error) if error.raw_os_error() == Some(libc::EEXIST) => {
                return Err(Error::new(format!("there is a container {id:?} already"))
                    .because(format!("{folder:?} exists"))
                    .advise(
                        "choose another --name; mydocker ps shows them, prune clears old ones",
                    ));
            }
            other => other.on("mkdir", &folder)?,
        }
        let path = folder.join("lock");
        let mut options = OpenOptions::new();
        let file =
            options.write(true).create_new(true).mode(0o600).open(&path).on("open", &path)?;
        let lock = Lock::take(file, FlockOperation::NonBlockingLockExclusive).on("flock", &path)?;
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

/// Twelve hexadecimal digits, like docker's short IDs.
fn random_id() -> Result<String> {
    let source = Path::new("/dev/urandom");
    let mut bytes = [0; 6];
    File::open(source).and_then(|mut file| file.read_exact(&mut bytes)).on("read", source)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Locks the folder of all containers: shared by who makes or deletes one,
/// exclusive for who looks which are left over.
///
/// # Errors
/// As open(2) and flock(2).
pub fn lock_folder(folder: &Path, how: FlockOperation) -> Result<Lock> {
    let file = File::open(folder).on("open", folder)?;
    Lock::take(file, how).on("flock", folder)
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
}

/// All containers below `root`, by name.
///
/// # Errors
/// The folder cannot be read.
pub fn list(root: &Path) -> Result<Vec<Listed>> {
    Ok(look_at_all(root, false)?.into_iter().map(|(listed, _)| listed).collect())
}

/// The container `id`.
///
/// # Errors
/// There is none of that name; the error lists those there are.
pub fn find(root: &Path, id: &str) -> Result<Listed> {
    let mut all = list(root)?;
    match all.iter().position(|container| container.id == id) {
        Some(index) => Ok(all.swap_remove(index)),
        None => {
            let names: Vec<&str> = all.iter().map(|container| container.id.as_str()).collect();
            let why = match names.as_slice() {
                [] => "there are no containers".to_owned(),
                names => format!("there are: {}", names.join(", ")),
            };
            Err(Error::new(format!("there is no container {id:?}")).because(why).advise(
                "mydocker ps lists them; a container that has ended is gone, unless run --keep",
            ))
        }
    }
}

/// Deletes what killed runs left behind: mounts, folders, control groups. With
/// `kept`, also the workspaces that were to stay. Returns what was cleared.
///
/// # Errors
/// The first that cannot be cleared, after all others were tried.
pub fn prune(root: &Path, kept: bool) -> Result<Vec<String>> {
    let mut cleared = Vec::new();
    let mut failure = None;
    for (listed, lock) in look_at_all(root, true)? {
        let clear = |delete: fn(&Path) -> Result<()>| {
            Group::find(&listed.id)?.remove().and_then(|()| delete(&listed.folder))
        };
        let outcome = match listed.state {
            State::Running => continue,
            // Its files stay; a mount or a control group of a killed run does not.
            State::Kept if !kept => clear(delete_mount_point),
            _ => clear(delete_workspace).map(|()| cleared.push(listed.id.clone())),
        };
        if let Err(error) = outcome {
            failure = failure.or(Some(error));
        }
        // Until here nobody else could take the folder for theirs.
        drop(lock);
    }
    failure.map_or(Ok(cleared), Err)
}

/// Looks at every container, with the lock of those that nobody owns. With
/// `claim`, half-made ones without a lock get one.
fn look_at_all(root: &Path, claim: bool) -> Result<Vec<(Listed, Option<Lock>)>> {
    let containers = root.join("containers");
    let _no_create = match lock_folder(&containers, FlockOperation::LockExclusive) {
        Err(error) if error.errno() == Some(Errno::ENOENT) => return Ok(Vec::new()),
        other => other?,
    };
    let mut all = Vec::new();
    for entry in std::fs::read_dir(&containers).on("readdir", &containers)? {
        let entry = entry.on("readdir", &containers)?;
        let (folder, name): (PathBuf, OsString) = (entry.path(), entry.file_name());
        let lock_file = folder.join("lock");
        let mut options = OpenOptions::new();
        let opened = options.read(true).write(claim).create(claim).open(&lock_file);
        // Only what the kernel says for certain counts: a container that runs,
        // or was to be kept, must not be taken for left over.
        let (owned, lock) = match if_there(opened).on("open", &lock_file)? {
            Some(file) => match Lock::take(file, FlockOperation::NonBlockingLockExclusive) {
                Err(Errno::EWOULDBLOCK) => (true, None),
                other => (false, Some(other.on("flock", &lock_file)?)),
            },
            None => (false, None),
        };
        let record = if_there(std::fs::read(&lock_file)).on("read", &lock_file)?;
        let record: Option<Record> = record.and_then(|json| serde_json::from_slice(&json).ok());
        let state = match &record {
            _ if owned => State::Running,
            Some(record) if record.keep => State::Kept,
            _ => State::LeftOver,
        };
        all.push((Listed { id: name.to_string_lossy().into_owned(), folder, state, record }, lock));
    }
    all.sort_by(|(a, _), (b, _)| a.id.cmp(&b.id));
    Ok(all)
}
