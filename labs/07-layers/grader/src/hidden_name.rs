//! hidden_name.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use arbitrary::Unstructured;
use labkit::cases::{self, Outcome};
use labkit::frame::{Facts, Rule, Rules, Words, rule};
use labkit::generated::text;
use labkit::host::Host;
use labkit::verdict::{Evidence, Finding};

use crate::LAB;
use crate::acts::HIDDEN_NAME;

/// A name, and the name that it hides.
type Case = cases::Case<OsString, Option<OsString>>;
type Subject<'h> = cases::Subject<'h, OsString, Option<OsString>, Option<OsString>>;
type Wrong = cases::Wrong<OsString, Option<OsString>, Option<OsString>>;

fn name(bytes: &[u8]) -> OsString {
    OsString::from_vec(bytes.to_vec())
}

/// Whiteouts, and what they hide: plain, hidden, with the prefix in it once
/// more, with the beginning of the prefix, with dots only, no UTF-8.
fn whiteouts() -> Vec<Case> {
    let all: [(&[u8], &[u8]); 7] = [
        (b".wh.motd", b"motd"),
        (b".wh..bashrc", b".bashrc"),
        (b".wh.a.wh.b", b"a.wh.b"),
        (b".wh.wh.x", b"wh.x"),
        (b".wh....", b"..."),
        (b".wh..wh", b".wh"),
        (b".wh.\xff", b"\xff"),
    ];
    let case = |(it, hidden)| Case { input: name(it), expected: Some(name(hidden)) };
    all.map(case).into()
}

/// Files of the container, AUFS's own, and whiteouts of nothing, of the directory
/// that they lie in, and of its parent.
fn others() -> Vec<Case> {
    let files: [&[u8]; 6] = [b"motd", b".wh", b"a.wh.b", b"x.wh.", b".WH.motd", b"wh.motd"];
    let all = [&files[..], &OF_AUFS, &OF_NO_FILE].concat();
    all.into_iter().map(|it| Case { input: name(it), expected: None }).collect()
}

/// AUFS's own, and the mark of an opaque directory.
const OF_AUFS: [&[u8]; 5] =
    [b".wh..wh..opq", b".wh..wh.aufs", b".wh..wh.orph", b".wh..wh.plnk", b".wh..wh."];

/// Whiteouts of nothing, of the directory that they lie in, and of its parent.
const OF_NO_FILE: [&[u8]; 3] = [b".wh.", b".wh..", b".wh..."];

pub fn whiteouts_name_what_they_hide(host: &Host) -> Result<(), Finding> {
    subject(host).judge(whiteouts(), finding)
}

pub fn nothing_else_hides_a_file(host: &Host) -> Result<(), Finding> {
    subject(host).judge(others(), finding)
}

pub fn any_name(host: &Host) -> Result<(), Finding> {
    subject(host).judge_any([whiteouts(), others()].concat(), generate, finding)
}

fn generate(choices: &mut Unstructured) -> arbitrary::Result<Case> {
    let pieces: [&[u8]; 10] =
        [b".wh.", b"a", b".", b"wh", b".wh", b"opq", b"W", b"\xff", b" ", b"\n"];
    let input = OsString::from_vec(text(choices, &pieces, 5)?);
    let expected = hidden(&input);
    Ok(Case { input, expected })
}

/// The grader's own.
fn hidden(name: &OsStr) -> Option<OsString> {
    let bytes = name.as_bytes();
    let is_whiteout = bytes.starts_with(b".wh.");
    let is_other = bytes.starts_with(b".wh..wh.") || OF_NO_FILE.contains(&bytes);
    (is_whiteout && !is_other).then(|| OsStr::from_bytes(&bytes[4..]).to_owned())
}

fn subject(host: &Host) -> Subject<'_> {
    Subject::new(host, &HIDDEN_NAME, PartialEq::eq)
}

/// What was made of a name.
struct Named(Wrong);

impl Named {
    fn bytes(&self) -> &[u8] {
        self.0.case.input.as_bytes()
    }

    /// Whether it was taken for a whiteout.
    fn is_found(&self) -> bool {
        matches!(self.0.outcome, Outcome::Returned(Some(_)))
    }

    fn is_not_utf8(&self) -> bool {
        let has_text = |seen: &OsString| seen.to_str().is_some_and(|it| it.contains('\u{fffd}'));
        match &self.0.outcome {
            Outcome::Returned(seen) => {
                self.0.case.input.to_str().is_none() && seen.as_ref().is_none_or(has_text)
            }
            Outcome::Died(_) => false,
        }
    }
}

impl Facts for Named {
    fn words(&self) -> Words {
        vec![("name", self.0.case.input.display().to_string())]
    }
}

static RULES: Rules<Named> = Rules { lab: LAB, function: HIDDEN_NAME.function, tables: &[TABLE] };

const TABLE: &[Rule<Named>] = &[
    rule("not-utf-8", Named::is_not_utf8),
    rule("whiteout-of-the-parent", |it| it.is_found() && OF_NO_FILE.contains(&it.bytes())),
    rule("book-keeping-is-no-whiteout", |it| {
        it.is_found() && it.0.case.expected.is_none() && it.bytes().starts_with(b".wh..wh.")
    }),
    rule("hidden-file-overlooked", |it| {
        let is_hidden = |hidden: &OsString| hidden.as_bytes().starts_with(b".");
        it.0.case.expected.as_ref().is_some_and(is_hidden)
            && matches!(it.0.outcome, Outcome::Returned(None))
    }),
    rule("prefix-anywhere", |it| {
        let rest = it.bytes().get(1..).unwrap_or_default();
        it.is_found() && rest.windows(4).any(|part| part == b".wh.")
    }),
];

fn finding(_: &Subject, wrong: Wrong) -> Finding {
    let what = wrong.what(format!("hidden_name({:?})", wrong.case.input));
    let expected = format!("{:?}", wrong.case.expected);
    let seen = wrong.outcome.shown(|hidden| format!("{hidden:?}"));
    let named = Named(wrong);
    named.0.finding(&RULES, &named, [Evidence::differs(what, expected, seen)])
}
