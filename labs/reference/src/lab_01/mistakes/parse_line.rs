//! Mistakes in parse_line.

use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use lab_01_grader::Answers;
use lab_01_grader::table::Mount;

use crate::catalogue::Mistake;
use crate::lab_01::{SOLUTION, solution};

type ParseLine = fn(&[u8]) -> io::Result<Mount>;

const fn mistake(
    name: &'static str,
    code: &'static str,
    parse_line: ParseLine,
) -> Mistake<Answers> {
    Mistake { name, code, answers: Answers { parse_line, ..SOLUTION } }
}

fn fields(line: &[u8]) -> Vec<&[u8]> {
    line.split(|&byte| byte == b' ').collect()
}

/// A mount of fields that were found in whatever way: the six before the optional
/// ones, those, and the three after the dash.
fn mount(before: &[&[u8]], optional: &[&[u8]], after: &[&[u8]]) -> io::Result<Mount> {
    solution::parse_line(&[before, optional, &[b"-"], after].concat().join(&b' '))
}

/// The columns of /etc/mtab, counted: the optional fields are news to it.
pub const OPTIONAL_FIELDS_OVERLOOKED: Mistake<Answers> =
    mistake("optional_fields_overlooked", "mount-table/optional-fields-overlooked", |line| {
        let fields = fields(line);
        let after = fields.get(7..).ok_or(io::ErrorKind::InvalidData)?;
        mount(&fields[..6], &[], after)
    });

/// The man page's example has one optional field, so all lines have.
pub const ONE_OPTIONAL_FIELD_DEMANDED: Mistake<Answers> =
    mistake("one_optional_field_demanded", "mount-table/one-optional-field-demanded", |line| {
        let fields = fields(line);
        let after = fields.get(8..).ok_or(io::ErrorKind::InvalidData)?;
        mount(&fields[..6], &fields[6..7], after)
    });

/// None or one: a mount that is a slave and shared has two.
pub const ONLY_ONE_OPTIONAL_FIELD: Mistake<Answers> =
    mistake("only_one_optional_field", "mount-table/only-one-optional-field", |line| {
        let mut mount = solution::parse_line(line)?;
        mount.optional_fields.truncate(1);
        Ok(mount)
    });

/// Skips them, for it is only after the type.
pub const OPTIONAL_FIELDS_DROPPED: Mistake<Answers> =
    mistake("optional_fields_dropped", "mount-table/optional-fields-dropped", |line| {
        let mount = solution::parse_line(line)?;
        Ok(Mount { optional_fields: Vec::new(), ..mount })
    });

/// A `match` over the four that there are today.
pub const UNKNOWN_FIELD_LOST: Mistake<Answers> =
    mistake("unknown_field_lost", "mount-table/unknown-optional-field-lost", |line| {
        let mut mount = solution::parse_line(line)?;
        let known = ["shared", "master", "propagate_from", "unbindable"];
        mount.optional_fields.retain(|field| known.iter().any(|known| field.starts_with(known)));
        Ok(mount)
    });

/// The first dash of the line is in the name of a disk.
pub const ANY_DASH: Mistake<Answers> =
    mistake("any_dash", "mount-table/any-dash-separates", |line| {
        let dash = line.iter().position(|&byte| byte == b'-');
        let (before, after) = line.split_at(dash.ok_or(io::ErrorKind::InvalidData)?);
        let (before, after) = (fields(before.trim_ascii_end()), fields(after));
        let optional = before.get(6..).ok_or(io::ErrorKind::InvalidData)?;
        mount(&before[..6], optional, &after[1..])
    });

/// From the end it is the source.
pub const LAST_DASH: Mistake<Answers> =
    mistake("last_dash", "mount-table/separator-sought-from-the-end", |line| {
        let fields = fields(line);
        let dash = fields.iter().rposition(|field| *field == b"-");
        let dash = dash.filter(|at| *at >= 6).ok_or(io::ErrorKind::InvalidData)?;
        let mut parsed = mount(&fields[..6], &[], &fields[dash + 1..])?;
        let text = |field: &&[u8]| String::from_utf8_lossy(field).into_owned();
        parsed.optional_fields = fields[6..dash].iter().map(text).collect();
        Ok(parsed)
    });

/// split_whitespace() makes one separator of two spaces, and separators of other bytes.
pub const SPLIT_WHITESPACE: Mistake<Answers> =
    mistake("split_whitespace", "mount-table/white-space-separates", |line| {
        let fields = line.split(u8::is_ascii_whitespace).filter(|field| !field.is_empty());
        solution::parse_line(&fields.collect::<Vec<_>>().join(&b' '))
    });

/// Each byte that is white space, one by one.
pub const SPLIT_AT_EACH_WHITE_SPACE: Mistake<Answers> =
    mistake("split_at_each_white_space", "mount-table/white-space-separates", |line| {
        let fields = line.split(u8::is_ascii_whitespace);
        solution::parse_line(&fields.collect::<Vec<_>>().join(&b' '))
    });

/// As `cut` after `tr -s ' '`: two spaces are one separator.
pub const SPACES_SQUEEZED: Mistake<Answers> =
    mistake("spaces_squeezed", "mount-table/empty-field-lost", |line| {
        let mut fields = fields(line);
        fields.retain(|field| !field.is_empty());
        solution::parse_line(&fields.join(&b' '))
    });

/// Unescapes the line, and splits it then: a space in a name is one between two
/// fields.
pub const LINE_UNESCAPED: Mistake<Answers> =
    mistake("line_unescaped", "mount-table/unescaped-before-split", |line| {
        solution::parse_line(solution::unescape(line).as_bytes())
    });

/// The function for it is written, and not called.
pub const NAMES_NOT_UNESCAPED: Mistake<Answers> =
    mistake("names_not_unescaped", "mount-table/not-unescaped", |line| {
        let (parsed, fields) = (solution::parse_line(line)?, fields(line));
        let raw = |field: &[u8]| OsString::from_vec(field.to_vec());
        Ok(Mount { root: raw(fields[3]).into(), mount_point: raw(fields[4]).into(), ..parsed })
    });

/// The paths are unescaped; that a source can be one was forgotten.
pub const SOURCE_NOT_UNESCAPED: Mistake<Answers> =
    mistake("source_not_unescaped", "mount-table/not-unescaped", |line| {
        let (parsed, fields) = (solution::parse_line(line)?, fields(line));
        let dash = fields.iter().position(|field| *field == b"-").expect("it was read");
        let source = fields[dash + 2];
        Ok(Mount { source: OsString::from_vec(source.to_vec()), ..parsed })
    });

/// Reads the table as a String: `read_to_string` refuses it as a whole.
pub const UTF8_DEMANDED: Mistake<Answers> =
    mistake("utf8_demanded", "mount-table/utf8-demanded", |line| {
        std::str::from_utf8(line).map_err(io::Error::other)?;
        solution::parse_line(line)
    });

/// A path of another name than the mount's: umount says EINVAL, or worse, it is
/// there.
pub const LINE_LOSSY: Mistake<Answers> = mistake("line_lossy", "mount-table/bytes-lost", |line| {
    solution::parse_line(String::from_utf8_lossy(line).as_bytes())
});

/// A lower layer with a comma in its name becomes two options.
pub const COMMAS_UNESCAPED: Mistake<Answers> =
    mistake("commas_unescaped", "mount-table/commas-unescaped-before-split", |line| {
        let (parsed, fields) = (solution::parse_line(line)?, fields(line));
        let dash = fields.iter().position(|field| *field == b"-").expect("it was read");
        let list = solution::unescape(fields[dash + 3]).into_vec();
        let options = list.split(|&byte| byte == b',');
        let super_options = options.map(|it| OsString::from_vec(it.to_vec())).collect();
        Ok(Mount { super_options, ..parsed })
    });

/// Three fields after the dash, not one more: as it is today.
pub const LATER_FIELD_REFUSED: Mistake<Answers> =
    mistake("later_field_refused", "mount-table/later-field-breaks-the-reading", |line| {
        let fields = fields(line);
        let dash = fields.iter().position(|field| *field == b"-");
        match dash {
            Some(dash) if fields.len() == dash + 4 => solution::parse_line(line),
            _ => Err(io::ErrorKind::InvalidData.into()),
        }
    });

/// The super options are all that is left of the line.
pub const LATER_FIELD_IN_AN_OPTION: Mistake<Answers> =
    mistake("later_field_in_an_option", "mount-table/later-field-breaks-the-reading", |line| {
        let (mut parsed, fields) = (solution::parse_line(line)?, fields(line));
        let dash = fields.iter().position(|field| *field == b"-").expect("it was read");
        if let Some(last) = parsed.super_options.last_mut() {
            for field in &fields[dash + 4..] {
                last.push(" ");
                last.push(solution::unescape(field));
            }
        }
        Ok(parsed)
    });

/// `?` on what parse() says, by way of io::Error::other.
pub const ANOTHER_KIND_OF_ERROR: Mistake<Answers> =
    mistake("another_kind_of_error", "mount-table/error-of-another-kind", |line| {
        solution::parse_line(line).map_err(io::Error::other)
    });

/// The optional fields are those from the seventh to the dash, which may come
/// before that.
pub const EARLY_DASH: Mistake<Answers> = mistake("early_dash", "answer/panicked", |line| {
    let fields = fields(line);
    let dash = fields.iter().position(|field| *field == b"-");
    let _optional = &fields[6..dash.unwrap_or(6)];
    solution::parse_line(line)
});

/// Ten fields are a whole line, it is thought: but one of them may be of a later kernel, and
/// one of the first six missing.
pub const FIELDS_COUNTED: Mistake<Answers> = mistake("fields_counted", "answer/panicked", |line| {
    let fields = fields(line);
    let dash = fields.iter().position(|field| *field == b"-");
    let dash = dash.filter(|_| fields.len() >= 10).ok_or(io::ErrorKind::InvalidData)?;
    let _optional = &fields[6..dash];
    solution::parse_line(line)
});

/// One option that is called `rw,noatime`.
pub const OPTIONS_NOT_SPLIT: Mistake<Answers> =
    mistake("options_not_split", "mount-table/options-not-split", |line| {
        let mount = solution::parse_line(line)?;
        Ok(Mount { options: vec![mount.options.join(",")], ..mount })
    });

/// Source and target in mount(2)'s order.
pub const ROOT_AND_MOUNT_POINT_EXCHANGED: Mistake<Answers> =
    mistake("root_and_mount_point_exchanged", "mount-table/fields-exchanged", |line| {
        let mount = solution::parse_line(line)?;
        Ok(Mount { root: mount.mount_point, mount_point: mount.root, ..mount })
    });

/// /proc/mounts has the source first.
pub const TYPE_AND_SOURCE_EXCHANGED: Mistake<Answers> =
    mistake("type_and_source_exchanged", "mount-table/fields-exchanged", |line| {
        let mount = solution::parse_line(line)?;
        let fs_type = mount.source.to_string_lossy().into_owned();
        Ok(Mount { source: mount.fs_type.into(), fs_type, ..mount })
    });

/// `unwrap_or_default()` on everything: half a line is a mount at no place.
pub const BROKEN_LINE_ACCEPTED: Mistake<Answers> =
    mistake("broken_line_accepted", "mount-table/broken-line-accepted", |line| {
        let nothing = b"0 0 0:0 / / rw - none none rw";
        solution::parse_line(line).or_else(|_| solution::parse_line(nothing))
    });

/// `fields[9]` where there are five.
pub const FIELDS_BY_INDEX: Mistake<Answers> =
    mistake("fields_by_index", "answer/panicked", |line| {
        let _super_options = fields(line)[9];
        solution::parse_line(line)
    });

/// Every optional field is a tag and a number: so says one reading of the man page.
pub const COLON_DEMANDED: Mistake<Answers> =
    mistake("colon_demanded", "mount-table/colon-demanded", |line| {
        let mount = solution::parse_line(line)?;
        match mount.optional_fields.iter().all(|field| field.contains(':')) {
            true => Ok(mount),
            false => Err(io::ErrorKind::InvalidData.into()),
        }
    });

/// `filter(|field| !field.is_empty())`, to be safe, on a list that may hold an empty one.
pub const EMPTY_OPTIONAL_FIELDS_FILTERED: Mistake<Answers> =
    mistake("empty_optional_fields_filtered", "mount-table/empty-field-lost", |line| {
        let mut mount = solution::parse_line(line)?;
        mount.optional_fields.retain(|field| !field.is_empty());
        Ok(mount)
    });

/// One helper for all fields, and it unescapes.
pub const EVERYTHING_UNESCAPED: Mistake<Answers> =
    mistake("everything_unescaped", "mount-table/plain-field-unescaped", |line| {
        let mut mount = solution::parse_line(line)?;
        for text in mount.options.iter_mut().chain(&mut mount.optional_fields) {
            *text = solution::unescape(text.as_bytes()).to_string_lossy().into_owned();
        }
        Ok(mount)
    });

/// trim() against the line feed; a carriage return may be the end of a name.
pub const LINE_TRIMMED: Mistake<Answers> =
    mistake("line_trimmed", "mount-table/white-space-cut-off", |line| {
        solution::parse_line(line.trim_ascii_end())
    });

/// The digits are added up, and there are none: the sum is 0.
pub const NO_DIGITS_ARE_ZERO: Mistake<Answers> =
    mistake("no_digits_are_zero", "mount-table/broken-line-accepted", |line| {
        let mut fields = fields(line);
        for field in fields.iter_mut().take(2).filter(|field| field.is_empty()) {
            *field = b"0";
        }
        solution::parse_line(&fields.join(&b' '))
    });

/// `trim()` before each `parse()`, as for what a person types: white space belongs to a field.
pub const NUMBERS_TRIMMED: Mistake<Answers> =
    mistake("numbers_trimmed", "mount-table/broken-line-accepted", |line| {
        let mut fields = fields(line);
        for field in fields.iter_mut().take(2) {
            *field = std::str::from_utf8(field).map_or(*field, |text| text.trim().as_bytes());
        }
        solution::parse_line(&fields.join(&b' '))
    });
