//! enter_with_pivot_root.

use std::collections::BTreeSet;
use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use labkit::describe::{Failure, result};
use labkit::host::{Host, Seen};
use labkit::refuse::refuse;
use labkit::verdict::{Evidence, Finding, Whose, require};
use mydocker::mountinfo::{Change, Mount};
use nix::errno::Errno;
use nix::libc::{SYS_chdir, SYS_mount, SYS_pivot_root, SYS_umount2};
use nix::sched::CloneFlags;
use serde::{Deserialize, Serialize};

use crate::breakout::{break_out, uncover};
use crate::{Answers, UNFORESEEN};

const FUNCTION: &str = "enter_with_pivot_root";

/// What a call says of a file that no path leads to.
const NOT_THERE: &str = "ENOENT (No such file or directory)";

/// What the process finds after enter_with_pivot_root.
#[derive(Serialize, Deserialize)]
struct Inside {
    returned: Result<(), Failure>,
    /// Whether `/` has the file that only new_root has.
    root_is_new: bool,
    /// What it reads from the host's file by its absolute path.
    host_by_absolute_path: Result<String, Failure>,
    /// Whether the host's file is found from the working directory.
    host_from_here: bool,
    /// Its working directory. See getcwd(3).
    working_directory: Result<PathBuf, Failure>,
    /// What it reads from that file after the breakout.
    host_after_breakout: Result<String, Failure>,
    /// What it reads from that file after its root was taken away.
    host_after_uncovering: Result<String, Failure>,
}

/// All that is known of one call.
struct Facts {
    seen: Seen<Inside>,
    new_root: PathBuf,
    host_file: PathBuf,
    /// Names in new_root that were not there before.
    left_over: Vec<String>,
}

fn names(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).expect("a folder in the scratch folder").flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

/// Calls the function on a fresh busybox and looks at everything.
fn observe(answers: &Answers, host: &Host) -> Result<Facts, Finding> {
    let new_root = host.busybox("busybox");
    fs::write(new_root.join("etc/marker"), "").expect("a file in the scratch folder");
    enter(answers, host, new_root)
}

fn enter(answers: &Answers, host: &Host, new_root: PathBuf) -> Result<Facts, Finding> {
    let host_file = host.precious().file();
    let before = names(&new_root);
    let seen = host.call(FUNCTION, CloneFlags::CLONE_NEWNS, || {
        let mount_namespace = File::open("/proc/self/ns/mnt").expect("the sandbox has /proc");
        let returned = (answers.enter_with_pivot_root)(&new_root).map_err(Failure::from);
        let root_is_new = fs::exists("/etc/marker").unwrap_or(false);
        let host_by_absolute_path = fs::read_to_string(&host_file).map_err(Failure::from);
        let host_from_here = fs::exists("home/thesis.txt").unwrap_or(false);
        let working_directory = env::current_dir().map_err(Failure::from);
        // Below the new root only: the host is not to be touched.
        let broke_out = if root_is_new { break_out() } else { Ok(()) };
        let after_breakout = broke_out.and_then(|()| fs::read_to_string(&host_file));
        let uncovered = if root_is_new { uncover(&mount_namespace) } else { Ok(()) };
        let after_uncovering = uncovered.and_then(|()| fs::read_to_string(&host_file));
        Inside {
            returned,
            root_is_new,
            host_by_absolute_path,
            host_from_here,
            working_directory,
            host_after_breakout: after_breakout.map_err(Failure::from),
            host_after_uncovering: after_uncovering.map_err(Failure::from),
        }
    })?;
    let _ = fs::remove_dir(new_root.join("breakout"));
    let left_over = names(&new_root).difference(&before).cloned().collect();
    Ok(Facts { seen, new_root, host_file, left_over })
}

impl Facts {
    fn inside(&self) -> &Inside {
        &self.seen.returned
    }

    /// The mounts that the process sees beside its root.
    fn others(&self) -> Vec<&Mount> {
        let mounts = self.seen.mounts.mounts.iter();
        mounts.filter(|mount| mount.mount_point != Path::new("/")).collect()
    }

    fn host_mount_evidence(&self) -> Evidence {
        self.seen.host_evidence()
    }

    /// From all that was seen to what was done, the worst first.
    fn diagnose(&self) -> Option<Finding> {
        let inside = self.inside();
        let code = |code: &str| Some(Finding::new(format!("pivot-root/{code}")));
        let host = self.seen.host_changes();
        let holding = |path: &Path| self.seen.mounts.holding(path).is_some_and(Mount::is_shared);

        // 1. Harm to the host.
        if host.iter().any(|change| matches!(change, Change::Umounted { .. })) {
            return code("host-unmounted");
        }
        // 2. The function stopped with an error.
        if let Err(failure) = &inside.returned {
            let errno = failure.errno.map(Errno::from_raw);
            if inside.root_is_new && errno == Some(Errno::EBUSY) {
                return code("umount-without-detach");
            }
            if inside.root_is_new && errno == Some(Errno::ENOENT) {
                return code("old-name-of-a-path");
            }
            if holding(Path::new("/")) {
                return code("still-shared");
            }
            if !inside.root_is_new && holding(&self.new_root) {
                return code("private-not-recursive");
            }
            if errno == Some(Errno::EINVAL) && self.seen.mounts.at(&self.new_root).is_none() {
                return code("new-root-not-a-mount-point");
            }
            if errno == Some(Errno::EINVAL) && !inside.root_is_new {
                return code("put-old-not-below");
            }
            if errno == Some(Errno::EEXIST) {
                return code("put-old-left-behind");
            }
            let finding = Finding::new("answer/returned-error");
            return Some(finding.word("function", FUNCTION).word("error", failure));
        }
        // 3. It says that all is well.
        if !inside.root_is_new && self.seen.container_changes().is_empty() {
            return Some(Finding::new("answer/did-nothing").word("function", FUNCTION));
        }
        if inside.host_by_absolute_path.is_ok() {
            return code("error-ignored").map(|it| it.word("function", FUNCTION));
        }
        if inside.host_from_here {
            return code("working-directory-outside");
        }
        if inside.host_after_breakout.is_ok() {
            return code("chroot-instead");
        }
        if inside.host_after_uncovering.is_ok() {
            return code("old-root-covered");
        }
        if !self.others().is_empty() {
            return code("old-root-still-mounted");
        }
        if !host.is_empty() {
            return code("still-shared");
        }
        if !self.left_over.is_empty() {
            return code("put-old-left-behind");
        }
        None
    }

    fn require(&self, kept: bool, evidence: impl FnOnce() -> Vec<Evidence>) -> Result<(), Finding> {
        let kept = kept && self.inside().returned.is_ok();
        let all = || {
            let returned = result(&self.inside().returned);
            let mut all = vec![Evidence::differs(format!("{FUNCTION}(new_root)"), "Ok", returned)];
            all.retain(|_| self.inside().returned.is_err());
            all.extend(evidence());
            all
        };
        require(
            kept,
            all,
            || self.diagnose().map(|it| it.word("new_root", self.new_root.display())),
            UNFORESEEN,
        )
    }
}

pub fn root(answers: &Answers, host: &Host) -> Result<(), Finding> {
    let facts = observe(answers, host)?;
    let root_is_new = facts.inside().root_is_new;
    facts.require(root_is_new, || {
        let marker = "lstat(\"/etc/marker\"), a file of new_root";
        let mut evidence = vec![Evidence::differs(marker, "Ok", NOT_THERE)];
        evidence.retain(|_| !root_is_new);
        evidence.push(Evidence::changes(Whose::Container, &facts.seen.container_changes()));
        evidence
    })
}

pub fn working_directory(answers: &Answers, host: &Host) -> Result<(), Finding> {
    let facts = observe(answers, host)?;
    let inside = facts.inside();
    let is_root = inside.working_directory == Ok(PathBuf::from("/"));
    facts.require(is_root && !inside.host_from_here, || {
        let from_here = if inside.host_from_here { "Ok" } else { NOT_THERE };
        let getcwd = match &inside.working_directory {
            Ok(path) => path.display().to_string(),
            Err(failure) => failure.to_string(),
        };
        vec![
            Evidence::differs("getcwd()", "/", getcwd),
            Evidence::differs(
                "lstat(\"home/thesis.txt\"), a file of the host",
                NOT_THERE,
                from_here,
            ),
        ]
    })
}

pub fn old_root(answers: &Answers, host: &Host) -> Result<(), Finding> {
    let facts = observe(answers, host)?;
    let inside = facts.inside();
    let kept = inside.host_by_absolute_path.is_err()
        && !inside.host_from_here
        && facts.others().is_empty();
    facts.require(kept, || {
        let read = format!("open({:?})", facts.host_file);
        let seen = result(&inside.host_by_absolute_path);
        vec![Evidence::differs(read, NOT_THERE, seen), facts.seen.mounts_drawn(Path::new("/"))]
    })
}

pub fn breakout(answers: &Answers, host: &Host) -> Result<(), Finding> {
    let facts = observe(answers, host)?;
    let inside = facts.inside();
    let ways = [
        ("after the breakout", &inside.host_after_breakout),
        ("after umount2(\"/\", MNT_DETACH)", &inside.host_after_uncovering),
    ];
    let kept = inside.root_is_new && ways.iter().all(|(_, read)| read.is_err());
    facts.require(kept, || {
        let open = |way: &str| format!("open({:?}) {way}", facts.host_file);
        let evidence = ways.map(|(way, read)| {
            let seen = if read.is_ok() { "Ok" } else { NOT_THERE };
            Evidence::differs(open(way), NOT_THERE, seen)
        });
        evidence.into()
    })
}

pub fn host_mounts(answers: &Answers, host: &Host) -> Result<(), Finding> {
    let facts = observe(answers, host)?;
    let kept = facts.seen.host_changes().is_empty();
    facts.require(kept, || vec![facts.host_mount_evidence()])
}

pub fn leftovers(answers: &Answers, host: &Host) -> Result<(), Finding> {
    let facts = observe(answers, host)?;
    facts.require(facts.left_over.is_empty(), || {
        let left = facts.left_over.join(", ");
        vec![Evidence::differs("readdir(new_root), names that are new", "-", left)]
    })
}

pub fn second_time(answers: &Answers, host: &Host) -> Result<(), Finding> {
    let first = observe(answers, host)?;
    first.require(true, Vec::new)?;
    let second = enter(answers, host, first.new_root)?;
    second.require(second.inside().root_is_new, Vec::new)
}

pub fn failure(answers: &Answers, host: &Host) -> Result<(), Finding> {
    let nothing = host.path("nothing");
    let seen = host.call(FUNCTION, CloneFlags::CLONE_NEWNS, || {
        (answers.enter_with_pivot_root)(&nothing).map_err(Failure::from)
    })?;
    let evidence = || {
        let call = format!("{FUNCTION}({nothing:?}), where nothing is");
        vec![Evidence::differs(call, "Err", result(&seen.returned))]
    };
    let did_nothing = seen.container_changes().is_empty();
    let diagnosis = || {
        let code = if did_nothing { "answer/did-nothing" } else { "pivot-root/error-ignored" };
        Some(Finding::new(code).word("function", FUNCTION))
    };
    require(seen.returned.is_err(), evidence, diagnosis, UNFORESEEN)?;
    // An answer that leaves a step out is not blamed for that here.
    if observe(answers, host)?.diagnose().is_some() {
        return Ok(());
    }
    let calls = [
        ("mount", SYS_mount),
        ("pivot_root", SYS_pivot_root),
        ("umount2", SYS_umount2),
        ("chdir", SYS_chdir),
    ];
    calls.into_iter().try_for_each(|(name, number)| refused(answers, host, name, number))
}

/// When one of its calls fails, the function says so; unless it is not needed.
fn refused(answers: &Answers, host: &Host, name: &str, number: i64) -> Result<(), Finding> {
    let new_root = host.busybox(name);
    let host_file = host.precious().file();
    let seen = host.call(FUNCTION, CloneFlags::CLONE_NEWNS, || {
        refuse(number, Errno::EPERM).expect("the kernel has seccomp");
        let returned = (answers.enter_with_pivot_root)(&new_root).map_err(Failure::from);
        let host_is_near = [&host_file, Path::new("home/thesis.txt")]
            .iter()
            .any(|path| fs::exists(path).unwrap_or(false));
        (returned, host_is_near)
    })?;
    let (returned, host_is_near) = &seen.returned;
    let is_done = !host_is_near && seen.mounts.mounts.len() == 1;
    let evidence = || {
        let call = format!("{FUNCTION}(new_root) while {name}(2) fails with EPERM");
        vec![Evidence::differs(call, "Err", result(returned))]
    };
    let diagnosis = || Some(Finding::new("pivot-root/error-ignored").word("function", FUNCTION));
    require(returned.is_err() || is_done, evidence, diagnosis, UNFORESEEN)
}
