//! merge_environment: a call for each thing that can be wrong.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use labkit::host::Host;
use labkit::verdict::{Evidence, Finding, require};
use nix::sched::CloneFlags;
use serde::{Deserialize, Serialize};

use crate::peer::{Ended, call};
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
    /// The call did not come to its end: what happened instead.
    died: Option<Finding>,
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
        Case { image, given, expected, merged: Vec::new(), died: None }
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
        self.died.is_none() && sorted(&self.merged) == sorted(&self.expected)
    }

    /// Whether the variables are the image's, but for a PATH of their own.
    fn is_as_in_image(&self) -> bool {
        self.merged.starts_with(&self.image) && self.merged.len() <= self.image.len() + 1
    }

    /// Whether a variable of the image that nobody has changed is not there.
    fn lacks_an_image_variable(&self) -> bool {
        let mut unchanged = self.image.iter().filter(|it| self.expected.contains(it));
        unchanged.any(|variable| !self.merged.contains(variable))
    }

    /// Whether a variable of the image is there that should have another value.
    fn holds_an_old_value(&self) -> bool {
        let mut replaced = self.image.iter().filter(|it| !self.expected.contains(it));
        replaced.any(|variable| self.merged.contains(variable))
    }

    fn has_another_path(&self) -> bool {
        let path =
            |variables: &[OsString]| variables.iter().find(|it| name_of(it) == b"PATH").cloned();
        path(&self.merged) != path(&self.expected)
    }

    /// The variables that only the host has, and that nobody has asked for.
    fn of_the_host<'a>(&'a self, host: &'a [(OsString, OsString)]) -> impl Iterator<Item = String> {
        let variable = |(name, value): &(OsString, OsString)| {
            [name.as_os_str(), value.as_os_str()].join("=".as_ref())
        };
        let is_there = move |it: &&(OsString, OsString)| {
            self.merged.contains(&variable(it)) && !self.expected.contains(&variable(it))
        };
        host.iter().filter(is_there).map(|(name, _)| name.to_string_lossy().into())
    }

    fn has_duplicates(&self) -> bool {
        let names: BTreeSet<&[u8]> = self.merged.iter().map(name_of).collect();
        names.len() < self.merged.len()
    }

    fn evidence(&self) -> Evidence {
        let call = format!("{FUNCTION}({:?}, {:?}, …)", self.image, self.given);
        let merged = format!("{:?}", self.merged);
        let seen = if self.died.is_some() { "panic!".to_owned() } else { merged };
        Evidence::differs(call, format!("{:?}", self.expected), seen)
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

    /// The first rule that fits: what it says must show in one of a promise's `own`
    /// cases, too.
    fn diagnose(&self, own: &[&Case]) -> Option<Finding> {
        let Cases { replaced, twice, name_alone, values, no_path, own_path, .. } = self;
        let shows = |symptom: fn(&Case) -> bool| own.iter().any(|case| symptom(case));
        let is_own = |case: &Case| own.iter().any(|it| std::ptr::eq(*it, case));
        // 1. What must not come in.
        let of_the_host: BTreeSet<String> =
            own.iter().flat_map(|case| case.of_the_host(&self.host)).collect();
        if !of_the_host.is_empty() {
            let names = of_the_host.into_iter().collect::<Vec<_>>().join(", ");
            return Some(found("host-inherited").word("names", names));
        }
        // 2. The variables of the image, and those that replace them.
        if replaced.merged == replaced.image && shows(Case::is_as_in_image) {
            return Some(found("given-ignored"));
        }
        if !replaced.holds("LANG=C") && shows(Case::lacks_an_image_variable) {
            return Some(found("image-variables-lost"));
        }
        if !replaced.holds("HOMEPAGE=/index") && shows(Case::lacks_an_image_variable) {
            return Some(found("name-by-prefix"));
        }
        if replaced.values("HOME") == [b"/root"] && shows(Case::holds_an_old_value) {
            return Some(found("image-wins"));
        }
        if [replaced, twice].into_iter().any(Case::has_duplicates) && shows(Case::has_duplicates) {
            return Some(found("duplicate-names"));
        }
        // 3. Values.
        if is_own(values)
            && let Some(finding) = Cases::diagnose_values(values)
        {
            return Some(finding);
        }
        // 4. Names alone.
        if is_own(name_alone)
            && let Some(finding) = Cases::diagnose_name_alone(name_alone)
        {
            return Some(finding);
        }
        // 5. PATH, which must be there.
        if no_path.values("PATH").is_empty() && is_own(no_path) {
            return Some(found("no-path"));
        }
        let is_overridden = !replaced.holds("PATH=/bin") || !own_path.holds("PATH=/opt");
        if is_overridden && shows(Case::has_another_path) {
            return Some(found("path-overridden"));
        }
        own.iter().all(|case| case.is_complete()).then(|| found("order-lost"))
    }

    fn diagnose_values(case: &Case) -> Option<Finding> {
        if case.values("OPTIONS") == [b"-Dmode"] {
            return Some(found("value-cut-at-equals"));
        }
        if case.values("OPTIONS").len() > 1 {
            return Some(found("split-at-the-last-equals"));
        }
        if case.values("FILE") == ["caf\u{fffd}.txt".as_bytes()] {
            return Some(found("lossy-utf8").word("function", FUNCTION));
        }
        (case.values("PROMPT") != [b""]).then(|| found("empty-value-dropped"))
    }

    fn diagnose_name_alone(case: &Case) -> Option<Finding> {
        if case.holds("LANG") || case.holds("DISPLAY") || case.holds("DEBUG") {
            return Some(found("name-alone-passed-on"));
        }
        if case.values("DISPLAY").is_empty() {
            return Some(found("name-alone-ignored"));
        }
        if case.values("DISPLAY") == [b""] {
            return Some(found("name-alone-empty"));
        }
        (case.values("DEBUG") == [b""]).then(|| found("unset-becomes-empty"))
    }

    /// The promise that these cases are right.
    fn require<const N: usize>(
        &self,
        own: [&Case; N],
        is_right: impl Fn(&Case) -> bool,
    ) -> Result<(), Finding> {
        let wrong = own.into_iter().find(|case| !is_right(case));
        let why = || match wrong.and_then(|case| case.died.clone()) {
            Some(death) => Some(death),
            None => self.diagnose(&own),
        };
        let evidence = || wrong.map(Case::evidence).into_iter().collect();
        require(wrong.is_none(), evidence, why, UNFORESEEN)
            .map_err(|finding| after(&self.printed, finding))
    }
}

fn observe(answers: &Answers, host: &Host) -> Result<Cases, Finding> {
    let mut cases = Cases::new();
    let seen = host.call(FUNCTION, CloneFlags::empty(), move || {
        let host = cases.host.clone();
        for case in cases.each() {
            let ended = call(|| (answers.merge_environment)(&case.image, &case.given, &host));
            case.died = ended.returned(FUNCTION).err();
            if let Ended::Returned(merged) = ended {
                case.merged = merged;
            }
        }
        cases
    })?;
    Ok(Cases { printed: seen.printed, ..seen.returned })
}

pub fn given(answers: &Answers, host: &Host) -> Result<(), Finding> {
    let cases = observe(answers, host)?;
    cases.require([&cases.replaced, &cases.twice], Case::is_complete)
}

pub fn name_alone(answers: &Answers, host: &Host) -> Result<(), Finding> {
    let cases = observe(answers, host)?;
    cases.require([&cases.name_alone], Case::is_complete)
}

pub fn values(answers: &Answers, host: &Host) -> Result<(), Finding> {
    let cases = observe(answers, host)?;
    cases.require([&cases.values], Case::is_complete)
}

pub fn path(answers: &Answers, host: &Host) -> Result<(), Finding> {
    let cases = observe(answers, host)?;
    cases.require([&cases.no_path, &cases.own_path], Case::is_complete)
}

pub fn order(answers: &Answers, host: &Host) -> Result<(), Finding> {
    let cases = observe(answers, host)?;
    let in_order = |case: &Case| case.died.is_none() && case.merged == case.expected;
    cases.require([&cases.replaced, &cases.twice], in_order)
}

pub fn host(answers: &Answers, host: &Host) -> Result<(), Finding> {
    let cases = observe(answers, host)?;
    let Cases { replaced, twice, name_alone, values, no_path, own_path, host, .. } = &cases;
    let all = [replaced, twice, name_alone, values, no_path, own_path];
    let names: BTreeSet<String> = all.iter().flat_map(|case| case.of_the_host(host)).collect();
    let evidence = || {
        let names = names.iter().cloned().collect::<Vec<_>>().join(", ");
        vec![Evidence::differs("variables that only the host has", "-", names)]
    };
    // Of a call that has not returned nothing is known.
    if all.iter().all(|case| case.died.is_some()) {
        return cases.require(all, Case::is_complete);
    }
    require(names.is_empty(), evidence, || cases.diagnose(&all), UNFORESEEN)
        .map_err(|finding| after(&cases.printed, finding))
}
