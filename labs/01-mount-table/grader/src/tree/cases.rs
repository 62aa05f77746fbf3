//! Tables with one difficulty each, and their trees.

use super::{Case, expected};
use crate::table::Mount;

/// A table of mounts with these ids, parents and mount points.
pub fn table(rows: &[(u32, u32, &str)]) -> Vec<Mount> {
    let mount = |&(id, parent, mount_point): &(u32, u32, &str)| Mount {
        id,
        parent,
        device: format!("0:{id}"),
        root: "/".into(),
        mount_point: mount_point.into(),
        options: vec!["rw".into()],
        optional_fields: Vec::new(),
        fs_type: "tmpfs".into(),
        source: "tmpfs".into(),
        super_options: vec!["rw".into()],
    };
    rows.iter().map(mount).collect()
}

/// A tree on which all agree. The ids and the names are not in order: the kernel
/// gives free numbers away again.
pub fn plain() -> Case {
    Case {
        input: table(&[
            (26, 1, "/"),
            (31, 26, "/sys"),
            (20, 26, "/proc"),
            (28, 31, "/sys/fs/cgroup"),
            (22, 26, "/dev"),
            (23, 22, "/dev/shm"),
            (21, 22, "/dev/pts"),
        ]),
        expected: vec![(0, 26), (1, 31), (2, 28), (1, 20), (1, 22), (2, 23), (2, 21)],
    }
}

/// Names that begin with the name of another mount.
pub fn neighbours() -> Case {
    Case {
        input: table(&[
            (20, 1, "/"),
            (21, 20, "/mnt"),
            (22, 20, "/mnt1"),
            (23, 22, "/mnt1/a"),
            (24, 21, "/mnt/a"),
            (25, 20, "/mnt-old/a"),
        ]),
        expected: vec![(0, 20), (1, 21), (2, 24), (1, 22), (2, 23), (1, 25)],
    }
}

/// A mount over another one, which has one below it. That one is covered, and there is
/// another one at the same place.
pub fn stacked() -> Case {
    Case {
        input: table(&[
            (20, 1, "/"),
            (21, 20, "/mnt"),
            (22, 21, "/mnt/a"),
            (23, 21, "/mnt"),
            (24, 23, "/mnt/a"),
            (25, 23, "/mnt/b"),
        ]),
        expected: vec![(0, 20), (1, 21), (2, 22), (2, 23), (3, 24), (3, 25)],
    }
}

/// What a program leaves that mounts again at each start: deeper than any number of a byte,
/// and than any limit that one sets to a recursion.
pub fn deep() -> Case {
    const DEPTH: u32 = 600;
    let on_the_last = |nth: u32| (20 + nth, 19 + nth, "/mnt");
    let rows: Vec<_> = [(20, 1, "/")].into_iter().chain((1..=DEPTH).map(on_the_last)).collect();
    let expected = (0..=DEPTH).map(|nth| (nth as usize, 20 + nth)).collect();
    Case { input: table(&rows), expected }
}

/// An old mount that was moved onto a newer one.
pub fn child_first() -> Case {
    Case {
        input: table(&[(20, 1, "/"), (21, 30, "/srv/data"), (30, 20, "/srv"), (31, 20, "/var")]),
        expected: vec![(0, 20), (1, 30), (2, 21), (1, 31)],
    }
}

/// What a process sees after chroot to a directory that is not a mount point: nothing
/// is mounted at its `/`.
pub fn several_roots() -> Case {
    Case {
        input: table(&[
            (53, 41, "/proc"),
            (54, 41, "/dev"),
            (55, 54, "/dev/pts"),
            (57, 40, "/srv/data"),
        ]),
        expected: vec![(0, 53), (0, 54), (1, 55), (0, 57)],
    }
}

/// What a shell in an initramfs sees.
pub fn own_parent() -> Case {
    Case {
        input: table(&[(1, 1, "/"), (15, 1, "/proc"), (17, 1, "/dev"), (18, 17, "/dev/pts")]),
        expected: vec![(0, 1), (1, 15), (1, 17), (2, 18)],
    }
}

/// Mounts of depth 0 for both reasons, in turn.
pub fn roots_of_both_kinds() -> Case {
    Case {
        input: table(&[(53, 41, "/proc"), (1, 1, "/"), (54, 41, "/dev"), (15, 1, "/sys")]),
        expected: vec![(0, 53), (0, 1), (1, 15), (0, 54)],
    }
}

/// Mounts on one whose number is 0, which is a number like any other.
pub fn on_number_zero() -> Case {
    Case {
        input: table(&[(20, 9, "/"), (0, 20, "/srv"), (21, 0, "/srv/a"), (22, 21, "/srv/a/b")]),
        expected: vec![(0, 20), (1, 0), (2, 21), (3, 22)],
    }
}

/// A table in which a mount has another ID, which is not that of any mount or parent.
pub fn renumbered(mounts: &[Mount], number: u32) -> Case {
    let is_free = |id: &u32| mounts.iter().all(|it| it.id != *id && it.parent != *id);
    let free = (100..).find(is_free).expect("a table is short");
    let other = |id: u32| if id == number { free } else { id };
    let renumber = |it: &Mount| Mount { id: other(it.id), parent: other(it.parent), ..it.clone() };
    let input: Vec<Mount> = mounts.iter().map(renumber).collect();
    Case { expected: expected(&input), input }
}

/// Ids as far apart as they can be, which no list of that length can be made for;
/// and nothing at all.
pub fn extremes() -> [Case; 2] {
    [
        Case {
            input: table(&[(u32::MAX, 1, "/"), (0, u32::MAX, "/proc")]),
            expected: vec![(0, u32::MAX), (1, 0)],
        },
        Case { input: Vec::new(), expected: Vec::new() },
    ]
}

/// All of the above.
pub fn all() -> Vec<Case> {
    let cases = [plain(), neighbours(), stacked(), child_first(), several_roots(), own_parent()];
    let more = [on_number_zero(), roots_of_both_kinds(), deep()];
    cases.into_iter().chain(more).chain(extremes()).collect()
}
