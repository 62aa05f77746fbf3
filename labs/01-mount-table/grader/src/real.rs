//! Mounts that the grader makes, and what the kernel says of them.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use labkit::canary::random_words;
use labkit::host::Host;
use labkit::proc::Proc;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::stat::{major, minor};

use crate::reading;
use crate::table::{Change, Mount};

const NOTHING: Option<&str> = None;
const ALLOWED: &str = "the sandbox allows it";

/// Some mounts with names that are meant to break a parser: their lines, and what
/// the kernel says of them elsewhere.
pub fn mounts_as_the_kernel_shows_them(host: &Host) -> Vec<(Vec<u8>, Mount)> {
    // 1. A tmpfs, a directory of it bound read-only, and one without a source.
    let stage = Stage::new(host);
    let disk = stage.directory(OsStr::from_bytes(b"a b\tc\nd\\e\\040f#-\xff"));
    let source = format!("disk # {}", random_words().expect("/dev/urandom"));
    mount_tmpfs(&disk, &source);
    fs::create_dir(disk.join("old photos")).expect(ALLOWED);
    let bound = stage.directory("bound".as_ref());
    mount(Some(&disk.join("old photos")), &bound, NOTHING, MsFlags::MS_BIND, NOTHING)
        .expect(ALLOWED);
    remount_read_only(&bound);
    let nameless = stage.directory("nameless".as_ref());
    mount_tmpfs(&nameless, "");

    // 2. What /proc/self/fdinfo and stat say.
    let table = fs::read("/proc/self/mountinfo").expect(ALLOWED);
    let mounts =
        [(disk, "/", source.as_str()), (bound, "/old photos", &source), (nameless, "/", "")];
    mounts
        .into_iter()
        .map(|(place, root, source)| {
            let id = id_of(&place);
            let begin = format!("{id} ");
            let mut lines = reading::lines(&table);
            let line = lines.find(|it| it.starts_with(begin.as_bytes())).expect("its line");
            let device = fs::metadata(&place).expect(ALLOWED).dev();
            let mount = Mount {
                id,
                parent: id_of(&stage.top),
                device: format!("{}:{}", major(device), minor(device)),
                root: root.into(),
                mount_point: place,
                fs_type: "tmpfs".to_owned(),
                source: source.into(),
                ..reading::read_line(line)
            };
            (line.to_vec(), mount)
        })
        .collect()
}

/// A table in which mounts are stacked, cover others, and come before the newer
/// ones that they were moved to.
pub fn table_with_stacked_and_moved_mounts(host: &Host) -> Vec<u8> {
    let stage = Stage::new(host);
    let old = stage.tmpfs("old");
    let mnt = stage.tmpfs("mnt");
    stage.tmpfs("mnt/a");
    stage.tmpfs("mnt1");
    mount_tmpfs(&mnt, "upper");
    stage.tmpfs("mnt/a");
    stage.tmpfs("srv");
    let new = stage.directory("srv/new".as_ref());
    mount(Some(&old), &new, NOTHING, MsFlags::MS_MOVE, NOTHING).expect(ALLOWED);
    fs::read("/proc/self/mountinfo").expect(ALLOWED)
}

/// Steps, one change or two each: the table before and after, and the changes.
pub fn changes_and_their_tables(host: &Host) -> Vec<(Vec<u8>, Vec<u8>, Vec<Change>)> {
    let stage = Stage::new(host);
    let read = || fs::read("/proc/self/mountinfo").expect(ALLOWED);
    let mut tables = vec![read()];
    let mut changes = Vec::new();
    let mut done = |change: &[Change]| {
        changes.push(change.to_vec());
        tables.push(read());
    };

    let here = stage.tmpfs("here");
    let id = id_of(&here);
    done(&[Change::Mounted(id)]);

    remount_read_only(&here);
    done(&[Change::Remounted(id)]);

    mount(NOTHING, &here, NOTHING, MsFlags::MS_SHARED, NOTHING).expect(ALLOWED);
    done(&[Change::Remounted(id)]);

    mount(NOTHING, &here, NOTHING, MsFlags::MS_REMOUNT, Some("size=128k")).expect(ALLOWED);
    done(&[Change::Remounted(id)]);

    let there = stage.directory("there".as_ref());
    mount(Some(&here), &there, NOTHING, MsFlags::MS_MOVE, NOTHING).expect(ALLOWED);
    done(&[Change::Moved(id)]);

    mount_tmpfs(&there, "upper");
    let upper = id_of(&there);
    done(&[Change::Mounted(upper)]);

    umount2(&there, MntFlags::empty()).expect(ALLOWED);
    done(&[Change::Umounted(upper)]);

    // In this order. Otherwise the kernel may or may not give the new one the old
    // one's ID.
    mount_tmpfs(&here, "another");
    let another = id_of(&here);
    umount2(&there, MntFlags::empty()).expect(ALLOWED);
    done(&[Change::Umounted(id), Change::Mounted(another)]);

    let pairs = tables.windows(2).map(|pair| (pair[0].clone(), pair[1].clone()));
    pairs.zip(changes).map(|((before, after), changes)| (before, after, changes)).collect()
}

/// A file system on which mounts are private, so that they can be moved.
struct Stage {
    top: PathBuf,
}

impl Stage {
    fn new(host: &Host) -> Stage {
        let top = host.path("stage");
        fs::create_dir(&top).expect(ALLOWED);
        mount_tmpfs(&top, "stage");
        mount(NOTHING, &top, NOTHING, MsFlags::MS_PRIVATE, NOTHING).expect(ALLOWED);
        Stage { top }
    }

    /// A new directory.
    fn directory(&self, name: &OsStr) -> PathBuf {
        let directory = self.top.join(name);
        fs::create_dir(&directory).expect(ALLOWED);
        directory
    }

    /// A new directory with a tmpfs on it.
    fn tmpfs(&self, name: &str) -> PathBuf {
        let directory = self.directory(name.as_ref());
        mount_tmpfs(&directory, name);
        directory
    }
}

fn mount_tmpfs(directory: &Path, source: &str) {
    mount(Some(source), directory, Some("tmpfs"), MsFlags::empty(), Some("size=64k"))
        .expect(ALLOWED);
}

fn remount_read_only(directory: &Path) {
    let flags = MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_RDONLY;
    mount(NOTHING, directory, NOTHING, flags, NOTHING).expect(ALLOWED);
}

/// The ID of the mount that is seen at `directory`.
fn id_of(directory: &Path) -> u32 {
    let seen = || Proc::open()?.mount_of(&File::open(directory)?);
    seen().expect(ALLOWED)
}
