//! join.

use std::path::PathBuf;
use std::process;

use labkit::describe::{Failure, result};
use labkit::host::Host;
use labkit::verdict::{Evidence, Finding, require};
use nix::sched::CloneFlags;
use serde::{Deserialize, Serialize};

use crate::group::Group;
use crate::kernel;
use crate::model::{Contents, Lacks, Model, Version, text};
use crate::{Answers, UNFORESEEN, finding};

const FUNCTION: &str = "join";

/// The process of the models.
pub const PID: u32 = 4_000_000;

/// Which processes a group's files name.
pub struct Members {
    pub group: Group,
    pub contents: Contents,
    /// The process that has called the function, as a text.
    pub caller: String,
}

impl Members {
    /// What is written in each folder's `cgroup.procs`.
    fn written(&self) -> Vec<(PathBuf, &str)> {
        let files = self.group.folders().into_iter().map(|folder| folder.join("cgroup.procs"));
        files.map(|file| (file.clone(), text(&self.contents, &file))).collect()
    }

    /// Whether the process is in the whole group.
    pub fn has_joined(&self) -> bool {
        self.written().iter().all(|(_, pid)| *pid == PID.to_string())
    }

    /// In which folders somebody is written.
    pub fn has_anybody(&self) -> Vec<bool> {
        self.written().iter().map(|(_, pid)| !pid.is_empty()).collect()
    }

    /// The files that should have it and have not, looked at `when`.
    pub fn evidence(&self, when: &str) -> Vec<Evidence> {
        let files = self.written().into_iter();
        files
            .filter(|(_, pid)| *pid != PID.to_string())
            .map(|(file, pid)| {
                let what = format!("{when}cat {file:?}");
                Evidence::differs(what, PID, self.name(pid))
            })
            .collect()
    }

    /// The pid of the caller is another in each run.
    fn name<'a>(&self, pid: &'a str) -> &'a str {
        match pid {
            "" => "-",
            pid if self.is_caller(pid) => "getpid()",
            pid => pid,
        }
    }

    fn is_caller(&self, pid: &str) -> bool {
        pid == "0" || pid == self.caller
    }

    /// Why it has not joined, as far as that is known, by this function.
    pub fn diagnose(&self, function: &str) -> Option<Finding> {
        let written = self.written();
        let tasks = |folder: &std::path::Path| text(&self.contents, &folder.join("tasks"));
        let code = if written.iter().any(|(_, pid)| self.is_caller(pid)) {
            "wrong-process"
        } else if self.group.folders().iter().any(|folder| !tasks(folder).is_empty()) {
            "one-thread-only"
        } else if written.iter().any(|(_, pid)| *pid == PID.to_string()) {
            "one-hierarchy-only"
        } else {
            return None;
        };
        Some(finding(code).word("function", function))
    }
}

fn join_model(answers: &Answers, model: Model) -> Result<(), Finding> {
    let group = model.make_group("c1");
    let body = || {
        let returned = (answers.join)(&group, PID).map_err(Failure::from);
        (returned, process::id().to_string())
    };
    let (returned, caller) = model.call(FUNCTION, body)?.returned;
    let members = Members { group, contents: model.contents(), caller };
    let evidence = || {
        let call = Evidence::differs(format!("join(…, {PID})"), "Ok", result(&returned));
        [vec![call], members.evidence("")].concat()
    };
    let diagnosis = || {
        members.diagnose(FUNCTION).or_else(|| {
            let found = match &returned {
                Err(failure) => Finding::new("answer/returned-error").word("error", failure),
                Ok(()) => Finding::new("answer/did-nothing"),
            };
            Some(found.word("function", FUNCTION))
        })
    };
    require(returned.is_ok() && members.has_joined(), evidence, diagnosis, UNFORESEEN)
}

pub fn written(answers: &Answers, host: &Host) -> Result<(), Finding> {
    Version::BOTH.into_iter().try_for_each(|version| written_on(answers, host, version))
}

fn written_on(answers: &Answers, host: &Host, version: Version) -> Result<(), Finding> {
    join_model(answers, Model::new(host, version, Lacks::Nothing))
}

pub fn failure(answers: &Answers, host: &Host) -> Result<(), Finding> {
    let harder = |version| {
        let model = Model::new(host, version, Lacks::Nothing);
        // There is no such group.
        let group = model.group("c1");
        let body = || (answers.join)(&group, PID).map_err(Failure::from);
        let returned = model.call(FUNCTION, body)?.returned;
        require(
            returned.is_err(),
            || vec![Evidence::differs(format!("join(…, {PID})"), "ENOENT", "Ok")],
            || Some(finding("failed-join-ignored")),
            UNFORESEEN,
        )
    };
    Version::try_in_both(|version| written_on(answers, host, version), harder)
}

/// What the kernel shows of a process that was to join a group.
#[derive(Serialize, Deserialize)]
struct Moved {
    returned: Result<(), Failure>,
    /// The names of its groups.
    groups: Vec<String>,
}

pub fn by_the_kernel(answers: &Answers, host: &Host) -> Result<(), Finding> {
    written_on(answers, host, kernel::version())?;
    let group = kernel::make_group("c1");
    let body = || {
        kernel::with_a_process(|process| {
            let returned = (answers.join)(&group, process.as_raw() as u32).map_err(Failure::from);
            Moved { returned, groups: kernel::groups_of(process) }
        })
    };
    let seen = host.call(FUNCTION, CloneFlags::empty(), body)?.returned;
    let has_moved = !seen.groups.is_empty() && seen.groups.iter().all(|name| name == "c1");
    let evidence = || {
        vec![
            Evidence::differs(FUNCTION, "Ok", result(&seen.returned)),
            Evidence::differs("/proc/PID/cgroup", "c1", seen.groups.join(" ")),
        ]
    };
    let diagnosis = || {
        let failure = seen.returned.as_ref().err()?;
        let found = Finding::new("answer/returned-error");
        Some(found.word("function", FUNCTION).word("error", failure))
    };
    require(seen.returned.is_ok() && has_moved, evidence, diagnosis, UNFORESEEN)?;
    // Another machine's kernel may be of the other version.
    written_on(answers, host, kernel::version().other())
}
