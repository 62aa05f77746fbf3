//! What is mounted below new_root when enter_with_pivot_root begins.

use std::fs;
use std::path::Path;

use labkit::call::Seen;
use labkit::describe::result;
use labkit::frame::{Facts, Returned, Rule, Rules, Words, error_of, rule};
use labkit::host::Host;
use labkit::verdict::{Evidence, Finding};
use nix::mount::{MntFlags, MsFlags, mount, umount2};

use crate::LAB;
use crate::acts::ENTER_WITH_PIVOT_ROOT;
use crate::odd_names;
use crate::pivot::{PIVOT, call, furnish, observe};

/// A call with another path than an absolute one, or with a mount below new_root.
struct Entered {
    seen: Seen<Returned>,
    /// Whether the file is there by which it is known.
    is_there: bool,
    /// Whether the path is UTF-8. Such ones are tried first.
    is_text: bool,
}

impl Facts for Entered {
    fn words(&self) -> Words {
        error_of(&self.seen.returned)
    }
}

const fn rules(tables: &'static [&'static [Rule<Entered>]]) -> Rules<Entered> {
    Rules { lab: LAB, function: ENTER_WITH_PIVOT_ROOT.function, tables }
}

static MOUNTS: Rules<Entered> = rules(&[&[
    rule("answer/returned-error", |it| it.seen.returned.is_err()),
    rule("mounts-below-left-behind", |it| !it.is_there),
]]);

static OTHER_PATHS: Rules<Entered> = rules(&[&[
    rule("path-as-text", |it| !it.is_text && (it.seen.returned.is_err() || !it.is_there)),
    rule("relative-path-fails", |it| it.seen.returned.is_err()),
]]);

/// What is wrong with it anyway is not wrong for this.
fn right_anyway(host: &Host) -> Result<(), Finding> {
    let undisturbed = observe(host)?;
    PIVOT.judge(&undisturbed, undisturbed.is_right(), Vec::new)
}

/// As mount_kernel_file_systems has mounted /proc and /dev by then.
pub fn mounts(host: &Host) -> Result<(), Finding> {
    right_anyway(host)?;
    let new_root = furnish(host, "with-a-mount");
    let (mnt, nothing) = (new_root.join("mnt"), None::<&str>);
    mount(Some("tmpfs"), &mnt, Some("tmpfs"), MsFlags::empty(), nothing).expect("the sandbox");
    fs::write(mnt.join("file"), "").expect("a new file system");
    let made = call(host, &new_root)
        .make_and_look(|place, _| place.look(|| fs::exists("/mnt/file").unwrap_or(false)));
    umount2(&mnt, MntFlags::MNT_DETACH).expect("the witness has mounted it");
    let (seen, is_there) = made?;
    let it = Entered { seen, is_there, is_text: true };
    MOUNTS.judge(&it, it.seen.returned.is_ok() && is_there, || {
        let shown = if is_there { "Ok" } else { "ENOENT (No such file or directory)" };
        vec![
            Evidence::differs(
                "lstat(\"/mnt/file\"), where a tmpfs was on new_root/mnt",
                "Ok",
                shown,
            ),
            it.seen.mounts_drawn(Path::new("/")),
        ]
    })
}

/// A path that begins at the working directory, and one that is not UTF-8.
pub fn other_paths(host: &Host) -> Result<(), Finding> {
    right_anyway(host)?;
    let new_root = furnish(host, "relative");
    let enter = |path: &Path| {
        let call = call(host, path).standing_in(host.path("."));
        let is_there = || fs::exists("/etc/marker").unwrap_or(false);
        call.make_and_look(|place, _| place.look(is_there))
    };
    let (seen, is_there) = enter(Path::new("relative"))?;
    let it = Entered { seen, is_there, is_text: true };
    OTHER_PATHS.judge(&it, it.seen.returned.is_ok() && is_there, || {
        let what = "enter_with_pivot_root(\"relative\"), which is in the working directory";
        vec![Evidence::differs(what, "Ok", result(&it.seen.returned))]
    })?;
    let (seen, is_there) = enter(&odd_names::rename(&new_root)).map_err(odd_names::died_of_it)?;
    let it = Entered { seen, is_there, is_text: false };
    OTHER_PATHS.judge(&it, it.seen.returned.is_ok() && is_there, || {
        let what = "enter_with_pivot_root(b\"/tmp/lab/caf\\xe9\")";
        vec![Evidence::differs(what, "Ok", result(&it.seen.returned))]
    })
}
