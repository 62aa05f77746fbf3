//! What was seen of a commit.

use std::path::{Path, PathBuf};

use labkit::verdict::Evidence;
use serde::{Deserialize, Serialize};

use super::background::{Outside, Ran};
use super::survey::{File, Survey, digest};
use crate::running::Ended;

/// What happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Course {
    /// A container is committed, and a container of the new image is started.
    Once,
    /// The same, and then a container of the old image.
    BesideTheOldOne,
    /// Committing fails halfway, and is done again; and then there is no container.
    Failing,
}

/// What was seen.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Facts {
    pub course: Course,
    /// The random words in the image, which the container writes too.
    pub words: String,
    /// A command of `prepare` that has failed.
    pub unprepared: Option<(String, Ran)>,
    /// The container that is committed.
    pub changing: Option<Container>,
    /// Its files after all.
    pub changing_after: Option<Survey>,
    /// A container of the old image afterwards.
    pub old: Option<Container>,
    /// The commits, each with a container of its image afterwards.
    pub commits: Vec<Commit>,
    /// The same commit to another name, if it has failed a second time.
    pub elsewhere: Option<Ran>,
    /// What of it is the host's.
    pub outside: Outside,
    /// What kept the grader from going on.
    pub interrupted: Option<String>,
}

/// One container.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Container {
    /// The command that starts it.
    pub started: Ran,
    /// Its files; none if it does not run.
    pub files: Option<Survey>,
}

/// One commit.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Commit {
    /// How it ended.
    pub ran: Ran,
    /// A container of the image that it has made.
    pub image: Container,
}

impl Facts {
    /// The files of the container that is committed.
    pub fn before(&self) -> Option<&Survey> {
        self.changing.as_ref()?.files.as_ref()
    }

    /// The commit of an existing container, without a fault from outside.
    pub fn commit(&self) -> Option<&Commit> {
        let number = usize::from(self.course == Course::Failing && !self.needs_no_more());
        self.commits.get(number)
    }

    /// Whether the commit that should fail did not need to.
    pub fn needs_no_more(&self) -> bool {
        self.commits.first().is_some_and(|it| it.ran.ended == Ended::Exited(0))
    }

    /// The files of a container of the new image.
    pub fn after(&self) -> Option<&Survey> {
        self.commit()?.image.files.as_ref()
    }

    /// Paths of the container that differ in the new image in a way that is asked for.
    pub fn differing(&self, differs: fn(&File, Option<&File>) -> bool) -> Vec<&Path> {
        let (Some(before), Some(after)) = (self.before(), self.after()) else { return Vec::new() };
        let all = before.files.iter();
        let differing = all.filter(|(path, file)| differs(file, after.files.get(*path)));
        differing.map(|(path, _)| path.as_path()).collect()
    }

    /// Paths of the new image that the container does not have.
    pub fn added(&self) -> Vec<&Path> {
        let (Some(before), Some(after)) = (self.before(), self.after()) else { return Vec::new() };
        let added = after.files.keys().filter(|path| !before.files.contains_key(*path));
        added.map(PathBuf::as_path).collect()
    }

    /// What the container has changed, and is not as the archive has it in a container of
    /// the old image; none if there was no such container.
    pub fn changed_in_the_old_image(&self) -> Option<Vec<&'static str>> {
        let files = &self.old.as_ref()?.files.as_ref()?.files;
        let is_new = |name: &&str| files.contains_key(Path::new(name));
        let words = digest(self.words.as_bytes());
        let is_another =
            |name: &&str| files.get(Path::new(name)).is_none_or(|file| file.content != words);
        let new = ["new", "same", "soft", "made", "big"].into_iter().filter(is_new);
        Some(new.chain(["doomed", "full/old", "changed"].into_iter().filter(is_another)).collect())
    }

    /// Whether the container has done what its image is to be judged by.
    fn has_changed(&self) -> bool {
        let has = |name: &str| {
            self.before().is_some_and(|before| before.files.contains_key(Path::new(name)))
        };
        has("new") && has("soft") && has("big") && !has("doomed") && !has("full/old")
    }

    /// Whether all went so far that something can be said of the new image.
    pub fn is_whole(&self) -> bool {
        self.interrupted.is_none()
            && !self.outside.is_on_the_hosts_root
            && self.has_changed()
            && self.after().is_some()
    }

    /// What the new image has that is the host's or the kernel's.
    pub fn foreign(&self) -> Vec<String> {
        let Some(after) = self.after() else { return Vec::new() };
        let volume = after.has_volume.then(|| "/volume/keep".to_owned());
        let has_before = |folder: &&String| {
            let before = self.before().and_then(|it| it.filled.as_ref());
            before.is_some_and(|filled| filled.contains(folder))
        };
        let filled = after.filled.iter().flatten().filter(|folder| !has_before(folder));
        volume.into_iter().chain(filled.cloned()).collect()
    }

    /// Whether an image stands for less than all of a container, or for none; or is said
    /// to exist, and does not.
    pub fn has_half_an_image(&self) -> bool {
        let is_half = |commit: &Commit| match (&commit.image.files, self.before()) {
            (Some(files), Some(before)) => {
                commit.ran.ended != Ended::Exited(0) || files.files != before.files
            }
            (files, _) => files.is_some() || commit.ran.ended == Ended::Exited(0),
        };
        let of_none = self.commits.last().filter(|_| self.commits.len() > 1);
        self.commits.first().is_some_and(is_half)
            || of_none.is_some_and(|it| it.image.files.is_some())
    }

    /// How far things went, if not to the end; and with which exit codes.
    pub fn course_of_things(&self) -> Vec<Evidence> {
        let mut evidence = Vec::new();
        let changing = self.changing.as_ref();
        if self.before().is_none() {
            let seen =
                changing.map(|it| format!("it does not run; exit code {}", it.started.ended));
            let what = "a container started in the background by mydocker";
            evidence.push(Evidence::differs(what, "it runs", seen.unwrap_or_default()));
        }
        for (number, commit) in self.commits.iter().enumerate() {
            let is_asked_to_fail = self.is_asked_to_fail(number);
            let expected =
                if is_asked_to_fail { "an error, and no image" } else { "0, and an image" };
            let image = if commit.image.files.is_some() { "and an image" } else { "and no image" };
            let code = commit.ran.ended;
            let failed = code != Ended::Exited(0);
            if failed != is_asked_to_fail || commit.image.files.is_some() == is_asked_to_fail {
                let seen = format!("{code}, {image}");
                evidence.push(Evidence::differs(self.which(number), expected, seen));
            }
        }
        evidence.extend(self.interrupted.as_deref().map(crate::facts::unfinished));
        evidence
    }

    /// Whether it is the commit of a container that does not exist.
    fn is_of_none(&self, number: usize) -> bool {
        number > 0 && number + 1 == self.commits.len()
    }

    fn is_asked_to_fail(&self, number: usize) -> bool {
        let is_first = number == 0 && !self.needs_no_more();
        self.course == Course::Failing && (is_first || self.is_of_none(number))
    }

    fn which(&self, number: usize) -> &'static str {
        match number {
            0 if self.course != Course::Failing => "mydocker commit",
            0 => "mydocker commit, where no file may become large",
            _ if self.is_of_none(number) => "mydocker commit of a container that does not exist",
            _ => "mydocker commit once more, to the same name",
        }
    }
}

/// Whether the content is missing or different.
pub fn lacks_content(before: &File, after: Option<&File>) -> bool {
    after.is_none_or(|after| after.content != before.content)
}

/// Whether anything but the content is different.
pub fn lacks_attributes(before: &File, after: Option<&File>) -> bool {
    after.is_some_and(|after| File { content: before.content, ..after.clone() } != *before)
}
