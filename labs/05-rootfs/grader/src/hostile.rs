//! Archives that lead out of the layer, and what cannot be made in it.

use std::path::Path;

use labkit::host::Host;
use labkit::verdict::Finding;

use crate::Answers;
use crate::archive::{Archive, Entry, Kind, entry, file, folder, hard_link, symlink};
use crate::faithful::outside_evidence;
use crate::outside::{ESCAPED, STOLEN};
use crate::run::{Due, Place, Run, returned_evidence, run};

/// An archive with something harmless before the `trick`.
fn archive(trick: impl IntoIterator<Item = Entry>) -> Archive {
    let harmless = [folder("./", 0o755), folder("etc/", 0o755), file("etc/issue", 0o644, "hello")];
    Archive::new(harmless.into_iter().chain(trick))
}

/// The entry that must not come out.
fn escaping(name: impl AsRef<Path>) -> Entry {
    file(&name.as_ref().to_string_lossy(), 0o644, "from the archive")
}

/// Tries an archive of which nothing may come out.
fn attempt(
    answers: &Answers,
    host: &Host,
    name: &str,
    archive: &Archive,
    due: Due,
) -> Result<(), Finding> {
    let run = run(answers, host, &Place::new(host, name), archive, due)?;
    let is_refused = run.returned.is_err() || matches!(run.due, Due::NoHarm { .. });
    let mut evidence = vec![archive.evidence()];
    if !is_refused {
        evidence.push(returned_evidence("an error", &run.returned));
    }
    evidence.extend(outside_evidence(&run));
    run.require(is_refused && run.outside.is_harmless(), evidence)
}

pub fn names(answers: &Answers, host: &Host) -> Result<(), Finding> {
    let up = |harm| Due::Refusal { entry: ESCAPED, harm };
    let absolute = host.precious().folder.join(ESCAPED);
    let dot_dot = "dot-dot-followed";
    attempt(answers, host, "up", &archive([escaping("../escaped.txt")]), up(dot_dot))?;
    let by_etc = archive([escaping("etc/../../escaped.txt")]);
    attempt(answers, host, "by-etc", &by_etc, up(dot_dot))?;
    let from_root = archive([escaping(absolute)]);
    attempt(answers, host, "from-root", &from_root, up("absolute-name-followed"))
}

pub fn symlinks(answers: &Answers, host: &Host) -> Result<(), Finding> {
    let home = &host.precious().folder;
    let refusal = |harm| Due::Refusal { entry: ESCAPED, harm };
    let planted = "planted-symlink-followed";

    // 1. A symbolic link first, then a file by way of it.
    let absolute = archive([symlink("door", home), escaping("door/escaped.txt")]);
    attempt(answers, host, "absolute", &absolute, refusal(planted))?;
    let relative = archive([symlink("door", "../../home"), escaping("door/escaped.txt")]);
    attempt(answers, host, "relative", &relative, refusal(planted))?;
    // 2. The layer itself as a symbolic link.
    let root = Archive::new([symlink("./", home), escaping(ESCAPED)]);
    attempt(answers, host, "root", &root, refusal("layer-is-a-symlink"))?;
    // 3. A symbolic link first, then a file or a folder of the same name.
    let file = archive([symlink("note", host.precious().file()), escaping("note")]);
    attempt(answers, host, "file", &file, Due::NoHarm { harm: "written-through-symlink" })?;
    let folder = archive([symlink("door", home), folder("door/", 0o777)]);
    attempt(answers, host, "folder", &folder, Due::NoHarm { harm: planted })
}

pub fn hard_links(answers: &Answers, host: &Host) -> Result<(), Finding> {
    let refusal = |harm| Due::Refusal { entry: STOLEN, harm };
    let outside = "hard-link-to-outside";
    let thesis = host.precious().file();
    let relative = archive([hard_link(STOLEN, "../../home/thesis.txt")]);
    attempt(answers, host, "relative", &relative, refusal(outside))?;
    let absolute = archive([hard_link(STOLEN, thesis)]);
    attempt(answers, host, "absolute", &absolute, refusal(outside))?;
    let door = symlink("door", &host.precious().folder);
    let planted = archive([door, hard_link(STOLEN, "door/thesis.txt")]);
    attempt(answers, host, "planted", &planted, refusal("planted-symlink-followed"))
}

/// A device, where nobody may make one.
pub fn forbidden_device(answers: &Answers, host: &Host) -> Result<(), Finding> {
    const DEVICE: &str = "dev/null";
    let archive = archive([folder("dev/", 0o755), entry(DEVICE, Kind::Char(1, 3), 0o666)]);
    let due = Due::Refusal { entry: DEVICE, harm: "unforeseen" };
    let place = Place::new(host, "devices");
    let run: Run = run(answers, host, &place, &archive, due)?;
    let kept = run.returned.as_ref().is_err_and(|failure| failure.text.contains(DEVICE));
    let returned = returned_evidence("an error that names dev/null", &run.returned);
    run.require(kept, vec![archive.evidence(), returned])
}
