//! What this kernel and this user can do, found out by trying.

use std::fs;
use std::path::{Path, PathBuf};

use nix::sys::utsname::uname;
use nix::unistd::geteuid;

use crate::limits::{self, Limits};
use crate::program::Environment;
use crate::run::{Spec, run};
use crate::workspace::Driver;
use mydocker_image::{self as image, Image, ImportOptions};
use mydocker_kernel::delete::delete_tree;
use mydocker_kernel::error::NOT_FOUND;
use mydocker_kernel::file_systems::kernel_has;
use mydocker_kernel::mountinfo::MountTable;
use mydocker_kernel::privileges::{Privileges, is_root_without_power};
use mydocker_kernel::surroundings::{self, Hindrance, Wsl};
use mydocker_kernel::{Error, OnPath, Result};

/// Everything, a line or two each: `ok` what works, `no` what does not and
/// what that means, `--` what is only to be known.
///
/// `root` is the folder of images and containers, as far as it is known.
pub fn report(root: Option<&Path>) -> String {
    let privileges = Privileges::current();
    let mut lines = Vec::new();
    let mut say = |mark: &str, subject: &str, text: String| {
        lines.push(format!("{mark}  {subject:<24} {}\n", text.replace('\n', "\n    ")));
    };

    if let Ok(name) = uname() {
        say("--", "kernel", format!("Linux {}", name.release().display()));
    }
    if let Some(wsl) = surroundings::wsl() {
        let (mark, text) = windows(wsl);
        say(mark, "WSL", text);
    }
    let who = match privileges {
        Privileges::User if is_root_without_power() => {
            "root without CAP_SYS_ADMIN: treated as an ordinary user".to_owned()
        }
        Privileges::Root => "root of this machine".to_owned(),
        Privileges::MappedRoot => "root of a user namespace (in a container?)".to_owned(),
        Privileges::User => format!("an ordinary user, uid {}", geteuid()),
    };
    say("--", "user", who);

    let folder = root.map_or_else(std::env::temp_dir, existing_part);
    match root {
        Some(root) => {
            let images = image::list(root).map_or(0, |images| images.len());
            let kind = MountTable::read()
                .ok()
                .and_then(|table| Some(table.holding(&folder)?.fs_type.clone()))
                .unwrap_or_else(|| "?".into());
            let text = format!("{} on {kind}, {images} images", root.display());
            match unsuited(&kind) {
                None => say("--", "folder", text),
                Some(why) => say("no", "folder", format!("{text}\n{why}")),
            }
        }
        None => say("no", "folder", "none is known: name one with --root".into()),
    }

    match try_start(&folder) {
        Ok(()) => {
            let how = match privileges {
                Privileges::User => "in a user namespace: mnt is seen by the container only",
                _ => "mnt can be looked at from a second terminal",
            };
            let driver = Driver::auto().name();
            say("ok", "containers", format!("namespaces, {driver}, /proc, /sys: {how}"));
        }
        Err(error) => {
            let said = error.to_string();
            let others: Vec<_> = match privileges {
                Privileges::Root => Vec::new(),
                _ => surroundings::hindrances().iter().map(Hindrance::cause).collect(),
            };
            say("no", "containers", said.clone());
            for cause in others.into_iter().filter(|cause| !said.contains(&cause.why)) {
                let advice = cause.advice.unwrap_or_default();
                say("no", "", format!("{}\n  do:  {advice}", cause.why));
            }
        }
    }

    match (kernel_has("aufs") == Some(true), privileges) {
        (true, Privileges::Root) => say("ok", "AUFS", "mydocker run --driver aufs works".into()),
        (true, _) => say("no", "AUFS", "this kernel has it, but only root may mount it".into()),
        (false, _) => say(
            "no",
            "AUFS",
            "not in this kernel (it is in no mainline one).\n\
             overlay does for a container what AUFS does; for the AUFS parts: vagrant up aufs"
                .into(),
        ),
    }

    for (controller, options) in [
        ("memory", "-m"),
        ("cpu", "--cpus and --cpu-shares"),
        ("cpuset", "--cpuset-cpus"),
        ("pids", "--pids-limit"),
    ] {
        match limits::try_controller(controller) {
            Ok(hierarchy) => say("ok", options, hierarchy),
            Err(error) => say("no", options, error.to_string()),
        }
    }

    let shared =
        MountTable::read().ok().and_then(|table| Some(table.at(Path::new("/"))?.is_shared()));
    let propagation = match shared {
        Some(true) => {
            "/ is shared, as on every systemd host: a mount in a new namespace would\n\
             appear here too, unless the namespace is made private first"
        }
        _ => "/ is private: a mistake in propagation would not show on this host",
    };
    say("--", "propagation", propagation.into());
    lines.concat()
}

/// What a file system of this type means for who has images and containers on it.
fn unsuited(fs_type: &str) -> Option<&'static str> {
    match fs_type {
        "overlay" => Some(
            "an overlay, as a container's root is, which cannot hold a write layer\n  \
             do:  name a folder on a volume with --root or MYDOCKER_ROOT",
        ),
        it if surroundings::is_of_windows(it) => Some(
            "a file system of Windows', without Linux's owners, modes and links\n  \
             do:  work in a folder of Linux's own, such as your home in WSL",
        ),
        _ => None,
    }
}

/// What of a Windows Subsystem for Linux makes a difference.
fn windows(wsl: Wsl) -> (&'static str, String) {
    if wsl == Wsl::One {
        return (
            "no",
            "version 1, which is no Linux kernel\n  do:  wsl --set-version DISTRIBUTION 2".into(),
        );
    }
    let has_cgroup2 = Path::new("/sys/fs/cgroup/cgroup.controllers").exists();
    let has_systemd = Path::new("/run/systemd/system").exists();
    if has_cgroup2 && has_systemd {
        return ("--", "version 2, with systemd".into());
    }
    let missing = match has_cgroup2 {
        true => "without systemd",
        false => "without control groups of version 2 at /sys/fs/cgroup, so without limits",
    };
    let text = format!(
        "version 2, {missing}\n  do:  in /etc/wsl.conf: [boot] systemd=true; then wsl --shutdown"
    );
    ("--", text)
}

/// The part of a path that exists.
fn existing_part(path: &Path) -> PathBuf {
    path.ancestors().find(|part| part.is_dir()).unwrap_or(Path::new("/")).to_owned()
}

/// Runs a container below `folder`, from an image without a single file. That
/// the command is not found shows that every step before it went well.
fn try_start(folder: &Path) -> Result<()> {
    let root = folder.join(format!(".mydocker-doctor-{}", std::process::id()));
    fs::create_dir(&root).on("mkdir", &root)?;
    let started = start_empty_container(&root);
    let deleted = delete_tree(&root);
    match started {
        Err(error) if error.exit_code() == NOT_FOUND => deleted,
        Err(error) => Err(error),
        Ok(code) => Err(Error::new(format!("a command that does not exist ended with {code}"))),
    }
}

fn start_empty_container(root: &Path) -> Result<u8> {
    let archive = root.join("empty.tar");
    fs::write(&archive, [0; 1024]).on("write", &archive)?;
    image::import(root, "empty", &archive, &ImportOptions::default())?;
    let spec = Spec {
        root: root.to_owned(),
        image: Image::open(root, "empty")?,
        name: None,
        command: vec!["/no-such-command".into()],
        environment: Environment::default(),
        working_dir: "/".into(),
        hostname: None,
        volumes: Vec::new(),
        limits: Limits::default(),
        driver: Driver::auto(),
        terminal: false,
        interactive: false,
        host_network: false,
        privileged: false,
        keep: false,
    };
    run(&spec, None)
}
