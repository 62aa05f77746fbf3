//! Mount tables as text that is the same on every machine and kernel.

use std::path::Path;

use mydocker::mountinfo::{Mount, MountTable};

/// The options of a file system that we set; all others are the kernel's.
const OURS: [&str; 10] = [
    "lowerdir", "upperdir", "workdir", "userxattr", "mode", "size", "gid", "ptmxmode", "br", "dirs",
];

/// One line a mount: where, file system, its options, propagation. Numbers of
/// mounts, devices and peer groups are left out, and each path that begins
/// with one of `names` is written with its name instead.
pub fn normalise(table: &MountTable, names: &[(&Path, &str)]) -> String {
    table.mounts.iter().map(|mount| line(mount, names) + "\n").collect()
}

/// One mount, as [`normalise`] writes it.
pub fn line(mount: &Mount, names: &[(&Path, &str)]) -> String {
    let replace = |text: &str| {
        names.iter().fold(text.to_owned(), |text, (path, name)| {
            text.replace(path.to_str().expect("a path in UTF-8"), name)
        })
    };
    let mut what = mount.fs_type.clone();
    if mount.root != Path::new("/") {
        what += &format!("[{}]", mount.root.display());
    }
    // A device file comes from whatever the host has on its /dev.
    if mount.mount_point.starts_with("/dev") && mount.root.file_name() == mount.mount_point.file_name() {
        what = "device".into();
    }
    let ours = |option: &&str| {
        let name = option.split('=').next().unwrap_or(option);
        OURS.contains(&name) && mount.fs_type != "devtmpfs"
    };
    let options: Vec<&str> = mount.super_options.split(',').filter(ours).collect();
    // Since Linux 6.x relatime is shown for all, before that not.
    let flags: Vec<&str> = mount.options.split(',').filter(|flag| *flag != "relatime").collect();
    let propagation: Vec<&str> = mount
        .optional_fields
        .iter()
        .map(|field| field.split(':').next().unwrap_or(field))
        .collect();
    let propagation = if propagation.is_empty() { "private".into() } else { propagation.join(",") };
    let at = replace(&mount.mount_point.display().to_string());
    let options = replace(&options.join(","));
    format!("{at} {what} {} {propagation} {options}", flags.join(",")).trim_end().to_owned()
}
