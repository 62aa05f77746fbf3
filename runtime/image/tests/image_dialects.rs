//! What tar programs of all times write beside the standard, and all read.

#[path = "image_support/archives.rs"]
mod archives;
mod image_support;

use std::os::unix::fs::MetadataExt;

use archives::{gzip, plain};
use image_support::*;
use rstest::rstest;
use tar::{EntryType, Header};

/// Where the fields of a header are.
const MODE: (usize, usize) = (100, 8);
const UID: (usize, usize) = (108, 8);
const GID: (usize, usize) = (116, 8);
const SIZE: (usize, usize) = (124, 12);
const MTIME: (usize, usize) = (136, 12);

/// An archive of the file `f`, whose header `change` makes.
fn archive(data: &str, change: impl FnOnce(&mut [u8; 512])) -> Vec<u8> {
    let mut archive = Vec::new();
    append(&mut archive, b"f", data.as_bytes(), |header| {
        header.set_mode(0o640);
        header.set_uid(own_ids().0.into());
        header.set_gid(own_ids().1.into());
        header.set_mtime(0);
        change(header.as_mut_bytes());
    });
    archive.resize(archive.len() + 1024, 0);
    archive
}

/// The same, with these bytes in a field, filled up with `rest`.
fn with_field((at, length): (usize, usize), bytes: &[u8], rest: u8) -> Vec<u8> {
    archive("", |block| {
        block[at..at + length].fill(rest);
        block[at..at + bytes.len()].copy_from_slice(bytes);
    })
}

#[rstest]
fn an_empty_number_is_zero(
    #[values(MODE, UID, GID, SIZE, MTIME)] field: (usize, usize),
    #[values(0, b' ')] fill: u8,
) {
    let store = Store::new();
    store.import(&with_field(field, b"", fill)).unwrap();
    let seen = store.lstat("f");
    assert_eq!((seen.size(), seen.mtime()), (0, 0));
    assert_eq!(seen.mode() & 0o7777, if field == MODE { 0 } else { 0o640 });
    assert!(seen.uid() == own_ids().0 && seen.gid() == own_ids().1 || seen.uid() == 0);
}

#[rstest]
#[case::zeros_before(b"00000750\0\0\0\0", 0o750)]
#[case::spaces_before(b"    750 \0\0\0\0", 0o750)]
#[case::nuls_before(b"\0\0\x00750\0\0\0\0\0\0", 0o750)]
#[case::space_after(b"750         ", 0o750)]
#[case::anything_after_a_nul(b"750\0garbage\xff", 0o750)]
#[case::no_room_for_an_end(b"000000000750", 0o750)]
#[case::binary(b"\x80\0\0\0\0\0\0\0\0\0\x01\xe8", 0o750)]
#[case::binary_beyond_32_bits(b"\x80\0\0\0\0\0\0\x02\0\0\0\0", 1 << 33)]
#[case::binary_and_negative(b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xfe", -2)]
#[case::a_year(b"\x80\0\0\0\0\0\0\0\xff\xff\xff\xff", (1 << 32) - 1)]
fn a_number_is_read_however_it_is_written(#[case] field: &[u8; 12], #[case] expected: i64) {
    let store = Store::new();
    store.import(&with_field(MTIME, field, 0)).unwrap();
    assert_eq!(store.lstat("f").mtime(), expected);
}

#[rstest]
#[case::no_digit(b"12x".as_slice())]
#[case::not_octal(b"18")]
#[case::two_numbers(b"12 34")]
#[case::a_sign(b"-1")]
#[case::binary_without_end(b"\x80\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff")]
fn what_is_no_number_is_an_error(
    #[case] bytes: &[u8],
    #[values(MODE, UID, GID, SIZE, MTIME)] field: (usize, usize),
) {
    let bytes = &bytes[..bytes.len().min(field.1)];
    let error = Store::new().refused(&with_field(field, bytes, 0));
    assert!(error.contains("number") || error.contains("none that Linux knows"), "{error}");
}

#[test]
fn a_negative_size_is_an_error() {
    let error = Store::new().refused(&with_field(SIZE, &[0xff; 12], 0));
    assert!(error.contains("-1 for a size"), "{error}");
}

/// Before the standard some programs added up signed bytes.
#[test]
fn a_checksum_of_signed_bytes_is_one() {
    let mut archive = archive("data", |block| block[0] = 0xe9);
    let sum: i64 = archive[..512].iter().map(|&byte| i64::from(byte as i8)).sum();
    let own: i64 = archive[148..156].iter().map(|&byte| i64::from(byte)).sum();
    archive[148..156].copy_from_slice(format!("{:06o}\0 ", sum - own + 256).as_bytes());
    let store = Store::new();
    store.import(&archive).unwrap();
    let name = std::fs::read_dir(store.layer(0)).unwrap().next().unwrap().unwrap().file_name();
    assert_eq!(name.as_encoded_bytes(), b"\xe9");
}

#[test]
fn headers_of_before_the_standard_are_read() {
    let store = Store::new();
    let v7 = |name: &[u8], data: &[u8], kind: u8| {
        let mut archive = Vec::new();
        append(&mut archive, name, data, |header| {
            header.set_mode(0o755);
            header.as_mut_bytes()[157..].fill(0);
            header.as_mut_bytes()[156] = kind;
            header.as_mut_bytes()[157..158].copy_from_slice(b"f");
        });
        archive
    };
    let end = vec![0; 1024];
    let parts = [v7(b"d/", b"", 0), v7(b"f", b"data", 0), v7(b"s", b"", b'2'), v7(b"h", b"", b'1')];
    store.import(&[parts.concat(), end].concat()).unwrap();
    assert!(store.lstat("d").is_dir());
    assert_eq!(store.read("h"), "data");
    assert_eq!(std::fs::read_link(store.layer(0).join("s")).unwrap().to_str(), Some("f"));
}

/// A name is in two parts: star has less room for the first one.
#[rstest]
#[case::posix(b"ustar\x0000", b"")]
#[case::no_version(b"ustar\0\0\0", b"")]
#[case::spaces_for_a_version(b"ustar\0  ", b"")]
#[case::star(b"ustar\x0000", b"tar\0")]
fn a_long_name_of_two_parts_is_put_together(#[case] magic: &[u8; 8], #[case] trailer: &[u8]) {
    let store = Store::new();
    let prefix = "p".repeat(131);
    let whole = archive("data", |block| {
        block[257..265].copy_from_slice(magic);
        block[345..476].copy_from_slice(prefix.as_bytes());
        if !trailer.is_empty() {
            // When it was read last, and when its inode was changed.
            block[476..500].copy_from_slice(b"14000000000 14000000000 ");
            block[508..].copy_from_slice(trailer);
        }
    });
    store.import(&whole).unwrap();
    assert_eq!(names(&store.layer(0)), [prefix.as_str()]);
    assert_eq!(store.read(&format!("{prefix}/f")), "data");
}

/// GNU tar has times where ustar has the beginning of a name.
#[test]
fn times_of_gnu_are_no_part_of_a_name() {
    let store = Store::new();
    store.import(&archive("", |block| block[345..369].fill(b'1'))).unwrap();
    assert_eq!(names(&store.layer(0)), ["f"]);
}

#[rstest]
fn the_name_of_a_volume_is_no_file(
    #[values("backup", "../up", "/", "", ".wh.f", "manifest.json")] name: &str,
    #[values(0, b' ')] fill: u8,
) {
    let mut whole = Vec::new();
    append(&mut whole, name.as_bytes(), b"", |header| {
        header.set_entry_type(EntryType::new(b'V'));
        header.as_mut_bytes()[100..148].fill(fill);
    });
    whole.extend(tar(&[file("f", "x")]));
    let store = Store::new();
    let summary = store.import(&whole).unwrap();
    assert_eq!((names(&store.layer(0)), summary.entries), (vec!["f".into()], 1));
}

#[test]
fn a_directory_of_an_incremental_archive_is_one() {
    let mut whole = Vec::new();
    let list = b"Yf\0Nold\0Dsub\0\0";
    for (name, list) in [(&b"d/"[..], &list[..]), (b"d/sub/", &[b'N'; 700])] {
        append(&mut whole, name, list, |header| {
            header.set_entry_type(EntryType::new(b'D'));
            header.set_mode(0o710);
            header.set_mtime(9);
            // When it was read last, and when it was changed.
            header.as_mut_bytes()[345..369].copy_from_slice(b"14000000000\x0014000000000\0");
        });
    }
    whole.extend(tar(&[file("d/f", "x")]));
    let store = Store::new();
    store.import(&whole).unwrap();
    assert_eq!(names(&store.layer(0).join("d")), ["f", "sub"]);
    assert_eq!((store.lstat("d").mode() & 0o7777, store.lstat("d").mtime()), (0o710, 9));
}

#[test]
fn the_rest_of_a_file_of_another_volume_is_refused_with_the_reason() {
    let error = Store::new().refused(&tar(&[node("f", EntryType::new(b'M'), (0, 0))]));
    assert!(error.contains("another volume") && error.contains("\"f\""), "{error}");
}

#[test]
fn what_is_said_of_all_entries_counts_unless_an_entry_says_otherwise() {
    let mut whole = Vec::new();
    let global = |whole: &mut Vec<u8>, records: &[u8]| {
        append(whole, b"all", records, |h| h.set_entry_type(EntryType::XGlobalHeader));
    };
    global(&mut whole, b"11 mtime=5\n19 comment=ignored\n");
    whole.extend(tar_without_end(&[
        file("all", ""),
        file("own", "").pax("mtime", "7"),
        file("none", "").pax("mtime", ""),
    ]));
    global(&mut whole, b"11 mtime=6\n");
    whole.extend(tar(&[file("later", "")]));
    let store = Store::new();
    store.import(&whole).unwrap();
    let times = ["all", "own", "none", "later"].map(|name| store.lstat(name).mtime());
    assert_eq!(times, [5, 7, image_support::MTIME as i64, 6]);
}

#[test]
fn extended_headers_of_suns_kind_count() {
    let mut whole = Vec::new();
    append(&mut whole, b"x", b"13 path=long\n", |h| h.set_entry_type(EntryType::new(b'X')));
    whole.extend(tar(&[file("short", "x")]));
    let store = Store::new();
    store.import(&whole).unwrap();
    assert_eq!(store.read("long"), "x");
}

#[rstest]
#[case::no_mark(0, 0)]
#[case::half_a_mark(512, 0)]
#[case::no_padding(0, 508)]
fn an_archive_without_an_end_mark_is_taken_with_a_note(
    #[case] mark: usize,
    #[case] less: usize,
    #[values(plain, gzip)] compress: fn(&[u8]) -> Vec<u8>,
) {
    let mut whole = tar_without_end(&[file("one", "1"), file("last", "data")]);
    whole.resize(whole.len() + mark - less, 0);
    let store = Store::new();
    let summary = store.import(&compress(&whole)).unwrap();
    assert_eq!(store.read("last"), "data");
    let noted = summary.warnings.iter().any(|warning| warning.contains("end mark"));
    assert_eq!(noted, mark == 0, "{:?}", summary.warnings);
}

#[rstest]
#[case::one(vec![0])]
#[case::a_block(vec![0; 512])]
#[case::more_than_any_buffer(vec![0; 1_000_000])]
#[case::zeros_then_another_member([vec![0; 512], gzip(b"unseen")].concat())]
fn zeros_after_the_end_of_a_gzip_are_padding(#[case] after: Vec<u8>) {
    let store = Store::new();
    store.import(&[gzip(&tar(&[file("f", "x")])), after].concat()).unwrap();
    assert_eq!(store.read("f"), "x");
}

#[test]
fn zeros_between_the_members_of_a_gzip_are_padding() {
    let whole = tar(&[file("f", "x".repeat(10_000))]);
    let (first, second) = whole.split_at(3000);
    let store = Store::new();
    store.import(&[gzip(first), vec![0; 700], gzip(second)].concat()).unwrap();
    assert_eq!(store.read("f").len(), 10_000);
}

/// As gzip(1) says: "decompression OK, trailing garbage ignored".
#[test]
fn rubbish_after_a_gzip_of_a_whole_archive_is_ignored() {
    let store = Store::new();
    store.import(&[gzip(&tar(&[file("f", "x")])), b"rubbish".to_vec()].concat()).unwrap();
    assert_eq!(store.read("f"), "x");
}

#[test]
fn rubbish_in_the_place_of_the_rest_of_an_archive_is_an_error() {
    let whole = tar_without_end(&[file("f", "x")]);
    let error = Store::new().refused(&[gzip(&whole), b"rubbish".to_vec()].concat());
    assert!(error.contains("no gzip") && error.contains("\"f\""), "{error}");
}

/// GNU tar wrote maps of holes in two other ways before the present one.
#[rstest]
#[case::form_0_0(&[("offset", "512"), ("numbytes", "4"), ("offset", "100000"), ("numbytes", "2")])]
#[case::form_0_1(&[("map", "512,4,100000,2")])]
fn files_with_holes_of_older_forms_stay_right(#[case] map: &[(&str, &str)]) {
    let mut item = file("GNUSparseFile.0/f", "dataxy").pax("path", "f");
    item = item.pax("GNU.sparse.size", "200000").pax("GNU.sparse.numblocks", "2");
    for (key, value) in map {
        item = item.pax(&format!("GNU.sparse.{key}"), value);
    }
    let store = Store::new();
    store.import(&tar(&[item, file("after", "it")])).unwrap();
    let seen = std::fs::read(store.layer(0).join("f")).unwrap();
    let mut expected = vec![0; 200_000];
    expected[512..516].copy_from_slice(b"data");
    expected[100_000..100_002].copy_from_slice(b"xy");
    assert!(seen == expected);
    assert_eq!(store.read("after"), "it");
}

/// A header that has been in no archive since 1988.
#[test]
fn a_block_of_no_format_is_no_archive() {
    let mut header = Header::new_old();
    header.set_size(0);
    let error = Store::new().refused(header.as_bytes());
    assert!(error.contains("not a tar archive"), "{error}");
}
