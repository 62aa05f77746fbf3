//! From what was seen of a container to what was done.

use std::path::Path;

use labkit::verdict::Finding;
use mydocker::mountinfo::Mount;

use crate::attempt::FAILED;
use crate::caller::{FOR_CHILDREN, State};
use crate::container::{Facts, Given, mounts_on_proc};
use crate::probe::ARGUMENTS;

impl Facts {
    /// The diagnosis: what the host has suffered first, then what the command
    /// lacks, then what it has too much of. Nothing if no rule knows it.
    pub fn diagnose(&self) -> Option<Finding> {
        let started = self.started();
        if let Err(failure) = &started.returned {
            let finding = Finding::new("answer/returned-error");
            return Some(finding.word("function", "start").word("error", failure));
        }
        if started.state == State::NoChild {
            return Some(Finding::new("answer/did-nothing").word("function", "start"));
        }
        if started.report.is_none() {
            return self.did_not_run();
        }
        if started.state == State::Reaped {
            return code("start-waits");
        }
        self.mount_namespace()
            .or_else(|| self.arguments())
            .or_else(|| self.pid_namespace())
            .or_else(|| self.proc_file_system())
            .or_else(|| self.other_namespaces())
            .or_else(|| self.environment())
            .or_else(|| self.caller())
    }

    /// Why the child has not become the command; it may still be on its way.
    fn did_not_run(&self) -> Option<Finding> {
        let State::Ended(code) = self.started().state_after else { return None };
        if self.given == Given::Name && code != FAILED {
            return Some(finding("path-not-searched"));
        }
        Some(finding("command-never-ran").word("code", code))
    }

    /// Whether mounts pass between the container and the host.
    fn mount_namespace(&self) -> Option<Finding> {
        if !self.is_new("mnt") {
            return code("no-mount-namespace");
        }
        let mut mounts = self.mounts.mounts.iter();
        let shared: Vec<&Mount> = mounts.clone().filter(|mount| mount.is_shared()).collect();
        if self.mounts.at(Path::new("/")).is_some_and(Mount::is_shared) {
            return code("propagation-left-shared");
        }
        if !shared.is_empty() {
            return code("private-not-recursive");
        }
        if !self.seen.host_changes().is_empty() {
            return code("private-too-late");
        }
        let gets = |mount: &Mount| mount.optional_fields.iter().any(|it| it.starts_with("master:"));
        mounts.any(gets).then(|| finding("slave-not-private"))
    }

    fn arguments(&self) -> Option<Finding> {
        let seen = &self.report().arguments;
        if *seen == ARGUMENTS {
            return None;
        }
        if *seen == ARGUMENTS[1..] {
            return code("first-argument-lost");
        }
        let letters = |words: String| words.replace(' ', "");
        let same_letters = letters(seen.concat()) == letters(ARGUMENTS.concat());
        same_letters.then(|| finding("arguments-joined"))
    }

    /// Whether the command is the first process of a PID namespace.
    fn pid_namespace(&self) -> Option<Finding> {
        if self.is_new("pid") {
            return (self.report().pid != "1").then(|| finding("spawned-not-executed"));
        }
        if self.report().pid == "1" {
            return code("process-between");
        }
        let unshared = self.is_other(FOR_CHILDREN);
        code(if unshared { "unshare-without-fork" } else { "no-pid-namespace" })
    }

    /// Whether /proc is one of that namespace.
    fn proc_file_system(&self) -> Option<Finding> {
        if !self.proc_is_its_own() {
            let is_one_more = mounts_on_proc(&self.mounts).count()
                > mounts_on_proc(&self.seen.host_before).count();
            return code(if is_one_more {
                "proc-before-pid-namespace"
            } else {
                "proc-not-mounted"
            });
        }
        let lacks = self.proc_lacks();
        (!lacks.is_empty()).then(|| finding("proc-without-flags").word("flags", lacks.join(", ")))
    }

    fn other_namespaces(&self) -> Option<Finding> {
        let codes = [
            ("uts", "no-uts-namespace"),
            ("ipc", "no-ipc-namespace"),
            ("net", "no-network-namespace"),
        ];
        codes.into_iter().find(|(kind, _)| !self.is_new(kind)).map(|(_, code)| finding(code))
    }

    fn environment(&self) -> Option<Finding> {
        self.report().canary.is_empty().then(|| finding("environment-lost"))
    }

    /// Whether the caller itself has moved to other namespaces.
    fn caller(&self) -> Option<Finding> {
        let started = self.started();
        (started.own_before != started.own_after).then(|| finding("caller-moved"))
    }
}

pub fn finding(code: &str) -> Finding {
    Finding::new(format!("run/{code}"))
}

fn code(code: &str) -> Option<Finding> {
    Some(finding(code))
}
