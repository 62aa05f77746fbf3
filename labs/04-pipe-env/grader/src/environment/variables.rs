//! Environments that are merged, by hand and generated, and what must come of them.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use arbitrary::Unstructured;
use labkit::cases;
use labkit::generated::{list, text};

use crate::acts::Variables;

pub const DEFAULT_PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What is merged, and what must come of it.
pub type Case = cases::Case<Variables, Vec<OsString>>;

/// The host's variables, in all cases that are made by hand.
pub const HOST: [(&str, &str); 6] = [
    ("PATH", "/home/ann/bin:/usr/bin"),
    ("HOME", "/home/ann"),
    ("LANG", "zh_CN.UTF-8"),
    ("DISPLAY", ":0"),
    ("PASSWORD", "hunter2"),
    ("EMPTY", ""),
];

fn case(image: &[&str], given: &[&str], expected: &[&str]) -> Case {
    let strings = |texts: &[&str]| texts.iter().map(OsString::from).collect();
    let [image, given, expected] = [image, given, expected].map(strings);
    let host = HOST.map(|(name, value)| (name.into(), value.into())).into();
    Case { input: Variables { image, given, host }, expected }
}

/// One variable replaced and one added; another one's name begins the same.
pub fn simplest() -> Case {
    case(
        &["PATH=/bin", "LANG=C", "HOMEPAGE=/index", "HOME=/root"],
        &["HOME=/srv", "EDITOR=vi"],
        &["PATH=/bin", "LANG=C", "HOMEPAGE=/index", "HOME=/srv", "EDITOR=vi"],
    )
}

/// Variables replaced and added, and the same name twice.
pub fn replaced() -> Vec<Case> {
    vec![
        simplest(),
        case(
            &["PATH=/bin", "LANG=C"],
            &["LANG=en", "EDITOR=vi", "LANG=zh"],
            &["PATH=/bin", "LANG=zh", "EDITOR=vi"],
        ),
        case(
            &["PATH=/bin", "LANG=C", "EDITOR=ed", "LANG=en"],
            &["DEBUG=1"],
            &["PATH=/bin", "LANG=en", "EDITOR=ed", "DEBUG=1"],
        ),
    ]
}

/// Names alone: in image and host, in neither of them, in the host, in the image; one that
/// is empty on the host; and one that the host does not have, after a value for it.
pub fn names_alone() -> Vec<Case> {
    vec![
        case(
            &["PATH=/bin", "LANG=C"],
            &["LANG", "DEBUG", "DISPLAY"],
            &["PATH=/bin", "LANG=zh_CN.UTF-8", "DISPLAY=:0"],
        ),
        case(&["PATH=/bin", "EDITOR=vi"], &["EDITOR"], &["PATH=/bin", "EDITOR=vi"]),
        case(&["PATH=/bin", "EMPTY=1"], &["EMPTY"], &["PATH=/bin", "EMPTY="]),
        case(&["PATH=/bin"], &["DEBUG=1", "DEBUG"], &["PATH=/bin", "DEBUG=1"]),
    ]
}

/// `-e` says that a value is empty.
pub fn empty_value() -> Case {
    case(&["PATH=/bin", "PROMPT=# "], &["PROMPT="], &["PATH=/bin", "PROMPT="])
}

/// A value is empty in the image already.
pub fn empty_value_in_image() -> Case {
    case(&["PATH=/bin", "PROMPT="], &[], &["PATH=/bin", "PROMPT="])
}

/// A value with `=`, an empty one, one that is not UTF-8; and two names that differ only in
/// a byte that is not UTF-8.
pub fn values() -> Vec<Case> {
    let latin_1 = OsString::from_vec(b"FILE=caf\xe9.txt".to_vec());
    let mut values = case(
        &["PATH=/bin", "OPTIONS=-v", "PROMPT=# "],
        &["OPTIONS=-Dmode=fast", "PROMPT="],
        &["PATH=/bin", "OPTIONS=-Dmode=fast", "PROMPT="],
    );
    values.input.given.push(latin_1.clone());
    values.expected.push(latin_1);
    let mut names = case(&["PATH=/bin"], &[], &["PATH=/bin"]);
    let [in_image, given] = [b"na\xefve=1", b"na\xeeve=2"].map(|it| OsString::from_vec(it.into()));
    names.input.image.extend([in_image.clone(), "LANG=C".into()]);
    names.input.given.push(given.clone());
    names.expected.extend([in_image, "LANG=C".into(), given]);
    vec![values, names]
}

/// `-e` says what PATH is.
pub fn given_path() -> Case {
    case(&["LANG=C"], &["PATH=/opt"], &["LANG=C", "PATH=/opt"])
}

/// Nobody says what PATH is; `-e` does; it is empty; other names have it in them.
pub fn paths() -> Vec<Case> {
    let others = ["PATH_INFO=/x", "GOPATH=/go", "OLD=PATH=/old"];
    vec![
        case(&["LANG=C"], &["EDITOR=vi"], &["LANG=C", "EDITOR=vi", DEFAULT_PATH]),
        given_path(),
        case(&["LANG=C", "PATH="], &[], &["LANG=C", "PATH="]),
        case(&["LANG=C"], &["PATH="], &["LANG=C", "PATH="]),
        case(&others, &[], &[others[0], others[1], others[2], DEFAULT_PATH]),
    ]
}

/// An image whose environment has more in it than variables.
pub fn no_variable() -> Case {
    case(&["PATH=/bin", "PASSWORD", "LANG=C"], &[], &["PATH=/bin", "LANG=C"])
}

pub fn all() -> Vec<Case> {
    [replaced(), names_alone(), values(), paths(), vec![no_variable()]].concat()
}

/// Short names of which one is a part of another, and values that look like more.
pub fn generate(choices: &mut Unstructured) -> arbitrary::Result<Case> {
    const NAMES: [&str; 8] = ["A", "B", "AB", "a", "PATH", "PATH_INFO", "GOPATH", "C"];
    const VALUES: [&[u8]; 7] = [b"1", b"2", b"=", b"A=", b" ", b"PATH=", b"\xe9"];
    fn name(choices: &mut Unstructured) -> arbitrary::Result<OsString> {
        Ok(choices.choose(&NAMES)?.into())
    }
    fn value(choices: &mut Unstructured) -> arbitrary::Result<OsString> {
        Ok(OsString::from_vec(text(choices, &VALUES, 3)?))
    }
    fn variable(choices: &mut Unstructured) -> arbitrary::Result<OsString> {
        let (name, value) = (name(choices)?, value(choices)?);
        Ok(assign(&name, &value))
    }
    let image = list(choices, 5, |choices| match choices.int_in_range(0..=7u8)? {
        0 => name(choices),
        _ => variable(choices),
    })?;
    let given = list(choices, 5, |choices| match choices.int_in_range(0..=2u8)? {
        0 | 1 => variable(choices),
        _ => name(choices),
    })?;
    let mut host = list(choices, 4, |choices| Ok((name(choices)?, value(choices)?)))?;
    let mut names = BTreeSet::new();
    host.retain(|(name, _)| names.insert(name.clone()));
    let input = Variables { image, given, host };
    Ok(Case { expected: merge(&input), input })
}

/// The same case with other names and values.
fn with_other(
    case: &Case,
    name: impl Fn(&OsStr) -> OsString,
    mut value: impl FnMut(OsString) -> OsString,
) -> Case {
    let Variables { image, given, host } = &case.input;
    let mut entry = |entry: &OsString| match split(entry) {
        Some((known, present)) => assign(&name(&known), &value(present)),
        None => name(entry),
    };
    let image = image.iter().map(&mut entry).collect();
    let given = given.iter().map(&mut entry).collect();
    let host = host.iter().map(|(known, it)| (name(known), value(it.clone()))).collect();
    let input = Variables { image, given, host };
    Case { expected: merge(&input), input }
}

/// The same case without empty values: each of them is replaced.
pub fn filled(case: &Case) -> Case {
    let mut count = 0;
    let full = |value: OsString| {
        count += 1;
        if value.is_empty() { format!("full-{count}").into() } else { value }
    };
    with_other(case, OsStr::to_owned, full)
}

/// The same case, but no name is a part of another or of a value.
pub fn renamed(case: &Case) -> Case {
    let Variables { image, given, host } = &case.input;
    let names = image.iter().chain(given).map(name_of);
    let names: Vec<OsString> = names.chain(host.iter().map(|(name, _)| name.clone())).collect();
    // PATH has a meaning.
    let other = |name: &OsStr| match names.iter().position(|known| known == name) {
        Some(at) if name != "PATH" => format!("N{at:02}").into(),
        _ => name.to_owned(),
    };
    let without_path = |value: OsString| match value.to_string_lossy().contains("PATH") {
        true => "value".into(),
        false => value,
    };
    with_other(case, other, without_path)
}

/// What must come of it: the contract, rule by rule.
pub fn merge(Variables { image, given, host }: &Variables) -> Vec<OsString> {
    let mut merged: Vec<(OsString, OsString)> = Vec::new();
    let of_host = |variable: &OsString| host.iter().find(|(name, _)| name == variable).cloned();
    let of_image = image.iter().filter_map(|variable| split(variable));
    let given = given.iter().filter_map(|it| split(it).or_else(|| of_host(it)));
    for (name, value) in of_image.chain(given) {
        match merged.iter_mut().find(|(known, _)| *known == name) {
            Some((_, present)) => *present = value,
            None => merged.push((name, value)),
        }
    }
    let mut variables: Vec<OsString> =
        merged.iter().map(|(name, value)| assign(name, value)).collect();
    if !merged.iter().any(|(name, _)| name == "PATH") {
        variables.push(DEFAULT_PATH.into());
    }
    variables
}

/// Name and value, if there is a `=`.
pub fn split(variable: &OsStr) -> Option<(OsString, OsString)> {
    let at = variable.as_bytes().iter().position(|byte| *byte == b'=')?;
    let (name, value) = variable.as_bytes().split_at(at);
    let string = |bytes| OsStr::from_bytes(bytes).to_owned();
    Some((string(name), string(&value[1..])))
}

pub fn assign(name: &OsStr, value: &OsStr) -> OsString {
    [name, value].join(OsStr::new("="))
}

/// What stands before the first `=`.
pub fn name_of(variable: &OsString) -> OsString {
    split(variable).map_or_else(|| variable.clone(), |(name, _)| name)
}
