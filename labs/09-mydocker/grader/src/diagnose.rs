//! From what was seen to what is wrong.

mod in_files;

use labkit::verdict::{Finding, NOT_WRITTEN};
use mydocker::mountinfo::Change;

use crate::facts::Facts;
use crate::first_process::FirstProcess;
use crate::running::{Ended, PRINTED};
use crate::trial::{Fate, Run};

pub use in_files::{devices, files, image, image_layer, layers, links, mnt, modes, write_layer};

/// A rule: its diagnosis, if that fits what was seen.
pub type Rule = fn(&Facts) -> Option<Finding>;

/// The diagnosis that fits. `own` are the rules that the promise's own evidence
/// belongs to. Without an answer from these: what was done to the host, mounts
/// first, for files are lost by them; then what kept containers from running, what
/// they saw, and at last what they left.
pub fn diagnose(facts: &Facts, own: &[Rule]) -> Option<Finding> {
    let first: [Rule; 3] = [not_written, panicked, ignored];
    let last: [Rule; 17] = [
        host,
        harm,
        start,
        pid,
        proc,
        namespaces,
        arguments,
        environment,
        old_root,
        cwd,
        chroot,
        descriptors,
        image,
        end,
        layers,
        left,
        volume,
    ];
    first.iter().chain(own).chain(&last).find_map(|rule| rule(facts))
}

fn code(code: &str) -> Option<Finding> {
    Some(Finding::new(format!("mydocker/{code}")))
}

/// The starter, as far as it is one.
fn not_written(facts: &Facts) -> Option<Finding> {
    let all = facts.runs.iter().chain(facts.unprepared.iter().map(|(_, run)| run));
    let has_panicked = |run: &Run| {
        run.says(PRINTED).is_some_and(|printed| printed.contains("not yet implemented"))
    };
    all.into_iter()
        .any(has_panicked)
        .then(|| Finding::new(NOT_WRITTEN).word("function", "mydocker"))
}

/// The program has crashed: its runtime says so.
fn panicked(facts: &Facts) -> Option<Finding> {
    let unprepared = facts.unprepared.iter().map(|(_, run)| run);
    let mut printed = facts.runs.iter().chain(unprepared).filter_map(|run| run.says(PRINTED));
    let words = printed.find_map(|printed| {
        let is_of_go =
            |line: &&str| ["panic: ", "fatal error: "].iter().any(|it| line.starts_with(it));
        let is_of_rust =
            |line: &&str| line.starts_with("thread '") && line.contains(" panicked at ");
        let has_stack = printed.lines().any(|line| line.starts_with("goroutine "));
        printed.lines().find(|line| has_stack && is_of_go(line) || is_of_rust(line))
    })?;
    Some(code("panicked")?.word("words", words))
}

/// What happened to the files of the host.
pub fn harm(facts: &Facts) -> Option<Finding> {
    let run = facts.runs.iter().find(|run| !run.volume.is_intact)?;
    // Without its mounts nobody finds the host's files any more.
    if let Some(unmounted) = host(facts).filter(|it| it.words.contains_key("harm")) {
        return Some(unmounted);
    }
    code(if run.fate == Fate::Busy { "failed-umount-ignored" } else { "volume-emptied" })
}

/// What happened to the host's own mounts.
pub fn host(facts: &Facts) -> Option<Finding> {
    for run in &facts.runs {
        let tables = [run.host_while.as_deref(), Some(run.host_after.as_str())];
        for table in tables.into_iter().flatten().filter(|table| !table.is_empty()) {
            if facts.host_changes(table).iter().any(|it| matches!(it, Change::Umounted { .. })) {
                return Some(code("host-unmounted")?.word("harm", "mounts"));
            }
        }
        let has_its_own = run.in_passing.own_namespaces.contains("mnt");
        match run.in_passing.leaked.first() {
            Some(leaked) if has_its_own => {
                return Some(code("propagation-left-shared")?.word("change", leaked));
            }
            Some(_) => return code("no-mount-namespace"),
            None => {}
        }
        if run.first_process.as_ref().is_some_and(|it| !it.own_namespaces.contains("mnt")) {
            return code("no-mount-namespace");
        }
    }
    None
}

/// Why a container did not run, or ran where it should not.
fn start(facts: &Facts) -> Option<Finding> {
    if let Some((command, run)) = &facts.unprepared {
        let finding = code("not-prepared")?.word("status", run.ended);
        return Some(finding.word("command", command));
    }
    for run in &facts.runs {
        if facts.is_on_the_hosts_root(run) {
            return code("root-not-changed");
        }
        let mut earlier = facts.runs.iter().take_while(|it| !std::ptr::eq(*it, run));
        let was_killed = earlier.clone().any(|it| it.fate == Fate::ProgramKilled);
        let has_said = match run.fate {
            Fate::Arguments => run.says("count").is_some(),
            Fate::Environment => run.says("environment").is_some(),
            // What is only printed, by no process, is no beginning.
            fate => run.first_process.is_some() || !fate.has_probe(),
        };
        if !has_said {
            if was_killed {
                return code("no-recovery");
            }
            // What the one before has left is in the way.
            if earlier.any(|it| has_mounts(facts, it)) {
                return left(facts);
            }
            if facts.runs[0].fate == Fate::NoImage && run.has_half_an_image {
                return code("half-image");
            }
            return Some(code("did-not-run")?.word("status", run.ended));
        }
    }
    None
}

/// The command was run where the start had failed.
pub fn ignored(facts: &Facts) -> Option<Finding> {
    let is_ignored = |run: &Run| match run.fate {
        Fate::NoImage => run.says("pid").is_some(),
        Fate::NoPivot => facts.is_on_the_hosts_root(run) && run.in_passing.was_refused,
        _ => false,
    };
    if facts.runs.iter().any(is_ignored) { code("failure-ignored") } else { None }
}

/// Which process of which PID namespace the command is.
pub fn pid(facts: &Facts) -> Option<Finding> {
    for run in &facts.runs {
        if let Some(first) = &run.first_process {
            let is_first = run.says("pid") == Some("1");
            if !is_first && first.only_its_children_are_in {
                return code("pid-namespace-without-fork");
            }
            if !first.own_namespaces.contains("pid") {
                return code("no-pid-namespace");
            }
            if !is_first {
                return code("not-the-first-process");
            }
        }
    }
    None
}

/// Whose /proc the container has.
pub fn proc(facts: &Facts) -> Option<Finding> {
    let run = facts.runs.iter().find(|run| run.first_process.is_some())?;
    match run.says("proc") {
        None => code("proc-not-mounted"),
        Some("1") => None,
        Some(_) => code("proc-of-the-host"),
    }
}

/// What else the container shares with the host.
pub fn namespaces(facts: &Facts) -> Option<Finding> {
    let first = first_processes(facts).next()?;
    let is_shared = |name: &&&str| !first.own_namespaces.contains(**name);
    let shared: Vec<&str> = ["uts", "ipc"].iter().filter(is_shared).copied().collect();
    if shared.is_empty() {
        return None;
    }
    Some(code("namespaces-shared")?.word("names", shared.join(", ")))
}

/// How the command was called.
pub fn arguments(facts: &Facts) -> Option<Finding> {
    let run = facts.runs.iter().find(|run| run.says("count").is_some())?;
    let mut arguments = run.said.iter().filter(|(name, _)| name.starts_with("argument "));
    let is_literal = arguments.any(|(_, argument)| argument == "<$HOME>");
    code(if is_literal { "arguments-split" } else { "arguments-through-a-shell" })
}

/// With which environment it was.
pub fn environment(facts: &Facts) -> Option<Finding> {
    let run = facts.runs.iter().find(|run| run.says("environment").is_some())?;
    let variables = variables(run.says(PRINTED).unwrap_or_default());
    if variables.is_empty() {
        return code("environment-empty");
    }
    if has_path(&variables) { None } else { code("path-lost") }
}

/// The variables among what was printed: a program may say other things too.
pub fn variables(printed: &str) -> Vec<(&str, &str)> {
    let is_name = |name: &str| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let variables = printed.lines().filter_map(|line| line.split_once('='));
    variables.filter(|(name, _)| is_name(name)).collect()
}

/// Whether a PATH is among them.
pub fn has_path(variables: &[(&str, &str)]) -> bool {
    variables.iter().any(|(name, value)| *name == "PATH" && !value.is_empty())
}

/// Whether the host's files are mounted in the container.
pub fn old_root(facts: &Facts) -> Option<Finding> {
    let place = first_processes(facts).find_map(|it| it.shows_the_host.first())?;
    Some(code("old-root-left")?.word("place", place))
}

/// Whether the command works outside.
pub fn cwd(facts: &Facts) -> Option<Finding> {
    first_processes(facts).any(|it| it.works_outside).then(|| code("cwd-outside"))?
}

/// Whether it gets outside by chroot.
pub fn chroot(facts: &Facts) -> Option<Finding> {
    first_processes(facts).any(|it| it.can_break_out).then(|| code("chroot-only"))?
}

/// What it has open.
pub fn descriptors(facts: &Facts) -> Option<Finding> {
    let leads_to = first_processes(facts).find_map(|it| it.descriptors.first())?;
    Some(code("descriptors-inherited")?.word("leads_to", leads_to))
}

fn first_processes(facts: &Facts) -> impl Iterator<Item = &FirstProcess> {
    facts.runs.iter().filter_map(|run| run.first_process.as_ref())
}

/// The containers in which the probe has come to its end.
fn changed(facts: &Facts) -> impl Iterator<Item = &Run> {
    facts.runs.iter().filter(|run| run.says("changed").is_some())
}

/// What the program said in the end.
pub fn end(facts: &Facts) -> Option<Finding> {
    for run in &facts.runs {
        let (expected, name) = match run.fate {
            Fate::Exit(expected) if run.first_process.is_some() => (expected, "exit-code-lost"),
            Fate::Killed => (137, "signal-lost"),
            Fate::NoCommand if run.ended == Ended::Exited(0) => (127, "exit-code-lost"),
            _ => continue,
        };
        // An error of the clean-up is told in place of a success, and is another fault.
        let is_of_the_clean_up = expected == 0
            && run.ended != Ended::Exited(0)
            && (has_mounts(facts, run) || !run.volume.is_intact);
        if run.ended != Ended::Exited(expected) && !is_of_the_clean_up {
            return Some(code(name)?.word("expected", expected).word("status", run.ended));
        }
    }
    let has_failed = |run: &Run| run.fate == Fate::NoImage || run.in_passing.was_refused;
    let mut failed = facts.runs.iter().filter(|run| has_failed(run));
    if failed.any(|run| run.ended == Ended::Exited(0)) { code("failure-not-told") } else { None }
}

fn has_mounts(facts: &Facts, run: &Run) -> bool {
    !run.host_after.is_empty() && facts.host_changes(&run.host_after).iter().any(is_mounted)
}

/// What is there after the end.
pub fn left(facts: &Facts) -> Option<Finding> {
    let mut was_killed = false;
    for run in &facts.runs {
        let has_mounts = has_mounts(facts, run);
        let has_files = !run.left_in_write_layer.is_empty() || !run.left_in_mnt.is_empty();
        match run.fate {
            Fate::Busy if run.worked_in_mnt && run.left_in_write_layer.is_empty() => {
                return code(if has_mounts { "failed-umount-ignored" } else { "lazy-umount" });
            }
            Fate::ProgramKilled | Fate::Busy => was_killed = true,
            _ if was_killed && (has_mounts || has_files) => return code("no-recovery"),
            Fate::Exit(0) if has_mounts => return code("mounts-left"),
            Fate::Exit(0) if has_files => return code("write-layer-kept"),
            Fate::NoVolume if has_mounts || has_files => return code("failed-start-left"),
            _ if has_mounts || has_files => return code("clean-up-only-on-success"),
            _ => {}
        }
        if run.says("earlier").is_some() {
            if run.image_has_new {
                return image_layer(facts);
            }
            return code("write-layer-kept");
        }
    }
    None
}

/// What the container and the host see of each other in the volume. A folder that
/// is empty is none of the host's.
pub fn volume(facts: &Facts) -> Option<Finding> {
    let run = changed(facts).find(|run| facts.has_volume && !run.volume.has_new)?;
    let sees_files = run.says("volume") == Some(&facts.volumes_words);
    code(if sees_files { "volume-is-a-copy" } else { "volume-not-mounted" })
}

/// Whether something was mounted.
pub fn is_mounted(change: &Change) -> bool {
    matches!(change, Change::Mounted { .. })
}
