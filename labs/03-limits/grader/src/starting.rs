//! start_limited.

use std::cell::RefCell;
use std::fs;
use std::process;

use labkit::describe::{Failure, result};
use labkit::host::Host;
use labkit::verdict::{Evidence, Finding, require};
use nix::sched::CloneFlags;
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

use crate::group::{Group, Waiting};
use crate::joining::{Members, PID};
use crate::kernel;
use crate::limits::{self, MEMORY, PIDS};
use crate::model::{Contents, Lacks, Model, Version, contents, text};
use crate::{Answers, UNFORESEEN, finding};

const FUNCTION: &str = "start_limited";

/// What the process has seen of one call.
#[derive(Serialize, Deserialize)]
struct Started {
    returned: Result<(), Failure>,
    /// The group's files when the process was told to begin, if it was.
    at_begin: Option<Contents>,
    caller: String,
}

/// All that is known of one call.
struct Facts<'a> {
    model: Model<'a>,
    group: Group,
    started: Started,
    after: Contents,
}

fn start<'a>(answers: &Answers, model: Model<'a>) -> Result<Facts<'a>, Finding> {
    let group = model.make_group("c1");
    let body = || {
        let at_begin = RefCell::new(None);
        let waiting = Waiting::new(PID, || {
            at_begin.replace(Some(contents(&model.top)));
            Ok(())
        });
        let returned = (answers.start_limited)(&group, Some(MEMORY), Some(PIDS), waiting)
            .map_err(Failure::from);
        Started { returned, at_begin: at_begin.into_inner(), caller: process::id().to_string() }
    };
    let started = model.call(FUNCTION, body)?.returned;
    Ok(Facts { after: model.contents(), group, started, model })
}

impl Facts<'_> {
    fn members(&self, contents: &Contents) -> Members {
        Members {
            group: self.group.clone(),
            contents: contents.clone(),
            caller: self.started.caller.clone(),
        }
    }

    /// The limits as they are written in the group's files.
    fn limits<'a>(&self, contents: &'a Contents) -> (&'a str, &'a str) {
        let memory = self.group.memory.join(self.model.version.memory_file());
        (text(contents, &memory), text(contents, &self.group.pids.join("pids.max")))
    }

    fn is_limited(&self, contents: &Contents) -> bool {
        self.limits(contents) == (&MEMORY.to_string(), &PIDS.to_string())
    }

    fn evidence(&self, expected: &str) -> Vec<Evidence> {
        let mut evidence =
            vec![Evidence::differs(FUNCTION, expected, result(&self.started.returned))];
        let begun = self.started.at_begin.is_some();
        let said = |begun| if begun { "begin()" } else { "-" };
        evidence.push(Evidence::differs("process", said(expected == "Ok"), said(begun)));
        if let (Some(at_begin), "Ok") = (&self.started.at_begin, expected) {
            let or_dash =
                |text: &str| if text.is_empty() { "-".to_owned() } else { text.to_owned() };
            let (memory, pids) = self.limits(at_begin);
            for (name, limit, seen) in
                [(self.model.version.memory_file(), MEMORY, memory), ("pids.max", PIDS, pids)]
            {
                let what = format!("begin(): cat {name}");
                evidence.push(Evidence::differs(what, limit, or_dash(seen)));
            }
            evidence.extend(self.members(at_begin).evidence("begin(): "));
        }
        evidence
    }

    fn diagnose(&self) -> Option<Finding> {
        let Some(at_begin) = &self.started.at_begin else {
            return Some(match &self.started.returned {
                Ok(()) => finding("never-begun"),
                Err(failure) => Finding::new("answer/returned-error")
                    .word("function", FUNCTION)
                    .word("error", failure),
            });
        };
        // What was done only afterwards.
        let written = |contents| (self.limits(contents), self.members(contents).has_anybody());
        if written(at_begin) != written(&self.after) {
            return Some(finding("begun-first"));
        }
        let members = self.members(&self.after);
        if !members.has_joined() {
            return members.diagnose(FUNCTION).or_else(|| Some(finding("never-joined")));
        }
        None
    }
}

pub fn in_order(answers: &Answers, host: &Host) -> Result<(), Finding> {
    Version::BOTH.into_iter().try_for_each(|version| in_order_on(answers, host, version))
}

fn in_order_on(answers: &Answers, host: &Host, version: Version) -> Result<(), Finding> {
    let facts = start(answers, Model::new(host, version, Lacks::Nothing))?;
    let is_ready =
        |at_begin: &Contents| facts.is_limited(at_begin) && facts.members(at_begin).has_joined();
    let kept =
        facts.started.returned.is_ok() && facts.started.at_begin.as_ref().is_some_and(is_ready);
    require(kept, || facts.evidence("Ok"), || facts.diagnose(), UNFORESEEN)
}

pub fn without_limits(answers: &Answers, host: &Host) -> Result<(), Finding> {
    let harder = |version| {
        let facts = start(answers, Model::new(host, version, Lacks::Memory))?;
        let kept = facts.started.returned.is_err() && facts.started.at_begin.is_none();
        let code =
            if facts.started.at_begin.is_some() { "begun-without-limits" } else { "never-begun" };
        require(kept, || facts.evidence("Err"), || Some(finding(code)), UNFORESEEN)
    };
    Version::try_in_both(|version| in_order_on(answers, host, version), harder)
}

/// What the kernel shows of a process that was to begin.
#[derive(Serialize, Deserialize)]
struct Begun {
    returned: Result<(), Failure>,
    /// The names of its groups when it was told to begin, if it was, and the limits
    /// of memory and processes.
    found: Option<String>,
}

pub fn by_the_kernel(answers: &Answers, host: &Host) -> Result<(), Finding> {
    without_limits(answers, host)?;
    let group = kernel::make_group("c1");
    let body = || {
        kernel::with_a_process(|process| {
            let found = RefCell::new(None);
            let waiting = Waiting::new(process.as_raw() as u32, || {
                found.replace(Some(what_holds_of(process, &group)));
                Ok(())
            });
            let returned = (answers.start_limited)(&group, Some(MEMORY), Some(PIDS), waiting)
                .map_err(Failure::from);
            Begun { returned, found: found.into_inner() }
        })
    };
    let begun = host.call(FUNCTION, CloneFlags::empty(), body)?.returned;
    let promised = format!("c1 {MEMORY} {PIDS}");
    let evidence = || {
        let found = begun.found.as_deref().unwrap_or("-");
        vec![
            Evidence::differs(FUNCTION, "Ok", result(&begun.returned)),
            Evidence::differs("begin(): /proc/PID/cgroup, memory, pids", &promised, found),
        ]
    };
    let diagnosis = || {
        let failure = begun.returned.as_ref().err()?;
        // Of the kernel's refusal the models know more.
        if let Err(finding) = limits::plain(answers, host) {
            return Some(Finding { evidence: Vec::new(), ..finding });
        }
        let found = Finding::new("answer/returned-error");
        Some(found.word("function", FUNCTION).word("error", failure))
    };
    let kept = begun.returned.is_ok() && begun.found.as_deref() == Some(&promised);
    require(kept, evidence, diagnosis, UNFORESEEN)
}

fn what_holds_of(process: Pid, group: &Group) -> String {
    let mut groups = kernel::groups_of(process);
    groups.dedup();
    let limit = |file| fs::read_to_string(file).unwrap_or_default().trim().to_owned();
    let memory = limit(kernel::memory_file(group));
    format!("{} {memory} {}", groups.join(" "), limit(group.pids.join("pids.max")))
}
