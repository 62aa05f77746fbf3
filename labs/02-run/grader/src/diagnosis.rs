//! From what was seen of a container to what was done.
//!
//! A promise asks only for what it is itself about: with two faults in an answer
//! each broken promise hears of the one that has broken it.

use std::path::Path;

use labkit::verdict::Finding;
use mydocker::mountinfo::{Change, Mount};

use crate::attempt::FAILED;
use crate::caller::{FOR_CHILDREN, State};
use crate::container::{Facts, Given, mounts_on_proc};
use crate::probe::ARGUMENTS;

/// What a promise asks the facts for; nothing if no rule knows it.
pub type Rule = fn(&Facts) -> Option<Finding>;

impl Facts {
    /// Why the command does not run, or why nothing more can be seen of it: then
    /// every promise is broken for this reason.
    pub fn did_not_run(&self) -> Option<Finding> {
        let started = self.started();
        if let Err(failure) = &started.returned {
            let finding = Finding::new("answer/returned-error");
            return Some(finding.word("function", "start").word("error", failure));
        }
        if started.state == State::NoChild {
            return Some(Finding::new("answer/did-nothing").word("function", "start"));
        }
        if started.report.is_none() {
            return self.ended_too_early();
        }
        (started.state == State::Reaped).then(|| finding("start-waits"))
    }

    /// Why the child has not become the command; it may still be on its way.
    fn ended_too_early(&self) -> Option<Finding> {
        let State::Ended(code) = self.started().state_after else { return None };
        if self.given == Given::Name && code != FAILED {
            return Some(finding("path-not-searched"));
        }
        Some(finding("command-never-ran").word("code", code))
    }

    /// Which namespace is the host's.
    pub fn namespaces(&self) -> Option<Finding> {
        if !self.is_new("mnt") {
            return code("no-mount-namespace");
        }
        if !self.is_new("pid") {
            return self.pid_namespace();
        }
        let codes = [
            ("uts", "no-uts-namespace"),
            ("ipc", "no-ipc-namespace"),
            ("net", "no-network-namespace"),
        ];
        codes.into_iter().find(|(kind, _)| !self.is_new(kind)).map(|(_, code)| finding(code))
    }

    /// Whether the command is the first process of a PID namespace.
    pub fn pid_namespace(&self) -> Option<Finding> {
        if self.is_new("pid") {
            return (self.report().pid != "1").then(|| finding("spawned-not-executed"));
        }
        if self.report().pid == "1" {
            return code("process-between");
        }
        let unshared = self.is_other(FOR_CHILDREN);
        code(if unshared { "unshare-without-fork" } else { "no-pid-namespace" })
    }

    /// Whether the container's mounts are linked to the host's.
    pub fn propagation(&self) -> Option<Finding> {
        if !self.is_new("mnt") {
            return code("no-mount-namespace");
        }
        if self.root_is_shared() {
            return code("propagation-left-shared");
        }
        if self.mounts.mounts.iter().any(Mount::is_shared) {
            return code("private-not-recursive");
        }
        let gets = |mount: &Mount| mount.optional_fields.iter().any(|it| it.starts_with("master:"));
        self.mounts.mounts.iter().any(gets).then(|| finding("slave-not-private"))
    }

    pub fn root_is_shared(&self) -> bool {
        self.mounts.at(Path::new("/")).is_some_and(Mount::is_shared)
    }

    /// How the host's mounts came to be others.
    pub fn host_mounts(&self) -> Option<Finding> {
        let changes = self.seen.host_changes();
        let is_new = |change: &Change| matches!(change, Change::Mounted { .. });
        let is_remounted = |change: &Change| matches!(change, Change::Remounted { .. });
        if self.is_new("mnt") && !changes.iter().any(is_new) && changes.iter().any(is_remounted) {
            return code("host-made-private");
        }
        self.propagation().filter(|found| found.code != "run/slave-not-private").or_else(|| {
            // All are private by now.
            changes.iter().any(is_new).then(|| finding("private-too-late"))
        })
    }

    /// Why the name that the caller sees is another one.
    pub fn host_name(&self) -> Option<Finding> {
        if self.is_new("uts") { self.caller() } else { code("no-uts-namespace") }
    }

    pub fn arguments(&self) -> Option<Finding> {
        let seen = &self.report().arguments;
        if *seen == ARGUMENTS[1..] {
            return code("first-argument-lost");
        }
        let letters = |words: String| words.replace(' ', "");
        let same_letters = letters(seen.concat()) == letters(ARGUMENTS.concat());
        (*seen != ARGUMENTS && same_letters).then(|| finding("arguments-joined"))
    }

    /// Why /proc shows others than the command.
    pub fn proc_shows_others(&self) -> Option<Finding> {
        let report = self.report();
        let is_beside_another = report.processes == ["1", report.pid.as_str()];
        if !self.is_new("pid") || is_beside_another {
            return self.pid_namespace();
        }
        code(if self.proc_is_mounted() { "proc-before-pid-namespace" } else { "proc-not-mounted" })
    }

    /// Why /proc lacks flags.
    pub fn proc_flags(&self) -> Option<Finding> {
        if !self.proc_is_mounted() {
            return code("proc-not-mounted");
        }
        let lacks = self.proc_lacks();
        (!lacks.is_empty()).then(|| finding("proc-without-flags").word("flags", lacks.join(", ")))
    }

    /// Whether one more is mounted on /proc than on the host's.
    pub fn proc_is_mounted(&self) -> bool {
        mounts_on_proc(&self.mounts).count() > mounts_on_proc(&self.seen.host_before).count()
    }

    pub fn environment(&self) -> Option<Finding> {
        self.report().canary.is_empty().then(|| finding("environment-lost"))
    }

    /// Whether the caller itself has moved to other namespaces.
    pub fn caller(&self) -> Option<Finding> {
        let started = self.started();
        (started.own_before != started.own_after).then(|| finding("caller-moved"))
    }
}

/// For a promise about which nothing more is known.
pub fn nothing(_: &Facts) -> Option<Finding> {
    None
}

pub fn finding(code: &str) -> Finding {
    Finding::new(format!("run/{code}"))
}

fn code(code: &str) -> Option<Finding> {
    Some(finding(code))
}
