//! What an archive says of its files is what lies on disk.

mod image_support;

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::thread;

use image_support::*;
use nix::sched::{CloneFlags, unshare};
use nix::sys::stat::{Mode, major, minor, umask};
use rstest::rstest;
use tar::EntryType;

#[test]
fn files_directories_and_links_are_as_in_the_archive() {
    let store = Store::new();
    let summary = store
        .import(&tar(&[
            directory("./"),
            directory("dir/"),
            file("dir/file", "content"),
            file("dir/empty", ""),
            symlink("dir/link", "/no/where"),
            hard_link("second", "dir/file"),
        ]))
        .unwrap();
    assert_eq!((summary.layers, summary.entries, summary.bytes), (1, 6, 7));
    assert_eq!(summary.warnings, [""; 0]);
    assert_eq!(store.read("dir/file"), "content");
    assert_eq!(store.read("dir/empty"), "");
    let link = std::fs::read_link(store.layer(0).join("dir/link")).unwrap();
    assert_eq!(link, OsStr::new("/no/where"));
    assert_eq!(store.lstat("second").ino(), store.lstat("dir/file").ino());
    assert_eq!(store.lstat("second").nlink(), 2);
}

#[rstest]
#[case(0o000)]
#[case(0o444)]
#[case(0o622)]
#[case(0o777)]
#[case(0o1777)]
#[case(0o2755)]
#[case(0o4755)]
#[case(0o6711)]
#[case(0o7777)]
fn modes_are_exact_whatever_the_umask(#[case] mode: u32) {
    let store = Store::new();
    let archive = tar(&[
        directory("d").mode(mode),
        file("f", "has data, since a write takes the set-ID bits away").mode(mode),
        node("p", EntryType::Fifo, (0, 0)).mode(mode),
        file("x", "data").mode(mode).xattr("user.a", "b"),
    ]);
    // A umask for this thread only.
    thread::scope(|scope| {
        scope.spawn(|| {
            unshare(CloneFlags::CLONE_FS).unwrap();
            umask(Mode::from_bits_truncate(0o077));
            store.import(&archive).unwrap();
            assert_eq!(umask(Mode::empty()).bits(), 0o077, "the umask was changed");
        });
    });
    for name in ["d", "f", "p", "x"] {
        let seen = store.lstat(name).mode() & 0o7777;
        assert_eq!(seen, mode, "{name} has mode {seen:04o} instead of {mode:04o}");
    }
}

#[test]
fn a_directory_that_nobody_may_write_to_is_filled_all_the_same() {
    let store = Store::new();
    store
        .import(&tar(&[
            directory("./").mode(0o555),
            directory("a").mode(0o000),
            directory("a/b").mode(0o555),
            file("a/b/c", "inside").mode(0o400),
        ]))
        .unwrap();
    assert_eq!(store.lstat("").mode() & 0o7777, 0o555);
    assert_eq!(store.lstat("a").mode() & 0o7777, 0o000);
    if is_root() {
        assert_eq!(store.lstat("a/b").mode() & 0o7777, 0o555);
        assert_eq!(store.read("a/b/c"), "inside");
    }
}

#[test]
fn the_store_itself_is_closed_to_others() {
    let store = Store::new();
    store.import(&tar(&[file("f", "")])).unwrap();
    for folder in [store.root(), store.images(), store.images().join("it")] {
        assert_eq!(folder.metadata().unwrap().mode() & 0o7777, 0o700, "{folder:?}");
    }
    for path in ["it/layers", "it/image.json"] {
        let mode = store.images().join(path).metadata().unwrap().mode();
        assert_eq!(mode & 0o022, 0, "{path} has mode {mode:04o}");
    }
    assert_eq!(store.lstat("").mode() & 0o7777, 0o755, "a root that no entry speaks of");
}

#[test]
fn owners_are_kept_by_root_and_are_the_users_own_otherwise() {
    let store = Store::new();
    let summary = store
        .import(&tar(&[
            directory("d").owner(1000, 1001),
            file("f", "data").owner(1000, 1001).mode(0o6755),
            symlink("l", "f").owner(1000, 1001),
            node("p", EntryType::Fifo, (0, 0)).owner(1000, 1001),
            file("pax", "").pax("uid", "3000000").pax("gid", "3000001"),
            file("own", ""),
        ]))
        .unwrap();
    let owner = |name: &str| (store.lstat(name).uid(), store.lstat(name).gid());
    let expected = |owner| if is_root() { owner } else { own_ids() };
    for name in ["d", "f", "l", "p"] {
        assert_eq!(owner(name), expected((1000, 1001)), "{name}");
    }
    assert_eq!(owner("pax"), expected((3_000_000, 3_000_001)));
    assert_eq!(owner("own"), own_ids());
    assert_eq!(store.lstat("f").mode() & 0o7777, 0o6755, "a new owner takes the set-ID bits");
    match is_root() {
        true => assert_eq!(summary.warnings, [""; 0]),
        false => {
            assert_eq!(summary.warnings.len(), 1, "{:?}", summary.warnings);
            assert!(summary.warnings[0].starts_with("5 "), "{:?}", summary.warnings);
        }
    }
}

#[test]
fn times_are_kept_those_of_directories_too() {
    let store = Store::new();
    store
        .import(&tar(&[
            directory("./").mtime(1),
            directory("d").mtime(2),
            file("d/f", "data").mtime(3),
            symlink("d/l", "f").mtime(4),
            node("d/p", EntryType::Fifo, (0, 0)).mtime(5),
            directory("d/sub").mtime(6),
            file("d/sub/late", "").mtime(7),
            file("d/fraction", "").pax("mtime", "1350244992.023960108"),
            file("d/before", "").pax("mtime", "-1.25"),
            file("d/negative", "").mtime(-5i64 as u64),
        ]))
        .unwrap();
    let time = |name: &str| (store.lstat(name).mtime(), store.lstat(name).mtime_nsec());
    assert_eq!(time(""), (1, 0));
    assert_eq!(time("d"), (2, 0));
    assert_eq!(time("d/f"), (3, 0));
    assert_eq!(time("d/l"), (4, 0));
    assert_eq!(time("d/p"), (5, 0));
    assert_eq!(time("d/sub"), (6, 0));
    assert_eq!(time("d/fraction"), (1_350_244_992, 23_960_108));
    assert_eq!(time("d/before"), (-2, 750_000_000));
    assert_eq!(time("d/negative"), (-5, 0));
}

#[test]
fn extended_attributes_are_kept_whatever_bytes_they_have() {
    // Version 2 with the capabilities 1 and 3: the line feed is data.
    let capabilities = b"\x01\0\0\x02\x0a\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
    let store = Store::new();
    let summary = store
        .import(&tar(&[
            file("ping", "data").xattr("security.capability", capabilities).owner(7, 7),
            file("f", "data").mode(0o444).xattr("user.note", "a\n21 path=/etc/passwd\n"),
            directory("d").mode(0o555).xattr("user.note", "on a directory"),
        ]))
        .unwrap();
    let value = |name: &str, attribute| xattr(&store.layer(0).join(name), attribute);
    assert_eq!(value("f", "user.note").unwrap(), b"a\n21 path=/etc/passwd\n");
    assert_eq!(value("d", "user.note").unwrap(), b"on a directory");
    assert_eq!(store.lstat("f").mode() & 0o7777, 0o444);
    match is_root() {
        true => assert_eq!(value("ping", "security.capability").unwrap(), capabilities),
        false => {
            assert_eq!(value("ping", "security.capability"), None);
            assert!(
                summary
                    .warnings
                    .iter()
                    .any(|w| w.starts_with("1 extended attribute left out: this"))
            );
        }
    }
}

#[test]
fn attributes_that_would_steer_overlay_are_left_out() {
    let store = Store::new();
    let steer = ["trusted.overlay.redirect", "user.overlay.opaque", "trusted.overlay.opaque"];
    let mut item = directory("d");
    for name in steer {
        item = item.xattr(name, "y");
    }
    let summary = store.import(&tar(&[item])).unwrap();
    for name in steer {
        assert_eq!(xattr(&store.layer(0).join("d"), name), None, "{name}");
    }
    assert!(
        summary.warnings[0].starts_with("3 extended attributes left out: overlay"),
        "{:?}",
        summary.warnings
    );
}

#[test]
fn devices_are_made_by_root_and_reported_otherwise() {
    let store = Store::new();
    let summary = store
        .import(&tar(&[
            node("null", EntryType::Char, (1, 3)).mode(0o666),
            node("disk", EntryType::Block, (7, 300)).mode(0o660),
            node("fifo", EntryType::Fifo, (0, 0)),
            // Overlay would take this for the deletion of a file.
            node("whiteout", EntryType::Char, (0, 0)),
        ]))
        .unwrap();
    assert!(store.lstat("fifo").file_type().is_fifo());
    assert!(!store.layer(0).join("whiteout").exists());
    let mut notes = vec!["1 device 0:0 left out: overlay takes it for a deletion"];
    if !is_root() {
        notes.insert(0, "2 devices left out: this process may not make devices");
    }
    assert_eq!(summary.warnings, notes);
    if is_root() {
        let (null, disk) = (store.lstat("null"), store.lstat("disk"));
        assert!(null.file_type().is_char_device() && disk.file_type().is_block_device());
        assert_eq!((major(null.rdev()), minor(null.rdev())), (1, 3));
        assert_eq!((major(disk.rdev()), minor(disk.rdev())), (7, 300));
        assert_eq!(null.mode() & 0o7777, 0o666);
    } else {
        // Better nothing than a file that grows with what is thrown away.
        assert_eq!(names(&store.layer(0)), ["fifo"]);
    }
}

#[test]
fn missing_directories_are_made_with_mode_0755() {
    let store = Store::new();
    store.import(&tar(&[file("a/b/c", "deep")])).unwrap();
    assert_eq!(store.read("a/b/c"), "deep");
    for directory in ["a", "a/b"] {
        assert_eq!(store.lstat(directory).mode() & 0o7777, 0o755);
    }
}

#[test]
fn absolute_names_are_names_in_the_layer() {
    let store = Store::new();
    store.import(&tar(&[file("/etc/hosts", "x"), hard_link("/a", "/etc/hosts")])).unwrap();
    assert_eq!(store.read("etc/hosts"), "x");
    assert_eq!(store.read("a"), "x");
}

#[test]
fn names_of_any_bytes_and_lengths_are_kept() {
    let store = Store::new();
    let long = format!("{}/{}", "d".repeat(200), "f".repeat(255));
    let strange = OsStr::from_bytes(b"new\nline \xff\\ '\"");
    let long_link = "t".repeat(300);
    store
        .import(&tar(&[
            file(&long, "long"),
            file(strange, "strange"),
            file("placeholder", "pax").pax("path", "from/pax \u{2713}"),
            symlink("l", &long_link),
        ]))
        .unwrap();
    assert_eq!(store.read(&long), "long");
    assert_eq!(std::fs::read(store.layer(0).join(strange)).unwrap(), b"strange");
    assert_eq!(store.read("from/pax \u{2713}"), "pax");
    let link = std::fs::read_link(store.layer(0).join("l")).unwrap();
    assert_eq!(link, OsStr::new(&long_link));
}

#[rstest]
#[case::file_by_file(vec![file("x", "old"), file("x", "new")])]
#[case::symlink_by_file(vec![symlink("x", "canary"), file("canary", "old"), file("x", "new")])]
#[case::directory_by_file(vec![directory("x"), file("x/deep/y", ""), file("x", "new")])]
#[case::fifo_by_file(vec![node("x", EntryType::Fifo, (0, 0)), file("x", "new")])]
#[case::file_by_hard_link(vec![file("x", "old"), file("y", "new"), hard_link("x", "y")])]
#[case::hard_link_to_itself(vec![file("x", "new"), hard_link("x", "./x")])]
#[case::repeated_hard_link(vec![file("y", "new"), hard_link("x", "y"), hard_link("x", "y")])]
fn a_later_entry_replaces_an_earlier_one(#[case] items: Vec<Item>) {
    let store = Store::new();
    store.import(&tar(&items)).unwrap();
    assert!(store.lstat("x").is_file());
    assert_eq!(store.read("x"), "new");
}

#[test]
fn a_file_is_replaced_and_not_written_through_its_other_names() {
    let store = Store::new();
    let items = [file("a", "old"), hard_link("b", "a"), file("a", "new")];
    store.import(&tar(&items)).unwrap();
    assert_eq!((store.read("a").as_str(), store.read("b").as_str()), ("new", "old"));
}

#[test]
fn directories_merge_and_replace_all_else() {
    let store = Store::new();
    store
        .import(&tar(&[
            directory("d").mode(0o700),
            file("d/kept", ""),
            directory("d").mode(0o711).mtime(9),
            directory("real"),
            symlink("l", "real"),
            file("l/through", ""),
            directory("l"),
            file("l/own", ""),
        ]))
        .unwrap();
    assert_eq!(names(&store.layer(0).join("d")), ["kept"]);
    assert_eq!((store.lstat("d").mode() & 0o7777, store.lstat("d").mtime()), (0o711, 9));
    assert!(store.lstat("l").is_dir());
    assert_eq!(names(&store.layer(0).join("l")), ["own"]);
    assert_eq!(names(&store.layer(0).join("real")), ["through"]);
}

#[test]
fn attributes_of_a_replaced_directory_are_forgotten() {
    let store = Store::new();
    store
        .import(&tar(&[
            directory("d").mode(0o700).mtime(1),
            directory("d/sub").mode(0o700).mtime(1),
            directory("e").mode(0o755).mtime(2),
            symlink("d", "e"),
            directory("e/sub").mode(0o711).mtime(3),
        ]))
        .unwrap();
    assert_eq!((store.lstat("e").mode() & 0o7777, store.lstat("e").mtime()), (0o755, 2));
    assert_eq!((store.lstat("e/sub").mode() & 0o7777, store.lstat("e/sub").mtime()), (0o711, 3));
}

#[test]
fn links_inside_the_layer_are_followed_as_a_container_would() {
    let store = Store::new();
    store
        .import(&tar(&[
            directory("usr/lib"),
            symlink("lib", "usr/lib"),
            file("lib/one", "1"),
            symlink("absolute", "/usr/lib"),
            file("absolute/two", "2"),
            symlink("up", "../../../usr/lib"),
            file("up/three", "3"),
        ]))
        .unwrap();
    assert_eq!(names(&store.layer(0).join("usr/lib")), ["one", "three", "two"]);
}

#[test]
fn a_directory_of_old_is_a_file_with_a_slash() {
    let store = Store::new();
    store.import(&tar(&[file("d/", "").mode(0o755), file("d/f", "")])).unwrap();
    assert!(store.lstat("d").is_dir());
}

#[test]
fn remarks_on_the_whole_archive_are_ignored() {
    let store = Store::new();
    let mut archive = Vec::new();
    append(&mut archive, b"pax_global_header", b"19 comment=1234567\n", |header| {
        header.set_entry_type(EntryType::XGlobalHeader);
    });
    archive.extend(tar(&[file("f", "x")]));
    let summary = store.import(&archive).unwrap();
    assert_eq!(summary.entries, 1);
    assert_eq!(names(&store.layer(0)), ["f"]);
}

#[test]
fn an_archive_larger_than_all_buffers_is_read_whole() {
    let store = Store::new();
    let large: Vec<u8> = (0..1_500_001u32).map(|number| (number % 251) as u8).collect();
    store.import(&tar(&[file("large", &large), file("after", "x")])).unwrap();
    assert!(std::fs::read(store.layer(0).join("large")).unwrap() == large);
    assert_eq!(store.read("after"), "x");
}
