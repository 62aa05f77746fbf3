//! create_init_layer.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use labkit::canary::Canary;
use labkit::describe::{Failure, tree};
use labkit::host::{Host, Seen};
use labkit::verdict::{Evidence, Finding, require};
use nix::sched::CloneFlags;
use nix::sys::stat::{Mode, umask};

use crate::layer::{fill, folders};
use crate::{Answers, UNFORESEEN, finding};

const FUNCTION: &str = "create_init_layer";

/// A name that is not the machine's.
const HOSTNAME: &str = "lab-07-container";

/// Where the image may lead an answer astray.
#[derive(Debug, Clone, Copy)]
enum Links {
    /// Nowhere.
    None,
    /// Its `etc` and its `proc` are links to folders of the host.
    Folders,
    /// Its `etc/resolv.conf` and `etc/hosts` are links to a file of the host.
    Files,
}

/// All that is known of one call.
struct Facts {
    seen: Seen<Result<(), Failure>>,
    init_layer: PathBuf,
    image: Canary,
    /// A folder of the host that the image's links lead to.
    outside: Canary,
}

fn observe(answers: &Answers, host: &Host, links: Links) -> Result<Facts, Finding> {
    let ground = host.path(&format!("links-{links:?}").to_lowercase());
    let workspace = ground.join("workspace");
    folders(&workspace, [""]);
    let outside = Canary::new(ground.join("outside")).expect("a folder in the scratch folder");
    let image = fill_image(&ground.join("image"), &outside, links);
    let seen = host.call(FUNCTION, CloneFlags::empty(), || {
        umask(Mode::from_bits_truncate(0o077));
        (answers.create_init_layer)(&workspace, &image.folder, HOSTNAME).map_err(Failure::from)
    })?;
    Ok(Facts { seen, init_layer: workspace.join("init-layer"), image, outside })
}

fn fill_image(image: &Path, outside: &Canary, links: Links) -> Canary {
    fill(image, &[("bin/sh", ""), ("sys/keep", "")]);
    fs::remove_file(image.join("sys/keep")).expect("just made");
    let link = |target: PathBuf, name: &str| {
        symlink(target, image.join(name)).expect("a link in the scratch folder");
    };
    match links {
        Links::Folders => {
            link(outside.folder.clone(), "etc");
            link(outside.folder.join("photos"), "proc");
        }
        Links::Files => {
            folders(image, ["etc", "proc"]);
            link(outside.file(), "etc/resolv.conf");
            link(outside.file(), "etc/hosts");
        }
        Links::None => {
            fill(image, &[("etc/hostname", "image\n"), ("etc/hosts", ""), ("etc/passwd", "")]);
            folders(image, ["proc"]);
        }
    }
    // As the images of Debian have it.
    fs::set_permissions(image.join("sys"), Permissions::from_mode(0o555)).expect("just made");
    Canary::watch(image.to_owned()).expect("just made")
}

/// A drawn tree without what is in the files: one is the machine's own.
fn without_contents(drawing: &str) -> String {
    let names = drawing.lines().map(|line| line.split_once("  \"").map_or(line, |(name, _)| name));
    names.collect::<Vec<_>>().join("\n")
}

/// A mode as chmod(1) takes it.
fn octal(mode: u32) -> String {
    format!("{mode:04o}")
}

/// Whether a line of /etc/hosts gives `address` this name. See hosts(5).
fn has_line(hosts: &str, address: &str, name: &str) -> bool {
    hosts.lines().any(|line| {
        let mut words = line.split_whitespace();
        words.next() == Some(address) && words.any(|word| word == name)
    })
}

impl Facts {
    fn read(&self, name: &str) -> Result<String, Failure> {
        let path = self.init_layer.join(name);
        match path.symlink_metadata() {
            Ok(data) if data.is_symlink() => {
                Ok(format!("a link to {}", path.read_link().unwrap_or_default().display()))
            }
            _ => fs::read_to_string(path).map_err(Failure::from),
        }
    }

    /// What is not as it must be, a piece of evidence each.
    fn wrong_files(&self) -> Vec<Evidence> {
        let resolv_conf = fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
        let content = |name: &str| self.read(name).unwrap_or_else(|failure| failure.to_string());
        let mut wrong = Vec::new();
        let mut expect = |holds: bool, name: &str, expected: &str| {
            if !holds {
                let (what, seen) = (format!("init-layer/{name}"), content(name));
                wrong.push(Evidence::differs(what, format!("{expected:?}"), format!("{seen:?}")));
            }
        };
        let hostname = format!("{HOSTNAME}\n");
        expect(self.read("etc/hostname").as_ref() == Ok(&hostname), "etc/hostname", &hostname);
        let hosts = self.read("etc/hosts").unwrap_or_default();
        let has_both =
            has_line(&hosts, "127.0.0.1", "localhost") && has_line(&hosts, "127.0.1.1", HOSTNAME);
        let lines = format!("127.0.0.1 localhost\n127.0.1.1 {HOSTNAME}\n");
        expect(has_both, "etc/hosts", &lines);
        let same = self.read("etc/resolv.conf") == Ok(resolv_conf);
        expect(same, "etc/resolv.conf", "as the host's");
        wrong
    }

    /// The folders that are lacking, or are no folders.
    fn wrong_folders(&self) -> Vec<&'static str> {
        let is_folder = |name: &str| {
            self.init_layer.join(name).symlink_metadata().is_ok_and(|data| data.is_dir())
        };
        ["etc", "dev", "proc", "sys"].into_iter().filter(|name| !is_folder(name)).collect()
    }

    /// What has another mode than it must have: its name, that mode, and its own.
    fn wrong_modes(&self) -> Vec<(&'static str, u32, u32)> {
        let expected = [
            ("etc", 0o755),
            ("etc/hostname", 0o644),
            ("etc/hosts", 0o644),
            ("etc/resolv.conf", 0o644),
            ("dev", 0o755),
            ("proc", 0o755),
            ("sys", 0o555),
        ];
        let mode = |name: &str| {
            let data = self.init_layer.join(name).symlink_metadata();
            data.map_or(0, |data| data.mode() & 0o7777)
        };
        let all = expected.into_iter().map(|(name, expected)| (name, expected, mode(name)));
        all.filter(|(_, expected, seen)| expected != seen).collect()
    }

    fn diagnose(&self) -> Option<Finding> {
        let is_link = |name: &str| {
            let target = self.init_layer.join(name).read_link();
            target.is_ok_and(|target| target.starts_with(&self.outside.folder))
        };
        let names = ["etc", "dev", "proc", "sys", "etc/hosts", "etc/resolv.conf"];
        if !self.seen.host_changes().is_empty() {
            return Some(finding("mounted-for-the-init-layer"));
        }
        if names.into_iter().any(is_link) {
            return Some(finding("link-followed").word("outside", self.outside.folder.display()));
        }
        if !self.image.is_untouched() || !self.outside.is_untouched() {
            return Some(finding("init-files-in-the-image"));
        }
        if let Err(failure) = &self.seen.returned {
            let finding = Finding::new("answer/returned-error");
            return Some(finding.word("function", FUNCTION).word("error", failure));
        }
        if !self.init_layer.exists() {
            return Some(Finding::new("answer/did-nothing").word("function", FUNCTION));
        }
        if let Some(name) = self.wrong_folders().first() {
            return Some(finding("mount-point-left-to-the-image").word("name", name));
        }
        if !self.wrong_files().is_empty() {
            return Some(finding("init-file-wrong"));
        }
        let (name, expected, seen) = *self.wrong_modes().first()?;
        let in_the_image = self.image.folder.join(name).symlink_metadata();
        let code = if seen == expected & !0o077 {
            "closed-by-the-umask"
        } else if in_the_image.is_ok_and(|data| data.mode() & 0o7777 == expected) {
            "image-mode-lost"
        } else {
            return None;
        };
        let finding = finding(code).word("name", name);
        Some(finding.word("expected", octal(expected)).word("mode", octal(seen)))
    }

    fn require(&self, kept: bool, evidence: Vec<Evidence>) -> Result<(), Finding> {
        let all = || {
            let mut all = evidence;
            if !self.seen.host_changes().is_empty() {
                all.push(self.seen.host_evidence());
            }
            let drawing = without_contents(&tree(&self.init_layer).unwrap_or_default());
            all.push(Evidence::Tree { what: "init-layer".to_owned(), drawing });
            all
        };
        require(kept && self.seen.returned.is_ok(), all, || self.diagnose(), UNFORESEEN)
    }
}

pub fn init_layer_has_its_files(answers: &Answers, host: &Host) -> Result<(), Finding> {
    let facts = observe(answers, host, Links::None)?;
    let mut evidence = facts.wrong_files();
    for name in facts.wrong_folders() {
        evidence.push(Evidence::differs(format!("init-layer/{name}"), "a folder", "-"));
    }
    facts.require(evidence.is_empty(), evidence)
}

pub fn everybody_can_read_the_init_layer(answers: &Answers, host: &Host) -> Result<(), Finding> {
    let facts = observe(answers, host, Links::None)?;
    let evidence: Vec<Evidence> = facts
        .wrong_modes()
        .into_iter()
        .map(|(name, expected, seen)| {
            let what = format!("the mode of init-layer/{name}, made with umask 077");
            Evidence::differs(what, octal(expected), octal(seen))
        })
        .collect();
    facts.require(evidence.is_empty(), evidence)
}

pub fn the_image_is_never_written(answers: &Answers, host: &Host) -> Result<(), Finding> {
    let facts = observe(answers, host, Links::None)?;
    let is_untouched = facts.image.is_untouched();
    let mut evidence = Vec::new();
    if !is_untouched {
        evidence.push(Evidence::differs("the image", "as before", "changed"));
    }
    facts.require(is_untouched && facts.seen.host_changes().is_empty(), evidence)
}

pub fn links_of_the_image_are_covered(answers: &Answers, host: &Host) -> Result<(), Finding> {
    for links in [Links::Folders, Links::Files] {
        let facts = observe(answers, host, links)?;
        let mut evidence = facts.wrong_files();
        for name in facts.wrong_folders() {
            evidence.push(Evidence::differs(format!("init-layer/{name}"), "a folder", "-"));
        }
        if !facts.outside.is_untouched() {
            let what = format!("{}, where the image's links lead", facts.outside.folder.display());
            evidence.push(Evidence::differs(what, "as before", "changed"));
        }
        let kept = evidence.is_empty() && facts.seen.host_changes().is_empty();
        facts.require(kept, evidence)?;
    }
    Ok(())
}
