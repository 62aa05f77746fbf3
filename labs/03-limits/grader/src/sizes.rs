//! parse_size.

use labkit::describe::Failure;
use labkit::host::Host;
use labkit::verdict::{Evidence, Finding, require};
use nix::sched::CloneFlags;

use crate::{Answers, UNFORESEEN, finding};

const FUNCTION: &str = "parse_size";

/// Texts of numbers, the unit of each, and what both mean.
const SIZES: [(&str, u64, u64); 11] = [
    ("4096", 4096, 1),
    ("0", 0, 1),
    ("512b", 512, 1),
    ("64k", 64, 1 << 10),
    ("100m", 100, 1 << 20),
    ("1g", 1, 1 << 30),
    ("3M", 3, 1 << 20),
    ("20G", 20, 1 << 30),
    ("17179869183g", 17_179_869_183, 1 << 30),
    ("512B", 512, 1),
    ("64K", 64, 1 << 10),
];

/// More bytes than a u64 can hold.
const TOO_MANY: [&str; 2] = ["17179869184g", "18446744073709551616"];
const NO_SIZES: [&str; 12] =
    ["", "m", "10x", "-1", "1.5g", "12mm", "k10", "max1", "1é", "+5", "+5m", "MAX"];

type Size = Result<Option<u64>, Failure>;

/// What the answer makes of each text.
fn parse(answers: &Answers, host: &Host, texts: &[&str]) -> Result<Vec<Size>, Finding> {
    let one = |text: &&str| (answers.parse_size)(text).map_err(Failure::from);
    let all = || texts.iter().map(one).collect::<Vec<_>>();
    Ok(host.call(FUNCTION, CloneFlags::empty(), all)?.returned)
}

/// The promise is kept if `is_right` holds of every text.
fn judge(
    answers: &Answers,
    host: &Host,
    texts: &[&str],
    expected: impl Fn(usize) -> String,
    is_right: impl Fn(usize, &Size) -> bool,
    diagnose: impl Fn(usize, &Size) -> Option<Finding>,
) -> Result<(), Finding> {
    let sizes = parse(answers, host, texts)?;
    let wrong: Vec<usize> = (0..texts.len()).filter(|&i| !is_right(i, &sizes[i])).collect();
    let evidence = || {
        let line = |&i: &usize| Evidence::differs(call(texts[i]), expected(i), shown(&sizes[i]));
        wrong.iter().map(line).collect()
    };
    let diagnosis = || {
        let first = wrong[0];
        let found = diagnose(first, &sizes[first])?;
        Some(found.word("text", texts[first]).word("function", FUNCTION))
    };
    require(wrong.is_empty(), evidence, diagnosis, UNFORESEEN)
}

fn call(text: &str) -> String {
    format!("parse_size({text:?})")
}

fn shown(size: &Size) -> String {
    match size {
        Ok(size) => format!("Ok({size:?})"),
        Err(failure) => format!("Err({failure})"),
    }
}

pub fn bytes(answers: &Answers, host: &Host) -> Result<(), Finding> {
    let texts = SIZES.map(|(text, ..)| text);
    let right = |i: usize| SIZES[i].1 * SIZES[i].2;
    judge(
        answers,
        host,
        &texts,
        |i| format!("Ok(Some({}))", right(i)),
        |i, size| *size == Ok(Some(right(i))),
        |i, size| diagnose_size(SIZES[i], size),
    )
}

fn diagnose_size((text, number, unit): (&str, u64, u64), size: &Size) -> Option<Finding> {
    let bytes = match size {
        Ok(bytes) => (*bytes)?,
        Err(_) if text.ends_with(char::is_alphabetic) => return Some(finding("unit-refused")),
        Err(failure) => {
            return Some(Finding::new("answer/returned-error").word("error", failure));
        }
    };
    let [bytes, number, unit] = [bytes, number, unit].map(u128::from);
    let code = if bytes == number / 4096 * unit || bytes == number * unit / 4096 {
        "bytes-and-pages"
    } else if bytes == number {
        "unit-ignored"
    } else if bytes == number * 1000_u128.pow(unit.ilog2() / 10) {
        "units-of-a-thousand"
    } else {
        return None;
    };
    Some(finding(code))
}

pub fn max(answers: &Answers, host: &Host) -> Result<(), Finding> {
    judge(
        answers,
        host,
        &["max"],
        |_| "Ok(None)".to_owned(),
        |_, size| *size == Ok(None),
        |_, size| Some(finding(if size.is_err() { "max-refused" } else { "max-as-a-number" })),
    )
}

pub fn refused(answers: &Answers, host: &Host) -> Result<(), Finding> {
    let texts = [&NO_SIZES[..], &TOO_MANY].concat();
    judge(
        answers,
        host,
        &texts,
        |_| "Err".to_owned(),
        |_, size| size.is_err(),
        |i, size| {
            if !TOO_MANY.contains(&texts[i]) {
                return Some(finding("nonsense-accepted"));
            }
            // By another unit it may be a number that fits.
            let first = (TOO_MANY[0], 17_179_869_184, 1 << 30);
            let by_unit = if i == NO_SIZES.len() { diagnose_size(first, size) } else { None };
            by_unit.or_else(|| Some(finding("size-wraps")))
        },
    )
}
