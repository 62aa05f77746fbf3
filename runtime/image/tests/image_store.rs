//! The store: names, locks, removal, and what a kill leaves.

mod image_support;

use std::fs::File;
use std::path::Path;
use std::process::Command;

use image_support::*;
use mydocker_image::{self as image, Image, ImportOptions};
use nix::fcntl::{Flock, FlockArg};
use rstest::rstest;

fn import(store: &Store, name: &str) -> Result<image::Summary, String> {
    let source = store.save(&tar(&[file("f", "twelve bytes")]));
    image::import(&store.root(), name, &source, &ImportOptions::default())
        .map_err(|error| error.to_string())
}

#[rstest]
fn valid_names(
    #[values("a", "busybox", "0", "Busy_Box-1.36.x", &"n".repeat(128), "a..b", "con.json")]
    name: &str,
) {
    let store = Store::new();
    import(&store, name).unwrap();
    let image = Image::open(&store.root(), name).unwrap();
    assert_eq!(image.name(), name);
    assert_eq!(image.folder(), store.images().join(name).canonicalize().unwrap());
}

#[rstest]
fn invalid_names_are_refused_everywhere(
    #[values("", ".", "..", ".hidden", "-x", "_x", "a/b", "../a", "/a", "a b", "a\n", "caf\u{e9}",
        "a\0b", &"n".repeat(129))]
    name: &str,
) {
    let store = Store::new();
    let refused = |error: String| assert!(error.contains("no valid image name"), "{error}");
    refused(import(&store, name).unwrap_err());
    refused(Image::open(&store.root(), name).unwrap_err().to_string());
    refused(image::remove(&store.root(), name, &[]).unwrap_err().to_string());
    assert_eq!(names(store.outside()), ["archive", "canary"], "nothing was made");
}

#[rstest]
#[case("busybox:latest")]
#[case("library/busybox")]
#[case("docker.io/library/busybox:1.36")]
fn a_name_of_dockers_gets_the_plain_one_proposed(#[case] name: &str) {
    let error = import(&Store::new(), name).unwrap_err();
    assert!(error.contains("try busybox"), "{error}");
}

#[test]
fn a_name_that_is_taken_is_refused_before_the_work() {
    let store = Store::new();
    import(&store, "it").unwrap();
    // The source is not even opened.
    let missing = Path::new("/no/such/file");
    let error = image::import(&store.root(), "it", missing, &ImportOptions::default());
    let error = error.unwrap_err().to_string();
    assert!(error.contains("already") && error.contains("mydocker image rm it"), "{error}");
    assert_eq!(store.left(), ["it"]);
}

#[test]
fn a_missing_image_is_an_error_that_names_those_there_are() {
    let store = Store::new();
    let error = Image::open(&store.root(), "it").unwrap_err().to_string();
    assert!(error.contains("no images yet"), "{error}");
    import(&store, "one").unwrap();
    import(&store, "two").unwrap();
    let error = Image::open(&store.root(), "it").unwrap_err().to_string();
    assert!(error.contains("one, two"), "{error}");
    assert!(error.contains("mydocker image import it FILE"), "{error}");
}

#[test]
fn the_list_has_all_images_by_name() {
    let store = Store::new();
    assert_eq!(image::list(&store.root()).unwrap(), []);
    import(&store, "b").unwrap();
    import(&store, "a").unwrap();
    std::fs::create_dir(store.images().join(".import-x")).unwrap();
    std::fs::create_dir(store.images().join("no image at all")).unwrap();
    let list = image::list(&store.root()).unwrap();
    let seen: Vec<_> = list.iter().map(|i| (i.name.as_str(), i.layers, i.bytes)).collect();
    assert_eq!(seen, [("a", 1, 12), ("b", 1, 12)]);
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
    assert!(list.iter().all(|image| now - image.imported < 600));
}

#[rstest]
#[case::no_json("nonsense")]
#[case::empty("")]
#[case::other_format(r#"{"format":2}"#)]
fn a_damaged_image_is_an_error_and_can_be_listed_and_removed(#[case] json: &str) {
    let store = Store::new();
    import(&store, "it").unwrap();
    std::fs::write(store.images().join("it/image.json"), json).unwrap();
    let error = Image::open(&store.root(), "it").unwrap_err().to_string();
    assert!(error.contains("damaged") && error.contains("image rm it"), "{error}");
    assert_eq!(image::list(&store.root()).unwrap()[0].layers, 0);
    image::remove(&store.root(), "it", &[]).unwrap();
}

#[rstest]
#[case::too_many(r#""layers": 99999999999"#)]
#[case::one_too_many(r#""layers": 2"#)]
fn an_image_without_its_layers_is_damaged(#[case] layers: &str) {
    let store = Store::new();
    import(&store, "it").unwrap();
    let path = store.images().join("it/image.json");
    let json = std::fs::read_to_string(&path).unwrap().replace(r#""layers": 1"#, layers);
    std::fs::write(&path, json).unwrap();
    let error = Image::open(&store.root(), "it").unwrap_err().to_string();
    assert!(error.contains("layers/01"), "{error}");
}

#[test]
fn an_image_in_use_is_not_removed() {
    let store = Store::new();
    import(&store, "it").unwrap();
    let (first, second) = (store.open(), store.open());
    drop(first);
    let error = image::remove(&store.root(), "it", &[]).unwrap_err().to_string();
    assert!(error.contains("in use by a running container"), "{error}");
    assert!(store.layer(0).join("f").exists());
    drop(second);
    image::remove(&store.root(), "it", &[]).unwrap();
    assert_eq!(store.left(), [""; 0]);
    let error = image::remove(&store.root(), "it", &[]).unwrap_err().to_string();
    assert!(error.contains("no image \"it\""), "{error}");
}

#[test]
fn an_image_that_kept_containers_lie_on_is_not_removed() {
    let store = Store::new();
    import(&store, "it").unwrap();
    let users = ["web".to_owned(), "db".to_owned()];
    let error = image::remove(&store.root(), "it", &users).unwrap_err().to_string();
    assert!(error.contains("web, db") && error.contains("prune --kept"), "{error}");
    store.open();
}

#[test]
fn a_removal_does_not_follow_links() {
    let store = Store::new();
    let items = [symlink("out", store.outside()), directory("closed").mode(0o000)];
    store.import(&tar(&items)).unwrap();
    image::remove(&store.root(), "it", &[]).unwrap();
    store.assert_untouched();
    assert_eq!(store.left(), [""; 0]);
}

/// Things that no import has left there cannot be deleted as one either.
#[rstest]
#[case::files(None)]
#[case::links(Some("/"))]
fn what_cannot_be_deleted_stands_in_nobodys_way(#[case] link_to: Option<&str>) {
    let store = Store::new();
    import(&store, "old").unwrap();
    for name in [".import-1", ".remove-9"] {
        let path = store.images().join(name);
        match link_to {
            None => std::fs::write(path, "").unwrap(),
            Some(target) => std::os::unix::fs::symlink(target, path).unwrap(),
        }
    }
    std::fs::create_dir_all(store.images().join(".import-5/layers")).unwrap();
    let summary = import(&store, "new").unwrap();
    let note = "2 leftovers of an import or a removal cannot be deleted: mydocker prune says why";
    assert_eq!(summary.warnings, [note]);
    assert_eq!(store.left(), [".import-1", ".remove-9", "new", "old"]);
    let cleared = image::clear_leftovers(&store.root()).unwrap();
    let failures: Vec<String> = cleared.failures.iter().map(ToString::to_string).collect();
    assert!(failures[0].contains(".import-1") && failures[1].contains(".remove-9"), "{failures:?}");
}

#[test]
fn an_image_that_cannot_be_deleted_is_none_any_more_and_in_nobodys_way() {
    let store = Store::new();
    import(&store, "old").unwrap();
    let file = store.layer_of("old", 0).join("f");
    let chattr = |flag| {
        let done = Command::new("chattr").arg(flag).arg(&file).output();
        done.is_ok_and(|done| done.status.success())
    };
    if !chattr("+i") {
        println!("ignored: only root may chattr, and not every file system has it");
        return;
    }
    let error = image::remove(&store.root(), "old", &[]).unwrap_err().to_string();
    let imported = import(&store, "old").map(|summary| summary.warnings.len());
    // The folder has another name now.
    let left = store.left().into_iter().find(|name| name.starts_with(".remove-")).unwrap();
    let file = store.images().join(left).join("layers/00/f");
    assert!(Command::new("chattr").arg("-i").arg(&file).status().unwrap().success());
    assert!(error.contains("no image any more") && error.contains("chattr -ia"), "{error}");
    assert_eq!(imported, Ok(1));
    assert_eq!(image::clear_leftovers(&store.root()).unwrap().names.len(), 1);
    assert_eq!(store.left(), ["old"]);
}

#[test]
fn leftovers_are_cleared_unless_somebody_works_on_them() {
    let store = Store::new();
    assert_eq!(image::clear_leftovers(&store.root()).unwrap().names, [""; 0]);
    import(&store, "it").unwrap();
    for name in [".import-dead", ".import-alive", ".remove-dead"] {
        std::fs::create_dir_all(store.images().join(name).join("layers/00")).unwrap();
    }
    let alive = File::open(store.images().join(".import-alive")).unwrap();
    let alive = Flock::lock(alive, FlockArg::LockSharedNonblock).unwrap();
    let cleared = image::clear_leftovers(&store.root()).unwrap();
    assert!(cleared.failures.is_empty());
    assert_eq!(cleared.names, [".import-dead", ".remove-dead"]);
    assert_eq!(store.left(), [".import-alive", "it"]);
    drop(alive);
    // The next import does it too.
    import(&store, "next").unwrap();
    assert_eq!(store.left(), ["it", "next"]);
}
