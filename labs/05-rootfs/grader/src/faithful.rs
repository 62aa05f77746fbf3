//! The layer is what the archive has.

use std::fs;
use std::path::PathBuf;

use labkit::host::Host;
use labkit::verdict::{Evidence, Finding};
use nix::mount::{MsFlags, mount};

use crate::Answers;
use crate::archive::{Archive, Kind, entry, file, folder, symlink};
use crate::listing::{Aspect, Difference, Node, What, evidence};
use crate::run::{Due, Place, Run, returned_evidence, run};

/// The promise that the differences which are `about` it are none. What else
/// is wrong with the layer is another promise's to say.
fn none(mut run: Run, about: impl Fn(&Difference, Option<&Node>) -> bool) -> Result<(), Finding> {
    let is_about = |it: &&Difference| about(it, run.expected.get(&it.name));
    let found: Vec<&Difference> = run.differences.iter().filter(is_about).collect();
    let kept = run.is_done() && found.is_empty() && run.outside.is_harmless();
    let mut all = Vec::new();
    if run.returned.is_err() || run.layer.is_none() {
        all.push(returned_evidence("Ok, and the layer is there", &run.returned));
    }
    all.extend(outside_evidence(&run));
    all.extend(evidence(&found));
    let aspects: Vec<Aspect> = found.iter().map(|it| it.aspect).collect();
    let is_of_files = aspects.iter().any(|it| !it.is_attribute());
    run.differences
        .retain(|it| aspects.contains(&it.aspect) || is_of_files && !it.aspect.is_attribute());
    run.require(kept, all)
}

/// What was changed outside of the layer.
pub fn outside_evidence(run: &Run) -> Option<Evidence> {
    let harm = run.outside.harm();
    let what = "changed outside of the layer";
    (!harm.is_empty()).then(|| Evidence::differs(what, "nothing", harm.join(", ")))
}

/// Whether a difference is of one of these aspects, or there is no such file at
/// all, on what `is_such` says.
fn on(
    is_such: fn(&What) -> bool,
    aspects: &'static [Aspect],
) -> impl Fn(&Difference, Option<&Node>) -> bool {
    move |it, node| {
        let aspect = [Aspect::Missing, Aspect::Kind].contains(&it.aspect);
        node.is_some_and(|node| is_such(&node.what)) && (aspect || aspects.contains(&it.aspect))
    }
}

fn is_file(what: &What) -> bool {
    matches!(what, What::File(_))
}

fn is_folder(what: &What) -> bool {
    matches!(what, What::Folder)
}

fn is_symlink(what: &What) -> bool {
    matches!(what, What::Symlink(_))
}

fn is_device(what: &What) -> bool {
    matches!(what, What::Device(_) | What::Fifo)
}

fn small(answers: &Answers, host: &Host) -> Result<Run, Finding> {
    run(answers, host, &Place::new(host, "small"), &Archive::small(), Due::Layer)
}

pub fn contents(answers: &Answers, host: &Host) -> Result<(), Finding> {
    let on_files = on(is_file, &[Aspect::Contents]);
    none(small(answers, host)?, |it, node| it.aspect == Aspect::Added || on_files(it, node))
}

pub fn folder_modes(answers: &Answers, host: &Host) -> Result<(), Finding> {
    none(small(answers, host)?, on(is_folder, &[Aspect::Mode]))
}

pub fn file_modes(answers: &Answers, host: &Host) -> Result<(), Finding> {
    none(small(answers, host)?, on(is_file, &[Aspect::Mode]))
}

pub fn hard_links(answers: &Answers, host: &Host) -> Result<(), Finding> {
    let on_files = on(is_file, &[Aspect::Links]);
    none(small(answers, host)?, on_files)
}

pub fn file_times(answers: &Answers, host: &Host) -> Result<(), Finding> {
    let small = small(answers, host)?;
    none(small, on(|what| is_file(what) || is_symlink(what), &[Aspect::Time]))
}

pub fn folder_times(answers: &Answers, host: &Host) -> Result<(), Finding> {
    none(small(answers, host)?, on(is_folder, &[Aspect::Time]))
}

/// To a file and a folder of the layer, to a file of the host, and to nowhere.
pub fn symlinks(answers: &Answers, host: &Host) -> Result<(), Finding> {
    none(small(answers, host)?, on(is_symlink, &[Aspect::Target]))?;
    let outside = Archive::new([folder("./", 0o755), symlink("note", host.precious().file())]);
    let nowhere = Archive::new([folder("./", 0o755), symlink("note", "/nothing/is/here")]);
    for (name, archive) in [("outside", outside), ("nowhere", nowhere)] {
        let run = run(answers, host, &Place::new(host, name), &archive, Due::Layer)?;
        none(run, on(is_symlink, &[Aspect::Target]))?;
    }
    Ok(())
}

pub fn owners(answers: &Answers, host: &Host) -> Result<(), Finding> {
    let mut archive = Archive::small();
    for (entry, number) in archive.entries.iter_mut().zip(0..) {
        entry.owner = (100 + number, 200 + number);
    }
    // A hard link is owned as its file is.
    let archive = Archive::new(archive.entries);
    let run = run(answers, host, &Place::new(host, "owners"), &archive, Due::Layer)?;
    none(run, |it, _| {
        [Aspect::Missing, Aspect::Kind, Aspect::Owner, Aspect::Mode].contains(&it.aspect)
    })
}

pub fn devices(answers: &Answers, host: &Host) -> Result<(), Finding> {
    let archive = Archive::new([
        folder("./", 0o755),
        folder("dev/", 0o755),
        entry("dev/null", Kind::Char(1, 3), 0o666),
        entry("dev/loop7", Kind::Block(7, 7), 0o660),
        entry("dev/initctl", Kind::Fifo, 0o600),
        file("dev/README", 0o644, ""),
    ]);
    let run = run(answers, host, &Place::new(host, "devices"), &archive, Due::Layer)?;
    none(run, on(is_device, &[Aspect::Mode, Aspect::Time]))
}

/// The archive of the blog, to a folder that is a file system of its own.
pub fn busybox(answers: &Answers, host: &Host) -> Result<(), Finding> {
    let disk: PathBuf = host.path("disk");
    fs::create_dir(&disk).expect("a folder in the scratch folder");
    mount(Some("disk"), &disk, Some("tmpfs"), MsFlags::empty(), Some("size=64m"))
        .expect("the sandbox allows it");
    let run = run(answers, host, &Place::within(&disk), &Archive::busybox(), Due::Layer)?;
    if run.returned.is_err() {
        // An error says little. What a small layer shows says more, such as why
        // there is no space left.
        none(small(answers, host)?, |_, _| true)?;
    }
    none(run, |_, _| true)
}
