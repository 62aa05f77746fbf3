//! changed_files.

use std::fs;
use std::path::{Path, PathBuf};

use labkit::failing;
use labkit::frame::{Facts, Rules, Words, rule};
use labkit::generated;
use labkit::host::Host;
use labkit::verdict::{Evidence, Finding};
use nix::errno::Errno;

use crate::LAB;
use crate::acts::{CHANGED_FILES, CHANGED_FILES_OF_EACH, Layers};
use crate::calls::READING;
use crate::changes::Compared;
use crate::container::{self, image};
use crate::generated::any_world;
use crate::oracle::World;
use crate::untouched::Untouched;
use crate::world::{Tree, directory, file, lay, link_to, name, name_of, opaque, tree, whiteout};

/// Lays a world to a new directory of the host.
fn lay_world(world: &World, directory: &Path) -> Layers {
    let write = directory.join("write-layer");
    lay(&world.write, &write);
    let layers = world.below.iter().enumerate().map(|(number, layer)| {
        let path = directory.join(format!("below-{number}"));
        lay(layer, &path);
        path.into_os_string()
    });
    Layers { write_layer: write.into_os_string(), layers: layers.collect() }
}

/// Has a world compared, and judges what is said of it.
fn compare(host: &Host, name: &str, world: &World) -> Result<(), Finding> {
    // There is always an obvious one: an empty list does not count as incomplete.
    let mut world = world.clone();
    world.write.insert(PathBuf::from("zz-plain"), file("new"));
    let layers = lay_world(&world, &host.path(name));
    let seen = host.act(&CHANGED_FILES, layers).make()?;
    Compared::new(&world, seen.returned).judge()
}

pub fn of_a_container(host: &Host) -> Result<(), Finding> {
    let ran = container::run(host);
    let seen = host.act(&CHANGED_FILES, ran.layers).make()?;
    Compared::new(&ran.world, seen.returned).judge()
}

pub fn new_and_changed(host: &Host) -> Result<(), Finding> {
    let write = tree([
        ("etc/hosts", file("127.0.0.1 box")),
        ("etc/new", file("")),
        ("opt/tool/run", file("a tool")),
        ("lib", link_to("usr/lib64")),
        // A directory in the place of a file, and the other way round.
        ("bin/sh/inside", file("new")),
        ("etc/ssl", file("no directory any more")),
    ]);
    compare(host, "new-and-changed", &World { write, below: vec![image()] })
}

pub fn same_content(host: &Host) -> Result<(), Finding> {
    let write = tree([("etc/hosts", file("127.0.0.1"))]);
    compare(host, "same-content", &World { write, below: vec![image()] })
}

pub fn whiteouts(host: &Host) -> Result<(), Finding> {
    let write = tree([
        ("etc/motd", whiteout()),
        ("home", whiteout()),
        ("lib", whiteout()),
        ("root/new", file("")),
    ]);
    compare(host, "whiteouts", &World { write, below: vec![image()] })?;
    let write = tree([
        ("etc/gone-for-long", whiteout()),
        ("etc/motd", file("other")),
        ("new/inside", whiteout()),
    ]);
    compare(host, "of-nothing", &World { write, below: vec![image()] })
}

pub fn opaque_directories(host: &Host) -> Result<(), Finding> {
    let write = tree([
        ("etc", opaque()),
        ("etc/hosts", file("of the new directory")),
        ("etc/ssl/cert", file("new, too")),
        ("home/ann", opaque()),
    ]);
    compare(host, "opaque", &World { write, below: vec![image()] })?;
    // overlayfs marks each new directory in a merged one.
    let write = tree([("etc/new", opaque()), ("etc/new/file", file("")), ("etc/motd", opaque())]);
    compare(host, "new", &World { write, below: vec![image()] })?;
    // Linux 6.7 has a value that says something else.
    let other = directory().with_xattr("user.overlay.opaque", b"x");
    let write = tree([("etc", other), ("etc/hosts", file("changed"))]);
    compare(host, "other-value", &World { write, below: vec![image()] })
}

pub fn every_layer(host: &Host) -> Result<(), Finding> {
    let top = tree([("etc/hosts", file("of the top")), ("srv/www/index", file("of the top"))]);
    let write = tree([
        ("etc/hosts", file("changed")),
        ("etc/motd", file("changed")),
        ("home/ann/todo", whiteout()),
        ("srv/www/index", file("changed")),
    ]);
    compare(host, "every-layer", &World { write, below: vec![top, Tree::new(), image()] })
}

pub fn hidden_below(host: &Host) -> Result<(), Finding> {
    // A whiteout, an opaque directory and a file of a middle layer hide what lies below.
    let middle = tree([
        ("etc/motd", whiteout()),
        ("home/ann", opaque()),
        ("home/ann/todo", file("again")),
        ("usr", file("no directory")),
    ]);
    let write = tree([
        ("etc/hosts", whiteout()),
        ("etc/motd", file("again")),
        ("home/ann/notes", file("again")),
        ("home/ann/todo", file("changed")),
        ("usr/lib/libc", file("again")),
    ]);
    let below = vec![Tree::new(), middle, image()];
    compare(host, "hidden-below", &World { write, below: below.clone() })?;
    let write = tree([("etc/motd", whiteout()), ("home/ann/notes", whiteout())]);
    let write = write.into_iter().chain(tree([("root/new", file(""))])).collect();
    compare(host, "hidden-twice", &World { write, below })?;
    // A file between two directories hides the lower one.
    let top = tree([("srv/new", file(""))]);
    let below = vec![top, tree([("srv", file("no directory"))]), tree([("srv/old", file(""))])];
    let write = tree([("srv/old", file("again"))]);
    compare(host, "hidden-by-a-file", &World { write, below })
}

pub fn copied_up_directories(host: &Host) -> Result<(), Finding> {
    let write = tree([("home/ann/notes", file("changed"))]);
    compare(host, "copied-up", &World { write, below: vec![image()] })?;
    // Against the topmost of those that have it.
    let top = tree([("home", directory().with_mode(0o750)), ("home/ann", directory())]);
    let write = tree([
        ("etc", directory().with_mode(0o700)),
        ("home", directory().with_mode(0o750)),
        ("home/ann", directory().with_mtime(1_600_000_000, 5)),
        ("usr", directory().with_mtime(1_700_000_000, 123_456_789)),
        ("usr/lib", directory().with_mode(0o1755)),
    ]);
    compare(host, "attributes", &World { write, below: vec![top, image()] })
}

pub fn hard_links(host: &Host) -> Result<(), Finding> {
    let write = tree([
        ("a/shell", file("one file of four names")),
        ("bin/ash", name_of("a/shell")),
        ("bin/sh", name_of("a/shell")),
        ("usr/bin/sh", name_of("a/shell")),
        ("etc/hosts", file("another file of two names")),
        ("etc/hosts-too", name_of("etc/hosts")),
        ("etc/motd", file("of one name")),
    ]);
    compare(host, "hard-links", &World { write, below: vec![image()] })?;
    // The first in the order is not the one with the fewest directories above it.
    let write = tree([
        ("deep/down/here/one", file("one file at three depths")),
        ("deep/down/two", name_of("deep/down/here/one")),
        ("three", name_of("deep/down/here/one")),
        ("etc/four", file("another file, at two depths")),
        ("four", name_of("etc/four")),
    ]);
    compare(host, "depths", &World { write, below: vec![image()] })
}

pub fn links(host: &Host) -> Result<(), Finding> {
    let precious = host.precious().folder.clone();
    let write = tree([
        ("etc/dangling", link_to("nowhere")),
        ("home/ann/photos", link_to(precious)),
        // A directory where the layer below has a link to one.
        ("lib/libc", file("not that of usr/lib")),
    ]);
    compare(host, "links", &World { write, below: vec![image()] })
}

pub fn order(host: &Host) -> Result<(), Finding> {
    let many = (0..40).map(|number| format!("var/log/{}", number * 37 % 40));
    let write = tree(many.map(|path| (path, file(""))));
    let more = ["a", "a-b", "a.b", "B", "~", "ä", "a b"];
    let more = tree(more.map(|name| (format!("names/{name}/inside"), file(""))));
    // As text, it would come after all others.
    let odd = tree([(name(b"names/\x80/inside"), file(""))]);
    let write = write.into_iter().chain(more).chain(odd).collect();
    compare(host, "order", &World { write, below: vec![tree([("var/log/7", file(""))])] })
}

pub fn odd_names(host: &Host) -> Result<(), Finding> {
    let names = [&b"\xff\xfe"[..], b"line\nfeed", b"-rf", b".wh.looks-like-one", b"a\\040b"];
    let write = tree(names.map(|it| (name(it), file("new"))));
    let deep = vec!["deep"; 60].join("/");
    let write = write.into_iter().chain(tree([(deep, file(""))])).collect();
    let below = tree([(name(b"\xff\xfe"), file("old"))]);
    compare(host, "odd-names", &World { write, below: vec![below] })
}

pub fn any_world_is_compared(host: &Host) -> Result<(), Finding> {
    let mut round = 0;
    let found = generated::smallest(WORLDS, any_world, |worlds| {
        round += 1;
        let place = host.path(&format!("any-{round}"));
        let laid = worlds.iter().enumerate();
        let inputs: Vec<Layers> =
            laid.map(|(nth, world)| lay_world(world, &place.join(nth.to_string()))).collect();
        let seen = host.each(&CHANGED_FILES_OF_EACH, inputs.iter().collect()).make_each();
        fs::remove_dir_all(&place).expect("the scratch directory");
        let said = seen.map_err(|ended| ended.finding)?.returned;
        let judged =
            worlds.iter().zip(said).map(|(world, said)| Compared::new(world, said).judge().err());
        let wrong = judged.enumerate().find_map(|(nth, it)| Some((nth, it?)));
        Ok::<_, Finding>(wrong)
    })?;
    found.map_or(Ok(()), |found| Err(found.wrong))
}

/// How many worlds are generated.
const WORLDS: usize = 40;

/// A call that fails.
struct NotTold {
    call: String,
}

impl Facts for NotTold {
    fn words(&self) -> Words {
        vec![("call", self.call.clone())]
    }
}

static FAILED: Rules<NotTold> = Rules {
    lab: LAB,
    function: CHANGED_FILES.function,
    tables: &[&[rule("failed-call-not-told", |_| true)]],
};

pub fn failures(host: &Host) -> Result<(), Finding> {
    // Outside of the layer, and small: whoever follows it comes to an end.
    let outside = link_to(host.precious().folder.clone());
    let write = tree([("etc", opaque()), ("etc/lib", outside), ("srv/a", file(""))]);
    // What is in it is hidden by the mark of a layer below.
    let top = tree([("srv", opaque())]);
    let world = World { write, below: vec![top, tree([("srv/a", file("hidden"))])] };
    let layers = lay_world(&world, &host.path("failing"));
    // What is wrong anyway is not wrong because a call fails.
    let undisturbed = host.act(&CHANGED_FILES, layers.clone()).make()?;
    Compared::new(&world, undisturbed.returned).judge()?;
    failing::each(|nth| {
        let call = host.act(&CHANGED_FILES, layers.clone());
        let seen = call.failing(nth, READING, Errno::EIO).make()?;
        let Some(failed) = seen.failed else { return Ok(false) };
        let compared = Compared::new(&world, seen.returned);
        let kept = compared.said.is_err() || compared.is_right();
        let facts = NotTold { call: failed.to_string() };
        FAILED.judge(&facts, kept, || {
            let what = format!("{}(…) while {failed} fails with EIO", CHANGED_FILES.function);
            vec![Evidence::differs(what, "an error, or all changes", "Ok")]
        })?;
        Ok(true)
    })
}

pub fn nothing_else(host: &Host) -> Result<(), Finding> {
    let write = tree([("etc/motd", whiteout()), ("new/file", file("")), ("l", link_to("new"))]);
    let world = World { write, below: vec![image()] };
    let place = host.path("world");
    let layers = lay_world(&world, &place);
    let untouched = Untouched::watch(host, &place);
    let seen = host.act(&CHANGED_FILES, layers).make()?;
    untouched.judge(CHANGED_FILES.function, &seen)
}
