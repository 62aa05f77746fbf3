//! From what was seen to what is wrong.

use labkit::verdict::{Finding, NOT_WRITTEN};
use mydocker::mountinfo::Change;

use crate::facts::Facts;
use crate::image::FILES;
use crate::running::{Ended, PRINTED};
use crate::trial::{Fate, Run};

/// The diagnosis that fits: harm to the host first, then what kept containers
/// from running, then what they saw, and at last what they left.
pub fn diagnose(facts: &Facts) -> Option<Finding> {
    let rules = [not_written, harm, host, start, isolation, root, image, end, layers, rest];
    rules.into_iter().find_map(|rule| rule(facts))
}

fn code(code: &str) -> Option<Finding> {
    Some(Finding::new(format!("mydocker/{code}")))
}

/// The starter, as far as it is one.
fn not_written(facts: &Facts) -> Option<Finding> {
    let all = facts.runs.iter().chain(&facts.unprepared);
    let has_panicked = |run: &Run| {
        run.says(PRINTED).is_some_and(|printed| printed.contains("not yet implemented"))
    };
    all.into_iter()
        .any(has_panicked)
        .then(|| Finding::new(NOT_WRITTEN).word("function", "mydocker"))
}

/// What happened to the files of the host.
fn harm(facts: &Facts) -> Option<Finding> {
    let run = facts.runs.iter().find(|run| !run.volume.is_intact)?;
    // Without its mounts nobody finds the host's files any more.
    if let Some(unmounted) = host(facts).filter(|it| it.words.contains_key("harm")) {
        return Some(unmounted);
    }
    code(if run.fate == Fate::Busy { "failed-umount-ignored" } else { "volume-emptied" })
}

/// What happened to the host's own mounts.
fn host(facts: &Facts) -> Option<Finding> {
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
    if let Some(run) = &facts.unprepared {
        return Some(code("did-not-run")?.word("status", run.ended));
    }
    for run in &facts.runs {
        // What is only printed, by no process, is no beginning.
        let has_begun = match run.fate.has_probe() {
            true => run.first_process.is_some(),
            false => run.says("pid").is_some(),
        };
        let ran_on_the_host = run.says("words") == Some(&facts.hosts_words);
        match run.fate {
            Fate::NoImage if has_begun => return code("failure-ignored"),
            Fate::NoPivot if ran_on_the_host && run.in_passing.was_refused => {
                return code("failure-ignored");
            }
            _ => {}
        }
        if ran_on_the_host {
            return code("root-not-changed");
        }
        let is_later = facts.runs.iter().take_while(|it| !std::ptr::eq(*it, run));
        let was_killed = is_later.into_iter().any(|it| it.fate == Fate::ProgramKilled);
        let has_said = match run.fate {
            Fate::Arguments => run.says("count").is_some(),
            Fate::Environment => environment(run).is_some_and(|text| text.contains('=')),
            fate => has_begun || !fate.has_probe(),
        };
        if !has_said {
            if was_killed {
                return code("no-recovery");
            }
            if facts.runs[0].fate == Fate::NoImage && run.has_half_an_image {
                return code("half-image");
            }
            return Some(code("did-not-run")?.word("status", run.ended));
        }
    }
    None
}

/// What `env` has printed.
fn environment(run: &Run) -> Option<&str> {
    run.says(PRINTED).filter(|_| run.fate == Fate::Environment)
}

/// What the container shares with the host, and how its command was called.
fn isolation(facts: &Facts) -> Option<Finding> {
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
            match run.says("proc") {
                None => return code("proc-not-mounted"),
                Some("1") => {}
                Some(_) => return code("proc-of-the-host"),
            }
            let is_shared = |name: &&&str| !first.own_namespaces.contains(**name);
            let shared: Vec<&str> = ["uts", "ipc"].iter().filter(is_shared).copied().collect();
            if !shared.is_empty() {
                return Some(code("namespaces-shared")?.word("names", shared.join(", ")));
            }
        }
        if run.says("count").is_some() {
            let mut arguments = run.said.iter().filter(|(name, _)| name.starts_with("argument "));
            let is_literal = arguments.any(|(_, argument)| argument == "<$HOME>");
            return code(if is_literal { "arguments-split" } else { "arguments-through-a-shell" });
        }
        if environment(run).is_some_and(|text| !has_path(text)) {
            return code("path-lost");
        }
    }
    None
}

/// Whether there is a PATH in what `env` has printed.
pub fn has_path(environment: &str) -> bool {
    environment.lines().any(|line| line.strip_prefix("PATH=").is_some_and(|it| !it.is_empty()))
}

/// What of the host the container can reach.
fn root(facts: &Facts) -> Option<Finding> {
    for first in facts.runs.iter().filter_map(|run| run.first_process.as_ref()) {
        if let Some(place) = first.shows_the_host.first() {
            return Some(code("old-root-left")?.word("place", place));
        }
        if first.works_outside {
            return code("cwd-outside");
        }
        if first.can_break_out {
            return code("chroot-only");
        }
        if let Some(leads_to) = first.descriptors.first() {
            return Some(code("descriptors-inherited")?.word("leads_to", leads_to));
        }
    }
    None
}

/// What the container's root file system is like.
fn image(facts: &Facts) -> Option<Finding> {
    for run in facts.runs.iter().filter(|run| run.says("changed").is_some()) {
        if run.says("hidden") != Some(&facts.words) {
            return code("files-missing");
        }
        for (path, expected) in FILES {
            let seen = run.says(path).unwrap_or("-");
            if seen == expected {
                continue;
            }
            let without_time = |text: &str| text.rsplit_once(' ').map(|(it, _)| it.to_owned());
            let has_mode = without_time(seen) == without_time(expected);
            let finding = code(if has_mode { "times-lost" } else { "modes-lost" })?;
            return Some(finding.word("path", path));
        }
        if run.says("link") != Some("words") {
            return code("links-followed");
        }
        if run.says("twins").is_none() {
            return code("hard-links-copied");
        }
    }
    None
}

/// What the program said in the end.
fn end(facts: &Facts) -> Option<Finding> {
    for run in &facts.runs {
        let (expected, name) = match run.fate {
            Fate::Exit(expected) if run.first_process.is_some() => (expected, "exit-code-lost"),
            Fate::Killed => (137, "signal-lost"),
            Fate::NoCommand if run.ended == Ended::Exited(0) => (127, "exit-code-lost"),
            _ => continue,
        };
        if run.ended != Ended::Exited(expected) {
            return Some(code(name)?.word("expected", expected).word("status", run.ended));
        }
    }
    let has_failed = |run: &Run| run.fate == Fate::NoImage || run.in_passing.was_refused;
    let mut failed = facts.runs.iter().filter(|run| has_failed(run));
    if failed.any(|run| run.ended == Ended::Exited(0)) { code("failure-not-told") } else { None }
}

/// Where the container's changes are.
fn layers(facts: &Facts) -> Option<Finding> {
    let is_new = |new: &Option<String>| new.as_ref() == Some(&facts.words);
    if facts.runs.len() > 1 && !facts.has_image {
        return code("image-deleted");
    }
    if !facts.image_changes.is_empty() {
        return Some(code("image-written")?.word("path", &facts.image_changes[0]));
    }
    for run in facts.runs.iter().filter(|run| run.says("changed").is_some()) {
        if run.image_has_new {
            return Some(code("image-written")?.word("path", "/root/exam/new"));
        }
        if run.write_layer.as_ref().is_some_and(|layer| !is_new(&layer.new)) {
            return code("write-layer-unused");
        }
        if run.mnt.as_ref().is_some_and(|mnt| !is_new(&mnt.new)) {
            return code("mnt-not-on-the-host");
        }
    }
    None
}

/// What is there after the end.
fn rest(facts: &Facts) -> Option<Finding> {
    let mut was_killed = false;
    for run in &facts.runs {
        let has_mounts = !run.host_after.is_empty()
            && facts.host_changes(&run.host_after).iter().any(is_mounted);
        let has_files = !run.left_in_write_layer.is_empty() || !run.left_in_mnt.is_empty();
        match run.fate {
            Fate::ProgramKilled | Fate::Busy => was_killed = true,
            _ if was_killed && (has_mounts || has_files) => return code("no-recovery"),
            Fate::Exit(0) if has_mounts => return code("mounts-left"),
            Fate::Exit(0) if has_files => return code("write-layer-kept"),
            _ if has_mounts || has_files => return code("clean-up-only-on-success"),
            _ => {}
        }
        if run.says("earlier").is_some() {
            return code("write-layer-kept");
        }
        if facts.has_volume && run.says("changed").is_some() && run.says("volume").is_none() {
            return code("volume-not-mounted");
        }
    }
    let has_written = facts.runs.iter().any(|run| run.says("volume").is_some());
    let has_new = facts.runs.iter().any(|run| run.volume.has_new);
    if has_written && !has_new { code("volume-is-a-copy") } else { None }
}

/// Whether something was mounted.
pub fn is_mounted(change: &Change) -> bool {
    matches!(change, Change::Mounted { .. })
}
