//! Lines that are generated at random: whole ones, and broken ones.

use arbitrary::{Result, Unstructured};
use labkit::generated::{list, text};

use super::Case;
use crate::escapes;
use crate::table::Mount;

/// A line: its eleven fields, and sometimes less than that, or more.
pub fn line(choices: &mut Unstructured) -> Result<Case> {
    // 1. What is in front of the dash.
    let (id, parent) = (number(choices)?, number(choices)?);
    let device = *choices.choose(&["0:1", "254:1", "259:1048575"])?;
    let root = name(choices)?;
    let mount_point = name(choices)?;
    let options = words(choices, &["rw", "ro", "noatime", "nosuid", "rw", r"x=\040"])?;
    let known = [
        "shared:1",
        "master:2",
        "propagate_from:3",
        "unbindable",
        "-x",
        "--",
        "later:4",
        r"later:\101",
        "",
    ];
    let optional = list(choices, 4, |choices| choices.choose(&known).copied())?;
    // 2. What is behind it.
    let fs_type = *choices.choose(&["tmpfs", "ext4", "fuse.a-b", "-"])?;
    let source = match choices.int_in_range(0..=3u8)? {
        0 => Vec::new(),
        1 => b"-".to_vec(),
        _ => pieces(choices)?,
    };
    let first = *choices.choose(&[&b"rw"[..], b"ro"])?;
    let more = list(choices, 2, |choices| Ok([b"a".to_vec(), pieces(choices)?].concat()))?;
    let super_options: Vec<Vec<u8>> = [first.to_vec()].into_iter().chain(more).collect();

    let mut fields = vec![
        id.to_string().into_bytes(),
        parent.to_string().into_bytes(),
        device.into(),
        root.clone(),
        mount_point.clone(),
        options.join(",").into_bytes(),
    ];
    fields.extend(optional.iter().map(|&field| field.into()));
    let dash = fields.len();
    fields.extend([b"-".to_vec(), fs_type.into(), source.clone(), super_options.join(&b',')]);
    let mount = Mount {
        id,
        parent,
        device: device.into(),
        root: path(&root),
        mount_point: path(&mount_point),
        options: options.iter().map(|&option| option.into()).collect(),
        optional_fields: optional.iter().map(|&field| field.into()).collect(),
        fs_type: fs_type.into(),
        source: plain(&source),
        super_options: super_options.iter().map(|option| plain(option)).collect(),
    };

    // 3. What befalls it.
    let mut expected = Some(mount);
    match choices.int_in_range(0..=7u8)? {
        5 => fields.push(pieces(choices)?),
        6 => {
            if choices.arbitrary()? {
                lose_before_the_dash(choices, &mut fields, dash)?;
            } else {
                // Without its end, wherever that begins.
                fields.truncate(choices.int_in_range(0..=dash + 3)?);
            }
            expected = None;
        }
        7 => {
            let at = choices.int_in_range(0..=1usize)?;
            let no_number: [&[u8]; 5] = [b"", b"x", b"-1", b"4294967296", b"1x"];
            fields[at] = choices.choose(&no_number)?.to_vec();
            expected = None;
        }
        _ => {}
    }
    Ok(Case { input: fields.join(&b' '), expected })
}

/// Takes away some of the six fields before the optional ones, and adds as many after the
/// last: so the number of fields is that of a whole line.
fn lose_before_the_dash(
    choices: &mut Unstructured,
    fields: &mut Vec<Vec<u8>>,
    dash: usize,
) -> Result<()> {
    // Another dash would make a whole line of what is left, and so would an optional field.
    for field in fields[dash + 1..].iter_mut().filter(|field| field.as_slice() == b"-") {
        *field = b"none".to_vec();
    }
    fields.drain(6..dash);
    let first = choices.int_in_range(0..=5usize)?;
    let end = choices.int_in_range(first + 1..=6)?;
    let lost = fields.drain(first..end).count();
    fields.extend((0..lost).map(|_| b"later:1".to_vec()));
    Ok(())
}

fn number(choices: &mut Unstructured) -> Result<u32> {
    choices.choose(&[1, 0, 36, 1_000, u32::MAX]).copied()
}

/// A path with escapes in it.
fn name(choices: &mut Unstructured) -> Result<Vec<u8>> {
    Ok([b"/".to_vec(), pieces(choices)?].concat())
}

fn pieces(choices: &mut Unstructured) -> Result<Vec<u8>> {
    let pieces: [&[u8]; 14] = [
        b"a",
        br"\040",
        b"-",
        br"\040-\040",
        br"\054",
        br"\134",
        b"040",
        br"\012",
        b"=",
        b":",
        "é".as_bytes(),
        b"\t",
        b"\r",
        b"\xe9",
    ];
    text(choices, &pieces, 4)
}

fn words(choices: &mut Unstructured, words: &[&'static str]) -> Result<Vec<&'static str>> {
    let first = *choices.choose(words)?;
    let more = list(choices, 3, |choices| choices.choose(words).copied())?;
    Ok([first].into_iter().chain(more).collect())
}

fn plain(field: &[u8]) -> std::ffi::OsString {
    std::os::unix::ffi::OsStringExt::from_vec(escapes::unescape(field))
}

fn path(field: &[u8]) -> std::path::PathBuf {
    plain(field).into()
}
