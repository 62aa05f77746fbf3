//! Images of several layers, and folders with names that mount options may
//! get wrong.

use harness::host::Host;
use harness::image_tar::{Image, Layer};
use harness::tree::tree;
use rstest::rstest;

use crate::{PROGRAM, host};

#[test]
fn the_topmost_version_of_a_file_wins() {
    let host = host();
    Image::on_busybox()
        .layer(Layer::new().file("version", 0o644, "bottom\n"))
        .layer(Layer::new().file("version", 0o644, "middle\n"))
        .layer(Layer::new().file("version", 0o644, "top\n"))
        .import(&host, "many", &[]);
    assert_prints(&host, &["cat", "/version"], "top\n");
}

#[test]
fn folders_of_all_layers_are_merged() {
    let host = host();
    Image::on_busybox()
        .layer(Layer::new().folder("data", 0o700).file("data/a", 0o644, ""))
        .layer(Layer::new().folder("data", 0o755).file("data/b", 0o644, ""))
        .import(&host, "many", &[]);
    assert_prints(&host, &["ls", "/data"], "a\nb\n");
    assert_prints(&host, &["stat", "-c", "%a", "/data"], "755\n");
}

#[test]
fn a_whiteout_hides_the_file_of_a_lower_layer() {
    let host = host();
    Image::on_busybox()
        .layer(Layer::new().file("data/a", 0o644, "").file("data/b", 0o644, ""))
        .layer(Layer::new().whiteout("data/a"))
        .import(&host, "many", &[]);
    assert_prints(&host, &["ls", "-a", "/data"], ".\n..\nb\n");
}

#[test]
fn a_file_above_a_whiteout_is_there_again() {
    let host = host();
    Image::on_busybox()
        .layer(Layer::new().file("data/a", 0o644, "old\n"))
        .layer(Layer::new().whiteout("data/a"))
        .layer(Layer::new().file("data/a", 0o644, "new\n"))
        .import(&host, "many", &[]);
    assert_prints(&host, &["cat", "/data/a"], "new\n");
}

#[test]
fn an_opaque_folder_hides_all_of_the_lower_one() {
    let host = host();
    Image::on_busybox()
        .layer(Layer::new().file("data/a", 0o644, "").file("data/sub/b", 0o644, ""))
        .layer(Layer::new().folder("data", 0o755).opaque("data").file("data/c", 0o644, ""))
        .import(&host, "many", &[]);
    assert_prints(&host, &["find", "/data", "-mindepth", "1"], "/data/c\n");
}

#[test]
fn a_folder_above_a_whiteout_hides_all_of_the_lower_one() {
    let host = host();
    Image::on_busybox()
        .layer(Layer::new().file("data/a", 0o644, ""))
        .layer(Layer::new().whiteout("data"))
        .layer(Layer::new().file("data/c", 0o644, ""))
        .import(&host, "many", &[]);
    assert_prints(&host, &["find", "/data", "-mindepth", "1"], "/data/c\n");
}

#[test]
fn a_file_can_take_the_place_of_a_lower_folder_and_the_other_way_round() {
    let host = host();
    Image::on_busybox()
        .layer(Layer::new().file("folder/a", 0o644, "").file("file", 0o644, ""))
        .layer(Layer::new().file("folder", 0o644, "now a file\n").file("file/a", 0o644, "in it\n"))
        .import(&host, "many", &[]);
    assert_prints(&host, &["cat", "/folder", "/file/a"], "now a file\nin it\n");
}

#[test]
fn a_folder_of_three_layers_can_be_replaced() {
    let host = host();
    Image::on_busybox()
        .layer(Layer::new().file("data/a", 0o644, ""))
        .layer(Layer::new().file("data/b", 0o644, ""))
        .layer(Layer::new().file("data/c", 0o644, ""))
        .import(&host, "many", &[]);
    let script = "rm -r /data && mkdir /data && echo new >/data/d && ls /data";
    assert_prints(&host, &["sh", "-c", script], "d\n");
    // The layers are as they were.
    assert_prints(&host, &["ls", "/data"], "a\nb\nc\n");
}

/// With 200 layers, their names as absolute paths fill far more than the page
/// that mount(2) takes.
#[rstest]
fn an_image_of_many_layers_runs(#[values(1, 100, 200)] count: usize) {
    let host = host();
    many(count).import(&host, "many", &[]);
    let script = "ls /layers | wc -l && cat /top";
    assert_prints(&host, &["sh", "-c", script], &format!("{count}\n{count}\n"));
}

#[rstest]
#[case::blank("a root")]
#[case::colon("a:root")]
#[case::colons("::")]
#[case::comma("a,root,upperdir=")]
#[case::backslash(r"a\root")]
#[case::backslash_at_the_end(r"root\")]
#[case::escaped_colon(r"a\:root\\")]
#[case::line_feed("a\nroot")]
#[case::quotes("a\"root'")]
#[case::percent("100%s")]
#[case::not_ascii("根目录-ß")]
#[case::like_an_escape(r"\040root\134")]
#[case::like_an_option("-rf")]
fn a_root_folder_may_be_called(#[case] name: &str) {
    let host = Host::with_root_named(PROGRAM, name);
    let running = host.start("c1", &[], "echo hi >/note && echo ready && read end");
    let written = tree(&host.container("c1/write-layer"));
    assert!(written.contains("/note  \"hi\\n\""), "{written}");
    assert_eq!(running.finish().status.code(), Some(1), "the read at the end of its input");
    host.assert_untouched();
}

#[rstest]
#[case::colon_and_comma("a:root,b")]
#[case::long(&"long-".repeat(40))]
fn many_layers_run_in_a_root_folder_called(#[case] name: &str) {
    let host = Host::with_root_named(PROGRAM, name);
    many(120).import(&host, "many", &[]);
    assert_prints(&host, &["cat", "/top"], "120\n");
}

/// Each layer has a file of its own in /layers, and its own version of /top.
fn many(count: usize) -> Image {
    (1..=count).fold(Image::on_busybox(), |image, number| {
        let own = format!("layers/{number}");
        let layer = Layer::new().file(&own, 0o644, "").file("top", 0o644, format!("{number}\n"));
        image.layer(layer)
    })
}

/// Runs a command in the image `many`.
fn assert_prints(host: &Host, command: &[&str], expected: &str) {
    let arguments = ["run", "--image", "many"].iter().chain(command);
    host.mydocker(arguments).assert().success().stdout(expected.to_owned());
}
