//! Files with holes, in the forms that tar programs have for them.

mod image_support;

use std::os::unix::fs::MetadataExt;

use image_support::*;
use tar::EntryType;
#[test]
fn files_with_holes_of_gnus_form_stay_right() {
    let store = Store::new();
    let mut archive = Vec::new();
    // Six parts: four fit into the header, the others into a block after it.
    let parts: Vec<u64> = (0..6).map(|part| part * 1_000_000 / 512 * 512).collect();
    let size: u64 = 7_000_000;
    let data: Vec<u8> = (0..6u8).flat_map(|part| [part + 1; 512]).collect();
    let mut extension = tar::GnuExtSparseHeader::new();
    append(&mut archive, b"sparse", &data, |header| {
        header.set_entry_type(EntryType::GNUSparse);
        header.set_mode(0o644);
        header.set_uid(own_ids().0.into());
        header.set_gid(own_ids().1.into());
        header.set_mtime(MTIME);
        let gnu = header.as_gnu_mut().unwrap();
        gnu.set_real_size(size);
        gnu.set_is_extended(true);
        for (slot, offset) in gnu.sparse.iter_mut().zip(&parts) {
            slot.set_offset(*offset);
            slot.set_length(512);
        }
    });
    for (slot, offset) in extension.sparse_mut().iter_mut().zip(&parts[4..]) {
        slot.set_offset(*offset);
        slot.set_length(512);
    }
    archive.splice(512..512, *extension.as_bytes());
    archive.extend(tar(&[file("after", "it")]));
    store.import(&archive).unwrap();
    assert_sparse(&store, &parts, size);
    assert_eq!(store.read("after"), "it");
}

#[test]
fn files_with_holes_of_paxs_form_stay_right() {
    let store = Store::new();
    let (parts, size): (Vec<u64>, u64) = ((0..3).map(|part| part * 1024 * 1024).collect(), 4 << 20);
    let mut data = format!("{}\n", parts.len()).into_bytes();
    for offset in &parts {
        data.extend(format!("{offset}\n512\n").into_bytes());
    }
    data.resize(512, 0);
    data.extend((0..3u8).flat_map(|part| [part + 1; 512]));
    let item = file("GNUSparseFile.0/sparse", data)
        .pax("GNU.sparse.major", "1")
        .pax("GNU.sparse.minor", "0")
        .pax("GNU.sparse.name", "sparse")
        .pax("GNU.sparse.realsize", size.to_string());
    store.import(&tar(&[item, file("after", "it")])).unwrap();
    assert_sparse(&store, &parts, size);
    assert_eq!(store.read("after"), "it");
}

/// Each part begins with 512 bytes of its number, all else is zeroes and holes.
#[track_caller]
fn assert_sparse(store: &Store, parts: &[u64], size: u64) {
    let seen = std::fs::read(store.layer(0).join("sparse")).unwrap();
    let mut expected = vec![0; size as usize];
    for (number, &offset) in parts.iter().enumerate() {
        expected[offset as usize..][..512].fill(number as u8 + 1);
    }
    assert!(seen == expected, "the contents are wrong");
    let on_disk = store.lstat("sparse").blocks() * 512;
    assert!(on_disk < size / 2, "{on_disk} bytes on disk: the holes are filled");
}
