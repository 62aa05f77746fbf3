//! mount_kernel_file_systems.

mod failing;

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use labkit::call::{Call, Seen};
use labkit::describe::{Failure, result, tree};
use labkit::frame::{Facts, Returned, Rule, Rules, Words, rule};
use labkit::host::Host;
use labkit::verdict::{Evidence, Finding};
use mydocker_kernel::mountinfo::{Change, Mount};
use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use nix::sched::CloneFlags;

use crate::LAB;
use crate::acts::MOUNT_KERNEL_FILE_SYSTEMS;
use crate::found::{Below, DEVICES};
use crate::odd_names;
use crate::own_words;

pub use failing::{failure, image_stays};

const FUNCTION: &str = MOUNT_KERNEL_FILE_SYSTEMS.function;

/// The mode of dev: everybody may look, only root may change it.
const DEV_MODE: u32 = 0o755;

/// All that is known of one call.
struct Mounted {
    seen: Seen<Returned>,
    below: Below,
    new_root: PathBuf,
    image_before: String,
    image_after: String,
    /// The directory that the image lacks.
    lacks: Option<&'static str>,
    /// Whether new_root was given as a relative path. An absolute one is tried first.
    is_relative: bool,
}

/// The call, in namespaces of its own in which all is private.
fn call<'h>(host: &'h Host, new_root: &Path) -> Call<'h, OsString, Returned> {
    let namespaces = CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWPID;
    host.act(&MOUNT_KERNEL_FILE_SYSTEMS, new_root.into()).in_new(namespaces).after(make_private)
}

fn make_private() -> io::Result<()> {
    let nothing: Option<&str> = None;
    Ok(mount(nothing, "/", nothing, MsFlags::MS_PRIVATE | MsFlags::MS_REC, nothing)?)
}

fn observe(host: &Host) -> Result<Mounted, Finding> {
    let new_root = host.busybox("busybox");
    let made = call(host, &new_root);
    look(made, new_root)
}

fn look(call: Call<OsString, Returned>, new_root: PathBuf) -> Result<Mounted, Finding> {
    let image_before = tree(&new_root).expect("busybox");
    let (seen, below) = call.make_and_look(|place, _| place.look(|| Below::look(&new_root)))?;
    let image_after = tree(&new_root).expect("busybox");
    Ok(Mounted {
        seen,
        below,
        new_root,
        image_before,
        image_after,
        lacks: None,
        is_relative: false,
    })
}

impl Facts for Mounted {
    fn words(&self) -> Words {
        let mut words = own_words::error_of(&self.seen.returned);
        let place = ["proc", "proc/sys"].into_iter().find(|it| self.lacks_flags(it).is_some());
        words.push(("place", place.unwrap_or("proc").to_owned()));
        words.push(("mode", format!("{:o}", self.below.dev_mode)));
        let mut devices = DEVICES.into_iter();
        let wrong = devices.find(|(name, kind)| self.below.devices[*name] != *kind);
        words.push(("device", wrong.map_or("", |(name, _)| name).to_owned()));
        words.push(("lacks", self.lacks.unwrap_or_default().to_owned()));
        words.push(("expected", Failure::from(Errno::ENOENT).to_string()));
        words
    }
}

/// What is wrong with all of it.
const GENERAL: &[Rule<Mounted>] = &[
    rule("mount-point-made", |it| it.lacks.is_some_and(|name| it.new_root.join(name).exists())),
    rule("error-ignored", |it| {
        it.seen.returned.is_ok() && (it.seen.failed.is_some() || it.lacks.is_some())
    }),
    rule("dev-on-the-image", |it| it.image_before != it.image_after),
    rule("another-error", |it| it.lacks.is_some() && !it.says_that_it_lacks()),
    rule("device-by-mknod", |it| it.stopped_before_devices(Errno::EPERM)),
    rule("nothing-to-bind-onto", |it| it.stopped_before_devices(Errno::ENOENT)),
    rule("stopped-between-devices", |it| {
        it.stopped_with(Errno::EPERM) && it.mount_at("dev/null").is_some() && it.has_more_to_bind()
    }),
    // One that is UTF-8 is tried first.
    rule("path-as-text", |it| it.new_root.to_str().is_none() && it.seen.returned.is_err()),
    rule("relative-path-fails", |it| it.is_relative && it.seen.returned.is_err()),
    rule("answer/returned-error", |it| it.seen.returned.is_err()),
    // What was remounted, the grader itself has made private.
    rule("answer/did-nothing", |it| {
        let changes = it.seen.container_changes();
        changes.iter().all(|change| matches!(change, Change::Remounted { .. }))
    }),
];

/// What is wrong with /proc.
const PROC: &[Rule<Mounted>] = &[
    rule("proc-not-mounted", |it| it.proc().is_none()),
    rule("proc-of-the-host", |it| !it.below.proc_is_own),
    rule("proc-without-flags", |it| it.lacks_flags("proc").is_some()),
    rule("proc-all-read-only", |it| it.below.proc_is_read_only),
    rule("proc-sys-hidden", |it| !it.below.proc_sys_is_full),
    rule("proc-sys-of-the-host", |it| {
        it.has_other_sys() && it.mount_at("proc/sys").is_some_and(|sys| it.is_hosts(sys))
    }),
    rule("read-only-bind-in-one-call", |it| {
        !it.below.proc_sys_is_read_only && it.mount_at("proc/sys").is_some()
    }),
    rule("proc-sys-writable", |it| !it.below.proc_sys_is_read_only),
    rule("proc-without-flags", |it| it.lacks_flags("proc/sys").is_some()),
];

/// What is wrong with /dev.
const DEV: &[Rule<Mounted>] = &[
    rule("dev-not-mounted", |it| it.mount_at("dev").is_none()),
    rule("dev-of-the-host", |it| it.mount_at("dev").is_some_and(|dev| it.is_hosts(dev))),
    rule("dev-not-mounted", |it| it.mount_at("dev").is_none_or(|dev| dev.fs_type != "tmpfs")),
    rule("dev-is-empty", Mounted::has_no_device),
    rule("device-is-a-file", |it| it.below.devices.values().any(|kind| kind == "a regular file")),
    rule("device-on-nodev", |it| {
        let used = it.below.used.as_ref().err();
        used.is_some_and(|failure| failure.errno == Some(nix::libc::EACCES))
    }),
    rule("device-missing", |it| it.below.devices.values().any(|kind| kind.starts_with("ENOENT"))),
    rule("device-is-another", |it| {
        let expected = |name: &str| DEVICES.iter().find(|(it, _)| *it == name).map(|(_, it)| *it);
        let is_another = |(name, kind): (&String, &String)| {
            kind.starts_with("char ") && expected(name) != Some(kind.as_str())
        };
        it.below.devices.iter().any(is_another)
    }),
    rule("dev-without-nosuid", |it| !it.has_flag("dev", "nosuid")),
    rule("dev-mode", |it| it.below.dev_mode != DEV_MODE),
];

/// The rules on the function with those of one of its parts.
const fn rules(tables: &'static [&'static [Rule<Mounted>]]) -> Rules<Mounted> {
    Rules { lab: LAB, function: FUNCTION, tables }
}

static ON_ALL: Rules<Mounted> = rules(&[GENERAL]);
static ON_ANY: Rules<Mounted> = rules(&[GENERAL, PROC, DEV]);
static ON_PROC: Rules<Mounted> = rules(&[GENERAL, PROC]);
static ON_DEV: Rules<Mounted> = rules(&[GENERAL, DEV]);

impl Mounted {
    fn mount_at(&self, name: &str) -> Option<&Mount> {
        self.seen.process.mounts.at(&self.new_root.join(name))
    }

    fn proc(&self) -> Option<&Mount> {
        self.mount_at("proc").filter(|mount| mount.fs_type == "proc")
    }

    /// Whether another file system is mounted on proc/sys than on proc.
    fn has_other_sys(&self) -> bool {
        let both = self.proc().zip(self.mount_at("proc/sys"));
        both.is_some_and(|(proc, sys)| proc.device != sys.device)
    }

    fn has_flag(&self, name: &str, flag: &str) -> bool {
        let mount = self.mount_at(name);
        mount.is_some_and(|it| it.options.split(',').any(|option| option == flag))
    }

    /// The first flag that the mount at `name` lacks; nothing if it has all.
    fn lacks_flags(&self, name: &str) -> Option<&'static str> {
        ["nosuid", "nodev", "noexec"].into_iter().find(|flag| !self.has_flag(name, flag))
    }

    /// Whether a mount shows a file system that the host has mounted too.
    fn is_hosts(&self, mount: &Mount) -> bool {
        self.seen.host_before.mounts.iter().any(|it| it.device == mount.device)
    }

    fn has_no_device(&self) -> bool {
        self.below.devices.values().all(|kind| kind.starts_with("ENOENT"))
    }

    /// Whether it has mounted a /dev of its own, and then stopped with this error
    /// at the first device.
    fn stopped_before_devices(&self, errno: Errno) -> bool {
        let has_dev = self.mount_at("dev").is_some_and(|mount| !self.is_hosts(mount));
        self.stopped_with(errno) && has_dev && self.has_no_device()
    }

    fn stopped_with(&self, errno: Errno) -> bool {
        let failure = self.seen.returned.as_ref().err();
        failure.is_some_and(|failure| failure.errno.map(Errno::from_raw) == Some(errno))
    }

    /// Whether it says that a directory is not there. An error without an errno may say it
    /// in words.
    fn says_that_it_lacks(&self) -> bool {
        own_words::says(&self.seen.returned, Errno::ENOENT)
    }

    /// Whether a device is not bound.
    fn has_more_to_bind(&self) -> bool {
        DEVICES.iter().any(|(name, _)| self.mount_at(&format!("dev/{name}")).is_none())
    }

    /// Whether anything of what it is to do is not done.
    fn is_wrong(&self) -> bool {
        let undisturbed = [PROC, DEV].iter().copied().flatten();
        self.seen.returned.is_err() || undisturbed.into_iter().any(|rule| (rule.holds)(self))
    }

    fn new_in_the_image(&self) -> Evidence {
        let before: Vec<&str> = self.image_before.lines().collect();
        let after = self.image_after.lines();
        let new: Vec<&str> = after.filter(|line| !before.contains(line)).collect();
        let new = if new.is_empty() { "none".to_owned() } else { new.join(", ") };
        Evidence::differs("new_root without its mounts, entries that are new", "none", new)
    }

    fn judge(
        &self,
        rules: &Rules<Mounted>,
        kept: bool,
        evidence: Vec<Evidence>,
    ) -> Result<(), Finding> {
        let returned = &self.seen.returned;
        rules.judge(self, kept && returned.is_ok(), || {
            let mut all = evidence;
            if returned.is_err() {
                let call = format!("{FUNCTION}(new_root)");
                all.insert(0, Evidence::differs(call, "Ok", result(returned)));
            }
            all.push(self.seen.mounts_drawn(&self.new_root));
            all
        })
    }
}

pub fn proc_is_fresh(host: &Host) -> Result<(), Finding> {
    let facts = observe(host)?;
    let seen = match &facts.below.proc_self {
        Ok(_) if facts.below.proc_is_own => "getpid()",
        Ok(_) => "the PID of another PID namespace",
        Err(failure) => &failure.to_string(),
    };
    let evidence = Evidence::differs("readlink(\"new_root/proc/self\")", "getpid()", seen);
    facts.judge(&ON_PROC, facts.below.proc_is_own, vec![evidence])?;
    fresh_over_an_older_one(host, facts.new_root)
}

/// Another proc is on new_root/proc already: the host's.
fn fresh_over_an_older_one(host: &Host, new_root: PathBuf) -> Result<(), Finding> {
    static RULES: Rules<Mounted> = rules(&[
        &[rule("older-proc-kept", |it| it.seen.returned.is_ok() && it.below.proc_self.is_ok())],
        GENERAL,
    ]);
    let place = new_root.join("proc");
    let made = call(host, &new_root).after(move || {
        let nothing: Option<&str> = None;
        let bind = MsFlags::MS_BIND | MsFlags::MS_REC;
        Ok(mount(Some("/proc"), &place, nothing, bind, nothing)?)
    });
    let facts = look(made, new_root)?;
    let what = "readlink(\"new_root/proc/self\"), where the host's proc was mounted before";
    let seen = match &facts.below.proc_self {
        Ok(_) => "the PID of another PID namespace",
        Err(failure) => &failure.to_string(),
    };
    let evidence = Evidence::differs(what, "getpid()", seen);
    facts.judge(&RULES, facts.below.proc_is_own, vec![evidence])
}

pub fn proc_flags(host: &Host) -> Result<(), Finding> {
    let facts = observe(host)?;
    // Where proc/sys is no mount of its own, it has the flags of proc.
    let mut names = vec!["proc", "proc/sys"];
    names.retain(|name| *name == "proc" || facts.mount_at(name).is_some());
    let mut evidence = Vec::new();
    for name in names.iter().filter(|name| facts.lacks_flags(name).is_some()) {
        let options = facts.mount_at(name).map_or("", |mount| mount.options.as_str());
        let what = format!("the options of new_root/{name}");
        evidence.push(Evidence::differs(what, "nosuid,nodev,noexec", options));
    }
    facts.judge(&ON_PROC, evidence.is_empty(), evidence)
}

pub fn proc_sys_is_read_only(host: &Host) -> Result<(), Finding> {
    let facts = observe(host)?;
    let below = &facts.below;
    let mut evidence = Vec::new();
    if !below.proc_sys_is_read_only {
        let what = "statvfs(\"new_root/proc/sys\")";
        evidence.push(Evidence::differs(what, "ST_RDONLY", "it can be written to"));
    }
    if below.proc_is_read_only {
        let what = "statvfs(\"new_root/proc\")";
        evidence.push(Evidence::differs(what, "it can be written to", "ST_RDONLY"));
    }
    if !below.proc_sys_is_full {
        let what = "lstat(\"new_root/proc/sys/kernel/hostname\")";
        evidence.push(Evidence::differs(what, "Ok", "ENOENT (No such file or directory)"));
    }
    if facts.has_other_sys() {
        let what = "what is mounted on new_root/proc/sys";
        evidence.push(Evidence::differs(what, "new_root/proc/sys itself", "another file system"));
    }
    facts.judge(&ON_PROC, evidence.is_empty(), evidence)
}

pub fn dev_is_a_tmpfs(host: &Host) -> Result<(), Finding> {
    let facts = observe(host)?;
    let dev = facts.mount_at("dev");
    let is_own = dev.is_some_and(|mount| mount.fs_type == "tmpfs" && !facts.is_hosts(mount));
    let mut evidence = Vec::new();
    if !is_own {
        let seen = dev.map_or("nothing is mounted there", |mount| mount.fs_type.as_str());
        evidence.push(Evidence::differs("new_root/dev", "a tmpfs of its own", seen));
    } else if !facts.has_flag("dev", "nosuid") {
        let options = dev.map_or("", |mount| mount.options.as_str());
        evidence.push(Evidence::differs("the options of new_root/dev", "nosuid", options));
    }
    let mode = facts.below.dev_mode;
    if is_own && mode != DEV_MODE {
        let seen = format!("{mode:o}");
        evidence.push(Evidence::differs("stat -c %a new_root/dev", format!("{DEV_MODE:o}"), seen));
    }
    facts.judge(&ON_DEV, evidence.is_empty(), evidence)
}

pub fn devices(host: &Host) -> Result<(), Finding> {
    let facts = observe(host)?;
    let below = &facts.below;
    let mut evidence = Vec::new();
    for (name, expected) in DEVICES {
        let seen = &below.devices[name];
        if seen != expected {
            evidence.push(Evidence::differs(format!("new_root/dev/{name}"), expected, seen));
        }
    }
    if below.used.is_err() {
        let what = "read from new_root/dev/zero, write to new_root/dev/null";
        evidence.push(Evidence::differs(what, "Ok", result(&below.used)));
    }
    facts.judge(&ON_DEV, evidence.is_empty(), evidence)
}

/// A path that begins at the working directory, and one that is not UTF-8.
pub fn other_paths(host: &Host) -> Result<(), Finding> {
    let facts = observe(host)?;
    facts.judge(&ON_ANY, !facts.is_wrong(), Vec::new())?;
    let call = call(host, Path::new("busybox")).standing_in(host.path("."));
    let facts = Mounted { is_relative: true, ..look(call, facts.new_root)? };
    facts.judge(&ON_ANY, !facts.is_wrong(), Vec::new())?;
    let odd = odd_names::rename(&facts.new_root);
    let facts = look(self::call(host, &odd), odd).map_err(odd_names::died_of_it)?;
    let what = format!("{FUNCTION}(b\"/tmp/lab/caf\\xe9\")");
    let evidence = Evidence::differs(what, "Ok", result(&facts.seen.returned));
    let evidence = if facts.seen.returned.is_ok() { vec![evidence] } else { Vec::new() };
    facts.judge(&ON_ANY, !facts.is_wrong(), evidence)
}
