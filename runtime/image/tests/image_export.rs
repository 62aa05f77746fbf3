//! Round trips: a layer that is committed and an image that is exported are what they
//! were when they come back.

#[path = "image_support/archives.rs"]
mod archives;
mod image_support;

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use archives::docker_save_of;
use image_support::*;
use mydocker_image::whiteout::WhiteoutForm::{self, Aufs, Overlay};
use mydocker_image::{Changes, Format, Image, commit, export, import};
use rstest::rstest;
use tar::EntryType;

/// How many images are generated for each law.
const GENERATED: u64 = 12;

/// Numbers that are the same in each run.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        // xorshift64
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }

    fn of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len() as u64) as usize]
    }

    fn image(&mut self) -> Vec<Vec<Item>> {
        (0..1 + self.below(4)).map(|number| self.layer(number == 0)).collect()
    }

    fn layer(&mut self, is_bottom: bool) -> Vec<Item> {
        let mut items = Vec::new();
        let mut files: Vec<OsString> = Vec::new();
        for _ in 0..self.below(24) {
            let path = self.path();
            let item = match self.below(12) {
                0 | 1 => directory(&path),
                2 => symlink(&path, self.of(&["a", "/x", "nowhere", "../..", &"l".repeat(150)])),
                3 if !files.is_empty() => hard_link(&path, self.of(&files[..])),
                4 => node(&path, EntryType::Fifo, (0, 0)),
                5 if is_root() => node(&path, EntryType::Char, (1, 3)),
                6 if !is_bottom => file(before_name(&path, ".wh."), ""),
                7 if !is_bottom => file([path.as_bytes(), b"/.wh..wh..opq"].concat_os(), ""),
                _ => {
                    let data = vec![b'x'; *self.of(&[0, 1, 511, 512, 513, 70_000])];
                    file(&path, data)
                }
            };
            if item.kind == EntryType::Regular {
                files.push(path);
            }
            items.push(self.attributes(item));
        }
        items
    }

    fn path(&mut self) -> OsString {
        let long = "n".repeat(120);
        let names: [&[u8]; 7] =
            [b"a", b"b", b"c", b"not UTF-8 \xff", b"two\nlines", b"=", long.as_bytes()];
        let parts: Vec<&[u8]> = (0..1 + self.below(3)).map(|_| *self.of(&names)).collect();
        OsString::from_vec(parts.join(&b'/'))
    }

    fn attributes(&mut self, item: Item) -> Item {
        let mode = *self.of(&[0o644, 0o755, 0o4711, 0o2755, 0o1777, 0o600]);
        // A user cannot look into directories that are closed to their owner: neither
        // what is tried here nor these tests.
        let is_closed = item.kind == EntryType::Directory && !is_root();
        let item = item.mode(if is_closed { mode | 0o700 } else { mode });
        let item = match self.below(4) {
            0 => item.pax("mtime", *self.of(&["-1.5", "0.000000001", "99999999999.25", "-7"])),
            1 => item.mtime(self.below(1 << 33)),
            _ => item,
        };
        let item = match self.below(4) {
            0 if is_root() => {
                let (uid, gid) = (*self.of(&[1, 65_534, 3_000_000]), *self.of(&[5, 3_000_000]));
                item.pax("uid", uid.to_string()).pax("gid", gid.to_string())
            }
            _ => item,
        };
        match self.below(4) {
            // The kernel has none for links and the like.
            0 if matches!(item.kind, EntryType::Regular | EntryType::Directory) => {
                item.xattr("user.a", "one\nline\0more").xattr("user.b", "")
            }
            _ => item,
        }
    }
}

trait ConcatOs {
    fn concat_os(&self) -> OsString;
}

impl ConcatOs for [&[u8]] {
    fn concat_os(&self) -> OsString {
        OsString::from_vec(self.concat())
    }
}

fn before_name(path: &OsStr, prefix: &str) -> PathBuf {
    let path = Path::new(path);
    let mut name = OsString::from(prefix);
    name.push(path.file_name().expect("a name"));
    path.with_file_name(name)
}

/// All that can be seen of a tree, a line each; whose inode a file has is said by its
/// first name.
fn tree(top: &Path) -> Vec<String> {
    let mut lines = Vec::new();
    let mut names = BTreeMap::new();
    walk(top, top, &mut names, &mut lines);
    lines
}

fn walk(top: &Path, path: &Path, names: &mut BTreeMap<u64, PathBuf>, lines: &mut Vec<String>) {
    let m = path.symlink_metadata().expect("an entry");
    let name = path.strip_prefix(top).expect("below the top").to_owned();
    let first = if m.is_dir() {
        name.clone()
    } else {
        names.entry(m.ino()).or_insert(name.clone()).clone()
    };
    let is_whiteout = mydocker_image::whiteout::is_whiteout(&m);
    // The time of a whiteout is that of its making.
    let is_mark = name.file_name().is_some_and(|name| name.as_bytes().starts_with(b".wh."));
    let time = if is_whiteout || is_mark { (0, 0) } else { (m.mtime(), m.mtime_nsec()) };
    let content = if m.is_file() { std::fs::read(path).expect("a file") } else { vec![] };
    let target = path.read_link().unwrap_or_default();
    let mut xattrs: Vec<_> = ["user.a", "user.b", "user.overlay.opaque", "trusted.overlay.opaque"]
        .into_iter()
        .filter_map(|name| {
            let mut value = [0; 64];
            let length = rustix::fs::lgetxattr(path, name, &mut value).ok()?;
            Some((name, value[..length].to_vec()))
        })
        .collect();
    xattrs.sort();
    let stat = (m.mode(), m.uid(), m.gid(), m.rdev(), m.nlink() > 1 && !m.is_dir() && !is_whiteout);
    lines.push(format!(
        "{name:?} {stat:?} {time:?} {first:?} {target:?} {xattrs:?} {} {:?}",
        content.len(),
        content.iter().take(20).collect::<Vec<_>>()
    ));
    if m.is_dir() {
        let mut below: Vec<_> = std::fs::read_dir(path)
            .expect("a directory")
            .map(|e| e.expect("an entry").path())
            .collect();
        below.sort();
        below.iter().for_each(|path| walk(top, path, names, lines));
    }
}

fn trees(image: &Image) -> Vec<Vec<String>> {
    image
        .layers()
        .iter()
        .rev()
        .map(|layer| tree(&layer.canonicalize().expect("a folder")))
        .collect()
}

fn archive_of(store: &Store, name: &str, format: Format) -> Vec<u8> {
    let image = Image::open(&store.root(), name).expect("an image");
    let mut archive = Vec::new();
    export(&image, format, &mut archive, Path::new("the archive")).expect("an archive");
    archive
}

/// A store with the image `it`; `None` if it is one that is refused.
fn generated(seed: u64, form: WhiteoutForm) -> Option<Store> {
    let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    let layers: Vec<Vec<u8>> = random.image().iter().map(|items| tar(items)).collect();
    let store = Store::new();
    store.import_as(&tar(&docker_save_of(&layers)), form).ok()?;
    Some(store)
}

#[rstest]
#[case::docker_overlay(Format::Docker, Overlay)]
#[case::docker_aufs(Format::Docker, Aufs)]
#[case::oci_overlay(Format::Oci, Overlay)]
fn what_is_exported_comes_back_as_it_was(#[case] format: Format, #[case] form: WhiteoutForm) {
    let mut seen = 0;
    for seed in 0.. {
        let Some(store) = generated(seed, form) else { continue };
        let archive = archive_of(&store, "it", format);
        assert_eq!(archive, archive_of(&store, "it", format), "{seed}: twice the same");
        let options = mydocker_image::ImportOptions { whiteouts: form, ..Default::default() };
        import(&store.root(), "back", &store.save(&archive), &options).expect("an image");
        let [it, back] =
            ["it", "back"].map(|name| Image::open(&store.root(), name).expect("an image"));
        similar(seed, &trees(&it), &trees(&back));
        assert_eq!((it.env(), it.working_dir()), (back.env(), back.working_dir()));
        // An image does not know how it was made: the copy has the same bytes.
        let again = archive_of(&store, "back", format);
        assert_eq!(layers_of(&archive), layers_of(&again), "{seed}");
        seen += 1;
        if seen == GENERATED {
            break;
        }
    }
}

/// The names of the layers, which are their checksums.
fn layers_of(archive: &[u8]) -> Vec<PathBuf> {
    let mut archive = tar::Archive::new(archive);
    let entries = archive.entries().expect("a tar");
    entries
        .map(|entry| entry.expect("an entry").path().expect("a path").into_owned())
        .collect::<Vec<_>>()
}

#[rstest]
#[case::overlay(Overlay)]
#[case::aufs(Aufs)]
fn a_layer_that_is_committed_is_the_layer_that_it_was(#[case] form: WhiteoutForm) {
    let mut seen = 0;
    for seed in 0.. {
        let Some(store) = generated(seed, form) else { continue };
        let it = Image::open(&store.root(), "it").expect("an image");
        let top = it.layers()[0].clone();
        let lower = it.layers().len() - 1;
        if lower == 0 {
            continue;
        }
        // The image without its top layer, of which a container then has the files.
        let json = store.images().join("it/image.json");
        let all = std::fs::read_to_string(&json).expect("its record");
        let base =
            all.replace(&format!("\"layers\": {}", lower + 1), &format!("\"layers\": {lower}"));
        std::fs::write(&json, base).expect("its record");
        let base = Image::open(&store.root(), "it").expect("an image");
        let nothing = store.outside().join("nothing");
        std::fs::create_dir(&nothing).expect("a folder");
        let changes = Changes { source: "c".into(), write_layer: &top, init_layer: &nothing, form };
        let committed = commit(&store.root(), "new", &base, &changes).expect("an image");
        assert_eq!(committed.layers, lower + 1);
        let new = Image::open(&store.root(), "new").expect("an image");
        std::fs::write(&json, all).expect("its record");
        similar(seed, &trees(&it), &trees(&new));
        let shared = new.layers().iter().filter(|layer| layer.is_symlink()).count();
        assert_eq!(shared, lower, "all layers but the new one are shared");
        seen += 1;
        if seen == GENERATED {
            break;
        }
    }
}

#[track_caller]
fn similar(seed: u64, one: &[Vec<String>], other: &[Vec<String>]) {
    for (number, (one, other)) in one.iter().zip(other).enumerate() {
        for (one, other) in one.iter().zip(other) {
            assert_eq!(one, other, "image {seed}, layer {number}");
        }
        assert_eq!(one.len(), other.len(), "image {seed}, layer {number}");
    }
    assert_eq!(one.len(), other.len(), "image {seed}");
}
