//! enter_with_pivot_root when it cannot succeed.

use std::fs;
use std::io;
use std::path::Path;

use labkit::call::Seen;
use labkit::calls::CALLS;
use labkit::describe::{Failure, result};
use labkit::failing::{self, Which};
use labkit::frame::{Facts, Returned, Rules, Words, rule};
use labkit::host::Host;
use labkit::verdict::{Evidence, Finding};
use nix::errno::Errno;
use serde::{Deserialize, Serialize};

use crate::LAB;
use crate::acts::ENTER_WITH_PIVOT_ROOT;
use crate::breakout;
use crate::own_words;
use crate::pivot::{call, furnish, names, observe, only_in};

const FUNCTION: &str = ENTER_WITH_PIVOT_ROOT.function;

/// What is found from the place of the process.
#[derive(Serialize, Deserialize)]
struct Inside {
    root_is_new: bool,
    /// Whether the host's file is found by its path, or from the working directory.
    host_is_near: bool,
    /// Whether chroot is all that keeps it from there, or a mount that lies on it.
    can_get_out: bool,
}

/// A call of the function that cannot succeed.
struct Attempt {
    seen: Seen<Returned>,
    /// Whether it is done all the same: then what failed was not needed.
    is_done: bool,
    /// Whether a directory was made where nothing was.
    is_made: bool,
    /// Names that are new in new_root, where the root is still the old one.
    left_over: Vec<String>,
    /// Names that are not in new_root any more.
    gone: Vec<String>,
    /// Whether there is no new_root.
    is_nowhere: bool,
}

impl Facts for Attempt {
    fn words(&self) -> Words {
        let mut words = own_words::error_of(&self.seen.returned);
        words.push(("gone", self.gone.join(", ")));
        words.push(("expected", Failure::from(Errno::ENOENT).to_string()));
        words
    }
}

static REFUSED: Rules<Attempt> = Rules {
    lab: LAB,
    function: FUNCTION,
    tables: &[&[
        rule("new-root-made", |it| it.is_made),
        rule("answer/did-nothing", |it| {
            it.seen.returned.is_ok() && it.seen.container_changes().is_empty()
        }),
        rule("error-ignored", |it| it.seen.returned.is_ok() && !it.is_done),
        rule("another-error", |it| it.is_nowhere && !it.says(Errno::ENOENT)),
        rule("put-old-left-behind", |it| !it.left_over.is_empty()),
        rule("directory-of-the-image-removed", |it| !it.gone.is_empty()),
        rule("still-shared", |it| !it.seen.host_changes().is_empty()),
    ]],
};

impl Attempt {
    /// Whether it returned this error.
    fn says(&self, errno: Errno) -> bool {
        own_words::says(&self.seen.returned, errno)
    }
}

pub fn failure(host: &Host) -> Result<(), Finding> {
    // 1. An answer that is wrong all the same is not blamed for that here.
    if !observe(host)?.is_right() {
        return Ok(());
    }
    // 2. Where nothing is.
    let nothing = host.path("nothing");
    let seen = call(host, &nothing).make()?;
    let attempt = Attempt {
        seen,
        is_done: false,
        is_made: nothing.exists(),
        left_over: Vec::new(),
        gone: Vec::new(),
        is_nowhere: true,
    };
    REFUSED.judge(&attempt, attempt.says(Errno::ENOENT) && !attempt.is_made, || {
        let what = format!("{FUNCTION}({nothing:?}), where nothing is");
        let expected = Failure::from(Errno::ENOENT);
        vec![Evidence::differs(what, expected, own_words::shown(&attempt.seen.returned))]
    })?;
    // 3. Each of its calls in turn, once and for good.
    let new_root = furnish(host, "failing");
    let attempt = |nth: usize, which: Which, errno: Errno| {
        let attempt = attempt_failing(host, &new_root, nth, which, errno)?;
        let Some(failed) = attempt.seen.failed else { return Ok(false) };
        let returned = &attempt.seen.returned;
        let is_told = returned.is_err() || attempt.is_done;
        let is_clean = attempt.left_over.is_empty()
            && attempt.gone.is_empty()
            && attempt.seen.host_changes().is_empty();
        REFUSED.judge(&attempt, is_told && is_clean, || {
            let call = format!("{FUNCTION}(new_root) while {failed} fails with {errno:?}");
            let mut evidence = vec![Evidence::differs(call, "Err", result(returned))];
            for (what, names) in [("new", &attempt.left_over), ("gone", &attempt.gone)] {
                if !names.is_empty() {
                    let what = format!("find new_root afterwards, names that are {what}");
                    evidence.push(Evidence::differs(what, "-", names.join(", ")));
                }
            }
            if !attempt.seen.host_changes().is_empty() {
                evidence.push(attempt.seen.host_evidence());
            }
            evidence
        })?;
        Ok(true)
    };
    failing::each(|nth| attempt(nth, Which::Alone, Errno::EPERM))?;
    failing::each(|nth| attempt(nth, Which::AndLater, Errno::EPERM))?;
    // Some pass over what they think they know: no mount point, busy, not there.
    [Errno::EINVAL, Errno::EBUSY, Errno::ENOENT]
        .into_iter()
        .try_for_each(|errno| failing::each(|nth| attempt(nth, Which::Alone, errno)))
}

fn attempt_failing(
    host: &Host,
    new_root: &Path,
    nth: usize,
    which: Which,
    errno: Errno,
) -> Result<Attempt, Finding> {
    let before = names(new_root);
    let host_file = host.precious().file();
    let failing = call(host, new_root).failing_which(nth, which, CALLS, errno);
    let (seen, inside) = failing.make_and_look(|place, _| {
        let mount_namespace = place.mount_namespace();
        place.look(|| {
            let ways = [host_file.as_path(), Path::new("home/thesis.txt")];
            let is_there = |path: &Path| fs::exists(path).unwrap_or(false);
            let root_is_new = is_there(Path::new("/etc/marker"));
            let host_is_near = ways.into_iter().any(is_there);
            // What it leaves behind would be taken for the answer's on the old root.
            let is_out = |tried: io::Result<()>| tried.is_ok() && is_there(&host_file);
            let can_get_out = root_is_new
                && (is_out(breakout::break_out()) || is_out(breakout::uncover(&mount_namespace)));
            Inside { root_is_new, host_is_near, can_get_out }
        })
    })?;
    let is_done = inside.root_is_new
        && !inside.host_is_near
        && !inside.can_get_out
        && seen.process.mounts.mounts.len() == 1
        && seen.host_changes().is_empty();
    let after = names(new_root);
    let (mut left_over, gone) = (only_in(&after, &before), only_in(&before, &after));
    // What lies on the new root now cannot be taken away from the old one.
    left_over.retain(|_| !inside.root_is_new);
    Ok(Attempt { seen, is_done, is_made: false, left_over, gone, is_nowhere: false })
}
