//! parse_size.

use labkit::cases::{Case, Outcome, Subject, Wrong};
use labkit::frame::{Facts, Rule, Rules, Words, rule};
use labkit::generated;
use labkit::host::Host;
use labkit::verdict::{Evidence, Finding};

use crate::LAB;
use crate::acts::{PARSE_SIZE, Size};

const FUNCTION: &str = PARSE_SIZE.function;

/// What must come of a text: the bytes, or an error of the kind InvalidInput.
type Expected = Result<Option<u64>, ()>;

/// Texts of sizes.
const SIZES: [&str; 16] = [
    "4096",
    "0",
    "512b",
    "64k",
    "100m",
    "1g",
    "3M",
    "20G",
    "17179869183g",
    "512B",
    "64K",
    "007k",
    "000000000000000000000100",
    "9007199254740993",
    "9223372036854775808",
    "18446744073709551615",
];

/// More bytes than a u64 can hold.
const TOO_MANY: [&str; 3] = ["17179869184g", "18446744073709551616", "18014398509481984k"];

const NO_SIZES: [&str; 27] = [
    "",
    "m",
    "10x",
    "-1",
    "1.5g",
    "12mm",
    "k10",
    "max1",
    "1é",
    "+5",
    "+5m",
    "MAX",
    "100mb",
    "1kb",
    "1kib",
    "1 m",
    " 1m",
    "1m ",
    "1_000",
    "0x10",
    "1e3",
    "５",
    "١m",
    "5\u{212a}",
    "1²",
    "1\u{a0}m",
    "1½",
];

/// The units, each with what it counts.
const UNITS: [(&str, u64); 4] = [("b", 1), ("k", 1 << 10), ("m", 1 << 20), ("g", 1 << 30)];

/// What a text means: its number and its unit. Nothing if it is no size.
fn number_and_unit(text: &str) -> Option<(u128, u64)> {
    let lower = text.to_ascii_lowercase();
    let unit = UNITS.iter().find_map(|(letter, unit)| Some((lower.strip_suffix(letter)?, *unit)));
    let (digits, unit) = unit.unwrap_or((&lower, 1));
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| digits.parse().ok()).flatten().map(|number| (number, unit))
}

fn case(text: &str) -> Case<String, Expected> {
    let bytes = number_and_unit(text)
        .and_then(|(number, unit)| u64::try_from(number.checked_mul(unit.into())?).ok());
    let expected = match text {
        "max" => Ok(None),
        _ => bytes.map(Some).ok_or(()),
    };
    Case { input: text.to_owned(), expected }
}

fn is_right(expected: &Expected, size: &Size) -> bool {
    match (expected, size) {
        (Ok(expected), Ok(size)) => expected == size,
        (Err(()), Err((kind, _))) => kind == "InvalidInput",
        _ => false,
    }
}

/// What came of a text.
struct Parsed {
    text: String,
    /// What was returned, if the function came to its end.
    size: Option<Size>,
    /// Whether the same size without zeros in front is read as it must be.
    is_right_without_zeros: bool,
}

impl Facts for Parsed {
    fn words(&self) -> Words {
        let mut words = vec![("text", self.text.escape_default().to_string())];
        if let Some(Err((kind, error))) = &self.size {
            words.extend([("kind", kind.clone()), ("error", error.clone())]);
        }
        words
    }
}

/// What another number was made of a size.
const OTHER_NUMBER: &[Rule<Parsed>] = &[
    rule("bytes-and-pages", |it| {
        it.is_made_of(|number, unit| number / 4096 * unit)
            || it.is_made_of(|number, unit| number * unit / 4096)
    }),
    rule("unit-ignored", |it| it.is_made_of(|number, _| number)),
    rule("units-of-a-thousand", |it| {
        it.is_made_of(|number, unit| number * 1000_u128.pow(unit.ilog2() / 10))
    }),
    rule("not-in-bytes", |it| it.is_made_of(|number, unit| number * unit / 1024)),
    rule("rounded-size", |it| {
        it.is_made_of(|number, unit| (number * unit) as f64 as u64 as u128)
            || it.is_made_of(|number, unit| (number * unit) as f32 as u64 as u128)
    }),
];

const REFUSED: &[Rule<Parsed>] = &[
    rule("leading-zeros-refused", |it| {
        it.is_refused() && it.text.starts_with('0') && it.is_right_without_zeros
    }),
    rule("large-size-refused", |it| {
        let bytes = number_and_unit(&it.text).map(|(number, unit)| number * u128::from(unit));
        it.is_refused() && bytes.is_some_and(|bytes| bytes > EXACT_IN_F64)
    }),
    rule("unit-refused", |it| it.is_refused() && it.text.ends_with(char::is_alphabetic)),
    rule("answer/returned-error", |it| it.is_refused()),
];

/// Up to here a floating-point number of 64 bits has each whole number.
const EXACT_IN_F64: u128 = 1 << 53;

const ACCEPTED: &[Rule<Parsed>] = &[
    rule("other-kind-of-error", Parsed::is_refused),
    rule("not-ascii", |it| it.is_taken() && !it.text.is_ascii()),
    rule("size-wraps", |it| it.is_taken() && number_and_unit(&it.text).is_some()),
    rule("nonsense-accepted", Parsed::is_taken),
];

const fn rules(tables: &'static [&'static [Rule<Parsed>]]) -> Rules<Parsed> {
    Rules { lab: LAB, function: FUNCTION, tables }
}

impl Parsed {
    fn is_refused(&self) -> bool {
        matches!(self.size, Some(Err(_)))
    }

    fn is_taken(&self) -> bool {
        matches!(self.size, Some(Ok(_)))
    }

    /// Whether the number of bytes is another than the text's, and this of its number
    /// and unit.
    fn is_made_of(&self, bytes: impl FnOnce(u128, u128) -> u128) -> bool {
        let (Some(Ok(Some(seen))), Some((number, unit))) =
            (&self.size, number_and_unit(&self.text))
        else {
            return false;
        };
        // Others than the smallest: of 0, or of bytes, it cannot be told.
        u128::from(*seen) == bytes(number, unit.into())
    }
}

type Texts = Vec<Case<String, Expected>>;

fn cases(texts: &[&str]) -> Texts {
    texts.iter().map(|text| case(text)).collect()
}

type Sizes<'h> = Subject<'h, String, Expected, Size>;

fn explain(
    subject: &Sizes,
    rules: &Rules<Parsed>,
    wrong: Wrong<String, Expected, Size>,
) -> Finding {
    let size = match &wrong.outcome {
        Outcome::Returned(size) => Some(size.clone()),
        Outcome::Died(_) => None,
    };
    let text = wrong.case.input.clone();
    let [without_zeros] = subject.try_each([case(text.trim_start_matches('0'))]);
    let is_right_without_zeros = without_zeros.is_right && without_zeros.case.expected.is_ok();
    let expected = match wrong.case.expected {
        Ok(size) => format!("Ok({size:?})"),
        Err(()) => "Err(InvalidInput)".to_owned(),
    };
    let seen = wrong.outcome.shown(|size| match size {
        Ok(size) => format!("Ok({size:?})"),
        Err((kind, error)) => format!("Err({kind}: {error})"),
    });
    // A character may look like another one, or like a space.
    let call = wrong.what(format!("parse_size(\"{}\")", text.escape_default()));
    let evidence = Evidence::differs(call, expected, seen);
    wrong.finding(rules, &Parsed { text, size, is_right_without_zeros }, [evidence])
}

pub fn bytes(host: &Host) -> Result<(), Finding> {
    static RULES: Rules<Parsed> = rules(&[REFUSED, OTHER_NUMBER]);
    let subject = Subject::new(host, &PARSE_SIZE, is_right);
    subject.judge_any(
        cases(&SIZES),
        |choices| {
            let (letter, unit) =
                *choices.choose(&[("", 1), UNITS[0], UNITS[1], UNITS[2], UNITS[3]])?;
            let bits = choices.int_in_range(0..=63u32)?;
            let number = choices.int_in_range(0..=u64::MAX >> bits)? / unit;
            let zeros = *choices.choose(&["", "", "0", "00", "0000000000000000000000"])?;
            let letter =
                if choices.arbitrary()? { letter.to_uppercase() } else { letter.to_owned() };
            Ok(case(&format!("{zeros}{number}{letter}")))
        },
        |subject, wrong| explain(subject, &RULES, wrong),
    )
}

pub fn max(host: &Host) -> Result<(), Finding> {
    static RULES: Rules<Parsed> = rules(&[&[
        rule("max-refused", Parsed::is_refused),
        rule("max-as-a-number", Parsed::is_taken),
    ]]);
    let subject = Subject::new(host, &PARSE_SIZE, is_right);
    subject.judge(cases(&["max"]), |subject, wrong| explain(subject, &RULES, wrong))
}

pub fn refused(host: &Host) -> Result<(), Finding> {
    static RULES: Rules<Parsed> = rules(&[OTHER_NUMBER, ACCEPTED]);
    const PIECES: [&[u8]; 24] = [
        b"1",
        b"0",
        b"9",
        b"18446744073709551615",
        b"b",
        b"k",
        b"m",
        b"g",
        b"K",
        b"i",
        b" ",
        b"+",
        b"-",
        b".",
        b"_",
        b"max",
        b"e",
        b"x",
        "é".as_bytes(),
        "\u{212a}".as_bytes(),
        "５".as_bytes(),
        "²".as_bytes(),
        "\u{a0}".as_bytes(),
        b"\n",
    ];
    let subject = Subject::new(host, &PARSE_SIZE, is_right);
    subject.judge_any(
        cases(&[&NO_SIZES[..], &TOO_MANY].concat()),
        |choices| {
            let text = generated::text(choices, &PIECES, 6)?;
            let text = String::from_utf8(text).expect("pieces of text");
            let case = case(&text);
            // What is a size is another promise's.
            Ok(if case.expected.is_ok() { self::case(&format!("{text}?")) } else { case })
        },
        |subject, wrong| explain(subject, &RULES, wrong),
    )
}
