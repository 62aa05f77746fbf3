//! The command in its own namespaces.

use std::collections::BTreeSet;

use labkit::host::Host;
use labkit::verdict::{Evidence, Finding};
use mydocker_kernel::mountinfo::Change;

use crate::diagnose::{self, has_path};
use crate::facts::Facts;
use crate::observe::observe;
use crate::program::Program;
use crate::running::{Ended, NAMESPACES};
use crate::seen::Fate;

/// One container, whose command is successful.
pub const ONE: &[Fate] = &[Fate::Exit(0)];

pub fn process_1(program: &Program, host: &Host) -> Result<(), Finding> {
    let facts = observe(program, host, ONE)?;
    let pid = facts.says("pid");
    let is_in = facts.first_process().is_some_and(|it| it.own_namespaces.contains("pid"));
    let seen = match pid {
        Some("1") => "1, as on the host",
        Some(_) => "another PID",
        None => "-",
    };
    let evidence = Evidence::differs("echo $$ in the container", "1", seen);
    facts.require_of_command(is_in && pid == Some("1"), vec![evidence], &[diagnose::pid])
}

pub fn namespaces(program: &Program, host: &Host) -> Result<(), Finding> {
    let facts = observe(program, host, ONE)?;
    let none = BTreeSet::new();
    let own = facts.first_process().map_or(&none, |it| &it.own_namespaces);
    let seen: Vec<&str> = NAMESPACES.into_iter().filter(|name| own.contains(*name)).collect();
    let what = "/proc/PID/ns, those that are not the host's";
    let evidence = Evidence::differs(what, NAMESPACES.join(" "), seen.join(" "));
    // They have nothing to do with where the command is run.
    facts.require_of_command(seen == NAMESPACES, vec![evidence], &[diagnose::namespaces])
}

pub fn proc(program: &Program, host: &Host) -> Result<(), Finding> {
    let facts = observe(program, host, ONE)?;
    let has_namespace = facts.first_process().is_some_and(|it| it.own_namespaces.contains("pid"));
    let seen = match facts.says("proc") {
        None => "ENOENT (No such file or directory)",
        seen if seen != facts.says("pid") => "another PID",
        Some(_) if has_namespace => "$$",
        Some(_) => "$$, in the host's PID namespace",
    };
    let what = "the first word of /proc/self/stat, read by the command";
    // If it were mounted on the host, the container would have none.
    let evidence = Some(Evidence::differs(what, "$$", seen)).into_iter().chain(facts.leaks());
    let is_its_own = seen == "$$" && facts.leaks().is_none();
    let own = &[diagnose::pid_namespace, diagnose::ignored, diagnose::proc];
    facts.require_of_command(is_its_own, evidence.collect(), own)
}

pub fn host_mounts(program: &Program, host: &Host) -> Result<(), Finding> {
    let facts = observe(program, host, ONE)?;
    let mut evidence: Vec<Evidence> = facts.leaks().into_iter().collect();
    for run in &facts.runs {
        let tables = [run.host_while.as_ref(), Some(&run.host_after)];
        let has_changed = |table: &&String| {
            let mut changes = facts.host_changes(table).into_iter();
            changes.any(|change| !matches!(change, Change::Mounted { .. }))
        };
        let changed = tables.into_iter().flatten().find(has_changed);
        evidence.extend(changed.map(|table| facts.host_evidence(table)));
    }
    facts.require_of_command(evidence.is_empty(), evidence, &[diagnose::host])
}

pub fn exit_code(program: &Program, host: &Host) -> Result<(), Finding> {
    let fates = &[Fate::Exit(0), Fate::Exit(7), Fate::NoCommand, Fate::NotExecutable];
    let facts = observe(program, host, fates)?;
    require_codes(&facts, &[0, 7, 127, 126])
}

pub fn signal(program: &Program, host: &Host) -> Result<(), Finding> {
    let facts = observe(program, host, &[Fate::Killed])?;
    require_codes(&facts, &[137])
}

fn require_codes(facts: &Facts, expected: &[i32]) -> Result<(), Finding> {
    let list = |codes: &mut dyn Iterator<Item = Ended>| {
        codes.map(|ended| ended.to_string()).collect::<Vec<_>>().join(", ")
    };
    let seen = list(&mut facts.runs.iter().map(|run| run.ended));
    let expected = list(&mut expected.iter().map(|code| Ended::Exited(*code)));
    let evidence = Evidence::differs("the exit codes of mydocker", &expected, &seen);
    facts.require_of_command(seen == expected, vec![evidence], &[diagnose::panicked, diagnose::end])
}

pub fn arguments(program: &Program, host: &Host) -> Result<(), Finding> {
    let facts = observe(program, host, &[Fate::Arguments])?;
    let argument = |number| facts.says(&format!("argument {number}"));
    let seen: Vec<&str> = (1..).map_while(argument).collect();
    let expected = ["<a  b>", "<>", "<$HOME>"];
    let what = "the arguments of a script in the container";
    let evidence = Evidence::differs(what, expected.join(" "), seen.join(" "));
    facts.require_of_command(seen == expected, vec![evidence], &[diagnose::arguments])
}

pub fn environment(program: &Program, host: &Host) -> Result<(), Finding> {
    let facts = observe(program, host, &[Fate::Environment])?;
    let variables = facts.first_process().map_or(&[][..], |it| it.environment.as_slice());
    let name = |variable: &'_ String| variable.split('=').next().unwrap_or_default().to_owned();
    let names: Vec<String> = variables.iter().map(name).collect();
    let what = "the variables that the command gets";
    let evidence = Evidence::differs(what, "PATH, and others", names.join(" "));
    facts.require_of_command(has_path(variables), vec![evidence], &[diagnose::environment])
}
