//! From what was seen of a commit to what is wrong.

use std::path::Path;

use labkit::frame::{self, Rule, Rules, Words, rule};

use super::commit_facts::{Facts, lacks_attributes, lacks_content};
use crate::running::Ended;

impl frame::Facts for Facts {
    fn words(&self) -> Words {
        let mut words: Words = Vec::new();
        words.extend(self.outside.leak.clone().map(|change| ("change", change)));
        if let Some((command, ran)) = &self.unprepared {
            words.extend([("command", command.clone()), ("status", ran.ended.to_string())]);
        } else if let Some(container) = self.changing.as_ref().filter(|it| it.files.is_none()) {
            words.push(("status", container.started.ended.to_string()));
        } else if let Some(commit) = self.commit() {
            words.push(("status", commit.ran.ended.to_string()));
        }
        let lists = [self.differing(lacks_content), self.added(), self.differing(lacks_attributes)];
        let first = lists.iter().find_map(|paths| paths.first());
        words.extend(first.map(|path| ("path", format!("/root/exam/{}", path.display()))));
        words.extend(self.foreign().first().map(|what| ("what", what.clone())));
        words
    }
}

/// What keeps any of these promises from being kept.
const BEFORE: &[Rule<Facts>] = &[
    rule("not-prepared", |facts| facts.unprepared.is_some()),
    rule("propagation-left-shared", |facts| facts.outside.leak.is_some()),
    rule("root-not-changed", |facts| facts.outside.is_on_the_hosts_root),
    rule("not-in-the-background", |facts| facts.before().is_none()),
];

/// What keeps those of a commit from it that should succeed.
const COMMIT: &[Rule<Facts>] = &[
    rule("commit-failed", |facts| {
        facts.commit().is_some_and(|it| it.ran.ended != Ended::Exited(0))
    }),
    rule("committed-image-does-not-run", |facts| facts.after().is_none()),
];

const MISSING: &[Rule<Facts>] =
    &[rule("committed-changes-missing", |facts| !facts.differing(lacks_content).is_empty())];

const BACK: &[Rule<Facts>] = &[rule("deleted-file-is-back", |facts| {
    facts.added().iter().any(|it| [Path::new("doomed"), Path::new("full/old")].contains(it))
})];

const LOST: &[Rule<Facts>] = &[
    rule("committed-links-lost", |facts| {
        !facts
            .differing(|before, after| {
                let is_link = |kind: &str| kind.contains(" -> ");
                after.is_some_and(|it| {
                    it.twin != before.twin || is_link(&it.kind) != is_link(&before.kind)
                })
            })
            .is_empty()
    }),
    rule("committed-attributes-lost", |facts| !facts.differing(lacks_attributes).is_empty()),
];

const OLD: &[Rule<Facts>] = &[rule("old-image-committed-to", |facts| {
    facts.changed_in_the_old_image().is_some_and(|names| !names.is_empty())
})];

const FOREIGN: &[Rule<Facts>] = &[rule("host-committed", |facts| !facts.foreign().is_empty())];

const HALF: &[Rule<Facts>] = &[
    rule("half-image-committed", Facts::has_half_an_image),
    rule("failed-commit-in-the-way", |facts| {
        facts.elsewhere.as_ref().is_some_and(|ran| ran.ended == Ended::Exited(0))
    }),
    rule("commit-failure-not-told", |facts| {
        let of_none = facts.commits.last().filter(|_| facts.commits.len() > 1);
        of_none.is_some_and(|it| it.ran.ended == Ended::Exited(0))
    }),
];

const fn rules(tables: &'static [&'static [Rule<Facts>]]) -> Rules<Facts> {
    Rules { lab: "mydocker", function: "mydocker", tables }
}

pub static WRITTEN: Rules<Facts> = rules(&[BEFORE, COMMIT, MISSING]);
pub static DELETED: Rules<Facts> = rules(&[BEFORE, COMMIT, BACK]);
pub static ATTRIBUTES: Rules<Facts> = rules(&[BEFORE, COMMIT, LOST]);
pub static OLD_IMAGE: Rules<Facts> = rules(&[BEFORE, COMMIT, OLD]);
pub static HOST: Rules<Facts> = rules(&[BEFORE, COMMIT, FOREIGN]);
pub static FAILED: Rules<Facts> = rules(&[BEFORE, HALF, COMMIT, MISSING, BACK]);
