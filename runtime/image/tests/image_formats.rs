//! Archives of all formats and compressions; damaged ones leave nothing.

#[path = "image_support/archives.rs"]
mod archives;
mod image_support;

use std::path::Path;

use archives::*;
use image_support::*;
use mydocker_image::{self as image, Image, ImportOptions};
use rstest::rstest;

#[track_caller]
fn assert_two_layers(store: &Store) {
    let image = store.open();
    assert_eq!(image.layers(), [store.layer(1), store.layer(0)], "topmost first");
    assert_eq!(names(&store.layer(0)), ["etc", "gone"]);
    assert_eq!(names(&store.layer(1)), ["etc", "gone"], "the deletion of gone");
    let name = |layer| std::fs::read_to_string(store.layer(layer).join("etc/name")).unwrap();
    assert_eq!((name(0).as_str(), name(1).as_str()), ("lower", "upper"));
    assert_eq!(image.env(), ["PATH=/bin", "A=b=c"]);
    assert_eq!(image.working_dir(), Some("/srv"));
    assert_eq!(names(&store.images().join("it/layers")), ["00", "01"]);
}

#[rstest]
fn files_of_every_compression_are_a_layer(
    #[values(plain, gzip, gzip_of_several_members, zstd, zstd_of_several_frames)]
    compress: Compress,
) {
    let store = Store::new();
    store.import(&compress(&tar(&[file("f", "x".repeat(300_000))]))).unwrap();
    assert_eq!(store.read("f").len(), 300_000);
    assert_eq!((store.open().env().len(), store.open().working_dir()), (0, None));
}

#[rstest]
fn image_archives_of_every_compression_are_layers(
    #[values(docker_save_of_old, docker_save, oci)] make: fn(Compress) -> Vec<Item>,
    #[values(plain, gzip, zstd_of_several_frames)] outside: Compress,
    #[values(plain, gzip_of_several_members, zstd)] inside: Compress,
) {
    let store = Store::new();
    let summary = store.import(&outside(&tar(&make(inside)))).unwrap();
    assert_eq!((summary.layers, summary.entries), (2, 5));
    assert_two_layers(&store);
}

#[test]
fn the_folder_of_an_oci_layout_is_an_archive_too() {
    let store = Store::new();
    let layout = unpacked(&store, &oci(gzip));
    image::import(&store.root(), "it", &layout, &ImportOptions::default()).unwrap();
    assert_two_layers(&store);
    assert!(layout.join("index.json").exists(), "the source is only read");
}

/// The files of an archive as a folder, made by an import of their own.
fn unpacked(store: &Store, items: &[Item]) -> std::path::PathBuf {
    let folder = store.outside().join("layout");
    for item in items {
        let path = folder.join(std::str::from_utf8(&item.name).unwrap());
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, &item.data).unwrap();
    }
    folder
}

#[test]
fn any_other_folder_is_refused() {
    let store = Store::new();
    let folder = unpacked(&store, &[file("etc/passwd", "")]);
    let error = image::import(&store.root(), "it", &folder, &ImportOptions::default());
    let error = error.unwrap_err().to_string();
    assert!(error.contains("not an OCI image layout") && error.contains("tar -C"), "{error}");
}

#[test]
fn of_several_platforms_the_one_of_this_machine_is_taken() {
    let here = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    let (mut blobs, manifest) = oci_image(gzip);
    let platform = |os: &str, architecture: &str| {
        format!(r#","platform":{{"os":"{os}","architecture":"{architecture}"}}"#)
    };
    let other = br#"{"config":{"digest":"sha256:0"},"layers":[]}"#;
    let foreign = descriptor(other, &platform("linux", "pdp11"));
    let windows = descriptor(b"windows", &platform("windows", here));
    let attestation = descriptor(b"attestation", &platform("unknown", "unknown"));
    let good = descriptor(&manifest, &platform("linux", here));
    // As docker buildx makes it: the index names an index.
    let nested =
        format!(r#"{{"manifests":[{attestation},{foreign},{good},{windows}]}}"#).into_bytes();
    blobs.push(blob(other));
    blobs.push(blob(&nested));
    let index = r#","mediaType":"application/vnd.oci.image.index.v1+json""#;
    let store = Store::new();
    store.import(&tar(&oci_layout(blobs, &[descriptor(&nested, index)]))).unwrap();
    assert_two_layers(&store);
}

#[test]
fn the_only_image_is_taken_whatever_its_platform_and_its_names() {
    let (blobs, manifest) = oci_image(gzip);
    let named = |name: &str| {
        descriptor(
            &manifest,
            &format!(
                r#","platform":{{"os":"linux","architecture":"pdp11"}},
                "annotations":{{"org.opencontainers.image.ref.name":"{name}"}}"#
            ),
        )
    };
    let store = Store::new();
    store.import(&tar(&oci_layout(blobs, &[named("one"), named("two")]))).unwrap();
    assert_two_layers(&store);
}

#[test]
fn of_several_images_none_is_taken_and_all_are_named() {
    let (mut blobs, manifest) = oci_image(gzip);
    let other = [&manifest[..], b" "].concat();
    blobs.push(blob(&other));
    let named = |bytes: &[u8], name: &str| {
        let name = format!(r#","annotations":{{"org.opencontainers.image.ref.name":"{name}"}}"#);
        descriptor(bytes, &name)
    };
    let layout = oci_layout(blobs, &[named(&manifest, "busybox"), named(&other, "alpine")]);
    let manifests = r#"[{"Config":"a","RepoTags":["busybox:1","busybox:2"],"Layers":[]},
        {"Config":"b","RepoTags":["alpine:1"],"Layers":[]}]"#;
    for items in [layout, vec![file("manifest.json", manifests)]] {
        let error = Store::new().refused(&tar(&items));
        assert!(error.contains("2 images"), "{error}");
        assert!(error.contains("busybox") && error.contains("alpine"), "{error}");
    }
}

#[rstest]
#[case::no_json("no json")]
#[case::something_elses(r#"{"name":"an app"}"#)]
#[case::of_no_image("[]")]
#[case::without_its_files(r#"[{"Config":"c.json","RepoTags":null,"Layers":["a/layer.tar"]}]"#)]
fn files_that_have_a_manifest_of_something_else_are_a_layer(#[case] manifest: &str) {
    let store = Store::new();
    let summary = store.import(&tar(&[file("manifest.json", manifest), directory("etc")])).unwrap();
    assert_eq!(summary.layers, 1);
    assert_eq!(names(&store.layer(0)), ["etc", "manifest.json"]);
}

/// Each file of the archive, altered; each is named.
#[rstest]
#[case::docker_of_old(docker_save_of_old(plain), "b/layer.tar")]
#[case::docker_of_old_compressed(docker_save_of_old(gzip), "b/layer.tar")]
#[case::docker(docker_save(plain), "blobs/sha256/")]
#[case::oci_layer(oci(plain), "blobs/sha256/")]
fn an_altered_layer_is_an_error_that_names_it(#[case] mut items: Vec<Item>, #[case] name: &str) {
    let layers = two_layers();
    let compressed = gzip(&layers[1]);
    let layer = items
        .iter_mut()
        .find(|item| item.data == layers[1] || item.data == compressed)
        .expect("the upper layer");
    // A byte of a file's contents: the archive itself is as good as ever.
    match layer.data.windows(5).position(|bytes| bytes == b"upper") {
        Some(position) => layer.data[position] = b'U',
        None => layer.data = gzip(&tar(&[file("etc/name", "Upper")])),
    }
    let error = Store::new().refused(&tar(&items));
    assert!(error.contains("SHA-256") && error.contains(name), "{error}");
}

#[rstest]
#[case::layer(0)]
#[case::config(2)]
#[case::manifest(3)]
fn a_missing_or_cut_blob_is_an_error_that_names_it(#[case] number: usize) {
    let mut items = oci(gzip);
    let name = String::from_utf8(items[number].name.clone()).unwrap();
    items[number].data.pop();
    let error = Store::new().refused(&tar(&items));
    assert!(error.contains(&name) && error.contains("SHA-256"), "{error}");
    items.remove(number);
    let error = Store::new().refused(&tar(&items));
    assert!(error.contains(&name) && error.contains("missing"), "{error}");
}

#[rstest]
#[case::other_algorithm("sha512:00")]
#[case::path("sha256:../../../../etc/passwd")]
#[case::too_short("sha256:00")]
fn a_digest_that_is_none_is_an_error(#[case] digest: &str) {
    let items = oci_layout(Vec::new(), &[format!(r#"{{"digest":"{digest}"}}"#)]);
    let error = Store::new().refused(&tar(&items));
    assert!(error.contains(digest), "{error}");
}

#[test]
fn a_layer_that_is_a_link_to_the_host_is_missing() {
    let mut items = docker_save_of_old(plain);
    let store = Store::new();
    items[3] = symlink("a/layer.tar", store.outside().join("canary"));
    let error = store.refused(&tar(&items));
    assert!(error.contains("a/layer.tar") && error.contains("missing"), "{error}");
}

#[test]
fn an_index_in_an_index_in_an_index_comes_to_an_end() {
    let mut blobs = Vec::new();
    let index = r#","mediaType":"application/vnd.oci.image.index.v1+json""#;
    let mut inner = descriptor(b"x", "");
    for _ in 0..20 {
        let nested = format!(r#"{{"manifests":[{inner}]}}"#).into_bytes();
        inner = descriptor(&nested, index);
        blobs.push(blob(&nested));
    }
    let error = Store::new().refused(&tar(&oci_layout(blobs, &[inner])));
    assert!(error.contains("levels"), "{error}");
}

/// Cut off anywhere but at the edge of an entry, an archive is damaged.
#[rstest]
fn an_archive_that_ends_early_leaves_nothing(
    #[values(plain, gzip, gzip_of_several_members, zstd, zstd_of_several_frames)]
    compress: Compress,
) {
    let items = [directory("d"), file("d/one", "1".repeat(700)), file("d/two", "2")];
    let whole = compress(&tar(&items));
    let is_plain = whole == tar(&items);
    let end = if is_plain { whole.len() - 1024 } else { whole.len() - 14 };
    // From the last byte of an entry to the next header nothing is missing but
    // the end mark.
    let edges = [512..=512, 1724..=2048, 2561..=3072];
    let is_edge = |length: &usize| is_plain && edges.iter().any(|edge| edge.contains(length));
    let step = if is_plain { 61 } else { 1 };
    let store = Store::new();
    for length in (1..=end).rev().step_by(step).filter(|length| !is_edge(length)) {
        let error = store.refused(&whole[..length]);
        let expected = ["damaged or cut off", "is not a tar archive"];
        assert!(expected.iter().any(|text| error.contains(text)), "{length} bytes: {error}");
    }
    store.import(&whole).unwrap();
}

#[test]
fn an_archive_that_ends_early_names_the_entry() {
    let whole = tar(&[file("first", "1"), file("second", "2".repeat(5000))]);
    let error = Store::new().refused(&whole[..3000]);
    assert!(error.contains("\"second\"") && error.contains("cut off"), "{error}");
}

#[rstest]
fn a_layer_of_no_bytes_is_an_empty_layer(
    #[values(docker_save_of, oci_of)] archive: fn(&[Vec<u8>]) -> Vec<Item>,
    #[values(plain, gzip)] compress: Compress,
) {
    let store = Store::new();
    let layers = [compress(b""), compress(&two_layers()[0]), compress(b"")];
    let summary = store.import(&tar(&archive(&layers))).unwrap();
    assert_eq!(summary.layers, 3);
    assert_eq!(names(&store.layer(0)), [""; 0]);
    assert_eq!(names(&store.layer(1)), ["etc", "gone"]);
    assert_eq!(names(&store.layer(2)), [""; 0]);
}

/// Every byte of a compressed archive, altered: the checksum sees it.
#[rstest]
fn a_damaged_stream_leaves_nothing(#[values(gzip, zstd)] compress: Compress) {
    let data: Vec<u8> = (0..=255).collect();
    let whole = compress(&tar(&[file("f", &data)]));
    let store = Store::new();
    // The header of a gzip has a time and a system in it, which nothing guards.
    for position in 10..whole.len() {
        let mut bad = whole.clone();
        bad[position] ^= 0x10;
        match store.import(&bad) {
            Err(_) => assert_eq!(store.left(), [""; 0], "byte {position}"),
            // Not every bit of a stream says something.
            Ok(_) => {
                let seen = std::fs::read(store.layer(0).join("f")).unwrap();
                assert!(seen == data, "byte {position} changed the file unseen");
                image::remove(&store.root(), "it", &[]).unwrap();
            }
        }
    }
}

#[rstest]
#[case::nothing(b"".as_slice(), "it is empty")]
#[case::text(b"hello\n", "shorter than one block")]
#[case::long_text(&[b'a'; 5000], "no header")]
#[case::xz(b"\xfd7zXZ\0rest", "xz -d")]
#[case::bzip2(b"BZh91AY&SY", "bzip2 -d")]
#[case::zip(b"PK\x03\x04rest", "a zip")]
fn what_is_no_archive_is_an_error(#[case] bytes: &[u8], #[case] why: &str) {
    let store = Store::new();
    let error = store.refused(bytes);
    assert!(error.contains(why), "{error}");
    assert!(error.contains("archive"), "names the file: {error}");
}

#[test]
fn what_is_compressed_but_no_archive_is_an_error() {
    for bytes in [gzip(b"hello"), zstd(b"hello"), gzip(b"")] {
        let error = Store::new().refused(&bytes);
        assert!(error.contains("not a tar archive"), "{error}");
    }
}

#[test]
fn a_missing_file_is_an_error() {
    let store = Store::new();
    let missing = Path::new("/no/such/archive.tar");
    let error = image::import(&store.root(), "it", missing, &ImportOptions::default());
    let error = error.unwrap_err().to_string();
    assert!(error.contains("/no/such/archive.tar") && error.contains("ENOENT"), "{error}");
    assert!(Image::open(&store.root(), "it").is_err());
}
