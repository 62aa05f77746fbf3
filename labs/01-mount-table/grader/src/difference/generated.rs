//! Readings that are generated at random.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use arbitrary::{Result, Unstructured};
use labkit::generated::list;

use super::Case;
use super::same::expected;
use crate::acts::Readings;
use crate::reading::read_line;
use crate::table::Mount;

/// A table, and what has become of it: mounts came and went, were moved and
/// remounted, and IDs were reused.
pub fn readings(choices: &mut Unstructured) -> Result<Case> {
    let mut before = Vec::new();
    let mut after = Vec::new();
    let mut id = 20;
    list(choices, 8, |choices| {
        id += 1;
        let mount = mount(id, choices)?;
        let fate = choices.int_in_range(0..=7u8)?;
        if fate != 1 {
            before.push(mount.clone());
        }
        if fate != 2 {
            let new = match fate {
                0 | 1 => mount,
                _ => changed(&mount, choices)?,
            };
            // The kernel lists some newer mounts before older ones.
            let at = after.len() - choices.int_in_range(0..=after.len())?;
            after.insert(at, new);
        }
        Ok(())
    })?;
    let expected = expected(&before, &after);
    Ok(Case { input: Readings { before, after }, expected })
}

fn mount(id: u32, choices: &mut Unstructured) -> Result<Mount> {
    let rest = choices.choose(&[
        "26 0:40 / /srv rw - tmpfs a rw",
        "26 0:40 / /srv rw shared:1 - tmpfs a rw",
        "26 254:1 / /mnt rw,noatime shared:1 - ext4 /dev/vdb rw",
        "26 254:1 /photos /mnt rw,noatime - ext4 /dev/vdb rw",
        "38 0:41 / /srv rw - proc proc rw",
        r"26 0:40 /\351 /srv/\351 rw - tmpfs \351 rw,lower=\351,upper=a\054b",
    ])?;
    Ok(read_line(format!("{id} {rest}").as_bytes()))
}

/// The same mount, or another one with its ID.
fn changed(mount: &Mount, choices: &mut Unstructured) -> Result<Mount> {
    let mut new = mount.clone();
    let mut change = |choices: &mut Unstructured| {
        match choices.int_in_range(0..=15u8)? {
            0 => new.mount_point = "/elsewhere".into(),
            1 => new.options = vec!["ro".into()],
            2 => new.optional_fields = vec!["master:9".into()],
            3 => new.super_options.push("size=64k".into()),
            4 => new.parent = 99,
            5 => new.device = "0:99".into(),
            6 => new.root = "/old photos".into(),
            7 => new.fs_type = "xfs".into(),
            8 => new.source = "another".into(),
            // What can be told by its bytes alone, or by its order.
            9 => new.root = other_byte(new.root.as_os_str()).into(),
            10 => new.mount_point = other_byte(new.mount_point.as_os_str()).into(),
            11 => new.source = other_byte(&new.source),
            12 => new.super_options = new.super_options.iter().map(|it| other_byte(it)).collect(),
            13 => new.super_options = vec![new.super_options.join(",".as_ref())],
            14 => new.options.reverse(),
            _ => new.mount_point = "/srv".into(),
        }
        Ok(())
    };
    change(choices)?;
    list(choices, 2, change)?;
    Ok(new)
}

/// The same name with another byte in the place of one that is not UTF-8.
fn other_byte(name: &OsStr) -> OsString {
    let other = |byte: &u8| if *byte == 0o351 { 0o352 } else { *byte };
    OsString::from_vec(name.as_bytes().iter().map(other).collect())
}
