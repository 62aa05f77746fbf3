//! Imports by processes of their own: what one reads, and what is left when it
//! is killed.

#[path = "../image/tests/image_support/mod.rs"]
mod image_support;

use std::io::Write;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use image_support::*;
use mydocker_image::{self as image, Image};

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
    for (length, why) in [(5000, "cut off"), (1024, "without an end mark")] {
        let mut child = importer(&store, "it");
        child.stdin.take().unwrap().write_all(&archive[..length]).unwrap();
        let output = child.wait_with_output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(125), "{error}");
        assert!(error.contains(why), "{error}");
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
    assert_eq!(image::clear_leftovers(&store.root()).unwrap().names, [""; 0]);
    assert_eq!(image::list(&store.root()).unwrap(), []);
    assert!(Image::open(&store.root(), "it").is_err());

    child.kill().unwrap();
    child.wait().unwrap();
    let draft = draft().expect("what the killed import left");
    assert_eq!(image::clear_leftovers(&store.root()).unwrap().names, [draft]);
    store.import(&archive).unwrap();
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
