//! What lies around a layer makes no difference to it, and stays.

use std::cell::RefCell;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::PathBuf;

use labkit::calls::RENAME;
use labkit::frame::{Rules, rule};
use labkit::host::Host;
use labkit::verdict::{Evidence, Finding};

use crate::LAB;
use crate::acts::{CREATE, Place};
use crate::archive::Archive;
use crate::diagnosis::RULES;
use crate::listing::{Aspect, Difference, evidence};
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
    let place = place(host, name);
    let around = host.path(name);
    chown(&around, None, group).expect("the sandbox has this group");
    fs::set_permissions(&around, Permissions::from_mode(0o2755)).expect("the scratch directory");
    let run = run(host, &place, &archive, Due::Layer)?;
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
