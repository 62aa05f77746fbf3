//! What people get wrong about an entry of an archive: its name, the target of a link, and
//! what it says of its file.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use lab_10_grader::Answers;
use tar::{EntryType, Header};

use super::write_layer_tar::mistake;
use crate::catalogue::Mistake;
use crate::lab_10::solution::{header, write_layer_tar};
use crate::lab_10::steps::{
    Archive, Entry, WRITING, Writing, all_attributes, append_entry, append_records, mark_header,
};

/// Writes the archive by hand into a buffer, and changes each name in it.
fn renamed(
    write_layer: &Path,
    out: &mut dyn Write,
    rename: fn(&[u8]) -> Vec<u8>,
) -> io::Result<()> {
    let mut bytes = Vec::new();
    write_layer_tar(write_layer, &mut bytes)?;
    let mut at = 0;
    while let Some(header) = bytes.get_mut(at..at + 512) {
        let header: &mut [u8; 512] = header.try_into().expect("a block");
        let mut changed = Header::from_byte_slice(header).clone();
        if header[0] == 0 {
            break;
        }
        let size = changed.entry_size()? as usize;
        if !changed.entry_type().is_pax_local_extensions()
            && !changed.entry_type().is_gnu_longname()
        {
            let end = header[..100].iter().position(|byte| *byte == 0).unwrap_or(100);
            let name = rename(&header[..end]);
            let field = &mut changed.as_old_mut().name;
            field.fill(0);
            let length = name.len().min(100);
            field[..length].copy_from_slice(&name[..length]);
            changed.set_cksum();
        }
        *header = *changed.as_bytes();
        at += 512 + size.next_multiple_of(512);
    }
    out.write_all(&bytes)
}

/// From the root directory, as paths in a container are.
pub const ABSOLUTE_NAMES: Mistake<Answers> =
    mistake("absolute_names", "commit/paths-not-relative", |write_layer, out| {
        renamed(write_layer, out, |name| [b"/", name].concat())
    });

/// append_dir_all("write-layer", …).
pub const NAMES_OF_THE_HOST: Mistake<Answers> =
    mistake("names_of_the_host", "commit/paths-not-relative", |write_layer, out| {
        let path = |path: &Path| Path::new("write-layer").join(path);
        Writing { path, ..WRITING }.write(write_layer, out)
    });

/// Names that went through a String.
pub const NAMES_AS_TEXT: Mistake<Answers> =
    mistake("names_as_text", "commit/lossy-names", |write_layer, out| {
        let path = |path: &Path| PathBuf::from(path.to_string_lossy().into_owned());
        Writing { path, ..WRITING }.write(write_layer, out)
    });

/// A header has room for so many.
pub const NAMES_OF_100_BYTES: Mistake<Answers> =
    mistake("names_of_100_bytes", "commit/long-name-cut", |write_layer, out| {
        let path = |path: &Path| {
            let bytes = path.as_os_str().as_bytes();
            PathBuf::from(OsStr::from_bytes(&bytes[..bytes.len().min(100)]))
        };
        Writing { path, ..WRITING }.write(write_layer, out)
    });

/// append_link() of the crate rebuilds a target from its components.
pub const TARGETS_BY_COMPONENT: Mistake<Answers> =
    mistake("targets_by_component", "commit/link-target-changed", |write_layer, out| {
        let append = |archive: &mut Archive<'_>, mut entry: Entry<'_>| match &entry.target {
            Some(target) if entry.header.entry_type().is_symlink() => {
                append_records(archive, &entry.records)?;
                archive.append_link(&mut entry.header, entry.name, target)
            }
            _ => append_entry(archive, entry),
        };
        Writing { append, ..WRITING }.write(write_layer, out)
    });

/// set_link_name_literal() with as much as there is room for.
pub const TARGETS_OF_100_BYTES: Mistake<Answers> =
    mistake("targets_of_100_bytes", "commit/link-target-changed", |write_layer, out| {
        let append = |archive: &mut Archive<'_>, mut entry: Entry<'_>| {
            if let Some(target) = &entry.target
                && entry.header.entry_type().is_symlink()
            {
                let bytes = target.as_os_str().as_bytes();
                entry.target = Some(OsStr::from_bytes(&bytes[..bytes.len().min(100)]).into());
            }
            append_entry(archive, entry)
        };
        Writing { append, ..WRITING }.write(write_layer, out)
    });

/// append_data() of the crate cuts off a long name after the last whole character. Of some
/// names, nothing is left then, and it returns an error.
pub const LONG_NAMES_BY_CHARACTERS: Mistake<Answers> =
    mistake("long_names_by_characters", "commit/long-name-refused", |write_layer, out| {
        let append = |archive: &mut Archive<'_>, mut entry: Entry<'_>| {
            if entry.target.is_some() {
                return append_entry(archive, entry);
            }
            append_records(archive, &entry.records)?;
            archive.append_data(&mut entry.header, entry.name, entry.content)
        };
        Writing { append, ..WRITING }.write(write_layer, out)
    });

/// rwxrwxrwx.
pub const NINE_BITS_OF_THE_MODE: Mistake<Answers> =
    mistake("nine_bits_of_the_mode", "commit/special-bits-lost", |write_layer, out| {
        let header = |metadata: &fs::Metadata| {
            let mut header = header(metadata);
            header.set_mode(metadata.mode() & 0o777);
            header
        };
        Writing { header, ..WRITING }.write(write_layer, out)
    });

/// As examples of the crate have them.
pub const DEFAULT_MODES: Mistake<Answers> =
    mistake("default_modes", "commit/modes-lost", |write_layer, out| {
        let header = |metadata: &fs::Metadata| {
            let mut header = header(metadata);
            header.set_mode(if metadata.is_dir() { 0o755 } else { 0o644 });
            header
        };
        Writing { header, ..WRITING }.write(write_layer, out)
    });

/// Root makes the image, so root owns what is in it.
pub const OWNERS_LOST: Mistake<Answers> =
    mistake("owners_lost", "commit/owners-lost", |write_layer, out| {
        let header = |metadata: &fs::Metadata| {
            let mut header = header(metadata);
            header.set_uid(0);
            header.set_gid(0);
            header
        };
        Writing { header, ..WRITING }.write(write_layer, out)
    });

/// HeaderMode::Deterministic, so that the same files give the same bytes.
pub const TIMES_LOST: Mistake<Answers> =
    mistake("times_lost", "commit/times-lost", |write_layer, out| {
        let header = |metadata: &fs::Metadata| {
            let mut header = header(metadata);
            header.set_mtime(1_153_704_088);
            header
        };
        Writing { header, ..WRITING }.write(write_layer, out)
    });

/// What is negative does not fit into a u64.
pub const TIMES_FROM_1970: Mistake<Answers> =
    mistake("times_from_1970", "commit/times-before-1970-lost", |write_layer, out| {
        let header = |metadata: &fs::Metadata| {
            let mut header = header(metadata);
            header.set_mtime(metadata.mtime().try_into().unwrap_or(0));
            header
        };
        Writing { header, ..WRITING }.write(write_layer, out)
    });

/// With `as` it fits: as a time long after today.
pub const TIMES_CAST: Mistake<Answers> =
    mistake("times_cast", "commit/times-before-1970-lost", |write_layer, out| {
        let header = |metadata: &fs::Metadata| {
            let mut header = header(metadata);
            header.set_mtime(metadata.mtime() as u64);
            header
        };
        Writing { header, ..WRITING }.write(write_layer, out)
    });

/// All attributes are kept.
pub const OVERLAYS_OWN_TOO: Mistake<Answers> =
    mistake("overlays_own_too", "commit/overlay-attributes-written", |write_layer, out| {
        let attributes = |path: &Path| {
            let mut all = all_attributes(path)?;
            all.sort();
            Ok(all)
        };
        Writing { attributes, ..WRITING }.write(write_layer, out)
    });

/// A header has no field for them.
pub const ATTRIBUTES_LOST: Mistake<Answers> =
    mistake("attributes_lost", "commit/attributes-lost", |write_layer, out| {
        Writing { attributes: |_| Ok(vec![]), ..WRITING }.write(write_layer, out)
    });

/// The records by hand. Their length counts its own digits, but not the one more that it gets
/// by that: 98 bytes and two digits are 100, which has three.
pub const RECORDS_OF_TOO_FEW_DIGITS: Mistake<Answers> =
    mistake("records_of_too_few_digits", "commit/pax-record-length-wrong", |write_layer, out| {
        let append = |archive: &mut Archive<'_>, mut entry: Entry<'_>| {
            let mut data = Vec::new();
            for (key, value) in std::mem::take(&mut entry.records) {
                let rest = " =\n".len() + key.len() + value.len();
                let length = rest + rest.to_string().len();
                data.extend([format!("{length} {key}=").as_bytes(), &value, b"\n"].concat());
            }
            if !data.is_empty() {
                let mut header = mark_header();
                header.set_entry_type(EntryType::XHeader);
                header.set_size(data.len() as u64);
                header.set_cksum();
                archive.append(&header, data.as_slice())?;
            }
            append_entry(archive, entry)
        };
        Writing { append, ..WRITING }.write(write_layer, out)
    });

/// Eight bits each, as it was before Linux 2.6.
pub const OLD_DEVICE_NUMBERS: Mistake<Answers> =
    mistake("old_device_numbers", "commit/device-numbers-lost", |write_layer, out| {
        let numbers = |device: u64| (device >> 8 & 0xff, device & 0xff);
        Writing { numbers, ..WRITING }.write(write_layer, out)
    });
