//! An archive takes no more of the machine than it is allowed: not of the disk,
//! not of the memory, not of the time.

#[path = "image_support/archives.rs"]
mod archives;
mod image_support;

use archives::*;
use image_support::*;
use mydocker_image::{self as image, ImportOptions};
use mydocker_kernel::limit::Limit;
use rstest::rstest;

const MAX: usize = 100_000;

fn import(
    store: &Store,
    archive: &[u8],
    max_size: Limit,
) -> mydocker_kernel::Result<image::Summary> {
    let options = ImportOptions { max_size, ..ImportOptions::default() };
    image::import(&store.root(), "it", &store.save(archive), &options)
}

#[rstest]
fn an_archive_that_unpacks_to_more_than_allowed_is_refused(
    #[values(plain, gzip, gzip_of_several_members, zstd_of_several_frames)] compress: Compress,
) {
    let store = Store::new();
    let archive = compress(&tar(&[file("small", "1"), file("bomb", vec![0; 2 * MAX])]));
    let error = import(&store, &archive, Limit::At(MAX as u64)).unwrap_err().to_string();
    for part in ["\"bomb\"", "97.66 KiB", "--max-size 1m", "--max-size max"] {
        assert!(error.contains(part), "no {part} in: {error}");
    }
    assert_eq!(store.left(), [""; 0]);
    store.assert_untouched();
    import(&store, &archive, Limit::Max).unwrap();
}

#[test]
fn an_archive_of_the_allowed_size_is_imported() {
    let archive = tar(&[file("f", vec![0; MAX])]);
    let store = Store::new();
    let less = Limit::At(archive.len() as u64 - 1);
    import(&store, &gzip(&archive), less).unwrap_err();
    import(&store, &gzip(&archive), Limit::At(archive.len() as u64)).unwrap();
}

/// Also what is only read over counts: it takes time.
#[rstest]
#[case::after_the_end_mark([tar(&[file("f", "")]), vec![0; MAX]].concat())]
#[case::in_a_remark(tar(&[node("f", tar::EntryType::XGlobalHeader, (0, 0)).data(vec![0; MAX])]))]
#[case::in_a_whiteout(tar(&[file(".wh.f", vec![0; MAX])]))]
#[case::in_names(tar(&vec![file("long/".repeat(40), ""); MAX / 1500]))]
fn what_is_no_file_counts_too(#[case] archive: Vec<u8>) {
    let store = Store::new();
    let error = import(&store, &gzip(&archive), Limit::At(MAX as u64)).unwrap_err();
    assert!(error.to_string().contains("--max-size"), "{error}");
    assert_eq!(store.left(), [""; 0]);
}

/// Each layer alone would be allowed, and the archive too.
#[test]
fn the_layers_of_an_image_count_together() {
    let layers = two_layers().map(|layer| [layer, vec![0; MAX]].concat());
    let compressed = layers.each_ref().map(|layer| gzip(layer));
    let config = config(&layers).into_bytes();
    let manifest = format!(
        r#"{{"schemaVersion":2,"config":{},"layers":[{},{}]}}"#,
        descriptor(&config, ""),
        descriptor(&compressed[0], ""),
        descriptor(&compressed[1], ""),
    )
    .into_bytes();
    let [lower, upper] = compressed.each_ref().map(|layer| blob(layer));
    let blobs = vec![lower, upper, blob(&config), blob(&manifest)];
    let archive = tar(&oci_layout(blobs, &[descriptor(&manifest, "")]));
    let store = Store::new();
    let error = import(&store, &archive, Limit::At(MAX as u64 * 3 / 2)).unwrap_err();
    assert!(error.to_string().contains("--max-size"), "{error}");
    assert_eq!(store.left(), [""; 0]);
    import(&store, &archive, Limit::At(MAX as u64 * 5 / 2)).unwrap();
}

/// 60 names for the next level, four levels: 13 million files to be read.
#[test]
fn indexes_that_name_each_other_many_times_are_read_once() {
    let mut blobs = Vec::new();
    let index = r#","mediaType":"application/vnd.oci.image.index.v1+json""#;
    let (more, manifest) = oci_image(plain);
    blobs.extend(more);
    let mut inner = descriptor(&manifest, "");
    for level in 0..4 {
        let names = vec![inner; 60].join(",");
        let nested = format!(r#"{{"level":{level},"manifests":[{names}]}}"#).into_bytes();
        inner = descriptor(&nested, index);
        blobs.push(blob(&nested));
    }
    let store = Store::new();
    store.import(&tar(&oci_layout(blobs, &vec![inner; 60]))).unwrap();
    assert_eq!(store.open().layers().len(), 2);
}

#[test]
fn a_map_of_too_many_holes_is_an_error() {
    let mut map = b"99999999\n".to_vec();
    map.resize(5 << 20, b'0');
    for line in map[9..].chunks_exact_mut(2) {
        line[1] = b'\n';
    }
    let item = file("sparse", map)
        .pax("GNU.sparse.major", "1")
        .pax("GNU.sparse.name", "sparse")
        .pax("GNU.sparse.realsize", "9");
    let error = Store::new().refused(&tar(&[item]));
    assert!(error.contains("\"sparse\"") && error.contains("a million parts"), "{error}");
}

#[test]
fn sizes_whose_sum_is_no_number_are_an_error() {
    let archive = tar(&[file("one", "1"), file("liar", "").pax("size", u64::MAX.to_string())]);
    assert!(Store::new().refused(&archive).contains("\"liar\""));
}

/// The name of an image that comes with its archive.
#[test]
fn no_control_character_of_an_archive_reaches_the_terminal() {
    let (blobs, manifest) = oci_image(plain);
    let name = |number: u8| {
        let name = format!("\\u001b[2J{number}");
        let annotations =
            format!(r#","annotations":{{"org.opencontainers.image.ref.name":"{name}"}}"#);
        descriptor(&[&manifest[..], &[number]].concat(), &annotations)
    };
    let error = Store::new().refused(&tar(&oci_layout(blobs, &[name(1), name(2)])));
    assert!(error.contains("[2J1") && !error.contains('\x1b'), "{error:?}");
}
