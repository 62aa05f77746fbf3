//! From a line that was read wrongly to what was misunderstood.
//!
//! A line can be hard in several ways. Which of them it was shows in lines that
//! are hard in that way only: the answer is asked about those too.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use labkit::cases::Outcome;
use labkit::frame::{Facts, Rule, Rules, Words, rule};

use super::fields::{Raw, named};
use super::{Subject, Tried, Wrong, cases};
use crate::LAB;
use crate::acts::PARSE_LINE;
use crate::escapes::{self, Field, HasField};
use crate::table::Mount;

/// A line that was read wrongly, and what is made of others.
pub struct Read {
    pub wrong: Wrong,
    /// A line without any difficulty.
    plain: Tried,
    /// Without optional fields, with one, and with two.
    optional: [Tried; 3],
    unknown_optional_field: Tried,
    unbindable: Tried,
    dash_in_a_name: Tried,
    dash_as_source: Tried,
    empty_source: Tried,
    empty_optional_field: Tried,
    later_field: Tried,
    space_in_a_name: Tried,
    carriage_return_in_a_name: Tried,
    /// The first name or option that was not read as it must be.
    field: Option<Field>,
}

impl Read {
    pub fn of(subject: &Subject, wrong: Wrong) -> Read {
        let [
            plain,
            none,
            one,
            two,
            unknown_optional_field,
            unbindable,
            dash_in_a_name,
            dash_as_source,
            empty_source,
            empty_optional_field,
            later_field,
            space_in_a_name,
            space_in_an_option,
            carriage_return_in_a_name,
        ] = subject.try_each([
            cases::plain(),
            cases::with_optional_fields(0),
            cases::with_optional_fields(1),
            cases::with_optional_fields(2),
            cases::unknown_optional_field(),
            cases::unbindable(),
            cases::dash_in_a_name(),
            cases::dash_as_source(),
            cases::empty_source(),
            cases::empty_optional_field(),
            cases::later_field(),
            cases::space_in_a_name(),
            cases::space_in_an_option(),
            cases::carriage_return_in_a_name(),
        ]);
        let field = match (&wrong.case.expected, &wrong.outcome) {
            (Some(_), Outcome::Returned(Ok(seen))) => first_wrong_field(
                &wrong.case.input,
                seen,
                space_in_a_name.is_right,
                space_in_an_option.is_right,
                wrong.seed.is_some(),
            ),
            _ => None,
        };
        Read {
            wrong,
            plain,
            optional: [none, one, two],
            unknown_optional_field,
            unbindable,
            dash_in_a_name,
            dash_as_source,
            empty_source,
            empty_optional_field,
            later_field,
            space_in_a_name,
            carriage_return_in_a_name,
            field,
        }
    }

    /// What the line must be read as, if it is whole.
    fn expected(&self) -> Option<&Mount> {
        self.wrong.case.expected.as_ref()
    }

    /// What it was read as.
    fn seen(&self) -> Option<&Mount> {
        match &self.wrong.outcome {
            Outcome::Returned(Ok(mount)) => Some(mount),
            Outcome::Returned(Err(_)) | Outcome::Died(_) => None,
        }
    }

    fn both(&self) -> Option<(&Mount, &Mount)> {
        self.expected().zip(self.seen())
    }

    fn is_broken_and_accepted(&self) -> bool {
        self.expected().is_none() && self.seen().is_some()
    }

    /// Whether the answer refuses a whole line.
    fn is_refused(&self) -> bool {
        self.expected().is_some() && matches!(self.wrong.outcome, Outcome::Returned(Err(_)))
    }

    /// Two fields, each of which has what belongs in the other.
    fn exchanged(&self) -> Option<(&'static str, &'static str)> {
        let (expected, seen) = self.both().map(|(one, other)| (named(one), named(other)))?;
        let pairs = [("id", "parent"), ("root", "mount_point"), ("fs_type", "source")];
        pairs.into_iter().find(|(one, other)| {
            let value = |fields: &[(&str, String); 10], name: &str| {
                fields.iter().find(|(it, _)| *it == name).map(|(_, value)| value.clone())
            };
            value(&expected, one) == value(&seen, other)
                && value(&expected, other) == value(&seen, one)
                && value(&expected, one) != value(&expected, other)
        })
    }

    /// A list that has stayed one text.
    fn unsplit(&self) -> Option<&'static str> {
        let (expected, seen) = self.both()?;
        if expected.options.len() > 1 && seen.options == [expected.options.join(",")] {
            return Some("options");
        }
        let super_options = expected.super_options.join(",".as_ref());
        let is_one = expected.super_options.len() > 1 && seen.super_options == [super_options];
        is_one.then_some("super_options")
    }

    /// Whether escapes were undone in a list in which there are none.
    fn has_unescaped_a_plain_list(&self) -> bool {
        let is_so = |expected: &Vec<String>, seen: &Vec<String>| {
            let undone = |it: &String| escapes::unescape(it.as_bytes());
            let undone: Vec<Vec<u8>> = expected.iter().map(undone).collect();
            expected != seen && seen.iter().map(String::as_bytes).eq(undone)
        };
        // An answer that unescapes the whole line does more than unescape this list.
        let both = self.both().filter(|_| self.plain.is_right && self.space_in_a_name.is_right);
        both.is_some_and(|(expected, seen)| {
            is_so(&expected.options, &seen.options)
                || is_so(&expected.optional_fields, &seen.optional_fields)
        })
    }

    /// Whether the answer fails with as many optional fields as the line has, and
    /// is right with none and with one, or is not. Of a broken line it is not seen
    /// which field is missing, if the fields are miscounted.
    fn knows_optional_fields(&self, none: bool, one: bool) -> bool {
        let [without, with_one, _] = &self.optional;
        let count = self.expected().map_or(1, |mount| mount.optional_fields.len().min(2));
        (self.expected().is_some() || self.seen().is_some())
            && !self.optional[count].is_right
            && (without.is_right, with_one.is_right) == (none, one)
    }

    fn finds_what_follows_optional_fields(&self) -> bool {
        matches!(&self.optional[1].output, Some(Ok(mount)) if mount.fs_type == "ext3")
    }

    /// Whether what is hard about the line is what the answer fails at: a whole
    /// line, and it reads an easy one.
    fn is_hard(&self, is_so: impl FnOnce(&Mount, &[u8]) -> bool, tried: &Tried) -> bool {
        let is_so = |mount| is_so(mount, &self.wrong.case.input);
        self.plain.is_right && self.expected().is_some_and(is_so) && !tried.is_right
    }

    /// Whether a space in a name separates two fields for the answer.
    fn unescapes_before_it_splits(&self) -> bool {
        match &self.space_in_a_name.output {
            Some(Ok(mount)) => mount.mount_point == Path::new("/mnt/my"),
            Some(Err(_)) | None => true,
        }
    }

    /// Whether the line has white space other than single spaces, and the answer takes
    /// other white space for the end of a field.
    fn separates_at_white_space(&self) -> bool {
        let is_other = |byte: &u8| byte.is_ascii_whitespace() && *byte != b' ';
        let has_other =
            |line: &[u8]| line.iter().any(is_other) || line.windows(2).any(|two| two == b"  ");
        let is_accepted = self.plain.is_right && self.is_broken_and_accepted();
        let output = &self.carriage_return_in_a_name.output;
        matches!(output, Some(Ok(mount)) if mount.mount_point == Path::new("/mnt/a"))
            && (is_accepted && has_other(&self.wrong.case.input)
                || self.is_hard(|_, line| has_other(line), &self.carriage_return_in_a_name))
    }

    /// Whether the line was refused because of bytes that are not UTF-8.
    fn demands_utf8(&self) -> bool {
        match &self.wrong.outcome {
            Outcome::Died(death) => escapes::demands_utf8(death),
            Outcome::Returned(Err(_)) => std::str::from_utf8(&self.wrong.case.input).is_err(),
            Outcome::Returned(Ok(_)) => false,
        }
    }

    fn has_options_split_too_often(&self) -> bool {
        let too_many = |(expected, seen): (&Mount, &Mount)| {
            seen.super_options.len() > expected.super_options.len()
        };
        self.field.is_none() && self.both().is_some_and(too_many)
    }
}

impl Facts for Read {
    fn words(&self) -> Words {
        let mut words = Words::new();
        if let Some((field, other)) = self.exchanged() {
            words = vec![("field", field.to_owned()), ("other", other.to_owned())];
        } else if let Some(list) = self.unsplit() {
            words.push(("field", list.to_owned()));
        }
        if let Outcome::Returned(Err(refusal)) = &self.wrong.outcome {
            words.push(("error", refusal.failure.to_string()));
        }
        words
    }
}

impl HasField for Read {
    fn field(&self) -> Option<&Field> {
        self.field.as_ref().filter(|_| self.plain.is_right)
    }
}

pub static RULES: Rules<Read> = Rules {
    lab: LAB,
    function: PARSE_LINE.function,
    tables: &[
        IN_THE_MOUNT,
        BETWEEN_THE_FIELDS,
        &escapes::rules(),
        &[
            rule("commas-unescaped-before-split", Read::has_options_split_too_often),
            rule("utf8-demanded", |it| it.plain.is_right && it.demands_utf8()),
            rule("answer/returned-error", Read::is_refused),
        ],
    ],
};

/// What shows in the mount itself.
const IN_THE_MOUNT: &[Rule<Read>] = &[
    rule("fields-exchanged", |it| it.exchanged().is_some()),
    rule("options-not-split", |it| it.unsplit().is_some()),
    rule("plain-field-unescaped", Read::has_unescaped_a_plain_list),
];

/// What is taken for the end of a field, or is not.
const BETWEEN_THE_FIELDS: &[Rule<Read>] = &[
    rule("optional-fields-dropped", |it| {
        it.knows_optional_fields(true, false) && it.finds_what_follows_optional_fields()
    }),
    rule("optional-fields-overlooked", |it| it.knows_optional_fields(true, false)),
    rule("one-optional-field-demanded", |it| it.knows_optional_fields(false, true)),
    rule("only-one-optional-field", |it| it.knows_optional_fields(true, true)),
    rule("white-space-separates", Read::separates_at_white_space),
    rule("broken-line-accepted", Read::is_broken_and_accepted),
    rule("error-of-another-kind", |it| {
        let is_refused = matches!(it.wrong.outcome, Outcome::Returned(Err(_)));
        it.expected().is_none() && is_refused
    }),
    rule("colon-demanded", |it| {
        let has_no_colon = |mount: &Mount, _: &[u8]| {
            mount.optional_fields.iter().any(|field| !field.contains(':'))
        };
        it.is_refused() && it.is_hard(has_no_colon, &it.unbindable)
    }),
    rule("unknown-optional-field-lost", |it| {
        let is_unknown = |field: &String| field.starts_with("isolated:");
        let has_one = |mount: &Mount, _: &[u8]| mount.optional_fields.iter().any(is_unknown);
        it.is_hard(has_one, &it.unknown_optional_field)
    }),
    rule("any-dash-separates", |it| {
        let has_several =
            |_: &Mount, line: &[u8]| line.iter().filter(|it| **it == b'-').count() > 1;
        it.is_hard(has_several, &it.dash_in_a_name)
    }),
    rule("separator-sought-from-the-end", |it| {
        let is_dash = |field: &&[u8]| *field == b"-";
        let has_more =
            |_: &Mount, line: &[u8]| line.split(|it| *it == b' ').filter(is_dash).count() > 1;
        it.is_hard(has_more, &it.dash_as_source)
    }),
    rule("empty-field-lost", |it| {
        let has_empty = |mount: &Mount, _: &[u8]| mount.optional_fields.contains(&String::new());
        it.is_hard(|mount, _| mount.source.is_empty(), &it.empty_source)
            || it.is_hard(has_empty, &it.empty_optional_field)
    }),
    rule("later-field-breaks-the-reading", |it| {
        let has_later_fields = |_: &Mount, line: &[u8]| Raw::of(line).has_later_fields;
        it.is_hard(has_later_fields, &it.later_field)
    }),
    rule("unescaped-before-split", |it| {
        let has_escapes = |_: &Mount, line: &[u8]| line.contains(&b'\\');
        it.unescapes_before_it_splits() && it.is_hard(has_escapes, &it.space_in_a_name)
    }),
];

/// The first of the names, and of the super options, that was not read as it must
/// be.
fn first_wrong_field(
    line: &[u8],
    seen: &Mount,
    knows_spaces_in_names: bool,
    knows_spaces_in_options: bool,
    is_generated: bool,
) -> Option<Field> {
    let raw = Raw::of(line);
    let names = raw.names(seen).into_iter().map(|(name, raw, seen)| {
        // It may know them in one field and not in another.
        let knows_spaces = name == "mount_point" && knows_spaces_in_names;
        Field { raw: raw.to_vec(), seen: seen.to_vec(), knows_spaces, is_generated }
    });
    let raw_options: Vec<&[u8]> = raw.super_options.split(|&byte| byte == b',').collect();
    // If there are too many of them, nobody can tell which one is which.
    let pairs = raw_options.iter().zip(&seen.super_options);
    let pairs = pairs.filter(|_| seen.super_options.len() <= raw_options.len());
    let options = pairs.map(|(raw, seen)| {
        let (raw, seen) = (raw.to_vec(), seen.as_bytes().to_vec());
        Field { raw, seen, knows_spaces: knows_spaces_in_options, is_generated }
    });
    names.chain(options).find(|field| escapes::unescape(&field.raw) != field.seen)
}
