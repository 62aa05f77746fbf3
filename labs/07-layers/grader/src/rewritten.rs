//! Layers that are made up by chance, rewritten by an answer, in either direction.

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use labkit::act::Each;
use labkit::canary::Canary;
use labkit::describe::result;
use labkit::frame::{Facts, Returned, Rule, Rules, Words, error_of, rule};
use labkit::generated::{SEED, seed, smallest};
use labkit::host::Host;
use labkit::overlay::user_xattr;
use labkit::verdict::{Evidence, Finding};

use crate::LAB;
use crate::acts::{self, Answers, WHITEOUTS_TO_AUFS, WHITEOUTS_TO_OVERLAY};
use crate::failing::{Attempt, Failing};
use crate::layer::fill;
use crate::listing::{Kind, Layer, Listing, OPAQUE, aufs_whiteout, drawn, read};

/// How many layers are made up.
const COUNT: usize = 60;

/// From which form to which.
#[derive(Clone, Copy, PartialEq)]
pub enum Direction {
    ToOverlay,
    ToAufs,
}

/// A layer that has not become what it must.
struct Rewritten {
    direction: Direction,
    before: Listing,
    expected: Listing,
    after: Listing,
    returned: Returned,
    is_outside_untouched: bool,
}

impl Direction {
    fn act(self) -> &'static Each<Answers, acts::Layer, Returned> {
        match self {
            Direction::ToOverlay => &WHITEOUTS_TO_OVERLAY,
            Direction::ToAufs => &WHITEOUTS_TO_AUFS,
        }
    }
}

/// Judges it by layers that are made up by chance.
pub fn any_layer(host: &Host, direction: Direction) -> Result<(), Finding> {
    let mut count = 0;
    let found = smallest(COUNT, Layer::generate, |layers| {
        count += 1;
        first_wrong(host, direction, layers, count)
    })?;
    let Some(found) = found else { return Ok(()) };
    let rewritten = found.wrong?;
    let rules = Rules { function: direction.act().function, ..RULES };
    rules.judge(&rewritten, false, || {
        let picture = |what: &str, listing: &Listing| Evidence::Tree {
            what: format!("{what}   ({SEED}={})", seed()),
            drawing: drawn(listing),
        };
        let call = format!("{}(layer)", direction.act().function);
        vec![
            picture("the layer", &rewritten.before),
            Evidence::Tree {
                what: "it must become".to_owned(),
                drawing: drawn(&rewritten.expected),
            },
            Evidence::Tree { what: "it has become".to_owned(), drawing: drawn(&rewritten.after) },
            Evidence::differs(call, "Ok", result(&rewritten.returned)),
        ]
    })
}

/// Has all layers rewritten, one after the other, and looks at each.
#[allow(clippy::type_complexity)]
fn first_wrong(
    host: &Host,
    direction: Direction,
    layers: &[&Layer],
    count: usize,
) -> Result<Option<(usize, Result<Rewritten, Finding>)>, Finding> {
    let user_xattr = user_xattr();
    let ground = host.path(&format!("layers-{count}"));
    let outside = ground.join("outside");
    fill(&outside, &[(".wh.thesis.txt", ""), ("deep/.wh..wh.aufs", "")]);
    let outside = Canary::new(outside).expect("a directory in the scratch directory");

    // 1. Each in a directory of its own.
    let inputs: Vec<acts::Layer> = (0..layers.len())
        .map(|nth| acts::Layer { layer: ground.join(nth.to_string()), user_xattr })
        .collect();
    for (layer, input) in layers.iter().zip(&inputs) {
        layer.write(direction, &input.layer, &outside.folder, user_xattr);
    }
    let before: Vec<Listing> = inputs.iter().map(|it| read(&it.layer, user_xattr)).collect();

    // 2. The answer.
    let seen = host.each(direction.act(), inputs.iter().collect()).make_each();
    let returned = match seen {
        Ok(seen) => seen.returned,
        Err(ended) => return Ok(Some((ended.at.min(layers.len() - 1), Err(ended.finding)))),
    };

    // 3. What has become of them.
    let is_outside_untouched = outside.is_untouched();
    let all = layers.iter().zip(&inputs).zip(before).zip(returned);
    let rewritten = all.map(|(((layer, input), before), returned)| Rewritten {
        direction,
        before,
        expected: layer.becomes(direction),
        after: read(&input.layer, user_xattr),
        returned,
        is_outside_untouched,
    });
    let mut rewritten = rewritten.enumerate();
    let wrong = rewritten.find(|(_, it)| it.after != it.expected || it.returned.is_err());
    std::fs::remove_dir_all(&ground).expect("the witness may");
    if let Some((nth, wrong)) = wrong {
        return Ok(Some((nth, Ok(wrong))));
    }
    Ok(None)
}

/// A layer with all that is rewritten, and a file.
fn with_everything() -> Layer {
    let entries = [
        ("", Kind::Directory),
        ("old", Kind::Whiteout),
        ("var", Kind::OpaqueDirectory),
        ("var/new", Kind::File),
        (".wh..wh.aufs", Kind::OfAufs),
        (".wh..wh.plnk", Kind::DirectoryOfAufs),
        ("sub", Kind::Directory),
        ("sub/x", Kind::Whiteout),
    ];
    Layer { entries: entries.map(|(name, kind)| (name.into(), kind)).into() }
}

/// Has it rewritten while a call fails.
pub fn attempt_failing(
    host: &Host,
    direction: Direction,
    failing: Failing,
) -> Result<Attempt, Finding> {
    let (layer, user_xattr) = (with_everything(), user_xattr());
    let input = acts::Layer { layer: host.path(&failing.name()), user_xattr };
    layer.write(direction, &input.layer, Path::new("/nowhere"), user_xattr);
    let call = failing.during(host.each(direction.act(), vec![&input]));
    let mut seen = call.make_each().map_err(|ended| ended.finding)?;
    let after = read(&input.layer, user_xattr);
    let is_right = after == layer.becomes(direction);
    let what = "the layer afterwards".to_owned();
    Ok(Attempt {
        failed: failing.told(&seen),
        is_told_or_right: seen.returned.remove(0).is_err() || is_right,
        // All that is in a layer is to be rewritten.
        changed: None,
        drawn: Evidence::Tree { what, drawing: drawn(&after) },
    })
}

impl Layer {
    /// Writes it to disk in the form that is rewritten in this direction.
    fn write(&self, direction: Direction, layer: &Path, outside: &Path, user_xattr: bool) {
        match direction {
            Direction::ToOverlay => self.write_for_aufs(layer, outside),
            Direction::ToAufs => self.write_for_overlay(layer, outside, user_xattr),
        }
    }

    /// How it must be listed then.
    fn becomes(&self, direction: Direction) -> Listing {
        match direction {
            Direction::ToOverlay => self.for_overlay(),
            Direction::ToAufs => self.for_aufs(),
        }
    }
}

impl Facts for Rewritten {
    fn words(&self) -> Words {
        let mut words = error_of(&self.returned);
        words.push(("outside", "outside".to_owned()));
        let taken = self.whiteout_of_book_keeping().map(|name| name.display().to_string());
        let shown = |name: &Path| format!("/{}", name.as_os_str().as_bytes().escape_ascii());
        let name = taken.or_else(|| self.opaque_without_a_mark().map(shown));
        words.extend(name.map(|name| ("name", name)));
        words
    }
}

impl Rewritten {
    /// Whether an entry that must be so is not, or the other way round.
    fn has(&self, so: fn(must: Option<&str>, is: Option<&str>) -> bool) -> bool {
        let paths = self.expected.keys().chain(self.after.keys());
        let mut both = paths.map(|path| (self.expected.get(path), self.after.get(path)));
        both.any(|(must, is)| so(must.map(String::as_str), is.map(String::as_str)))
    }

    /// The entries that must be there, and are not or are not so.
    fn lost(&self) -> impl Iterator<Item = (&Path, &str)> {
        let lost = self.expected.iter().filter(|(name, must)| self.after.get(*name) != Some(must));
        lost.map(|(name, must)| (name.as_path(), must.as_str()))
    }

    /// Whether a name that begins so is there, and must not be.
    fn is_left(&self, beginning: &[u8]) -> bool {
        let mut names = self.after.keys().filter(|name| !self.expected.contains_key(*name));
        names.any(|it| it.file_name().is_some_and(|name| name.as_bytes().starts_with(beginning)))
    }

    /// The first name of AUFS's own that has become a whiteout: `.wh..wh.x` one of `.wh.x`.
    fn whiteout_of_book_keeping(&self) -> Option<PathBuf> {
        let whiteouts = self.after.iter().filter(|(_, is)| *is == "whiteout");
        let mut markers = whiteouts.map(|(name, _)| aufs_whiteout(name));
        markers.find(|marker| {
            let name = marker.file_name().unwrap_or_default();
            self.before.contains_key(marker) && name.as_bytes().starts_with(b".wh..wh.")
        })
    }

    /// The first directory that was not opaque, and is now.
    fn opaque_without_a_mark(&self) -> Option<&Path> {
        let must_be_plain = |name: &Path| self.expected.get(name).is_some_and(|it| it == "/");
        let by_overlay = |name: &Path| self.after[name] == "/ opaque" && must_be_plain(name);
        let by_aufs = |name: &Path| {
            let mark = name.join(OPAQUE);
            self.after.contains_key(&mark) && !self.expected.contains_key(&mark)
        };
        let is_opaque = |name: &&Path| match self.direction {
            Direction::ToOverlay => by_overlay(name),
            Direction::ToAufs => by_aufs(name),
        };
        self.after.keys().map(PathBuf::as_path).find(is_opaque)
    }

    /// Whether AUFS's mark that hides this name is there.
    fn is_hidden(&self, name: &Path) -> bool {
        self.after.contains_key(&aufs_whiteout(name))
    }

    /// Whether a mark of overlayfs's is left in a directory that was opaque.
    fn is_anything_left_in_an_opaque_directory(&self) -> bool {
        let was_opaque = |it: &Path| self.before.get(it).is_some_and(|words| words == "/ opaque");
        let mut left =
            self.after.iter().filter(|(_, is)| ["whiteout", "/ opaque"].contains(&is.as_str()));
        left.any(|(name, _)| name.ancestors().skip(1).any(was_opaque))
    }

    fn goes(&self, direction: Direction) -> bool {
        self.direction == direction
    }
}

static RULES: Rules<Rewritten> = Rules { lab: LAB, function: "", tables: &[TABLE] };

const TABLE: &[Rule<Rewritten>] = &[
    rule("link-followed", |it| !it.is_outside_untouched),
    rule("answer/returned-error", |it| it.returned.is_err()),
    rule("opaque-mark-lost", |it| {
        let is_lost =
            |must: Option<&str>, is: Option<&str>| must == Some("/ opaque") && is == Some("/");
        it.goes(Direction::ToOverlay) && it.has(is_lost)
    }),
    rule("book-keeping-is-no-whiteout", |it| {
        it.goes(Direction::ToOverlay) && it.whiteout_of_book_keeping().is_some()
    }),
    rule("whiteout-in-opaque-folder", |it| {
        it.goes(Direction::ToOverlay) && it.has(|must, is| must.is_none() && is == Some("whiteout"))
    }),
    rule("book-keeping-left", |it| it.goes(Direction::ToOverlay) && it.is_left(b".wh..wh.")),
    rule("marker-left-behind", |it| it.goes(Direction::ToOverlay) && it.is_left(b".wh.")),
    rule("fifo-taken-for-a-whiteout", |it| {
        let is_taken =
            |(name, must): (&Path, &str)| ["fifo", "socket"].contains(&must) && it.is_hidden(name);
        it.goes(Direction::ToAufs) && it.lost().any(is_taken)
    }),
    rule("opaque-folder-not-entered", |it| {
        it.goes(Direction::ToAufs) && it.is_anything_left_in_an_opaque_directory()
    }),
    rule("opaque-without-a-mark", |it| it.opaque_without_a_mark().is_some()),
    rule("other-files-changed", |it| {
        let files = ["link", "\"content\"", "fifo", "socket"];
        it.lost().any(|(_, must)| files.contains(&must))
    }),
];
