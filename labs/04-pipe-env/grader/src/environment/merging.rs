//! Variables that were not merged as they must be, and what was seen.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};

use labkit::cases;
use labkit::frame::{Facts, Words};

use super::variables::{DEFAULT_PATH, assign, merge, name_of, split};
use crate::acts::Variables;

pub type Wrong = cases::Wrong<Variables, Vec<OsString>, Vec<OsString>>;

/// A case that was not right.
///
/// Whatever is wrong, the smallest generated case has empty values, and names that are
/// parts of each other. So the grader tried whether either of them matters.
pub struct Merging {
    pub wrong: Wrong,
    pub merged: Vec<OsString>,
    /// What has become of the simplest case, if it returned.
    pub simplest: Option<Vec<OsString>>,
    /// Whether a variable that has nothing to do with PATH gets lost because its value is
    /// empty.
    pub drops_empty_values: bool,
    /// Whether the same case is right if no value in it is empty.
    pub is_about_empty_values: bool,
    /// Whether the same case is right if no name in it is a part of another.
    pub is_about_names: bool,
}

impl Merging {
    pub fn input(&self) -> &Variables {
        &self.wrong.case.input
    }

    pub fn expected(&self) -> &Vec<OsString> {
        &self.wrong.case.expected
    }

    /// The values that a name has; there should be at most one.
    pub fn values(&self, name: &OsStr) -> Vec<OsString> {
        values_of(&self.merged, name)
    }

    /// What should be there and is not.
    pub fn missing(&self) -> impl Iterator<Item = &OsString> {
        self.expected().iter().filter(|variable| !self.merged.contains(variable))
    }

    /// The image's variables that nobody has changed, and that are missing.
    pub fn lost(&self) -> Vec<&OsString> {
        self.missing().filter(|variable| self.input().image.contains(variable)).collect()
    }

    /// Names and values of the given variables that have a value.
    pub fn given(&self) -> impl Iterator<Item = (OsString, OsString)> {
        self.input().given.iter().filter_map(|variable| split(variable))
    }

    /// Whether the variables are the image's, except for PATH.
    pub fn is_as_in_image(&self) -> bool {
        let image = &self.input().image;
        self.merged.starts_with(image)
            && self.merged.len() <= image.len() + 1
            && self.given().all(|(name, value)| !self.merged.contains(&assign(&name, &value)))
    }

    /// The given names without a value, and their values on the host.
    pub fn alone(&self) -> impl Iterator<Item = (&OsString, Option<&OsString>)> {
        let names = self.input().given.iter().filter(|variable| split(variable).is_none());
        names.map(|name| {
            let of_host = self.input().host.iter().find(|(known, _)| known == name);
            (name, of_host.map(|(_, value)| value))
        })
    }

    /// Whether this is a name alone, and the host does not have it.
    pub fn is_unset(&self, name: &OsStr) -> bool {
        self.alone().any(|(alone, value)| alone == name && value.is_none())
    }

    /// Whether a variable is what a name alone stands for: it has the host's value.
    pub fn is_the_hosts(&self, variable: &OsString) -> bool {
        self.alone().any(|(name, value)| value.is_some_and(|it| assign(name, it) == *variable))
    }

    /// Whether a name has the value that it would have if it had not been given alone.
    pub fn is_as_if_not_given(&self, name: &OsStr) -> bool {
        let mut without = self.input().clone();
        without.given.retain(|entry| entry != name);
        values_of(&merge(&without), name) == self.values(name)
    }

    /// Whether a variable was given, and after it its name alone, which the host does not
    /// have.
    pub fn is_followed_by_unset(&self, variable: &OsString) -> bool {
        let (name, given) = (name_of(variable), &self.input().given);
        let at = given.iter().position(|entry| entry == variable);
        self.is_unset(&name) && at.is_some_and(|at| given[at + 1..].contains(&name))
    }

    /// Whether something is missing, and this holds for all of it.
    pub fn misses_only(&self, so: impl Fn(&OsString) -> bool) -> bool {
        self.missing().next().is_some() && self.missing().all(so)
    }

    /// Whether an entry of the image or of `-e` says that a name has this value.
    pub fn is_said(&self, name: &OsStr, value: &OsStr) -> bool {
        let Variables { image, given, .. } = self.input();
        image.iter().chain(given).any(|entry| *entry == assign(name, value))
    }

    /// The variables that only the host has, and that nobody has asked for.
    pub fn of_the_host(&self) -> Vec<String> {
        let is_there = |(name, value): &&(OsString, OsString)| {
            let variable = assign(name, value);
            self.merged.contains(&variable)
                && !self.expected().contains(&variable)
                && !self.is_said(name, value)
                && !self.alone().any(|(alone, _)| alone == name)
        };
        let there = self.input().host.iter().filter(is_there);
        there.map(|(name, _)| name.to_string_lossy().into_owned()).collect()
    }

    /// Whether a variable still has the image's value, and should have another one.
    pub fn holds_an_old_value(&self) -> bool {
        let mut old = self.input().image.iter().filter(|it| !self.expected().contains(it));
        old.any(|variable| self.merged.contains(variable))
    }

    /// Whether a list has several entries for a name, and the name has the value of one that
    /// is not the last. The list is that of `-e`; that of the image if `-e` has none.
    pub fn has_an_earlier_value(&self, name: &OsStr) -> bool {
        let mut all = self.given_values(name);
        if all.is_empty() {
            all = values_of(&self.input().image, name);
        }
        let last = all.pop();
        match &self.values(name)[..] {
            [value] => last.as_ref() != Some(value) && all.contains(value),
            _ => false,
        }
    }

    /// The values that `-e` gives to a name, one after the other.
    fn given_values(&self, name: &OsStr) -> Vec<OsString> {
        let Variables { given, host, .. } = self.input();
        let of_host = |alone: &OsString| host.iter().find(|(known, _)| known == alone).cloned();
        let all = given.iter().filter_map(|entry| split(entry).or_else(|| of_host(entry)));
        all.filter(|(known, _)| known == name).map(|(_, value)| value).collect()
    }

    /// An entry of the image that has no `=`, and was not left out.
    pub fn bare_of_image(&self) -> Option<&OsString> {
        let Variables { image, given, .. } = self.input();
        let is_bare = |entry: &&OsString| split(entry).is_none() && !given.contains(entry);
        self.merged.iter().filter(is_bare).find(|entry| image.contains(entry))
    }

    /// Names that occur more than once.
    pub fn doubles(&self) -> Vec<OsString> {
        let mut seen = BTreeSet::new();
        self.merged.iter().map(name_of).filter(|name| !seen.insert(name.clone())).collect()
    }

    pub fn is_complete(&self) -> bool {
        is_complete(self.expected(), &self.merged)
    }

    /// Whether there should be the default PATH, and there is no PATH at all.
    pub fn lacks_a_path(&self) -> bool {
        let has_path = !self.values("PATH".as_ref()).is_empty();
        !has_path && self.expected().iter().any(|variable| variable == DEFAULT_PATH)
    }
}

/// The values that a name has in a list.
fn values_of(variables: &[OsString], name: &OsStr) -> Vec<OsString> {
    let all = variables.iter().filter_map(|variable| split(variable));
    all.filter(|(known, _)| known == name).map(|(_, value)| value).collect()
}

/// Whether everything is there that should be, and nothing else, in any order.
pub fn is_complete(expected: &Vec<OsString>, seen: &Vec<OsString>) -> bool {
    let sorted = |variables: &Vec<OsString>| {
        let mut sorted = variables.clone();
        sorted.sort();
        sorted
    };
    sorted(expected) == sorted(seen)
}

impl Facts for Merging {
    fn words(&self) -> Words {
        let cut = self.missing().next().cloned().unwrap_or_default();
        let old = self.input().image.iter().find(|it| name_of(it) == name_of(&cut));
        let show = |it: &OsString| it.to_string_lossy().into_owned();
        let lost: Vec<String> = self.lost().into_iter().map(show).collect();
        vec![
            ("names", self.of_the_host().join(", ")),
            ("missing", show(&cut)),
            ("apart", format!("{cut:?}")),
            ("name", show(&name_of(&cut))),
            ("old", old.map(show).unwrap_or_default()),
            ("lost", lost.join(", ")),
            ("bare", self.bare_of_image().map(show).unwrap_or_default()),
        ]
    }
}
