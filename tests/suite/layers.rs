//! What a change of the container leaves in the write layer: the same cases
//! for every driver that the kernel has.
//!
//! What the container sees is one snapshot for all drivers; how the driver
//! notes it, and what `mydocker diff` reads from that, is one for each.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use harness::host::{Host, Running};
use harness::image_tar::{Image, Layer};
use harness::mounts::who;
use harness::tree::{exact, tree};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use rstest::rstest;

use crate::host;

/// Each of these is a test for each driver: its name, and what the container does.
macro_rules! changes {
    ($($name:ident: $script:literal)*) => {$(
        #[rstest]
        #[case::overlay("overlay")]
        #[cfg_attr(not(can_aufs), ignore = "needs root, and a kernel with AUFS")]
        #[case::aufs("aufs")]
        fn $name(#[case] driver: &str) {
            check(driver, stringify!($name), $script);
        }
    )*};
}

changes! {
    nothing_changed_leaves_nothing: "true"
    a_new_file_is_written: "echo new >/fixture/new"
    a_changed_file_is_copied_up_whole: "echo more >>/fixture/file"
    a_deleted_file_leaves_a_whiteout: "rm /fixture/file"
    a_deleted_folder_leaves_one_whiteout: "rm -r /fixture/folder"
    a_deleted_file_made_again_leaves_no_whiteout: "rm /fixture/file && echo new >/fixture/file"
    a_file_made_and_deleted_leaves_nothing: "echo new >/fixture/new && rm /fixture/new"
    a_renamed_file_leaves_a_whiteout_behind: "mv /fixture/file /fixture/moved"
    a_renamed_folder_takes_its_files_along: "mv /fixture/folder /fixture/moved"
    a_replaced_folder_hides_the_images:
        "cd /fixture && rm -r folder && mkdir folder && echo new >folder/c"
    a_folder_replaced_by_a_file_is_hidden: "rm -r /fixture/folder && echo new >/fixture/folder"
    a_file_replaced_by_a_folder_is_hidden:
        "cd /fixture && rm file && mkdir file && echo new >file/a"
    a_new_symbolic_link_is_not_followed: "ln -s /fixture/file /fixture/link"
    a_write_through_a_symbolic_link_changes_its_target:
        "ln -s file /fixture/link && echo more >>/fixture/link"
    a_new_hard_link_copies_the_file_up: "ln /fixture/file /fixture/second"
    a_new_mode_copies_the_file_up: "chmod 600 /fixture/file"
    a_folders_new_mode_copies_only_the_folder_up: "chmod 700 /fixture/folder"
}

fn check(driver: &str, name: &str, script: &str) {
    let host = host();
    fixture().import(&host, "fixture", &["--driver", driver]);
    let image = exact(&host.images().join("fixture"));

    let running = start(&host, driver, script);
    let seen = tree(&inside(&running, "/fixture"));
    running.finish();
    insta::assert_snapshot!(format!("{name}__seen"), seen);

    let written = without_needless_marks(&tree(&host.container("c1/write-layer")));
    let written = without_numbers(&written);
    let diff = host.mydocker(["diff", "c1"]).assert().success();
    let diff = String::from_utf8_lossy(&diff.get_output().stdout).into_owned();
    let text = format!("write layer:\n{written}diff:\n{diff}");
    insta::assert_snapshot!(format!("{name}__{driver}"), text);

    assert_eq!(exact(&host.images().join("fixture")), image, "the image has changed");
    host.mydocker(["prune", "--kept"]).assert().success();
}

#[rstest]
#[case::overlay("overlay")]
#[cfg_attr(not(can_aufs), ignore = "needs root, and a kernel with AUFS")]
#[case::aufs("aufs")]
fn copying_up_keeps_mode_owner_time_and_attributes(#[case] driver: &str) {
    let host = host();
    // Not every tmpfs has user.*, and nobody but root may write trusted.*.
    let attribute = if who() == "root" { "trusted.note" } else { "user.note" };
    let layer = Layer::new()
        .folder("fixture", 0o2751)
        .owned_by(3, 4)
        .xattr(attribute, "kept")
        .file("fixture/file", 0o4754, "old\n");
    Image::on_busybox().layer(layer).import(&host, "fixture", &["--driver", driver]);
    // A new time is no new content, which would take the set-user-ID bit away.
    let running = start(&host, driver, "touch /fixture/file && ln /fixture/file /fixture/new");
    running.finish();

    let upper = host.container("c1/write-layer/fixture");
    let lower = host.images().join("fixture/layers/01/fixture");
    for name in ["", "file"] {
        let (copy, original) = (upper.join(name), lower.join(name));
        let what = |path: &Path| {
            let metadata = path.symlink_metadata().expect("an entry");
            (metadata.mode(), metadata.uid(), metadata.gid())
        };
        assert_eq!(what(&copy), what(&original), "{name:?}");
    }
    let original = xattr::get(lower.join("file"), attribute).expect("the attribute");
    assert_eq!(original.as_deref(), Some(&b"kept"[..]), "a vain test");
    assert_eq!(xattr::get(upper.join("file"), attribute).expect("the attribute"), original);
    host.mydocker(["prune", "--kept"]).assert().success();
}

#[rstest]
#[case::overlay("overlay")]
#[cfg_attr(not(can_aufs), ignore = "needs root, and a kernel with AUFS")]
#[case::aufs("aufs")]
fn a_hard_link_is_one_file_in_the_write_layer(#[case] driver: &str) {
    let host = host();
    fixture().import(&host, "fixture", &["--driver", driver]);
    let script = "ln /fixture/file /fixture/second && echo more >>/fixture/second";
    let running = start(&host, driver, script);
    // The number that the container sees may differ, without the option index=on.
    let content = std::fs::read_to_string(inside(&running, "/fixture/file"));
    assert_eq!(content.expect("a file"), "old\nmore\n");
    running.finish();
    let written = |name| host.container("c1/write-layer/fixture").join(name).metadata();
    let inode = |name| written(name).expect("a file").ino();
    assert_eq!(inode("file"), inode("second"), "in the write layer");
    host.mydocker(["prune", "--kept"]).assert().success();
}

/// Where overlay differs from one file system: a copy has a name of its own.
#[test]
fn overlay_separates_the_names_of_a_hard_link_of_the_image() {
    let host = host();
    let layer = Layer::new().file("one", 0o644, "old\n").hard_link("two", "one");
    Image::on_busybox().layer(layer).import(&host, "fixture", &[]);
    let running = start(&host, "overlay", "echo new >/one");
    let content = |path| std::fs::read_to_string(inside(&running, path)).expect("a file");
    assert_eq!([content("/one"), content("/two")], ["new\n", "old\n"]);
    running.finish();
    host.mydocker(["prune", "--kept"]).assert().success();
}

/// As a kernel that has AUFS and no overlay shows it. This one mounts no AUFS, but
/// until then import and run must mean the same driver.
#[cfg_attr(not(can_root), ignore = "needs root, to cover /proc/filesystems")]
#[cfg_attr(can_aufs, ignore = "needs a kernel without AUFS")]
#[test]
fn where_aufs_is_all_there_is_import_run_and_doctor_agree() {
    let host = host();
    let list = host.path("filesystems");
    std::fs::write(&list, "nodev\tproc\nnodev\taufs\n").expect("a list");
    let covered = "/proc/filesystems";
    let none: Option<&str> = None;
    mount(Some(&list), covered, none, MsFlags::MS_BIND, none).expect("a bind");

    fixture().layer(Layer::new().whiteout("fixture/file")).import(&host, "two", &[]);
    let run = host.mydocker(["run", "--image", "two", "true"]).output().expect("mydocker starts");
    let doctor = host.mydocker(["doctor"]).output().expect("mydocker starts");
    umount2(covered, MntFlags::MNT_DETACH).expect("what was covered");
    host.mydocker(["image", "rm", "two"]).assert().success();

    let said = String::from_utf8_lossy(&run.stderr);
    assert!(said.contains(r#""aufs", MS_NODEV, "br="#) && said.contains("ENODEV"), "{said}");
    let report = String::from_utf8_lossy(&doctor.stdout);
    let containers = report.lines().find(|line| line.starts_with("no  containers "));
    assert!(containers.is_some_and(|line| line.contains(r#""aufs""#)), "{report}");
}

#[test]
fn the_write_layer_of_one_container_is_not_anothers() {
    let host = host();
    let first = host.start("c1", &[], "echo one >/note && echo ready && read end");
    let second = host.start("c2", &[], "echo two >/note && echo ready && read end");
    for (running, content) in [(&first, "one\n"), (&second, "two\n")] {
        assert_eq!(std::fs::read_to_string(inside(running, "/note")).expect("a note"), content);
    }
    first.finish();
    second.finish();
}

/// A folder with something of each kind, in a layer above busybox.
#[test]
fn diff_prints_one_line_a_file_whatever_its_name() {
    let host = host();
    let script = r"cd /root && touch -- $(printf '\033[2J') 'forged
A line'";
    host.mydocker(["run", "--keep", "--name", "c1", "sh", "-c", script]).assert().success();
    let expected = "C /root\nA /root/\\u{1b}[2J\nA /root/forged\\nA line\n";
    host.mydocker(["diff", "c1"]).assert().success().stdout(expected);
    host.mydocker(["prune", "--kept"]).assert().success();
}

fn fixture() -> Image {
    let layer = Layer::new()
        .folder("fixture", 0o755)
        .file("fixture/file", 0o644, "old\n")
        .folder("fixture/folder", 0o755)
        .file("fixture/folder/a", 0o644, "a\n")
        .file("fixture/folder/b", 0o640, "b\n");
    Image::on_busybox().layer(layer)
}

/// Starts a container that is kept afterwards, and has done `script`.
fn start(host: &Host, driver: &str, script: &str) -> Running {
    let options = ["--keep", "--image", "fixture", "--driver", driver];
    host.start("c1", &options, &format!("{script} && echo ready && read end"))
}

fn inside(running: &Running, path: &str) -> std::path::PathBuf {
    format!("/proc/{}/root{path}", running.pid1()).into()
}

/// Before 5.14, overlayfs marked every new folder as opaque, also one that
/// has nothing below it to hide.
fn without_needless_marks(tree: &str) -> String {
    tree.replace("/fixture/moved/  opaque", "/fixture/moved/")
}

/// AUFS calls its pseudo-links by the numbers of two inodes: `.wh..wh.plnk/19.80`.
fn without_numbers(tree: &str) -> String {
    let lines = tree.lines().map(|line| match line.split_once("/.wh..wh.plnk/") {
        Some((before, name)) if !name.is_empty() => {
            let after = name.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
            format!("{before}/.wh..wh.plnk/NUMBERS{after}\n")
        }
        _ => format!("{line}\n"),
    });
    lines.collect()
}
