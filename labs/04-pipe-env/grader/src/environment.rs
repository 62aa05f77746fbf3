//! merge_environment: a case for each thing that can be wrong, and generated ones.

mod variables;

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use labkit::cases::{self, Outcome};
use labkit::frame::{Facts, Rules, Words, rule};
use labkit::host::Host;
use labkit::verdict::{Evidence, Finding};

use crate::LAB;
use crate::acts::{MERGE_ENVIRONMENT, Variables};
use variables::{
    Case, DEFAULT_PATH, HOST, all, assign, empty_value, empty_value_in_image, generate, given_path,
    name_of, names_alone, paths, replaced, simplest, split, values,
};

const FUNCTION: &str = MERGE_ENVIRONMENT.function;

type Wrong = cases::Wrong<Variables, Vec<OsString>, Vec<OsString>>;

/// Variables that were not merged as they must be.
struct Merging {
    wrong: Wrong,
    merged: Vec<OsString>,
    /// What has become of the simplest case, if it returned.
    simplest: Option<Vec<OsString>>,
    /// Whether a variable that has nothing to do with PATH gets lost because its value is
    /// empty.
    drops_empty_values: bool,
}

impl Merging {
    fn input(&self) -> &Variables {
        &self.wrong.case.input
    }

    fn expected(&self) -> &Vec<OsString> {
        &self.wrong.case.expected
    }

    /// The values that a name has; there should be at most one.
    fn values(&self, name: &OsStr) -> Vec<OsString> {
        let all = self.merged.iter().filter_map(|variable| split(variable));
        all.filter(|(known, _)| known == name).map(|(_, value)| value).collect()
    }

    /// What should be there and is not.
    fn missing(&self) -> impl Iterator<Item = &OsString> {
        self.expected().iter().filter(|variable| !self.merged.contains(variable))
    }

    /// The image's variables that nobody has changed, and that are missing.
    fn lost(&self) -> Vec<&OsString> {
        self.missing().filter(|variable| self.input().image.contains(variable)).collect()
    }

    /// Names and values of the given variables that have a value.
    fn given(&self) -> impl Iterator<Item = (OsString, OsString)> {
        self.input().given.iter().filter_map(|variable| split(variable))
    }

    /// Whether the variables are the image's, except for PATH.
    fn is_as_in_image(&self) -> bool {
        let image = &self.input().image;
        self.merged.starts_with(image)
            && self.merged.len() <= image.len() + 1
            && self.given().all(|(name, value)| !self.merged.contains(&assign(&name, &value)))
    }

    /// The given names without a value, and what they are on the host.
    fn alone(&self) -> impl Iterator<Item = (&OsString, Option<&OsString>)> {
        let names = self.input().given.iter().filter(|variable| split(variable).is_none());
        names.map(|name| {
            let of_host = self.input().host.iter().find(|(known, _)| known == name);
            (name, of_host.map(|(_, value)| value))
        })
    }

    /// Whether this is a name alone, and this holds for the host's value.
    fn is_alone(&self, name: &OsStr, so: fn(Option<&OsString>) -> bool) -> bool {
        self.alone().any(|(alone, value)| alone == name && so(value))
    }

    /// Whether something is missing, and this holds for all of it.
    fn misses_only(&self, so: impl Fn(&OsString) -> bool) -> bool {
        self.missing().next().is_some() && self.missing().all(so)
    }

    /// The variables that only the host has, and that nobody has asked for.
    fn of_the_host(&self) -> Vec<String> {
        let is_there = |(name, value): &&(OsString, OsString)| {
            let variable = assign(name, value);
            self.merged.contains(&variable) && !self.expected().contains(&variable)
        };
        let there = self.input().host.iter().filter(is_there);
        there.map(|(name, _)| name.to_string_lossy().into_owned()).collect()
    }

    /// Whether a variable still has the image's value, and should have another one.
    fn holds_an_old_value(&self) -> bool {
        let mut old = self.input().image.iter().filter(|it| !self.expected().contains(it));
        old.any(|variable| self.merged.contains(variable))
    }

    /// Names that occur more than once.
    fn doubles(&self) -> Vec<OsString> {
        let mut seen = BTreeSet::new();
        self.merged.iter().map(name_of).filter(|name| !seen.insert(name.clone())).collect()
    }

    fn is_complete(&self) -> bool {
        is_complete(self.expected(), &self.merged)
    }

    fn has_path(&self) -> bool {
        !self.values("PATH".as_ref()).is_empty()
    }
}

/// Whether everything is there that should be, and nothing else, in any order.
fn is_complete(expected: &Vec<OsString>, seen: &Vec<OsString>) -> bool {
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
        vec![
            ("names", self.of_the_host().join(", ")),
            ("missing", show(&cut)),
            ("apart", format!("{cut:?}")),
            ("name", show(&name_of(&cut))),
            ("old", old.map(show).unwrap_or_default()),
        ]
    }
}

/// From what has come out to what was done, the worst first.
static RULES: Rules<Merging> = Rules {
    lab: LAB,
    function: FUNCTION,
    tables: &[&[
        // 1. What must not come in.
        rule("host-inherited", |it| !it.of_the_host().is_empty()),
        // 2. The variables of the image, and those that replace them.
        rule("given-ignored", |it| {
            let image = simplest().input.image;
            it.simplest.as_ref() == Some(&image) && it.is_as_in_image()
        }),
        rule("image-variables-lost", |it| {
            let is_lost = |seen: &Vec<OsString>| !seen.iter().any(|it| it == "LANG=C");
            it.simplest.as_ref().is_some_and(is_lost) && !it.lost().is_empty()
        }),
        rule("names-compared-as-text", |it| {
            let text = |name: &OsString| name.to_string_lossy().into_owned();
            let Variables { image, given, .. } = it.input();
            it.misses_only(|missing| {
                let missing = name_of(missing);
                let mut names = image.iter().chain(given).map(name_of);
                names.any(|name| name != missing && text(&name) == text(&missing))
            })
        }),
        rule("name-by-prefix", |it| {
            let by_prefix = |lost: &&OsString| {
                let lost = name_of(lost);
                let begins = |name: &OsString| lost.as_bytes().starts_with(name.as_bytes());
                it.given().any(|(name, _)| lost != name && begins(&name))
            };
            !it.lost().is_empty() && it.lost().iter().all(by_prefix)
        }),
        rule("image-wins", |it| {
            let has =
                |simplest: &Vec<OsString>, variable: &str| simplest.iter().any(|it| it == variable);
            let wins = |it: &Vec<OsString>| has(it, "HOME=/root") && !has(it, "HOME=/srv");
            it.simplest.as_ref().is_some_and(wins) && it.holds_an_old_value()
        }),
        // 3. Names alone.
        rule("name-alone-passed-on", |it| it.merged.iter().any(|it| split(it).is_none())),
        rule("name-alone-empty", |it| {
            let mut names = it.missing().map(name_of);
            names
                .any(|name| it.is_alone(&name, |value| value.is_some()) && it.values(&name) == [""])
        }),
        rule("unset-becomes-empty", |it| {
            it.alone().any(|(name, value)| {
                let empty = assign(name, "".as_ref());
                value.is_none() && it.merged.contains(&empty) && !it.expected().contains(&empty)
            })
        }),
        rule("unset-removes", |it| {
            let is_unset = |lost: &&OsString| it.is_alone(&name_of(lost), |value| value.is_none());
            !it.lost().is_empty() && it.lost().iter().all(is_unset)
        }),
        rule("empty-host-value-dropped", |it| {
            it.misses_only(|missing| {
                it.is_alone(&name_of(missing), |value| value.is_some_and(|it| it.is_empty()))
            })
        }),
        rule("name-alone-ignored", |it| {
            it.misses_only(|missing| it.is_alone(&name_of(missing), |value| value.is_some()))
        }),
        rule("path-overridden", |it| {
            !it.drops_empty_values
                && it.misses_only(|missing| name_of(missing) == "PATH")
                && it.values("PATH".as_ref()) == [&DEFAULT_PATH["PATH=".len()..]]
        }),
        rule("image-variables-lost", |it| {
            let is_empty = |lost: &OsString| lost.as_bytes().ends_with(b"=");
            it.lost().iter().any(|lost| !(it.drops_empty_values && is_empty(lost)))
        }),
        // 4. Values.
        rule("value-cut-at-equals", |it| {
            it.missing().any(|missing| {
                let (name, value) = split(missing).expect("expected variables have values");
                let first = value.as_bytes().split(|byte| *byte == b'=').next();
                value.as_bytes().contains(&b'=')
                    && it.values(&name) == [OsStr::from_bytes(first.unwrap_or_default())]
            })
        }),
        rule("split-at-the-last-equals", |it| {
            let has_equals = |name: &OsString| {
                it.values(name).iter().any(|value| value.as_bytes().contains(&b'='))
            };
            let doubles = it.doubles();
            !doubles.is_empty() && doubles.iter().all(has_equals)
        }),
        rule("lossy-utf8", |it| {
            let text: Vec<OsString> =
                it.expected().iter().map(|it| it.to_string_lossy().into_owned().into()).collect();
            text != *it.expected() && is_complete(&text, &it.merged)
        }),
        rule("image-wins", |it| {
            it.doubles().is_empty()
                && it.missing().any(|missing| {
                    let name = name_of(missing);
                    it.given().any(|(given, _)| given == name)
                        && it
                            .values(&name)
                            .first()
                            .is_some_and(|value| it.input().image.contains(&assign(&name, value)))
                        && !missing.as_bytes().ends_with(b"=")
                })
        }),
        rule("empty-value-dropped", |it| {
            it.doubles().is_empty() && it.misses_only(|missing| missing.as_bytes().ends_with(b"="))
        }),
        rule("duplicate-names", |it| !it.doubles().is_empty()),
        // 5. PATH, which must be there.
        rule("other-name-taken-for-path", |it| {
            let has_path = |it: &OsString| it.to_string_lossy().contains("PATH");
            !it.has_path() && it.merged.iter().any(has_path)
        }),
        rule("no-path", |it| !it.has_path()),
        rule("default-path-not-last", |it| {
            let others = |all: &[OsString]| {
                all.iter().filter(|it| *it != DEFAULT_PATH).cloned().collect::<Vec<_>>()
            };
            let is_added = it.expected().last().is_some_and(|last| last == DEFAULT_PATH);
            it.is_complete() && is_added && others(it.expected()) == others(&it.merged)
        }),
        rule("order-lost", Merging::is_complete),
    ]],
};

type Subject<'h> = cases::Subject<'h, Variables, Vec<OsString>, Vec<OsString>>;

/// Whether what has come out is right, beside what was expected.
type IsRight = fn(&Vec<OsString>, &Vec<OsString>) -> bool;

/// The promise that these cases are right.
fn judge(host: &Host, is_right: IsRight, cases: Vec<Case>) -> Result<(), Finding> {
    Subject::new(host, &MERGE_ENVIRONMENT, is_right).judge(cases, finding)
}

fn finding(subject: &Subject, wrong: Wrong) -> Finding {
    let Variables { image, given, host } = &wrong.case.input;
    let hosts = match wrong.seed {
        Some(_) => format!("{host:?}"),
        None => "…".to_owned(),
    };
    let (merged, seen) = match &wrong.outcome {
        Outcome::Returned(merged) => (merged.clone(), format!("{merged:?}")),
        Outcome::Died(_) => (Vec::new(), "panic!".to_owned()),
    };
    let call = wrong.what(format!("{FUNCTION}({image:?}, {given:?}, {hosts})"));
    let evidence = Evidence::differs(call, format!("{:?}", wrong.case.expected), seen);
    if let Outcome::Died(death) = &wrong.outcome {
        return death.clone().with([evidence]);
    }
    let [simplest, empty, empty_in_image] =
        subject.try_each([simplest(), empty_value(), empty_value_in_image()]);
    let is_lost = |it: &Vec<OsString>| !it.iter().any(|it| it == "PROMPT=");
    let facts = Merging {
        wrong,
        merged,
        simplest: simplest.output,
        drops_empty_values: [empty, empty_in_image]
            .iter()
            .any(|tried| tried.output.as_ref().is_some_and(is_lost)),
    };
    facts.wrong.finding(&RULES, &facts, [evidence])
}

pub fn given(host: &Host) -> Result<(), Finding> {
    judge(host, is_complete, replaced())
}

pub fn name_alone(host: &Host) -> Result<(), Finding> {
    judge(host, is_complete, names_alone())
}

pub fn any_value(host: &Host) -> Result<(), Finding> {
    judge(host, is_complete, values())
}

pub fn path(host: &Host) -> Result<(), Finding> {
    judge(host, is_complete, paths())
}

pub fn order(host: &Host) -> Result<(), Finding> {
    judge(host, Vec::eq, [replaced(), vec![given_path()]].concat())
}

pub fn nothing_else_of_the_host(host: &Host) -> Result<(), Finding> {
    let is_right: IsRight = |expected, seen| {
        let hosts = HOST.map(|(name, value)| assign(name.as_ref(), value.as_ref()));
        hosts.iter().all(|it| !seen.contains(it) || expected.contains(it))
    };
    judge(host, is_right, all())
}

pub fn any_environment(host: &Host) -> Result<(), Finding> {
    Subject::new(host, &MERGE_ENVIRONMENT, Vec::eq).judge_any(all(), generate, finding)
}
