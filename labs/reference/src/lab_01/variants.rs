//! Other right answers to lab 01, and wrong ones that no rule foresees.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStringExt;

use lab_01_grader::Answers;
use lab_01_grader::table::{Change, Mount};

use super::{SOLUTION, solution};
use crate::catalogue::Variant;

/// Right, and not as the solution does it.
pub static RIGHT: &[Variant<Answers>] = &[
    // Cut at the backslashes, and the digits read by the standard library.
    Variant {
        name: "unescape_piece_by_piece",
        answers: Answers {
            unescape: |field| {
                let mut pieces = field.split(|&byte| byte == b'\\');
                let mut bytes = pieces.next().unwrap_or_default().to_vec();
                for piece in pieces {
                    let digits = piece.get(..3).filter(|it| it.iter().all(u8::is_ascii_digit));
                    let digits = digits.and_then(|digits| std::str::from_utf8(digits).ok());
                    match digits.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
                        Some(byte) => bytes.extend([&[byte], &piece[3..]].concat()),
                        None => bytes.extend([b"\\", piece].concat()),
                    }
                }
                OsString::from_vec(bytes)
            },
            ..SOLUTION
        },
    },
    // All fields first, then by number.
    Variant {
        name: "fields_around_the_dash",
        answers: Answers {
            parse_line: |line| {
                let fields: Vec<&[u8]> = line.split(|&byte| byte == b' ').collect();
                let dash = fields.iter().position(|field| *field == b"-");
                let dash = dash.filter(|dash| *dash >= 6 && fields.len() >= dash + 4);
                let dash = dash.ok_or(io::ErrorKind::InvalidData)?;
                let text = |at: usize| String::from_utf8_lossy(fields[at]).into_owned();
                let number = |at| text(at).parse().map_err(|_| io::ErrorKind::InvalidData);
                let name = |at: usize| solution::unescape(fields[at]);
                let options = fields[dash + 3].split(|&byte| byte == b',');
                Ok(Mount {
                    id: number(0)?,
                    parent: number(1)?,
                    device: text(2),
                    root: name(3).into(),
                    mount_point: name(4).into(),
                    options: text(5).split(',').map(str::to_owned).collect(),
                    optional_fields: (6..dash).map(text).collect(),
                    fs_type: text(dash + 1),
                    source: name(dash + 2),
                    super_options: options.map(solution::unescape).collect(),
                })
            },
            ..SOLUTION
        },
    },
    // Recursion over a map from parents to children.
    Variant {
        name: "tree_by_recursion",
        answers: Answers {
            tree: |mounts| {
                type Children = BTreeMap<u32, Vec<u32>>;
                fn visit(id: u32, depth: usize, all: &Children, tree: &mut Vec<(usize, u32)>) {
                    tree.push((depth, id));
                    for child in all.get(&id).into_iter().flatten() {
                        visit(*child, depth + 1, all, tree);
                    }
                }
                let ids: BTreeSet<u32> = mounts.iter().map(|mount| mount.id).collect();
                let (mut children, mut roots) = (Children::new(), Vec::new());
                for mount in mounts {
                    if mount.parent == mount.id || !ids.contains(&mount.parent) {
                        roots.push(mount.id);
                    } else {
                        children.entry(mount.parent).or_default().push(mount.id);
                    }
                }
                let mut tree = Vec::new();
                roots.into_iter().for_each(|root| visit(root, 0, &children, &mut tree));
                tree
            },
            ..SOLUTION
        },
    },
    // Maps in place of loops in loops.
    Variant {
        name: "difference_by_maps",
        answers: Answers {
            difference: |before, after| {
                let key = |it: &Mount| {
                    let (device, root) = (it.device.clone(), it.root.clone());
                    (it.id, device, root, it.fs_type.clone(), it.source.clone())
                };
                let old: BTreeMap<_, _> = before.iter().map(|it| (key(it), it)).collect();
                let new: BTreeSet<_> = after.iter().map(key).collect();
                let gone = before.iter().filter(|mount| !new.contains(&key(mount)));
                let mut changes: Vec<Change> = gone.map(|it| Change::Umounted(it.id)).collect();
                for mount in after {
                    let Some(old) = old.get(&key(mount)) else {
                        changes.push(Change::Mounted(mount.id));
                        continue;
                    };
                    let is_moved = old.mount_point != mount.mount_point;
                    changes.extend(is_moved.then_some(Change::Moved(mount.id)));
                    let is_remounted = old.options != mount.options
                        || old.optional_fields != mount.optional_fields
                        || old.super_options != mount.super_options;
                    changes.extend(is_remounted.then_some(Change::Remounted(mount.id)));
                }
                changes
            },
            ..SOLUTION
        },
    },
];

/// Wrong, and known to nobody.
pub static UNFORESEEN: &[Variant<Answers>] = &[
    // As `ls -q` shows a name: what cannot be seen is a question mark.
    Variant {
        name: "question_marks",
        answers: Answers {
            unescape: |field| {
                let is_control = |byte: &u8| byte.is_ascii_control();
                let bytes = solution::unescape(field).into_vec().into_iter();
                OsString::from_vec(
                    bytes.map(|it| if is_control(&it) { b'?' } else { it }).collect(),
                )
            },
            ..SOLUTION
        },
    },
    Variant {
        name: "major_number_only",
        answers: Answers {
            parse_line: |line| {
                let mut mount = solution::parse_line(line)?;
                mount.device.truncate(mount.device.find(':').unwrap_or_default());
                Ok(mount)
            },
            ..SOLUTION
        },
    },
    Variant {
        name: "depth_from_one",
        answers: Answers {
            tree: |mounts| {
                solution::tree(mounts).into_iter().map(|(depth, id)| (depth + 1, id)).collect()
            },
            ..SOLUTION
        },
    },
    Variant {
        name: "three_optional_fields_at_most",
        answers: Answers {
            parse_line: |line| {
                let mut mount = solution::parse_line(line)?;
                mount.optional_fields.truncate(3);
                Ok(mount)
            },
            ..SOLUTION
        },
    },
    Variant { name: "no_tree", answers: Answers { tree: |_| Vec::new(), ..SOLUTION } },
    Variant {
        name: "told_twice",
        answers: Answers {
            difference: |before, after| {
                let changes = solution::difference(before, after);
                changes.iter().flat_map(|change| [*change, *change]).collect()
            },
            ..SOLUTION
        },
    },
];
