//! whiteouts_to_aufs.

use std::path::Path;

use labkit::describe::{Failure, tree};
use labkit::host::Host;
use labkit::verdict::{Evidence, Finding, require};
use nix::sched::CloneFlags;
use nix::sys::stat::{Mode, SFlag, mknod};

use crate::layer::{fill, folders};
use crate::overlay::{opaque_attribute, user_xattr};
use crate::{Answers, UNFORESEEN, finding};

const FUNCTION: &str = "whiteouts_to_aufs";

/// What overlayfs hides, and the name by which AUFS does.
const WHITEOUTS: [(&str, &str); 3] =
    [("old", ".wh.old"), ("etc/motd", "etc/.wh.motd"), ("deep/er/x", "deep/er/.wh.x")];

/// Where AUFS's mark of the opaque folder must be.
const OPAQUE: &str = "var/.wh..wh..opq";

/// The files that hide nothing.
const FILES: [(&str, &str); 2] = [("etc/hosts", "localhost"), ("var/new", "new")];

fn fill_layer(layer: &Path, user_xattr: bool) {
    fill(layer, &FILES);
    folders(layer, ["deep/er"]);
    for (name, _) in WHITEOUTS {
        let device = mknod(&layer.join(name), SFlag::S_IFCHR, Mode::empty(), 0);
        device.expect("a whiteout in the scratch folder");
    }
    let opaque = xattr::set(layer.join("var"), opaque_attribute(user_xattr), b"y");
    opaque.expect("an attribute in the scratch folder");
}

pub fn the_names_come_back(answers: &Answers, host: &Host) -> Result<(), Finding> {
    let layer = host.path("layer");
    let user_xattr = user_xattr();
    fill_layer(&layer, user_xattr);
    let before = tree(&layer).expect("the layer");
    let seen = host.call(FUNCTION, CloneFlags::empty(), || {
        (answers.whiteouts_to_aufs)(&layer, user_xattr).map_err(Failure::from)
    })?;

    let look = |name: &str| layer.join(name).symlink_metadata().ok();
    let is_mark = |name: &str| look(name).is_some_and(|data| data.is_file() && data.len() == 0);
    let attribute =
        xattr::get(layer.join("var"), opaque_attribute(user_xattr)).ok().flatten().is_some();
    let after = tree(&layer).unwrap_or_default();

    let all_said = WHITEOUTS.iter().all(|(_, name)| is_mark(name)) && is_mark(OPAQUE);
    let none_left = WHITEOUTS.iter().all(|(name, _)| look(name).is_none()) && !attribute;
    let files_stay = FILES.iter().all(|(name, content)| {
        std::fs::read_to_string(layer.join(name)).is_ok_and(|seen| seen == *content)
    });
    let kept = seen.returned.is_ok() && all_said && none_left && files_stay;

    let evidence = || {
        let marks = WHITEOUTS.iter().map(|(_, name)| *name).chain([OPAQUE]);
        let missing = marks.filter(|name| !is_mark(name));
        let mut evidence: Vec<Evidence> = missing
            .map(|name| Evidence::differs(format!("layer/{name}"), "an empty file", "-"))
            .collect();
        if attribute {
            let what = "the attribute overlay.opaque of layer/var";
            evidence.push(Evidence::differs(what, "-", "y"));
        }
        let what = "the layer afterwards".to_owned();
        evidence.push(Evidence::Tree { what, drawing: after.clone() });
        evidence
    };
    let diagnosis = || {
        if let Err(failure) = &seen.returned {
            let finding = Finding::new("answer/returned-error");
            return Some(finding.word("function", FUNCTION).word("error", failure));
        }
        if before == after {
            return Some(Finding::new("answer/did-nothing").word("function", FUNCTION));
        }
        if look("deep/er/x").is_some() {
            let at_the_top = look("old").is_some();
            let code =
                if at_the_top { "whiteout-left-as-a-device" } else { "sub-folders-forgotten" };
            return Some(finding(code));
        }
        if !WHITEOUTS.iter().all(|(_, name)| is_mark(name)) {
            return Some(finding("whiteout-dropped"));
        }
        if !is_mark(OPAQUE) {
            return Some(finding("opaque-mark-lost"));
        }
        attribute.then(|| finding("opaque-attribute-left"))
    };
    require(kept, evidence, diagnosis, UNFORESEEN)
}
