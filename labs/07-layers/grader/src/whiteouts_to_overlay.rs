//! whiteouts_to_overlay.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use labkit::canary::Canary;
use labkit::describe::{Failure, tree};
use labkit::host::Host;
use labkit::verdict::{Evidence, Finding, require};
use nix::errno::Errno;
use nix::sched::CloneFlags;

use crate::layer::{fill, folders};
use crate::overlay::{mount_overlay, opaque_attribute, user_xattr};
use crate::{Answers, UNFORESEEN, finding};

const FUNCTION: &str = "whiteouts_to_overlay";

/// The layer below.
const IMAGE: [(&str, &str); 8] = [
    ("etc/motd", "Welcome"),
    ("etc/hosts", "of the image"),
    ("old/a", ""),
    ("var/cache", ""),
    ("var/log", ""),
    ("var/lib/db", ""),
    ("deep/er/x", ""),
    ("deep/er/y", ""),
];

/// What the layer has in it besides what it hides.
const LAYER: [(&str, &str); 3] =
    [("etc/hosts", "of the layer"), ("var/new", "new"), ("var/lib/keep", "keep")];

/// What AUFS writes into the layer; the last three need no mark of overlayfs's,
/// for the folder that they lie in is opaque, or is below one that is.
const AUFS_MARKS: [&str; 6] = [
    ".wh.old",
    "etc/.wh.motd",
    "deep/er/.wh.x",
    "var/.wh..wh..opq",
    "var/.wh.log",
    "var/lib/.wh.db",
];

/// All that is known of one call.
struct Facts {
    returned: Result<(), Failure>,
    layer: PathBuf,
    tree_before: String,
    tree_after: String,
    /// The attribute that must make `var` opaque.
    opaque: Option<Vec<u8>>,
    /// The same attribute where overlayfs does not look for it.
    opaque_elsewhere: bool,
    /// A folder of the host that a link of the layer leads to.
    outside: Canary,
    /// All names that are listed in the merged tree.
    merged: BTreeSet<PathBuf>,
}

fn observe(answers: &Answers, host: &Host) -> Result<Facts, Finding> {
    let [layer, image, mnt] = ["layer", "image", "mnt"].map(|name| host.path(name));
    fill(&image, &IMAGE);
    let outside = fill_layer(&layer, host);
    let tree_before = tree(&layer).expect("the layer");
    let user_xattr = user_xattr();

    let seen = host.call(FUNCTION, CloneFlags::empty(), || {
        (answers.whiteouts_to_overlay)(&layer, user_xattr).map_err(Failure::from)
    })?;

    let attribute = |user| xattr::get(layer.join("var"), opaque_attribute(user)).ok().flatten();
    folders(&host.path(""), ["upper", "work", "mnt"]);
    let mounted = mount_overlay(&[&layer, &image], &host.path("upper"), &host.path("work"), &mnt);
    let mut merged = BTreeSet::new();
    if mounted.is_ok() {
        list(&mnt, Path::new(""), &mut merged);
    }
    Ok(Facts {
        returned: seen.returned,
        tree_before,
        tree_after: tree(&layer).unwrap_or_default(),
        opaque: attribute(user_xattr),
        opaque_elsewhere: attribute(!user_xattr).is_some(),
        outside,
        merged,
        layer,
    })
}

/// Fills the layer as AUFS would leave it, and returns the folder that a link
/// of it leads to.
fn fill_layer(layer: &Path, host: &Host) -> Canary {
    fill(layer, &LAYER);
    folders(layer, ["deep/er", ".wh..wh.orph", ".wh..wh.plnk"]);
    fill(layer, &[(".wh..wh.aufs", ""), (".wh..wh.plnk/17.1000", "")]);
    for mark in AUFS_MARKS {
        // All are the same empty file.
        fs::hard_link(layer.join(".wh..wh.aufs"), layer.join(mark)).expect("a link in the layer");
    }
    let folder = host.path("outside");
    fill(&folder, &[(".wh.thesis.txt", ""), ("deep/.wh..wh.aufs", "")]);
    symlink(&folder, layer.join("link")).expect("a link in the layer");
    Canary::new(folder).expect("a folder in the scratch folder")
}

/// All names below a folder, also of what cannot be looked at.
fn list(top: &Path, folder: &Path, names: &mut BTreeSet<PathBuf>) {
    for entry in fs::read_dir(top.join(folder)).into_iter().flatten().flatten() {
        let name = folder.join(entry.file_name());
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            list(top, &name, names);
        }
        names.insert(name);
    }
}

impl Facts {
    /// The names in the layer that have a part which begins so.
    fn has_names_with(&self, beginning: &[u8]) -> bool {
        let names = self.merged.iter().filter_map(|path| path.file_name());
        let mut names = names.map(|name| name.as_bytes());
        names.any(|name| name.starts_with(beginning))
    }

    fn diagnose(&self) -> Option<Finding> {
        let left = |name: &str| self.layer.join(name).symlink_metadata().ok();
        if !self.outside.is_untouched() {
            return Some(finding("link-followed").word("outside", self.outside.folder.display()));
        }
        if let Err(failure) = &self.returned {
            // Everybody may make the device 0:0: it was setxattr that failed.
            let is_refused = [Errno::EPERM, Errno::EOPNOTSUPP]
                .iter()
                .any(|errno| failure.errno == Some(*errno as i32));
            if is_refused && self.opaque.is_none() {
                return self.wrong_namespace();
            }
            let finding = Finding::new("answer/returned-error");
            return Some(finding.word("function", FUNCTION).word("error", failure));
        }
        if self.opaque.is_none() && self.opaque_elsewhere {
            return self.wrong_namespace();
        }
        if self.tree_before == self.tree_after {
            return Some(Finding::new("answer/did-nothing").word("function", FUNCTION));
        }
        if left("deep/er/.wh.x").is_some() {
            let at_the_top = left(".wh.old").is_some();
            let code = if at_the_top { "marker-left-behind" } else { "sub-folders-forgotten" };
            return Some(finding(code));
        }
        match left("etc/motd") {
            Some(motd) if motd.is_file() => return Some(finding("whiteout-is-a-file")),
            None => return Some(finding("whiteout-dropped")),
            Some(_) => {}
        }
        match self.opaque.as_deref() {
            Some(b"y") => {}
            Some(value) => {
                let value = String::from_utf8_lossy(value).into_owned();
                return Some(finding("opaque-value").word("value", value));
            }
            None => return Some(finding("opaque-mark-lost")),
        }
        if left("var/log").is_some() || left("var/lib/db").is_some() {
            return Some(finding("whiteout-in-opaque-folder"));
        }
        if self.has_names_with(b".wh..wh.") {
            return Some(finding("book-keeping-left"));
        }
        None
    }

    fn wrong_namespace(&self) -> Option<Finding> {
        let right = opaque_attribute(user_xattr());
        let wrong = opaque_attribute(!user_xattr());
        Some(finding("opaque-in-the-wrong-namespace").word("right", right).word("wrong", wrong))
    }

    fn require(&self, kept: bool, evidence: Vec<Evidence>) -> Result<(), Finding> {
        let layer = || Evidence::Tree {
            what: "the layer afterwards".to_owned(),
            drawing: self.tree_after.clone(),
        };
        let evidence = || evidence.into_iter().chain([layer()]).collect();
        require(kept && self.returned.is_ok(), evidence, || self.diagnose(), UNFORESEEN)
    }
}

/// Names as evidence.
fn join<'a>(names: impl IntoIterator<Item = &'a PathBuf>) -> String {
    let names: Vec<String> = names.into_iter().map(|name| name.display().to_string()).collect();
    if names.is_empty() { "-".to_owned() } else { names.join(", ") }
}

pub fn deleted_files_stay_deleted(answers: &Answers, host: &Host) -> Result<(), Finding> {
    let facts = observe(answers, host)?;
    let deleted = ["etc/motd", "old", "deep/er/x"].map(PathBuf::from);
    let back: Vec<&PathBuf> = deleted.iter().filter(|name| facts.merged.contains(*name)).collect();
    let kept = back.is_empty() && !facts.merged.is_empty() && !facts.has_names_with(b".wh.");
    let what = "names in the overlay of the layer on the image";
    let expected =
        "deep, deep/er, deep/er/y, etc, etc/hosts, link, var, var/lib, var/lib/keep, var/new";
    facts.require(kept, vec![Evidence::differs(what, expected, join(&facts.merged))])
}

pub fn opaque_folders_show_only_their_own(answers: &Answers, host: &Host) -> Result<(), Finding> {
    let facts = observe(answers, host)?;
    let below = |name: &&PathBuf| name.starts_with("var") && *name != Path::new("var");
    let seen = join(facts.merged.iter().filter(below));
    let expected = "var/lib, var/lib/keep, var/new";
    let what = "names below var in the overlay of the layer on the image";
    facts.require(seen == expected, vec![Evidence::differs(what, expected, seen)])
}

pub fn all_other_files_stay(answers: &Answers, host: &Host) -> Result<(), Finding> {
    let facts = observe(answers, host)?;
    let mut evidence = Vec::new();
    for (name, content) in LAYER {
        let seen = fs::read_to_string(facts.layer.join(name)).map_err(Failure::from);
        if seen.as_deref() != Ok(content) {
            let seen = seen.unwrap_or_else(|failure| failure.to_string());
            evidence.push(Evidence::differs(format!("layer/{name}"), content, seen));
        }
    }
    if fs::read_link(facts.layer.join("link")).ok().as_ref() != Some(&facts.outside.folder) {
        evidence.push(Evidence::differs(
            "readlink(layer/link)",
            facts.outside.folder.display(),
            "-",
        ));
    }
    if !facts.outside.is_untouched() {
        let what = format!("{}, where layer/link leads", facts.outside.folder.display());
        evidence.push(Evidence::differs(what, "as before", "changed"));
    }
    facts.require(evidence.is_empty(), evidence)
}
