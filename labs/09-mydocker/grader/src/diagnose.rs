//! From what was seen to what is wrong.

mod in_files;
mod unwritten;

use labkit::verdict::{Finding, NOT_WRITTEN};
use mydocker_kernel::mountinfo::Change;

use crate::facts::Facts;
use crate::first_process::FirstProcess;
use crate::running::{Ended, PRINTED};
use crate::seen::{Fate, Run};

pub use in_files::{
    devices, files, image, image_layer, layers, links, mnt, modes, unknown_write_layer, write_layer,
};

/// A rule: its diagnosis, if that fits what was seen.
pub type Rule = fn(&Facts) -> Option<Finding>;

/// The diagnosis that fits. `own` are the rules to which the promise's own evidence
/// belongs: the fault that breaks it comes before those that break others.
/// Without an answer from these: a crash or an error that was ignored; what was done
/// to the host, mounts first, because they lose files; then what kept containers
/// from running, what they saw, and at last what they left.
pub fn diagnose(facts: &Facts, own: &[Rule]) -> Option<Finding> {
    let first: [Rule; 2] = [not_written, aufs];
    let last: [Rule; 21] = [
        panicked,
        ignored,
        fallback,
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
        earlier,
        volume,
    ];
    first.iter().chain(own).chain(&last).find_map(|rule| rule(facts))
}

fn code(code: &str) -> Option<Finding> {
    Some(Finding::new(format!("mydocker/{code}")))
}

/// The starter, as far as nothing else has been written.
pub fn not_written(facts: &Facts) -> Option<Finding> {
    let all = facts.runs.iter().chain(facts.unprepared.iter().map(|(_, run)| run));
    let function = all.filter_map(|run| run.says(PRINTED)).find_map(unwritten::function)?;
    Some(Finding::new(NOT_WRITTEN).word("function", function))
}

/// The program has crashed: its runtime says so.
pub fn panicked(facts: &Facts) -> Option<Finding> {
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
    // Without its mounts, nobody finds the host's files any more.
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
            Fate::Environment => run.first_process.is_some(),
            Fate::NoPivot => run.first_process.is_some() || run.in_passing.was_refused,
            // A line that no process of the probe has printed does not count as a start.
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
            // pivot_root says EINVAL where a mount is shared.
            let shared = run.in_passing.propagated.first();
            if let Some(change) = shared.filter(|_| run.in_passing.called_pivot_root) {
                return Some(code("propagation-left-shared")?.word("change", change));
            }
            return Some(code("did-not-run")?.word("status", run.ended));
        }
    }
    None
}

/// The command finds the host's files where the image's should be.
pub fn on_the_hosts_root(facts: &Facts) -> Option<Finding> {
    if facts.has_run_on_the_host() { code("root-not-changed") } else { None }
}

/// The command was run where the start had failed.
pub fn ignored(facts: &Facts) -> Option<Finding> {
    // If the root is never changed, no step could fail.
    let is_on_the_hosts =
        |run: &Run| facts.is_on_the_hosts_root(run) && !run.in_passing.called_pivot_root;
    let tries = !facts.runs.iter().any(|it| it.fate != Fate::NoImage && is_on_the_hosts(it));
    let is_ignored = |run: &Run| match run.fate {
        Fate::NoImage => tries && run.says("pid").is_some(),
        // Not only where the grader has made it fail: it can fail by itself.
        _ => facts.is_on_the_hosts_root(run) && run.in_passing.called_pivot_root,
    };
    if facts.runs.iter().any(is_ignored) { code("failure-ignored") } else { None }
}

/// The command was run in the image all the same, though pivot_root had failed.
pub fn fallback(facts: &Facts) -> Option<Finding> {
    let has_other_way = |run: &Run| run.in_passing.was_refused && run.first_process.is_some();
    if facts.runs.iter().any(has_other_way) { code("pivot-replaced") } else { None }
}

/// There is no AUFS here, and the program has asked for it; no container has come
/// to run without.
fn aufs(facts: &Facts) -> Option<Finding> {
    let asked = facts.runs.iter().any(|run| run.in_passing.asked_for_aufs);
    // A command that ran on the host's root has run, and did harm: that is another fault.
    let ran = |run: &Run| ["pid", "count"].iter().any(|fact| run.says(fact).is_some());
    let has_run = facts.runs.iter().any(|run| ran(run) || run.first_process.is_some());
    if asked && !facts.kernel_has_aufs && !has_run { code("aufs-missing") } else { None }
}

/// Which process of which PID namespace the command is.
pub fn pid(facts: &Facts) -> Option<Finding> {
    let is_another = |run: &Run| run.first_process.is_some() && run.says("pid") != Some("1");
    let is_not_first = || facts.runs.iter().any(is_another);
    pid_namespace(facts).or_else(|| is_not_first().then(|| code("not-the-first-process"))?)
}

/// Whether the command is in its own PID namespace.
pub fn pid_namespace(facts: &Facts) -> Option<Finding> {
    for run in &facts.runs {
        if let Some(first) = &run.first_process {
            if run.says("pid") != Some("1") && first.only_its_children_are_in {
                return code("pid-namespace-without-fork");
            }
            if !first.own_namespaces.contains("pid") {
                return code("no-pid-namespace");
            }
        }
    }
    None
}

/// Whose /proc the container has: in its own, /proc/self is the process that looks.
pub fn proc(facts: &Facts) -> Option<Finding> {
    let run = facts.runs.iter().find(|run| run.first_process.is_some())?;
    match run.says("proc") {
        None => code("proc-not-mounted"),
        seen if seen == run.says("pid") => None,
        Some(_) => code("proc-of-the-host"),
    }
}

/// What the container shares with the host.
pub fn namespaces(facts: &Facts) -> Option<Finding> {
    let first = first_processes(facts).next()?;
    if !first.own_namespaces.contains("mnt") {
        return code("no-mount-namespace");
    }
    if let Some(finding) = pid_namespace(facts) {
        return Some(finding);
    }
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
    if run.says("count") == Some("0") {
        return code("arguments-dropped");
    }
    let mut arguments = run.said.iter().filter(|(name, _)| name.starts_with("argument "));
    let is_literal = arguments.any(|(_, argument)| argument == "<$HOME>");
    code(if is_literal { "arguments-split" } else { "arguments-through-a-shell" })
}

/// With which environment it was.
pub fn environment(facts: &Facts) -> Option<Finding> {
    let variables = &first_processes(facts).next()?.environment;
    if variables.is_empty() {
        return code("environment-empty");
    }
    if has_path(variables) { None } else { code("path-lost") }
}

/// Whether a PATH is among some variables.
pub fn has_path(variables: &[String]) -> bool {
    variables.iter().any(|it| it.strip_prefix("PATH=").is_some_and(|value| !value.is_empty()))
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
            Fate::Killed if run.first_process.is_some() => (137, "signal-lost"),
            Fate::NoCommand if run.ended != Ended::Exited(0) => (127, "start-code-lost"),
            Fate::NotExecutable if run.ended != Ended::Exited(0) => (126, "start-code-lost"),
            _ => continue,
        };
        // An error of the clean-up is told in place of the command's code, and is another
        // fault.
        let is_of_the_clean_up = run.ended != Ended::Exited(0)
            && (expected == 0 && has_mounts(facts, run)
                || !run.volume.is_intact
                || has_lost_mounts(facts, run));
        if run.ended != Ended::Exited(expected) && !is_of_the_clean_up {
            return Some(code(name)?.word("expected", expected).word("status", run.ended));
        }
    }
    failure_not_told(facts)
}

/// A start failed, and the program said that all is well.
pub fn failure_not_told(facts: &Facts) -> Option<Finding> {
    let has_failed = |run: &Run| match run.fate {
        Fate::NoImage | Fate::NoCommand | Fate::NotExecutable => true,
        _ => run.in_passing.was_refused && run.first_process.is_none(),
    };
    let mut failed = facts.runs.iter().filter(|run| has_failed(run));
    if failed.any(|run| run.ended == Ended::Exited(0)) { code("failure-not-told") } else { None }
}

/// Whether mounts of the host itself are gone.
fn has_lost_mounts(facts: &Facts, run: &Run) -> bool {
    let is_lost = |change: &Change| matches!(change, Change::Umounted { .. });
    !run.host_after.is_empty() && facts.host_changes(&run.host_after).iter().any(is_lost)
}

fn has_mounts(facts: &Facts, run: &Run) -> bool {
    !run.host_after.is_empty() && facts.host_changes(&run.host_after).iter().any(is_mounted)
}

/// What is left after the end.
pub fn left(facts: &Facts) -> Option<Finding> {
    let mut was_killed = false;
    for run in &facts.runs {
        let has_mounts = has_mounts(facts, run);
        let has_files = !run.left_in_write_layer.is_empty() || !run.left_in_mnt.is_empty();
        match run.fate {
            Fate::Busy if run.worked_in_mnt && run.left_in_write_layer.is_empty() => {
                return code(if has_mounts { "failed-umount-ignored" } else { "lazy-umount" });
            }
            Fate::ProgramKilled if !run.left_for_ever.is_empty() => return code("no-recovery"),
            Fate::ProgramKilled | Fate::Busy => was_killed = true,
            _ if was_killed && (has_mounts || has_files) => return code("no-recovery"),
            Fate::Exit(0) if has_mounts => return code("mounts-left"),
            Fate::Exit(0) if has_files => return code("write-layer-kept"),
            Fate::NoVolume if has_mounts || has_files => return code("failed-start-left"),
            _ if has_mounts || has_files => return code("clean-up-only-on-success"),
            _ => {}
        }
    }
    None
}

/// What a container has found of an earlier one.
pub fn earlier(facts: &Facts) -> Option<Finding> {
    let run = facts.runs.iter().find(|run| run.says("earlier").is_some())?;
    if run.image_has_new { image_layer(facts) } else { code("write-layer-kept") }
}

/// The run after a kill has not ended as the one before it.
pub fn recovery(facts: &Facts) -> Option<Finding> {
    let after_a_kill = facts.runs.iter().skip_while(|run| run.fate != Fate::ProgramKilled);
    let differs = after_a_kill.skip(1).any(|run| run.ended != facts.runs[0].ended);
    if differs { code("no-recovery") } else { None }
}

/// What the container and the host see of each other in the volume. A directory that
/// is empty is not the host's.
pub fn volume(facts: &Facts) -> Option<Finding> {
    let run = changed(facts).find(|run| facts.has_volume && !run.volume.has_new)?;
    let sees_files = run.says("volume") == Some(&facts.volumes_words);
    code(if sees_files { "volume-is-a-copy" } else { "volume-not-mounted" })
}

/// Whether something was mounted.
pub fn is_mounted(change: &Change) -> bool {
    matches!(change, Change::Mounted { .. })
}
