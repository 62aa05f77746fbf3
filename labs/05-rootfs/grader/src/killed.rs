//! Runs that are killed in the middle, and the run after each.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::fs::symlink as symlink_to;
use std::path::{Path, PathBuf};

use labkit::describe::{exact, result};
use labkit::frame::{Facts, Returned, Rules, Words, error_of, rule};
use labkit::host::Host;
use labkit::verdict::{Evidence, Finding};
use nix::errno::Errno;

use crate::LAB;
use crate::acts::CREATE;
use crate::archive::{Archive, file, folder, hard_link, symlink};
use crate::diagnosis::RULES;
use crate::listing::{Difference, differences, evidence, expected, on_disk};
use crate::outside::Outside;
use crate::run::{Due, call, place, returned_evidence, run};

/// The layer as it was found.
#[derive(Debug)]
enum Found {
    Nothing,
    Whole,
    /// It is there, and this is wrong with it.
    Half(Vec<Difference>),
}

/// A run that was killed, and the one after it.
#[derive(Debug)]
struct Killed {
    /// When it was about to make this one of its calls that change something.
    at_call: usize,
    layer: Found,
    /// Names that it has left, outside of the layer.
    left: Vec<PathBuf>,
    /// What the next run returned.
    next: Returned,
    /// The layer after that.
    then: Found,
    /// Names that are there still.
    still_left: Vec<PathBuf>,
}

/// All runs together: what is wrong may show in one, and its reason in another.
struct AllKilled {
    runs: Vec<Killed>,
}

/// Kills runs at calls spread over all that they make, among them the last.
struct Killer<'h> {
    host: &'h Host,
    /// What the image was when the killed run began, and what it is now.
    old: Archive,
    new: Archive,
    /// What is not as it must be in a layer even if nobody is killed.
    always: Vec<Difference>,
    runs: Vec<Killed>,
}

fn kill_often(host: &Host) -> Result<AllKilled, Finding> {
    let new = Archive::new([
        folder("./", 0o755),
        folder("bin/", 0o755),
        file("bin/busybox", 0o755, [b'x'; 20_000]),
        hard_link("bin/sh", "bin/busybox"),
        folder("etc/", 0o755),
        symlink("etc/shell", "../bin/sh"),
    ]);
    let old = new.clone().and(file("etc/old", 0o644, "of an older image"));
    let undisturbed = run(host, &place(host, "undisturbed"), &old, Due::Layer)?;
    let evidence = vec![returned_evidence("Ok", &undisturbed.returned)];
    undisturbed.judge(&RULES, undisturbed.is_done(), evidence)?;
    let always = undisturbed.differences;

    let mut killer = Killer { host, old, new, always, runs: Vec::new() };
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
    Ok(AllKilled { runs: killer.runs })
}

/// The directory in which a run is killed.
fn killed_at(call: usize) -> String {
    format!("killed-at-{call}")
}

impl Killer<'_> {
    /// Kills a run and has the next one made; false if it came to its end.
    fn kill_at(&mut self, at_call: usize) -> Result<bool, Finding> {
        let place = place(self.host, &killed_at(at_call));
        place.lay(&self.old.to_tar());
        let before = Outside::of(self.host, &place.layer);
        if !call(self.host, &place).kill_at(at_call)? {
            return Ok(false);
        }
        let left = before.changes(&Outside::of(self.host, &place.layer)).new;
        let layer = self.find(&place.layer, &self.old);

        place.lay(&self.new.to_tar());
        let next = call(self.host, &place).make()?.returned;
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
        let what = format!("{}(tar, layer), the next call", CREATE.function);
        all.push(Evidence::differs(what, "Ok", result(&self.next)));
        if let Found::Half(wrong) = &self.then {
            all.extend(evidence(&wrong.iter().collect::<Vec<_>>()));
        }
        let what = "files and directories left beside the layer, after that";
        all.push(Evidence::differs(what, 0, self.still_left.len()));
        all
    }
}

impl AllKilled {
    fn any(&self, is_so: fn(&Killed) -> bool) -> bool {
        self.runs.iter().any(is_so)
    }

    /// The first run after which the next one failed.
    fn failed(&self) -> Option<&Killed> {
        self.runs.iter().find(|it| it.next.is_err())
    }

    /// Whether nothing was in its way.
    fn has_failed_by_itself(&self, errno: Option<Errno>) -> bool {
        let failed = self.failed().filter(|it| it.left.is_empty() && !it.is_half());
        let failure = failed.and_then(|it| it.next.as_ref().err());
        failure.is_some_and(|it| errno.is_none_or(|errno| it.errno == Some(errno as i32)))
    }

    /// The names beside the layer at which something was left.
    fn names_left(&self, host: &Host) -> BTreeSet<OsString> {
        let mut names = BTreeSet::new();
        for run in &self.runs {
            let beside = host.path(&killed_at(run.at_call));
            let left = run.left.iter().filter(|path| path.parent() == Some(beside.as_path()));
            names.extend(left.filter_map(|path| path.file_name()).map(OsStr::to_owned));
        }
        names
    }

    /// The promise that `is_kept` by each run.
    fn judge(&self, is_kept: fn(&Killed) -> bool) -> Result<(), Finding> {
        let broken = self.runs.iter().filter(|it| !is_kept(it)).min_by_key(|it| it.at_call);
        KILLED.judge(self, broken.is_none(), || broken.map(Killed::evidence).unwrap_or_default())
    }
}

impl Facts for AllKilled {
    fn words(&self) -> Words {
        self.failed().map(|it| error_of(&it.next)).unwrap_or_default()
    }
}

static KILLED: Rules<AllKilled> = Rules {
    lab: LAB,
    function: CREATE.function,
    tables: &[&[
        rule("half-taken-for-whole", |it| it.any(|it| it.is_half() && it.is_wrong())),
        rule("left-over-taken-in", |it| {
            it.any(|it| matches!(it.layer, Found::Nothing) && it.is_wrong())
        }),
        rule("another-file-system", |it| it.has_failed_by_itself(Some(Errno::EXDEV))),
        rule("answer/returned-error", |it| it.has_failed_by_itself(None)),
        rule("left-over-in-the-way", |it| it.failed().is_some()),
        rule("unpacked-in-place", |it| it.any(Killed::is_half)),
        rule("unpacked-again", |it| it.any(Killed::is_wrong)),
        rule("left-over-stays", |it| it.any(|it| !it.still_left.is_empty())),
    ]],
};

pub fn no_half(host: &Host) -> Result<(), Finding> {
    kill_often(host)?.judge(|it| !it.is_half())
}

pub fn next_run(host: &Host) -> Result<(), Finding> {
    let killed = kill_often(host)?;
    killed.judge(Killed::is_made_whole)?;
    killed.names_left(host).iter().try_for_each(|name| link_of_that_name(host, name))
}

/// A call that finds a symbolic link where its unfinished layer would be.
struct Linked {
    returned: Returned,
    link: PathBuf,
    /// All that can be seen of the directory to which the link leads.
    before: String,
    after: String,
}

impl Facts for Linked {
    fn words(&self) -> Words {
        let mut words = error_of(&self.returned);
        words.push(("left", self.link.display().to_string()));
        words
    }
}

static LINKED: Rules<Linked> = Rules {
    lab: LAB,
    function: CREATE.function,
    tables: &[&[rule("left-over-followed", |it| it.before != it.after)]],
};

/// The link is the function's to delete, and what it leads to is not.
fn link_of_that_name(host: &Host, name: &OsStr) -> Result<(), Finding> {
    let place = place(host, &format!("linked-{}", name.display()));
    place.lay(&Archive::small().to_tar());
    let others = host.path("of-somebody-else").join(name);
    fs::create_dir_all(&others).expect("the scratch directory");
    fs::write(others.join("letter"), "somebody else's").expect("the scratch directory");
    let link = place.layer.with_file_name(name);
    symlink_to(&others, &link).expect("the scratch directory");
    let look = || exact(&others).unwrap_or_default();
    let before = look();
    let returned = call(host, &place).make()?.returned;
    let it = Linked { returned, link, before, after: look() };
    LINKED.judge(&it, it.before == it.after, || {
        let what = format!("{}, to which {} leads", others.display(), it.link.display());
        let seen = if others.join("letter").exists() { "changed" } else { "emptied" };
        vec![Evidence::differs(what, "as before", seen)]
    })
}
