//! mount_kernel_file_systems.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use labkit::describe::{Failure, result, tree};
use labkit::host::{Host, Seen};
use labkit::refuse::refuse;
use labkit::verdict::{Evidence, Finding, require};
use mydocker::mountinfo::{Change, Mount};
use nix::errno::Errno;
use nix::libc::SYS_mount;
use nix::mount::{MsFlags, mount};
use nix::sched::CloneFlags;
use nix::sys::stat::{major, minor};
use nix::sys::statvfs::{FsFlags, statvfs};
use serde::{Deserialize, Serialize};

use crate::{Answers, UNFORESEEN};

const FUNCTION: &str = "mount_kernel_file_systems";

/// The devices that every program expects, with their numbers. See null(4),
/// full(4), random(4), tty(4).
const DEVICES: [(&str, &str); 6] = [
    ("null", "char 1:3"),
    ("zero", "char 1:5"),
    ("full", "char 1:7"),
    ("random", "char 1:8"),
    ("urandom", "char 1:9"),
    ("tty", "char 5:0"),
];

/// What the process finds below new_root.
#[derive(Serialize, Deserialize)]
struct Mounted {
    returned: Result<(), Failure>,
    /// Where `proc/self` leads: the pid of whoever reads it.
    proc_self: Result<PathBuf, Failure>,
    /// Whether proc/sys is read-only. See statvfs(3).
    proc_sys_is_read_only: bool,
    /// What each of the devices is.
    devices: BTreeMap<String, String>,
    /// What a read of zero and a write to null say.
    used: Result<(), Failure>,
}

struct Facts {
    seen: Seen<Mounted>,
    new_root: PathBuf,
    image_before: String,
    image_after: String,
}

fn observe(answers: &Answers, host: &Host) -> Result<Facts, Finding> {
    let new_root = host.busybox("busybox");
    let image_before = tree(&new_root).expect("busybox");
    let namespaces = CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWPID;
    let seen = host.call(FUNCTION, namespaces, || {
        let nothing: Option<&str> = None;
        let private = MsFlags::MS_PRIVATE | MsFlags::MS_REC;
        mount(nothing, "/", nothing, private, nothing).expect("the sandbox allows it");
        let returned = (answers.mount_kernel_file_systems)(&new_root).map_err(Failure::from);
        let dev = new_root.join("dev");
        let name = |(name, _): (&str, &str)| (name.to_owned(), kind(&dev.join(name)));
        Mounted {
            returned,
            proc_self: fs::read_link(new_root.join("proc/self")).map_err(Failure::from),
            proc_sys_is_read_only: statvfs(&new_root.join("proc/sys"))
                .is_ok_and(|state| state.flags().contains(FsFlags::ST_RDONLY)),
            devices: DEVICES.into_iter().map(name).collect(),
            used: use_devices(&dev).map_err(Failure::from),
        }
    })?;
    let image_after = tree(&new_root).expect("busybox");
    Ok(Facts { seen, new_root, image_before, image_after })
}

/// What kind of file there is, with the number of a device.
fn kind(path: &Path) -> String {
    match path.symlink_metadata() {
        Err(error) => Failure::from(error).to_string(),
        Ok(data) if data.file_type().is_char_device() => {
            format!("char {}:{}", major(data.rdev()), minor(data.rdev()))
        }
        Ok(data) if data.is_file() => "a regular file".to_owned(),
        Ok(_) => "something else".to_owned(),
    }
}

fn use_devices(dev: &Path) -> std::io::Result<()> {
    let mut zeroes = [1; 4];
    File::open(dev.join("zero"))?.read_exact(&mut zeroes)?;
    OpenOptions::new().write(true).open(dev.join("null"))?.write_all(&zeroes)
}

impl Facts {
    fn mounted(&self) -> &Mounted {
        &self.seen.returned
    }

    fn mount_at(&self, name: &str) -> Option<&Mount> {
        self.seen.mounts.at(&self.new_root.join(name))
    }

    /// What is wrong with all of it.
    fn diagnose(&self) -> Option<Finding> {
        if self.image_before != self.image_after {
            return code("dev-on-the-image");
        }
        if let Err(failure) = &self.mounted().returned {
            let dev = self.mount_at("dev").filter(|mount| !self.is_hosts(mount));
            let is_empty = self.mounted().devices.values().all(|kind| kind.starts_with("ENOENT"));
            match failure.errno.map(Errno::from_raw) {
                Some(Errno::EPERM) if dev.is_some() && is_empty => return code("device-by-mknod"),
                Some(Errno::ENOENT) if dev.is_some() && is_empty => {
                    return code("nothing-to-bind-onto");
                }
                _ => {}
            }
            let finding = Finding::new("answer/returned-error");
            return Some(finding.word("function", FUNCTION).word("error", failure));
        }
        // What was remounted, the grader itself has made private.
        let changes = self.seen.container_changes();
        if changes.iter().all(|change| matches!(change, Change::Remounted { .. })) {
            return Some(Finding::new("answer/did-nothing").word("function", FUNCTION));
        }
        None
    }

    /// What is wrong with /proc.
    fn diagnose_proc(&self) -> Option<Finding> {
        let mounted = self.mounted();
        let has = |mount: &Mount, option: &str| mount.options.split(',').any(|it| it == option);
        let Some(proc) = self.mount_at("proc").filter(|mount| mount.fs_type == "proc") else {
            return code("proc-not-mounted");
        };
        if mounted.proc_self != Ok(PathBuf::from("1")) {
            return code("proc-of-the-host");
        }
        if !["nosuid", "nodev", "noexec"].iter().all(|option| has(proc, option)) {
            return code("proc-without-flags");
        }
        if mounted.proc_sys_is_read_only {
            return None;
        }
        match self.mount_at("proc/sys") {
            Some(_) => code("read-only-bind-in-one-call"),
            None => code("proc-sys-writable"),
        }
    }

    /// What is wrong with /dev.
    fn diagnose_dev(&self) -> Option<Finding> {
        let mounted = self.mounted();
        let Some(dev) = self.mount_at("dev") else { return code("dev-not-mounted") };
        if self.is_hosts(dev) {
            return code("dev-of-the-host");
        }
        if dev.fs_type != "tmpfs" {
            return code("dev-not-mounted");
        }
        let kinds: Vec<&str> = mounted.devices.values().map(String::as_str).collect();
        if kinds.iter().all(|kind| kind.starts_with("ENOENT")) {
            return code("dev-is-empty");
        }
        if kinds.contains(&"a regular file") {
            return code("device-is-a-file");
        }
        if mounted.used.as_ref().is_err_and(|failure| failure.errno == Some(nix::libc::EACCES)) {
            return code("device-on-nodev");
        }
        None
    }

    /// Whether a mount shows a file system that the host has mounted too.
    fn is_hosts(&self, mount: &Mount) -> bool {
        self.seen.host_before.mounts.iter().any(|it| it.device == mount.device)
    }

    fn require(
        &self,
        kept: bool,
        evidence: Vec<Evidence>,
        diagnosis: fn(&Facts) -> Option<Finding>,
    ) -> Result<(), Finding> {
        let kept = kept && self.mounted().returned.is_ok();
        let all = || {
            let mut all = evidence;
            if self.mounted().returned.is_err() {
                let returned = result(&self.mounted().returned);
                all.insert(0, Evidence::differs(format!("{FUNCTION}(new_root)"), "Ok", returned));
            }
            all.push(self.seen.mounts_drawn(&self.new_root));
            all
        };
        require(kept, all, || self.diagnose().or_else(|| diagnosis(self)), UNFORESEEN)
    }
}

pub fn proc_is_fresh(answers: &Answers, host: &Host) -> Result<(), Finding> {
    let facts = observe(answers, host)?;
    let seen = match &facts.mounted().proc_self {
        Ok(pid) => pid.display().to_string(),
        Err(failure) => failure.to_string(),
    };
    let evidence = Evidence::differs("readlink(\"new_root/proc/self\") by PID 1", "1", &seen);
    facts.require(seen == "1", vec![evidence], Facts::diagnose_proc)
}

pub fn proc_flags(answers: &Answers, host: &Host) -> Result<(), Finding> {
    let facts = observe(answers, host)?;
    let options = facts.mount_at("proc").map(|mount| mount.options.clone()).unwrap_or_default();
    let has = |name: &str| options.split(',').any(|option| option == name);
    let kept = has("nosuid") && has("nodev") && has("noexec");
    let what = "the options of new_root/proc";
    let evidence = Evidence::differs(what, "nosuid,nodev,noexec", options);
    facts.require(kept, vec![evidence], Facts::diagnose_proc)
}

pub fn proc_sys_is_read_only(answers: &Answers, host: &Host) -> Result<(), Finding> {
    let facts = observe(answers, host)?;
    let kept = facts.mounted().proc_sys_is_read_only;
    let what = "statvfs(\"new_root/proc/sys\")";
    let seen = if kept { "ST_RDONLY" } else { "it can be written to" };
    facts.require(kept, vec![Evidence::differs(what, "ST_RDONLY", seen)], Facts::diagnose_proc)
}

pub fn dev_is_a_tmpfs(answers: &Answers, host: &Host) -> Result<(), Finding> {
    let facts = observe(answers, host)?;
    let dev = facts.mount_at("dev");
    let is_own = dev.is_some_and(|mount| mount.fs_type == "tmpfs" && !facts.is_hosts(mount));
    let seen = dev.map_or("nothing is mounted there", |mount| mount.fs_type.as_str());
    let evidence = Evidence::differs("new_root/dev", "a tmpfs of its own", seen);
    facts.require(is_own, vec![evidence], Facts::diagnose_dev)
}

pub fn devices(answers: &Answers, host: &Host) -> Result<(), Finding> {
    let facts = observe(answers, host)?;
    let mounted = facts.mounted();
    let mut evidence = Vec::new();
    for (name, expected) in DEVICES {
        let seen = &mounted.devices[name];
        if seen != expected {
            evidence.push(Evidence::differs(format!("new_root/dev/{name}"), expected, seen));
        }
    }
    if mounted.used.is_err() {
        let what = "read from new_root/dev/zero, write to new_root/dev/null";
        evidence.push(Evidence::differs(what, "Ok", result(&mounted.used)));
    }
    facts.require(evidence.is_empty(), evidence, Facts::diagnose_dev)
}

pub fn image_stays(answers: &Answers, host: &Host) -> Result<(), Finding> {
    let facts = observe(answers, host)?;
    let before: Vec<&str> = facts.image_before.lines().collect();
    let new: Vec<&str> = facts.image_after.lines().filter(|line| !before.contains(line)).collect();
    let kept = facts.image_before == facts.image_after;
    let what = "new_root without its mounts, entries that are new";
    facts.require(kept, vec![Evidence::differs(what, "none", new.join(", "))], |_| None)
}

pub fn failure(answers: &Answers, host: &Host) -> Result<(), Finding> {
    let new_root = host.busybox("refused");
    let seen = host.call(FUNCTION, CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWPID, || {
        refuse(SYS_mount, Errno::EPERM).expect("the kernel has seccomp");
        (answers.mount_kernel_file_systems)(&new_root).map_err(Failure::from)
    })?;
    let evidence = || {
        let call = format!("{FUNCTION}(new_root) while mount(2) fails with EPERM");
        vec![Evidence::differs(call, "Err", result(&seen.returned))]
    };
    // An answer that does nothing at all has no error to ignore.
    let diagnosis = || match observe(answers, host) {
        Ok(facts) => facts.diagnose().or_else(|| code("error-ignored").map(with_function)),
        Err(finding) => Some(finding),
    };
    require(seen.returned.is_err(), evidence, diagnosis, UNFORESEEN)
}

fn code(code: &str) -> Option<Finding> {
    Some(Finding::new(format!("pivot-root/{code}")))
}

fn with_function(finding: Finding) -> Finding {
    finding.word("function", FUNCTION)
}
