//! write_layer_tar: names and the targets of links, which are bytes.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use labkit::host::Host;
use labkit::verdict::Finding;

use crate::layer_tar::{MANY, call, lay_layer, write};
use crate::world::{directory, file, link_to, name, name_of, tree};
use crate::written::RULES;

/// How many bytes a header has for a name, and for a target.
const FIELD: usize = 100;

pub fn are_kept(host: &Host) -> Result<(), Finding> {
    names(host)?;
    targets(host)?;
    long_and_odd(host)
}

fn names(host: &Host) -> Result<(), Finding> {
    let long = format!("{}/{}", "a-long-directory-".repeat(8), "a-long-name-".repeat(15));
    let (fits, just_too_long) = ("f".repeat(FIELD), "g".repeat(FIELD + 1));
    let layer = tree([
        (name(b"\xff\xfe"), file("no UTF-8")),
        (name(b"line\nfeed"), file("")),
        (name(b"-rf"), file("")),
        (name(b"back\\slash"), directory()),
        (Path::new(&long), file("of a long name")),
        (Path::new(&fits), file("")),
        (Path::new(&just_too_long), file("")),
        (name(b"long-link"), link_to("over-there/".repeat(15))),
        (name(b"zz"), name_of(long.as_str())),
    ]);
    write(host, "names", &layer)?;
    // Deeper than a name in a header is long.
    let deep = vec!["deep"; 50].join("/");
    write(host, "deep", &tree([(deep, file("down there"))]))
}

/// Targets that lead to the same place as shorter ones, or nowhere.
fn targets(host: &Host) -> Result<(), Finding> {
    let targets: [Vec<u8>; 9] = [
        b"a//b".to_vec(),
        b"a/./b".to_vec(),
        b"./x//y/".to_vec(),
        b"/x/.".to_vec(),
        b"\xff/\xfe".to_vec(),
        vec![b'f'; FIELD],
        vec![b'g'; FIELD + 1],
        b"over//there/./".repeat(10),
        // Without the slashes that it does not need, this one would be short.
        [b"a".to_vec(), vec![b'/'; FIELD], b"b".to_vec()].concat(),
    ];
    let links = targets
        .into_iter()
        .enumerate()
        .map(|(nth, target)| (format!("link-{nth}"), link_to(OsString::from_vec(target))));
    write(host, "targets", &tree(links))
}

/// Names that are too long for a header, and begin with a byte that is not UTF-8. If they are
/// cut off after the last whole character, nothing is left of them.
fn long_and_odd(host: &Host) -> Result<(), Finding> {
    let odd =
        |end: u8| PathBuf::from(OsString::from_vec([b"\xff".as_slice(), &[end; ODD - 1]].concat()));
    let layer = tree([
        (odd(b'a'), file("of a long name")),
        (odd(b'b'), name_of(odd(b'a'))),
        (odd(b'c').join("inside"), file("of a long directory")),
        (odd(b'd'), link_to(odd(b'z'))),
    ]);
    let written = call(host, &lay_layer(host, "long-and-odd", &layer), MANY)?;
    if written.returned.is_err() {
        let refused = RULES.finding("long-name-refused", &written);
        return Err(refused.word("length", ODD).with(written.evidence()));
    }
    written.judge()
}

/// How many bytes an odd name has.
const ODD: usize = 151;
