//! A layer is a change of the layers below it: what its paths, links and
//! deletions mean is looked up in all of them.

#[path = "image_support/archives.rs"]
mod archives;
mod image_support;

use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use archives::docker_save_of;
use image_support::*;
use mydocker_image::stack::{Found, Stack};
use mydocker_image::whiteout::WhiteoutForm::{self, Aufs, Overlay};
use mydocker_image::{self as image, ImportOptions};
use mydocker_kernel::limit::Limit;
use rstest::rstest;
use tar::EntryType;

/// An image of layers, as the file system that joins them would show it.
struct Merged {
    store: Store,
    stack: Stack,
}

#[track_caller]
fn merged(layers: &[Vec<Item>], form: WhiteoutForm) -> Merged {
    let store = Store::new();
    store.import_as(&archive(layers), form).unwrap();
    let stack = Stack { directories: store.open().layers(), form };
    Merged { store, stack }
}

fn archive(layers: &[Vec<Item>]) -> Vec<u8> {
    let layers: Vec<Vec<u8>> = layers.iter().map(|items| tar(items)).collect();
    tar(&docker_save_of(&layers))
}

impl Merged {
    /// What lies at a path: the text of a file, `-> …` for a link, `/` for a
    /// directory, nothing.
    fn at(&self, path: &str) -> String {
        match self.stack.lookup_path(Path::new(path)).unwrap() {
            Found::Nothing => String::new(),
            Found::Directory(_) => "/".into(),
            Found::File(file, metadata) if metadata.is_symlink() => {
                format!("-> {}", std::fs::read_link(file).unwrap().display())
            }
            Found::File(file, _) => std::fs::read_to_string(file).unwrap(),
        }
    }

    fn place(&self, path: &str) -> PathBuf {
        match self.stack.lookup_path(Path::new(path)).unwrap() {
            Found::Nothing => panic!("nothing at {path}"),
            Found::Directory(merged) => merged.directories[0].clone(),
            Found::File(file, _) => file,
        }
    }
}

/// Two directories with the same names in them, a link to one, and files.
fn lower() -> Vec<Item> {
    vec![
        directory("a").mode(0o750).mtime(3).xattr("user.note", "of a"),
        file("a/x", "a's"),
        directory("a/sub"),
        file("a/sub/x", "a/sub's"),
        directory("b").mode(0o711),
        file("b/x", "b's"),
        directory("b/sub"),
        file("b/sub/x", "b/sub's"),
        symlink("l", "b"),
        symlink("chain", "/l/../l"),
        file("f", "f's").mode(0o640).mtime(7).xattr("user.note", "of f"),
    ]
}

/// A layer that has deleted files of `a` and has a link to `b` in its place.
#[rstest]
#[case::a_whiteout("a/.wh.x")]
#[case::a_deeper_whiteout("a/sub/.wh.x")]
#[case::a_whiteout_of_a_directory("a/.wh.sub")]
#[case::an_opaque_mark("a/.wh..wh..opq")]
#[case::a_deeper_opaque_mark("a/sub/.wh..wh..opq")]
#[case::a_whiteout_of_itself(".wh.a")]
fn a_deletion_does_not_go_through_a_link_of_its_own_layer(
    #[case] deletion: &str,
    #[values(Overlay, Aufs)] form: WhiteoutForm,
    #[values("b", "/b", "l", "../b")] target: &str,
    #[values(false, true)] is_first: bool,
) {
    let mut upper = vec![symlink("a", target), file(deletion, "")];
    if is_first {
        upper.reverse();
    }
    let seen = merged(&[lower(), upper], form);
    assert_eq!(seen.at("a"), format!("-> {target}"));
    assert_eq!((seen.at("b/x"), seen.at("b/sub/x")), ("b's".into(), "b/sub's".into()));
}

#[rstest]
fn a_deletion_below_what_its_own_layer_replaces_says_nothing_new(
    #[values("a/.wh.x", "a/sub/.wh.x", "a/sub/.wh..wh..opq", ".wh.a")] deletion: &str,
    #[values(Overlay, Aufs)] form: WhiteoutForm,
    #[values(false, true)] is_first: bool,
) {
    let mut upper = vec![file("a", "a file now"), file(deletion, "")];
    if is_first {
        upper.reverse();
    }
    assert_eq!(merged(&[lower(), upper], form).at("a"), "a file now");
}

#[rstest]
fn a_deletion_goes_through_a_link_of_the_layers_below(
    #[values("l", "chain")] link: &str,
    #[values(Overlay, Aufs)] form: WhiteoutForm,
) {
    let seen = merged(&[lower(), vec![file(format!("{link}/.wh.x"), "")]], form);
    assert_eq!((seen.at("b/x"), seen.at("a/x")), (String::new(), "a's".into()));
    assert_eq!(seen.at("l"), "-> b");
    assert_eq!(seen.place("b").metadata().unwrap().mode() & 0o7777, 0o711);

    let seen = merged(&[lower(), vec![file(format!("{link}/.wh..wh..opq"), "")]], form);
    assert_eq!(
        (seen.at("b"), seen.at("b/x"), seen.at("b/sub")),
        ("/".into(), "".into(), "".into())
    );
    assert_eq!((seen.at("l"), seen.at("a/x")), ("-> b".into(), "a's".into()));
}

/// As docker saves it when a link was deleted and a directory made in its place.
#[rstest]
fn a_directory_in_the_place_of_a_link_leaves_alone_what_the_link_led_to(
    #[values("l/.wh..wh..opq", "l/.wh.x", ".wh.l")] deletion: &str,
    #[values(Overlay, Aufs)] form: WhiteoutForm,
    #[values(0, 1, 2)] position: usize,
) {
    let mut upper = vec![directory("l"), file("l/new", "new")];
    upper.insert(position, file(deletion, ""));
    let seen = merged(&[lower(), upper], form);
    assert_eq!(
        (seen.at("l"), seen.at("l/new"), seen.at("l/x")),
        ("/".into(), "new".into(), "".into())
    );
    assert_eq!(seen.at("b/x"), "b's");
}

#[rstest]
#[case::of_the_layers_below(vec![file("l/new", "new")])]
#[case::several(vec![file("chain/new", "new")])]
#[case::of_its_own_layer(vec![symlink("m", "b"), file("m/new", "new")])]
#[case::of_both(vec![symlink("m", "/l"), file("m/new", "new")])]
fn a_file_goes_through_links(#[case] upper: Vec<Item>) {
    let seen = merged(&[lower(), upper], Overlay);
    assert_eq!(
        (seen.at("b/new"), seen.at("b/x"), seen.at("l")),
        ("new".into(), "b's".into(), "-> b".into())
    );
    let b = seen.place("b").metadata().unwrap();
    assert_eq!(b.mode() & 0o7777, 0o711, "the attributes of the layer below");
}

#[test]
fn a_link_of_a_layer_below_that_was_deleted_leads_nowhere() {
    let upper = vec![file(".wh.l", ""), file("l/new", "new")];
    let seen = merged(&[lower(), upper], Overlay);
    assert_eq!((seen.at("l/new"), seen.at("b/new")), ("new".into(), "".into()));
    let below = [lower(), vec![symlink("b/k", "../a")]].concat();
    let through_another = vec![file("l/.wh.k", ""), file("b/k/new", "new")];
    let seen = merged(&[below, through_another], Overlay);
    assert_eq!((seen.at("b/k/new"), seen.at("a/new")), ("new".into(), "".into()));
    let layers = [lower(), vec![file(".wh.l", "")], vec![file("l/new", "new")]];
    let seen = merged(&layers, Overlay);
    assert_eq!((seen.at("l/new"), seen.at("b/new")), ("new".into(), "".into()));
}

#[test]
fn directories_that_an_archive_does_not_mention_are_as_below_with_all_attributes() {
    let root = vec![directory("./").mode(0o1711).mtime(11)];
    let seen = merged(&[[root, lower()].concat(), vec![file("a/new", "")]], Overlay);
    let a = seen.place("a");
    assert_eq!(xattr(&a, "user.note").unwrap(), b"of a");
    assert_eq!((a.metadata().unwrap().mode() & 0o7777, a.metadata().unwrap().mtime()), (0o750, 3));
    let root = seen.store.layer(1).metadata().unwrap();
    assert_eq!((root.mode() & 0o7777, root.mtime()), (0o1711, 11));
}

/// What a directory replaces had replaced what the layers below have there.
#[rstest]
#[case::a_file(file("a", ""))]
#[case::a_link(symlink("a", "b"))]
fn a_directory_that_was_something_else_between_is_a_new_one(
    #[case] between: Item,
    #[values(Overlay, Aufs)] form: WhiteoutForm,
) {
    let seen = merged(&[lower(), vec![between, directory("a"), file("a/new", "new")]], form);
    assert_eq!((seen.at("a/x"), seen.at("a/new")), (String::new(), "new".into()));
}

#[rstest]
fn a_whiteout_in_what_is_deleted_is_nowhere(#[values(Overlay, Aufs)] form: WhiteoutForm) {
    let deletions =
        ["a/.wh..wh..opq", "a/sub/.wh..wh..opq", "a/sub/.wh.x", "b/.wh.sub", "b/sub/.wh.x"];
    let upper = deletions.iter().map(|deletion| file(deletion, "")).collect();
    let seen = merged(&[lower(), upper], form);
    assert_eq!(
        (seen.at("a"), seen.at("a/sub"), seen.at("b/sub")),
        ("/".into(), "".into(), "".into())
    );
    let sub = |top: &str| seen.store.layer(1).join(top).join("sub").exists();
    assert!(!sub("a"), "an empty directory in an opaque one shows");
    assert!(form == Overlay || !sub("b"));
}

#[rstest]
fn a_hard_link_to_a_file_of_a_layer_below_is_one(#[values(Overlay, Aufs)] form: WhiteoutForm) {
    let layers = [lower(), vec![file("other", "")], vec![hard_link("a/copy", "f")]];
    let seen = merged(&layers, form);
    assert_eq!((seen.at("f"), seen.at("a/copy")), ("f's".into(), "f's".into()));
    let (f, copy) = (seen.place("f"), seen.place("a/copy"));
    let of = |path: &Path| {
        let metadata = path.metadata().unwrap();
        (metadata.ino(), metadata.nlink(), metadata.mode() & 0o7777, metadata.mtime())
    };
    assert_eq!(of(&f), of(&copy), "one file with two names");
    assert_eq!((of(&copy).1, of(&copy).2, of(&copy).3), (2, 0o640, 7));
    assert_eq!(xattr(&copy, "user.note").unwrap(), b"of f");
    assert_eq!(seen.at("a/x"), "a's", "its directory is that of below");
    let below = seen.store.layer(0).join("f").metadata().unwrap();
    assert_eq!(below.nlink(), 1, "the layer below is as it was");
}

#[test]
fn a_hard_link_to_any_kind_of_file_below() {
    let node = node("fifo", EntryType::Fifo, (0, 0)).mode(0o600);
    let below = vec![node, symlink("soft", "nowhere"), file("closed", "secret").mode(0o400)];
    let upper =
        ["fifo", "soft", "closed"].map(|name| hard_link(format!("new/{name}"), name)).to_vec();
    let seen = merged(&[below, upper], Overlay);
    assert!(seen.place("new/fifo").symlink_metadata().unwrap().file_type().is_fifo());
    assert_eq!(
        (seen.at("new/soft"), seen.at("new/closed")),
        ("-> nowhere".into(), "secret".into())
    );
}

#[rstest]
fn a_hard_link_through_links_of_the_layers_below(#[values("l/x", "chain/x", "b/x")] target: &str) {
    let seen = merged(&[lower(), vec![hard_link("copy", target)]], Overlay);
    assert_eq!((seen.at("copy"), seen.at("b/x")), ("b's".into(), "b's".into()));
    assert_eq!(seen.place("copy").metadata().unwrap().nlink(), 2);
}

#[rstest]
fn a_hard_link_outlives_its_target(
    #[values(".wh.sub", "sub/.wh.x", "sub/.wh..wh..opq", ".wh..wh..opq")] deletion: &str,
    #[values(Overlay, Aufs)] form: WhiteoutForm,
    #[values(false, true)] is_first: bool,
) {
    let mut upper = vec![hard_link("copy", "a/sub/x"), file(format!("a/{deletion}"), "")];
    if is_first {
        upper.reverse();
    }
    let seen = merged(&[lower(), upper], form);
    assert_eq!((seen.at("copy"), seen.at("a/sub/x")), ("a/sub's".into(), "".into()));
    assert_eq!(seen.at("a/sub"), if deletion.starts_with("sub") { "/" } else { "" });
    assert_eq!(seen.place("copy").metadata().unwrap().nlink(), 1);
}

#[test]
fn a_file_in_the_place_of_a_hard_links_target_is_another_one() {
    let upper = vec![hard_link("copy", "f"), file("f", "new"), file(".wh.f", "")];
    let seen = merged(&[lower(), upper], Overlay);
    assert_eq!((seen.at("copy"), seen.at("f")), ("f's".into(), "new".into()));
}

#[rstest]
#[case::a_directory("a", "a directory")]
#[case::nothing("a/missing", "nor a layer below has such a file")]
#[case::what_was_deleted("gone", "nor a layer below has such a file")]
fn a_hard_link_to_no_file_below_is_refused(#[case] target: &str, #[case] why: &str) {
    let below = vec![file("gone", ""), directory("a")];
    let layers = [below, vec![file(".wh.gone", "")], vec![hard_link("link", target)]];
    let error = Store::new().refused(&archive(&layers));
    assert!(error.contains("\"link\"") && error.contains(why), "{error}");
}

/// Many small layers could each copy the same large file.
#[test]
fn copies_of_files_below_count_as_what_is_unpacked() {
    let large = vec![file("large", vec![1; 100_000])];
    let layers = [large, vec![hard_link("one", "large")], vec![hard_link("two", "large")]];
    let store = Store::new();
    let source = store.save(&archive(&layers));
    let import = |max| {
        let options = ImportOptions { max_size: Limit::At(max), ..ImportOptions::default() };
        image::import(&store.root(), "it", &source, &options)
    };
    let error = import(250_000).unwrap_err().to_string();
    assert!(error.contains("\"large\"") && error.contains("--max-size"), "{error}");
    assert_eq!(store.left(), [""; 0]);
    import(350_000).unwrap();
}

#[test]
fn the_holes_of_a_file_below_are_not_copied() {
    let map = b"1\n1000000\n4\n".to_vec();
    let data = [map, vec![0; 500], b"data".to_vec()].concat();
    let sparse = file("sparse", data)
        .pax("GNU.sparse.major", "1")
        .pax("GNU.sparse.name", "sparse")
        .pax("GNU.sparse.realsize", "50000000");
    let seen = merged(&[vec![sparse], vec![hard_link("copy", "sparse")]], Overlay);
    let copy = std::fs::read(seen.place("copy")).unwrap();
    assert_eq!((copy.len(), &copy[1_000_000..1_000_004]), (50_000_000, &b"data"[..]));
    assert!(seen.place("copy").metadata().unwrap().blocks() * 512 < 1_000_000);
}

#[test]
fn a_hard_link_to_a_device_that_was_left_out_is_left_out_too() {
    let store = Store::new();
    // Overlay would take it for the deletion of a file.
    let device = node("device", EntryType::Char, (0, 0));
    let items = [
        device,
        hard_link("second", "device"),
        file("device", "new"),
        hard_link("third", "device"),
    ];
    let summary = store.import(&tar(&items)).unwrap();
    assert_eq!(names(&store.layer(0)), ["device", "third"]);
    assert!(summary.warnings[0].starts_with("1 device 0:0"), "{:?}", summary.warnings);
}

/// An ordinary user can look into no directory that is closed to its owner.
#[rstest]
fn directories_that_are_closed_to_their_owner_are_looked_into(
    #[values(0o000, 0o111, 0o444, 0o500)] mode: u32,
    #[values(Overlay, Aufs)] form: WhiteoutForm,
) {
    let below = vec![
        directory("d").mode(mode),
        directory("d/e").mode(mode),
        file("d/e/x", "x"),
        file("d/e/y", "y"),
        symlink("d/l", "e"),
    ];
    let upper = vec![file("d/e/.wh.x", ""), file("d/l/new", ""), hard_link("copy", "d/e/y")];
    let seen = merged(&[below, upper], form);
    for layer in [0, 1] {
        let d = seen.store.layer(layer).join("d");
        assert_eq!(d.metadata().unwrap().mode() & 0o7777, mode, "layer {layer}");
    }
    if is_root() {
        assert_eq!(
            (seen.at("d/e/x"), seen.at("copy"), seen.at("d/e/y")),
            ("".into(), "y".into(), "y".into())
        );
        assert_eq!(seen.place("d/e").metadata().unwrap().mode() & 0o7777, mode);
    }
}
