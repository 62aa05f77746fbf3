//! Generated archives: harmless ones, and those that lead outside.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use arbitrary::{Result, Unstructured};
use labkit::frame::Returned;
use labkit::generated::{list, seed, smallest};
use labkit::host::Host;
use labkit::places::LAB;
use labkit::verdict::{Evidence, Finding};

use crate::acts::{CREATE_EACH, Place};
use crate::archive::{Archive, Entry, Kind, entry, file, folder, hard_link, plain, symlink};
use crate::diagnosis::RULES;
use crate::failing;
use crate::faithful::{self, outside_evidence};
use crate::hostile;
use crate::listing::{differences, evidence, expected, on_disk};
use crate::outside::{ESCAPED, Outside, STOLEN, shown};
use crate::run::{Due, Trick, place, returned_evidence, run, set_umask, within};

/// How many archives a promise is judged by.
const COUNT: usize = 60;
/// How many entries an archive has, at most, beside the layer itself.
const ENTRIES: usize = 12;

/// Names: with a common beginning, long ones, odd ones, and no UTF-8.
const NAMES: [&[u8]; 12] = [
    b"a",
    b"ab",
    b"a.b",
    b"b",
    b"..a",
    b"a..",
    b"...",
    b" ",
    b"a\nb",
    b"\xff\xfe",
    b"-r",
    b"a-name-of-which-two-are-more-than-the-hundred-bytes-of-a-header",
];
/// How much later some files were made than others, in seconds: in another century, for
/// which 32 bits are too few, with a sign or without.
const LATE: u64 = 4_000_000_000;
const MODES: [u32; 8] = [0o755, 0o644, 0o700, 0o4755, 0o2711, 0o1777, 0o000, 0o6777];

/// A tree in which each directory comes before what is in it.
fn tree(choices: &mut Unstructured) -> Result<Archive> {
    let mut entries = vec![folder("./", *choices.choose(&MODES)?)];
    let mut directories = vec![PathBuf::new()];
    let mut files: Vec<PathBuf> = Vec::new();
    list(choices, ENTRIES, |choices| {
        let parent = choices.choose(&directories)?;
        let name = parent.join(OsStr::from_bytes(choices.choose(&NAMES)?));
        let kind = choices.int_in_range(0..=4u8)?;
        let mode = *choices.choose(&MODES)?;
        let is_new = !entries.iter().any(|it| plain(&it.name) == name);
        if !is_new {
            return Ok(());
        }
        entries.push(match kind {
            0 => folder(&name, mode),
            1 => file(&name, mode, choices.choose(&["", "x", "some words"])?),
            2 => symlink(&name, target(choices, &directories)?),
            3 if !files.is_empty() => hard_link(&name, choices.choose(&files)?),
            _ => entry(&name, Kind::Fifo, mode),
        });
        match kind {
            0 => directories.push(name),
            1 => files.push(name),
            _ => {}
        }
        Ok(())
    })?;
    Ok(Archive::new(entries))
}

/// A tree of today, of another century, which in 32 bits would be long ago, or of 1970;
/// with hard links whose headers say what their files' say, or something else.
fn dated_tree(choices: &mut Unstructured) -> Result<Archive> {
    let mut archive = tree(choices)?;
    match choices.int_in_range(0..=4u8)? {
        3 => archive.entries.iter_mut().for_each(|entry| entry.mtime += LATE),
        4 => archive = archive.without_times(),
        _ => {}
    }
    Ok(match choices.int_in_range(0..=1u8)? {
        0 => archive,
        _ => archive.with_other_links((0, 0)),
    })
}

/// Where a symbolic link may lead: inside, up, to nothing; by a long way.
fn target(choices: &mut Unstructured, directories: &[PathBuf]) -> Result<PathBuf> {
    Ok(match choices.int_in_range(0..=5u8)? {
        0 => ".".into(),
        1 => Path::new("/").join(choices.choose(directories)?),
        2 => OsStr::from_bytes(b"nothing/\xff").into(),
        3 => "../".repeat(60).into(),
        4 => "/nothing/is/here".into(),
        _ => "..".into(),
    })
}

/// A tree, and an entry that is to be refused.
#[derive(Debug, Clone, PartialEq)]
struct Hostile {
    archive: Archive,
    entry: &'static str,
    trick: Trick,
}

fn hostile(choices: &mut Unstructured) -> Result<Hostile> {
    let mut entries = tree(choices)?.entries;
    let is_directory = |it: &&Entry| it.kind == Kind::Folder;
    let directories: Vec<PathBuf> =
        entries.iter().filter(is_directory).map(|it| plain(&it.name)).collect();
    let parent = choices.choose(&directories)?.clone();
    let door = parent.join("door");
    let trick = choices.int_in_range(0..=4u8)?;
    if trick >= 2 {
        let home = Path::new(LAB).join("home");
        let leads_home = choices.int_in_range(0..=1u8)? == 0;
        let target = if leads_home { home } else { target(choices, &directories)? };
        let name = match choices.int_in_range(0..=2u8)? {
            0 => Path::new(".").join(&door),
            _ => door.clone(),
        };
        entries.push(symlink(name, target));
    }
    let below = choices.choose(&["", "photos", "a/b"])?;
    let (way, trick) = match trick {
        0 => (parent.join("..").join(below), Trick::DotDot),
        1 => {
            let tops = [Path::new("/"), &Path::new(LAB).join("home")];
            (choices.choose(&tops)?.join(parent), Trick::AbsoluteName)
        }
        _ => (door.join(below), Trick::PlantedSymlink),
    };
    let is_link = choices.int_in_range(0..=2u8)? == 2;
    let (name, trick) = match (is_link, trick) {
        (true, Trick::PlantedSymlink) => (STOLEN, trick),
        (true, _) => (STOLEN, Trick::HardLink),
        (false, _) => (ESCAPED, trick),
    };
    entries.push(match is_link {
        true => hard_link(STOLEN, way.join("thesis.txt")),
        false => file(way.join(ESCAPED), 0o644, "from the archive"),
    });
    Ok(Hostile { archive: Archive::new(entries), entry: name, trick })
}

/// Where archives lie that are unpacked by one process.
const BATCH: &str = "generated";

/// Unpacks all of them in one process, and asks of each whether it `is_right`.
fn first_wrong(
    host: &Host,
    archives: &[&Archive],
    is_right: impl Fn(usize, &Place, &Returned) -> bool,
) -> std::result::Result<Option<(usize, ())>, Finding> {
    let batch = host.path(BATCH);
    fs::create_dir(&batch).expect("a directory in the scratch directory");
    let places: Vec<Place> = (0..archives.len())
        .map(|nth| {
            let directory = batch.join(nth.to_string());
            fs::create_dir(&directory).expect("a directory in the scratch directory");
            within(&directory)
        })
        .collect();
    for (place, archive) in places.iter().zip(archives) {
        place.lay(&archive.to_tar());
    }
    let call = host.act(&CREATE_EACH, places.clone()).after(set_umask);
    let returned = call.make().map(|seen| seen.returned);
    let found = returned.map(|returned| {
        let mut all = places.iter().zip(&returned).enumerate();
        all.find(|(nth, (place, returned))| !is_right(*nth, place, returned))
            .map(|(nth, _)| (nth, ()))
    });
    fs::remove_dir_all(&batch).expect("the scratch directory");
    found
}

/// The archive in words, with the seed.
fn archive_evidence(archive: &Archive) -> Vec<Evidence> {
    let seed = Evidence::differs("LABKIT_SEED", "any", seed());
    vec![seed, archive.evidence()]
}

pub fn any_archive(host: &Host) -> std::result::Result<(), Finding> {
    let found = smallest(COUNT, dated_tree, |archives| {
        first_wrong(host, archives, |nth, place, returned| {
            let layer = on_disk(&place.layer);
            let is_as_expected = |layer| differences(&expected(archives[nth]), &layer).is_empty();
            returned.is_ok() && layer.is_some_and(is_as_expected)
        })
    });
    let found = found.or_else(|finding| faithful::fifos(host).and(Err(finding)))?;
    let Some(found) = found else { return Ok(()) };
    // What is known by name is named.
    faithful::all(host)?;
    let run = run(host, &place(host, "smallest"), &found.value, Due::Layer)?;
    let mut all = archive_evidence(&found.value);
    all.push(returned_evidence("Ok", &run.returned));
    all.extend(evidence(&run.differences.iter().collect::<Vec<_>>()));
    run.judge(&RULES, false, all)
}

pub fn any_hostile_archive(host: &Host) -> std::result::Result<(), Finding> {
    let found = smallest(COUNT, hostile, |all| {
        let archives: Vec<&Archive> = all.iter().map(|it| &it.archive).collect();
        // Outside of their own directories nothing may change.
        let before = Outside::of(host, &host.path(BATCH));
        let found = first_wrong(host, &archives, |nth, place, returned| {
            let text = returned.as_ref().err().map(|failure| &failure.text);
            let names = fs::read_dir(place.tar.parent().expect("a directory")).into_iter();
            text.is_some_and(|text| text.contains(all[nth].entry)) && names.flatten().count() == 1
        })?;
        let changes = before.changes(&Outside::of(host, &host.path(BATCH)));
        changes.undo();
        match found {
            None if !changes.is_none() => one_by_one(host, all),
            found => Ok(found),
        }
    });
    let found = found.or_else(|finding| faithful::fifos(host).and(Err(finding)))?;
    let Some(found) = found else { return Ok(()) };
    hostile::names(host)?;
    hostile::symlinks(host)?;
    hostile::hard_links(host)?;
    let Hostile { archive, entry, trick } = found.value;
    // What cannot even be done with the harmless part says nothing of the rest.
    let mut harmless = archive.clone();
    harmless.entries.pop();
    let first = run(host, &place(host, "harmless"), &harmless, Due::Layer)?;
    if !first.is_done() {
        faithful::all(host)?;
        let evidence = [harmless.evidence(), returned_evidence("Ok", &first.returned)];
        return first.judge(&RULES, false, evidence.into());
    }
    let due = Due::Refusal { entry: entry.to_owned(), trick };
    let alone = place(host, "smallest");
    let run = run(host, &alone, &archive, due)?;
    let mut all = archive_evidence(&archive);
    if run.returned.is_err() && run.outside.is_harmless() {
        let returned = run.returned.as_ref().map_err(|failure| failure.text.contains(entry));
        if returned == Err(true) {
            return failing::left_over(host, &alone, run, archive.evidence());
        }
    }
    all.push(returned_evidence("an error", &run.returned));
    all.extend(outside_evidence(&run));
    all.push(Evidence::differs("new beside the layer", "", shown(&run.outside.new)));
    run.judge(&RULES, false, all)
}

/// The first of those that change what is outside.
fn one_by_one(host: &Host, all: &[&Hostile]) -> std::result::Result<Option<(usize, ())>, Finding> {
    for (nth, it) in all.iter().enumerate() {
        let before = Outside::of(host, &host.path(BATCH));
        first_wrong(host, &[&it.archive], |_, _, _| true)?;
        let changes = before.changes(&Outside::of(host, &host.path(BATCH)));
        changes.undo();
        if !changes.is_none() {
            return Ok(Some((nth, ())));
        }
    }
    Ok(None)
}
