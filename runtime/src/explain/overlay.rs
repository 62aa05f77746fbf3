//! Why an overlay mount failed: what overlayfs asks of its layers.
//!
//! See Documentation/filesystems/overlayfs.rst in the kernel's sources.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use nix::errno::Errno;

use super::{Cause, path as explain_path};
use crate::mountinfo::MountTable;
use crate::workspace::overlay::{split_layers, split_options};

/// Looks at the layers that `data` names.
pub fn mount(errno: Errno, target: &Path, data: &OsStr) -> Option<Cause> {
    let options = split_options(data);
    let value = |name: &str| {
        let (_, value) = options.iter().find(|(option, _)| option == name)?;
        split_layers(value).into_iter().next().map(PathBuf::from)
    };
    let (upper, work) = (value("upperdir"), value("workdir"));
    let lower = options.iter().filter(|(option, _)| option == "lowerdir");
    let lower: Vec<PathBuf> =
        lower.flat_map(|(_, value)| split_layers(value)).map(PathBuf::from).collect();

    for layer in lower.iter().chain(&upper).chain(&work) {
        if std::fs::metadata(layer).is_err() {
            return explain_path(Errno::ENOENT, layer)
                .or_else(|| Some(Cause::new(format!("there is no layer {layer:?}"), "")));
        }
    }
    if upper.is_some() != work.is_some() {
        return Some(Cause::new("upperdir and workdir go together: one of them is missing", ""));
    }
    let table = MountTable::read().ok()?;
    if let (Some(upper), Some(work)) = (upper, work) {
        let (upper, work) = (upper.canonicalize().ok()?, work.canonicalize().ok()?);
        if upper.starts_with(&work) || work.starts_with(&upper) {
            return Some(Cause::new(
                format!("workdir {work:?} and upperdir {upper:?} are the same or nested"),
                "make them two folders side by side",
            ));
        }
        let (upper_mount, work_mount) = (table.holding(&upper)?, table.holding(&work)?);
        if upper_mount.id != work_mount.id {
            return Some(Cause::new(
                format!(
                    "upperdir is on the {} at {:?}, workdir on the {} at {:?}",
                    upper_mount.fs_type,
                    upper_mount.mount_point,
                    work_mount.fs_type,
                    work_mount.mount_point
                ),
                "put both on the same mount",
            ));
        }
        if upper_mount.fs_type == "overlay" {
            return Some(Cause::new(
                "the write layer is itself on an overlay, which cannot be an upperdir \
                 (a container inside a container)",
                "choose a folder on a real disk or a tmpfs with --root",
            ));
        }
        if upper_mount.options.split(',').any(|option| option == "ro") {
            return Some(Cause::new(format!("upperdir {upper:?} is on a read-only mount"), ""));
        }
    }
    match errno {
        Errno::EPERM => Some(Cause::new(
            "this kernel lets only root mount an overlay (users may since Linux 5.11)",
            "run as root",
        )),
        Errno::EINVAL if lower.len() > 500 => {
            Some(Cause::new(format!("{} layers: an overlay takes at most 500", lower.len()), ""))
        }
        Errno::ELOOP => Some(Cause::new("two layers are the same or nested folders", "")),
        Errno::EBUSY => Some(Cause::new(
            format!("another overlay uses the same upperdir or workdir, or {target:?} is busy",),
            "give each workspace folders of its own",
        )),
        _ => None,
    }
}
