//! What lies around a layer makes no difference to it, and stays.

use std::cell::RefCell;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};

use labkit::calls::RENAME;
use labkit::frame::{Facts, Rules, Words, rule};
use labkit::host::Host;
use labkit::verdict::{Evidence, Finding};

use crate::LAB;
use crate::acts::{CREATE, Place};
use crate::archive::Archive;
use crate::diagnosis::RULES;
use crate::listing::{Aspect, Difference, Node, evidence};
use crate::outside::shown;
use crate::run::{Due, Run, call, place, returned_evidence, run};

/// The group of a directory around a layer, where that is not root's.
const GROUP: u32 = 1;

static INHERITED: Rules<Run> = Rules {
    lab: LAB,
    function: CREATE.function,
    tables: &[&[rule("set-group-id-inherited", |it| {
        it.differences.iter().all(|that| it.has_inherited(that))
    })]],
};

impl Run {
    /// Whether a file has taken something from a set-group-ID directory. See inode(7).
    fn has_inherited(&self, difference: &Difference) -> bool {
        let (must, is) = (self.must(difference), self.is(difference));
        match difference.aspect {
            Aspect::Mode => is.mode == must.mode | 0o2000,
            Aspect::Owner => is.owner == (must.owner.0, GROUP.into()),
            _ => false,
        }
    }
}

/// Directories that are made in a set-group-ID directory have that bit, too.
pub fn set_group_id(host: &Host) -> Result<(), Finding> {
    in_such_a_directory(host, "set-group-id", None, Aspect::Mode)
}

/// All that is made in one has its group.
pub fn group(host: &Host) -> Result<(), Finding> {
    in_such_a_directory(host, "of-a-group", Some(GROUP), Aspect::Owner)
}

/// What is wrong elsewhere, too, is another promise's to say.
fn in_such_a_directory(
    host: &Host,
    name: &str,
    group: Option<u32>,
    aspect: Aspect,
) -> Result<(), Finding> {
    let archive = Archive::small();
    let elsewhere = run(host, &place(host, &format!("not-{name}")), &archive, Due::Layer)?;
    let run = run(host, &set_group_id_place(host, name, group), &archive, Due::Layer)?;
    if elsewhere.returned.is_err() {
        return Ok(());
    }
    let mut run = run.without(&elsewhere.differences);
    run.differences.retain(|it| it.aspect == aspect);
    let kept = run.is_done() && run.differences.is_empty();
    let rules = if run.is_done() { &INHERITED } else { &RULES };
    let mut all = vec![returned_evidence("Ok", &run.returned)];
    all.extend(evidence(&run.differences.iter().collect::<Vec<_>>()));
    run.judge(rules, kept, all)
}

/// A new directory with that bit, and where in it the archive lies.
fn set_group_id_place(host: &Host, name: &str, group: Option<u32>) -> Place {
    let place = place(host, name);
    let around = host.path(name);
    chown(&around, None, group).expect("the sandbox has this group");
    fs::set_permissions(&around, Permissions::from_mode(0o2755)).expect("the scratch directory");
    place
}

/// The layer itself, where the archive has no entry for it.
struct WithoutEntry {
    layer: Node,
}

impl Facts for WithoutEntry {
    fn words(&self) -> Words {
        vec![("mode", self.mode()), ("owner", self.owner())]
    }
}

impl WithoutEntry {
    fn mode(&self) -> String {
        format!("{:04o}", self.layer.mode)
    }

    fn owner(&self) -> String {
        let (user, group) = self.layer.owner;
        format!("{user}:{group}")
    }

    fn require(&self, what: &str, must: &str, is: fn(&Self) -> String) -> Result<(), Finding> {
        let seen = is(self);
        WITHOUT_ENTRY.judge(self, seen == must, || vec![Evidence::differs(what, must, &seen)])
    }
}

static WITHOUT_ENTRY: Rules<WithoutEntry> = Rules {
    lab: LAB,
    function: CREATE.function,
    tables: &[&[rule("layer-without-entry", |_| true)]],
};

/// Neither the umask nor the directory around a layer decides on its mode.
pub fn mode_without_entry(host: &Host) -> Result<(), Finding> {
    let layer = without_entry(host, "without-entry", None)?;
    layer.map_or(Ok(()), |it| it.require("the mode of layer", "0755", WithoutEntry::mode))
}

/// Nor does that directory decide on its group.
pub fn owner_without_entry(host: &Host) -> Result<(), Finding> {
    let layer = without_entry(host, "of-a-group-without-entry", Some(GROUP))?;
    layer.map_or(Ok(()), |it| it.require("the owner of layer", "0:0", WithoutEntry::owner))
}

/// The layer itself after an archive without an entry for it. If archives with one become
/// no layers either, another promise is about that.
fn without_entry(
    host: &Host,
    name: &str,
    group: Option<u32>,
) -> Result<Option<WithoutEntry>, Finding> {
    let archive = Archive::small();
    let elsewhere = run(host, &place(host, &format!("not-{name}")), &archive, Due::Layer)?;
    if !elsewhere.is_done() {
        return Ok(None);
    }
    let place = set_group_id_place(host, name, group);
    let run = run(host, &place, &archive.without_layer(), Due::Layer)?;
    run.judge(&RULES, run.is_done(), vec![returned_evidence("Ok", &run.returned)])?;
    let layer = run.layer.and_then(|mut layer| layer.remove(Path::new("")));
    Ok(layer.map(|layer| WithoutEntry { layer }))
}

/// Others make layers there, and call their unfinished ones as this answer calls its own.
pub fn others_stay(host: &Host) -> Result<(), Finding> {
    // 1. What it has beside the layer when this is about to appear.
    let busy = place(host, "busy");
    busy.lay(&Archive::small().to_tar());
    let names = || -> Vec<PathBuf> {
        let entries = fs::read_dir(host.path("busy")).expect("the scratch directory");
        entries.flatten().map(|entry| entry.file_name().into()).collect()
    };
    let before = names();
    let made = RefCell::new(Vec::new());
    call(host, &busy).standing_still(1, &[RENAME]).make_meanwhile(
        |_, answering| {
            if host.wait_until_it_stands_still(answering).is_some() {
                made.replace(names());
                answering.go_on();
            }
        },
        |_, _| (),
    )?;
    // 2. The same for other layers.
    let shared = place(host, "shared");
    let own = layers_name(&shared);
    let made = made.into_inner().into_iter().filter(|name| !before.contains(name));
    for name in made.filter_map(|name| name.to_str().map(str::to_owned)) {
        if name.contains(&own) && name != own {
            for other in ["busybox", &format!("old-{own}")] {
                let other = host.path("shared").join(name.replace(&own, other));
                fs::create_dir_all(other.join("etc")).expect("the scratch directory");
            }
        }
    }
    let run = run(host, &shared, &Archive::small(), Due::Layer)?;
    let gone = Evidence::differs("gone beside the layer", "", shown(&run.outside.gone));
    let kept = run.outside.gone.is_empty();
    let run = Run { differences: Vec::new(), ..run };
    run.judge(&RULES, kept, vec![gone])
}

fn layers_name(place: &Place) -> String {
    let name = place.layer.file_name().expect("it has a name");
    name.to_str().expect("the grader's own name").to_owned()
}
