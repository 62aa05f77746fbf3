//! write_layer_tar of two write layers with the same files.

use std::fs;
use std::path::Path;

use labkit::frame::{Facts, Rules, Words, rule};
use labkit::host::Host;
use labkit::verdict::{Evidence, Finding};

use crate::LAB;
use crate::acts::WRITE_LAYER_TAR;
use crate::archive::Entry;
use crate::layer_tar::{MANY, call, plain};
use crate::world::{TIME, Tree, file, lay, lay_backwards, name_of, tree, whiteout};
use crate::written::Written;

/// Two archives that must be the same.
struct Two {
    written: Written,
    is_same: bool,
    /// Whether there is a time in them that no file has.
    has_now: bool,
}

impl Facts for Two {
    fn words(&self) -> Words {
        self.written.words()
    }
}

static SAME: Rules<Two> = Rules {
    lab: LAB,
    function: WRITE_LAYER_TAR.function,
    tables: &[&[rule("not-the-same-twice", |it| it.has_now || !it.is_same)]],
};

pub fn the_same_bytes(host: &Host) -> Result<(), Finding> {
    let attributes = |names: [&str; 2]| {
        names.iter().fold(file("with attributes"), |file, name| file.with_xattr(name, b"value"))
    };
    let with = |names| {
        let more = tree([
            ("etc/attributes", attributes(names)),
            ("bin/b", file("of two names")),
            ("bin/c", name_of("bin/b")),
            ("etc/motd", whiteout()),
        ]);
        plain().into_iter().chain(more).collect::<Tree>()
    };
    let first = host.path("first").join("write-layer");
    let second = host.path("second").join("write-layer");
    lay(&with(["user.a", "user.b"]), &first);
    lay_backwards(&with(["user.b", "user.a"]), &second);
    let read = |layer: &Path| fs::read(layer.with_file_name("layer.tar")).unwrap_or_default();
    let one = call(host, &first, MANY)?;
    one.judge()?;
    let written = call(host, &second, MANY)?;
    written.judge()?;
    // The time at which it is written is the same for both, mostly.
    let is_now = |entry: &Entry| entry.mtime > TIME.0.into();
    let has_now = written.entries.iter().flatten().any(is_now);
    let two = Two { written, is_same: read(&first) == read(&second), has_now };
    SAME.judge(&two, two.is_same && !two.has_now, || {
        let seen = if two.is_same { "the time of writing is in them" } else { "not equal" };
        vec![Evidence::differs("the archives of two equal write layers", "equal", seen)]
    })
}
