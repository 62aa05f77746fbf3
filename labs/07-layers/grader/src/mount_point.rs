//! create_mount_point and create_aufs_mount_point.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use labkit::canary::Canary;
use labkit::describe::{Failure, result};
use labkit::host::{Host, Seen};
use labkit::verdict::{Evidence, Finding, require};
use mydocker::mountinfo::{Change, Mount};
use nix::errno::Errno;
use nix::sched::CloneFlags;

use crate::layer::{fill, folders};
use crate::overlay::user_xattr;
use crate::{Answers, UNFORESEEN, finding};

/// What is read in the merged tree: of each layer what only it has, and of a
/// file that several have the topmost.
const MERGED: [(&str, &str); 4] = [
    ("etc/motd", "of the image"),
    ("etc/hostname", "of the init layer"),
    ("etc/resolv.conf", "of the init layer"),
    ("etc/hosts", "of the write layer"),
];

/// The function, and the file system that it must mount.
#[derive(Clone, Copy)]
enum Driver {
    Overlay,
    Aufs,
}

/// All that is known of one call.
struct Facts {
    driver: Driver,
    seen: Seen<Result<(), Failure>>,
    workspace: PathBuf,
    image: Canary,
    init_layer: Canary,
    /// What is read of [`MERGED`].
    merged: Vec<Result<String, Failure>>,
    /// What the grader's writing below mnt says.
    written: Result<(), Failure>,
    /// What it says to delete a folder of the image and make it again.
    replaced: Result<(), Failure>,
}

impl Driver {
    fn function(self) -> &'static str {
        match self {
            Driver::Overlay => "create_mount_point",
            Driver::Aufs => "create_aufs_mount_point",
        }
    }

    fn file_system(self) -> &'static str {
        match self {
            Driver::Overlay => "overlay",
            Driver::Aufs => "aufs",
        }
    }

    fn call(self, answers: &Answers, workspace: &Path, image: &Path) -> io::Result<()> {
        match self {
            Driver::Overlay => (answers.create_mount_point)(workspace, image, user_xattr()),
            Driver::Aufs => (answers.create_aufs_mount_point)(workspace, image),
        }
    }
}

/// Fills layers in `ground`, calls the function, reads and writes in what it has
/// mounted.
fn observe(
    answers: &Answers,
    host: &Host,
    driver: Driver,
    ground: &Path,
) -> Result<Facts, Finding> {
    let (workspace, image) = (ground.join("workspace"), ground.join("image"));
    fill_layers(&workspace, &image, driver);
    let watch = |folder: PathBuf| Canary::watch(folder).expect("just made");
    let (image, init_layer) = (watch(image), watch(workspace.join("init-layer")));
    let seen = host.call(driver.function(), CloneFlags::empty(), || {
        driver.call(answers, &workspace, &image.folder).map_err(Failure::from)
    })?;
    let mnt = workspace.join("mnt");
    let read = |(name, _)| fs::read_to_string(mnt.join(name)).map_err(Failure::from);
    let merged = MERGED.into_iter().map(read).collect();
    Ok(Facts {
        driver,
        merged,
        written: write_below(&mnt).map_err(Failure::from),
        replaced: replace(&mnt.join("usr")).map_err(Failure::from),
        seen,
        workspace,
        image,
        init_layer,
    })
}

fn fill_layers(workspace: &Path, image: &Path, driver: Driver) {
    let all = ["etc/motd", "etc/hostname", "etc/hosts", "usr/bin/sh"];
    fill(image, &all.map(|name| (name, "of the image")));
    let init_layer = ["etc/hostname", "etc/resolv.conf", "etc/hosts"];
    fill(&workspace.join("init-layer"), &init_layer.map(|name| (name, "of the init layer")));
    fill(&workspace.join("write-layer"), &[("etc/hosts", "of the write layer")]);
    if matches!(driver, Driver::Overlay) {
        folders(workspace, ["work"]);
    }
}

fn write_below(mnt: &Path) -> io::Result<()> {
    OpenOptions::new().append(true).open(mnt.join("etc/motd"))?.write_all(b", and more")?;
    fs::write(mnt.join("new"), "new")
}

fn replace(folder: &Path) -> io::Result<()> {
    fs::remove_dir_all(folder)?;
    fs::create_dir(folder)
}

impl Facts {
    fn mounted(&self) -> Option<&Mount> {
        self.seen.host_after.at(&self.workspace.join("mnt"))
    }

    fn has(&self, name: &str) -> bool {
        self.workspace.join(name).symlink_metadata().is_ok()
    }

    fn device(&self, name: &str) -> Option<u64> {
        self.workspace.join(name).metadata().ok().map(|data| data.dev())
    }

    /// From all that was seen to what was done, the worst first.
    fn diagnose(&self) -> Option<Finding> {
        let is_right_kind =
            self.mounted().is_some_and(|mount| mount.fs_type == self.driver.file_system());
        if self.image.folder.join("new").exists() {
            let code = if is_right_kind { "upper-is-a-lower-layer" } else { "not-merged" };
            return Some(finding(code));
        }
        if let Err(failure) = &self.seen.returned {
            return self.diagnose_failure(failure);
        }
        if self.mounted().is_none() {
            let is_mount = |change: &Change| matches!(change, Change::Mounted { .. });
            if self.seen.host_changes().iter().any(is_mount) {
                return Some(finding("mounted-elsewhere"));
            }
            let nothing =
                Finding::new("answer/did-nothing").word("function", self.driver.function());
            return Some(if self.has("mnt") { finding("error-ignored") } else { nothing });
        }
        if !is_right_kind {
            return Some(finding("not-merged"));
        }
        if self.has("init-layer/new") {
            return Some(finding("writes-in-the-init-layer"));
        }
        let [_, hostname, resolv_conf, _] = &self.merged[..] else { unreachable!("four") };
        if resolv_conf.is_err() {
            return Some(finding("init-layer-missing"));
        }
        if hostname.as_ref().is_ok_and(|hostname| hostname == "of the image") {
            return Some(finding("lower-order-reversed"));
        }
        let is_read_only = |result: &Result<(), Failure>| {
            result.as_ref().is_err_and(|failure| failure.errno == Some(Errno::EROFS as i32))
        };
        if is_read_only(&self.written) {
            return Some(finding("mounted-read-only"));
        }
        if self.has("work/new") {
            return Some(finding("upper-and-work-swapped"));
        }
        let has_option = |mount: &Mount| mount.super_options.split(',').any(|it| it == "userxattr");
        let lacks_option = user_xattr() && !self.mounted().is_some_and(has_option);
        (self.replaced.is_err() && lacks_option).then(|| finding("no-userxattr"))
    }

    /// What the state says of a mount that failed: nearly all reasons have the
    /// same errno.
    fn diagnose_failure(&self, failure: &Failure) -> Option<Finding> {
        if !self.has("mnt") {
            return Some(finding("no-mount-point"));
        }
        let are_there = ["init-layer", "write-layer", "work"].iter().all(|name| self.has(name));
        let code = match failure.errno.map(Errno::from_raw) {
            Some(Errno::ENOENT) if are_there => "option-names-no-folder",
            Some(Errno::EINVAL) if self.mounted().is_some() => "upper-on-an-overlay",
            Some(Errno::EINVAL) if self.has("write-layer/work") => "work-in-the-write-layer",
            Some(Errno::EINVAL) if are_there && !self.is_one_file_system() => "on-two-file-systems",
            Some(Errno::EINVAL | Errno::ELOOP) if are_there => "mount-refused",
            _ => {
                let finding = Finding::new("answer/returned-error");
                let function = self.driver.function();
                return Some(finding.word("function", function).word("error", failure));
            }
        };
        Some(finding(code).word("error", failure))
    }

    /// Whether overlayfs could rename from work to the write layer.
    fn is_one_file_system(&self) -> bool {
        self.device("work") == self.device("write-layer")
    }

    /// The preconditions of an overlay, each as it is.
    fn preconditions(&self) -> Evidence {
        let mut drawing = String::new();
        let mut line = |name: &str, state: &str| drawing += &format!("{name:12} {state}\n");
        let names = match self.driver {
            Driver::Overlay => &["init-layer", "write-layer", "work", "mnt"][..],
            Driver::Aufs => &["init-layer", "write-layer", "mnt"],
        };
        for name in names {
            line(name, if self.has(name) { "is there" } else { "is not there" });
        }
        line("image", if self.image.folder.exists() { "is there" } else { "is not there" });
        if self.has("write-layer/work") {
            line("work", "is there once more, in the write layer");
        }
        if self.has("work") && self.has("write-layer") {
            let systems =
                if self.is_one_file_system() { "one file system" } else { "two file systems" };
            line("work", &format!("and write-layer lie on {systems}"));
        }
        Evidence::Tree { what: "what the mount needs".to_owned(), drawing }
    }

    fn require(&self, kept: bool, evidence: Vec<Evidence>) -> Result<(), Finding> {
        let all = || {
            let mut all = evidence;
            if self.seen.returned.is_err() {
                let call = format!("{}(…)", self.driver.function());
                all = vec![
                    Evidence::differs(call, "Ok", result(&self.seen.returned)),
                    self.preconditions(),
                ];
            }
            all.push(self.seen.host_evidence());
            all
        };
        require(kept && self.seen.returned.is_ok(), all, || self.diagnose(), UNFORESEEN)
    }

    fn require_merged(&self) -> Result<(), Finding> {
        let mut wrong = Vec::new();
        for ((name, expected), seen) in MERGED.into_iter().zip(&self.merged) {
            if seen.as_deref() != Ok(expected) {
                let seen = seen.clone().unwrap_or_else(|failure| failure.to_string());
                wrong.push(Evidence::differs(format!("read(\"mnt/{name}\")"), expected, seen));
            }
        }
        self.require(wrong.is_empty() && self.mounted().is_some(), wrong)
    }

    fn require_writes(&self) -> Result<(), Finding> {
        let mut wrong = Vec::new();
        let mut expect = |holds: bool, what: &str, expected: &str, seen: String| {
            if !holds {
                wrong.push(Evidence::differs(what, expected, seen));
            }
        };
        let (written, replaced) = (result(&self.written), result(&self.replaced));
        expect(self.written.is_ok(), "write to mnt/etc/motd and mnt/new", "Ok", written);
        expect(self.replaced.is_ok(), "rm -r mnt/usr; mkdir mnt/usr", "Ok", replaced);
        for name in ["write-layer/new", "write-layer/etc/motd"] {
            expect(self.has(name), name, "what was written", "-".to_owned());
        }
        for (what, canary) in [("the image", &self.image), ("init-layer", &self.init_layer)] {
            expect(canary.is_untouched(), what, "as before", "changed".to_owned());
        }
        self.require(wrong.is_empty(), wrong)
    }
}

pub fn mnt_shows_all_layers(answers: &Answers, host: &Host) -> Result<(), Finding> {
    observe(answers, host, Driver::Overlay, &host.path("layers"))?.require_merged()
}

pub fn writes_land_in_the_write_layer(answers: &Answers, host: &Host) -> Result<(), Finding> {
    observe(answers, host, Driver::Overlay, &host.path("layers"))?.require_writes()
}

pub fn aufs_shows_all_layers(answers: &Answers, host: &Host) -> Result<(), Finding> {
    let facts = observe(answers, host, Driver::Aufs, &host.path("layers"))?;
    facts.require_merged()?;
    facts.require_writes()
}

/// A value given to fsconfig(2), by which the new calls mount, has at most 255
/// bytes; the options of mount(2) have a page.
pub fn long_paths_can_be_mounted(answers: &Answers, host: &Host) -> Result<(), Finding> {
    let short = host.path("layers");
    observe(answers, host, Driver::Overlay, &short)?.require_merged()?;
    let long = host.path(&"of-many-layers-".repeat(12));
    let facts = observe(answers, host, Driver::Overlay, &long)?;
    facts.require_merged().map_err(|found| match facts.seen.returned {
        Ok(()) => found,
        Err(_) => Finding { code: finding("option-too-long").code, ..found },
    })
}

pub fn a_failed_mount_is_told(answers: &Answers, host: &Host) -> Result<(), Finding> {
    let workspace = host.path("workspace");
    let image = host.path("no-such-image");
    folders(&workspace, ["init-layer", "write-layer", "work"]);
    let driver = Driver::Overlay;
    let seen = host.call(driver.function(), CloneFlags::empty(), || {
        driver.call(answers, &workspace, &image).map_err(Failure::from)
    })?;
    let evidence = || {
        let call = format!("{}(workspace, {image:?}), where nothing is", driver.function());
        vec![Evidence::differs(call, "Err", result(&seen.returned)), seen.host_evidence()]
    };
    let diagnosis = || {
        if !seen.host_changes().is_empty() {
            return None;
        }
        let nothing = Finding::new("answer/did-nothing").word("function", driver.function());
        Some(if workspace.join("mnt").exists() { finding("error-ignored") } else { nothing })
    };
    require(seen.returned.is_err(), evidence, diagnosis, UNFORESEEN)
}
