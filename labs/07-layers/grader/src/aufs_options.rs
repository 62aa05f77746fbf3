//! aufs_options.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use arbitrary::Unstructured;
use labkit::cases::{self, Outcome};
use labkit::frame::{Facts, Rule, Rules, Words, rule};
use labkit::generated::{list, text};
use labkit::host::Host;
use labkit::verdict::{Evidence, Finding};

use crate::LAB;
use crate::acts::{AUFS_OPTIONS, Branches, Refusal};

/// The branches with what must be said of each; nothing, if AUFS cannot take one.
type Said = Option<Vec<(Vec<u8>, Vec<u8>)>>;
type Case = cases::Case<Branches, Said>;
type Subject<'h> = cases::Subject<'h, Branches, Said, Result<OsString, Refusal>>;
type Wrong = cases::Wrong<Branches, Said, Result<OsString, Refusal>>;

fn case<const COUNT: usize>(write: &str, read_only: [&str; COUNT]) -> Case {
    case_of(Branches { write: write.into(), read_only: read_only.map(OsString::from).into() })
}

fn case_of(input: Branches) -> Case {
    let path = |path: &OsString| path.as_bytes().to_vec();
    let mut said = vec![(path(&input.write), b"rw".to_vec())];
    said.extend(input.read_only.iter().map(|it| (path(it), b"ro+wh".to_vec())));
    let can_be_taken = |(path, _): &(Vec<u8>, Vec<u8>)| !path.iter().any(|it| b":,".contains(it));
    let expected = said.iter().all(can_be_taken).then_some(said);
    Case { input, expected }
}

/// The branches in the options, each with what is said of it, as AUFS reads
/// them: without a word the first is `rw` and all others are `ro`.
pub fn branches(options: &OsStr) -> Vec<(Vec<u8>, Vec<u8>)> {
    // `dirs=` is the same option by its old name.
    let mut options = options.as_bytes().split(|it| *it == b',');
    let list = options
        .find_map(|option| option.strip_prefix(b"br=").or_else(|| option.strip_prefix(b"dirs=")));
    let branches = list.unwrap_or_default().split(|it| *it == b':').filter(|it| !it.is_empty());
    let split = |branch: &[u8]| match branch.iter().rposition(|it| *it == b'=') {
        Some(at) => (branch[..at].to_vec(), branch[at + 1..].to_vec()),
        None => (branch.to_vec(), Vec::new()),
    };
    branches.map(split).collect()
}

pub fn branches_say_what_they_are(host: &Host) -> Result<(), Finding> {
    subject(host).judge(vec![plain()], finding)
}

fn plain() -> Case {
    case("/w/write-layer", ["/w/init-layer", "/image/2", "/image/1"])
}

pub fn what_aufs_cannot_take_is_refused(host: &Host) -> Result<(), Finding> {
    subject(host).judge(not_to_be_taken().into(), finding)
}

fn not_to_be_taken() -> [Case; 4] {
    [
        case("/w/a:b", ["/image"]),
        case("/w/write-layer", ["/ima,ge"]),
        case("/w/write-layer", ["/image:1"]),
        case("/w/write-layer", ["/image", "/old,image"]),
    ]
}

/// What looks as if it could not be taken, and can.
fn to_be_taken() -> [Case; 2] {
    [case("/w=1/write-layer", ["/image=ro", "/a b\\c"]), case("/w/write-layer", [])]
}

pub fn any_branches(host: &Host) -> Result<(), Finding> {
    let known = [plain()].into_iter().chain(not_to_be_taken()).chain(to_be_taken());
    subject(host).judge_any(known.collect(), generate, finding)
}

fn generate(choices: &mut Unstructured) -> arbitrary::Result<Case> {
    let path = |choices: &mut Unstructured| {
        let pieces: [&[u8]; 10] =
            [b"a", b"b", b"/c", b"=", b"\\", b" ", b"+", "é".as_bytes(), b":", b","];
        let name = text(choices, &pieces, 3)?;
        Ok(OsString::from_vec([b"/a".to_vec(), name].concat()))
    };
    let write = path(choices)?;
    Ok(case_of(Branches { write, read_only: list(choices, 5, path)? }))
}

fn subject(host: &Host) -> Subject<'_> {
    Subject::new(host, &AUFS_OPTIONS, |expected, returned| match (expected, returned) {
        (Some(said), Ok(options)) => branches(options) == *said,
        (None, Err(refusal)) => refusal.is_invalid_input,
        (Some(_), Err(_)) | (None, Ok(_)) => false,
    })
}

/// What was made of some branches.
struct Written(Wrong);

impl Written {
    /// The branches that were written.
    fn said(&self) -> Vec<(Vec<u8>, Vec<u8>)> {
        match &self.0.outcome {
            Outcome::Returned(Ok(options)) => branches(options),
            Outcome::Returned(Err(_)) | Outcome::Died(_) => Vec::new(),
        }
    }

    fn can_be_taken(&self) -> bool {
        self.0.case.expected.is_some()
    }

    fn is_refused(&self) -> bool {
        matches!(self.0.outcome, Outcome::Returned(Err(_)))
    }

    fn has_reversed_layers(&self) -> bool {
        let asked = self.0.case.input.read_only.iter().map(|path| path.as_bytes());
        let said = self.said();
        let lower: Vec<&[u8]> = said.iter().skip(1).map(|(path, _)| path.as_slice()).collect();
        !lower.iter().copied().eq(asked.clone()) && lower.iter().rev().copied().eq(asked)
    }
}

impl Facts for Written {
    fn words(&self) -> Words {
        let Outcome::Returned(Err(refusal)) = &self.0.outcome else { return Vec::new() };
        vec![("error", refusal.failure.to_string())]
    }
}

static RULES: Rules<Written> =
    Rules { lab: LAB, function: AUFS_OPTIONS.function, tables: &[TABLE] };

const TABLE: &[Rule<Written>] = &[
    rule("aufs-path-not-refused", |it| {
        !it.can_be_taken() && matches!(it.0.outcome, Outcome::Returned(Ok(_)))
    }),
    rule("legal-path-refused", |it| it.can_be_taken() && it.is_refused()),
    rule("error-of-another-kind", |it| !it.can_be_taken() && it.is_refused()),
    rule("writable-branch-not-first", |it| {
        it.said().first().is_some_and(|(path, _)| *path != it.0.case.input.write.as_bytes())
    }),
    rule("lower-order-reversed", Written::has_reversed_layers),
    rule("layer-left-out", |it| {
        let (count, said) = (it.0.case.input.read_only.len(), it.said());
        let is_asked = |(path, _): &(Vec<u8>, Vec<u8>)| {
            let mut asked = it.0.case.input.read_only.iter();
            asked.any(|layer| layer.as_bytes() == path)
        };
        !said.is_empty() && said.len() < count + 1 && said.iter().skip(1).all(is_asked)
    }),
    rule("branch-without-attribute", |it| it.said().iter().any(|(_, word)| word.is_empty())),
    rule("whiteouts-not-honoured", |it| it.said().iter().skip(1).any(|(_, word)| word == b"ro")),
];

fn finding(_: &Subject, wrong: Wrong) -> Finding {
    let Branches { write, read_only } = &wrong.case.input;
    let shown = |branches: &[(Vec<u8>, Vec<u8>)]| {
        let one = |(path, word): &(Vec<u8>, Vec<u8>)| {
            let branch = [path.as_slice(), b"=", word].concat();
            String::from_utf8_lossy(&branch).into_owned()
        };
        branches.iter().map(one).collect::<Vec<_>>().join("  ")
    };
    let expected = wrong.case.expected.as_deref();
    let expected = expected.map_or("Err(InvalidInput)".to_owned(), shown);
    let seen = wrong.outcome.shown(|returned| match (returned, &wrong.case.expected) {
        (Ok(options), Some(_)) => shown(&branches(options)),
        (Ok(options), None) => format!("Ok({})", options.display()),
        (Err(refusal), _) => format!("Err({})", refusal.failure),
    });
    let what = wrong.what(format!("aufs_options({write:?}, {read_only:?}): the branches"));
    let written = Written(wrong);
    written.0.finding(&RULES, &written, [Evidence::differs(what, expected, seen)])
}
