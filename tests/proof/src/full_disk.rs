//! A disk on which there is no room left.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::statvfs::statvfs;
use nix::unistd::geteuid;

use crate::ground::Ground;
use crate::report::Section;
use crate::{Proof, Subject};

/// See the promise.
pub const SUBJECT: Subject = Subject {
    name: "full-disk",
    promise: "On a full disk an import leaves no image, and a run starts or says that there is \
              no room; a container that fills it gets ENOSPC; no byte is lost for good.",
    lacking: || {
        (!geteuid().is_root())
            .then(|| "only root can mount a small disk; it tries both users".into())
    },
    prove,
};

/// More than the image has, so that there is a size for each place in an import.
const WHOLE: u64 = 4 << 20;

/// Root, and an ordinary user.
const USERS: [u32; 2] = [0, 65534];

fn prove(proof: &Proof, section: &mut Section) {
    let ground = Ground::new(proof);
    ground.let_users_in();
    let steps = proof.pick(12, 250);
    let (mut refused, mut done) = (0, 0);
    for user in USERS {
        for step in 0..steps {
            let room = WHOLE * step / (steps - 1);
            for attempt in [import, start] {
                match attempt(&Disk::new(&ground, user), room) {
                    Ok(true) => done += 1,
                    Ok(false) => refused += 1,
                    Err(failure) => {
                        section.failures.push(format!("user {user}, {room} bytes free: {failure}"));
                    }
                }
            }
        }
        section.failures.extend(fill(&Disk::new(&ground, user)).err());
    }
    section.failures.extend(ground.finish());
    section.figure("imports and runs with more or less room", done + refused);
    section.figure("of these refused, for there is none", refused);
    section.figure("containers that fill the disk", 2);
}

/// A small disk, and a user of it.
struct Disk<'a> {
    ground: &'a Ground,
    user: u32,
    folder: PathBuf,
}

impl Disk<'_> {
    fn new(ground: &Ground, user: u32) -> Disk<'_> {
        let folder = ground.host.path("disk");
        fs::create_dir(&folder).expect("a folder");
        let options = Some("size=64m,mode=1777");
        mount(Some("disk"), &folder, Some("tmpfs"), MsFlags::empty(), options).expect("a tmpfs");
        Disk { ground, user, folder }
    }

    fn mydocker(&self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Output {
        self.ground.mydocker_as(self.user, &self.folder.join("root"), arguments)
    }

    fn import(&self) -> Output {
        self.mydocker([
            "image".as_ref(),
            "import".as_ref(),
            "busybox".as_ref(),
            self.ground.archive_for_all().as_os_str(),
        ])
    }

    /// Bytes and files that are used.
    fn used(&self) -> (u64, u64) {
        let disk = statvfs(&self.folder).expect("a disk");
        (disk.blocks() - disk.blocks_free(), disk.files() - disk.files_free())
    }

    /// Takes all room but so many bytes.
    fn leave(&self, room: u64) {
        let disk = statvfs(&self.folder).expect("a disk");
        let free = disk.blocks_free() * disk.fragment_size();
        let ballast = fs::File::create(self.folder.join("ballast")).expect("a file");
        let taken = free.saturating_sub(room) as i64;
        nix::fcntl::posix_fallocate(&ballast, 0, taken.max(1)).expect("room");
    }
}

impl Drop for Disk<'_> {
    fn drop(&mut self) {
        // What is still mounted below it is found by the last check.
        let _ = umount2(&self.folder, MntFlags::MNT_DETACH);
        let _ = fs::remove_dir(&self.folder);
    }
}

/// Whether there was room for an import.
fn import(disk: &Disk, room: u64) -> Result<bool, String> {
    disk.leave(room);
    let before = disk.used();
    let output = disk.import();
    if output.status.success() {
        return Ok(true);
    }
    is_refusal(&output)?;
    // Even the folder of all images may find no room.
    let root = disk.folder.join("root");
    let left = names(&root.join("images"));
    let _ = fs::remove_dir(root.join("images")).and_then(|()| fs::remove_dir(root));
    match disk.used() {
        after if after == before && left.is_empty() => Ok(false),
        after => Err(format!("used before {before:?}, after {after:?}; left {left:?}")),
    }
}

/// Whether there was room for a run.
fn start(disk: &Disk, room: u64) -> Result<bool, String> {
    // A run needs little.
    let room = room / 64;
    if !disk.import().status.success() {
        return Err("no import on an empty disk".into());
    }
    // So that the folder of all containers is there.
    disk.mydocker(["run", "true"]);
    disk.leave(room);
    let before = disk.used();
    let output = disk.mydocker(["run", "sh", "-c", "exit 7"]);
    let started = output.status.code() == Some(7);
    if !started {
        is_refusal(&output)?;
    }
    is_as_before(disk, before).map(|()| started)
}

/// A container writes until there is no room.
fn fill(disk: &Disk) -> Result<(), String> {
    if !disk.import().status.success() {
        return Err("no import on an empty disk".into());
    }
    disk.mydocker(["run", "true"]);
    let before = disk.used();
    let script = "dd if=/dev/zero of=/file bs=64k; echo more >/another || mkdir /folder; exit 9";
    let output = disk.mydocker(["run", "sh", "-c", script]);
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.code() != Some(9) || !said.contains("No space left on device") {
        return Err(format!("a container that fills the disk: {output:?}"));
    }
    is_as_before(disk, before)
}

fn is_refusal(output: &Output) -> Result<(), String> {
    let said = String::from_utf8_lossy(&output.stderr);
    let says_why = said.contains("ENOSPC") && said.contains("do:");
    match output.status.code() {
        Some(125) if says_why => Ok(()),
        _ => Err(format!("{output:?}")),
    }
}

fn is_as_before(disk: &Disk, before: (u64, u64)) -> Result<(), String> {
    let (after, left) = (disk.used(), names(&disk.folder.join("root/containers")));
    let changes = disk.ground.host.mount_changes();
    // The disk itself is one.
    if after == before && left.is_empty() && changes.len() == 1 {
        Ok(())
    } else {
        Err(format!("used before {before:?}, after {after:?}; left {left:?}; mounts {changes:?}"))
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}
