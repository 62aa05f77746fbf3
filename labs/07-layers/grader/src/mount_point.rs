//! create_mount_point and create_aufs_mount_point.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use labkit::act::Act;
use labkit::call::Seen;
use labkit::canary::Canary;
use labkit::describe::{Failure, result};
use labkit::frame::{Facts, Returned, Rule, Rules, Words, error_of, rule};
use labkit::host::Host;
use labkit::overlay::user_xattr;
use labkit::verdict::{Evidence, Finding};
use mydocker_kernel::mountinfo::{Change, Mount};
use nix::errno::Errno;

use crate::LAB;
use crate::acts::{Answers, CREATE_AUFS_MOUNT_POINT, CREATE_MOUNT_POINT};
use crate::layer::{directories, fill};

/// What is read in the merged tree: of each layer what only it has, and of a
/// file that several have the topmost.
const MERGED: [(&str, &str); 4] = [
    ("etc/motd", "of the image"),
    ("etc/hostname", "of the init layer"),
    ("etc/resolv.conf", "of the init layer"),
    ("etc/hosts", "of the write layer"),
];

/// The function, and the file system that it must mount.
#[derive(Clone, Copy, PartialEq)]
enum Driver {
    Overlay,
    Aufs,
}

/// All that is known of one call.
struct Mounted {
    driver: Driver,
    seen: Seen<Returned>,
    workspace: PathBuf,
    image: Canary,
    init_layer: Canary,
    /// What is read of [`MERGED`].
    merged: Vec<Result<String, Failure>>,
    /// What the grader's writing below mnt says.
    written: Returned,
    /// What it says to delete a directory of the image and make it again.
    replaced: Returned,
    /// Whether it was mounted with shorter paths.
    is_mounted_with_short_paths: bool,
}

type MountAct = Act<Answers, (PathBuf, PathBuf, bool), Returned>;

impl Driver {
    fn act(self) -> &'static MountAct {
        match self {
            Driver::Overlay => &CREATE_MOUNT_POINT,
            Driver::Aufs => &CREATE_AUFS_MOUNT_POINT,
        }
    }

    fn file_system(self) -> &'static str {
        match self {
            Driver::Overlay => "overlay",
            Driver::Aufs => "aufs",
        }
    }
}

/// Fills layers in `ground`, calls the function, reads and writes in what it has
/// mounted.
fn observe(host: &Host, driver: Driver, ground: &Path) -> Result<Mounted, Finding> {
    let (workspace, image) = (ground.join("workspace"), ground.join("image"));
    fill_layers(&workspace, &image, driver);
    let watch = |directory: PathBuf| Canary::watch(directory).expect("just made");
    let (image, init_layer) = (watch(image), watch(workspace.join("init-layer")));
    let input = (workspace.clone(), image.folder.clone(), user_xattr());
    let seen = host.act(driver.act(), input).make()?;
    let mnt = workspace.join("mnt");
    let read = |(name, _)| fs::read_to_string(mnt.join(name)).map_err(Failure::from);
    let merged = MERGED.into_iter().map(read).collect();
    Ok(Mounted {
        driver,
        merged,
        written: write_below(&mnt).map_err(Failure::from),
        replaced: replace(&mnt.join("usr")).map_err(Failure::from),
        seen,
        workspace,
        image,
        init_layer,
        is_mounted_with_short_paths: false,
    })
}

fn fill_layers(workspace: &Path, image: &Path, driver: Driver) {
    let all = ["etc/motd", "etc/hostname", "etc/hosts", "usr/bin/sh"];
    fill(image, &all.map(|name| (name, "of the image")));
    let init_layer = ["etc/hostname", "etc/resolv.conf", "etc/hosts"];
    fill(&workspace.join("init-layer"), &init_layer.map(|name| (name, "of the init layer")));
    fill(&workspace.join("write-layer"), &[("etc/hosts", "of the write layer")]);
    if matches!(driver, Driver::Overlay) {
        directories(workspace, ["work"]);
    }
}

fn write_below(mnt: &Path) -> io::Result<()> {
    OpenOptions::new().append(true).open(mnt.join("etc/motd"))?.write_all(b", and more")?;
    fs::write(mnt.join("new"), "new")
}

fn replace(directory: &Path) -> io::Result<()> {
    fs::remove_dir_all(directory)?;
    fs::create_dir(directory)
}

impl Mounted {
    fn mounted(&self) -> Option<&Mount> {
        self.seen.host_after.at(&self.workspace.join("mnt"))
    }

    fn is_right_kind(&self) -> bool {
        self.mounted().is_some_and(|mount| mount.fs_type == self.driver.file_system())
    }

    /// How many mounts there are on mnt.
    fn count(&self) -> usize {
        let mnt = self.workspace.join("mnt");
        self.seen.host_after.mounts.iter().filter(|mount| mount.mount_point == mnt).count()
    }

    fn has_mounted_something(&self) -> bool {
        let is_mount = |change: &Change| matches!(change, Change::Mounted { .. });
        self.seen.host_changes().iter().any(is_mount)
    }

    fn has(&self, name: &str) -> bool {
        self.workspace.join(name).symlink_metadata().is_ok()
    }

    fn has_layers(&self) -> bool {
        ["init-layer", "write-layer", "work"].iter().all(|name| self.has(name))
    }

    fn device(&self, name: &str) -> Option<u64> {
        self.workspace.join(name).metadata().ok().map(|data| data.dev())
    }

    /// Whether the function has returned this error.
    fn failed_with(&self, errno: Errno) -> bool {
        self.seen.returned.as_ref().is_err_and(|failure| failure.errno == Some(errno as i32))
    }

    /// Whether the function has returned Ok, and this is so.
    fn mounted_and(&self, so: impl FnOnce(&Mounted) -> bool) -> bool {
        self.seen.returned.is_ok() && self.is_right_kind() && so(self)
    }

    fn reads(&self, nth: usize, content: &str) -> bool {
        self.merged[nth].as_deref() == Ok(content)
    }

    fn has_option(&self, name: &str) -> bool {
        let has = |mount: &Mount| mount.super_options.split(',').any(|it| it == name);
        self.mounted().is_some_and(has)
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

    fn judge(&self, kept: bool, evidence: Vec<Evidence>) -> Result<(), Finding> {
        let rules = Rules { function: self.driver.act().function, ..RULES };
        rules.judge(self, kept && self.seen.returned.is_ok(), || {
            let mut all = evidence;
            if self.seen.returned.is_err() {
                let call = format!("{}(…)", self.driver.act().function);
                all = vec![
                    Evidence::differs(call, "Ok", result(&self.seen.returned)),
                    self.preconditions(),
                ];
            }
            all.push(self.seen.host_evidence());
            all
        })
    }

    fn judge_merged(&self) -> Result<(), Finding> {
        let mut wrong = Vec::new();
        for ((name, expected), seen) in MERGED.into_iter().zip(&self.merged) {
            if seen.as_deref() != Ok(expected) {
                let seen = seen.clone().unwrap_or_else(|failure| failure.to_string());
                wrong.push(Evidence::differs(format!("read(\"mnt/{name}\")"), expected, seen));
            }
        }
        if self.count() > 1 {
            let count = self.count().to_string();
            wrong.push(Evidence::differs("mounts on mnt", "1", count));
        }
        self.judge(wrong.is_empty() && self.mounted().is_some(), wrong)
    }

    fn judge_writes(&self) -> Result<(), Finding> {
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
        self.judge(wrong.is_empty(), wrong)
    }
}

impl Facts for Mounted {
    fn words(&self) -> Words {
        error_of(&self.seen.returned)
    }
}

static RULES: Rules<Mounted> = Rules { lab: LAB, function: "", tables: &[HARM, FAILED, WRONG] };

/// The worst.
const HARM: &[Rule<Mounted>] = &[
    rule("upper-is-a-lower-layer", |it| it.image.folder.join("new").exists() && it.is_right_kind()),
    rule("not-merged", |it| it.image.folder.join("new").exists()),
];

/// What the state says of a mount that failed: nearly all reasons have the same
/// errno.
const FAILED: &[Rule<Mounted>] = &[
    rule("option-too-long", |it| it.is_mounted_with_short_paths && it.seen.returned.is_err()),
    rule("no-mount-point", |it| it.seen.returned.is_err() && !it.has("mnt")),
    rule("option-names-no-folder", |it| it.failed_with(Errno::ENOENT) && it.has_layers()),
    rule("mounted-twice", |it| it.failed_with(Errno::EBUSY) && it.mounted().is_some()),
    rule("upper-on-an-overlay", |it| it.failed_with(Errno::EINVAL) && it.mounted().is_some()),
    rule("work-in-the-write-layer", |it| {
        it.failed_with(Errno::EINVAL) && it.has("write-layer/work")
    }),
    rule("on-two-file-systems", |it| {
        it.failed_with(Errno::EINVAL) && it.has_layers() && !it.is_one_file_system()
    }),
    rule("mount-refused", |it| {
        (it.failed_with(Errno::EINVAL) || it.failed_with(Errno::ELOOP)) && it.has_layers()
    }),
    rule("answer/returned-error", |it| it.seen.returned.is_err()),
];

/// What is wrong with one that has not.
const WRONG: &[Rule<Mounted>] = &[
    rule("mounted-elsewhere", |it| it.mounted().is_none() && it.has_mounted_something()),
    rule("error-ignored", |it| it.mounted().is_none() && it.has("mnt")),
    rule("answer/did-nothing", |it| it.mounted().is_none()),
    rule("not-merged", |it| !it.is_right_kind()),
    rule("mounted-twice", |it| it.count() > 1),
    rule("writes-in-the-init-layer", |it| it.has("init-layer/new")),
    rule("init-layer-missing", |it| it.mounted_and(|it| it.merged[2].is_err())),
    rule("lower-order-reversed", |it| it.mounted_and(|it| it.reads(1, "of the image"))),
    rule("mounted-read-only", |it| {
        let read_only = Some(Errno::EROFS as i32);
        it.written.as_ref().is_err_and(|failure| failure.errno == read_only)
    }),
    rule("upper-and-work-swapped", |it| it.has("work/new")),
    rule("no-userxattr", |it| it.replaced.is_err() && user_xattr() && !it.has_option("userxattr")),
];

pub fn mnt_shows_all_layers(host: &Host) -> Result<(), Finding> {
    observe(host, Driver::Overlay, &host.path("layers"))?.judge_merged()
}

pub fn writes_land_in_the_write_layer(host: &Host) -> Result<(), Finding> {
    observe(host, Driver::Overlay, &host.path("layers"))?.judge_writes()
}

pub fn aufs_shows_all_layers(host: &Host) -> Result<(), Finding> {
    let mounted = observe(host, Driver::Aufs, &host.path("layers"))?;
    mounted.judge_merged()?;
    mounted.judge_writes()
}

/// A value given to fsconfig(2), by which the new calls mount, has at most 255
/// bytes; the options of mount(2) have a page.
pub fn long_paths_can_be_mounted(host: &Host) -> Result<(), Finding> {
    observe(host, Driver::Overlay, &host.path("layers"))?.judge_merged()?;
    let long = host.path(&"of-many-layers-".repeat(12));
    let mounted = observe(host, Driver::Overlay, &long)?;
    Mounted { is_mounted_with_short_paths: true, ..mounted }.judge_merged()
}
