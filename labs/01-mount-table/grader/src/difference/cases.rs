//! Pairs of readings with one difficulty each, and what has changed.

use super::Case;
use crate::acts::Readings;
use crate::reading::read;
use crate::table::Change::{self, Mounted, Moved, Remounted, Umounted};

/// The table before the change, in most cases.
const BEFORE: &str = "\
26 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw
21 26 0:20 / /proc rw,nosuid shared:12 - proc proc rw
22 26 0:5 / /dev rw,nosuid shared:2 - devtmpfs udev rw,mode=755
38 26 254:2 / /srv rw,relatime - xfs /dev/vdb rw
39 38 0:40 / /srv/data rw - tmpfs data rw,size=64k
";

/// The same, where the names of the last mount are not UTF-8.
const NOT_TEXT: &str = "\
26 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw
39 26 0:40 /\\351 /srv/\\351 rw - tmpfs \\351 rw,lower=\\351,upper=a\\054b
";

fn case(before: &str, after: &str, expected: &[Change]) -> Case {
    let input = Readings { before: read(before.as_bytes()), after: read(after.as_bytes()) };
    Case { input, expected: expected.to_vec() }
}

/// From the usual table to one in which lines are others.
fn from_usual(replaced: &[(&str, &str)], expected: &[Change]) -> Case {
    from(BEFORE, replaced, expected)
}

fn from(before: &str, replaced: &[(&str, &str)], expected: &[Change]) -> Case {
    let after = replaced.iter().fold(before.to_owned(), |table, (old, new)| {
        assert!(table.contains(old), "{old}");
        table.replace(old, new)
    });
    case(before, &after, expected)
}

/// Names that are not UTF-8, and no change.
pub fn not_text() -> Case {
    from(NOT_TEXT, &[], &[])
}

/// A change of one byte that is not UTF-8.
fn other_byte(old: &str, new: &str, expected: &[Change]) -> Case {
    from(NOT_TEXT, &[(old, new)], expected)
}

pub fn came_and_went() -> [Case; 3] {
    let more = format!(
        "{BEFORE}40 26 0:41 / /tmp rw - tmpfs tmpfs rw\n27 22 0:42 / /dev/shm rw - tmpfs tmpfs rw\n"
    );
    [
        case(BEFORE, &more, &[Mounted(40), Mounted(27)]),
        case(&more, BEFORE, &[Umounted(40), Umounted(27)]),
        from_usual(
            &[
                ("39 38 0:40 / /srv/data rw - tmpfs data rw,size=64k\n", ""),
                ("21 26 0:20", "40 26 0:41 / /tmp rw - tmpfs tmpfs rw\n21 26 0:20"),
            ],
            &[Umounted(39), Mounted(40)],
        ),
    ]
}

pub fn moves() -> Vec<Case> {
    vec![moved(), other_byte("/srv/\\351", "/srv/\\352", &[Moved(39)])]
}

/// What is mounted below goes with it.
pub fn moved() -> Case {
    from_usual(
        &[("38 26 254:2 / /srv", "38 22 254:2 / /dev/old"), ("/srv/data", "/dev/old/data")],
        &[Moved(38), Moved(39)],
    )
}

/// New options of this mount alone.
pub fn remounted() -> Case {
    from_usual(&[("/srv rw,relatime", "/srv ro,relatime")], &[Remounted(38)])
}

/// New options of the file system.
pub fn new_super_options() -> Case {
    from_usual(&[("rw,size=64k", "rw,size=128k")], &[Remounted(39)])
}

pub fn new_propagation() -> Vec<Case> {
    vec![
        from_usual(&[("/srv rw,relatime -", "/srv rw,relatime shared:31 -")], &[Remounted(38)]),
        from_usual(
            &[("shared:12", "master:12"), ("shared:2 ", "")],
            &[Remounted(21), Remounted(22)],
        ),
    ]
}

/// Another optional field in the place of one.
pub fn other_propagation() -> Case {
    from_usual(&[("shared:12", "master:12")], &[Remounted(21)])
}

pub fn moved_and_remounted() -> Case {
    from_usual(
        &[("39 38 0:40 / /srv/data rw", "39 26 0:40 / /data ro")],
        &[Moved(39), Remounted(39)],
    )
}

/// The ID of a mount that is gone, on another file system.
pub fn number_of_another_file_system() -> Case {
    another_39("39 22 0:57 / /dev/shm rw - tmpfs data rw,size=64k")
}

pub fn number_used_again() -> Vec<Case> {
    vec![
        number_of_another_file_system(),
        another_39("39 38 0:57 / /srv/data rw - proc proc rw"),
        // Another directory of the same file system.
        another_39("39 38 0:40 /photos /srv/photos rw - tmpfs data rw,size=64k"),
        // The numbers of file systems are used again just so.
        another_39("39 26 0:40 / /tmp rw - tmpfs tmpfs rw,size=64k"),
        other_byte("0:40 /\\351", "0:40 /\\352", &[Umounted(39), Mounted(39)]),
        other_byte("tmpfs \\351", "tmpfs \\352", &[Umounted(39), Mounted(39)]),
    ]
}

fn another_39(line: &str) -> Case {
    let data = "39 38 0:40 / /srv/data rw - tmpfs data rw,size=64k";
    from_usual(&[(data, line)], &[Umounted(39), Mounted(39)])
}

pub fn stacked() -> Vec<Case> {
    let stack = format!("{BEFORE}40 39 0:41 / /srv/data rw - tmpfs upper rw\n");
    vec![case(BEFORE, &stack, &[Mounted(40)]), case(&stack, BEFORE, &[Umounted(40)])]
}

pub fn new_options() -> Vec<Case> {
    vec![
        remounted(),
        new_super_options(),
        from_usual(&[("rw,nosuid shared:2", "nosuid,rw shared:2")], &[Remounted(22)]),
        from_usual(&[("rw,mode=755", "mode=755,rw")], &[Remounted(22)]),
        other_byte("lower=\\351", "lower=\\352", &[Remounted(39)]),
        // Two options in the place of one that has a comma in it.
        other_byte("a\\054b", "a,b", &[Remounted(39)]),
    ]
}

pub fn nothing_changed() -> Vec<Case> {
    vec![from_usual(&[], &[]), new_parent(), not_text()]
}

/// A mount was put under another one, as `mount --beneath` does: that one has
/// another parent, at the same place.
pub fn new_parent() -> Case {
    from_usual(
        &[(
            "39 38 0:40 / /srv/data",
            "40 38 0:41 / /srv/data rw - tmpfs lower rw\n39 40 0:40 / /srv/data",
        )],
        &[Mounted(40)],
    )
}

/// All of the above.
pub fn all() -> Vec<Case> {
    let lists = [
        came_and_went().into(),
        moves(),
        vec![moved_and_remounted()],
        new_options(),
        new_propagation(),
        number_used_again(),
        stacked(),
        nothing_changed(),
    ];
    lists.into_iter().flatten().collect()
}
