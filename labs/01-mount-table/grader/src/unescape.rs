//! unescape.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use arbitrary::Unstructured;
use labkit::cases::{self, Outcome};
use labkit::frame::{Facts, Rules, Words, rule};
use labkit::generated::text;
use labkit::host::Host;
use labkit::verdict::{Evidence, Finding};

use crate::LAB;
use crate::acts::UNESCAPE;
use crate::escapes::{self, Field, HasField};

/// A field, and what is in it.
type Case = cases::Case<Vec<u8>, Vec<u8>>;
type Subject<'h> = cases::Subject<'h, Vec<u8>, Vec<u8>, OsString>;
type Wrong = cases::Wrong<Vec<u8>, Vec<u8>, OsString>;

fn case(field: &[u8], expected: &[u8]) -> Case {
    Case { input: field.to_vec(), expected: expected.to_vec() }
}

/// What every answer that knows escapes knows.
fn space() -> Case {
    case(br"/mnt/my\040disk", b"/mnt/my disk")
}

pub fn escapes() -> Vec<Case> {
    vec![
        space(),
        case(br"/a\040b\011c\012d\043e", b"/a b\tc\nd#e"),
        case(br"\134\134host\134my\040share", br"\\host\my share"),
        case(br"/a\000b", b"/a\0b"),
        case(br"/a\303\244b", b"/a\xc3\xa4b"),
        case(br"/mnt/\040a\040", b"/mnt/ a "),
        case(br"/\040\001\377", b"/ \x01\xff"),
    ]
}

pub fn escaped_escapes() -> Vec<Case> {
    vec![
        case(br"/mnt/a\134040b", br"/mnt/a\040b"),
        case(br"/mnt/a\134\040b", br"/mnt/a\ b"),
        case(br"/mnt/\134134040", br"/mnt/\134040"),
    ]
}

pub fn no_escapes() -> Vec<Case> {
    let fields: [&[u8]; 8] = [
        b"",
        b"/mnt/a:b,c=d#e",
        br"/mnt/a\n\x20\",
        br"/mnt/\08a\049\400\777",
        br"/mnt/a\04",
        br"/mnt/\080\008\800",
        br"/mnt/a\+40",
        br"/mnt/a\\040b",
    ];
    // All but the last stay whole: there the second backslash begins an escape.
    fields.map(|field| case(field, &escapes::unescape(field))).into()
}

pub fn any_bytes() -> Vec<Case> {
    vec![
        case("/mnt/été/图片".as_bytes(), "/mnt/été/图片".as_bytes()),
        case(b"/mnt/caf\xe9", b"/mnt/caf\xe9"),
        case(b"/mnt/my\\040caf\xe9", b"/mnt/my caf\xe9"),
        // A backslash that was a byte of a name before it was one of an escape.
        case(b"/mnt/\\\xe9t\xe9\\", b"/mnt/\\\xe9t\xe9\\"),
    ]
}

pub fn judge(host: &Host, cases: Vec<Case>) -> Result<(), Finding> {
    subject(host).judge(cases, finding)
}

pub fn any_field(host: &Host) -> Result<(), Finding> {
    let known = [escapes(), escaped_escapes(), no_escapes(), any_bytes()].concat();
    subject(host).judge_any(known, generate, finding)
}

fn generate(choices: &mut Unstructured) -> arbitrary::Result<Case> {
    let pieces: [&[u8]; 20] = [
        b"a",
        b"\\",
        br"\040",
        br"\134",
        b"0",
        b"4",
        b"7",
        b"/",
        br"\012",
        br"\000",
        br"\377",
        // Nearly escapes.
        br"\080",
        br"\400",
        br"\04",
        br"\x20",
        b"8",
        b"x",
        b"+",
        "é".as_bytes(),
        b"\xe9",
    ];
    let field = text(choices, &pieces, 12)?;
    let expected = escapes::unescape(&field);
    Ok(Case { input: field, expected })
}

fn subject(host: &Host) -> Subject<'_> {
    Subject::new(host, &UNESCAPE, |expected, seen| seen.as_bytes() == expected)
}

/// A field that was not read as it must be.
struct Read {
    wrong: Wrong,
    field: Option<Field>,
}

impl Facts for Read {
    fn words(&self) -> Words {
        Vec::new()
    }
}

impl HasField for Read {
    fn field(&self) -> Option<&Field> {
        self.field.as_ref()
    }
}

static RULES: Rules<Read> = Rules {
    lab: LAB,
    function: UNESCAPE.function,
    tables: &[
        &escapes::rules(),
        &[rule(
            "utf8-demanded",
            |it| matches!(&it.wrong.outcome, Outcome::Died(death) if escapes::demands_utf8(death)),
        )],
    ],
};

fn finding(subject: &Subject, wrong: Wrong) -> Finding {
    let field = match &wrong.outcome {
        Outcome::Returned(seen) => Some(Field {
            raw: wrong.case.input.clone(),
            seen: seen.clone().into_vec(),
            knows_spaces: subject.try_each([space()])[0].is_right,
            is_generated: wrong.seed.is_some(),
        }),
        Outcome::Died(_) => None,
    };
    let seen = wrong.outcome.shown(|seen| escapes::quoted(seen.as_bytes()));
    let what = wrong.what(format!("unescape(br\"{}\")", escapes::shown(&wrong.case.input)));
    let evidence = Evidence::differs(what, escapes::quoted(&wrong.case.expected), seen);
    let read = Read { wrong, field };
    read.wrong.finding(&RULES, &read, [evidence])
}
