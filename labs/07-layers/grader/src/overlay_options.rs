//! overlay_options.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use arbitrary::Unstructured;
use labkit::cases::{self, Outcome};
use labkit::describe::{Failure, result};
use labkit::frame::{Facts, Rule, Rules, Words, rule};
use labkit::generated::{list, text};
use labkit::host::Host;
use labkit::overlay::user_xattr;
use labkit::verdict::{Evidence, Finding};
use mydocker_kernel::overlay_options::{split_layers, split_options};
use nix::mount::{MsFlags, mount};

use crate::LAB;
use crate::acts::{Layers, OVERLAY_OPTIONS};

/// Layers, which must be read in the options as they are.
type Case = cases::Case<Layers, Layers>;
type Subject<'h> = cases::Subject<'h, Layers, Layers, OsString>;
type Wrong = cases::Wrong<Layers, Layers, OsString>;

fn case(layers: Layers) -> Case {
    Case { input: layers.clone(), expected: layers }
}

fn plain(user_xattr: bool) -> Case {
    case(Layers {
        lower: ["/w/init-layer", "/image/2", "/image/1"].map(OsString::from).into(),
        upper: "/w/write-layer".into(),
        work: "/w/work".into(),
        user_xattr,
    })
}

/// Paths below `directory` that have a meaning in the options if they are not
/// escaped, one that is no UTF-8, and one that only looks escaped.
fn hostile(directory: &Path) -> Case {
    let path = |name: &[u8]| directory.join(OsStr::from_bytes(name)).into_os_string();
    case(Layers {
        lower: vec![path(b"a:b"), path(b"c,d"), path(b"e\\f"), path(b"g\\:h"), path(b"i \xff")],
        upper: path(b"write,layer"),
        work: path(b"work\\"),
        user_xattr: user_xattr(),
    })
}

pub fn each_layer_is_in_its_place(host: &Host) -> Result<(), Finding> {
    subject(host).judge(vec![plain(true)], finding)
}

pub fn any_path_can_be_an_option(host: &Host) -> Result<(), Finding> {
    subject(host).judge(vec![hostile(Path::new("/w"))], finding)
}

pub fn userxattr_only_where_asked(host: &Host) -> Result<(), Finding> {
    let subject = Subject::new(host, &OVERLAY_OPTIONS, |asked, text| {
        Read::of(text).user_xattr == asked.user_xattr
    });
    subject.judge(vec![plain(true), plain(false)], finding)
}

pub fn any_layers(host: &Host) -> Result<(), Finding> {
    let known = vec![plain(true), hostile(Path::new("/w")), plain(false)];
    let subject = Subject::new(host, &OVERLAY_OPTIONS, |asked, text| {
        let read = Read::of(text);
        read.has_layers_of(asked) && read.user_xattr == asked.user_xattr
    });
    subject.judge_any(known, generate, finding)
}

fn generate(choices: &mut Unstructured) -> arbitrary::Result<Case> {
    let mut path = |choices: &mut Unstructured| {
        let pieces: [&[u8]; 12] = [
            b"a",
            b":",
            b",",
            b"\\",
            b"=",
            b"/b",
            b" ",
            b"0",
            b"\"",
            b"\n",
            "é".as_bytes(),
            b"\xe9",
        ];
        let name = text(choices, &pieces, 5)?;
        Ok(OsString::from_vec([b"/a".to_vec(), name].concat()))
    };
    let first = path(choices)?;
    let more = list(choices, 5, &mut path)?;
    Ok(case(Layers {
        lower: [first].into_iter().chain(more).collect(),
        upper: path(choices)?,
        work: path(choices)?,
        user_xattr: choices.int_in_range(0..=1u8)? == 1,
    }))
}

fn subject(host: &Host) -> Subject<'_> {
    Subject::new(host, &OVERLAY_OPTIONS, |asked, text| Read::of(text).has_layers_of(asked))
}

/// What the kernel reads in the options.
#[derive(Default)]
struct Read {
    text: OsString,
    lower: Vec<OsString>,
    upper: Option<OsString>,
    work: Option<OsString>,
    /// How often there is `lowerdir=`.
    lowerdirs: usize,
    user_xattr: bool,
}

impl Read {
    fn of(text: &OsStr) -> Read {
        let options = split_options(text);
        // Of an option that is there twice the last one counts.
        let last = |name: &str| {
            let value = options.iter().rfind(|(it, _)| it == name).map(|(_, value)| value);
            value.map(|value| split_layers(value))
        };
        // Only among the layers below does a colon end one.
        let directory = |name: &str| last(name).map(|parts| parts.join(OsStr::new(":")));
        Read {
            text: text.to_owned(),
            lower: last("lowerdir").unwrap_or_default(),
            upper: directory("upperdir"),
            work: directory("workdir"),
            lowerdirs: options.iter().filter(|(name, _)| name == "lowerdir").count(),
            user_xattr: options.iter().any(|(name, _)| name == "userxattr"),
        }
    }

    fn has_layers_of(&self, asked: &Layers) -> bool {
        self.lower == asked.lower
            && self.upper.as_ref() == Some(&asked.upper)
            && self.work.as_ref() == Some(&asked.work)
            && self.lowerdirs == 1
    }
}

/// Options that are not as they must be.
struct Written {
    asked: Layers,
    read: Read,
    /// Whether the function has come to its end.
    is_written: bool,
}

impl Written {
    fn has_text(&self, part: &[u8]) -> bool {
        self.read.text.as_bytes().windows(part.len()).any(|window| window == part)
    }

    /// Whether a path with one of these bytes in it is there as it is. That of the
    /// write layer may have its colons.
    fn has_unescaped(&self, separators: &[u8]) -> bool {
        let is_there = |path: &[u8], separators: &[u8]| {
            let is_hard = path.iter().any(|it| separators.contains(it));
            let text = [self.read.text.as_bytes(), b","].concat();
            let ends = [[path, b":"].concat(), [path, b","].concat()];
            is_hard && ends.iter().any(|it| text.windows(it.len()).any(|window| window == it))
        };
        let Layers { lower, upper, work, .. } = &self.asked;
        let separators_of_one: Vec<u8> =
            separators.iter().copied().filter(|byte| *byte != b':').collect();
        lower.iter().any(|path| is_there(path.as_bytes(), separators))
            || [upper, work].iter().any(|path| is_there(path.as_bytes(), &separators_of_one))
    }

    /// Whether a byte is there as the mount table has it: a separator, or what cannot be
    /// in a field of that.
    fn has_octal(&self) -> bool {
        let escapes = [br"\054", br"\072", br"\134", br"\040", br"\011", br"\012"];
        escapes.iter().any(|escape| self.has_text(*escape)) && !self.is_asked(b"0")
    }

    /// How a path is written that has some of its separators escaped, and others not.
    fn escaped_in_part(&self) -> Option<&[u8]> {
        let text = self.read.text.as_bytes();
        let written = |path: &OsString, separators: &[u8]| {
            (0..text.len()).find_map(|at| {
                let spelling = Spelling::of(path.as_bytes(), &text[at..], separators)?;
                spelling.is_escaped_in_part().then_some(&text[at..at + spelling.length])
            })
        };
        let Layers { lower, upper, work, .. } = &self.asked;
        // In the path of the write layer a colon needs no escape, and may have one.
        let lower = lower.iter().find_map(|path| written(path, b"\\:,"));
        lower.or_else(|| [upper, work].into_iter().find_map(|path| written(path, b"\\,")))
    }

    /// Whether a path has this in it.
    fn is_asked(&self, part: &[u8]) -> bool {
        let Layers { lower, upper, work, .. } = &self.asked;
        let mut paths = lower.iter().chain([upper, work]).map(|path| path.as_bytes());
        paths.any(|path| path.windows(part.len()).any(|window| window == part))
    }
}

/// How a path is written in the options.
#[derive(Default)]
struct Spelling {
    /// How many bytes are written.
    length: usize,
    /// How many of its separators have a backslash before them, and how many have none.
    escaped: usize,
    unescaped: usize,
}

impl Spelling {
    /// Reads a path, with or without its escapes, at the beginning of a text; None if the
    /// text begins with another path.
    fn of(path: &[u8], text: &[u8], separators: &[u8]) -> Option<Spelling> {
        let mut spelling = Spelling::default();
        for byte in path {
            let rest = &text[spelling.length..];
            let is_separator = separators.contains(byte);
            if rest.starts_with(&[b'\\', *byte]) {
                spelling.length += 2;
                spelling.escaped += usize::from(is_separator);
            } else if rest.starts_with(&[*byte]) {
                spelling.length += 1;
                spelling.unescaped += usize::from(is_separator);
            } else {
                return None;
            }
        }
        // It ends where an option, a layer or the text ends.
        let next = text.get(spelling.length);
        next.is_none_or(|byte| b":,".contains(byte)).then_some(spelling)
    }

    fn is_escaped_in_part(&self) -> bool {
        self.escaped > 0 && self.unescaped > 0
    }
}

impl Facts for Written {
    fn words(&self) -> Words {
        let written = self.escaped_in_part();
        let shown = |bytes| ("written", display(OsStr::from_bytes(bytes)));
        written.map(shown).into_iter().collect()
    }
}

static RULES: Rules<Written> =
    Rules { lab: LAB, function: OVERLAY_OPTIONS.function, tables: &[TABLE] };

const TABLE: &[Rule<Written>] = &[
    rule("lowerdir-repeated", |it| it.read.lowerdirs > 1),
    rule("upper-is-a-lower-layer", |it| {
        let is_lower = |upper: &OsString| it.asked.lower.contains(upper);
        !is_lower(&it.asked.upper) && it.read.upper.as_ref().is_some_and(is_lower)
    }),
    rule("upper-and-work-swapped", |it| {
        it.read.upper.as_ref() == Some(&it.asked.work)
            && it.read.work.as_ref() == Some(&it.asked.upper)
            && it.asked.work != it.asked.upper
    }),
    rule("no-workdir", |it| it.is_written && it.read.work.is_none()),
    rule("upper-and-work-equal", |it| {
        it.is_written && it.read.work == it.read.upper && it.asked.work != it.asked.upper
    }),
    rule("work-in-the-write-layer", |it| {
        let upper = Path::new(&it.asked.upper);
        it.read.work.as_ref().is_some_and(|work| {
            Path::new(work).starts_with(upper) && Path::new(work) != upper && *work != it.asked.work
        })
    }),
    rule("lower-order-reversed", |it| {
        it.read.lower != it.asked.lower && it.read.lower.iter().rev().eq(&it.asked.lower)
    }),
    rule("layer-left-out", |it| {
        let Written { asked, read, .. } = it;
        let is_asked = |layer: &OsString| asked.lower.contains(layer);
        it.is_written && read.lower.len() < asked.lower.len() && read.lower.iter().all(is_asked)
    }),
    rule("not-utf-8", |it| it.has_text("\u{fffd}".as_bytes())),
    rule("escaped-in-octal", Written::has_octal),
    rule("not-escaped", |it| it.has_unescaped(b":,")),
    rule("backslash-not-escaped", |it| it.has_unescaped(b"\\")),
    rule("escaped-in-part", |it| it.escaped_in_part().is_some()),
    rule("no-userxattr", |it| it.is_written && it.asked.user_xattr && !it.read.user_xattr),
    rule("userxattr-always", |it| !it.asked.user_xattr && it.read.user_xattr),
];

fn finding(_: &Subject, wrong: Wrong) -> Finding {
    let written = match &wrong.outcome {
        Outcome::Returned(text) => Read::of(text),
        Outcome::Died(_) => Read::default(),
    };
    let is_written = matches!(wrong.outcome, Outcome::Returned(_));
    let written = Written { asked: wrong.case.input.clone(), read: written, is_written };
    wrong.finding(&RULES, &written, evidence(&written, &wrong))
}

fn evidence(written: &Written, wrong: &Wrong) -> Vec<Evidence> {
    let Written { asked: Layers { lower, upper, work, user_xattr }, read, .. } = written;
    let what = wrong.what("overlay_options(…)");
    let drawing = wrong.outcome.shown(|text| display(text));
    let mut evidence = vec![Evidence::Tree { what, drawing }];
    if !written.is_written {
        evidence.push(Evidence::differs("lower", quoted(lower), "-"));
        return evidence;
    }
    for (option, expected, seen) in [
        ("lowerdir", quoted(lower), quoted(&read.lower)),
        ("upperdir", quoted([upper]), quoted(&read.upper)),
        ("workdir", quoted([work]), quoted(&read.work)),
    ] {
        let what = format!("{option}, as the kernel reads it");
        evidence.push(Evidence::differs(what, expected, seen));
    }
    let word = |given| if given { "userxattr" } else { "-" };
    let what = format!("overlay_options(…, user_xattr: {user_xattr})");
    evidence.push(Evidence::differs(what, word(*user_xattr), word(read.user_xattr)));
    evidence
}

/// The text, with `\xFF` for a byte that is no UTF-8.
fn display(text: &OsStr) -> String {
    let mut shown = String::new();
    for chunk in text.as_bytes().utf8_chunks() {
        shown += chunk.valid();
        shown.extend(chunk.invalid().iter().map(|byte| format!("\\x{byte:02X}")));
    }
    shown
}

fn quoted<'a>(paths: impl IntoIterator<Item = &'a OsString>) -> String {
    let paths: Vec<String> = paths.into_iter().map(|path| format!("{path:?}")).collect();
    if paths.is_empty() { "-".to_owned() } else { paths.join(" ") }
}

/// The kernel's own word on it.
pub fn the_kernel_takes_the_options(host: &Host) -> Result<(), Finding> {
    let case = hostile(&host.path("layers"));
    let mnt = host.path("mnt");
    let Layers { lower, upper, work, .. } = case.input.clone();
    for directory in lower.iter().chain([&upper, &work, &mnt.clone().into_os_string()]) {
        fs::create_dir_all(directory).expect("a directory in the scratch directory");
    }
    // Each layer has `layer` of its own; the topmost one's is seen.
    for layer in lower.iter().map(Path::new) {
        fs::write(layer.join("layer"), layer.as_os_str().as_bytes()).expect("in a layer");
    }
    let seen = host.each(&OVERLAY_OPTIONS, vec![&case.input]).make_each();
    let text = seen.map_err(|ended| ended.finding)?.returned.remove(0);
    let overlay = Some("overlay");
    let mounted = mount(overlay, &mnt, overlay, MsFlags::empty(), Some(text.as_os_str()));
    let mounted = mounted.map_err(Failure::from);
    let topmost = fs::read(mnt.join("layer")).unwrap_or_default();
    let new = Path::new(&upper).join("new");
    let is_written = fs::write(mnt.join("new"), "").is_ok() && new.exists();
    let kept = topmost == lower[0].as_bytes() && is_written;

    let wrong = Wrong {
        case,
        outcome: Outcome::Returned(text.clone()),
        printed: String::new(),
        seed: None,
    };
    let (asked, read) = (wrong.case.input.clone(), Read::of(&text));
    let written = Written { asked, read, is_written: true };
    RULES.judge(&written, kept, || {
        let what = "mount(\"overlay\", mnt, \"overlay\", 0, options)";
        let mut evidence = evidence(&written, &wrong);
        evidence.push(Evidence::differs(what, "Ok", result(&mounted)));
        evidence
    })
}
