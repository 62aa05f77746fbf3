//! merge_environment: a call for each thing that can be wrong.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use labkit::host::Host;
use labkit::verdict::{Evidence, Finding, require};
use nix::sched::CloneFlags;
use serde::{Deserialize, Serialize};

use crate::{Answers, UNFORESEEN, after, found};

const FUNCTION: &str = "merge_environment";
const DEFAULT_PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// One call.
#[derive(Serialize, Deserialize)]
struct Case {
    image: Vec<OsString>,
    given: Vec<OsString>,
    expected: Vec<OsString>,
    merged: Vec<OsString>,
}

/// All calls, by what they are about.
#[derive(Serialize, Deserialize)]
struct Cases {
    /// One variable replaced and one added; another one's name begins the same.
    replaced: Case,
    /// The same name twice.
    twice: Case,
    /// Names alone: in image and host, in neither of them, in the host.
    name_alone: Case,
    /// A value with `=`, an empty one, one that is no UTF-8.
    values: Case,
    /// Nobody says what PATH is.
    no_path: Case,
    /// `-e` says it.
    own_path: Case,
    /// The host's variables in each of them.
    host: Vec<(OsString, OsString)>,
    #[serde(skip)]
    printed: String,
}

impl Case {
    fn new(image: &[&str], given: &[&str], expected: &[&str]) -> Case {
        let strings = |texts: &[&str]| texts.iter().map(OsString::from).collect();
        let [image, given, expected] = [image, given, expected].map(strings);
        Case { image, given, expected, merged: Vec::new() }
    }

    /// The values that a variable has got; there should be one at most.
    fn values(&self, name: &str) -> Vec<&[u8]> {
        let variables = self.merged.iter().filter(|it| name_of(it) == name.as_bytes());
        variables.map(|it| it.as_bytes().get(name.len() + 1..).unwrap_or_default()).collect()
    }

    fn holds(&self, variable: &str) -> bool {
        self.merged.iter().any(|it| it == variable)
    }

    /// Whether all is there that should be, and nothing else, in any order.
    fn is_complete(&self) -> bool {
        let sorted = |variables: &[OsString]| {
            let mut sorted = variables.to_vec();
            sorted.sort();
            sorted
        };
        sorted(&self.merged) == sorted(&self.expected)
    }

    fn has_duplicates(&self) -> bool {
        let names: BTreeSet<&[u8]> = self.merged.iter().map(name_of).collect();
        names.len() < self.merged.len()
    }

    fn evidence(&self) -> Evidence {
        let call = format!("{FUNCTION}({:?}, {:?}, …)", self.image, self.given);
        let [expected, merged] = [&self.expected, &self.merged].map(|it| format!("{it:?}"));
        Evidence::differs(call, expected, merged)
    }
}

/// What stands before the first `=`.
fn name_of(variable: &OsString) -> &[u8] {
    variable.as_bytes().split(|byte| *byte == b'=').next().unwrap_or_default()
}

impl Cases {
    fn new() -> Cases {
        let latin_1 = OsString::from_vec(b"FILE=caf\xe9.txt".to_vec());
        let mut values = Case::new(
            &["PATH=/bin", "OPTIONS=-v", "PROMPT=# "],
            &["OPTIONS=-Dmode=fast", "PROMPT="],
            &["PATH=/bin", "OPTIONS=-Dmode=fast", "PROMPT="],
        );
        values.given.push(latin_1.clone());
        values.expected.push(latin_1);
        let host = [
            ("PATH", "/home/ann/bin:/usr/bin"),
            ("HOME", "/home/ann"),
            ("LANG", "zh_CN.UTF-8"),
            ("DISPLAY", ":0"),
            ("PASSWORD", "hunter2"),
        ];
        Cases {
            replaced: Case::new(
                &["PATH=/bin", "LANG=C", "HOMEPAGE=/index", "HOME=/root"],
                &["HOME=/srv", "EDITOR=vi"],
                &["PATH=/bin", "LANG=C", "HOMEPAGE=/index", "HOME=/srv", "EDITOR=vi"],
            ),
            twice: Case::new(
                &["PATH=/bin", "LANG=C"],
                &["LANG=en", "EDITOR=vi", "LANG=zh"],
                &["PATH=/bin", "LANG=zh", "EDITOR=vi"],
            ),
            name_alone: Case::new(
                &["PATH=/bin", "LANG=C"],
                &["LANG", "DEBUG", "DISPLAY"],
                &["PATH=/bin", "LANG=zh_CN.UTF-8", "DISPLAY=:0"],
            ),
            values,
            no_path: Case::new(&["LANG=C"], &["EDITOR=vi"], &["LANG=C", "EDITOR=vi", DEFAULT_PATH]),
            own_path: Case::new(&["LANG=C"], &["PATH=/opt"], &["LANG=C", "PATH=/opt"]),
            host: host.map(|(name, value)| (name.into(), value.into())).into(),
            printed: String::new(),
        }
    }

    fn each(&mut self) -> [&mut Case; 6] {
        let Cases { replaced, twice, name_alone, values, no_path, own_path, .. } = self;
        [replaced, twice, name_alone, values, no_path, own_path]
    }

    /// Variables of the host that nobody has asked for, in any of the cases.
    fn of_the_host(&self) -> BTreeSet<String> {
        let Cases { replaced, twice, name_alone, values, no_path, own_path, host, .. } = self;
        let merged = [replaced, twice, name_alone, values, no_path, own_path]
            .into_iter()
            .flat_map(|case| case.merged.iter().filter(|it| !case.expected.contains(it)));
        let merged: BTreeSet<&OsString> = merged.collect();
        let is_there = |(name, value): &&(OsString, OsString)| {
            let variable = [name.as_os_str(), value.as_os_str()].join("=".as_ref());
            merged.contains(&variable)
        };
        host.iter().filter(is_there).map(|(name, _)| name.to_string_lossy().into()).collect()
    }

    /// The first rule that fits.
    fn diagnose(&self) -> Option<Finding> {
        let Cases { replaced, twice, name_alone, values, no_path, own_path, .. } = self;
        // 1. What must not come in.
        let of_the_host = self.of_the_host();
        if !of_the_host.is_empty() {
            let names = of_the_host.into_iter().collect::<Vec<_>>().join(", ");
            return Some(found("host-inherited").word("names", names));
        }
        // 2. The variables of the image, and those that replace them.
        if replaced.merged == replaced.image {
            return Some(found("given-ignored"));
        }
        if !replaced.holds("LANG=C") {
            return Some(found("image-variables-lost"));
        }
        if !replaced.holds("HOMEPAGE=/index") {
            return Some(found("name-by-prefix"));
        }
        if replaced.values("HOME") == [b"/root"] {
            return Some(found("image-wins"));
        }
        if [replaced, twice].into_iter().any(Case::has_duplicates) {
            return Some(found("duplicate-names"));
        }
        // 3. Values.
        if values.values("OPTIONS") == [b"-Dmode"] {
            return Some(found("value-cut-at-equals"));
        }
        if values.values("OPTIONS").len() > 1 {
            return Some(found("split-at-the-last-equals"));
        }
        if values.values("FILE") == ["caf\u{fffd}.txt".as_bytes()] {
            return Some(found("lossy-utf8").word("function", FUNCTION));
        }
        if values.values("PROMPT") != [b""] {
            return Some(found("empty-value-dropped"));
        }
        // 4. Names alone.
        if name_alone.holds("LANG") || name_alone.holds("DISPLAY") || name_alone.holds("DEBUG") {
            return Some(found("name-alone-passed-on"));
        }
        if name_alone.values("DISPLAY").is_empty() {
            return Some(found("name-alone-ignored"));
        }
        if name_alone.values("DISPLAY") == [b""] {
            return Some(found("name-alone-empty"));
        }
        if name_alone.values("DEBUG") == [b""] {
            return Some(found("unset-becomes-empty"));
        }
        // 5. PATH, which must be there.
        if no_path.values("PATH").is_empty() {
            return Some(found("no-path"));
        }
        if !replaced.holds("PATH=/bin") || !own_path.holds("PATH=/opt") {
            return Some(found("path-overridden"));
        }
        let complete = [replaced, twice, name_alone, values, own_path];
        complete.into_iter().all(Case::is_complete).then(|| found("order-lost"))
    }

    fn require(&self, kept: bool, evidence: impl FnOnce() -> Vec<Evidence>) -> Result<(), Finding> {
        require(kept, evidence, || self.diagnose(), UNFORESEEN)
            .map_err(|finding| after(&self.printed, finding))
    }

    /// The promise that nothing is missing in these cases, and nothing too much.
    fn require_complete<const N: usize>(&self, cases: [&Case; N]) -> Result<(), Finding> {
        self.require_each(cases, Case::is_complete)
    }

    fn require_each<const N: usize>(
        &self,
        cases: [&Case; N],
        is_right: impl Fn(&Case) -> bool,
    ) -> Result<(), Finding> {
        let wrong = cases.into_iter().find(|case| !is_right(case));
        self.require(wrong.is_none(), || wrong.map(Case::evidence).into_iter().collect())
    }
}

fn observe(answers: &Answers, host: &Host) -> Result<Cases, Finding> {
    let mut cases = Cases::new();
    let seen = host.call(FUNCTION, CloneFlags::empty(), move || {
        let host = cases.host.clone();
        for case in cases.each() {
            case.merged = (answers.merge_environment)(&case.image, &case.given, &host);
        }
        cases
    })?;
    Ok(Cases { printed: seen.printed, ..seen.returned })
}

pub fn given(answers: &Answers, host: &Host) -> Result<(), Finding> {
    let cases = observe(answers, host)?;
    cases.require_complete([&cases.replaced, &cases.twice])
}

pub fn name_alone(answers: &Answers, host: &Host) -> Result<(), Finding> {
    let cases = observe(answers, host)?;
    cases.require_complete([&cases.name_alone])
}

pub fn values(answers: &Answers, host: &Host) -> Result<(), Finding> {
    let cases = observe(answers, host)?;
    cases.require_complete([&cases.values])
}

pub fn path(answers: &Answers, host: &Host) -> Result<(), Finding> {
    let cases = observe(answers, host)?;
    cases.require_complete([&cases.no_path, &cases.own_path])
}

pub fn order(answers: &Answers, host: &Host) -> Result<(), Finding> {
    let cases = observe(answers, host)?;
    let in_order = |case: &Case| case.merged == case.expected;
    cases.require_each([&cases.replaced, &cases.twice], in_order)
}

pub fn host(answers: &Answers, host: &Host) -> Result<(), Finding> {
    let cases = observe(answers, host)?;
    let of_the_host = cases.of_the_host();
    cases.require(of_the_host.is_empty(), || {
        let names = of_the_host.iter().cloned().collect::<Vec<_>>().join(", ");
        vec![Evidence::differs("variables that only the host has", "-", names)]
    })
}
