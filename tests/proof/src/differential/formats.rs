//! One archive in the forms of different programs.

use tar::EntryType;

use crate::hostile_tars::items::{Item, append, tar, tar_without_end};

/// Who could have written an archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Before the standard: no devices, short names, NUL for the kind of a file.
    V7,
    Ustar,
    Gnu,
    Pax,
    /// star, with times in the place of a part of the name.
    Star,
    /// An incremental archive of GNU tar: directories have a list for data.
    GnuIncremental,
    /// Fields that do not matter are empty, as tar libraries write them.
    EmptyFields,
    /// GNU's, without an end mark.
    NoEndMark,
    /// GNU's, with the name of a volume.
    Volume,
}

/// All of them.
pub const FORMATS: [Format; 9] = [
    Format::V7,
    Format::Ustar,
    Format::Gnu,
    Format::Pax,
    Format::Star,
    Format::GnuIncremental,
    Format::EmptyFields,
    Format::NoEndMark,
    Format::Volume,
];

/// An archive of these entries.
pub fn encode(items: &[Item], format: Format) -> Vec<u8> {
    match format {
        Format::Gnu => tar(items),
        Format::NoEndMark => tar_without_end(items),
        Format::Pax => {
            let in_pax = |item: &Item| {
                let item = item.clone().pax("path", &item.name);
                let mtime = format!("{}.000000000", item.mtime);
                item.pax("mtime", mtime)
            };
            tar(&items.iter().map(in_pax).collect::<Vec<_>>())
        }
        Format::Volume => {
            let mut archive = Vec::new();
            append(&mut archive, b"backup", b"", |header| {
                header.set_entry_type(EntryType::new(b'V'));
                header.as_mut_bytes()[100..136].fill(0);
            });
            archive.extend(tar(items));
            archive
        }
        _ => {
            // Every block is a header or zeros here: entries have little data.
            let mut archive = Vec::new();
            for item in items {
                archive.extend(rewritten(item, format));
            }
            archive.resize(archive.len() + 1024, 0);
            archive
        }
    }
}

fn rewritten(item: &Item, format: Format) -> Vec<u8> {
    let mut item = item.clone();
    let is_directory = item.kind == EntryType::Directory;
    if format == Format::GnuIncremental && is_directory {
        item.data = b"Yx\0Nold\0\0".to_vec();
        item.kind = EntryType::new(b'D');
    }
    if format == Format::V7 && is_directory {
        item.name.push(b'/');
    }
    let plain = tar_without_end(&[Item { pax: Vec::new(), ..item.clone() }]);
    let mut archive = Vec::new();
    append(&mut archive, &item.name, &item.data, |header| {
        let bytes = header.as_mut_bytes();
        bytes[100..512].copy_from_slice(&plain[100..512]);
        match format {
            Format::V7 => {
                bytes[257..].fill(0);
                if matches!(item.kind, EntryType::Regular | EntryType::Directory) {
                    bytes[156] = 0;
                }
            }
            Format::Ustar => bytes[257..265].copy_from_slice(b"ustar\x0000"),
            Format::Star => {
                bytes[257..265].copy_from_slice(b"ustar\x0000");
                bytes[476..500].copy_from_slice(b"14000000000 14000000000 ");
                bytes[508..].copy_from_slice(b"tar\0");
            }
            Format::EmptyFields if item.mtime == 0 => bytes[136..148].fill(0),
            _ => {}
        }
    });
    archive
}
