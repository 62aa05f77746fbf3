//! A host of the process's own, small, in which everything can be written to and removed.
//! The sandbox's is read-only, so that what an answer would do to it is not seen there.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use labkit::describe::walk;
use labkit::host::Host;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::unistd::{chdir, chroot, pivot_root};

const NOTHING: Option<&str> = None;
const ALL: MsFlags = MsFlags::MS_REC;
/// Where new_root lies on it.
const IMAGE: &str = "images/busybox";

/// The files of a directory by their names, with what says whether one was changed: kind
/// and mode, owner, and of all but directories length and time.
pub type Files = BTreeMap<PathBuf, (u32, (u32, u32), Option<(u64, i64, i64)>)>;

/// All that is in a directory, but for what is below `left_out`.
///
/// # Panics
/// The witness may not read it.
pub fn files(directory: &Path, left_out: Option<&Path>) -> Files {
    let mut files = Files::new();
    let walked = walk(directory, &mut |path, data| {
        let is_left_out = left_out.is_some_and(|it| path.starts_with(it));
        let content = (!data.is_dir()).then(|| (data.len(), data.mtime(), data.mtime_nsec()));
        let name = path.strip_prefix(directory).expect("below the directory").to_owned();
        if !is_left_out {
            files.insert(name, (data.mode(), (data.uid(), data.gid()), content));
        }
    });
    walked.expect("a directory in the scratch directory");
    files
}

/// The names in both that are of other files now, as paths from the directory.
pub fn changed(before: &Files, after: &Files) -> Vec<String> {
    let is_other = |name: &PathBuf, file| after.get(name).is_some_and(|now| now != file);
    let changed = before.iter().filter(|(name, file)| is_other(name, *file));
    changed.map(|(name, _)| Path::new("/").join(name).display().to_string()).collect()
}

/// Names of directories on a host.
#[derive(Debug, Default)]
pub struct Harm {
    pub gone: Vec<String>,
    pub new: Vec<String>,
}

/// The host.
pub struct OwnHost {
    root: PathBuf,
    before: Files,
}

impl OwnHost {
    /// Makes it, with an image, and with empty directories of these names beside the image
    /// and in each directory above.
    ///
    /// # Panics
    /// The sandbox does not allow it.
    pub fn new(host: &Host, name: &str, empty: &[String]) -> OwnHost {
        let root = host.path(name);
        let make = || -> io::Result<()> {
            fs::create_dir(&root)?;
            mount(Some("own-host"), &root, Some("tmpfs"), MsFlags::empty(), Some("mode=755"))?;
            for usual in ["dev", "proc", "tmp", "root", "images"] {
                fs::create_dir(root.join(usual))?;
            }
            host.busybox(&format!("{name}/{IMAGE}"));
            fs::write(root.join(IMAGE).join("etc/marker"), "")?;
            for above in ["", "images"] {
                empty.iter().try_for_each(|it| fs::create_dir_all(root.join(above).join(it)))?;
            }
            Ok(())
        };
        make().expect("the sandbox allows it");
        let before = files(&root, Some(&root.join(IMAGE)));
        OwnHost { root, before }
    }

    /// Where new_root is, as the process names it.
    pub fn new_root() -> PathBuf {
        Path::new("/").join(IMAGE)
    }

    /// The image, as the witness names it.
    pub fn image(&self) -> PathBuf {
        self.root.join(IMAGE)
    }

    /// Makes it the root of this process's mount namespace, shared as one is after the boot.
    ///
    /// # Errors
    /// As mount(2) and pivot_root(2).
    pub fn enter(&self) -> io::Result<()> {
        mount(NOTHING, "/", NOTHING, MsFlags::MS_PRIVATE | ALL, NOTHING)?;
        for usual in ["dev", "proc"] {
            let (from, to) = (Path::new("/").join(usual), self.root.join(usual));
            mount(Some(&from), &to, NOTHING, MsFlags::MS_BIND | ALL, NOTHING)?;
        }
        chdir(&self.root)?;
        pivot_root(".", ".")?;
        umount2(".", MntFlags::MNT_DETACH)?;
        chdir("/")?;
        Ok(mount(NOTHING, "/", NOTHING, MsFlags::MS_SHARED | ALL, NOTHING)?)
    }

    /// The same, and goes on into new_root by chroot.
    ///
    /// # Errors
    /// As [`OwnHost::enter`] and chroot(2).
    pub fn enter_and_chroot(&self) -> io::Result<()> {
        self.enter()?;
        chroot(&OwnHost::new_root())?;
        Ok(chdir("/")?)
    }

    /// What has come and gone on it, beside the image.
    pub fn harm(&self) -> Harm {
        let after = files(&self.root, Some(&self.image()));
        let only_in = |these: &Files, those: &Files| {
            let names = these.keys().filter(|name| !those.contains_key(*name));
            names.map(|name| Path::new("/").join(name).display().to_string()).collect()
        };
        Harm { gone: only_in(&self.before, &after), new: only_in(&after, &self.before) }
    }
}

impl Drop for OwnHost {
    fn drop(&mut self) {
        let _ = umount2(&self.root, MntFlags::MNT_DETACH);
    }
}
