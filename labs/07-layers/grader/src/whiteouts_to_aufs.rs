//! whiteouts_to_aufs.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use labkit::describe::{result, tree};
use labkit::frame::{Facts, Returned, Rule, Rules, Words, error_of, rule};
use labkit::host::Host;
use labkit::overlay::user_xattr;
use labkit::verdict::{Evidence, Finding};
use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use nix::sys::stat::{Mode, SFlag, mknod};

use crate::LAB;
use crate::acts::{Layer, WHITEOUTS_TO_AUFS};
use crate::failing::each_is_told;
use crate::layer::{directories, fill};
use crate::overlay::opaque_attribute;
use crate::rewritten::{Direction, any_layer, attempt_failing};

/// What overlayfs hides, and the name by which AUFS does.
const WHITEOUTS: [(&str, &str); 3] =
    [("old", ".wh.old"), ("etc/motd", "etc/.wh.motd"), ("deep/er/x", "deep/er/.wh.x")];

/// Where AUFS's mark of the opaque directory must be.
const OPAQUE: &str = "var/.wh..wh..opq";

/// The files that hide nothing.
const FILES: [(&str, &str); 2] = [("etc/hosts", "localhost"), ("var/new", "new")];

/// All that is known of one call.
struct Rewritten {
    returned: Returned,
    layer: PathBuf,
    /// A layer that is opaque itself.
    opaque_layer: PathBuf,
    before: String,
    after: String,
}

fn observe(host: &Host) -> Result<Rewritten, Finding> {
    let [layer, opaque_layer] = ["layer", "opaque"].map(|name| host.path(name));
    fill(&layer, &FILES);
    directories(&layer, ["deep/er"]);
    for (name, _) in WHITEOUTS {
        whiteout(&layer.join(name));
    }
    make_opaque(&layer.join("var"), user_xattr());
    fill(&opaque_layer, &[("new", "")]);
    make_opaque(&opaque_layer, user_xattr());
    let before = tree(&layer).expect("the layer");
    let returned = rewrite(host, [&layer, &opaque_layer], user_xattr())?;
    let [returned, of_opaque] = returned;
    let after = tree(&layer).unwrap_or_default();
    Ok(Rewritten { returned: returned.and(of_opaque), layer, opaque_layer, before, after })
}

/// Has some layers rewritten, one after the other.
pub fn rewrite<const COUNT: usize>(
    host: &Host,
    layers: [&Path; COUNT],
    user_xattr: bool,
) -> Result<[Returned; COUNT], Finding> {
    let layers = layers.map(|layer| Layer { layer: layer.to_owned(), user_xattr });
    let call = host.each(&WHITEOUTS_TO_AUFS, layers.iter().collect());
    let returned = call.make_each().map_err(|ended| ended.finding)?.returned;
    Ok(returned.try_into().expect("as many as there are layers"))
}

pub fn whiteout(path: &Path) {
    let device = mknod(path, SFlag::S_IFCHR, Mode::empty(), 0);
    device.expect("a whiteout in the scratch directory");
}

pub fn make_opaque(directory: &Path, user_xattr: bool) {
    let set = xattr::set(directory, opaque_attribute(user_xattr), b"y");
    set.expect("an attribute in the scratch directory");
}

/// Whether there is an empty file.
pub fn is_mark(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|data| data.is_file() && data.len() == 0)
}

/// Whether there is a file with something in it.
pub fn is_odd_mark(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|data| data.is_file() && data.len() > 0)
}

fn has_attribute(directory: &Path, user_xattr: bool) -> bool {
    xattr::get(directory, opaque_attribute(user_xattr)).ok().flatten().is_some()
}

impl Rewritten {
    fn has_mark(&self, name: &str) -> bool {
        is_mark(&self.layer.join(name))
    }

    /// A file that has the name of a mark, and something in it.
    fn odd_mark(&self) -> Option<&'static str> {
        let mut marks = WHITEOUTS.iter().map(|(_, mark)| *mark).chain([OPAQUE]);
        marks.find(|mark| is_odd_mark(&self.layer.join(mark)))
    }

    /// What is there where a mark must be.
    fn seen(&self, name: &str) -> String {
        let path = self.layer.join(name);
        let length = path.symlink_metadata().map_or(0, |data| data.len());
        if is_odd_mark(&path) { format!("{length} bytes") } else { "-".to_owned() }
    }

    fn is_left(&self, name: &str) -> bool {
        self.layer.join(name).symlink_metadata().is_ok()
    }

    fn has_attribute(&self) -> bool {
        has_attribute(&self.layer.join("var"), user_xattr())
    }

    fn has_files(&self) -> bool {
        FILES.iter().all(|(name, content)| {
            fs::read_to_string(self.layer.join(name)).is_ok_and(|seen| seen == *content)
        })
    }

    fn is_top_right(&self) -> bool {
        is_mark(&self.opaque_layer.join(".wh..wh..opq"))
            && !has_attribute(&self.opaque_layer, user_xattr())
    }
}

impl Facts for Rewritten {
    fn words(&self) -> Words {
        let mut words = error_of(&self.returned);
        words.push(("name", self.odd_mark().unwrap_or_default().to_owned()));
        words
    }
}

static RULES: Rules<Rewritten> =
    Rules { lab: LAB, function: WHITEOUTS_TO_AUFS.function, tables: &[TABLE] };

const TABLE: &[Rule<Rewritten>] = &[
    rule("answer/returned-error", |it| it.returned.is_err()),
    rule("answer/did-nothing", |it| it.before == it.after && it.has_attribute()),
    rule("sub-folders-forgotten", |it| it.is_left("deep/er/x") && !it.is_left("old")),
    rule("whiteout-left-as-a-device", |it| it.is_left("deep/er/x")),
    rule("mark-not-empty", |it| it.odd_mark().is_some()),
    rule("whiteout-dropped", |it| !WHITEOUTS.iter().all(|(_, name)| it.has_mark(name))),
    rule("opaque-mark-lost", |it| !it.has_mark(OPAQUE)),
    rule("opaque-attribute-left", Rewritten::has_attribute),
    rule("opaque-top-forgotten", |it| !it.is_top_right()),
    rule("other-files-changed", |it| !it.has_files()),
];

pub fn the_names_come_back(host: &Host) -> Result<(), Finding> {
    let it = observe(host)?;
    let all_said = WHITEOUTS.iter().all(|(_, name)| it.has_mark(name)) && it.has_mark(OPAQUE);
    let none_left = !WHITEOUTS.iter().any(|(name, _)| it.is_left(name)) && !it.has_attribute();
    let kept = it.returned.is_ok() && all_said && none_left && it.has_files() && it.is_top_right();
    RULES.judge(&it, kept, || {
        let call = "whiteouts_to_aufs(layer)";
        let mut evidence = vec![Evidence::differs(call, "Ok", result(&it.returned))];
        let marks = WHITEOUTS.iter().map(|(_, name)| *name).chain([OPAQUE]);
        evidence.extend(marks.filter(|name| !it.has_mark(name)).map(|name| {
            Evidence::differs(format!("layer/{name}"), "an empty file", it.seen(name))
        }));
        if it.has_attribute() {
            let what = "the attribute overlay.opaque of layer/var";
            evidence.push(Evidence::differs(what, "-", "y"));
        }
        if !it.is_top_right() {
            let what = "a layer that is opaque itself, afterwards".to_owned();
            let drawing = tree(&it.opaque_layer).unwrap_or_default();
            evidence.push(Evidence::Tree { what, drawing });
        }
        let what = "the layer afterwards".to_owned();
        evidence.push(Evidence::Tree { what, drawing: it.after.clone() });
        evidence
    })
}

/// By layers that are made up.
pub fn any_layer_becomes_aufs(host: &Host) -> Result<(), Finding> {
    // What is known by name is named.
    the_names_come_back(host)?;
    any_layer(host, Direction::ToAufs)
}

/// What is no mark, though it looks like one.
struct Looks {
    returned: Returned,
    layer: PathBuf,
    /// Layers with an attribute that has another value.
    odd_layers: [PathBuf; ODD_VALUES.len()],
}

/// Values of the attribute that do not make a directory opaque. Newer kernels write an `x`
/// where a directory has other whiteouts in it.
const ODD_VALUES: [&str; 5] = ["x", "", "Y", "yes", "y\n"];

/// The devices of the host that are shown in a layer: both of their numbers are not 0, or
/// one of them is.
fn hosts_devices() -> impl Iterator<Item = &'static str> {
    ["null", "tty"].into_iter().filter(|name| Path::new("/dev").join(name).exists())
}

impl Facts for Looks {
    fn words(&self) -> Words {
        let mut words = error_of(&self.returned);
        words.push(("right", opaque_attribute(false).to_owned()));
        words.push(("wrong", opaque_attribute(true).to_owned()));
        words
    }
}

impl Looks {
    /// The first of the host's devices that is no longer there, or beside which a name says
    /// that it is a whiteout.
    fn taken_device(&self) -> Option<&'static str> {
        let devices = self.layer.join("dev");
        let is_device = |name: &str| {
            let data = devices.join(name).symlink_metadata();
            data.is_ok_and(|data| data.rdev() != 0)
        };
        let stays = |name: &str| is_device(name) && !is_mark(&devices.join(format!(".wh.{name}")));
        hosts_devices().find(|name| !stays(name))
    }

    /// The first value that was taken for the mark.
    fn misread_value(&self) -> Option<&'static str> {
        let is_as_before = |layer: &Path| {
            has_attribute(layer, user_xattr()) && !is_mark(&layer.join(".wh..wh..opq"))
        };
        let mut all = ODD_VALUES.into_iter().zip(&self.odd_layers);
        all.find(|(_, layer)| !is_as_before(layer)).map(|(value, _)| value)
    }

    /// The attribute that is not asked for is still there, and has become no mark.
    fn has_attribute(&self) -> bool {
        has_attribute(&self.layer.join("var"), true) && !is_mark(&self.layer.join(OPAQUE))
    }
}

static LOOKS: Rules<Looks> = Rules {
    lab: LAB,
    function: WHITEOUTS_TO_AUFS.function,
    tables: &[&[
        // A device that is mounted there cannot be deleted: that it was tried shows in
        // the errno.
        rule("device-taken-for-a-whiteout", |it| {
            let busy = Some(Errno::EBUSY as i32);
            it.taken_device().is_some()
                || it.returned.as_ref().is_err_and(|failure| failure.errno == busy)
        }),
        rule("opaque-in-the-wrong-namespace", |it| !it.has_attribute()),
        rule("opaque-value-overlooked", |it| it.misread_value().is_some()),
        rule("answer/returned-error", |it| it.returned.is_err()),
    ]],
};

/// A device other than 0:0; and without `user_xattr` an attribute in user.*.
pub fn what_is_no_mark_stays(host: &Host) -> Result<(), Finding> {
    let layer = host.path("looks");
    fill(&layer, &[("var/new", "")]);
    whiteout(&layer.join("old"));
    make_opaque(&layer.join("var"), true);
    for name in hosts_devices() {
        fill(&layer.join("dev"), &[(name, "")]);
        let (device, nothing) = (Path::new("/dev").join(name), None::<&str>);
        mount(Some(&device), &layer.join("dev").join(name), nothing, MsFlags::MS_BIND, nothing)
            .expect("the sandbox allows it");
    }
    let odd_layers: [PathBuf; ODD_VALUES.len()] =
        std::array::from_fn(|nth| host.path(&format!("odd-{nth}")));
    for (layer, value) in odd_layers.iter().zip(ODD_VALUES) {
        directories(layer, [""]);
        let odd = xattr::set(layer, opaque_attribute(user_xattr()), value.as_bytes());
        odd.expect("an attribute in the scratch directory");
    }
    let [mut returned] = rewrite(host, [&layer], false)?;
    for of_odd in rewrite(host, odd_layers.each_ref().map(PathBuf::as_path), user_xattr())? {
        returned = returned.and(of_odd);
    }
    let it = Looks { returned, layer, odd_layers };
    let misread = it.misread_value();
    let devices_stay = it.taken_device().is_none();
    let kept = it.returned.is_ok() && devices_stay && it.has_attribute() && misread.is_none();
    LOOKS.judge(&it, kept, || {
        let call = "whiteouts_to_aufs(layer, user_xattr: false)";
        let drawing = tree(&it.layer).unwrap_or_default();
        let odd = if misread.is_none() { "as before" } else { "changed" };
        let value = misread.unwrap_or(ODD_VALUES[0]).escape_debug();
        vec![
            Evidence::differs(call, "Ok", result(&it.returned)),
            Evidence::Tree { what: "the layer afterwards".to_owned(), drawing },
            Evidence::differs(format!("a directory with overlay.opaque={value}"), "as before", odd),
        ]
    })
}

pub fn a_failed_call_is_told(host: &Host) -> Result<(), Finding> {
    let plain = || the_names_come_back(host);
    each_is_told(WHITEOUTS_TO_AUFS.function, plain, |failing| {
        attempt_failing(host, Direction::ToAufs, failing)
    })
}
