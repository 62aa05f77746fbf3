//! Archives that lead out of the layer, and what cannot be made in it.

use std::path::Path;

use labkit::host::Host;
use labkit::verdict::Finding;

use crate::archive::{Archive, Entry, Kind, entry, file, folder, hard_link, symlink};
use crate::diagnosis::RULES;
use crate::faithful::outside_evidence;
use crate::named::attributes_name_their_entry;
use crate::numbers::owners_too_large;
use crate::outside::{ESCAPED, STOLEN};
use crate::run::{Due, Trick, place, returned_evidence, run};

/// An archive with something harmless before the `trick`.
fn archive(trick: impl IntoIterator<Item = Entry>) -> Archive {
    let harmless = [folder("./", 0o755), folder("etc/", 0o755), file("etc/issue", 0o644, "hello")];
    Archive::new(harmless.into_iter().chain(trick))
}

/// The entry that must not come out.
fn escaping(name: impl AsRef<Path>) -> Entry {
    file(name.as_ref(), 0o644, "from the archive")
}

fn refusal(entry: &str, trick: Trick) -> Due {
    Due::Refusal { entry: entry.to_owned(), trick }
}

/// Tries an archive of which nothing may come out.
fn attempt(host: &Host, name: &str, archive: &Archive, due: Due) -> Result<(), Finding> {
    let run = run(host, &place(host, name), archive, due)?;
    let is_refused = run.returned.is_err() || matches!(run.due, Due::NoHarm(_));
    let mut evidence = vec![archive.evidence()];
    if !is_refused {
        evidence.push(returned_evidence("an error", &run.returned));
    }
    evidence.extend(outside_evidence(&run));
    if !run.open.is_empty() {
        evidence.push(run.open_evidence());
    }
    let kept = is_refused && run.outside.is_harmless() && run.open.is_empty();
    run.judge(&RULES, kept, evidence)
}

pub fn names(host: &Host) -> Result<(), Finding> {
    let up = |name: &str, escaped: Entry, trick| {
        attempt(host, name, &archive([escaped]), refusal(ESCAPED, trick))
    };
    up("up", escaping("../escaped.txt"), Trick::DotDot)?;
    up("by-etc", escaping("etc/../../escaped.txt"), Trick::DotDot)?;
    // Inside all the same: `..` is refused wherever it leads.
    up("within", escaping("etc/../escaped.txt"), Trick::DotDot)?;
    let absolute = host.precious().folder.join(ESCAPED);
    up("from-root", escaping(absolute), Trick::AbsoluteName)?;
    // Where it would be inside, if the slash were taken off.
    up("rooted", escaping("/etc/escaped.txt"), Trick::AbsoluteName)
}

pub fn symlinks(host: &Host) -> Result<(), Finding> {
    let home = &host.precious().folder;
    let escape = |trick| refusal(ESCAPED, trick);
    let planted = |name: &str, target: &Path, rest: &str| {
        let entries = [symlink("door", target), escaping(Path::new("door").join(rest))];
        attempt(host, name, &archive(entries), escape(Trick::PlantedSymlink))
    };

    // 1. A symbolic link first, then a file by way of it.
    planted("absolute", home, ESCAPED)?;
    planted("relative", Path::new("../../home"), ESCAPED)?;
    //    A name may begin with `./`, in one entry or in the other.
    for (nth, (link, below)) in [("./door", "door"), ("door", "./door")].into_iter().enumerate() {
        let entries = [symlink(link, home), escaping(Path::new(below).join(ESCAPED))];
        let due = escape(Trick::PlantedSymlink);
        attempt(host, &format!("dotted-{nth}"), &archive(entries), due)?;
    }
    //    It may be further up on the way, or on the way to another; and it may lead
    //    to where all is harmless.
    planted("further-up", home, "photos/escaped.txt")?;
    planted("inside", Path::new("etc"), ESCAPED)?;
    let chain =
        [symlink("way", home), symlink("etc/door", "../way"), escaping("etc/door/escaped.txt")];
    attempt(host, "chain", &archive(chain), escape(Trick::PlantedSymlink))?;
    // 2. The layer itself as a symbolic link, or as a file.
    let root = Archive::new([symlink("./", home), escaping(ESCAPED)]);
    attempt(host, "root", &root, escape(Trick::LayerItself))?;
    for (name, itself) in [
        ("only-root", symlink("./", home)),
        ("root-as-file", file("./", 0o644, "no directory")),
        ("root-as-dot", symlink(".", home)),
    ] {
        attempt(host, name, &Archive::new([itself]), refusal(".", Trick::LayerItself))?;
    }
    let late = archive([symlink("./", home)]);
    attempt(host, "late-root", &late, refusal(".", Trick::LayerItself))?;
    // 3. A symbolic link first, then a file or a folder of the same name.
    let file = archive([symlink("note", host.precious().file()), escaping("note")]);
    attempt(host, "file", &file, Due::NoHarm(Trick::FileOverSymlink))?;
    let over = archive([symlink("door", home), folder("door/", 0o777)]);
    attempt(host, "folder", &over, Due::NoHarm(Trick::PlantedSymlink))?;
    // 4. A directory first, perhaps with another in it, then a link of its name: what the
    //    directories get at the end goes through it.
    let (door, photos) = (folder("door/", 0o777), folder("door/photos/", 0o777));
    let link = symlink("door", home);
    let shallow = archive([door.clone(), link.clone()]);
    attempt(host, "replaced", &shallow, Due::NoHarm(Trick::PlantedSymlink))?;
    let deep = archive([door, photos, link]);
    attempt(host, "replaced-deep", &deep, Due::NoHarm(Trick::PlantedSymlink))?;
    // 5. Another name of a link.
    let links = [symlink("door", home), hard_link("gate", "door"), escaping("gate/escaped.txt")];
    attempt(host, "second-name", &archive(links), escape(Trick::PlantedSymlink))
}

pub fn hard_links(host: &Host) -> Result<(), Finding> {
    let steal = |name: &str, before: Option<Entry>, target: &Path, trick| {
        let entries = before.into_iter().chain([hard_link(STOLEN, target)]);
        attempt(host, name, &archive(entries), refusal(STOLEN, trick))
    };
    let home = &host.precious().folder;
    let door = || Some(symlink("door", home));
    steal("steal", None, Path::new("../../home/thesis.txt"), Trick::HardLink)?;
    steal("steal-absolute", None, &host.precious().file(), Trick::HardLink)?;
    steal("steal-by-door", door(), Path::new("door/thesis.txt"), Trick::PlantedSymlink)?;
    steal("steal-further-up", door(), Path::new("door/photos/cat.jpg"), Trick::PlantedSymlink)?;
    // Another name of a link, not of the file to which it leads.
    let link = [symlink("note", host.precious().file()), hard_link(STOLEN, "note")];
    attempt(host, "second-name-of-a-note", &archive(link), Due::NoHarm(Trick::HardLink))
}

/// Entries that are refused, and must be named: a device, where nobody may make one; names
/// that look different in a program's text; and what cannot get its attributes.
pub fn what_cannot_be_made(host: &Host) -> Result<(), Finding> {
    forbidden_device(host)?;
    // The last one is longer than a header has room for.
    let long = "and-so-on-".repeat(12);
    let names = [r#"a "quoted" one"#, r"back\slash", "容器", &long];
    for (nth, name) in names.into_iter().enumerate() {
        let name = format!("etc/{name}/../{ESCAPED}");
        let archive = archive([escaping(&name)]);
        let due = refusal(&name, Trick::DotDot);
        let run = run(host, &place(host, &format!("named-{nth}")), &archive, due)?;
        // Whether it is refused is another promise's to say.
        let kept = run.returned.as_ref().err().is_none_or(|it| it.text.contains(&name));
        let returned = returned_evidence(&format!("an error that names {name}"), &run.returned);
        run.judge(&RULES, kept, vec![archive.evidence(), returned])?;
    }
    attributes_name_their_entry(host)?;
    unknown_types(host)?;
    owners_too_large(host)
}

/// Entries of types that nobody is asked to unpack, with contents and without: those that
/// tar(5) does not know, and those that seem to be harmless.
fn unknown_types(host: &Host) -> Result<(), Finding> {
    const ODD: &str = "etc/odd";
    // As git archive writes it: before everything else.
    const GLOBAL: &str = "pax_global_header";
    const COMMENT: &str = "52 comment=0123456789abcdef0123456789abcdef01234567\n";
    let refused = |place_name: String, archive: Archive, name: &str| {
        let due = refusal(name, Trick::UnknownType);
        let run = run(host, &place(host, &place_name), &archive, due)?;
        let kept = run.returned.as_ref().is_err_and(|failure| failure.text.contains(name));
        let returned = returned_evidence(&format!("an error that names {name}"), &run.returned);
        run.judge(&RULES, kept, vec![archive.evidence(), returned])
    };
    // After the first two: global headers of pax; a volume's label, the rest of a file and
    // a directory's list of GNU tar, and its old way to write long names; what other
    // systems keep.
    let types = [
        (b'8', "something"),
        (b'Q', ""),
        (b'g', COMMENT),
        (b'g', ""),
        (b'V', ""),
        (b'M', "the rest"),
        (b'D', "Yissue\0\0"),
        (b'N', "a name"),
        (b'A', "an access control list"),
        (b'X', COMMENT),
    ];
    for (nth, (letter, content)) in types.into_iter().enumerate() {
        let archive = archive([entry(ODD, Kind::Unknown(letter, content), 0o644)]);
        refused(format!("unknown-{nth}"), archive, ODD)?;
    }
    let global = entry(GLOBAL, Kind::Unknown(b'g', COMMENT), 0o666);
    let rest = archive([]).entries;
    refused("global".to_owned(), Archive::new([global].into_iter().chain(rest)), GLOBAL)
}

/// A device, where nobody may make one.
fn forbidden_device(host: &Host) -> Result<(), Finding> {
    const DEVICE: &str = "dev/null";
    let archive = archive([folder("dev/", 0o755), entry(DEVICE, Kind::Char(1, 3), 0o666)]);
    let run = run(host, &place(host, "devices"), &archive, refusal(DEVICE, Trick::Device))?;
    let kept = run.returned.as_ref().is_err_and(|failure| failure.text.contains(DEVICE));
    let returned = returned_evidence("an error that names dev/null", &run.returned);
    run.judge(&RULES, kept, vec![archive.evidence(), returned])
}
