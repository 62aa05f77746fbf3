//! join.

use std::fs;
use std::path::{Path, PathBuf};

use labkit::describe::result;
use labkit::frame::{Facts, Returned, Rule, Rules, Words, error_of, rule};
use labkit::host::Host;
use labkit::sys::can_decide_on_calls;
use labkit::verdict::{Evidence, Finding};
use nix::errno::Errno;
use nix::libc::SYS_write;
use nix::unistd::Pid;

use crate::LAB;
use crate::acts::JOIN;
use crate::contents::{Contents, newest};
use crate::group::Group;
use crate::kernel;
use crate::model::{Lacks, Model, PROCS, Version, close};

const FUNCTION: &str = JOIN.function;

/// Which processes a group's files name.
pub struct Members {
    pub group: Group,
    /// What is in them before the call.
    pub before: Contents,
    pub contents: Contents,
    /// The process that is to join.
    pub process: Pid,
    /// The process that has called the function.
    pub caller: Pid,
}

impl Members {
    /// What was written into each folder's `cgroup.procs`.
    fn written(&self) -> Vec<(PathBuf, &str)> {
        let files = self.group.folders().into_iter().map(|folder| folder.join(PROCS));
        files.map(|file| (file.clone(), self.written_into(&file))).collect()
    }

    fn written_into(&self, file: &Path) -> &str {
        newest(&self.before, &self.contents, file)
    }

    /// Whether the process is in the whole group.
    pub fn has_joined(&self) -> bool {
        self.written().iter().all(|(_, pid)| self.is_process(pid))
    }

    /// Whether it is in a part of the group.
    pub fn has_joined_in_part(&self) -> bool {
        self.written().iter().any(|(_, pid)| self.is_process(pid))
    }

    /// In which folders somebody is written.
    pub fn has_anybody(&self) -> Vec<bool> {
        self.written().iter().map(|(_, pid)| !pid.is_empty()).collect()
    }

    /// Whether the caller is in the group.
    pub fn has_caller(&self) -> bool {
        self.written().iter().any(|(_, pid)| self.is_caller(pid))
    }

    /// Whether something was written into a file that takes single threads.
    pub fn has_thread(&self) -> bool {
        let has = |folder: &Path, name| !self.written_into(&folder.join(name)).is_empty();
        let mut folders = self.group.folders().into_iter();
        folders.any(|folder| has(folder, "tasks") || has(folder, "cgroup.threads"))
    }

    /// The files that should have it and have not, each after what was done to see it.
    pub fn evidence(&self, done: &str) -> Vec<Evidence> {
        let files = self.written().into_iter();
        files
            .filter(|(_, pid)| !self.is_process(pid))
            .map(|(file, pid)| {
                let what = format!("{done} {file:?}");
                Evidence::differs(what, "PID", self.name(pid))
            })
            .collect()
    }

    /// Pids are others in each run.
    fn name<'a>(&self, pid: &'a str) -> &'a str {
        match pid {
            "" => "-",
            pid if self.is_caller(pid) => "getpid()",
            pid if self.is_process(pid) => "PID",
            pid => pid,
        }
    }

    fn is_process(&self, pid: &str) -> bool {
        pid == self.process.to_string()
    }

    fn is_caller(&self, pid: &str) -> bool {
        pid == "0" || pid == self.caller.to_string()
    }
}

/// All that is known of one call on a model.
struct Joined {
    returned: Returned,
    members: Members,
    /// Whether others are in the group, whose numbers have the same digits in them.
    is_filled: bool,
    /// Whether the process is in the half for memory before the call.
    was_half_in: bool,
    /// What the kernel has said, if it has refused something.
    refusal: Option<Errno>,
    /// Whether the process ended after the first write.
    ended_between: bool,
    /// The file of a write with nothing in it.
    empty_write: Option<PathBuf>,
}

impl Facts for Joined {
    fn words(&self) -> Words {
        let mut words = error_of(&self.returned);
        words.extend(self.refusal.map(|errno| ("errno", format!("{errno:?}"))));
        words.push(("file", PROCS.to_owned()));
        words
    }
}

const OUTCOME: &[Rule<Joined>] = &[
    rule("wrong-process", |it| it.members.has_caller()),
    rule("one-thread-only", |it| it.members.has_thread()),
    rule("failed-join-ignored", |it| it.refusal.is_some() && it.returned.is_ok()),
    rule("another-error-told", |it| it.refusal.is_some() && it.returned.is_err()),
    rule("written-in-pieces", |it| it.empty_write.is_some()),
    rule("taken-for-another-process", |it| {
        it.is_filled && it.returned.is_ok() && !it.members.has_joined()
    }),
    rule("half-taken-for-all", |it| {
        it.was_half_in && it.returned.is_ok() && !it.members.has_joined()
    }),
    rule("one-hierarchy-only", |it| it.members.has_joined_in_part() && !it.members.has_joined()),
    rule("answer/returned-error", |it| it.returned.is_err()),
    rule("answer/did-nothing", |it| !it.members.has_anybody().contains(&true)),
];

static RULES: Rules<Joined> = Rules { lab: LAB, function: FUNCTION, tables: &[OUTCOME] };

/// Has a process join a group; `refusal` is what the kernel says to that, if it refuses.
fn join(model: &Model, group: Group, refusal: Option<Errno>) -> Result<Joined, Finding> {
    join_by(model, group, kernel::start_process(), refusal, false)
}

/// Has a process join a group in which others are, whose numbers have the same digits in them.
fn join_others(model: &Model, group: Group) -> Result<Joined, Finding> {
    let process = kernel::start_process();
    model.fill(&group, process);
    let joined = join_by(model, group, process, None, false)?;
    Ok(Joined { is_filled: true, ..joined })
}

/// Has a process join a group of version 1 of which one half has it already, as after a call
/// that failed in the middle.
fn join_the_other_half(model: &Model, group: Group) -> Result<Joined, Finding> {
    let process = kernel::start_process();
    // To the judgement, it is as if the answer had written this half.
    let before = model.contents();
    let listed = format!("{process}\n");
    fs::write(group.memory.join(PROCS), listed).expect("a file of the witness's own");
    let joined = join_by(model, group, process, None, false)?;
    let members = Members { before, ..joined.members };
    Ok(Joined { members, was_half_in: true, ..joined })
}

fn join_by(
    model: &Model,
    group: Group,
    process: Pid,
    refusal: Option<Errno>,
    ends_between: bool,
) -> Result<Joined, Finding> {
    let input = (group.clone(), process.as_raw() as u32);
    let before = model.contents();
    let mut is_to_end = ends_between;
    let mut call = model.act_deciding(&JOIN, input, &[], move |_, written| {
        if written?.file.ends_with(PROCS) && is_to_end {
            kernel::end_process(process);
            is_to_end = false;
        }
        None
    });
    if refusal == Some(Errno::ESRCH) && !can_decide_on_calls() {
        // The model hears of no write.
        call = call.refusing(&[SYS_write], Errno::ESRCH);
    }
    let (seen, caller) = call.make_and_look(|place, _| {
        kernel::end_process(process);
        place.pid
    })?;
    let members = Members { group, before, contents: model.contents(), process, caller };
    let (returned, empty_write) = (seen.returned, model.empty_write());
    Ok(Joined {
        returned,
        members,
        is_filled: false,
        was_half_in: false,
        refusal,
        ended_between: ends_between,
        empty_write,
    })
}

pub fn written(host: &Host) -> Result<(), Finding> {
    Version::BOTH.into_iter().try_for_each(|version| written_on(host, version))?;
    Version::BOTH.into_iter().try_for_each(|version| {
        let model = Model::new(host, version, Lacks::Nothing);
        join_others(&model, model.make_group("c1"))?.require_success()
    })?;
    let model = Model::new(host, Version::One, Lacks::Nothing);
    join_the_other_half(&model, model.make_group("c1"))?.require_success()
}

fn written_on(host: &Host, version: Version) -> Result<(), Finding> {
    let model = Model::new(host, version, Lacks::Nothing);
    join(&model, model.make_group("c1"), None)?.require_success()
}

pub fn failure(host: &Host) -> Result<(), Finding> {
    let harder = |version| {
        let model = Model::new(host, version, Lacks::Nothing);
        // 1. There is no such group.
        join(&model, model.group("c1"), Some(Errno::ENOENT))?.require_failure()?;
        // 2. One part of it, then the other, takes nobody.
        let closed: [fn(&Group) -> &Path; 2] = [|group| &group.pids, |group| &group.memory];
        closed.into_iter().try_for_each(|closed| {
            let model = Model::new(host, version, Lacks::Nothing);
            let group = model.make_group("c1");
            close(&closed(&group).join(PROCS));
            join(&model, group, Some(Errno::EACCES))?.require_failure()
        })?;
        // 3. The process has ended meanwhile: so says write(2).
        let model = Model::new(host, version, Lacks::Nothing);
        let group = model.make_group("c1");
        let process = kernel::start_process();
        kernel::end_process(process);
        let joined = join_by(&model, group, process, Some(Errno::ESRCH), false)?;
        // Who writes by another call has met no error.
        if !joined.members.has_joined() {
            joined.require_failure()?;
        }
        // 4. It ends when one half of the group has it: so says the second write(2).
        if version == Version::Two || !can_decide_on_calls() {
            return Ok(());
        }
        let model = Model::new(host, version, Lacks::Nothing);
        let (group, process) = (model.make_group("c1"), kernel::start_process());
        let joined = join_by(&model, group, process, Some(Errno::ESRCH), true)?;
        if joined.members.has_joined() { Ok(()) } else { joined.require_failure() }
    };
    Version::try_in_both(|version| written_on(host, version), harder)
}

impl Joined {
    fn require_success(&self) -> Result<(), Finding> {
        let is_whole = self.members.has_joined() && self.empty_write.is_none();
        RULES.judge(self, self.returned.is_ok() && is_whole, || {
            let call = match (self.is_filled, self.was_half_in) {
                (true, _) => "join(…, PID), the group has 1PID, PID1, 1PID1",
                (_, true) => "join(…, PID), group.memory has PID already, group.pids has not",
                _ => "join(…, PID)",
            };
            let mut evidence = vec![Evidence::differs(call, "Ok", result(&self.returned))];
            if let Some(file) = &self.empty_write {
                evidence.push(Evidence::differs(format!("write {file:?}"), "PID", r"\n"));
            }
            // What is written is shown, not those that were in the file before.
            evidence.extend(self.members.evidence(if self.is_filled { "write" } else { "cat" }));
            evidence
        })
    }

    fn require_failure(&self) -> Result<(), Finding> {
        let errno = self.refusal.expect("the kernel has refused it");
        let kept = self.returned.as_ref().is_err_and(|failure| failure.is(errno));
        RULES.judge(self, kept, || {
            let expected = format!("{errno:?} ({})", errno.desc());
            let call = match self.ended_between {
                true => "join(…, PID), the process ends after the first write",
                false => "join(…, PID)",
            };
            vec![Evidence::differs(call, expected, result(&self.returned))]
        })
    }
}

/// What the kernel shows of a process that was to join a group.
struct Moved {
    returned: Returned,
    /// The names of its groups.
    groups: Vec<String>,
}

impl Facts for Moved {
    fn words(&self) -> Words {
        error_of(&self.returned)
    }
}

pub fn by_the_kernel(host: &Host) -> Result<(), Finding> {
    static RULES: Rules<Moved> = Rules {
        lab: LAB,
        function: FUNCTION,
        tables: &[&[rule("answer/returned-error", |it| it.returned.is_err())]],
    };
    written_on(host, kernel::version())?;
    let group = kernel::make_group("c1");
    let process = kernel::start_process();
    let call = host.act(&JOIN, (group, process.as_raw() as u32));
    let (seen, groups) = call.make_and_look(|_, _| {
        let groups = kernel::groups_of(process);
        kernel::end_process(process);
        groups
    })?;
    let moved = Moved { returned: seen.returned, groups };
    let has_moved = !moved.groups.is_empty() && moved.groups.iter().all(|name| name == "c1");
    RULES.judge(&moved, moved.returned.is_ok() && has_moved, || {
        vec![
            Evidence::differs(FUNCTION, "Ok", result(&moved.returned)),
            Evidence::differs("/proc/PID/cgroup", "c1", moved.groups.join(" ")),
        ]
    })?;
    // Another machine's kernel may be of the other version.
    written_on(host, kernel::version().other())
}
