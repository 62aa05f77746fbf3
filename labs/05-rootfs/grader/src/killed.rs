//! Runs that are killed in the middle, and the run after each.

use std::path::{Path, PathBuf};

use labkit::describe::{Failure, result};
use labkit::host::Host;
use labkit::verdict::{Evidence, Finding, require};
use nix::sched::CloneFlags;

use crate::archive::{Archive, file, folder, hard_link, symlink};
use crate::diagnosis::returned_error;
use crate::listing::{Difference, differences, evidence, expected, on_disk};
use crate::outside::Outside;
use crate::run::{Due, Place, call, call_here, returned_evidence, run};
use crate::{Answers, FUNCTION, UNFORESEEN};

/// The layer as it was found.
enum Found {
    Nothing,
    Whole,
    /// It is there, and this is wrong with it.
    Half(Vec<Difference>),
}

/// A run that was killed, and the one after it.
struct Killed {
    /// When it was about to make this one of its calls that change something.
    at_call: usize,
    layer: Found,
    /// Names that it has left, outside of the layer.
    left: Vec<PathBuf>,
    /// What the next run returned.
    next: Result<(), Failure>,
    /// The layer after that.
    then: Found,
    /// Names that are there still.
    still_left: Vec<PathBuf>,
}

/// Kills runs at calls spread over all that they make, among them the last.
struct Killer<'a> {
    answers: &'a Answers,
    host: &'a Host,
    /// What the image was when the killed run began, and what it is now.
    old: Archive,
    new: Archive,
    /// What is not as it must be in a layer even if nobody is killed.
    always: Vec<Difference>,
    runs: Vec<Killed>,
}

fn kill_often(answers: &Answers, host: &Host) -> Result<Vec<Killed>, Finding> {
    let new = Archive::new([
        folder("./", 0o755),
        folder("bin/", 0o755),
        file("bin/busybox", 0o755, [b'x'; 20_000]),
        hard_link("bin/sh", "bin/busybox"),
        folder("etc/", 0o755),
        symlink("etc/shell", "../bin/sh"),
    ]);
    let old = new.clone().and(file("etc/old", 0o644, "of an older image"));
    let undisturbed = run(answers, host, &Place::new(host, "undisturbed"), &old, Due::Layer)?;
    let evidence = vec![returned_evidence("Ok", &undisturbed.returned)];
    undisturbed.require(undisturbed.is_done(), evidence)?;
    let always = undisturbed.differences;

    let mut killer = Killer { answers, host, old, new, always, runs: Vec::new() };
    // Between the last call at which one is killed and the first at which
    // there is nothing left to kill.
    let (mut killed, mut ended) = (0, 1);
    while killer.kill_at(ended)? {
        (killed, ended) = (ended, ended * 2);
    }
    while ended - killed > 1 {
        let middle = killed.midpoint(ended);
        match killer.kill_at(middle)? {
            true => killed = middle,
            false => ended = middle,
        }
    }
    // The last is the grader's own, which tells that the function has returned.
    if killer.runs.iter().all(|run| run.at_call + 1 != killed) {
        killer.kill_at(killed - 1)?;
    }
    Ok(killer.runs)
}

impl Killer<'_> {
    /// Kills a run and has the next one made; false if it came to its end.
    fn kill_at(&mut self, at_call: usize) -> Result<bool, Finding> {
        let place = Place::new(self.host, &format!("killed-at-{at_call}"));
        place.lay(&self.old.to_tar());
        let before = Outside::of(self.host, &place.layer);
        let body = || call_here(self.answers, &place);
        let is_killed = self.host.call_and_kill(FUNCTION, CloneFlags::empty(), at_call, body)?;
        if !is_killed {
            return Ok(false);
        }
        let left = before.changes(&Outside::of(self.host, &place.layer)).new;
        let layer = self.find(&place.layer, &self.old);

        place.lay(&self.new.to_tar());
        let next = call(self.answers, self.host, &place)?;
        // What was whole already stays as it is.
        let archive = if matches!(layer, Found::Whole) { &self.old } else { &self.new };
        let then = self.find(&place.layer, archive);
        let still_left = before.changes(&Outside::of(self.host, &place.layer)).new;
        self.runs.push(Killed { at_call, layer, left, next, then, still_left });
        Ok(true)
    }

    fn find(&self, layer: &Path, archive: &Archive) -> Found {
        let Some(listing) = on_disk(layer) else { return Found::Nothing };
        let mut wrong = differences(&expected(archive), &listing);
        let is_known = |it: &Difference| {
            self.always.iter().any(|known| (&known.name, known.aspect) == (&it.name, it.aspect))
        };
        wrong.retain(|it| !is_known(it));
        if wrong.is_empty() { Found::Whole } else { Found::Half(wrong) }
    }
}

impl Killed {
    fn is_half(&self) -> bool {
        matches!(self.layer, Found::Half(_))
    }

    /// Whether the next run says that all is well, and it is not.
    fn is_wrong(&self) -> bool {
        self.next.is_ok() && matches!(self.then, Found::Half(_))
    }

    fn is_made_whole(&self) -> bool {
        self.next.is_ok() && matches!(self.then, Found::Whole) && self.still_left.is_empty()
    }

    fn evidence(&self) -> Vec<Evidence> {
        let mut all = Vec::new();
        if let Found::Half(wrong) = &self.layer {
            let seen = format!("a layer with {} differences", wrong.len());
            all.push(Evidence::differs("layer, after the kill", "nothing, or all of it", seen));
        }
        let what = format!("{FUNCTION}(tar, layer), the next call");
        all.push(Evidence::differs(what, "Ok", result(&self.next)));
        if let Found::Half(wrong) = &self.then {
            all.extend(evidence(&wrong.iter().collect::<Vec<_>>()));
        }
        if !self.still_left.is_empty() {
            let what = "files and folders left beside the layer, after that";
            all.push(Evidence::differs(what, 0, self.still_left.len()));
        }
        all
    }
}

/// All runs together: what is wrong may show in one, and its reason in another.
fn diagnose(runs: &[Killed]) -> Option<Finding> {
    let any = |is_so: fn(&Killed) -> bool| runs.iter().any(is_so);
    let code = if any(|it| it.is_half() && it.is_wrong()) {
        "half-taken-for-whole"
    } else if any(|it| matches!(it.layer, Found::Nothing) && it.is_wrong()) {
        "left-over-taken-in"
    } else if let Some(failed) = runs.iter().find(|it| it.next.is_err()) {
        if failed.left.is_empty() && !failed.is_half() {
            return failed.next.as_ref().err().map(returned_error);
        }
        "left-over-in-the-way"
    } else if any(Killed::is_half) {
        "unpacked-in-place"
    } else if any(Killed::is_wrong) {
        "unpacked-again"
    } else if any(|it| !it.still_left.is_empty()) {
        "left-over-stays"
    } else {
        return None;
    };
    Some(Finding::new(format!("rootfs/{code}")))
}

/// The promise that `is_kept` by each run.
fn each(runs: &[Killed], is_kept: fn(&Killed) -> bool) -> Result<(), Finding> {
    let broken = runs.iter().filter(|it| !is_kept(it)).min_by_key(|it| it.at_call);
    let evidence = || broken.map(Killed::evidence).unwrap_or_default();
    require(broken.is_none(), evidence, || diagnose(runs), UNFORESEEN)
}

pub fn no_half(answers: &Answers, host: &Host) -> Result<(), Finding> {
    each(&kill_often(answers, host)?, |it| !it.is_half())
}

pub fn next_run(answers: &Answers, host: &Host) -> Result<(), Finding> {
    each(&kill_often(answers, host)?, Killed::is_made_whole)
}
