//! Stacks of layers, from numbers.

use std::fmt;

use nix::unistd::geteuid;
use tar::EntryType;

use super::formats::{FORMATS, Format, encode};
use super::model::{Kind, Model};
use crate::hostile_tars::items::{Item, directory, file, hard_link, node, symlink};
use crate::random::Random;

/// Few names, so that entries meet; some lead through links.
const FOLDERS: [&str; 8] = ["", "a/", "b/", "a/c/", "b/d/", "l/", "m/", "a/n/"];
const NAMES: [&str; 8] = ["a", "b", "c", "d", "x", "y", "l", "m"];
const TARGETS: [&str; 6] = ["a", "/b", "../b", "nowhere", "x", "a/c"];
const MODES: [u32; 6] = [0o644, 0o755, 0o600, 0o4755, 0o1777, 0o555];

const WHITEOUT: &str = ".wh.";
const OPAQUE: &str = ".wh..wh..opq";

/// What of a layer its deletions may be below.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Made {
    Files,
    Entries,
    Implied,
}

/// Layers that lie one on another.
#[derive(Clone)]
pub struct Stack {
    /// What it is called in the report.
    pub name: String,
    layers: Vec<(Format, Vec<Item>)>,
}

impl Stack {
    /// Stack `number` of those that belong to `seed`, of as many layers or fewer.
    pub fn generate(seed: u64, number: u64, most_layers: u64) -> Stack {
        let mut random = Random::new(seed.wrapping_mul(1_000_003).wrapping_add(number));
        let mut layers = Vec::new();
        let mut model = Model::default();
        // Every format comes at the bottom and on top.
        let count = 1 + random.below(most_layers);
        for depth in 0..count {
            let format = FORMATS[((number + depth) % FORMATS.len() as u64) as usize];
            // Before the standard there were no devices.
            let is_known = |item: &Item| format != Format::V7 || item.kind != EntryType::Char;
            let mut items = if depth == 0 { bottom() } else { Vec::new() };
            for item in &items {
                note(&mut model, item);
            }
            let wanted = items.len() as u64 + 3 + random.below(8);
            while (items.len() as u64) < wanted {
                let item = entry(&mut random, depth > 0);
                // A few are such as cannot be.
                if is_known(&item) && (note(&mut model, &item) || random.below(100) == 0) {
                    items.push(item);
                }
            }
            layers.push((format, items));
        }
        Stack { name: format!("number {number}"), layers }
    }

    /// The archives of the layers, the bottom one first.
    pub fn archives(&self) -> Vec<Vec<u8>> {
        self.layers.iter().map(|(format, items)| encode(items, *format)).collect()
    }

    /// The same, where in every layer the deletions come before all else.
    pub fn with_deletions_first(&self) -> Stack {
        let mut stack = self.clone();
        for (_, items) in &mut stack.layers {
            items.sort_by_key(|item| !is_deletion(item));
        }
        stack
    }

    /// Why it is right to refuse with `error` a stack that umoci takes.
    pub fn why_refused(error: &str) -> Option<&'static str> {
        let reasons = [
            ("leads nowhere", "a path through a link to nothing: umoci makes what it leads to"),
            ("is no directory", "a path through a file: umoci replaces the file"),
            ("too many links", "a path through links that lead in a circle"),
        ];
        reasons.iter().find(|(text, _)| error.contains(text)).map(|(_, reason)| *reason)
    }

    /// Why it is right to take a stack, though umoci says `error`.
    pub fn why_taken(error: &str) -> Option<&'static str> {
        let reasons = [
            (
                ": link: ",
                "a hard link to a file that umoci has deleted by then: to make room for the link, or \
                 for a deletion of the same layer",
            ),
            (
                "not a directory",
                "a deletion below a file: there is nothing to delete, and umoci fails to look",
            ),
        ];
        reasons.iter().find(|(text, _)| error.contains(text)).map(|(_, reason)| *reason)
    }

    /// The same entries in formats that umoci knows.
    pub fn in_formats_of_umoci(&self) -> Stack {
        let mut stack = self.clone();
        for (format, _) in &mut stack.layers {
            if matches!(format, Format::Volume | Format::GnuIncremental) {
                *format = Format::Gnu;
            }
        }
        stack
    }

    /// The same, without the deletions below what their own layer makes: files,
    /// directories too, those too that it only implies.
    pub fn without_deletions_below(&self, made: Made) -> Stack {
        let mut stack = self.clone();
        for (_, items) in &mut stack.layers {
            let is_made = |item: &&Item| {
                !is_deletion(item) && (made != Made::Files || item.kind != EntryType::Directory)
            };
            let made: Vec<Vec<u8>> = items
                .iter()
                .filter(is_made)
                .flat_map(|item| {
                    let whole = [&item.name[..], b"/"].concat();
                    let ends = whole.iter().enumerate().filter(|(_, byte)| **byte == b'/');
                    let ends: Vec<usize> = ends.map(|(end, _)| end + 1).collect();
                    let skipped = if made == Made::Implied { 0 } else { ends.len() - 1 };
                    let above = ends.into_iter().skip(skipped).map(|end| whole[..end].to_vec());
                    above.collect::<Vec<_>>()
                })
                .collect();
            items.retain(|item| {
                !is_deletion(item) || !made.iter().any(|made| item.name.starts_with(made))
            });
        }
        stack
    }
}

impl fmt::Debug for Stack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, (format, items)) in self.layers.iter().enumerate() {
            writeln!(f, "layer {number}, {format:?}:")?;
            for item in items {
                let name = item.name.escape_ascii();
                let link = item.link.escape_ascii();
                writeln!(f, "  {:?} {name} {link} {:o}", item.kind, item.mode)?;
            }
        }
        Ok(())
    }
}

/// What all stacks begin with.
fn bottom() -> Vec<Item> {
    vec![
        directory("a"),
        file("a/x", "a/x"),
        directory("a/c"),
        file("a/c/y", "a/c/y"),
        directory("b"),
        file("b/x", "b/x"),
        directory("b/d"),
        file("b/d/y", "b/d/y"),
        symlink("l", "a"),
        symlink("m", "/b"),
        symlink("a/n", "../b/d"),
        file("f", "f"),
    ]
}

fn is_deletion(item: &Item) -> bool {
    let name = item.name.rsplit(|&byte| byte == b'/').next().unwrap_or_default();
    name.starts_with(WHITEOUT.as_bytes())
}

/// Notes what an entry does; `false` if it cannot be.
fn note(model: &mut Model, item: &Item) -> bool {
    let path = String::from_utf8_lossy(&item.name).into_owned();
    let link = String::from_utf8_lossy(&item.link).into_owned();
    let (folder, name) = path.rsplit_once('/').unwrap_or((".", &path));
    match item.kind {
        _ if name == OPAQUE => model.get(folder) == Some(&Kind::Directory),
        _ if is_deletion(item) => model.delete(&format!("{folder}/{}", &name[WHITEOUT.len()..])),
        EntryType::Directory => model.put(&path, Kind::Directory),
        EntryType::Symlink => model.put(&path, Kind::Link(link)),
        EntryType::Link => match model.get(&link).cloned() {
            Some(kind) if kind != Kind::Directory => model.put(&path, kind),
            _ => false,
        },
        _ => model.put(&path, Kind::Other),
    }
}

/// One entry.
fn entry(random: &mut Random, has_layers_below: bool) -> Item {
    let pick = |random: &mut Random, names: &[&str]| -> String {
        names[random.below(names.len() as u64) as usize].into()
    };
    let folder = pick(random, &FOLDERS);
    let path = format!("{folder}{}", pick(random, &NAMES));
    let item = match random.below(100) {
        0..30 => file(&path, format!("data {}", random.below(1000))),
        30..48 => directory(&path),
        48..58 => symlink(&path, pick(random, &TARGETS)),
        58..70 => hard_link(&path, pick(random, &FOLDERS) + &pick(random, &NAMES)),
        70..74 => node(&path, EntryType::Fifo, (0, 0)),
        74..77 if geteuid().is_root() => node(&path, EntryType::Char, (1, 3)),
        77..92 if has_layers_below => {
            let (folder, name) = path.rsplit_once('/').unwrap_or((".", &path));
            return file(format!("{folder}/{WHITEOUT}{name}"), "");
        }
        92..100 if has_layers_below && !folder.is_empty() => {
            return file(format!("{folder}{OPAQUE}"), "");
        }
        _ => file(&path, "plain"),
    };
    let mode = MODES[random.below(MODES.len() as u64) as usize];
    let owner = random.below(3) * 500;
    let mtime = 1_000_000 * random.below(1000);
    let item = if item.kind == EntryType::Symlink { item } else { item.mode(mode) };
    let item = item.mtime(mtime);
    if geteuid().is_root() { item.owner(owner, owner) } else { item }
}
