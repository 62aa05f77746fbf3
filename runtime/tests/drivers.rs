//! What the drivers tell the kernel, and how they read a write layer: all that
//! can be checked without the kernel. AUFS's names and refusals are those
//! recorded on a kernel that carries it.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use mydocker::workspace::aufs::{self, Name};
use mydocker::workspace::diff::diff;
use mydocker::workspace::overlay;
use mydocker::workspace::{Durability, Layers};
use mydocker_image::stack::{Found, Stack};
use mydocker_image::whiteout::WhiteoutForm;
use mydocker_kernel::overlay_options;
use rstest::rstest;

fn layers(image: impl IntoIterator<Item = impl Into<PathBuf>>) -> Layers {
    Layers {
        image: image.into_iter().map(Into::into).collect(),
        init_layer: "/c/init-layer".into(),
        write_layer: "/c/write-layer".into(),
        work: "/c/work".into(),
        user_xattrs: false,
    }
}

#[test]
fn overlay_has_the_topmost_layer_first_and_the_write_layer_apart() {
    assert_eq!(
        overlay::options(&layers(["/i/01", "/i/00"]), Durability::Kept),
        "lowerdir=/c/init-layer:/i/01:/i/00,upperdir=/c/write-layer,workdir=/c/work,\
         index=off,redirect_dir=off,metacopy=off"
    );
}

#[test]
fn overlay_of_a_user_uses_the_attributes_that_a_user_may_write() {
    let layers = Layers { user_xattrs: true, ..layers(["/i/00"]) };
    let options = overlay::options(&layers, Durability::Kept).into_string().unwrap();
    assert!(options.ends_with(",index=off,userxattr"), "{options}");
}

#[test]
fn only_a_write_layer_that_is_deleted_anyway_is_volatile() {
    let ends_volatile = |durability| {
        let options = overlay::options(&layers(["/i"]), durability);
        options.as_bytes().ends_with(b",volatile")
    };
    assert!(ends_volatile(Durability::UntilDeleted));
    assert!(!ends_volatile(Durability::Kept));
}

#[rstest]
#[case::plain("/a/b", "/a/b")]
#[case::colon("/a:b", r"/a\:b")]
#[case::comma("/a,b", r"/a\,b")]
#[case::backslash(r"/a\b", r"/a\\b")]
#[case::all(r"/\:,", r"/\\\:\,")]
#[case::others("/a b\n\"'%é", "/a b\n\"'%é")]
fn overlay_paths_are_escaped_and_read_back(#[case] path: &str, #[case] escaped: &str) {
    assert_eq!(overlay_options::escape(path.as_ref()), escaped);
    assert_eq!(overlay_options::split_layers(OsStr::new(escaped)), [OsString::from(path)]);
}

#[test]
fn overlay_options_with_any_path_are_split_where_they_were_joined() {
    let strange = [r"/i:1,x=\", "/i/b:,c", "/i/00"];
    let options = overlay::options(&layers(strange), Durability::Kept);
    let split = overlay_options::split_options(&options);
    let (name, lower) = &split[0];
    assert_eq!(name, "lowerdir");
    let expected: Vec<OsString> =
        ["/c/init-layer"].into_iter().chain(strange).map(Into::into).collect();
    assert_eq!(overlay_options::split_layers(lower), expected);
    assert_eq!(split[1], ("upperdir".into(), "/c/write-layer".into()));
}

#[test]
fn aufs_has_the_writable_branch_first_and_whiteouts_count_in_all_others() {
    assert_eq!(
        aufs::options(&layers(["/i/01", "/i/00"])).unwrap(),
        ["br=/c/write-layer=rw:/c/init-layer=ro+wh:/i/01=ro+wh:/i/00=ro+wh"]
    );
}

#[test]
fn aufs_branches_beyond_a_page_are_appended_one_by_one_in_order() {
    let image: Vec<String> =
        (0..100).rev().map(|layer| format!("/{}/{layer:02}", "long".repeat(20))).collect();
    let texts = aufs::options(&layers(&image)).unwrap();
    assert!(texts.len() > 1);
    assert!(texts.iter().all(|text| text.len() < 4096));
    assert!(texts[1..].iter().all(|text| text.as_bytes().starts_with(b"append:")));
    let joined: Vec<String> = texts
        .iter()
        .map(|text| text.to_str().unwrap().trim_start_matches("br=").trim_start_matches("append:"))
        .flat_map(|text| text.split(':'))
        .map(|branch| branch.split('=').next().unwrap().to_owned())
        .collect();
    let expected: Vec<String> =
        ["/c/write-layer".into(), "/c/init-layer".into()].into_iter().chain(image).collect();
    assert_eq!(joined, expected);
}

#[rstest]
#[case::colon("a:b")]
#[case::comma("a,b")]
#[case::equals_sign("a=b")]
fn aufs_gets_a_path_that_its_options_cannot_hold_by_a_descriptor(#[case] name: &str) {
    let folder = tempfile::tempdir().unwrap();
    let layer = folder.path().join(name);
    fs::create_dir(&layer).unwrap();
    let (layers, _open) = aufs::nameable(&layers([layer.to_str().unwrap(), "/i/00"])).unwrap();
    let text = aufs::options(&layers).unwrap().remove(0).into_string().unwrap();
    let branches: Vec<&str> = text.strip_prefix("br=").unwrap().split(':').collect();
    assert_eq!(branches.len(), 4, "{text}");
    assert_eq!(branches[3], "/i/00=ro+wh", "a usual path stays as it is");
    let (path, attributes) = branches[2].split_once('=').unwrap();
    assert_eq!(attributes, "ro+wh");
    assert_eq!(fs::canonicalize(path).unwrap(), layer.canonicalize().unwrap());
}

#[test]
fn every_name_of_a_pseudo_link_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let (write_layer, mnt) = (folder.path().join("write-layer"), folder.path().join("mnt"));
    fs::create_dir_all(write_layer.join(".wh..wh.plnk")).unwrap();
    fs::create_dir_all(mnt.join("etc/below")).unwrap();
    fs::write(mnt.join("etc/file"), "text").unwrap();
    fs::hard_link(mnt.join("etc/file"), mnt.join("etc/below/second")).unwrap();
    fs::write(mnt.join("other"), "text").unwrap();
    let inode = |name: &str| mnt.join(name).metadata().unwrap().ino();
    let link = format!(".wh..wh.plnk/{}.77", inode("etc/file"));
    fs::write(write_layer.join(link), "text").unwrap();

    let seen = aufs::pseudo_links(&write_layer, &mnt).unwrap();
    let mut names: Vec<_> = seen.iter().map(|path| path.to_str().unwrap()).collect();
    names.sort_unstable();
    assert_eq!(names, ["etc/below/second", "etc/file"]);
    aufs::name_pseudo_links(&write_layer, &mnt).unwrap();
    aufs::name_pseudo_links(&folder.path().join("missing"), &mnt).unwrap();
}

#[test]
fn aufs_refuses_more_branches_than_it_has() {
    let image: Vec<String> = (0..126).map(|layer| format!("/{layer}")).collect();
    let error = aufs::options(&layers(image)).unwrap_err().to_string();
    assert!(error.contains("127 branches"), "{error}");
}

#[rstest]
#[case::file("f", Name::File(OsStr::new("f")))]
#[case::hidden_file(".wh", Name::File(OsStr::new(".wh")))]
#[case::whiteout(".wh.f", Name::Whiteout(OsStr::new("f")))]
#[case::opaque(".wh..wh..opq", Name::Opaque)]
#[case::base(".wh..wh.aufs", Name::Housekeeping)]
#[case::orphans(".wh..wh.orph", Name::Housekeeping)]
#[case::links(".wh..wh.plnk", Name::Housekeeping)]
fn aufs_names_are_read(#[case] name: &str, #[case] means: Name) {
    assert_eq!(aufs::read_name(name.as_ref()), means);
}

#[rstest]
#[case::not_hidden("kept", "bottom")]
#[case::whiteout("gone", "nothing")]
#[case::opaque("dir/below", "nothing")]
#[case::in_the_opaque_one("dir/above", "top")]
fn the_whiteouts_of_aufs_hide_what_is_below(#[case] path: &str, #[case] found_in: &str) {
    let folder = tempfile::tempdir().unwrap();
    for entry in [
        "bottom/kept",
        "bottom/gone",
        "bottom/dir/below",
        "top/.wh.gone",
        "top/dir/above",
        "top/dir/.wh..wh..opq",
    ] {
        let file = folder.path().join(entry);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, "").unwrap();
    }
    let directories = ["top", "bottom"].map(|layer| folder.path().join(layer)).to_vec();
    let stack = Stack { directories, form: WhiteoutForm::Aufs };
    let found = match stack.lookup_path(Path::new(path)).unwrap() {
        Found::File(file, _) => file.strip_prefix(folder.path()).unwrap().to_owned(),
        _ => "nothing".into(),
    };
    assert!(found.starts_with(found_in), "{path} is in {found:?}");
}

/// The write layer that was recorded after: mkdir studydocker; rm etc/f;
/// rm -r dir, mkdir dir, create dir/c; mv bin bin2.
#[test]
fn diff_reads_the_recorded_write_layer_of_aufs() {
    let folder = tempfile::tempdir().unwrap();
    let make = |entries: &[&str]| {
        for entry in entries {
            let path = folder.path().join(entry);
            if entry.ends_with('/') {
                fs::create_dir_all(path).unwrap();
            } else {
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, "").unwrap();
            }
        }
    };
    make(&["image/bin/", "image/etc/f", "image/dir/a", "image/dir/b"]);
    // An image is older than what is written over it; a kernel's clock may be too
    // coarse to show that of what was made a moment ago.
    let etc = fs::File::open(folder.path().join("image/etc")).unwrap();
    etc.set_modified(SystemTime::UNIX_EPOCH).unwrap();
    make(&["write/.wh..wh.aufs", "write/.wh..wh.orph/", "write/.wh..wh.plnk/", "write/.wh.bin"]);
    make(&["write/bin2/", "write/dir/.wh..wh..opq", "write/dir/c", "write/etc/.wh.f"]);
    make(&["write/studydocker/"]);

    let directories = vec![folder.path().join("image")];
    let lower = Stack { directories, form: WhiteoutForm::Aufs };
    let changes = diff(&folder.path().join("write"), &lower).unwrap();
    let lines: Vec<String> = changes.iter().map(ToString::to_string).collect();
    assert_eq!(
        lines,
        [
            "D /bin",
            "A /bin2",
            "C /dir",
            "D /dir/a",
            "D /dir/b",
            "A /dir/c",
            "C /etc",
            "D /etc/f",
            "A /studydocker",
        ]
    );
}

#[test]
fn a_write_layer_that_is_not_there_is_named() {
    let lower = Stack { directories: vec![], form: WhiteoutForm::Overlay };
    let error = diff(Path::new("/nowhere/write-layer"), &lower).unwrap_err();
    assert!(error.to_string().contains("/nowhere"), "{error}");
}
