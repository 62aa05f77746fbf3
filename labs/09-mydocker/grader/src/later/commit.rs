//! A container becomes an image.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use labkit::host::Host;
use labkit::proc::Proc;
use labkit::verdict::{Evidence, Finding};

use super::background::{Background, Outside};
use super::commit_facts::{Commit, Container, Course, Facts, lacks_attributes, lacks_content};
use super::commit_rules as rules;
use super::observe;
use super::survey::{File, Survey};
use crate::program::Program;
use crate::running::Ended;

/// No file may become larger than that when a commit must fail: less than the largest
/// file of the container, also when it is compressed.
const TOO_SMALL: u64 = 256 << 10;

pub fn written(program: &Program, host: &Host) -> Result<(), Finding> {
    let facts = look(program, host, Course::Once)?;
    let missing = facts.differing(lacks_content);
    let kept = facts.is_whole() && missing.is_empty();
    let evidence = missing.iter().map(|path| {
        let what = format!("/root/exam/{} in a container of the new image", path.display());
        Evidence::differs(what, "as in the committed container", "missing, or other contents")
    });
    rules::WRITTEN.judge(&facts, kept, || evidence.chain(facts.course_of_things()).collect())
}

pub fn deleted(program: &Program, host: &Host) -> Result<(), Finding> {
    let facts = look(program, host, Course::Once)?;
    let added = facts.added();
    let kept = facts.is_whole() && added.is_empty();
    let evidence = added.iter().map(|path| {
        let what = format!("/root/exam/{} in a container of the new image", path.display());
        Evidence::differs(what, "ENOENT (No such file or directory)", "it exists")
    });
    rules::DELETED.judge(&facts, kept, || evidence.chain(facts.course_of_things()).collect())
}

pub fn attributes(program: &Program, host: &Host) -> Result<(), Finding> {
    let facts = look(program, host, Course::Once)?;
    let differing = facts.differing(lacks_attributes);
    let kept = facts.is_whole() && differing.is_empty();
    let evidence = differing.iter().map(|path| {
        let (before, after) = (facts.before(), facts.after());
        let seen = |survey: Option<&Survey>| survey.map(|it| attributes_of(&it.files, path));
        let what =
            format!("type and mode, owner, time and other name of /root/exam/{}", path.display());
        Evidence::differs(what, seen(before).unwrap_or_default(), seen(after).unwrap_or_default())
    });
    rules::ATTRIBUTES.judge(&facts, kept, || evidence.chain(facts.course_of_things()).collect())
}

fn attributes_of(files: &BTreeMap<PathBuf, File>, path: &Path) -> String {
    let Some(file) = files.get(path) else { return "-".to_owned() };
    let time = file.changed.map(|time| time.to_string());
    let twin = file.twin.as_ref().map(|twin| twin.display().to_string());
    let or_none = |it: Option<String>| it.unwrap_or_else(|| "-".to_owned());
    format!("{}; {}; {}; {}", file.kind, file.owner, or_none(time), or_none(twin))
}

pub fn old_image(program: &Program, host: &Host) -> Result<(), Finding> {
    let facts = look(program, host, Course::BesideTheOldOne)?;
    let changed = facts.changed_in_the_old_image();
    let has_old = changed.as_ref().is_some_and(Vec::is_empty);
    let before = facts.before().map(|it| &it.files);
    let has_container =
        before.is_some() && before == facts.changing_after.as_ref().map(|it| &it.files);
    let seen = changed.map(|names| names.join(", ")).unwrap_or_else(|| "-".to_owned());
    let what = "what a container of the old image shows of the commit, in /root/exam";
    let old = Evidence::differs(what, "nothing", if has_old { "nothing" } else { seen.as_str() });
    let seen = if has_container { "as before" } else { "others" };
    let what = "the files of the committed container, after the commit";
    let evidence = [old, Evidence::differs(what, "as before", seen)].into_iter();
    let kept = facts.is_whole() && has_old && has_container;
    rules::OLD_IMAGE.judge(&facts, kept, || evidence.chain(facts.course_of_things()).collect())
}

pub fn host(program: &Program, host: &Host) -> Result<(), Finding> {
    let facts = look(program, host, Course::Once)?;
    let foreign = facts.foreign();
    let can_look = facts.after().is_some_and(|after| after.filled.is_some());
    let kept = facts.is_whole() && can_look && foreign.is_empty();
    let seen = if can_look { foreign.join(", ") } else { "-".to_owned() };
    let what = "what the new image has from a volume, or from below /proc, /sys and /dev";
    let evidence = [Evidence::differs(what, "none", seen)].into_iter();
    rules::HOST.judge(&facts, kept, || evidence.chain(facts.course_of_things()).collect())
}

pub fn failed_commit(program: &Program, host: &Host) -> Result<(), Finding> {
    let facts = look(program, host, Course::Failing)?;
    let is_the_same = facts.differing(lacks_content).is_empty() && facts.added().is_empty();
    let no_container = facts.commits.last().filter(|_| facts.commits.len() > 1);
    let is_refused =
        no_container.is_some_and(|it| it.ran.ended != Ended::Exited(0) && it.image.files.is_none());
    let kept = facts.is_whole()
        && !facts.has_half_an_image()
        && facts.commit().is_some_and(|it| it.ran.ended == Ended::Exited(0))
        && is_the_same
        && is_refused;
    rules::FAILED.judge(&facts, kept, || facts.course_of_things())
}

fn look(program: &Program, host: &Host, course: Course) -> Result<Facts, Finding> {
    observe(program, host, |background| {
        let mut facts = Facts {
            course,
            words: background.setting.words.clone(),
            unprepared: None,
            changing: None,
            changing_after: None,
            old: None,
            commits: Vec::new(),
            elsewhere: None,
            outside: Outside::default(),
            interrupted: None,
        };
        let outcome = go_through(background, &mut facts);
        facts.interrupted = outcome.err().map(|error| error.to_string());
        facts
    })
}

fn go_through(background: &Background, facts: &mut Facts) -> io::Result<()> {
    let base = background.setting.adapter.base_image.clone().unwrap_or_default();
    facts.unprepared = background.prepare()?;
    if facts.unprepared.is_some() {
        return Ok(());
    }
    let (started, pid) = background.start_changing("exam2")?;
    let files = |pid: Option<i32>| survey(background.proc, pid);
    facts.changing = Some(Container { started, files: files(pid) });
    facts.outside = background.outside(pid);
    if facts.before().is_none() {
        return Ok(());
    }
    if facts.course == Course::Failing {
        facts.commits.push(commit(background, "exam2", "exam3", "new1", Some(TOO_SMALL))?);
        if facts.has_half_an_image() {
            return Ok(());
        }
        if !facts.needs_no_more() {
            let again = commit(background, "exam2", "exam4", "new1", None)?;
            if again.ran.ended != Ended::Exited(0) {
                facts.elsewhere = Some(background.commit("exam2", "new3", None)?);
            }
            facts.commits.push(again);
        }
        facts.commits.push(commit(background, "nobody", "exam5", "new2", None)?);
        return Ok(());
    }
    facts.commits.push(commit(background, "exam2", "exam3", "new1", None)?);
    if facts.course == Course::BesideTheOldOne {
        facts.old = Some(container(background, "exam4", &base)?);
        facts.changing_after = files(pid);
    }
    Ok(())
}

/// Commits a container, and starts one of the new image.
fn commit(
    background: &Background,
    container_name: &str,
    next: &str,
    image: &str,
    largest_file: Option<u64>,
) -> io::Result<Commit> {
    let ran = background.commit(container_name, image, largest_file)?;
    Ok(Commit { ran, image: container(background, next, image)? })
}

fn container(background: &Background, name: &str, image: &str) -> io::Result<Container> {
    let (started, pid) = background.start_waiting(name, image)?;
    Ok(Container { started, files: survey(background.proc, pid) })
}

fn survey(proc: &Proc, pid: Option<i32>) -> Option<Survey> {
    Survey::of(proc, pid?).ok()
}
