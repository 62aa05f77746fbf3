//! Why an overlay mount failed: what overlayfs asks of its layers.
//!
//! See Documentation/filesystems/overlayfs.rst in the kernel's sources.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use nix::errno::Errno;

use crate::cause::Cause;
use crate::mountinfo::MountTable;
use crate::on_path;
use crate::overlay_options::{split_layers, split_options};

/// Looks at the layers that `data` names.
pub fn mount(errno: Errno, data: &OsStr) -> Option<Cause> {
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
        if let Err(error) = std::fs::metadata(layer) {
            return on_path::cause(Errno::from_raw(error.raw_os_error()?), layer);
        }
    }
    if upper.is_some() != work.is_some() {
        return Some(Cause::new("upperdir and workdir go together: one of them is missing", ""));
    }
    let table = MountTable::read().ok()?;
    let used: Vec<PathBuf> = [&upper, &work].into_iter().flatten().cloned().collect();
    if let (Some(upper), Some(work)) = (upper, work) {
        let (upper, work) = (upper.canonicalize().ok()?, work.canonicalize().ok()?);
        if upper.starts_with(&work) || work.starts_with(&upper) {
            return Some(Cause::new(
                format!("workdir {work:?} and upperdir {upper:?} are the same or nested"),
                "make them two directories side by side",
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
                "choose a directory on a real disk or a tmpfs with --root",
            ));
        }
        if upper_mount.options.split(',').any(|option| option == "ro") {
            return Some(Cause::new(format!("upperdir {upper:?} is on a read-only mount"), ""));
        }
    }
    match errno {
        Errno::EPERM => super::capability(errno, "CAP_SYS_ADMIN").or_else(before_users_may),
        Errno::EINVAL if lower.len() > 500 => {
            Some(Cause::new(format!("{} layers: an overlay takes at most 500", lower.len()), ""))
        }
        Errno::ELOOP => {
            let (layer, within) = nested(&lower)?;
            Some(Cause::new(format!("the layer {layer:?} is, or is in, the layer {within:?}"), ""))
        }
        Errno::EBUSY => {
            let user = table.mounts.iter().find(|mount| uses(&mount.super_options, &used))?;
            Some(Cause::new(
                format!("the overlay at {:?} uses the same upperdir or workdir", user.mount_point),
                "give each workspace its own directories",
            ))
        }
        _ => None,
    }
}

/// Two layers, the first of which is the second, or a directory in it.
fn nested(layers: &[PathBuf]) -> Option<(&Path, &Path)> {
    let real: Vec<PathBuf> =
        layers.iter().map(|layer| layer.canonicalize()).collect::<Result<_, _>>().ok()?;
    let pairs = (0..real.len()).flat_map(|a| (0..real.len()).map(move |b| (a, b)));
    let mut nested = pairs.filter(|(a, b)| a != b && real[*a].starts_with(&real[*b]));
    nested.next().map(|(a, b)| (layers[a].as_path(), layers[b].as_path()))
}

/// Whether an overlay with these options has one of these as its upperdir or workdir.
fn uses(super_options: &str, folders: &[PathBuf]) -> bool {
    let options = split_options(OsStr::new(super_options));
    let own = options.iter().filter(|(name, _)| name == "upperdir" || name == "workdir");
    own.flat_map(|(_, value)| split_layers(value))
        .any(|folder| folders.iter().any(|used| Path::new(&folder) == used))
}

/// Whether this kernel lets only the machine's root mount an overlay.
fn before_users_may() -> Option<Cause> {
    let map = std::fs::read_to_string("/proc/self/uid_map").ok()?;
    let is_mapped = map.split_whitespace().collect::<Vec<_>>() != ["0", "0", "4294967295"];
    // uname(2) can be told to lie, see personality(2).
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").ok()?;
    (is_mapped && is_before_5_11(&release)?).then(|| {
        Cause::new(
            "this kernel lets only root mount an overlay (users may since Linux 5.11)",
            "run as root",
        )
    })
}

fn is_before_5_11(release: &str) -> Option<bool> {
    let mut numbers = release.split(['.', '-']).map(|part| part.parse::<u32>());
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?) < (5, 11))
}

#[cfg(test)]
mod tests {
    use super::is_before_5_11;

    #[test]
    fn the_kernel_that_lets_users_mount_is_told_by_its_release() {
        for (release, is_before) in [
            ("5.10.0-28-amd64", true),
            ("4.19.0", true),
            ("5.11.0-rc1", false),
            ("5.15.153.1-microsoft-standard-WSL2", false),
            ("6.18.0", false),
        ] {
            assert_eq!(is_before_5_11(release), Some(is_before), "{release}");
        }
        assert_eq!(is_before_5_11("unknown"), None);
    }
}
