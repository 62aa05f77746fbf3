//! The layer is what the archive has.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use labkit::describe::result;
use labkit::frame::{Facts, Returned, Rules, Words, error_of, rule};
use labkit::host::Host;
use labkit::verdict::{Evidence, Finding, HUNG};
use nix::mount::{MsFlags, mount};

use crate::LAB;
use crate::acts::{CREATE, Place};
use crate::archive::{Archive, Kind, Owner, entry, file, folder, hard_link, symlink};
use crate::around;
use crate::diagnosis::RULES;
use crate::listing::{Aspect, Difference, Node, What, evidence};
use crate::run::{Due, Run, Trick, call, place, returned_evidence, run, within};

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
    run.judge(&RULES, kept, all)
}

/// What was changed outside of the layer.
pub fn outside_evidence(run: &Run) -> Option<Evidence> {
    let harm = run.outside.harm();
    let what = "changed outside the layer";
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

fn small(host: &Host) -> Result<Run, Finding> {
    run(host, &place(host, "small"), &Archive::small(), Due::Layer)
}

/// The same archive as it is `changed`, and what is `about` that. Of a layer in which other
/// things are wrong nothing is said.
fn headers(
    host: &Host,
    name: &str,
    change: impl FnOnce(Archive) -> Archive,
    about: impl Fn(&Difference, Option<&Node>) -> bool,
) -> Result<(), Finding> {
    let known = run(host, &place(host, &format!("{name}-not")), &Archive::small(), Due::Layer)?;
    if !known.is_done() || known.differences.iter().any(|it| !it.aspect.is_attribute()) {
        return Ok(());
    }
    let run = run(host, &place(host, name), &change(Archive::small()), Due::Layer)?;
    none(run.without(&known.differences), about)
}

/// What the headers of hard links say of their files is nothing that these have.
fn headers_of_links(host: &Host, owner: Owner) -> Result<(), Finding> {
    let attributes = &[Aspect::Mode, Aspect::Time, Aspect::Owner];
    let change = |archive: Archive| archive.with_other_links(owner);
    headers(host, "headers-of-links", change, on(is_file, attributes))
}

/// The first second of 1970 is a time like any other.
fn time_zero(host: &Host, is_such: fn(&What) -> bool) -> Result<(), Finding> {
    headers(host, "time-zero", Archive::without_times, on(is_such, &[Aspect::Time]))
}

/// What each of the promises below asks for.
pub fn all(host: &Host) -> Result<(), Finding> {
    none(small(host)?, |_, _| true)?;
    headers_of_links(host, (0, 0))?;
    time_zero(host, |_| true)?;
    none(run(host, &place(host, "odd-names"), &Archive::odd_names(), Due::Layer)?, |_, _| true)
}

pub fn contents(host: &Host) -> Result<(), Finding> {
    let on_files = on(is_file, &[Aspect::Contents]);
    let about =
        |it: &Difference, node: Option<&Node>| it.aspect == Aspect::Added || on_files(it, node);
    none(small(host)?, about)?;
    none(run(host, &place(host, "odd-names"), &Archive::odd_names(), Due::Layer)?, about)
}

pub fn folder_modes(host: &Host) -> Result<(), Finding> {
    none(small(host)?, on(is_folder, &[Aspect::Mode]))?;
    around::set_group_id(host)?;
    around::mode_without_entry(host)
}

pub fn file_modes(host: &Host) -> Result<(), Finding> {
    none(small(host)?, on(is_file, &[Aspect::Mode]))?;
    with_type_bits(host)
}

/// Modes that have the bits of the file's type, too.
fn with_type_bits(host: &Host) -> Result<(), Finding> {
    let known = run(host, &place(host, "type-bits-not"), &Archive::small(), Due::Layer)?;
    if !known.is_done() || known.differences.iter().any(|it| !it.aspect.is_attribute()) {
        return Ok(());
    }
    let archive = Archive::small().with_type_bits();
    let run = run(host, &place(host, "type-bits"), &archive, Due::Layer)?;
    if run.returned.is_err() {
        let evidence = [returned_evidence("Ok, and the layer is there", &run.returned)];
        return Err(RULES.finding("file-type-in-mode", &run).with(evidence));
    }
    none(run.without(&known.differences), |it, _| {
        [Aspect::Missing, Aspect::Kind, Aspect::Mode].contains(&it.aspect)
    })
}

pub fn hard_links(host: &Host) -> Result<(), Finding> {
    none(small(host)?, on(is_file, &[Aspect::Links]))?;
    headers_of_links(host, (0, 0))?;
    second_file(host)
}

/// A file that comes twice, the second time as another name of one: the function refuses
/// it, or puts a new file in its place.
fn second_file(host: &Host) -> Result<(), Finding> {
    let archive = Archive::new([
        folder("./", 0o755),
        file("first", 0o644, "the first file"),
        hard_link("second", "first"),
    ]);
    let known = run(host, &place(host, "not-twice"), &archive, Due::Layer)?;
    let mut twice = archive.clone();
    twice.entries.push(file("second", 0o644, "another file"));
    let run = run(host, &place(host, "twice"), &twice, Due::NoHarm(Trick::HardLink))?;
    let content = |run: &Run| {
        let first = run.layer.as_ref().and_then(|layer| layer.get(Path::new("first")));
        first.map(|node| node.what.clone())
    };
    if !known.is_right() || run.returned.is_err() || content(&run) == content(&known) {
        return Ok(());
    }
    let what = "the contents of layer/first, whose other name `second` comes again";
    let evidence = [twice.evidence(), Evidence::differs(what, "as before", "changed")];
    Err(RULES.finding("written-through-hard-link", &run).with(evidence))
}

pub fn file_times(host: &Host) -> Result<(), Finding> {
    let is_such = |what: &What| is_file(what) || is_symlink(what);
    none(small(host)?, on(is_such, &[Aspect::Time]))?;
    time_zero(host, is_such)
}

pub fn folder_times(host: &Host) -> Result<(), Finding> {
    none(small(host)?, on(is_folder, &[Aspect::Time]))?;
    time_zero(host, is_folder)
}

/// To a file and a folder of the layer, to a file of the host, and to nowhere; by
/// odd names and long ones.
pub fn symlinks(host: &Host) -> Result<(), Finding> {
    none(small(host)?, on(is_symlink, &[Aspect::Target]))?;
    let outside = Archive::new([folder("./", 0o755), symlink("note", host.precious().file())]);
    let nowhere = Archive::new([folder("./", 0o755), symlink("note", "/nothing/is/here")]);
    let archives = [("outside", outside), ("nowhere", nowhere), ("odd", Archive::odd_links())];
    for (name, archive) in archives {
        let run = run(host, &place(host, name), &archive, Due::Layer)?;
        none(run, on(is_symlink, &[Aspect::Target]))?;
    }
    Ok(())
}

pub fn owners(host: &Host) -> Result<(), Finding> {
    let mut archive = Archive::small();
    for (entry, number) in archive.entries.iter_mut().zip(0..) {
        entry.owner = (100 + number, 200 + number);
    }
    // A hard link is owned as its file is.
    let archive = Archive::new(archive.entries);
    let run = run(host, &place(host, "owners"), &archive, Due::Layer)?;
    none(run, |it, _| {
        [Aspect::Missing, Aspect::Kind, Aspect::Owner, Aspect::Mode].contains(&it.aspect)
    })?;
    headers_of_links(host, (7, 8))?;
    around::group(host)?;
    around::owner_without_entry(host)
}

/// With numbers that do not fit a byte, too.
pub fn devices(host: &Host) -> Result<(), Finding> {
    let archive = Archive::new([
        folder("./", 0o755),
        folder("dev/", 0o755),
        entry("dev/null", Kind::Char(1, 3), 0o666),
        entry("dev/loop7", Kind::Block(7, 7), 0o660),
        entry("dev/nvme", Kind::Block(259, 1000), 0o660),
        entry("dev/initctl", Kind::Fifo, 0o600),
        file("dev/README", 0o644, ""),
    ]);
    with_a_fifo(host, "devices", &archive)
}

/// Everybody may make one.
pub fn fifos(host: &Host) -> Result<(), Finding> {
    let archive = Archive::new([
        folder("./", 0o755),
        folder("run/", 0o755),
        entry("run/initctl", Kind::Fifo, 0o620),
        file("run/README", 0o644, ""),
    ]);
    with_a_fifo(host, "fifos", &archive)
}

/// Nothing in an archive makes a call wait but a fifo that is opened.
fn with_a_fifo(host: &Host, name: &str, archive: &Archive) -> Result<(), Finding> {
    // Who comes to no end anyway has opened nothing for all we know.
    small(host)?;
    let run = run(host, &place(host, name), archive, Due::Layer).map_err(|finding| {
        let opened = Finding::new(format!("{LAB}/fifo-opened")).word("function", CREATE.function);
        if finding.code == HUNG { opened.with([archive.evidence()]) } else { finding }
    });
    none(run?, on(is_device, &[Aspect::Mode, Aspect::Time]))
}

/// Paths that begin at the working directory, and such ones that are not UTF-8.
pub fn other_paths(host: &Host) -> Result<(), Finding> {
    none(small(host)?, |it, _| !it.aspect.is_attribute())?;
    let absolute = place(host, "relative");
    absolute.lay(&Archive::small().to_tar());
    let relative = Place { tar: "image.tar".into(), layer: "read-only-layer".into() };
    let directory = absolute.tar.parent().expect("a directory").to_owned();
    let returned = call(host, &relative).standing_in(directory).make()?.returned;
    let it = OtherPaths { returned, is_text: true };
    PATHS.judge(&it, it.returned.is_ok() && absolute.layer.is_dir(), || {
        let what = "create_read_only_layer(\"image.tar\", \"read-only-layer\")";
        vec![Evidence::differs(what, "Ok, and the layer is there", result(&it.returned))]
    })?;
    odd_path(host)
}

/// A path that is not UTF-8.
fn odd_path(host: &Host) -> Result<(), Finding> {
    let directory = host.path("images").with_file_name(OsStr::from_bytes(b"caf\xe9"));
    fs::create_dir(&directory).expect("the scratch directory");
    let odd = within(&directory);
    odd.lay(&Archive::small().to_tar());
    let as_text = format!("{LAB}/path-as-text");
    let returned = call(host, &odd).make().map_err(|it| it.if_panicked(as_text))?.returned;
    let it = OtherPaths { returned, is_text: false };
    PATHS.judge(&it, it.returned.is_ok() && odd.layer.is_dir(), || {
        let what = "create_read_only_layer(b\"/tmp/lab/caf\\xe9/image.tar\", …)";
        vec![Evidence::differs(what, "Ok, and the layer is there", result(&it.returned))]
    })
}

/// A call with paths of another kind.
struct OtherPaths {
    returned: Returned,
    /// Whether they are UTF-8.
    is_text: bool,
}

impl Facts for OtherPaths {
    fn words(&self) -> Words {
        error_of(&self.returned)
    }
}

static PATHS: Rules<OtherPaths> = Rules {
    lab: LAB,
    function: CREATE.function,
    tables: &[&[
        rule("path-as-text", |it| !it.is_text),
        rule("relative-path-fails", |it| it.returned.is_err()),
    ]],
};

/// The archive of the blog, to a folder that is a file system of its own.
pub fn busybox(host: &Host) -> Result<(), Finding> {
    let disk: PathBuf = host.path("disk");
    fs::create_dir(&disk).expect("a directory in the scratch directory");
    mount(Some("disk"), &disk, Some("tmpfs"), MsFlags::empty(), Some("size=64m"))
        .expect("the sandbox allows it");
    let run = run(host, &within(&disk), &Archive::busybox(), Due::Layer)?;
    if run.returned.is_err() {
        // An error says little. What a small layer shows says more, such as why
        // there is no space left.
        none(small(host)?, |_, _| true)?;
    }
    none(run, |_, _| true)
}

/// What a call makes beside the layer, and leaves open.
pub fn nothing_beside(host: &Host) -> Result<(), Finding> {
    // Others have images, too.
    for other in ["read-only-layer-of-another", "read-only-layer.d/etc", "containers/one/mnt"] {
        fs::create_dir_all(host.path("images").join(other)).expect("the scratch directory");
    }
    let run = run(host, &within(&host.path("images")), &Archive::small(), Due::Layer)?;
    let mut all = Vec::new();
    if !run.is_done() {
        all.push(returned_evidence("Ok, and the layer is there", &run.returned));
    }
    let shown = crate::outside::shown;
    all.extend([
        Evidence::differs("new beside the layer", "", shown(&run.outside.new)),
        Evidence::differs("gone beside the layer", "", shown(&run.outside.gone)),
        run.open_evidence(),
    ]);
    let outside = &run.outside;
    let kept = run.is_done()
        && outside.is_harmless()
        && outside.new.is_empty()
        && outside.gone.is_empty()
        && run.open.is_empty();
    let run = Run { differences: Vec::new(), ..run };
    run.judge(&RULES, kept, all)?;
    around::others_stay(host)
}
