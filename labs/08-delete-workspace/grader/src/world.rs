//! Workspaces that are made up by chance: names, trees and mounts that nobody thought of.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fmt::Write;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use arbitrary::{Result, Unstructured};
use labkit::generated::{list, text};
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

use crate::stage::{NOWHERE, Stage, mount_tmpfs, set_mode};

/// A workspace, with other ones beside it.
#[derive(Debug, Clone, PartialEq)]
pub struct World {
    /// Its name.
    name: Vec<u8>,
    /// The names of others, each with a mount.
    neighbours: Vec<Vec<u8>>,
    /// What is in it besides its usual parts: each directory comes before what is in it.
    entries: Vec<(PathBuf, Entry)>,
    /// What is mounted in it, from the first to the last.
    mounts: Vec<(PathBuf, On)>,
}

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Entry {
    File,
    Directory,
    /// Nobody may enter it, not even its owner.
    Closed,
    /// So many directories, each in the one before it.
    Deep,
    /// A directory with so many files.
    Wide,
    /// A link to a directory of the host, to a file, to what is not there, to what is not
    /// there by an absolute path, and to itself.
    LinkToDirectory,
    LinkToFile,
    LinkToNothing,
    LinkToNothingFromRoot,
    LinkToItself,
    /// Another name of a file of the host.
    HardLink,
    Fifo,
}

/// What is mounted.
#[derive(Debug, Clone, Copy, PartialEq)]
enum On {
    Tmpfs,
    Volume,
    /// What is there already: it becomes a mount point, and stays visible.
    Itself,
}

const DEEP: usize = 40;
const WIDE: usize = 60;

/// Names that look like others, or that are no text.
const PIECES: [&[u8]; 12] =
    [b"a", b"1", b"0", b"-", b" ", b"..", b".", b"\\040", b"\n", b"\xff", b"\xfe", "层".as_bytes()];

/// Where something can be mounted: below one another, and with names that begin alike.
const PLACES: [&[u8]; 8] = [
    b"mnt",
    b"mnt/data",
    b"mnt/data/sub",
    b"mnt/data2",
    b"mnt/caf\xe9",
    b"init-layer",
    b"logs/0",
    b"",
];

fn path(bytes: &[u8]) -> PathBuf {
    OsStr::from_bytes(bytes).into()
}

impl World {
    /// A world that is made up by chance, with mounts in it.
    ///
    /// # Errors
    /// None.
    pub fn with_mounts(choices: &mut Unstructured) -> Result<World> {
        let world = World::unmounted(choices)?;
        let mounts = list(choices, 5, |choices| {
            let on = *choices.choose(&[On::Tmpfs, On::Volume, On::Itself])?;
            let place = path(choices.choose(&PLACES)?);
            // Whatever else covers a workspace hides its files, too.
            let on = if place.as_os_str().is_empty() { On::Itself } else { on };
            Ok((place, on))
        })?;
        World { mounts, ..world }.with_links(choices)
    }

    /// The same with links that lead nowhere in each of the ways; a layer may be a link itself
    /// if nothing else is to be in it.
    fn with_links(mut self, choices: &mut Unstructured) -> Result<World> {
        const DANGLING: [Entry; 3] =
            [Entry::LinkToNothing, Entry::LinkToNothingFromRoot, Entry::LinkToItself];
        for (_, entry) in &mut self.entries {
            if *entry == Entry::LinkToNothing {
                *entry = *choices.choose(&DANGLING)?;
            }
        }
        let mut layers = vec!["write-layer", "work"];
        layers.retain(|layer| self.entries.iter().all(|(path, _)| !path.starts_with(layer)));
        if !layers.is_empty() && choices.arbitrary()? {
            let layer = *choices.choose(&layers)?;
            let link = match choices.int_in_range(0..=3u8)? {
                0 => Entry::LinkToDirectory,
                _ => *choices.choose(&DANGLING)?,
            };
            self.entries.push((layer.into(), link));
        }
        Ok(self)
    }

    fn unmounted(choices: &mut Unstructured) -> Result<World> {
        let name = [b"ws", &*text(choices, &PIECES, 2)?].concat();
        let neighbours = list(choices, 2, |choices| {
            let piece = *choices.choose(&PIECES)?;
            let shorter = &name[..name.len() - usize::from(name.len() > 2)];
            Ok(match choices.arbitrary()? {
                false => [&name, piece].concat(),
                true => [shorter, piece].concat(),
            })
        })?;
        let mut world =
            World { neighbours: Vec::new(), name, entries: Vec::new(), mounts: Vec::new() };
        for neighbour in neighbours {
            if neighbour != world.name && !world.neighbours.contains(&neighbour) {
                world.neighbours.push(neighbour);
            }
        }
        let mut directories: Vec<PathBuf> =
            ["write-layer", "work", "init-layer"].map(PathBuf::from).into();
        list(choices, 8, |choices| {
            let parent = choices.choose(&directories)?.clone();
            let name = [b"e", &*text(choices, &PIECES, 2)?].concat();
            // Some begin with what others end with.
            let name = if choices.arbitrary()? { [b".", &*name].concat() } else { name };
            let entry = *choices.choose(&[
                Entry::File,
                Entry::Directory,
                Entry::LinkToDirectory,
                Entry::Closed,
                Entry::LinkToFile,
                Entry::LinkToNothing,
                Entry::Deep,
                Entry::Wide,
                Entry::HardLink,
                Entry::Fifo,
            ])?;
            let path = parent.join(path(&name));
            if world.entries.iter().all(|(other, _)| *other != path) {
                if entry == Entry::Directory {
                    directories.push(path.clone());
                }
                world.entries.push((path, entry));
            }
            Ok(())
        })?;
        Ok(world)
    }

    /// Makes it, and returns the workspace.
    ///
    /// # Panics
    /// The scratch directory is full, or the sandbox does not allow the mounts.
    pub fn make(&self, stage: &Stage) -> PathBuf {
        for neighbour in &self.neighbours {
            mount_tmpfs(&stage.workspace(path(neighbour)).join("mnt"));
        }
        let workspace = stage.workspace(path(&self.name));
        for (place, entry) in &self.entries {
            let path = workspace.join(place);
            if path.parent() == Some(&*workspace) {
                fs::remove_dir_all(&path).expect("the scratch directory");
            }
            entry.make(stage, &path);
        }
        for (place, on) in &self.mounts {
            let place = workspace.join(place);
            // Without the slash at its end, which a path has that was joined with nothing.
            let place: PathBuf = place.components().collect();
            // Nothing is made in the volume, which must stay as it is.
            if place.ancestors().skip(1).any(|it| it.join("thesis.txt").exists()) {
                continue;
            }
            match on {
                On::Tmpfs => mount_tmpfs(&place),
                On::Volume => stage.mount_volume(&place),
                On::Itself => {
                    fs::create_dir_all(&place).expect("the scratch directory");
                    stage.bind_onto_itself(&place);
                }
            }
        }
        workspace
    }

    /// The paths of the neighbours.
    pub fn neighbours(&self, stage: &Stage) -> Vec<PathBuf> {
        self.neighbours.iter().map(|name| stage.containers().join(path(name))).collect()
    }

    /// Worlds with fewer parts, those first that have lost most. No neighbour is left that
    /// has nothing to do with it.
    pub fn smaller(&self) -> Vec<World> {
        let mut all = vec![
            World { neighbours: Vec::new(), ..self.clone() },
            World { mounts: Vec::new(), ..self.clone() },
            World { entries: Vec::new(), ..self.clone() },
            World { name: b"ws".to_vec(), ..self.clone() },
        ];
        all.extend(self.renamed(|name| name.strip_prefix(b".").unwrap_or(name).to_vec()));
        let plain = |byte: &u8| if byte.is_ascii_alphanumeric() { *byte } else { b'x' };
        all.extend(self.renamed(|name| match name {
            [b'.', name @ ..] => [b".".to_vec(), name.iter().map(plain).collect()].concat(),
            name => name.iter().map(plain).collect(),
        }));
        for nth in 0..self.neighbours.len() {
            let mut world = self.clone();
            world.neighbours.remove(nth);
            all.push(world);
        }
        for nth in (0..self.mounts.len()).rev() {
            let mut world = self.clone();
            world.mounts.remove(nth);
            all.push(world);
        }
        for (parent, _) in self.entries.iter().rev() {
            let mut world = self.clone();
            world.entries.retain(|(path, _)| !path.starts_with(parent));
            all.push(world);
        }
        let mut different: Vec<World> = Vec::new();
        for world in all {
            if world != *self && !different.contains(&world) {
                different.push(world);
            }
        }
        different
    }

    /// The same with other names for its entries, if no two of them become one.
    fn renamed(&self, rename: impl Fn(&[u8]) -> Vec<u8>) -> Option<World> {
        let mut world = self.clone();
        for (place, _) in &mut world.entries {
            let parts = place.components().enumerate().map(|(nth, part)| match nth {
                // A part of the workspace.
                0 => part.as_os_str().into(),
                _ => path(&rename(part.as_os_str().as_bytes())),
            });
            *place = parts.collect();
        }
        let paths = world.entries.iter().map(|(place, _)| place);
        let is_one_each = paths.collect::<BTreeSet<_>>().len() == world.entries.len();
        (world != *self && is_one_each).then_some(world)
    }

    /// Whether anything is mounted in it.
    pub fn is_mounted(&self) -> bool {
        !self.mounts.is_empty()
    }

    /// Its names, and everything in it, one line each.
    pub fn drawn(&self) -> String {
        let shown = |bytes: &[u8]| bytes.escape_ascii().to_string();
        let mut drawing = format!("workspace  {}\n", shown(&self.name));
        for name in &self.neighbours {
            let _ = writeln!(drawing, "beside it  {}", shown(name));
        }
        for (path, entry) in &self.entries {
            let _ = writeln!(drawing, "in it      {}  {}", shown_path(path), entry.words());
        }
        for (path, on) in &self.mounts {
            let words = match on {
                On::Tmpfs => "tmpfs",
                On::Volume => "the volume",
                On::Itself => "itself",
            };
            let _ = writeln!(drawing, "mounted    {}  {words}", shown_path(path));
        }
        drawing
    }
}

fn shown_path(path: &Path) -> String {
    if path.as_os_str().is_empty() {
        ".".to_owned()
    } else {
        path.as_os_str().as_bytes().escape_ascii().to_string()
    }
}

impl Entry {
    fn make(self, stage: &Stage, path: &Path) {
        let letters = &stage.letters;
        let made = match self {
            Entry::File => fs::write(path, "of the container\n"),
            Entry::Directory => fs::create_dir(path),
            Entry::Closed => fs::create_dir(path)
                .and_then(|()| fs::write(path.join("file"), ""))
                .map(|()| set_mode(path, 0o000)),
            Entry::Deep => fs::create_dir_all(path.join("d/".repeat(DEEP))),
            Entry::Wide => fs::create_dir(path).and_then(|()| {
                (0..WIDE).try_for_each(|nth| fs::write(path.join(format!("{nth}")), ""))
            }),
            Entry::LinkToDirectory => symlink(&letters.folder, path),
            Entry::LinkToFile => symlink(letters.file(), path),
            Entry::LinkToNothing => symlink(NOWHERE[1], path),
            Entry::LinkToNothingFromRoot => symlink(NOWHERE[0], path),
            Entry::LinkToItself => symlink(path.file_name().unwrap_or_default(), path),
            Entry::HardLink => fs::hard_link(&stage.shared, path),
            Entry::Fifo => mkfifo(path, Mode::S_IRUSR).map_err(Into::into),
        };
        made.expect("the scratch directory");
    }

    fn words(self) -> &'static str {
        match self {
            Entry::File => "a file",
            Entry::Directory => "a directory",
            Entry::Closed => "a directory of mode 000",
            Entry::Deep => "40 directories, each in the one before",
            Entry::Wide => "a directory with 60 files",
            Entry::LinkToDirectory => "a link to a directory of the host",
            Entry::LinkToFile => "a link to a file of the host",
            Entry::LinkToNothing => "a link to nothing",
            Entry::LinkToNothingFromRoot => "a link to nothing, by an absolute path",
            Entry::LinkToItself => "a link to itself",
            Entry::HardLink => "a hard link to a file of the host",
            Entry::Fifo => "a fifo",
        }
    }
}
