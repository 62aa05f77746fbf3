//! The store: names, locks, removal, and what a kill leaves.

mod image_support;

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use image_support::*;
use mydocker::image::{self, Image, ImportOptions};
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

#[test]
fn leftovers_are_cleared_unless_somebody_works_on_them() {
    let store = Store::new();
    assert_eq!(image::clear_leftovers(&store.root()).unwrap(), [""; 0]);
    import(&store, "it").unwrap();
    for name in [".import-dead", ".import-alive", ".remove-dead"] {
        std::fs::create_dir_all(store.images().join(name).join("layers/00")).unwrap();
    }
    let alive = File::open(store.images().join(".import-alive")).unwrap();
    let alive = Flock::lock(alive, FlockArg::LockSharedNonblock).unwrap();
    let cleared = image::clear_leftovers(&store.root()).unwrap();
    assert_eq!(cleared, [".import-dead", ".remove-dead"]);
    assert_eq!(store.left(), [".import-alive", "it"]);
    drop(alive);
    // The next import does it too.
    import(&store, "next").unwrap();
    assert_eq!(store.left(), ["it", "next"]);
}

/// A process that imports what it is given.
fn importer(store: &Store, name: &str) -> Child {
    Command::new(env!("CARGO_BIN_EXE_mydocker"))
        .arg("--root")
        .arg(store.root())
        .args(["image", "import", name, "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

#[test]
fn an_import_reads_the_standard_input() {
    let store = Store::new();
    let mut child = importer(&store, "it");
    child.stdin.take().unwrap().write_all(&tar(&[file("f", "piped")])).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    assert_eq!(String::from_utf8_lossy(&output.stderr), "", "no bar without a terminal");
    assert_eq!(store.read("f"), "piped");
}

#[test]
fn a_producer_that_dies_half_way_leaves_no_image() {
    let store = Store::new();
    let archive = tar(&[file("one", "1"), file("two", "2".repeat(9000))]);
    // In the middle of an entry, and exactly between two.
    for length in [5000, 1024] {
        let mut child = importer(&store, "it");
        child.stdin.take().unwrap().write_all(&archive[..length]).unwrap();
        let output = child.wait_with_output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(125), "{error}");
        assert!(error.contains("cut off"), "{error}");
        assert_eq!(store.left(), [""; 0]);
    }
}

#[test]
fn an_import_that_is_killed_leaves_no_image_and_is_cleared() {
    let store = Store::new();
    let mut child = importer(&store, "it");
    let archive = tar(&[file("one", "1"), file("two", "2".repeat(900_000))]);
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(&archive[..200_000]).unwrap();
    let draft = || store.left().into_iter().find(|name| name.starts_with(".import-"));
    let has_begun =
        || draft().is_some_and(|draft| store.images().join(draft).join("layers/00/one").exists());
    while !has_begun() {
        thread::sleep(Duration::from_millis(5));
    }
    // It is alive, so nobody takes it for left over, nor for an image.
    assert_eq!(image::clear_leftovers(&store.root()).unwrap(), [""; 0]);
    assert_eq!(image::list(&store.root()).unwrap(), []);
    assert!(Image::open(&store.root(), "it").is_err());

    child.kill().unwrap();
    child.wait().unwrap();
    let draft = draft().expect("what the killed import left");
    assert_eq!(image::clear_leftovers(&store.root()).unwrap(), [draft]);
    import(&store, "it").unwrap();
    assert_eq!(store.left(), ["it"]);
}

#[test]
fn of_imports_under_one_name_at_one_time_one_wins() {
    let store = Store::new();
    let archive = tar(&[file("f", "data")]);
    let children: Vec<Child> = (0..8).map(|_| importer(&store, "it")).collect();
    let fed = children.into_iter().map(|mut child| {
        // One that has lost already does not read any more.
        let _ = child.stdin.take().unwrap().write_all(&archive);
        child
    });
    let fed: Vec<Child> = fed.collect();
    let results = fed.into_iter().map(|child| child.wait_with_output().unwrap().status.success());
    assert_eq!(results.filter(|won| *won).count(), 1);
    assert_eq!(store.left(), ["it"]);
    store.open();
}
