//! merge_environment: a case for each thing that can be wrong, and generated ones.

mod merging;
mod variables;

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;

use labkit::cases::{self, Outcome};
use labkit::frame::{Rules, rule};
use labkit::host::Host;
use labkit::verdict::{Evidence, Finding};

use crate::LAB;
use crate::acts::{MERGE_ENVIRONMENT, Variables};
use merging::{Merging, Wrong, is_complete};
use variables::{
    Case, DEFAULT_PATH, HOST, all, assign, empty_value, empty_value_in_image, filled, generate,
    given_path, name_of, names_alone, paths, renamed, replaced, simplest, split, values,
};

const FUNCTION: &str = MERGE_ENVIRONMENT.function;

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
        rule("lossy-utf8", |it| {
            it.misses_only(|missing| {
                let text = OsString::from(missing.to_string_lossy().into_owned());
                text != *missing && it.merged.contains(&text)
            })
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
            it.is_about_names && !it.lost().is_empty() && it.lost().iter().all(by_prefix)
        }),
        rule("image-wins", |it| {
            let has =
                |simplest: &Vec<OsString>, variable: &str| simplest.iter().any(|it| it == variable);
            let wins = |it: &Vec<OsString>| has(it, "HOME=/root") && !has(it, "HOME=/srv");
            it.simplest.as_ref().is_some_and(wins) && it.holds_an_old_value()
        }),
        // 3. Names alone, and several entries for one name.
        rule("image-entry-without-value", |it| it.bare_of_image().is_some()),
        rule("name-alone-passed-on", |it| it.merged.iter().any(|it| split(it).is_none())),
        rule("name-alone-empty", |it| {
            it.missing().any(|missing| {
                let (name, value) = split(missing).expect("expected variables have values");
                // Nothing else makes it empty: no entry does, and it is not cut at a `=`.
                let is_by_itself = !it.is_said(&name, "".as_ref()) && !name_of(&value).is_empty();
                it.is_the_hosts(missing) && it.values(&name) == [""] && is_by_itself
            })
        }),
        rule("unset-becomes-empty", |it| {
            it.alone().any(|(name, value)| {
                let empty = assign(name, "".as_ref());
                let is_said = it.is_said(name, "".as_ref());
                value.is_none() && it.merged.contains(&empty) && !is_said
            })
        }),
        rule("unset-undoes-given", |it| it.misses_only(|missing| it.is_followed_by_unset(missing))),
        rule("unset-removes", |it| {
            let is_unset = |lost: &&OsString| it.is_unset(&name_of(lost));
            !it.lost().is_empty() && it.lost().iter().all(is_unset)
        }),
        rule("earlier-value-kept", |it| {
            !it.is_about_empty_values
                && it.misses_only(|missing| it.has_an_earlier_value(&name_of(missing)))
        }),
        rule("empty-host-value-dropped", |it| {
            it.is_about_empty_values
                && it.misses_only(|missing| {
                    let is_ignored = it.is_as_if_not_given(&name_of(missing));
                    is_ignored && it.is_the_hosts(missing) && has_no_value(missing)
                })
        }),
        rule("name-alone-ignored", |it| {
            it.misses_only(|missing| {
                it.is_the_hosts(missing) && it.is_as_if_not_given(&name_of(missing))
            })
        }),
        rule("path-overridden", |it| {
            !it.drops_empty_values
                && it.misses_only(|missing| name_of(missing) == "PATH")
                && it.values("PATH".as_ref()) == [&DEFAULT_PATH["PATH=".len()..]]
        }),
        rule("image-variables-lost", |it| {
            let is_gone = |lost: &&OsString| it.values(&name_of(lost)).is_empty();
            !it.is_about_empty_values && it.lost().iter().any(is_gone)
        }),
        // 4. Values.
        rule("value-cut-at-equals", |it| {
            it.missing().any(|missing| {
                let (name, value) = split(missing).expect("expected variables have values");
                let beginning = name_of(&value);
                beginning != value
                    && !it.is_said(&name, &beginning)
                    && it.values(&name) == [beginning]
            })
        }),
        rule("split-at-the-last-equals", |it| {
            let has_equals = |name: &OsString| {
                it.values(name).iter().any(|value| value.as_bytes().contains(&b'='))
            };
            let doubles = it.doubles();
            !doubles.is_empty() && doubles.iter().all(has_equals)
        }),
        rule("image-wins", |it| {
            !it.is_about_empty_values
                && it.doubles().is_empty()
                && it.missing().any(|missing| {
                    let name = name_of(missing);
                    it.given().any(|(given, _)| given == name)
                        && it
                            .values(&name)
                            .first()
                            .is_some_and(|value| it.input().image.contains(&assign(&name, value)))
                })
        }),
        rule("empty-value-dropped", |it| {
            it.is_about_empty_values && it.doubles().is_empty() && it.misses_only(has_no_value)
        }),
        rule("duplicate-names", |it| !it.doubles().is_empty()),
        // 5. PATH, which must be there.
        rule("other-name-taken-for-path", |it| {
            let has_path = |it: &OsString| it.to_string_lossy().contains("PATH");
            it.is_about_names && it.lacks_a_path() && it.merged.iter().any(has_path)
        }),
        rule("no-path", Merging::lacks_a_path),
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

/// Whether the value of a variable is empty.
fn has_no_value(variable: &OsString) -> bool {
    split(variable).is_some_and(|(_, value)| value.is_empty())
}

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
    let [simplest, empty, empty_in_image, filled, renamed] = subject.try_each([
        simplest(),
        empty_value(),
        empty_value_in_image(),
        filled(&wrong.case),
        renamed(&wrong.case),
    ]);
    let is_lost = |it: &Vec<OsString>| !it.iter().any(|it| it == "PROMPT=");
    let facts = Merging {
        wrong,
        merged,
        simplest: simplest.output,
        drops_empty_values: [empty, empty_in_image]
            .iter()
            .any(|tried| tried.output.as_ref().is_some_and(is_lost)),
        is_about_empty_values: filled.is_right,
        is_about_names: renamed.is_right,
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
