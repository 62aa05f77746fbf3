//! Records all figures anew. Root of the machine is needed: what a user's
//! container shows is not what the chapters tell.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use harness::host::Host;
use mydocker::container::Container;
use mydocker::trace::{self, Sink};
use mydocker::workspace::delete::{delete_mount_point, delete_workspace};
use mydocker::workspace::{Driver, Durability, Identity, Workspace};
use mydocker_image::Image;
use mydocker_kernel::privileges::Privileges;

use super::normal;
use super::recording::{Entry, Kind, Layer, Layers, Run, State};
use crate::checkout;

/// The name of the recorded container.
const NAME: &str = "blog";

/// The layer figures: the paths that are shown, and what the container runs.
const LAYER_FIGURES: [(&str, &[&str], &str); 4] = [
    (
        "layers",
        &["/bin/sh", "/etc/passwd", "/etc/hosts", "/root/studydocker"],
        "mkdir /root/studydocker",
    ),
    (
        "copy-up",
        &["/etc", "/etc/passwd", "/etc/group"],
        "echo 'me:x:1000:1000::/:/bin/sh' >> /etc/passwd",
    ),
    ("whiteout", &["/etc", "/etc/passwd", "/etc/group"], "rm /etc/group"),
    (
        "opaque",
        &["/var/spool", "/var/spool/mail", "/var/spool/new"],
        "rm -r /var/spool && mkdir /var/spool && touch /var/spool/new",
    ),
];

/// Every recording as the text of its file, by name.
///
/// # Errors
/// A run fails, or this is not root.
pub fn all() -> Result<Vec<(String, String)>> {
    ensure!(
        nix::unistd::geteuid().is_root(),
        "figures are recorded as root: use sudo, best in a VM"
    );
    let mut recordings = vec![
        ("run".to_owned(), text(&whole_run()?)?),
        ("workspace".to_owned(), text(&workspace()?)?),
    ];
    for (name, paths, command) in LAYER_FIGURES {
        recordings.push((name.to_owned(), text(&layers(paths, command)?)?));
    }
    Ok(recordings)
}

fn text(recording: &impl serde::Serialize) -> Result<String> {
    Ok(serde_json::to_string_pretty(recording)? + "\n")
}

fn host() -> Result<Host> {
    let program = checkout::program("mydocker")?;
    Ok(Host::new(program.to_str().context("the program's path")?))
}

/// `mydocker run`, from the first step to the last.
fn whole_run() -> Result<Run> {
    let host = host()?;
    let file = host.path("trace");
    let volume = host.path("volume");
    fs::create_dir(&volume)?;
    let trace = format!("--trace={}", file.display());
    let volume = volume.display().to_string();
    let option = format!("{volume}:/data");
    host.mydocker(["run", &trace, "--name", NAME, "-v", &option, "true"]).assert().success();
    let text = fs::read_to_string(&file)?;
    normal::run(&text.replace(&volume, "/srv/data"), &root(&host))
}

fn root(host: &Host) -> String {
    host.root().display().to_string()
}

/// A workspace, by the functions that the chapters name.
fn workspace() -> Result<Run> {
    let host = host()?;
    let file = host.path("trace");
    let image = Image::open(host.root(), "busybox")?;
    let mut files = Vec::new();

    trace::start(&Sink::File(file.clone()))?;
    trace::step("make and lock the container's directory");
    let container = Container::create(host.root(), Some(NAME))?;
    let folder = container.folder.clone();
    files.push(listing(&folder)?);

    trace::step("create the workspace's layers");
    let durability = Durability::UntilDeleted;
    let identity = Identity { hostname: NAME, host_network: false };
    let (driver, privileges) = (Driver::Overlay, Privileges::known()?);
    let workspace = Workspace::new(folder.clone(), &image, driver, durability, privileges);
    workspace.create_layers(&image, identity)?;
    files.push(listing(&folder)?);

    trace::step("mount the layers together on mnt");
    workspace.create_mount_point()?;
    files.push(listing(&folder)?);

    trace::step("the container makes a folder");
    fs::create_dir(folder.join("mnt/root/studydocker"))?;
    files.push(listing(&folder)?);

    trace::step("unmount the workspace");
    delete_mount_point(&folder)?;
    files.push(listing(&folder)?);

    trace::step("delete the workspace");
    delete_workspace(&folder)?;
    files.push(listing(&folder)?);
    trace::finish();

    let mut run = normal::run(&fs::read_to_string(&file)?, &root(&host))?;
    ensure!(run.steps.len() == files.len(), "a step without its files");
    for (step, files) in run.steps.iter_mut().zip(files) {
        step.files = files;
    }
    Ok(run)
}

/// What is in the container's folder. Of mnt only that something is there:
/// that is the whole image.
fn listing(folder: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    if folder.exists() {
        list(folder, "", &mut names)?;
    }
    Ok(names)
}

fn list(folder: &Path, name: &str, names: &mut Vec<String>) -> Result<()> {
    let mut entries: Vec<_> = fs::read_dir(folder.join(name))?.collect::<Result<_, _>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let name = Path::new(name).join(entry.file_name());
        let shown = name.display().to_string();
        let is_folder = entry.file_type()?.is_dir();
        names.push(if is_folder { format!("{shown}/") } else { shown.clone() });
        if shown == "mnt" {
            if fs::read_dir(entry.path())?.next().is_some() {
                names.push("mnt/…".to_owned());
            }
        } else if is_folder && shown != "work" {
            list(folder, &shown, names)?;
        }
    }
    Ok(())
}

/// The layers of a running container, before and after a command in it.
fn layers(paths: &[&str], command: &str) -> Result<Layers> {
    let host = host()?;
    let script = format!("echo ready; read x; {command}; echo done; read x");
    let mut running = host.start(NAME, &[], &script);
    let before = observe(&host, paths, None)?;
    use std::io::Write;
    running.child.stdin.as_mut().context("its stdin")?.write_all(b"\n")?;
    ensure!(running.read_line() == "done\n", "{command}: failed");
    let after = observe(&host, paths, Some(command.to_owned()))?;
    running.finish();
    Ok(Layers { states: vec![before, after] })
}

fn observe(host: &Host, paths: &[&str], command: Option<String>) -> Result<State> {
    let folder = host.container(NAME);
    let layers = [
        ("mnt", folder.join("mnt")),
        ("write-layer", folder.join("write-layer")),
        ("init-layer", folder.join("init-layer")),
        ("image", host.images().join("busybox/layers/00")),
    ];
    let mut contents: Vec<Vec<u8>> = Vec::new();
    // From the image upwards: its contents are the first.
    let mut observed = Vec::new();
    for (name, layer) in layers.into_iter().rev() {
        let mut entries = Vec::new();
        for path in paths {
            let file = layer.join(path.trim_start_matches('/'));
            if let Some(kind) = kind(&file)? {
                let contents = match kind {
                    Kind::File => letter(fs::read(&file)?, &mut contents),
                    _ => String::new(),
                };
                entries.push(Entry { path: (*path).to_owned(), kind, contents });
            }
        }
        observed.insert(0, Layer { name: name.to_owned(), entries });
    }
    Ok(State { command, layers: observed })
}

fn letter(bytes: Vec<u8>, known: &mut Vec<Vec<u8>>) -> String {
    let at = known.iter().position(|it| *it == bytes).unwrap_or_else(|| {
        known.push(bytes);
        known.len() - 1
    });
    char::from(b'A' + at as u8).to_string()
}

fn kind(path: &PathBuf) -> Result<Option<Kind>> {
    let Ok(metadata) = path.symlink_metadata() else { return Ok(None) };
    let kind = metadata.file_type();
    Ok(Some(match () {
        () if kind.is_char_device() && metadata.rdev() == 0 => Kind::Whiteout,
        () if kind.is_dir() => match xattr::get(path, "trusted.overlay.opaque")? {
            Some(value) if value == b"y" => Kind::Opaque,
            _ => Kind::Folder,
        },
        () => Kind::File,
    }))
}
