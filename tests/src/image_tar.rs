//! Images made for a test: layers, and the archive that holds them.

use std::ffi::OsStr;
use std::path::Path;

use tar::{Builder, EntryType, Header};

use crate::busybox::busybox_tar;
use crate::host::Host;

/// A layer to be filled, entry by entry. Names begin at the layer's root.
pub struct Layer {
    archive: Builder<Vec<u8>>,
    owner: (u64, u64),
}

impl Default for Layer {
    fn default() -> Layer {
        Layer { archive: Builder::new(Vec::new()), owner: (0, 0) }
    }
}

impl Layer {
    /// An empty layer.
    pub fn new() -> Layer {
        Layer::default()
    }

    /// All entries from here on belong to this user and group.
    pub fn owned_by(mut self, uid: u64, gid: u64) -> Layer {
        self.owner = (uid, gid);
        self
    }

    /// A folder; `.` is the layer's root.
    pub fn folder(self, path: &str, mode: u32) -> Layer {
        self.entry(EntryType::Directory, path, mode, b"")
    }

    /// A regular file.
    pub fn file(self, path: &str, mode: u32, content: impl AsRef<[u8]>) -> Layer {
        self.entry(EntryType::Regular, path, mode, content.as_ref())
    }

    /// A symbolic link.
    pub fn symlink(self, path: &str, target: impl AsRef<Path>) -> Layer {
        self.link(EntryType::Symlink, path, target)
    }

    /// Another name of the file `target` of this layer.
    pub fn hard_link(self, path: &str, target: &str) -> Layer {
        self.link(EntryType::Link, path, target)
    }

    /// Hides what the layers below have at this path.
    pub fn whiteout(self, path: &str) -> Layer {
        let (folder, name) = path.rsplit_once('/').unwrap_or((".", path));
        self.file(&format!("{folder}/.wh.{name}"), 0o644, "")
    }

    /// Hides all that the layers below have in this folder.
    pub fn opaque(self, path: &str) -> Layer {
        self.file(&format!("{path}/.wh..wh..opq"), 0o644, "")
    }

    /// Gives the next entry an extended attribute.
    pub fn xattr(mut self, name: &str, value: &str) -> Layer {
        let record = format!("SCHILY.xattr.{name}");
        let records = [(record.as_str(), value.as_bytes())];
        self.archive.append_pax_extensions(records).expect("an archive in memory");
        self
    }

    fn entry(mut self, kind: EntryType, path: &str, mode: u32, content: &[u8]) -> Layer {
        let mut header = self.header(kind, mode);
        header.set_size(content.len() as u64);
        self.archive.append_data(&mut header, path, content).expect("an archive in memory");
        self
    }

    fn link(mut self, kind: EntryType, path: &str, target: impl AsRef<Path>) -> Layer {
        let mut header = self.header(kind, 0o777);
        header.set_size(0);
        self.archive.append_link(&mut header, path, target).expect("an archive in memory");
        self
    }

    fn header(&self, kind: EntryType, mode: u32) -> Header {
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_uid(self.owner.0);
        header.set_gid(self.owner.1);
        header.set_mtime(1);
        header
    }

    fn into_bytes(self) -> Vec<u8> {
        self.archive.into_inner().expect("an archive in memory")
    }
}

/// An image to be imported, in the form of `docker save`.
#[derive(Debug)]
pub struct Image {
    layers: Vec<Vec<u8>>,
    env: Vec<String>,
}

impl Image {
    /// An image whose bottom layer is busybox.
    ///
    /// # Panics
    /// There is no busybox.
    pub fn on_busybox() -> Image {
        let busybox = std::fs::read(busybox_tar()).expect("the archive of busybox");
        Image { layers: vec![busybox], env: Vec::new() }
    }

    /// An image of this layer alone.
    pub fn of(layer: Layer) -> Image {
        Image { layers: vec![layer.into_bytes()], env: Vec::new() }
    }

    /// Lays one more layer on top.
    pub fn layer(mut self, layer: Layer) -> Image {
        self.layers.push(layer.into_bytes());
        self
    }

    /// A variable that the image wants.
    pub fn env(mut self, variable: &str) -> Image {
        self.env.push(variable.to_owned());
        self
    }

    /// Imports the image as `name`, with further `options` of the command.
    ///
    /// # Panics
    /// The import fails.
    pub fn import(&self, host: &Host, name: &str, options: &[&str]) {
        let archive = host.path(&format!("{name}.tar"));
        std::fs::write(&archive, self.archive()).expect("the archive");
        let import = ["image", "import", name].map(OsStr::new).into_iter();
        let options = options.iter().map(OsStr::new);
        host.mydocker(import.chain([archive.as_os_str()]).chain(options)).assert().success();
    }

    /// The archive.
    pub fn archive(&self) -> Vec<u8> {
        let layers: Vec<String> = (0..self.layers.len()).map(|n| format!("{n}.tar")).collect();
        let manifest = serde_json::json!([{ "Config": "config.json", "Layers": layers }]);
        let config = serde_json::json!({
            "config": { "Env": self.env },
            "rootfs": { "type": "layers", "diff_ids": [] },
        });
        let mut archive = Layer::new().file("manifest.json", 0o644, manifest.to_string()).file(
            "config.json",
            0o644,
            config.to_string(),
        );
        for (name, content) in layers.iter().zip(&self.layers) {
            archive = archive.file(name, 0o644, content);
        }
        archive.into_bytes()
    }
}
