//! remove, where a process is in the group: in a group of the machine; or in a folder
//! that a mount keeps busy, which rmdir(2) refuses with EBUSY as the kernel does.

use std::cell::{Cell, RefCell};
use std::fs;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use labkit::answering::Answering;
use labkit::calls::PAUSE;
use labkit::deciding::Asked;
use labkit::describe::result;
use labkit::frame::{Facts, Returned, Rules, Words, error_of, rule};
use labkit::host::Host;
use labkit::inside::Place;
use labkit::limits::{TIME, slowness};
use labkit::sys::can_decide_on_calls;
use labkit::verdict::{Evidence, Finding, HUNG};
use nix::errno::Errno;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::CloneFlags;
use nix::unistd::Pid;

use crate::LAB;
use crate::acts::REMOVE;
use crate::contents::Contents;
use crate::group::Group;
use crate::kernel;
use crate::model::{Lacks, Model, PROCS, Version};
use crate::patience::{Hearing, Pauses};
use crate::removal::{FUNCTION, NAME, RMDIR, gone_on, removes_directory};

/// How long remove must try at least, and may try at most.
const AT_LEAST: Duration = Duration::from_millis(100);
const AT_MOST: Duration = Duration::from_secs(2);
/// So much longer it may take on the machine that it is on.
const MARGIN: Duration = Duration::from_millis(500);
/// How often the witness looks.
const STEP: Duration = Duration::from_millis(1);
/// For so long an answer may try again and again without a break, before the process
/// ends.
const AWAKE: Duration = Duration::from_millis(50);
/// If the process has stayed for longer than that, the answer was given too little
/// time, and is asked once more.
const TOO_LONG: Duration = Duration::from_millis(80);
const TIMES: usize = 10;
/// When the first directory becomes free, where the others stay busy: whoever then begins
/// anew to wait for so long takes too long.
const LATE: Duration = Duration::from_millis(1_250);

/// Where the group is.
enum Ground<'h> {
    /// On the machine.
    Kernel,
    /// In a model, in which these folders of the group are covered.
    Model(Model<'h>, Vec<PathBuf>),
    /// In a model, in which a first directory can be removed after a while, and no other.
    FreeOneByOne(Model<'h>),
}

/// A group with a process in it.
struct Occupied<'h> {
    host: &'h Host,
    ground: Ground<'h>,
    group: Group,
    process: Pid,
    /// All that there is, where it is a model.
    before: Contents,
    /// Whether the process was already killed when it was to be ended.
    was_killed: Cell<Option<bool>>,
}

impl<'h> Occupied<'h> {
    fn in_kernel(host: &'h Host) -> Occupied<'h> {
        let group = kernel::make_group(NAME);
        let process = kernel::start_process_in(&group);
        let (ground, before, was_killed) = (Ground::Kernel, Contents::new(), Cell::new(None));
        Occupied { host, ground, group, process, before, was_killed }
    }

    fn in_model(host: &'h Host, version: Version, covered: Part) -> Occupied<'h> {
        let nothing: Option<&str> = None;
        let model = Model::new(host, version, Lacks::Nothing);
        let group = model.make_empty_group(NAME);
        let covered = covered(&group);
        let process = kernel::start_process();
        for folder in &covered {
            fs::create_dir_all(folder).expect("the scratch folder");
            mount(Some("busy"), folder, Some("tmpfs"), MsFlags::MS_NOSUID, nothing)
                .expect("the sandbox allows it");
            fs::write(folder.join(PROCS), format!("{process}\n")).expect("a file of ours");
            for name in ["cgroup.kill", "pids.max", "memory.max"] {
                fs::write(folder.join(name), "").expect("a file of ours");
            }
        }
        let before = model.contents();
        let ground = Ground::Model(model, covered);
        Occupied { host, ground, group, process, before, was_killed: Cell::new(None) }
    }

    /// A process in each directory, of which the first ends late and the others never do.
    fn free_one_by_one(host: &'h Host, version: Version) -> Occupied<'h> {
        let model = Model::new(host, version, Lacks::Nothing);
        let group = model.make_empty_group(NAME);
        if version == Version::Two {
            fs::create_dir(group.memory.join("inner")).expect("the scratch folder");
        }
        let (before, process) = (model.contents(), kernel::start_process());
        let ground = Ground::FreeOneByOne(model);
        Occupied { host, ground, group, process, before, was_killed: Cell::new(None) }
    }

    /// The process leaves the group, and with it what keeps that busy. Once is enough.
    fn release(&self) {
        if self.was_killed.get().is_none() {
            self.was_killed.set(Some(kernel::end_process(self.process)));
            if let Ground::Model(_, covered) = &self.ground {
                for folder in covered {
                    let _ = umount2(folder, MntFlags::MNT_DETACH);
                }
            }
        }
    }

    /// Has the answer remove the group, and the process leave it when `hold` is over. Its
    /// pauses are heard only where `hold` does not look whether it waits: an answer waits, too,
    /// while one of its calls is decided on.
    fn remove(
        &self,
        hears: bool,
        hold: impl FnOnce(&Place, &mut Answering) -> Option<Held>,
    ) -> Result<Removed, Finding> {
        let call = self.host.act(&REMOVE, self.group.clone());
        let hearing = Hearing::default();
        let calls = [RMDIR, &[PAUSE]].concat();
        let call = match self.ground {
            Ground::Kernel => call,
            Ground::Model(..) if !hears => call.in_new(CloneFlags::CLONE_NEWUSER),
            Ground::Model(..) => {
                call.in_new(CloneFlags::CLONE_NEWUSER).deciding(&calls, heard(&hearing, |_| None))
            }
            Ground::FreeOneByOne(_) => {
                let decide = heard(&hearing, one_by_one());
                call.in_new(CloneFlags::CLONE_NEWUSER).deciding(&calls, decide)
            }
        };
        let looked = RefCell::new(None);
        let made = call.make_meanwhile(
            |place, answering| {
                // Whoever never comes to an end is left to the kit.
                if let Some(held) = hold(place, answering) {
                    looked.replace(Some((held, self.damage())));
                    self.release();
                }
            },
            |_, _| (),
        );
        self.release();
        let returned = made?.0.returned;
        let Some((held, damage)) = looked.into_inner() else {
            return Err(Finding::new(HUNG)
                .word("function", FUNCTION)
                .word("seconds", TIME.as_secs()));
        };
        let is_there = self.group.folders().iter().any(|folder| folder.exists());
        let killed = damage.killed || self.was_killed.get() == Some(true);
        let (is_inner, damage) = (self.is_inner(), Damage { killed, ..damage });
        let pauses = *hearing.borrow();
        Ok(Removed { returned, held, pauses, others: None, is_there, is_inner, damage })
    }

    /// Whether the process is not in the group itself, but in one inside it.
    fn is_inner(&self) -> bool {
        match &self.ground {
            Ground::Kernel | Ground::FreeOneByOne(_) => false,
            Ground::Model(_, covered) => {
                covered.iter().all(|it| !self.group.folders().contains(&it.as_path()))
            }
        }
    }

    /// What has become of the group and the process while they were left to the answer.
    fn damage(&self) -> Damage {
        match &self.ground {
            Ground::Kernel => {
                let groups = kernel::groups_of(self.process);
                let moved = groups.iter().any(|name| name != NAME);
                Damage { moved, ..Damage::default() }
            }
            Ground::FreeOneByOne(model) => {
                let after = model.contents();
                let mut files = after.iter().filter(|(path, _)| path.ends_with(PROCS));
                let moved = files.any(|(path, text)| self.before.get(path) != Some(text));
                Damage { moved, ..Damage::default() }
            }
            Ground::Model(model, covered) => {
                let after = model.contents();
                let written = |path: &Path| self.before.get(path) != after.get(path);
                let is_deleted = |path: &&PathBuf| !after.contains_key(*path);
                let mut changed = after.keys().filter(|path| written(path));
                let is_killed = |folder: &PathBuf| {
                    let file = folder.join("cgroup.kill");
                    written(&file) && after.contains_key(&file)
                };
                let is_covered = |path: &Path| covered.iter().any(|it| path.starts_with(it));
                Damage {
                    killed: covered.iter().any(is_killed),
                    moved: changed.any(|path| path.ends_with(PROCS)),
                    deleted: self.before.keys().any(|path| is_covered(path) && is_deleted(&path)),
                }
            }
        }
    }
}

/// Hears the pauses, and decides on all other calls like this.
fn heard(
    hearing: &Hearing,
    mut decide: impl FnMut(&Asked) -> Option<Errno> + 'static,
) -> impl FnMut(&Asked) -> Option<Errno> + 'static {
    let hearing = hearing.clone();
    move |asked| {
        hearing.borrow_mut().hear(asked);
        if asked.name == PAUSE.0 { None } else { decide(asked) }
    }
}

/// Refuses to remove a directory with EBUSY; one of them only until it is [`LATE`].
fn one_by_one() -> impl FnMut(&Asked) -> Option<Errno> {
    let mut begun = None;
    let mut is_one_free = false;
    move |asked| {
        if !removes_directory(asked) {
            return None;
        }
        let begun = *begun.get_or_insert_with(Instant::now);
        if is_one_free || begun.elapsed() < LATE {
            return Some(Errno::EBUSY);
        }
        is_one_free = true;
        None
    }
}

/// How long the process was held in the group.
#[derive(Clone, Copy)]
struct Held {
    /// Whether remove had returned before the process left.
    returned: bool,
    /// How long it had tried until then.
    tried: Duration,
    /// The same in steps of the witness: where others take the processor, both wait
    /// longer than they ask for.
    steps: Duration,
}

/// What must not happen to what is in a group.
#[derive(Default)]
struct Damage {
    killed: bool,
    moved: bool,
    deleted: bool,
}

/// What came of a call.
struct Removed {
    returned: Returned,
    held: Held,
    /// How it has waited; and how in another call, in which it could not do other than wait.
    pauses: Pauses,
    others: Option<Pauses>,
    /// Whether a folder of the group is still there.
    is_there: bool,
    /// Whether the process is not in the group itself, but in one inside it.
    is_inner: bool,
    damage: Damage,
}

impl Facts for Removed {
    fn words(&self) -> Words {
        let mut words = error_of(&self.returned);
        words.push(("errno", "EBUSY".to_owned()));
        words
    }
}

/// Until the answer waits, or has returned, or has had enough time.
fn for_a_moment(place: &Place, answering: &mut Answering) -> Option<Held> {
    hold(answering, |tried| {
        let stat = place.proc.stat(place.pid.as_raw());
        stat.is_some_and(|stat| stat.state == 'S') || tried > AWAKE
    })
}

/// Until the answer has returned.
fn throughout(_: &Place, answering: &mut Answering) -> Option<Held> {
    hold(answering, |_| false)
}

fn hold(answering: &mut Answering, is_enough: impl Fn(Duration) -> bool) -> Option<Held> {
    let begun = Instant::now();
    let mut steps = Duration::ZERO;
    while begun.elapsed() < TIME * slowness() {
        let returned = answering.outcome().is_some();
        if returned || is_enough(steps) {
            return Some(Held { returned, tried: begun.elapsed(), steps });
        }
        sleep(STEP);
        steps += STEP;
    }
    None
}

static LEAVES: Rules<Removed> = Rules {
    lab: LAB,
    function: FUNCTION,
    tables: &[&[
        rule("process-killed", |it| it.damage.killed),
        rule("processes-moved", |it| it.damage.moved),
        rule("files-deleted-singly", |it| it.damage.deleted || it.may_not_delete()),
        rule("groups-in-it-left", |it| {
            it.is_inner && it.returned.as_ref().is_err_and(|failure| failure.is(Errno::ENOTEMPTY))
        }),
        rule("inner-group-not-retried", |it| it.is_inner && it.gave_up()),
        rule("busy-not-retried", Removed::gave_up),
        rule("answer/returned-error", |it| it.returned.is_err()),
        rule("failed-removal-ignored", |it| it.is_there),
    ]],
};

static STAYS: Rules<Removed> = Rules {
    lab: LAB,
    function: FUNCTION,
    tables: &[&[
        rule("process-killed", |it| it.damage.killed),
        rule("processes-moved", |it| it.damage.moved),
        rule("files-deleted-singly", |it| it.damage.deleted || it.may_not_delete()),
        rule("tried-too-long", Removed::is_too_long),
        rule("failed-removal-ignored", |it| it.returned.is_ok() && it.is_there),
        rule("given-up-too-early", |it| it.returned.is_err() && it.held.tried < AT_LEAST),
        rule("another-error-told", |it| it.returned.is_err()),
    ]],
};

impl Removed {
    /// Whether it has returned an error before the process left.
    fn gave_up(&self) -> bool {
        self.returned.is_err() && self.is_there && self.held.returned
    }

    fn is_too_long(&self) -> bool {
        self.held.steps > AT_MOST + MARGIN || self.pauses.are_too_long(self.others)
    }

    /// Whether it was refused what the kernel refuses whoever deletes a file of a
    /// group.
    fn may_not_delete(&self) -> bool {
        let errno = self.returned.as_ref().err().and_then(|failure| failure.errno);
        [Errno::EPERM, Errno::EACCES].map(|it| Some(it as i32)).contains(&errno)
    }

    fn is_told(&self) -> bool {
        self.returned.as_ref().is_err_and(|failure| failure.is(Errno::EBUSY))
    }

    fn judge(&self, stays: bool) -> Result<(), Finding> {
        let Damage { killed, moved, deleted } = self.damage;
        let is_in_time = self.held.tried >= AT_LEAST && !self.is_too_long();
        let kept = self.returned.is_err() == stays
            && self.is_there == stays
            && !(killed || moved || deleted)
            && (!stays || is_in_time && self.is_told());
        let rules = if stays { &STAYS } else { &LEAVES };
        rules.judge(self, kept, || {
            let there = |is_there| if is_there { "Ok" } else { "ENOENT" };
            let signal = if killed { "SIGKILL" } else { "-" };
            let seen = result(&self.returned);
            let expected = match stays {
                false => "Ok",
                true if self.is_told() => &seen,
                true => "EBUSY (Device or resource busy)",
            };
            let mut evidence = vec![
                Evidence::differs(FUNCTION, expected, &seen),
                Evidence::differs("ls -d GROUP", there(stays), there(self.is_there)),
                Evidence::differs("the process in the group", "-", signal),
            ];
            if stays && self.held.tried < AT_LEAST {
                evidence.push(Evidence::differs(
                    "time until remove gives up",
                    ">= 0.1 s",
                    "< 0.1 s",
                ));
            }
            if stays && self.is_too_long() {
                evidence.push(Evidence::differs("time until remove gives up", "<= 2 s", "> 2 s"));
            }
            if moved {
                evidence.push(Evidence::differs("cgroup.procs of other groups", "-", "PID"));
            }
            evidence
        })
    }
}

/// In a group that is left after a moment; where the machine took too long for the
/// answer to have had its time, once more.
fn judge_leaving<'h>(occupy: &dyn Fn() -> Occupied<'h>) -> Result<(), Finding> {
    let mut removed = occupy().remove(false, for_a_moment)?;
    for _ in 1..TIMES {
        if removed.returned.is_ok() || removed.held.returned || removed.held.tried < TOO_LONG {
            break;
        }
        removed = occupy().remove(false, for_a_moment)?;
    }
    removed.judge(false)
}

/// In a group that nobody leaves; returns how it has waited there. `others` is how it has
/// waited in another one.
fn judge_staying<'h>(
    occupy: &dyn Fn() -> Occupied<'h>,
    others: Option<Pauses>,
) -> Result<Pauses, Finding> {
    let removed = Removed { others, ..occupy().remove(true, throughout)? };
    if STAYS.diagnose(&removed).is_some_and(|found| found.code == GIVEN_UP) {
        // Whoever tries only once is told so.
        judge_leaving(occupy)?;
    }
    removed.judge(true).map(|()| removed.pauses)
}

const GIVEN_UP: &str = "limits/given-up-too-early";

/// The part of a group in which the process is, in a model.
type Part = fn(&Group) -> Vec<PathBuf>;

/// In version 2 the first half of them is enough: both folders are one.
const PARTS: [Part; 4] = [
    |group| vec![group.pids.clone()],
    |group| vec![group.pids.join("inner")],
    |group| vec![group.memory.clone()],
    |group| vec![group.memory.join("inner").join("innermost")],
];

/// A process in each half. Whoever takes the time for each by itself takes twice of it.
const BOTH_HALVES: Part = |group| vec![group.memory.clone(), group.pids.clone()];

/// Tries a busy group in each version in which one that is not busy goes well.
fn on_models<'h>(
    host: &'h Host,
    judge: impl Fn(&dyn Fn() -> Occupied<'h>) -> Result<(), Finding>,
) -> Result<(), Finding> {
    let harder = |version| {
        let parts = &PARTS[..if version == Version::One { 4 } else { 2 }];
        parts.iter().try_for_each(|part| judge(&|| Occupied::in_model(host, version, *part)))
    };
    Version::try_in_both(|version| gone_on(host, version), harder)
}

pub fn tried_again(host: &Host) -> Result<(), Finding> {
    on_models(host, judge_leaving)
}

pub fn left_alone(host: &Host) -> Result<(), Finding> {
    // One version is enough: the other one differs in where the folders are.
    let version = Version::BOTH.into_iter().find(|version| gone_on(host, *version).is_ok());
    let Some(version) = version else { return gone_on(host, Version::Two) };
    let part = if version == Version::One { BOTH_HALVES } else { PARTS[0] };
    let pauses = judge_staying(&|| Occupied::in_model(host, version, part), None)?;
    if can_decide_on_calls() {
        judge_staying(&|| Occupied::free_one_by_one(host, version), Some(pauses))?;
    }
    Ok(())
}

pub fn nobody(host: &Host) -> Result<(), Finding> {
    gone_on(host, kernel::version())?;
    let group = kernel::make_group(NAME);
    let returned = host.act(&REMOVE, group.clone()).make()?.returned;
    let is_there = group.folders().iter().any(|folder| folder.exists());
    let held = Held { returned: false, tried: Duration::ZERO, steps: Duration::ZERO };
    let damage = Damage::default();
    let pauses = Pauses::default();
    Removed { returned, held, pauses, others: None, is_there, is_inner: false, damage }
        .judge(false)?;
    on_other_kernels(host)
}

pub fn for_its_last_process(host: &Host) -> Result<(), Finding> {
    gone_on(host, kernel::version())?;
    judge_leaving(&|| Occupied::in_kernel(host))?;
    on_other_kernels(host)
}

pub fn for_one_that_stays(host: &Host) -> Result<(), Finding> {
    gone_on(host, kernel::version())?;
    judge_staying(&|| Occupied::in_kernel(host), None)?;
    on_other_kernels(host)
}

/// Another machine's kernel may be of the other version.
fn on_other_kernels(host: &Host) -> Result<(), Finding> {
    gone_on(host, kernel::version().other())
}
