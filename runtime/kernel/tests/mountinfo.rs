//! The mount table: parsing, tree and difference, over tables of several
//! kernels and over paths that are meant to break a parser.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use mydocker_kernel::mountinfo::{Mount, MountTable, difference, unescape};
use rstest::rstest;

fn table(text: &str) -> MountTable {
    MountTable::parse(text.as_bytes()).expect("a valid table")
}

fn changes(before: &str, after: &str) -> Vec<String> {
    difference(&table(before), &table(after)).iter().map(ToString::to_string).collect()
}

#[test]
fn a_line_has_all_its_fields() {
    let line =
        b"36 35 98:0 /mnt1 /mnt2 rw,noatime shared:1 master:2 - ext3 /dev/root rw,errors=continue";
    let mount = Mount::parse(line).expect("the line of proc_pid_mountinfo(5)");
    assert_eq!((mount.id, mount.parent, mount.device.as_str()), (36, 35, "98:0"));
    assert_eq!((mount.root, mount.mount_point), ("/mnt1".into(), "/mnt2".into()));
    assert_eq!(mount.options, "rw,noatime");
    assert_eq!(mount.optional_fields, ["shared:1", "master:2"]);
    assert_eq!((mount.fs_type.as_str(), mount.source), ("ext3", "/dev/root".into()));
    assert_eq!(mount.super_options, "rw,errors=continue");
}

#[rstest]
#[case::none("", "private", false)]
#[case::shared("shared:7 ", "shared:7", true)]
#[case::slave("master:7 ", "master:7", false)]
#[case::both("shared:8 master:7 propagate_from:2 ", "shared:8,master:7,propagate_from:2", true)]
#[case::unbindable("unbindable ", "unbindable", false)]
fn optional_fields_may_be_none_or_several(
    #[case] fields: &str,
    #[case] propagation: &str,
    #[case] shared: bool,
) {
    let mount = Mount::parse(format!("1 0 0:1 / / rw {fields}- tmpfs none rw").as_bytes()).unwrap();
    assert_eq!((mount.propagation().as_str(), mount.is_shared()), (propagation, shared));
}

#[rstest]
#[case::blank(r"/a\040b", b"/a b")]
#[case::tab(r"/a\011b", b"/a\tb")]
#[case::line_feed(r"/a\012b", b"/a\nb")]
#[case::backslash(r"/a\134b", b"/a\\b")]
#[case::hash(r"/a\043b", b"/a#b")]
#[case::escaped_escape(r"/a\134040b", b"/a\\040b")]
#[case::not_octal(r"/a\08b\", b"/a\\08b\\")]
#[case::above_a_byte(r"/a\777", b"/a\\777")]
#[case::plain("/a:b,c", b"/a:b,c")]
fn escapes_are_undone_once(#[case] written: &str, #[case] path: &[u8]) {
    assert_eq!(unescape(written.as_bytes()), OsStr::from_bytes(path));
}

#[test]
fn a_path_need_not_be_utf8() {
    let mount = Mount::parse(b"1 0 0:1 / /a\xff rw - tmpfs none rw").unwrap();
    assert_eq!(mount.mount_point, Path::new(OsStr::from_bytes(b"/a\xff")));
}

#[rstest]
#[case::empty("x", "mount ID")]
#[case::id_too_large("99999999999 0 0:1 / / rw - tmpfs none rw", "mount ID")]
#[case::no_separator("1 0 0:1 / / rw shared:1 tmpfs none rw", "separator")]
#[case::cut("1 0 0:1 / /", "mount options")]
#[case::no_super_options("1 0 0:1 / / rw - tmpfs none", "super options")]
fn a_broken_line_is_refused_and_the_field_named(#[case] line: &str, #[case] field: &str) {
    let error = MountTable::parse(line.as_bytes()).unwrap_err().to_string();
    assert!(error.contains(field), "{error}");
}

#[test]
fn the_table_of_this_thread_can_be_read() {
    let table = MountTable::read().unwrap();
    let proc = table.holding(Path::new("/proc/self")).expect("/proc is mounted");
    assert_eq!(proc.fs_type, "proc");
    assert!(table.at(Path::new("/")).is_some());
}

const STACK: &str = "\
20 1 8:1 / / rw shared:1 - ext4 /dev/sda1 rw
30 20 0:30 / /mnt rw shared:2 - tmpfs first rw
31 30 0:31 / /mnt rw shared:3 - tmpfs second rw
32 31 0:32 / /mnt/sub rw shared:4 - tmpfs sub rw
40 20 0:40 / /mnt1 rw shared:5 - tmpfs sibling rw
";

#[test]
fn of_a_stack_the_topmost_mount_counts() {
    assert_eq!(table(STACK).at(Path::new("/mnt")).unwrap().source, Path::new("second"));
    assert_eq!(table(STACK).holding(Path::new("/mnt/file")).unwrap().source, Path::new("second"));
    assert_eq!(table(STACK).holding(Path::new("/mntx")).unwrap().mount_point, Path::new("/"));
}

#[test]
fn below_is_deepest_first_and_never_a_sibling_whose_name_begins_the_same() {
    let table = table(STACK);
    let below: Vec<&PathBuf> =
        table.below(Path::new("/mnt")).iter().map(|mount| &mount.source).collect();
    assert_eq!(below, [Path::new("sub"), Path::new("second"), Path::new("first")]);
}

#[test]
fn a_table_whose_mounts_go_in_a_circle_ends_nothing() {
    let circle = table("1 2 0:1 / /a rw - tmpfs x rw\n2 1 0:2 / /b rw - tmpfs y rw\n");
    assert_eq!(circle.below(Path::new("/")).len(), 2);
    assert_eq!(circle.to_string(), "");
}

#[test]
fn the_tree_shows_what_is_mounted_on_what() {
    insta::assert_snapshot!(table(STACK), @r"
    /               ext4 /dev/sda1  rw  shared:1
    ├─/mnt          tmpfs first     rw  shared:2
    │ └─/mnt        tmpfs second    rw  shared:3
    │   └─/mnt/sub  tmpfs sub       rw  shared:4
    └─/mnt1         tmpfs sibling   rw  shared:5
    ");
}

#[test]
fn a_line_feed_in_a_mount_point_does_not_break_the_tree() {
    let tree = table("1 0 0:1 / /a\\012b\\033[31m rw - tmpfs x rw\n").to_string();
    assert_eq!(tree.lines().count(), 1, "{tree}");
    assert!(!tree.contains('\u{1b}'), "{tree:?}");
}

const BEFORE: &str = "\
20 1 8:1 / / rw shared:1 - ext4 /dev/sda1 rw
21 20 0:5 / /proc rw,nosuid shared:2 - proc proc rw
";

#[test]
fn a_mount_and_an_umount_are_seen() {
    let after = format!("{BEFORE}22 20 0:6 / /tmp rw - tmpfs tmpfs rw,size=1k\n");
    assert_eq!(changes(BEFORE, &after), ["MOUNTED /tmp tmpfs rw private"]);
    assert_eq!(changes(&after, BEFORE), ["UMOUNTED /tmp tmpfs rw private"]);
}

#[test]
fn a_move_is_no_umount() {
    let after = BEFORE.replace(" /proc ", " /mnt/proc ");
    assert_eq!(changes(BEFORE, &after), ["MOVED /proc -> /mnt/proc proc rw,nosuid shared:2"]);
}

#[test]
fn a_remount_says_what_is_different() {
    let after = BEFORE.replace("rw,nosuid shared:2", "ro,nosuid");
    assert_eq!(
        changes(BEFORE, &after),
        ["REMOUNTED /proc rw,nosuid -> ro,nosuid shared:2 -> private"]
    );
}

#[test]
fn a_number_that_the_kernel_uses_again_is_another_mount() {
    let after =
        BEFORE.replace("0:5 / /proc rw,nosuid shared:2 - proc proc", "0:9 / /proc rw - tmpfs x");
    assert_eq!(
        changes(BEFORE, &after),
        ["UMOUNTED /proc proc rw,nosuid shared:2", "MOUNTED /proc tmpfs x rw private"]
    );
}

#[test]
fn no_change_is_no_line() {
    assert_eq!(changes(STACK, STACK), Vec::<String>::new());
}
