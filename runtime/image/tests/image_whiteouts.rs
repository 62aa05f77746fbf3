//! Deletions: they count for the layers below, and never for their own.

#[path = "image_support/archives.rs"]
mod archives;
mod image_support;

use std::path::{Path, PathBuf};

use archives::docker_save_of;
use image_support::*;
use mydocker_image::whiteout::WhiteoutForm::{self, Aufs, Overlay};
use mydocker_image::whiteout::{is_opaque, is_whiteout};
use rstest::rstest;
use tar::EntryType;

/// An image archive of these layers, the bottom one first.
fn image(layers: &[Vec<Item>]) -> Vec<u8> {
    let layers: Vec<Vec<u8>> = layers.iter().map(|items| tar(items)).collect();
    tar(&docker_save_of(&layers))
}

/// What most tests delete from.
fn lower() -> Vec<Item> {
    vec![
        directory("etc"),
        file("etc/passwd", "lower"),
        file("etc/group", "lower"),
        directory("var").mode(0o1777).mtime(5),
        directory("var/log").mode(0o700).mtime(6),
        file("var/log/messages", "lower"),
        file("top", "lower"),
    ]
}

fn whiteout(path: &Path, form: WhiteoutForm) -> bool {
    match form {
        Overlay => path.symlink_metadata().is_ok_and(|metadata| is_whiteout(&metadata)),
        Aufs => marked(&path.with_file_name(format!(".wh.{}", file_name(path)))),
    }
}

fn opaque(path: &Path, form: WhiteoutForm) -> bool {
    match form {
        Overlay => is_opaque(path).unwrap(),
        Aufs => marked(&path.join(".wh..wh..opq")),
    }
}

fn marked(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|metadata| metadata.is_file() && metadata.len() == 0)
}

fn file_name(path: &Path) -> &str {
    path.file_name().unwrap().to_str().unwrap()
}

/// Imports two layers; returns the folder of the upper one.
fn upper(store: &Store, items: Vec<Item>, form: WhiteoutForm) -> PathBuf {
    store.import_as(&image(&[lower(), items]), form).unwrap();
    store.layer(1)
}

#[rstest]
fn a_whiteout_deletes_a_file_of_a_layer_below(#[values(Overlay, Aufs)] form: WhiteoutForm) {
    let store = Store::new();
    let upper = upper(&store, vec![directory("etc"), file("etc/.wh.passwd", "")], form);
    assert!(whiteout(&upper.join("etc/passwd"), form));
    assert_eq!(names(&upper.join("etc")).len(), 1, "{:?}", names(&upper.join("etc")));
    assert_eq!(store.read("etc/passwd"), "lower", "the layer below is as it was");
}

#[rstest]
fn an_opaque_directory_hides_all_below_it(#[values(Overlay, Aufs)] form: WhiteoutForm) {
    let store = Store::new();
    let items = vec![directory("etc"), file("etc/new", ""), file("etc/.wh..wh..opq", "")];
    let upper = upper(&store, items, form);
    assert!(opaque(&upper.join("etc"), form));
    let expected: &[&str] = if form == Overlay { &["new"] } else { &[".wh..wh..opq", "new"] };
    assert_eq!(names(&upper.join("etc")), expected);
}

#[rstest]
fn a_file_of_the_same_layer_wins_whichever_comes_first(
    #[values(Overlay, Aufs)] form: WhiteoutForm,
    #[values(false, true)] whiteout_first: bool,
) {
    let store = Store::new();
    let mut items = vec![file("etc/passwd", "upper"), file("etc/.wh.passwd", "")];
    if whiteout_first {
        items.reverse();
    }
    let upper = upper(&store, items, form);
    assert_eq!(names(&upper.join("etc")), ["passwd"]);
    assert_eq!(std::fs::read_to_string(upper.join("etc/passwd")).unwrap(), "upper");
}

#[rstest]
fn a_directory_of_the_same_layer_becomes_opaque_whichever_comes_first(
    #[values(Overlay, Aufs)] form: WhiteoutForm,
    #[values(false, true)] whiteout_first: bool,
) {
    let store = Store::new();
    let mut items = vec![directory("etc").mode(0o750).mtime(3), file(".wh.etc", "")];
    if whiteout_first {
        items.reverse();
    }
    items.push(file("etc/new", "upper"));
    let upper = upper(&store, items, form);
    assert!(opaque(&upper.join("etc"), form));
    assert!(!whiteout(&upper.join("etc"), form));
    let metadata = upper.join("etc").metadata().unwrap();
    use std::os::unix::fs::MetadataExt;
    assert_eq!((metadata.mode() & 0o7777, metadata.mtime()), (0o750, 3));
}

#[rstest]
fn whiteouts_and_files_of_an_opaque_directory_in_any_order(
    #[values(Overlay, Aufs)] form: WhiteoutForm,
    #[values(0, 1, 2, 3)] rotation: usize,
) {
    // A whiteout in an opaque directory hides nothing, and would be listed.
    let store = Store::new();
    let mut items = vec![
        file("etc/.wh..wh..opq", ""),
        file("etc/.wh.passwd", ""),
        file("etc/group", "upper"),
        directory("etc"),
    ];
    items.rotate_left(rotation);
    let upper = upper(&store, items, form);
    assert!(opaque(&upper.join("etc"), form));
    let expected: &[&str] = if form == Overlay { &["group"] } else { &[".wh..wh..opq", "group"] };
    assert_eq!(names(&upper.join("etc")), expected);
}

#[rstest]
fn what_no_layer_below_has_is_not_deleted(#[values(Overlay, Aufs)] form: WhiteoutForm) {
    // Such a whiteout would be listed where directories are not merged.
    let store = Store::new();
    let items = vec![
        directory("new"),
        file("new/.wh.nothing", ""),
        directory("opaque"),
        file("opaque/.wh..wh..opq", ""),
        file("etc/.wh.nothing", ""),
    ];
    let upper = upper(&store, items, form);
    assert_eq!(names(&upper), ["new", "opaque"]);
    assert_eq!(names(&upper.join("new")), [""; 0]);
    assert!(!opaque(&upper.join("opaque"), form));
}

#[rstest]
fn a_bottom_layer_has_nothing_to_delete(#[values(Overlay, Aufs)] form: WhiteoutForm) {
    let store = Store::new();
    let items = [file("d/.wh.f", ""), file("d/.wh..wh..opq", ""), file("f", ""), file(".wh.g", "")];
    store.import_as(&tar(&items), form).unwrap();
    assert_eq!(names(&store.layer(0)), ["f"]);
}

#[rstest]
fn an_opaque_root_deletes_each_name_below(#[values(Overlay, Aufs)] form: WhiteoutForm) {
    // Overlay merges the roots of all layers, whatever attribute they have.
    let store = Store::new();
    let items = vec![file(".wh..wh..opq", ""), directory("etc"), file("new", "")];
    let upper = upper(&store, items, form);
    assert!(opaque(&upper.join("etc"), form));
    assert!(whiteout(&upper.join("var"), form));
    assert!(whiteout(&upper.join("top"), form));
    assert!(!whiteout(&upper.join("new"), form));
}

#[rstest]
fn directories_above_a_change_are_as_in_the_layer_below(
    #[values(Overlay, Aufs)] form: WhiteoutForm,
) {
    use std::os::unix::fs::MetadataExt;
    let store = Store::new();
    let items = vec![file("var/log/.wh.messages", ""), file("etc/deep/new", "")];
    let upper = upper(&store, items, form);
    let seen = |path: &str| {
        let metadata = upper.join(path).metadata().unwrap();
        (metadata.mode() & 0o7777, metadata.mtime())
    };
    assert_eq!(seen("var"), (0o1777, 5), "/tmp would be closed to its users");
    assert_eq!(seen("var/log"), (0o700, 6));
    assert_eq!(seen("etc"), (0o755, MTIME as i64));
    assert_eq!(seen("etc/deep").0, 0o755);
}

#[test]
fn all_layers_below_are_looked_at() {
    let store = Store::new();
    let layers = [
        vec![file("a", "0")],
        vec![file("b", "1")],
        vec![file(".wh.a", ""), file(".wh.b", "")],
        vec![file("a", "3"), file(".wh.b", "")],
    ];
    store.import(&image(&layers)).unwrap();
    assert!(whiteout(&store.layer(2).join("a"), Overlay));
    assert!(whiteout(&store.layer(2).join("b"), Overlay));
    assert_eq!(std::fs::read_to_string(store.layer(3).join("a")).unwrap(), "3");
}

#[rstest]
fn what_aufs_kept_for_itself_is_no_file(#[values(Overlay, Aufs)] form: WhiteoutForm) {
    let store = Store::new();
    let items = vec![
        file(".wh..wh.aufs", ""),
        directory(".wh..wh.plnk"),
        file(".wh..wh.plnk/1.2", "data"),
        file("new", ""),
    ];
    assert_eq!(names(&upper(&store, items, form)), ["new"]);
}

#[rstest]
fn a_whiteout_leads_nowhere_out_of_the_layer(#[values(Overlay, Aufs)] form: WhiteoutForm) {
    let store = Store::new();
    let items = vec![symlink("link", ".."), file("link/.wh.canary", ""), file("link/.wh.top", "")];
    let _ = store.import_as(&image(&[lower(), items]), form);
    store.assert_untouched();
}

#[test]
fn a_hundred_and_more_layers_keep_their_order() {
    let store = Store::new();
    let layers: Vec<Vec<Item>> =
        (0..103).map(|number| vec![file("number", number.to_string())]).collect();
    let summary = store.import(&image(&layers)).unwrap();
    assert_eq!(summary.layers, 103);
    for (position, layer) in store.open().layers().iter().enumerate() {
        let number = std::fs::read_to_string(layer.join("number")).unwrap();
        assert_eq!(number, (102 - position).to_string());
    }
}

#[test]
fn whiteouts_are_told_from_other_files() {
    let store = Store::new();
    let items = vec![file("f", ""), node("p", EntryType::Fifo, (0, 0)), file(".wh.top", "")];
    let upper = upper(&store, items, Overlay);
    let is = |name: &str| is_whiteout(&upper.join(name).symlink_metadata().unwrap());
    assert_eq!((is("f"), is("p"), is("top")), (false, false, true));
    assert!(!is_opaque(&upper).unwrap() && !is_opaque(&upper.join("missing")).unwrap());
}
