//! What write_layer_tar has written, and what is wrong with it.

use std::fs;
use std::path::Path;

use labkit::describe::result;
use labkit::frame::{Facts, Returned, Rule, Rules, Words, error_of, rule};
use labkit::verdict::{Evidence, Finding};

use crate::LAB;
use crate::acts::WRITE_LAYER_TAR;
use crate::archive::{Damage, Entry, Kind, read};
use crate::listing::{Aspect, Difference, differences, expected, is_mark};

/// What came of a call.
#[derive(Debug)]
pub struct Written {
    pub returned: Returned,
    /// The archive as it was read.
    pub entries: Result<Vec<Entry>, Damage>,
    pub differences: Vec<Difference>,
    /// How many bytes it has.
    pub length: usize,
    /// What was unusual, if it was: for the evidence.
    pub while_: String,
}

impl Written {
    /// What a call has written to `archive`.
    ///
    /// # Panics
    /// The write layer cannot be read.
    pub fn look(returned: Returned, write_layer: &Path, archive: &[u8]) -> Written {
        let entries = read(archive);
        let must = expected(write_layer).expect("the scratch directory");
        let differences = entries.as_ref().map(|is| differences(&must, is)).unwrap_or_default();
        Written { returned, entries, differences, length: archive.len(), while_: String::new() }
    }

    /// The same of a file.
    pub fn look_at(returned: Returned, write_layer: &Path, archive: &Path) -> Written {
        Written::look(returned, write_layer, &fs::read(archive).unwrap_or_default())
    }

    /// Whether it says that all is well, and it is.
    pub fn is_right(&self) -> bool {
        self.returned.is_ok() && self.entries.is_ok() && self.differences.is_empty()
    }

    /// Judges it.
    ///
    /// # Errors
    /// It is not right: what is wrong.
    pub fn judge(&self) -> Result<(), Finding> {
        RULES.judge(self, self.is_right(), || self.evidence())
    }

    pub fn evidence(&self) -> Vec<Evidence> {
        let what = format!("{}(write_layer, out)", WRITE_LAYER_TAR.function);
        let mut all = vec![Evidence::differs(what, "Ok", result(&self.returned))];
        if self.returned.is_err() {
            return all;
        }
        if let Err(damage) = &self.entries {
            let seen = match damage {
                Damage::Unreadable(why) => why.clone(),
                Damage::Record(record) => format!("`{record}…` does not end where its length says"),
                Damage::NoEnd => "the two blocks of zeros at its end are missing".to_owned(),
            };
            all.push(Evidence::differs("the archive", "can be read", seen));
        }
        let shown = self.differences.iter().take(LINES).map(Difference::evidence);
        all.extend(shown);
        all
    }

    fn worst(&self) -> Option<&Difference> {
        self.differences.first()
    }

    /// Whether the worst difference is of this aspect, and so.
    fn is(&self, aspect: Aspect, is_so: impl Fn(&Difference) -> bool) -> bool {
        self.worst().is_some_and(|it| it.aspect == aspect && is_so(it))
    }

    fn all(&self, aspect: Aspect) -> impl Iterator<Item = &Difference> {
        self.differences.iter().filter(move |it| it.aspect == aspect)
    }

    /// The entry of a name that is missing, under another name.
    fn is_renamed(&self, other: impl Fn(&[u8]) -> Vec<u8>) -> bool {
        let extra: Vec<&[u8]> = self.all(Aspect::Extra).map(|it| it.name.as_slice()).collect();
        self.all(Aspect::Missing).any(|it| extra.contains(&other(&it.name).as_slice()))
    }
}

/// More differences are not shown.
const LINES: usize = 4;
/// Longer values are not shown.
const LONG: usize = 24;

impl Difference {
    fn evidence(&self) -> Evidence {
        let shown = |entry: &Option<Entry>| {
            let Some(it) = entry else { return "-".to_owned() };
            match self.aspect {
                Aspect::Owner => format!("{}:{}", it.owner.0, it.owner.1),
                Aspect::Mode => format!("{:04o}", it.mode),
                Aspect::Time => it.mtime.to_string(),
                Aspect::Xattrs => {
                    // Long values are of no use to a reader.
                    let names = it.xattrs.iter().map(|(name, value)| match value.len() {
                        0..=LONG => format!("{}={}", name.escape_ascii(), value.escape_ascii()),
                        _ => name.escape_ascii().to_string(),
                    });
                    let names: Vec<String> = names.collect();
                    if names.is_empty() { "-".to_owned() } else { names.join(", ") }
                }
                Aspect::Order => it.name.escape_ascii().to_string(),
                Aspect::Content => match &it.kind {
                    Kind::File(content) if content.len() < 40 => {
                        format!("\"{}\"", content.escape_ascii())
                    }
                    kind => kind.shown(),
                },
                _ => it.kind.shown(),
            }
        };
        let name = self.name.escape_ascii();
        let what = match self.aspect {
            Aspect::Owner => format!("the owner of {name}"),
            Aspect::Mode => format!("the mode of {name}"),
            Aspect::Time => format!("the time of {name}"),
            Aspect::Xattrs => format!("the extended attributes of {name}"),
            Aspect::Order => "the next entry".to_owned(),
            Aspect::Twice => format!("{name}, once more"),
            _ => name.to_string(),
        };
        let (expected, mut seen) = (shown(&self.expected), shown(&self.written));
        if expected == seen {
            seen.push_str(" (another one)");
        }
        Evidence::differs(what, expected, seen)
    }
}

impl Facts for Written {
    fn words(&self) -> Words {
        let mut words = error_of(&self.returned);
        words.extend(self.worst().map(|it| ("path", it.name.escape_ascii().to_string())));
        if let Err(Damage::Unreadable(why)) = &self.entries {
            words.push(("damage", why.clone()));
        }
        if let Err(Damage::Record(record)) = &self.entries {
            words.push(("record", record.clone()));
        }
        words.push(("call", self.while_.clone()));
        words
    }
}

/// The rules on an archive.
pub static RULES: Rules<Written> =
    Rules { lab: LAB, function: WRITE_LAYER_TAR.function, tables: &[ARCHIVE, NAMES, FILES] };

const ARCHIVE: &[Rule<Written>] = &[
    rule("answer/returned-error", |it| it.returned.is_err()),
    rule("answer/did-nothing", |it| it.length == 0),
    rule("end-mark-missing", |it| it.entries == Err(Damage::NoEnd)),
    rule("pax-record-length-wrong", |it| matches!(it.entries, Err(Damage::Record(_)))),
    rule("archive-damaged", |it| it.entries.is_err()),
];

const NAMES: &[Rule<Written>] = &[
    rule("paths-not-relative", |it| {
        it.entries.iter().flatten().any(|it| it.name.starts_with(b"/"))
            || it.is_renamed(|name| [b"write-layer/", name].concat())
    }),
    rule("whiteout-as-device", |it| {
        let written = it.all(Aspect::Extra).filter_map(|it| it.written.as_ref());
        written.into_iter().any(|it| it.kind == Kind::Char(0, 0))
    }),
    rule("whiteout-as-hard-link", |it| {
        let written = it.all(Aspect::Extra).filter_map(|it| it.written.as_ref());
        let links = written.filter(|it| matches!(it.kind, Kind::HardLink(_)));
        let links: Vec<&[u8]> = links.map(|it| it.name.as_slice()).collect();
        it.all(Aspect::Missing).any(|it| links.contains(&hidden(&it.name).as_slice()))
    }),
    rule("whiteout-as-file", |it| it.is_renamed(hidden)),
    rule("overlay-attributes-written", |it| {
        let mut names = it.entries.iter().flatten().flat_map(|it| it.xattrs.keys());
        names.any(|name| name.windows(9).any(|part| part == b".overlay."))
    }),
    rule("opaque-not-seen", |it| it.is(Aspect::Missing, |it| it.name.ends_with(OPAQUE))),
    rule("whiteout-left-out", |it| it.is(Aspect::Missing, |it| is_mark(&it.name))),
    rule("lossy-names", |it| {
        it.is_renamed(|name| String::from_utf8_lossy(name).into_owned().into_bytes())
    }),
    rule("long-name-cut", |it| {
        let extra: Vec<&[u8]> = it.all(Aspect::Extra).map(|it| it.name.as_slice()).collect();
        let is_cut = |name: &[u8]| extra.iter().any(|cut| !cut.is_empty() && name.starts_with(cut));
        it.all(Aspect::Missing).any(|it| it.name.len() > 100 && is_cut(&it.name))
    }),
];

const OPAQUE: &[u8] = b"/.wh..wh..opq";

/// The name of a mark without its prefix.
fn hidden(name: &[u8]) -> Vec<u8> {
    let at = name.rsplit(|byte| *byte == b'/').next().map_or(0, <[u8]>::len);
    let (parents, last) = name.split_at(name.len() - at);
    [parents, last.strip_prefix(b".wh.").unwrap_or(last)].concat()
}

const FILES: &[Rule<Written>] = &[
    rule("link-followed", |it| {
        // Which of its names is the first depends on the order.
        let has_moved = it.all(Aspect::Order).next().is_some();
        it.all(Aspect::Kind).any(|it| match (&it.expected, &it.written) {
            (Some(must), Some(is)) => {
                let may_be = has_moved && matches!(is.kind, Kind::HardLink(_));
                matches!(must.kind, Kind::Symlink(_))
                    && !matches!(is.kind, Kind::Symlink(_))
                    && !may_be
            }
            _ => false,
        })
    }),
    rule("socket-written", |it| it.is(Aspect::Extra, |it| it.name.ends_with(b".sock"))),
    rule("listed-twice", |it| it.is(Aspect::Twice, |_| true)),
    rule("directories-left-out", |it| {
        it.is(Aspect::Missing, |it| {
            it.expected.as_ref().is_some_and(|it| it.kind == Kind::Directory)
        })
    }),
    rule("entry-left-out", |it| it.is(Aspect::Missing, |_| true)),
    rule("wrong-order", |it| {
        // Which name is the first depends on the order.
        let is_link =
            |it: &Option<Entry>| it.as_ref().is_some_and(|it| matches!(it.kind, Kind::HardLink(_)));
        let has_moved = it.all(Aspect::Order).next().is_some();
        has_moved && it.is(Aspect::Kind, |it| is_link(&it.expected) || is_link(&it.written))
    }),
    rule("hard-links-copied", |it| {
        it.is(Aspect::Kind, |it| {
            let written = it.written.as_ref().map(|it| &it.kind);
            it.expected.as_ref().is_some_and(|it| matches!(it.kind, Kind::HardLink(_)))
                && !matches!(written, Some(Kind::HardLink(_)))
        })
    }),
    rule("hard-link-to-another-name", |it| {
        it.is(Aspect::Kind, |it| {
            let is_link = |it: &Option<Entry>| {
                it.as_ref().is_some_and(|it| matches!(it.kind, Kind::HardLink(_)))
            };
            is_link(&it.expected) && is_link(&it.written)
        })
    }),
    rule("link-target-changed", |it| {
        it.is(Aspect::Kind, |it| {
            let is_link = |it: &Option<Entry>| {
                it.as_ref().is_some_and(|it| matches!(it.kind, Kind::Symlink(_)))
            };
            is_link(&it.expected) && is_link(&it.written)
        })
    }),
    rule("device-numbers-lost", |it| {
        let kinds = |it: &Difference| {
            Some((it.expected.as_ref()?.kind.clone(), it.written.as_ref()?.kind.clone()))
        };
        it.is(Aspect::Kind, |it| {
            matches!(
                kinds(it),
                Some((Kind::Char(..), Kind::Char(..)) | (Kind::Block(..), Kind::Block(..)))
            )
        })
    }),
    rule("owners-lost", |it| it.is(Aspect::Owner, |_| true)),
    rule("special-bits-lost", |it| {
        it.is(Aspect::Mode, |_| true)
            && it.all(Aspect::Mode).all(|it| match (&it.expected, &it.written) {
                (Some(must), Some(is)) => must.mode & 0o777 == is.mode,
                _ => false,
            })
    }),
    rule("modes-lost", |it| it.is(Aspect::Mode, |_| true)),
    rule("times-before-1970-lost", |it| {
        let is_early = |it: &Difference| it.expected.as_ref().is_some_and(|it| it.mtime < 0);
        it.is(Aspect::Time, |_| true) && it.all(Aspect::Time).all(is_early)
    }),
    rule("times-lost", |it| it.is(Aspect::Time, |_| true)),
    rule("attributes-lost", |it| it.is(Aspect::Xattrs, |_| true)),
    rule("wrong-order", |it| it.is(Aspect::Order, |_| true)),
];
