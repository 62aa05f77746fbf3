//! write_layer_tar.

use std::fs::{self, File};
use std::ops::RangeInclusive;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{chown, lchown};
use std::path::{Path, PathBuf};

use labkit::failing;
use labkit::frame::{Facts, Returned, Rules, Words, error_of, rule};
use labkit::generated;
use labkit::host::Host;
use labkit::verdict::{Evidence, Finding};
use nix::errno::Errno;
use nix::sys::stat::{Mode, SFlag, makedev, mknod};

use crate::LAB;
use crate::acts::{Archiving, WRITE_LAYER_TAR, WRITE_LAYER_TAR_OF_EACH, WRITE_TO_GIVEN};
use crate::calls::{ARCHIVING, READ};
use crate::container;
use crate::generated::any_write_layer;
use crate::untouched::Untouched;
use crate::world::{
    Node, Tree, What, directory, file, lay, link_to, name, name_of, opaque, tree, whiteout,
};
use crate::written::{RULES, Written};

/// Lays a write layer to a new directory of the host.
pub fn lay_layer(host: &Host, name: &str, layer: &Tree) -> PathBuf {
    let top = host.path(name).join("write-layer");
    lay(layer, &top);
    top
}

pub fn call(host: &Host, write_layer: &Path, at_once: usize) -> Result<Written, Finding> {
    let archive = write_layer.with_file_name("layer.tar");
    let input = Archiving {
        write_layer: write_layer.as_os_str().to_owned(),
        archive: archive.clone().into_os_string(),
        at_once,
        room: MANY,
    };
    let seen = host.act(&WRITE_LAYER_TAR, input).make()?;
    Ok(Written::look_at(seen.returned, write_layer, &archive))
}

/// How many bytes a file takes at once.
pub const MANY: usize = usize::MAX;

/// Has a layer written, and judges the archive.
pub fn write(host: &Host, name: &str, layer: &Tree) -> Result<(), Finding> {
    call(host, &lay_layer(host, name, layer), MANY)?.judge()
}

pub fn plain() -> Tree {
    tree([
        ("etc/empty", file("")),
        ("etc/hosts", file("127.0.0.1 box")),
        ("etc/mtab", link_to("../proc/self/mounts")),
        ("opt/empty", directory()),
        ("root/program", file(vec![b'x'; 70_000])),
        ("run/fifo", Node::new(What::Fifo)),
        ("dangling", link_to("/nowhere")),
    ])
}

pub fn everything(host: &Host) -> Result<(), Finding> {
    write(host, "plain", &plain())
}

pub fn whiteouts(host: &Host) -> Result<(), Finding> {
    let layer = tree([
        ("etc/hosts", file("changed")),
        ("etc/motd", whiteout()),
        ("home", whiteout()),
        ("old notes", whiteout()),
    ]);
    write(host, "whiteouts", &layer)
}

pub fn of_a_container(host: &Host) -> Result<(), Finding> {
    let ran = container::run(host);
    call(host, Path::new(&ran.layers.write_layer), MANY)?.judge()
}

pub fn hard_links(host: &Host) -> Result<(), Finding> {
    let layer = tree([
        ("bin/ash", file("one file of three names")),
        ("bin/sh", name_of("bin/ash")),
        ("usr/bin/ash", name_of("bin/ash")),
        ("bin/b", file("another one")),
        ("bin/c", name_of("bin/b")),
        ("etc/link", link_to("a-target")),
        ("etc/link-too", name_of("etc/link")),
        // The first in the order is not the one with the fewest directories above it.
        ("opt/deep/down", file("one file at two depths")),
        ("up", name_of("opt/deep/down")),
    ]);
    write(host, "hard-links", &layer)
}

pub fn modes_and_times(host: &Host) -> Result<(), Finding> {
    let layer = tree([
        ("bin/su", file("su").with_mode(0o4755).with_mtime(1_111_111_111, 0)),
        ("bin/wall", file("wall").with_mode(0o2711).with_mtime(1_222_222_222, 999_999_999)),
        ("etc/shadow", file("secret").with_mode(0o000)),
        ("old", file("of 1970").with_mtime(0, 0)),
        ("older", file("of 1969").with_mtime(-1, 0)),
        ("oldest", directory().with_mtime(-2_000_000_000, 0)),
        ("a-link", link_to("bin/su").with_mtime(1_333_333_333, 0)),
        ("root", directory().with_mode(0o700).with_mtime(1_444_444_444, 0)),
        ("tmp", directory().with_mode(0o1777).with_mtime(1_555_555_555, 5)),
        ("fifo", Node::new(What::Fifo).with_mode(0o620)),
    ]);
    write(host, "modes", &layer)
}

pub fn owners(host: &Host) -> Result<(), Finding> {
    let top = lay_layer(host, "owners", &plain());
    chown(top.join("etc"), Some(1), Some(2)).expect("this promise needs root");
    chown(top.join("etc/hosts"), Some(1000), Some(100)).expect("this promise needs root");
    lchown(top.join("dangling"), Some(7), Some(7)).expect("this promise needs root");
    call(host, &top, MANY)?.judge()
}

pub fn attributes(host: &Host) -> Result<(), Finding> {
    let layer = tree([
        ("file", file("").with_xattr("user.z", b"last").with_xattr("user.a", b"first")),
        ("folder", directory().with_xattr("user.odd", b"line\nfeed, = and \0 and \xff")),
        ("overlay", directory().with_xattr("user.overlay.origin", b"an inode's handle")),
        ("overlays", file("").with_xattr("user.overlays", b"not overlayfs's own")),
        // Its other name may have them, too, or may not.
        ("two-names", file("").with_xattr("user.a", b"1").with_xattr("user.overlay.b", b"2")),
        ("two-names-too", name_of("two-names")),
    ]);
    write(host, "attributes", &layer)?;
    // A second record shows whether a reader finds the end of the first.
    let values = LENGTHS.into_iter().flatten().map(|length| {
        let node = file("").with_xattr("user.k", &vec![b'v'; length]);
        (length.to_string(), node.with_xattr("user.l", b"the next one"))
    });
    write(host, "attributes-of-a-length", &tree(values))
}

/// How long a value of `user.k` is if its pax record has 98 to 103 bytes, or 998 to 1004.
/// The length of a record counts its own digits, and here it gets one more of them.
const LENGTHS: [RangeInclusive<usize>; 2] = [74..=78, 973..=978];

pub fn links(host: &Host) -> Result<(), Finding> {
    let precious = host.precious();
    let layer = tree([
        ("etc/photos", link_to(precious.folder.clone())),
        ("etc/thesis", link_to(precious.file())),
        ("home", link_to("etc")),
        ("etc/hosts", file("127.0.0.1")),
    ]);
    write(host, "links", &layer)
}

pub fn sockets(host: &Host) -> Result<(), Finding> {
    let layer = tree([("run/daemon.sock", Node::new(What::Socket)), ("run/daemon.pid", file("1"))]);
    write(host, "s", &layer)
}

pub fn devices(host: &Host) -> Result<(), Finding> {
    let top = lay_layer(host, "devices", &plain());
    for (name, kind, numbers) in [
        ("null", SFlag::S_IFCHR, (1, 3)),
        ("other", SFlag::S_IFCHR, (0, 5)),
        ("disk", SFlag::S_IFBLK, (0, 0)),
        ("large", SFlag::S_IFBLK, (259, 70_000)),
    ] {
        let mode = Mode::from_bits_truncate(0o640);
        mknod(&top.join(name), kind, mode, makedev(numbers.0, numbers.1))
            .expect("this promise needs devices");
    }
    call(host, &top, MANY)?.judge()
}

pub fn order(host: &Host) -> Result<(), Finding> {
    let names = ["a/b/c", "a/b-c", "a-b/c", "a.b", "B", "zz/1", "zz/10", "zz/2"];
    let files = tree(names.map(|name| (name, file(name))));
    // A mark is in the place of what it hides.
    let marks = tree([("a/c", whiteout()), ("b", whiteout()), ("zz/1a", whiteout())]);
    // As text, the first would come after the second.
    let odd = tree([(name(b"zz/\x80"), file("")), (name(b"zz/\xc3\xa4"), file(""))]);
    write(host, "order", &files.into_iter().chain(marks).chain(odd).collect())
}

/// What a [`std::io::ErrorKind`] is called.
const INVALID_INPUT: &str = "InvalidInput";

/// A layer that cannot be written.
struct Refusal {
    returned: Returned,
    path: &'static str,
}

impl Facts for Refusal {
    fn words(&self) -> Words {
        let mut words = vec![("path", self.path.to_owned()), ("kind", INVALID_INPUT.to_owned())];
        words.extend(error_of(&self.returned));
        words
    }
}

static REFUSAL: Rules<Refusal> = Rules {
    lab: LAB,
    function: WRITE_LAYER_TAR.function,
    tables: &[&[
        rule("reserved-name-written", |it| it.returned.is_ok()),
        rule("error-without-name", |it| {
            it.returned.as_ref().is_err_and(|failure| !failure.text.contains(it.path))
        }),
        rule("wrong-kind-of-error", |it| it.returned.is_err()),
    ]],
};

pub fn reserved_names(host: &Host) -> Result<(), Finding> {
    // Nothing but the beginning of a name counts.
    write(host, "not-reserved", &tree([("etc/a.wh.b", file("")), (".who", file(""))]))?;
    // Of the last one, an error may show what is not UTF-8 in whatever way.
    let kinds: [(&[u8], &str, Node); 4] = [
        (b"etc/.wh.motd", "etc/.wh.motd", file("")),
        (b"etc/.wh..wh..opq", "etc/.wh..wh..opq", file("")),
        (b".wh..wh.plnk", ".wh..wh.plnk", directory()),
        (b"etc/.wh.\xff", "etc/.wh.", file("")),
    ];
    for (nth, (bytes, path, node)) in kinds.into_iter().enumerate() {
        let top = lay_layer(host, &format!("reserved-{nth}"), &tree([(name(bytes), node)]));
        let returned = call(host, &top, MANY)?.returned;
        let told = returned
            .as_ref()
            .is_err_and(|failure| failure.text.contains(path) && failure.kind == INVALID_INPUT);
        REFUSAL.judge(&Refusal { returned: returned.clone(), path }, told, || {
            let what = format!("{}(…) of a layer with {path}", WRITE_LAYER_TAR.function);
            let seen = labkit::describe::result(&returned);
            let names = format!("an error that names {path}");
            let kind = returned.as_ref().err().map_or("-", |failure| failure.kind.as_str());
            match returned.as_ref().is_err_and(|failure| failure.text.contains(path)) {
                true => vec![Evidence::differs(what, INVALID_INPUT, kind)],
                false => vec![Evidence::differs(what, names, seen)],
            }
        })?;
    }
    Ok(())
}

/// Says that a call has returned Ok while something failed.
pub fn not_told(code: &str, what: String) -> Result<(), Finding> {
    let call = format!("{}(…) while {what}", WRITE_LAYER_TAR.function);
    let finding = Finding::new(format!("{LAB}/{code}"));
    let finding = finding.word("function", WRITE_LAYER_TAR.function).word("call", what);
    Err(finding.with([Evidence::differs(call, "an error", "Ok")]))
}

pub fn a_few_bytes(host: &Host) -> Result<(), Finding> {
    let top = lay_layer(host, "narrow", &plain());
    call(host, &top, MANY)?.judge()?;
    let mut written = call(host, &top, 7)?;
    if written.is_right() {
        return Ok(());
    }
    written.while_ = "`out` takes 7 bytes at a time".to_owned();
    Err(RULES.finding("short-writes", &written).with(written.evidence()))
}

pub fn failed_writes(host: &Host) -> Result<(), Finding> {
    let top = lay_layer(host, "full", &tree([("etc/hosts", file("127.0.0.1"))]));
    call(host, &top, MANY)?.judge()?;
    let write_to = |out: OwnedFd| {
        let input = top.as_os_str().to_owned();
        Ok::<_, Finding>(host.act(&WRITE_TO_GIVEN, input).giving(vec![out]).make()?.returned)
    };
    // 1. A disk that is full from the beginning.
    let full = File::options().write(true).open("/dev/full").expect("the sandbox has it");
    if write_to(full.into())?.is_ok() {
        return not_told("write-error-lost", "every write(2) fails with ENOSPC".to_owned());
    }
    // 2. One that is full after some blocks, or at the very end: then it takes less than
    //    it was given.
    a_few_bytes(host)?;
    let layer = tree([("etc/hosts", file("127.0.0.1")), ("etc/motd", whiteout())]);
    let layer = layer.into_iter().chain(tree([("a-link", link_to("b")), ("empty", directory())]));
    let top = lay_layer(host, "nearly-full", &layer.collect());
    let archive = top.with_file_name("layer.tar");
    call(host, &top, MANY)?.judge()?;
    let length = fs::read(&archive).map_or(0, |it| it.len());
    let rooms = (1..length).step_by(BLOCK).chain([length - 1]);
    let inputs: Vec<Archiving> = rooms
        .map(|room| Archiving {
            write_layer: top.as_os_str().to_owned(),
            archive: archive.clone().into_os_string(),
            at_once: MANY,
            room,
        })
        .collect();
    let seen = host.each(&WRITE_LAYER_TAR_OF_EACH, inputs.iter().collect()).make_each();
    let returned = seen.map_err(|ended| ended.finding)?.returned;
    match returned.iter().zip(&inputs).find(|(returned, _)| returned.is_ok()) {
        Some((_, it)) => {
            not_told("write-error-lost", format!("there is room for {} bytes only", it.room))
        }
        None => Ok(()),
    }
}

/// How many bytes a block of an archive has.
const BLOCK: usize = 512;

pub fn failures(host: &Host) -> Result<(), Finding> {
    let layer = tree([
        ("etc/hosts", file("127.0.0.1").with_xattr("user.of", b"a file")),
        ("etc/link", link_to("hosts")),
        ("etc/odd", opaque().with_xattr("user.of", b"a directory")),
    ]);
    let top = lay_layer(host, "failing", &layer);
    call(host, &top, MANY)?.judge()?;
    let archive = top.with_file_name("layer.tar");
    let input = Archiving {
        write_layer: top.as_os_str().to_owned(),
        archive: archive.clone().into_os_string(),
        at_once: MANY,
        room: MANY,
    };
    let no_read = host.act(&WRITE_LAYER_TAR, input.clone()).refusing(READ, Errno::EIO);
    let written = Written::look_at(no_read.make()?.returned, &top, &archive);
    if written.returned.is_ok() && !written.is_right() {
        not_told("failed-call-not-told", "every read(2) fails with EIO".to_owned())?;
    }
    failing::each(|nth| {
        let call = host.act(&WRITE_LAYER_TAR, input.clone());
        let seen = call.failing(nth, ARCHIVING, Errno::EIO).make()?;
        let Some(failed) = seen.failed else { return Ok(false) };
        let written = Written::look_at(seen.returned, &top, &archive);
        if written.returned.is_ok() && !written.is_right() {
            not_told("failed-call-not-told", format!("{failed} fails with EIO"))?;
        }
        Ok(true)
    })
}

pub fn nothing_else(host: &Host) -> Result<(), Finding> {
    let top = lay_layer(host, "untouched", &plain());
    let untouched = Untouched::watch(host, &top);
    let nowhere = File::options().write(true).open("/dev/null").expect("the sandbox has it");
    let input = top.as_os_str().to_owned();
    let seen = host.act(&WRITE_TO_GIVEN, input).giving(vec![nowhere.into()]).make()?;
    untouched.judge(WRITE_LAYER_TAR.function, &seen)
}

pub fn any_layer(host: &Host) -> Result<(), Finding> {
    let mut round = 0;
    let found = generated::smallest(LAYERS, any_write_layer, |layers| {
        round += 1;
        let place = host.path(&format!("any-{round}"));
        let inputs = layers.iter().enumerate().map(|(nth, layer)| {
            let top = place.join(nth.to_string()).join("write-layer");
            lay(layer, &top);
            let archive = top.with_file_name("layer.tar").into_os_string();
            Archiving { write_layer: top.into_os_string(), archive, at_once: MANY, room: MANY }
        });
        let inputs: Vec<Archiving> = inputs.collect();
        let seen = host.each(&WRITE_LAYER_TAR_OF_EACH, inputs.iter().collect()).make_each();
        let written = seen.map_err(|ended| ended.finding)?.returned.into_iter().zip(&inputs).map(
            |(returned, it)| {
                let (top, archive) = (Path::new(&it.write_layer), Path::new(&it.archive));
                Written::look_at(returned, top, archive).judge().err()
            },
        );
        let wrong = written.enumerate().find_map(|(nth, it)| Some((nth, it?)));
        fs::remove_dir_all(&place).expect("the scratch directory");
        Ok::<_, Finding>(wrong)
    })?;
    found.map_or(Ok(()), |found| Err(found.wrong))
}

/// How many layers are generated.
const LAYERS: usize = 40;
