//! enter: the promises on the command, and on the caller.

use labkit::frame::{Rules, rule};
use labkit::host::Host;
use labkit::verdict::{Evidence, Finding};
use nix::sched::CloneFlags;

use crate::container::{ALL, BETWEEN, FAST, FOR_CHILDREN, differing};
use crate::entered::{
    BASIC, DIRECTORIES, ENTERS, Entered, FUNCTION, Given, STARTED, in_words, observe, rules,
};
use crate::first_word;
use crate::scene::{ARGUMENTS, CALLERS, TOOLS, text};

pub fn namespaces(host: &Host) -> Result<(), Finding> {
    for kinds in [ALL, FAST | CloneFlags::CLONE_NEWUSER] {
        let facts = observe(host, Given::Path, kinds)?;
        facts.judge(&ENTERS, facts.left_out().is_empty(), || {
            let own = differing(&facts.caller_before, &facts.container);
            let left_out = facts.left_out();
            let joined: Vec<&str> =
                own.iter().filter(|it| !left_out.contains(it)).map(String::as_str).collect();
            let what = "/proc/PID/ns of the command, namespaces of the container";
            vec![Evidence::differs(what, own.join(BETWEEN), joined.join(BETWEEN))]
        })?;
    }
    Ok(())
}

pub fn directories(host: &Host) -> Result<(), Finding> {
    static WITHOUT_MOUNTS: Rules<Entered> =
        rules(&[BASIC, &[rule("working-directory-kept", Entered::keeps_callers_cwd)], STARTED]);
    // If a container shares the host's mounts, joining it does not change the directory.
    let without_mounts = FAST.difference(CloneFlags::CLONE_NEWNS);
    for (kinds, rules) in [(FAST, &ENTERS), (without_mounts, &WITHOUT_MOUNTS)] {
        let facts = observe(host, Given::Path, kinds)?;
        facts.judge(rules, facts.is_in_the_root(), || {
            let command = facts.command.as_ref().expect("it runs");
            [("root", command.root), ("cwd", command.cwd)]
                .into_iter()
                .filter(|(_, spot)| *spot != facts.containers_root)
                .map(|(link, _)| {
                    let what = format!("readlink(\"/proc/PID/{link}\") of the command");
                    Evidence::differs(what, "the container's root", "another directory")
                })
                .collect()
        })?;
    }
    Ok(())
}

pub fn words(host: &Host) -> Result<(), Finding> {
    static RULES: Rules<Entered> =
        rules(&[&[rule("other-words", |it| it.command.is_some() && !it.has_its_words())], STARTED]);
    judge_words(&observe(host, Given::Path, FAST)?, &RULES)?;
    first_word::as_given(host)
}

fn judge_words(facts: &Entered, rules: &Rules<Entered>) -> Result<(), Finding> {
    facts.judge(rules, facts.has_its_words(), || {
        let given: Vec<Vec<u8>> = ARGUMENTS.iter().map(|it| it.as_bytes().to_owned()).collect();
        let command = facts.command.as_ref().expect("it runs");
        let seen = command.words.get(1..).unwrap_or_default();
        let list =
            |words: &[Vec<u8>]| words.iter().map(|it| text(it)).collect::<Vec<_>>().join(" ");
        vec![Evidence::differs("/proc/PID/cmdline, the arguments", list(&given), list(seen))]
    })
}

pub fn environment(host: &Host) -> Result<(), Finding> {
    static RULES: Rules<Entered> =
        rules(&[&[rule("environment-of-the-caller", Entered::has_callers_variables)], STARTED]);
    judge_variables(&observe(host, Given::Path, FAST)?, &RULES)
}

fn judge_variables(facts: &Entered, rules: &Rules<Entered>) -> Result<(), Finding> {
    facts.judge(rules, facts.has_its_variables(), || {
        let command = facts.command.as_ref().expect("it runs");
        let names = |variables: &[Vec<u8>]| {
            let name = |it: &Vec<u8>| {
                let name = it.split(|byte| *byte == b'=').next().unwrap_or_default();
                String::from_utf8_lossy(name).into_owned()
            };
            variables.iter().map(name).collect::<Vec<_>>().join(", ")
        };
        let (given, seen) = (names(&facts.environment), names(&command.variables));
        vec![Evidence::differs("/proc/PID/environ, the names", given, seen)]
    })
}

impl Entered {
    fn has_its_words(&self) -> bool {
        let given = ARGUMENTS.iter().map(|it| it.as_bytes());
        let words = self.command.as_ref().map(|it| it.words.iter().skip(1));
        words.is_some_and(|words| words.map(Vec::as_slice).eq(given))
    }

    fn has_its_variables(&self) -> bool {
        let sorted = |variables: &[Vec<u8>]| {
            let mut sorted = variables.to_vec();
            sorted.sort();
            sorted
        };
        let command = self.command.as_ref();
        command.is_some_and(|it| sorted(&it.variables) == sorted(&self.environment))
    }

    fn has_callers_variables(&self) -> bool {
        let command = self.command.as_ref();
        command.is_some_and(|it| it.variables.iter().any(|it| it.starts_with(b"CALLERS=")))
    }

    /// The path by which the probe was executed.
    fn path(&self) -> Option<&[u8]> {
        self.command.as_ref()?.words.first().map(Vec::as_slice)
    }
}

pub fn found_by_name(host: &Host) -> Result<(), Finding> {
    static RULES: Rules<Entered> = rules(&[
        &[
            rule("environment-of-the-caller", Entered::has_callers_variables),
            rule("path-of-the-caller", |it| {
                it.path().is_some_and(|path| path.starts_with(CALLERS.as_bytes()))
            }),
            rule("name-as-text", |it| it.given == Given::OddName && it.command.is_none()),
            rule("looked-up-on-the-host", |it| it.command.is_none()),
            rule("other-words", |it| !it.has_its_words()),
        ],
        STARTED,
    ]);
    // 1. Whether anything is found at all.
    let by_path = observe(host, Given::Path, FAST)?;
    by_path.must_be_usual()?;
    // 2. By its name, which need not be text.
    for given in [Given::Name, Given::OddName] {
        let expected = [TOOLS.as_bytes(), b"/", &given.word()].concat();
        let facts = observe(host, given, FAST)?;
        let is_found = facts.path() == Some(&expected) && facts.seen.returned.is_ok();
        RULES.judge(&facts, is_found, || {
            let shown = |path: &[u8]| path.escape_ascii().to_string();
            let seen = facts.path().map_or_else(|| in_words(&facts.seen.returned), shown);
            let name = shown(&given.word());
            let what = format!("{FUNCTION}(PID, [\"{name}\"], …), what was executed");
            vec![Evidence::differs(what, shown(&expected), seen)]
        })?;
        judge_words(&facts, &RULES).and_then(|()| judge_variables(&facts, &RULES))?;
    }
    Ok(())
}

pub fn caller_stays(host: &Host) -> Result<(), Finding> {
    static RULES: Rules<Entered> = rules(&[
        &[
            rule("caller-moved", Entered::has_caller_moved),
            rule("callers-descriptors-changed", |it| {
                it.seen.process.descriptors.len() != DIRECTORIES
            }),
        ],
        STARTED,
    ]);
    let facts = observe(host, Given::Path, FAST)?;
    let process = &facts.seen.process;
    let kept = !facts.has_caller_moved() && process.descriptors.len() == DIRECTORIES;
    RULES.judge(&facts, kept, || {
        let mut evidence = Vec::new();
        let mut moved = differing(&facts.caller_before, &facts.caller_after);
        if facts.caller_before.get(FOR_CHILDREN) != facts.caller_after.get(FOR_CHILDREN) {
            moved.push(FOR_CHILDREN.to_owned());
        }
        if !moved.is_empty() {
            let what = "/proc/PID/ns of the caller, what has changed";
            evidence.push(Evidence::differs(what, "-", moved.join(BETWEEN)));
        }
        if process.cwd != facts.scratch_seen() {
            let what = "readlink(\"/proc/PID/cwd\") of the caller";
            evidence.push(Evidence::differs(
                what,
                facts.scratch_seen().display(),
                process.cwd.display(),
            ));
        }
        if process.descriptors.len() != DIRECTORIES {
            let what = "/proc/PID/fd of the caller, how many above 2";
            evidence.push(Evidence::differs(what, DIRECTORIES, process.descriptors.len()));
        }
        evidence
    })
}

impl Entered {
    /// Whether it is in another namespace or directory than it was.
    fn has_caller_moved(&self) -> bool {
        self.is_caller_moved() || self.seen.process.cwd != self.scratch_seen()
    }

    /// The directory in which the caller began, as /proc names it.
    fn scratch_seen(&self) -> std::path::PathBuf {
        self.scratch.components().collect()
    }
}

pub fn nothing_is_left(host: &Host) -> Result<(), Finding> {
    static RULES: Rules<Entered> = rules(&[
        &[
            rule("command-not-waited-for", |it| it.is_early),
            rule("zombie-left", |it| it.is_zombie_left),
        ],
        STARTED,
    ]);
    let facts = observe(host, Given::Path, FAST)?;
    let kept = !facts.is_early && !facts.is_zombie_left && facts.left.is_empty();
    facts.judge(&RULES, kept, || {
        if facts.is_early {
            let what = format!("{FUNCTION} returns while the command");
            return vec![Evidence::differs(what, "has ended", "runs")];
        }
        let left = if facts.is_zombie_left { "a zombie".to_owned() } else { facts.left.join(", ") };
        vec![Evidence::differs("/proc, processes afterwards", "-", left)]
    })
}
