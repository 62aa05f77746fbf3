//! Whatever an archive says: nothing outside of its layer is touched, and an
//! archive that is refused leaves nothing.

mod image_support;

use std::os::unix::fs::MetadataExt;

use image_support::*;
use mydocker_image as image;
use rstest::rstest;
use tar::EntryType;

#[rstest]
#[case::parent("../x")]
#[case::parent_in_the_middle("a/../../x")]
#[case::parent_that_would_stay_inside("a/../x")]
#[case::parent_at_the_end("a/..")]
#[case::absolute_parent("/../x")]
fn names_that_lead_up_are_refused(#[case] name: &str) {
    let error = Store::new().refused(&tar(&[file("innocent", ""), file(name, "bad")]));
    assert!(error.contains(&format!("{name:?}")) && error.contains(".."), "{error}");
}

#[rstest]
#[case::empty(file("", "bad"), "the name is empty")]
#[case::nul(file("innocent", "bad").pax("path", "a\0b"), "NUL")]
#[case::nul_in_a_link(symlink("link", "x").pax("linkpath", "a\0b"), "EINVAL")]
#[case::link_to_nothing(symlink("link", ""), "ENOENT")]
#[case::too_long(file("n".repeat(256), ""), "ENAMETOOLONG")]
#[case::root_as_a_file(file("./", "").pax("path", "."), "root of the layer")]
#[case::root_as_a_symlink(symlink("/", "/tmp"), "root of the layer")]
#[case::no_user(file("f", "").owner(u64::from(u32::MAX), 0), "user 4294967295")]
#[case::no_group(file("f", "").owner(0, 1 << 40), "group 1099511627776")]
#[case::whiteout_of_nothing(file(".wh.", ""), "whiteout of no file")]
#[case::whiteout_of_the_parent(file("a/.wh...", ""), "whiteout of no file")]
#[case::whiteout_of_the_directory(file("a/.wh..", ""), "whiteout of no file")]
#[case::in_a_whiteout(file(".wh.a/b", ""), "whiteout")]
#[case::hard_link_through_a_file(hard_link("link", "f/x"), "hard link to \"f/x\"")]
#[case::hard_link_up(hard_link("link", "../canary"), "..")]
#[case::hard_link_to_the_root(hard_link("link", "/"), "directory")]
#[case::hard_link_to_nothing(hard_link("link", "missing"), "hard link to \"missing\"")]
#[case::hard_link_to_the_host(hard_link("link", "/etc/passwd"), "hard link to \"etc/passwd\"")]
fn an_entry_that_is_refused_is_named(#[case] item: Item, #[case] why: &str) {
    let name = match item.pax.iter().find(|(key, _)| key == "path") {
        Some((_, path)) => String::from_utf8(path.clone()).unwrap(),
        None => String::from_utf8(item.name.clone()).unwrap(),
    };
    let error = Store::new().refused(&tar(&[directory("a"), file("f", ""), item]));
    assert!(error.contains(why), "{error}");
    let name = name.trim_start_matches('/');
    assert!(error.contains(&format!("{name:?}").replace('"', "")), "{error}");
}

#[test]
fn a_hard_link_to_a_directory_is_refused() {
    let error = Store::new().refused(&tar(&[directory("d"), hard_link("link", "d")]));
    assert!(error.contains("\"link\"") && error.contains("a directory"), "{error}");
}

/// A link is planted that leads out, and then written through.
#[rstest]
#[case::up("..")]
#[case::far_up("../../../../../../../../..")]
#[case::root("/")]
#[case::proc("/proc/self/cwd")]
#[case::proc_root("/proc/self/root")]
fn a_planted_link_leads_nowhere_but_into_the_layer(#[case] target: &str) {
    let store = Store::new();
    let archive = tar(&[symlink("link", target), file("link/canary", "dead")]);
    let result = store.import(&archive);
    store.assert_untouched();
    match result {
        Ok(_) => assert_eq!(store.read("canary"), "dead"),
        Err(error) => {
            assert!(error.to_string().contains("\"link/canary\""), "{error}");
            assert_eq!(store.left(), [""; 0]);
        }
    }
}

#[test]
fn a_planted_link_to_a_host_path_is_a_path_in_the_layer() {
    let store = Store::new();
    let outside = store.outside().to_owned();
    let error = store.refused(&tar(&[symlink("link", &outside), file("link/canary", "dead")]));
    assert!(error.contains("\"link/canary\"") && error.contains("leads nowhere"), "{error}");
}

#[test]
fn a_planted_link_is_replaced_and_not_written_through() {
    let store = Store::new();
    let canary = store.outside().join("canary");
    store
        .import(&tar(&[
            symlink("file", &canary),
            file("file", "dead"),
            symlink("directory", store.outside()),
            directory("directory").mode(0o777).mtime(1),
            symlink("hard", &canary),
            hard_link("second", "hard"),
        ]))
        .unwrap();
    store.assert_untouched();
    assert_eq!(store.read("file"), "dead");
    assert!(store.lstat("directory").is_dir());
    assert!(store.lstat("second").is_symlink(), "the link itself gets the second name");
    assert_eq!(canary.metadata().unwrap().nlink(), 1);
}

#[test]
fn the_attributes_of_a_link_are_not_those_of_its_target() {
    let store = Store::new();
    let canary = store.outside().join("canary");
    let before = canary.metadata().unwrap();
    store
        .import(&tar(&[symlink("l", &canary)
            .mode(0o4777)
            .owner(1, 1)
            .mtime(1)
            .xattr("user.a", "b")]))
        .unwrap();
    let after = canary.metadata().unwrap();
    assert_eq!((before.mode(), before.uid()), (after.mode(), after.uid()));
    assert_eq!((before.mtime(), before.ctime_nsec()), (after.mtime(), after.ctime_nsec()));
    assert_eq!(xattr(&canary, "user.a"), None);
}

#[test]
fn a_directory_that_became_a_link_keeps_its_attributes_to_itself() {
    let store = Store::new();
    let before = store.outside().metadata().unwrap();
    let archive =
        tar(&[directory("d").mode(0o777).mtime(1).owner(1, 1), symlink("d", store.outside())]);
    store.import(&archive).unwrap();
    let after = store.outside().metadata().unwrap();
    assert_eq!((before.mode(), before.uid()), (after.mode(), after.uid()));
    assert!(store.lstat("d").is_symlink());
}

#[test]
fn the_directory_of_the_entry_before_is_not_trusted_when_it_was_replaced() {
    let store = Store::new();
    store
        .import(&tar(&[
            directory("a"),
            directory("b"),
            symlink("l", "a"),
            file("l/1", ""),
            symlink("l", "b"),
            file("l/2", ""),
        ]))
        .unwrap();
    assert_eq!(names(&store.layer(0).join("a")), ["1"]);
    assert_eq!(names(&store.layer(0).join("b")), ["2"]);
}

/// The directory of an entry is that in which it was when it began.
#[rstest]
#[case::directory(directory("a/l/l").mode(0o1710).mtime(7))]
#[case::file(file("a/l/l", "new").mode(0o4710).mtime(7))]
#[case::symlink(symlink("a/l/l", "new").mtime(7).mode(0o1710))]
#[case::fifo(node("a/l/l", EntryType::Fifo, (0, 0)).mode(0o710).mtime(7))]
fn an_entry_may_replace_the_link_that_its_own_path_leads_through(#[case] item: Item) {
    let store = Store::new();
    let kind = item.kind;
    let archive = tar(&[directory("a"), symlink("a/l", "../a"), item, file("a/next", "")]);
    store.import(&archive).unwrap();
    assert_eq!(names(&store.layer(0).join("a")), ["l", "next"]);
    let seen = store.lstat("a/l");
    assert_eq!(seen.is_dir(), kind == EntryType::Directory);
    assert_eq!(seen.mtime(), 7);
    assert_eq!(names(&store.layer(0).join("a/l")), [""; 0]);
}

#[rstest]
#[case::file_as_a_directory(vec![file("f", ""), file("f/x", "")], "f/x")]
#[case::circle(vec![symlink("a", "b"), symlink("b", "a"), file("a/x", "")], "a/x")]
#[case::dangling(vec![symlink("a", "missing"), file("a/x", "")], "a/x")]
fn a_path_that_cannot_be_is_refused(#[case] items: Vec<Item>, #[case] name: &str) {
    let error = Store::new().refused(&tar(&items));
    assert!(error.contains(&format!("{name:?}")) && error.contains("why:"), "{error}");
}

#[test]
fn a_path_longer_than_any_is_refused() {
    let long = vec!["d".repeat(200); 30].join("/");
    let error = Store::new().refused(&tar(&[file(&long, "")]));
    assert!(error.contains("ENAMETOOLONG") && error.contains(&long), "{error}");
}

#[test]
fn a_fifo_or_a_device_in_the_place_of_an_archives_file_is_not_opened() {
    // To open the fifo would wait for ever.
    let store = Store::new();
    let kinds = [EntryType::Fifo, EntryType::Char];
    let items: Vec<Item> = ["manifest.json", "oci-layout", "index.json"]
        .iter()
        .enumerate()
        .map(|(number, name)| node(name, kinds[number % 2], (1, 3)))
        .collect();
    let summary = store.import(&tar(&items)).unwrap();
    assert_eq!(summary.layers, 1);
}

#[rstest]
#[case::wrong_length(b"99 path=x\n".as_slice())]
#[case::no_length(b"path=x\n")]
#[case::huge_length(b"99999999999999999999999 path=x\n")]
#[case::zero_length(b"0 path=x\n")]
#[case::no_line_feed(b"9 path=xy")]
#[case::no_equals_sign(b"7 path\n")]
#[case::no_number(b"11 size=ab\n")]
#[case::no_time(b"14 mtime=1.x2\n")]
#[case::not_utf8_number(b"9 uid=\xff\xff\n")]
fn damaged_attributes_are_an_error(#[case] records: &[u8]) {
    let mut archive = Vec::new();
    append(&mut archive, b"pax", records, |header| header.set_entry_type(EntryType::XHeader));
    archive.extend(tar(&[file("f", "")]));
    let error = Store::new().refused(&archive);
    assert!(error.contains("damaged"), "{error}");
}

#[rstest]
#[case::larger_than_the_archive("99999999")]
#[case::larger_than_any("18446744073709551615")]
fn a_size_that_lies_is_an_error(#[case] size: &str) {
    let archive = tar(&[file("liar", "data").pax("size", size), file("f", "")]);
    let error = Store::new().refused(&archive);
    assert!(error.contains("\"liar\"") && error.contains("damaged"), "{error}");
}

#[test]
fn a_name_larger_than_memory_is_an_error() {
    let mut archive = Vec::new();
    append(&mut archive, b"././@LongLink", b"", |header| {
        header.set_entry_type(EntryType::GNULongName);
        header.set_size(1 << 40);
    });
    archive.extend(tar(&[file("f", "")]));
    assert!(Store::new().refused(&archive).contains("damaged"));
}

#[rstest]
#[case::overlapping(&[(0, 512), (256, 512)], 1024)]
#[case::outside(&[(0, 512), (4096, 512)], 1024)]
#[case::endless(&[(0, 512), (u64::MAX - 100, 512)], u64::MAX)]
#[case::too_few(&[(0, 512)], 1024)]
#[case::larger_than_any_file(&[(0, 512), (1024, 512)], u64::MAX)]
fn a_map_of_holes_that_lies_is_an_error(#[case] parts: &[(u64, u64)], #[case] size: u64) {
    let mut data = format!("{}\n", parts.len()).into_bytes();
    for (offset, length) in parts {
        data.extend(format!("{offset}\n{length}\n").into_bytes());
    }
    data.resize(512 + 1024, 0);
    let item = file("sparse", data)
        .pax("GNU.sparse.major", "1")
        .pax("GNU.sparse.name", "sparse")
        .pax("GNU.sparse.realsize", size.to_string());
    let error = Store::new().refused(&tar(&[item]));
    assert!(error.contains("\"sparse\"") && error.contains("damaged"), "{error}");
}

#[test]
fn no_header_makes_it_panic() {
    // Every byte of the fields, each set to what is most likely to hurt.
    let good = tar(&[directory("d").xattr("user.a", "b"), file("d/f", "data")]);
    let store = Store::new();
    for position in
        (0..good.len() - 1024).filter(|at| matches!(at % 512, 0..12 | 100..160 | 257..265))
    {
        for value in [0, b'9', b'/', 0xff] {
            let mut bad = good.clone();
            bad[position] = value;
            // With a good checksum, or nothing but that is ever tested.
            let block = &mut bad[position / 512 * 512..][..512];
            if !(148..156).contains(&(position % 512)) {
                let mut header = tar::Header::new_old();
                header.as_mut_bytes().copy_from_slice(block);
                header.set_cksum();
                block.copy_from_slice(header.as_bytes());
            }
            match store.import(&bad) {
                Ok(_) => image::remove(&store.root(), "it", &[]).unwrap(),
                Err(_) => assert_eq!(store.left(), [""; 0], "byte {position} set to {value}"),
            }
            store.assert_untouched();
        }
    }
}
