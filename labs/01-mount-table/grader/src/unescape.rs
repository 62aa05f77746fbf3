//! unescape.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;

use labkit::host::Host;
use labkit::verdict::{Evidence, Finding};

use crate::case::{self, Outcome, Subject};
use crate::{Answers, UNFORESEEN, escapes};

const FUNCTION: &str = "unescape";

/// A field, and what is in it.
type Case = case::Case<&'static [u8], &'static [u8]>;

/// What every answer that knows escapes knows.
const BLANK: Case = Case { input: br"/mnt/my\040disk", expected: b"/mnt/my disk" };

pub fn escapes_become_bytes(answers: &Answers, host: &Host) -> Result<(), Finding> {
    let cases = [
        BLANK,
        Case { input: br"/a\040b\011c\012d\043e", expected: b"/a b\tc\nd#e" },
        Case { input: br"\134\134host\134my\040share", expected: br"\\host\my share" },
        Case { input: br"/\040\001\377", expected: b"/ \x01\xff" },
        Case { input: br"/mnt/\040a\040", expected: b"/mnt/ a " },
    ];
    check(answers, host, &cases)
}

pub fn escapes_are_undone_once(answers: &Answers, host: &Host) -> Result<(), Finding> {
    let cases = [
        Case { input: br"/mnt/a\134040b", expected: br"/mnt/a\040b" },
        Case { input: br"/mnt/a\134\040b", expected: br"/mnt/a\ b" },
        Case { input: br"/mnt/\134134040", expected: br"/mnt/\134040" },
    ];
    check(answers, host, &cases)
}

pub fn what_is_no_escape_stays(answers: &Answers, host: &Host) -> Result<(), Finding> {
    let cases = [
        Case { input: b"", expected: b"" },
        Case { input: b"/mnt/a:b,c=d#e", expected: b"/mnt/a:b,c=d#e" },
        Case { input: br"/mnt/a\n\x20\", expected: br"/mnt/a\n\x20\" },
        Case { input: br"/mnt/\08a\049\400\777", expected: br"/mnt/\08a\049\400\777" },
        Case { input: br"/mnt/a\04", expected: br"/mnt/a\04" },
        Case { input: br"/mnt/a\+40", expected: br"/mnt/a\+40" },
    ];
    check(answers, host, &cases)
}

pub fn names_need_not_be_utf8(answers: &Answers, host: &Host) -> Result<(), Finding> {
    let cases = [
        Case { input: "/mnt/été/图片".as_bytes(), expected: "/mnt/été/图片".as_bytes() },
        Case { input: b"/mnt/caf\xe9", expected: b"/mnt/caf\xe9" },
        Case { input: b"/mnt/my\\040caf\xe9", expected: b"/mnt/my caf\xe9" },
    ];
    check(answers, host, &cases)
}

fn check(answers: &Answers, host: &Host, cases: &[Case]) -> Result<(), Finding> {
    let subject = Subject {
        host,
        name: FUNCTION,
        call: &|field: &&[u8]| (answers.unescape)(field),
        is_right: |expected: &&[u8], seen: &OsString| seen.as_bytes() == *expected,
    };
    let Some(wrong) = subject.first_wrong(cases)? else { return Ok(()) };
    let Case { input: field, expected } = *wrong.case;
    let (finding, seen) = match wrong.outcome {
        Outcome::Returned(seen) => {
            let knows_blanks = subject.is_right(&BLANK);
            let code = escapes::diagnose(field, seen.as_bytes(), knows_blanks);
            (Finding::new(code.unwrap_or(UNFORESEEN)), escapes::quoted(seen.as_bytes()))
        }
        Outcome::Died(death) if escapes::demands_utf8(&death) => {
            (Finding::new("mount-table/utf8-demanded"), "panic!".to_owned())
        }
        Outcome::Died(death) => (death, "panic!".to_owned()),
    };
    let what = format!("unescape(br\"{}\")", escapes::shown(field));
    let evidence = Evidence::differs(what, escapes::quoted(expected), seen);
    let mut finding = finding.word("function", FUNCTION).with([evidence]);
    finding.printed = wrong.printed;
    Err(finding)
}
