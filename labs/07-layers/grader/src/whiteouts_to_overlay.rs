//! whiteouts_to_overlay.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use labkit::canary::Canary;
use labkit::describe::{Failure, result, tree};
use labkit::frame::{Facts, Returned, Rule, Rules, Words, error_of, rule};
use labkit::host::Host;
use labkit::overlay::{mount_overlay, user_xattr};
use labkit::verdict::{Evidence, Finding};
use nix::errno::Errno;
use nix::sys::stat::{major, minor};

use crate::LAB;
use crate::acts::{Layer, WHITEOUTS_TO_OVERLAY};
use crate::failing::each_is_told;
use crate::layer::{directories, fill};
use crate::overlay::opaque_attribute;
use crate::rewritten::{Direction, any_layer, attempt_failing};

/// The layer below.
const IMAGE: [(&str, &str); 11] = [
    ("etc/motd", "Welcome"),
    ("etc/hosts", "of the image"),
    ("old/a", ""),
    ("var/cache", ""),
    ("var/log", ""),
    ("var/lib/db", ""),
    ("var/lib/in/side/old", ""),
    ("var/.bashrc", ""),
    ("var/.cache/old", ""),
    ("deep/er/x", ""),
    ("deep/er/y", ""),
];

/// What the layer has in it besides what it hides.
const LAYER: [(&str, &str); 4] = [
    ("etc/hosts", "of the layer"),
    ("var/new", "new"),
    ("var/lib/keep", "keep"),
    ("var/.cache/keep", "keep"),
];

/// What AUFS writes into the layer; those after the opaque mark need no mark of overlayfs's,
/// because the directory that they lie in is opaque, or is below one that is. Sorted by
/// name, the last two come before that mark, and the others after it.
const AUFS_MARKS: [&str; 9] = [
    ".wh.old",
    "etc/.wh.motd",
    "deep/er/.wh.x",
    "var/.wh..wh..opq",
    "var/.wh.log",
    "var/lib/.wh.db",
    "var/lib/in/side/.wh.old",
    "var/.wh..bashrc",
    "var/.cache/.wh.old",
];

/// What must not be in the layer then: it would be listed.
const NO_WHITEOUTS: [&str; 5] =
    ["var/log", "var/lib/db", "var/lib/in/side/old", "var/.bashrc", "var/.cache/old"];

/// All that is known of one call.
struct Rewritten {
    returned: Returned,
    /// What it returned for a layer with nothing but a whiteout in it, and for one
    /// with nothing but the mark of an opaque directory.
    returned_for_whiteout: Returned,
    returned_for_opaque: Returned,
    layer: PathBuf,
    tree_before: String,
    tree_after: String,
    /// The attribute that must make `var` opaque.
    opaque: Option<Vec<u8>>,
    /// The same attribute where overlayfs does not look for it.
    opaque_elsewhere: bool,
    /// The attribute that must make the layer itself opaque, of the layer in which
    /// it is.
    top_opaque: Option<Vec<u8>>,
    /// A directory of the host that a link of the layer leads to.
    outside: Canary,
    /// All names that are listed in the merged tree.
    merged: BTreeSet<PathBuf>,
}

fn observe(host: &Host) -> Result<Rewritten, Finding> {
    let [layer, image, mnt] = ["layer", "image", "mnt"].map(|name| host.path(name));
    fill(&image, &IMAGE);
    let outside = fill_layer(&layer, host);
    let tree_before = tree(&layer).expect("the layer");
    let [whiteout, opaque] = ["whiteout", "opaque"].map(|name| host.path(name));
    fill(&whiteout, &[(".wh.old", "")]);
    fill(&opaque, &[(".wh..wh..opq", ""), ("new", "")]);

    let returned = rewrite(host, [&layer, &whiteout, &opaque], user_xattr())?;
    let [returned, returned_for_whiteout, returned_for_opaque] = returned;

    let attribute = |layer: &Path, user| xattr::get(layer, opaque_attribute(user)).ok().flatten();
    directories(&host.path(""), ["upper", "work", "mnt"]);
    let mounted = mount_overlay(&[&layer, &image], &host.path("upper"), &host.path("work"), &mnt);
    let mut merged = BTreeSet::new();
    if mounted.is_ok() {
        list(&mnt, Path::new(""), &mut merged);
    }
    Ok(Rewritten {
        returned,
        returned_for_whiteout,
        returned_for_opaque,
        tree_before,
        tree_after: tree(&layer).unwrap_or_default(),
        opaque: attribute(&layer.join("var"), user_xattr()),
        opaque_elsewhere: attribute(&layer.join("var"), !user_xattr()).is_some(),
        top_opaque: attribute(&opaque, user_xattr()),
        outside,
        merged,
        layer,
    })
}

/// Has some layers rewritten, one after the other.
pub fn rewrite<const COUNT: usize>(
    host: &Host,
    layers: [&Path; COUNT],
    user_xattr: bool,
) -> Result<[Returned; COUNT], Finding> {
    let layers = layers.map(|layer| Layer { layer: layer.to_owned(), user_xattr });
    let call = host.each(&WHITEOUTS_TO_OVERLAY, layers.iter().collect());
    let returned = call.make_each().map_err(|ended| ended.finding)?.returned;
    Ok(returned.try_into().expect("as many as there are layers"))
}

/// Fills the layer as AUFS would leave it, and returns the directory that a link
/// of it leads to.
fn fill_layer(layer: &Path, host: &Host) -> Canary {
    fill(layer, &LAYER);
    directories(layer, ["deep/er", "var/lib/in/side", ".wh..wh.orph", ".wh..wh.plnk"]);
    fill(layer, &[(".wh..wh.aufs", ""), (".wh..wh.plnk/17.1000", "")]);
    for mark in AUFS_MARKS {
        // All are the same empty file.
        fs::hard_link(layer.join(".wh..wh.aufs"), layer.join(mark)).expect("a link in the layer");
    }
    let outside = host.path("outside");
    fill(&outside, &[(".wh.thesis.txt", ""), ("deep/.wh..wh.aufs", "")]);
    symlink(&outside, layer.join("link")).expect("a link in the layer");
    Canary::new(outside).expect("a directory in the scratch directory")
}

/// All names below a directory, also of what cannot be looked at.
fn list(top: &Path, directory: &Path, names: &mut BTreeSet<PathBuf>) {
    for entry in fs::read_dir(top.join(directory)).into_iter().flatten().flatten() {
        let name = directory.join(entry.file_name());
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            list(top, &name, names);
        }
        names.insert(name);
    }
}

impl Rewritten {
    /// Whether a name in the merged tree begins so.
    fn has_names_with(&self, beginning: &[u8]) -> bool {
        let names = self.merged.iter().filter_map(|path| path.file_name());
        let mut names = names.map(|name| name.as_bytes());
        names.any(|name| name.starts_with(beginning))
    }

    /// What is in the layer now.
    fn left(&self, name: &str) -> Option<fs::Metadata> {
        self.layer.join(name).symlink_metadata().ok()
    }

    fn motd_is(&self, so: fn(&fs::Metadata) -> bool) -> bool {
        self.left("etc/motd").is_some_and(|motd| so(&motd))
    }
}

fn is_refused(returned: &Returned) -> bool {
    let refused = [Errno::EPERM, Errno::EOPNOTSUPP].map(|errno| Some(errno as i32));
    returned.as_ref().is_err_and(|failure| refused.contains(&failure.errno))
}

/// Whether it is a device, and not that which is a whiteout.
fn is_another_device(data: &fs::Metadata) -> bool {
    use std::os::unix::fs::{FileTypeExt, MetadataExt};
    let kind = data.file_type();
    kind.is_block_device()
        || kind.is_char_device() && (major(data.rdev()), minor(data.rdev())) != (0, 0)
}

impl Facts for Rewritten {
    fn words(&self) -> Words {
        let mut words = error_of(&self.returned);
        words.push(("outside", self.outside.folder.display().to_string()));
        words.push(("right", opaque_attribute(user_xattr()).to_owned()));
        words.push(("wrong", opaque_attribute(!user_xattr()).to_owned()));
        let value = self.opaque.as_deref().unwrap_or_default();
        words.push(("value", String::from_utf8_lossy(value).into_owned()));
        words
    }
}

const fn rules(tables: &'static [&'static [Rule<Rewritten>]]) -> Rules<Rewritten> {
    Rules { lab: LAB, function: WHITEOUTS_TO_OVERLAY.function, tables }
}

static DELETIONS: Rules<Rewritten> = rules(&[GENERAL, OF_DELETIONS, LEFT]);
static OPAQUE: Rules<Rewritten> = rules(&[GENERAL, OF_OPAQUE, LEFT]);
static OTHERS: Rules<Rewritten> =
    rules(&[GENERAL, &[rule("other-files-changed", |it| it.returned.is_ok())]]);

/// What is wrong with all of it.
const GENERAL: &[Rule<Rewritten>] = &[
    rule("link-followed", |it| !it.outside.is_untouched()),
    // Everybody may make the device 0:0, and nobody who is not root another one.
    rule("whiteout-is-another-device", |it| is_refused(&it.returned_for_whiteout)),
    rule("opaque-in-the-wrong-namespace", |it| {
        it.opaque.is_none() && is_refused(&it.returned_for_opaque)
    }),
    rule("answer/returned-error", |it| it.returned.is_err()),
    rule("answer/did-nothing", |it| it.tree_before == it.tree_after && it.opaque.is_none()),
    rule("sub-folders-forgotten", |it| {
        it.left("deep/er/.wh.x").is_some() && it.left(".wh.old").is_none()
    }),
    rule("marker-left-behind", |it| it.left("deep/er/.wh.x").is_some()),
];

/// What is wrong with the whiteouts.
const OF_DELETIONS: &[Rule<Rewritten>] = &[
    rule("whiteout-is-another-device", |it| it.motd_is(is_another_device)),
    rule("whiteout-is-a-file", |it| it.motd_is(fs::Metadata::is_file)),
    rule("whiteout-dropped", |it| it.left("etc/motd").is_none()),
];

/// What is wrong with the opaque directories.
const OF_OPAQUE: &[Rule<Rewritten>] = &[
    rule("opaque-in-the-wrong-namespace", |it| it.opaque.is_none() && it.opaque_elsewhere),
    rule("opaque-value", |it| it.opaque.as_deref().is_some_and(|value| value != b"y")),
    rule("opaque-mark-lost", |it| it.opaque.is_none()),
    rule("opaque-top-forgotten", |it| it.top_opaque.is_none()),
    rule("whiteout-in-opaque-folder", |it| NO_WHITEOUTS.iter().any(|name| it.left(name).is_some())),
];

/// What is left of AUFS.
const LEFT: &[Rule<Rewritten>] = &[
    rule("book-keeping-left", |it| it.has_names_with(b".wh..wh.")),
    rule("marker-left-behind", |it| it.has_names_with(b".wh.")),
];

fn judge(
    it: &Rewritten,
    rules: &Rules<Rewritten>,
    kept: bool,
    evidence: Vec<Evidence>,
) -> Result<(), Finding> {
    rules.judge(it, kept && it.returned.is_ok(), || {
        let drawing = it.tree_after.clone();
        let layer = Evidence::Tree { what: "the layer afterwards".to_owned(), drawing };
        let call = Evidence::differs("whiteouts_to_overlay(layer)", "Ok", result(&it.returned));
        evidence.into_iter().chain([call, layer]).collect()
    })
}

/// Names as evidence.
fn join<'a>(names: impl IntoIterator<Item = &'a PathBuf>) -> String {
    let names: Vec<String> = names.into_iter().map(|name| name.display().to_string()).collect();
    if names.is_empty() { "-".to_owned() } else { names.join(", ") }
}

pub fn deleted_files_stay_deleted(host: &Host) -> Result<(), Finding> {
    judge_deletions(&observe(host)?)
}

pub fn opaque_directories_show_only_their_own(host: &Host) -> Result<(), Finding> {
    judge_opaque(&observe(host)?)
}

pub fn all_other_files_stay(host: &Host) -> Result<(), Finding> {
    judge_others(&observe(host)?)
}

/// All three: what is wrong anyway is not wrong for anything else.
pub fn judge_all(host: &Host) -> Result<(), Finding> {
    let it = observe(host)?;
    judge_deletions(&it)?;
    judge_opaque(&it)?;
    judge_others(&it)
}

fn judge_deletions(it: &Rewritten) -> Result<(), Finding> {
    let deleted = ["etc/motd", "old", "deep/er/x"].map(PathBuf::from);
    let is_back = deleted.iter().any(|name| it.merged.contains(name));
    let kept = !is_back && !it.merged.is_empty() && !it.has_names_with(b".wh.");
    let what = "names in the overlay of the layer on the image";
    let expected = "deep, deep/er, deep/er/y, etc, etc/hosts, link, var, var/.cache, \
        var/.cache/keep, var/lib, var/lib/in, var/lib/in/side, var/lib/keep, var/new";
    judge(it, &DELETIONS, kept, vec![Evidence::differs(what, expected, join(&it.merged))])
}

fn judge_opaque(it: &Rewritten) -> Result<(), Finding> {
    let below = |name: &&PathBuf| name.starts_with("var") && *name != Path::new("var");
    let seen = join(it.merged.iter().filter(below));
    let expected = "var/.cache, var/.cache/keep, var/lib, var/lib/in, var/lib/in/side, \
        var/lib/keep, var/new";
    let is_top_opaque = it.top_opaque.as_deref() == Some(b"y");
    let what = "names below var in the overlay of the layer on the image";
    let mut evidence = vec![Evidence::differs(what, expected, &seen)];
    if seen == expected {
        let what = format!("{} of a layer that is opaque itself", opaque_attribute(user_xattr()));
        let value = it.top_opaque.as_deref().unwrap_or(b"-");
        evidence.push(Evidence::differs(what, "y", value.escape_ascii()));
    }
    judge(it, &OPAQUE, seen == expected && is_top_opaque, evidence)
}

fn judge_others(it: &Rewritten) -> Result<(), Finding> {
    let mut evidence = Vec::new();
    for (name, content) in LAYER {
        let seen = fs::read_to_string(it.layer.join(name)).map_err(Failure::from);
        if seen.as_deref() != Ok(content) {
            let seen = seen.unwrap_or_else(|failure| failure.to_string());
            evidence.push(Evidence::differs(format!("layer/{name}"), content, seen));
        }
    }
    let outside = &it.outside.folder;
    if fs::read_link(it.layer.join("link")).ok().as_ref() != Some(outside) {
        evidence.push(Evidence::differs("readlink(layer/link)", outside.display(), "-"));
    }
    if !it.outside.is_untouched() {
        let what = format!("{}, where layer/link leads", outside.display());
        evidence.push(Evidence::differs(what, "as before", "changed"));
    }
    judge(it, &OTHERS, evidence.is_empty(), evidence)
}

/// By layers that are made up.
pub fn any_layer_becomes_overlays(host: &Host) -> Result<(), Finding> {
    // What is known by name is named.
    judge_all(host)?;
    any_layer(host, Direction::ToOverlay)
}

pub fn a_failed_call_is_told(host: &Host) -> Result<(), Finding> {
    let plain = || judge_all(host);
    each_is_told(WHITEOUTS_TO_OVERLAY.function, plain, |failing| {
        attempt_failing(host, Direction::ToOverlay, failing)
    })
}
