//! The host's folders, with workspaces as a container leaves them.

use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use labkit::canary::Canary;
use labkit::host::Host;
use nix::mount::{MntFlags, MsFlags, mount, umount2};

const NOTHING: Option<&str> = None;

/// The mode of the folder [`Stage::letters`]: whoever opens it to its owner changes it.
pub const MODE_OF_LETTERS: u32 = 0o555;

/// The mode of the file [`Stage::shared`], and what is in it.
pub const MODE_OF_SHARED: u32 = 0o444;
const SHARED: &str = "not the container's alone\n";

/// Other workspaces than ws1; the name of one begins the same.
pub const NEIGHBOURS: [&str; 2] = ["ws10", "other"];

/// Where nothing is, by an absolute path and by one from a link.
pub const NOWHERE: [&str; 2] = ["/nothing/is/here", "nothing/of/the/kind"];

/// The names of a workspace and of a neighbour, which look the same as text: they differ
/// only in a byte that is not UTF-8.
pub fn alike_as_text() -> [&'static OsStr; 2] {
    [OsStr::from_bytes(b"ws\xff"), OsStr::from_bytes(b"ws\xfe")]
}

/// What an answer finds; the files of [`Host::precious`] are the volume.
#[derive(Debug)]
pub struct Stage<'a> {
    pub host: &'a Host,
    /// A read-only layer, which all containers share.
    pub image: Canary,
    /// Files of the host to which a symbolic link may lead.
    pub letters: Canary,
    /// A file of the host that has another name in each write layer.
    pub shared: PathBuf,
}

impl<'a> Stage<'a> {
    pub fn new(host: &'a Host) -> Stage<'a> {
        let canary = |name| Canary::new(host.path(name)).expect("the scratch folder");
        let letters = canary("letters").folder;
        set_mode(&letters, MODE_OF_LETTERS);
        let letters = Canary::watch(letters).expect("the scratch folder");
        let shared = host.path("shared");
        write(&shared, SHARED);
        set_mode(&shared, MODE_OF_SHARED);
        Stage { host, image: canary("images/busybox"), letters, shared }
    }

    /// Whether that file is as it was.
    pub fn is_shared_untouched(&self) -> bool {
        let mode = self.shared.metadata().map_or(0, |data| data.permissions().mode() & 0o7777);
        mode == MODE_OF_SHARED && fs::read_to_string(&self.shared).is_ok_and(|it| it == SHARED)
    }

    /// The folder of all workspaces.
    pub fn containers(&self) -> PathBuf {
        self.host.path("containers")
    }

    /// A workspace with nothing mounted. As in real ones, some folders are
    /// closed to their owner, and an image has links to anywhere.
    pub fn workspace(&self, name: impl AsRef<Path>) -> PathBuf {
        let workspace = self.containers().join(name);
        for (file, content) in [
            ("init-layer/etc/hosts", "127.0.0.1 localhost\n"),
            ("write-layer/root/notes", "from the container\n"),
            ("write-layer/closed/file", ""),
        ] {
            write(&workspace.join(file), content);
        }
        for folder in ["work/work", "mnt"] {
            fs::create_dir_all(workspace.join(folder)).expect("the scratch folder");
        }
        let shared = workspace.join("write-layer/root/shared");
        fs::hard_link(&self.shared, shared).expect("the scratch folder");
        set_mode(&workspace.join("write-layer/closed"), 0o500);
        set_mode(&workspace.join("work/work"), 0o000);
        workspace
    }

    /// A workspace with what a container mounts: a root, /proc, and a volume in
    /// two places.
    pub fn container(&self, name: impl AsRef<Path>) -> PathBuf {
        let workspace = self.workspace(name);
        self.mount_container(&workspace);
        workspace
    }

    /// Mounts what a container mounts.
    pub fn mount_container(&self, workspace: &Path) {
        mount_tmpfs(&workspace.join("mnt"));
        self.mount_inside(workspace);
    }

    /// A container whose root is an overlay, as the blog's.
    pub fn overlay_container(&self, name: &str) -> PathBuf {
        let workspace = self.workspace(name);
        let layer = |name: &str| workspace.join(name).display().to_string();
        let options = format!(
            "lowerdir={}:{},upperdir={},workdir={}",
            layer("init-layer"),
            self.image.folder.display(),
            layer("write-layer"),
            layer("work")
        );
        let mnt = workspace.join("mnt");
        let flags = MsFlags::empty();
        mount(Some("overlay"), &mnt, Some("overlay"), flags, Some(options.as_str()))
            .expect("this promise needs overlayfs");
        self.mount_inside(&workspace);
        workspace
    }

    /// What is mounted below a container's root. Whether the names of a folder
    /// are read in the order in which they were made or the other way round, a
    /// volume is the first of its folders: a deletion that stops at a mount
    /// point has gone through that one.
    fn mount_inside(&self, workspace: &Path) {
        self.mount_volume(&workspace.join("mnt/data"));
        mount_tmpfs(&workspace.join("mnt/proc"));
        mount_tmpfs(&workspace.join("mnt/proc/sys"));
        self.mount_volume(&workspace.join("mnt/srv"));
    }

    /// Mounts the volume on a folder, privately, as container runtimes do.
    pub fn mount_volume(&self, on: &Path) {
        fs::create_dir_all(on).expect("the scratch folder");
        let volume = &self.host.precious().folder;
        mount(Some(volume), on, NOTHING, MsFlags::MS_BIND, NOTHING).expect("the sandbox allows it");
        mount(NOTHING, on, NOTHING, MsFlags::MS_PRIVATE, NOTHING).expect("the sandbox allows it");
    }

    /// Binds a file of the volume onto a file, privately, as docker does with
    /// /etc/hosts.
    pub fn mount_file(&self, on: &Path) {
        write(on, "");
        mount(Some(&self.host.precious().file()), on, NOTHING, MsFlags::MS_BIND, NOTHING)
            .and_then(|()| mount(NOTHING, on, NOTHING, MsFlags::MS_PRIVATE, NOTHING))
            .expect("the sandbox allows it");
    }

    /// Binds a directory of a workspace onto one of the host's.
    pub fn show_elsewhere(&self, directory: &Path) {
        let place = self.host.path("shown-elsewhere");
        fs::create_dir_all(&place).expect("the scratch folder");
        mount(Some(directory), &place, NOTHING, MsFlags::MS_BIND, NOTHING)
            .expect("the sandbox allows it");
    }

    /// Makes a directory a mount point: privately, else what is mounted below it
    /// shows in what it covers, too.
    pub fn bind_onto_itself(&self, directory: &Path) {
        mount(Some(directory), directory, NOTHING, MsFlags::MS_BIND, NOTHING)
            .and_then(|()| mount(NOTHING, directory, NOTHING, MsFlags::MS_PRIVATE, NOTHING))
            .expect("the sandbox allows it");
    }

    /// A workspace with nothing mounted, of which these parts are gone.
    pub fn workspace_without(&self, parts: &[&str]) -> PathBuf {
        let workspace = self.workspace(format!("without-{}", parts.join("-")));
        for part in parts {
            fs::remove_dir_all(workspace.join(part)).expect("the scratch folder");
        }
        workspace
    }

    /// A workspace with what a runtime may keep beside the layers.
    pub fn workspace_with_more(&self, name: &str) -> PathBuf {
        let workspace = self.workspace(name);
        write(&workspace.join("lock"), "");
        write(&workspace.join("log/0.log"), "out\n");
        write(&workspace.join("log/..data"), "");
        // A container can write none of these, and who has made them is not asked.
        for name in ["letters", "init-layer/letters", "log/letters"] {
            symlink(&self.letters.folder, workspace.join(name)).expect("the scratch folder");
        }
        symlink(self.letters.file(), workspace.join("letter")).expect("the scratch folder");
        for name in ["nowhere", "log/nowhere"] {
            symlink(NOWHERE[0], workspace.join(name)).expect("the scratch folder");
        }
        workspace
    }

    /// A workspace whose layers are links to the letters.
    pub fn workspace_of_links(&self, name: &str) -> PathBuf {
        let workspace = self.workspace(name);
        set_mode(&workspace.join("work/work"), 0o700);
        for layer in ["write-layer", "work"] {
            let _ = fs::remove_dir_all(workspace.join(layer));
            symlink(&self.letters.folder, workspace.join(layer)).expect("the scratch folder");
        }
        workspace
    }

    /// A workspace of which one layer is a link to this.
    pub fn workspace_with_link(&self, name: &str, layer: &str, target: &Path) -> PathBuf {
        let workspace = self.workspace(name);
        fs::remove_dir_all(workspace.join(layer)).expect("the scratch folder");
        symlink(target, workspace.join(layer)).expect("the scratch folder");
        workspace
    }

    /// A workspace whose layers are links that lead nowhere, with more of them beside the
    /// files of the container-init layer.
    pub fn workspace_of_dangling_links(&self, name: &str) -> PathBuf {
        let workspace = self.workspace(name);
        for layer in ["write-layer", "work"] {
            fs::remove_dir_all(workspace.join(layer)).expect("the scratch folder");
        }
        let [absolute, relative] = NOWHERE;
        for (link, target) in [
            ("write-layer", absolute),
            ("work", relative),
            ("init-layer/etc/absolute", absolute),
            ("init-layer/etc/relative", relative),
            ("init-layer/etc/itself", "itself"),
        ] {
            symlink(target, workspace.join(link)).expect("the scratch folder");
        }
        workspace
    }

    /// Writes files into the write layer whose names begin with dots: only `.` and `..`
    /// stand for other directories.
    pub fn add_names_with_dots(&self, workspace: &Path) {
        for name in [".profile", "..data", "..."] {
            write(&workspace.join("write-layer/root").join(name), "");
        }
    }

    /// Lays a link to the letters into the write layer.
    pub fn add_link(&self, workspace: &Path) {
        let link = workspace.join("write-layer/root/letters");
        symlink(&self.letters.folder, link).expect("the scratch folder");
    }

    /// Mounts a tmpfs on a folder with another one that is older and was moved
    /// there: the mount table lists it before the one that it lies on.
    pub fn mount_moved(&self, mnt: &Path) {
        let older = self.mount_aside();
        mount_tmpfs(mnt);
        self.move_from_aside(&older, &mnt.join("cache"));
    }

    /// A container with a mount on its root that is older, and was moved there: the
    /// mount table lists it before what it covers.
    pub fn container_under_an_older_mount(&self, name: &str) -> PathBuf {
        let older = self.mount_aside();
        let workspace = self.container(name);
        self.move_from_aside(&older, &workspace.join("mnt"));
        workspace
    }

    /// Mounts a tmpfs on each of as many directories of a container's root, and returns a
    /// file of each.
    pub fn mount_caches(&self, workspace: &Path, count: usize) -> Vec<PathBuf> {
        let caches = (0..count).map(|nth| workspace.join(format!("mnt/cache-{nth}")));
        caches.inspect(|cache| mount_tmpfs(cache)).map(|cache| cache.join("file")).collect()
    }

    /// Two directories of a container's root that are peers, with a mount in each: if one of
    /// those is unmounted, the other one goes along.
    pub fn mount_peers(&self, workspace: &Path) {
        let [one, other] = ["mnt/one", "mnt/other"].map(|name| workspace.join(name));
        mount_tmpfs(&workspace.join("mnt"));
        mount_tmpfs(&one);
        fs::create_dir_all(&other).expect("the scratch directory");
        mount(NOTHING, &one, NOTHING, MsFlags::MS_SHARED, NOTHING)
            .and_then(|()| mount(Some(&one), &other, NOTHING, MsFlags::MS_BIND, NOTHING))
            .expect("the sandbox allows it");
        mount_tmpfs(&one.join("data"));
    }

    /// Closes directories outside the write layer to their owner, as an image may do.
    pub fn close_init_layer(&self, workspace: &Path) {
        write(&workspace.join("init-layer/run/file"), "");
        set_mode(&workspace.join("init-layer/run"), 0o000);
        set_mode(&workspace.join("init-layer/etc"), 0o555);
    }

    /// A tmpfs that can be moved.
    fn mount_aside(&self) -> PathBuf {
        let aside = self.host.path("aside");
        mount_tmpfs(&aside);
        // What a shared mount carries cannot be moved.
        mount(NOTHING, &aside, NOTHING, MsFlags::MS_PRIVATE, NOTHING)
            .expect("the sandbox allows it");
        let older = aside.join("cache");
        mount_tmpfs(&older);
        older
    }

    fn move_from_aside(&self, older: &Path, target: &Path) {
        fs::create_dir_all(target).expect("the scratch folder");
        mount(Some(older), target, NOTHING, MsFlags::MS_MOVE, NOTHING)
            .expect("the sandbox allows it");
        umount2(&self.host.path("aside"), MntFlags::empty()).expect("nobody holds it");
    }
}

/// Mounts a tmpfs on a folder, with a file in it.
pub fn mount_tmpfs(on: &Path) {
    fs::create_dir_all(on).expect("the scratch folder");
    mount(Some("tmpfs"), on, Some("tmpfs"), MsFlags::empty(), NOTHING)
        .expect("the sandbox allows it");
    write(&on.join("file"), "of the container\n");
}

pub fn set_mode(folder: &Path, mode: u32) {
    fs::set_permissions(folder, Permissions::from_mode(mode)).expect("the scratch folder");
}

fn write(file: &Path, content: &str) {
    fs::create_dir_all(file.parent().expect("a file in a folder")).expect("the scratch folder");
    fs::write(file, content).expect("the scratch folder");
}
