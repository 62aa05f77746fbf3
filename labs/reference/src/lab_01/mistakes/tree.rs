//! Mistakes in tree.

use std::collections::{BTreeMap, VecDeque};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use lab_01_grader::Answers;
use lab_01_grader::table::Mount;

use crate::catalogue::Mistake;
use crate::lab_01::{SOLUTION, solution};

type Tree = fn(&[Mount]) -> Vec<(usize, u32)>;

const fn mistake(name: &'static str, code: &'static str, tree: Tree) -> Mistake<Answers> {
    Mistake { name, code, answers: Answers { tree, ..SOLUTION } }
}

/// The tree of the table in which each mount's parent is the one with the longest
/// path that it is below.
fn by_path(mounts: &[Mount], is_below: fn(&Path, &Path) -> bool) -> Vec<(usize, u32)> {
    let parent = |child: &Mount| {
        let (path, others) = (&child.mount_point, mounts.iter());
        let above = others.filter(|it| it.mount_point != *path && is_below(path, &it.mount_point));
        above.max_by_key(|it| it.mount_point.as_os_str().len()).map_or(child.id, |it| it.id)
    };
    let mounts = mounts.iter().map(|mount| Mount { parent: parent(mount), ..mount.clone() });
    solution::tree(&mounts.collect::<Vec<_>>())
}

/// What is mounted on what shows in the paths; but not where mounts are stacked.
pub const BY_PATH: Mistake<Answers> = mistake("by_path", "mount-table/tree-by-path", |mounts| {
    by_path(mounts, |path, above| path.starts_with(above))
});

/// And `/mnt1` begins with `/mnt`.
pub const BY_BEGINNING_OF_PATH: Mistake<Answers> =
    mistake("by_beginning_of_path", "mount-table/tree-by-beginning-of-path", |mounts| {
        by_path(mounts, |path, above| {
            path.as_os_str().as_bytes().starts_with(above.as_os_str().as_bytes())
        })
    });

/// A map from mount points to mounts: of a stack the last one is left.
pub const ONE_MOUNT_A_PATH: Mistake<Answers> =
    mistake("one_mount_a_path", "mount-table/one-mount-a-path", |mounts| {
        let places: BTreeMap<_, _> = mounts.iter().map(|it| (&it.mount_point, it.id)).collect();
        let is_last = |mount: &&Mount| places[&mount.mount_point] == mount.id;
        solution::tree(&mounts.iter().filter(is_last).cloned().collect::<Vec<_>>())
    });

/// One pass: the parent is there already, or there is none.
pub const PARENT_FIRST: Mistake<Answers> =
    mistake("parent_first", "mount-table/parent-must-come-first", |mounts| {
        let mut tree: Vec<(usize, u32)> = Vec::new();
        for mount in mounts {
            let parent = tree.iter().position(|(_, id)| *id == mount.parent);
            let Some(parent) = parent else {
                tree.push((0, mount.id));
                continue;
            };
            let depth = tree[parent].0;
            let below = tree[parent + 1..].iter().take_while(|(it, _)| *it > depth).count();
            tree.insert(parent + 1 + below, (depth + 1, mount.id));
        }
        tree
    });

/// All depths are right, and the picture is none.
pub const TABLE_ORDER_KEPT: Mistake<Answers> =
    mistake("table_order_kept", "mount-table/table-order-kept", |mounts| {
        let tree = solution::tree(mounts);
        let place =
            |(depth, id): &(usize, u32)| (mounts.iter().position(|mount| mount.id == *id), *depth);
        let mut sorted = tree;
        sorted.sort_by_key(place);
        sorted
    });

/// A queue where a stack was asked for.
pub const BREADTH_FIRST: Mistake<Answers> =
    mistake("breadth_first", "mount-table/breadth-first", |mounts| {
        let roots = solution::tree(mounts).into_iter().filter(|(depth, _)| *depth == 0);
        let mut to_visit: VecDeque<(usize, u32)> = roots.collect();
        let mut tree = Vec::new();
        while let Some((depth, id)) = to_visit.pop_front() {
            tree.push((depth, id));
            let children = mounts.iter().filter(|child| child.parent == id && child.id != id);
            to_visit.extend(children.map(|child| (depth + 1, child.id)));
        }
        tree
    });

/// Sorted by name, as ls does.
pub const SIBLINGS_SORTED: Mistake<Answers> =
    mistake("siblings_sorted", "mount-table/siblings-reordered", |mounts| {
        let mut mounts = mounts.to_vec();
        mounts.sort_by(|a, b| a.mount_point.cmp(&b.mount_point));
        solution::tree(&mounts)
    });

/// Counts the names in the path: `/sys/fs/cgroup` is three deep, and on `/sys`.
pub const DEPTH_BY_PATH: Mistake<Answers> =
    mistake("depth_by_path", "mount-table/depth-by-path", |mounts| {
        let names = |id: u32| {
            let mount = mounts.iter().find(|mount| mount.id == id).expect("of this table");
            mount.mount_point.components().count() - 1
        };
        solution::tree(mounts).into_iter().map(|(_, id)| (names(id), id)).collect()
    });

/// The same with the root counted: `/` has the depth 1.
pub const DEPTH_BY_COMPONENTS: Mistake<Answers> =
    mistake("depth_by_components", "mount-table/depth-by-path", |mounts| {
        let names = |id: u32| {
            let mount = mounts.iter().find(|mount| mount.id == id).expect("of this table");
            mount.mount_point.components().count()
        };
        solution::tree(mounts).into_iter().map(|(_, id)| (names(id), id)).collect()
    });

/// The children of a mount are all whose path lies below its own: so are those
/// children's children.
pub const ALL_BELOW_ARE_CHILDREN: Mistake<Answers> =
    mistake("all_below_are_children", "mount-table/listed-twice", |mounts| {
        fn is_below(mount: &Mount, above: &Mount) -> bool {
            let (path, above) = (&mount.mount_point, &above.mount_point);
            path != above && path.starts_with(above)
        }
        fn visit(mounts: &[Mount], depth: usize, mount: &Mount, tree: &mut Vec<(usize, u32)>) {
            tree.push((depth, mount.id));
            for child in mounts.iter().filter(|child| is_below(child, mount)) {
                visit(mounts, depth + 1, child, tree);
            }
        }
        let mut tree = Vec::new();
        for root in mounts.iter().filter(|root| !mounts.iter().any(|it| is_below(root, it))) {
            visit(mounts, 0, root, &mut tree);
        }
        tree
    });

/// What is kept of the tree: it goes by the depth, and by the root that a mount is below.
fn with_roots(mounts: &[Mount], is_kept: impl Fn(usize, u32) -> bool) -> Vec<(usize, u32)> {
    let mut root = 0;
    let mut tree = solution::tree(mounts);
    tree.retain(|(depth, id)| {
        root = if *depth == 0 { *id } else { root };
        is_kept(*depth, root)
    });
    tree
}

/// Begins at `/`, which a process after chroot does not have.
pub const ROOT_BY_ITS_PATH: Mistake<Answers> =
    mistake("root_by_its_path", "mount-table/root-by-its-path", |mounts| {
        let is_root =
            |id: u32| mounts.iter().any(|it| it.id == id && it.mount_point == Path::new("/"));
        with_roots(mounts, |_, root| is_root(root))
    });

/// Looks for a mount whose parent is not there; each has one.
pub const OWN_PARENT_NO_ROOT: Mistake<Answers> =
    mistake("own_parent_no_root", "mount-table/own-parent", |mounts| {
        let has_parent = |mount: &Mount| mounts.iter().any(|it| it.id == mount.parent);
        if mounts.iter().all(has_parent) { Vec::new() } else { solution::tree(mounts) }
    });

/// A root that is its own child, and that one's child, until the stack is full.
pub const OWN_PARENT_RECURSION: Mistake<Answers> =
    mistake("own_parent_recursion", "mount-table/own-parent", |mounts| {
        fn visit(mounts: &[Mount], depth: usize, id: u32, tree: &mut Vec<(usize, u32)>) {
            tree.push((depth, id));
            for child in mounts.iter().filter(|child| child.parent == id) {
                visit(mounts, depth + 1, child.id, tree);
            }
        }
        let mut tree = Vec::new();
        for (depth, root) in solution::tree(mounts) {
            if depth == 0 {
                visit(mounts, 0, root, &mut tree);
            }
        }
        tree
    });

/// Climbs from parent to parent until there is none.
pub const OWN_PARENT_LOOP: Mistake<Answers> =
    mistake("own_parent_loop", "mount-table/own-parent", |mounts| {
        for mount in mounts {
            let mut above = mount;
            while let Some(parent) = mounts.iter().find(|it| it.id == above.parent) {
                above = parent;
            }
        }
        solution::tree(mounts)
    });

/// Nothing is on a mount that is on itself, or it would have no end.
pub const OWN_PARENT_IS_A_LEAF: Mistake<Answers> =
    mistake("own_parent_is_a_leaf", "mount-table/nothing-on-its-own-parent", |mounts| {
        let is_own = |id: u32| mounts.iter().any(|it| it.id == id && it.parent == id);
        with_roots(mounts, |depth, root| depth == 0 || !is_own(root))
    });

/// Looks for the parent of the first root, and takes whatever has the same.
pub const THE_PARENT_OF_THE_ROOT: Mistake<Answers> =
    mistake("the_parent_of_the_root", "mount-table/only-one-unseen-parent", |mounts| {
        let parent = |id: u32| mounts.iter().find(|it| it.id == id).map(|it| it.parent);
        let first = solution::tree(mounts).first().and_then(|(_, id)| parent(*id));
        with_roots(mounts, |_, root| parent(root) == first)
    });

/// What comes before its parent is put aside, and added when all others are there.
pub const LATE_ONES_LAST: Mistake<Answers> =
    mistake("late_ones_last", "mount-table/siblings-around-their-parent", |mounts| {
        let at = |id: u32| mounts.iter().position(|it| it.id == id);
        let is_early =
            |(nth, mount): &(usize, &Mount)| at(mount.parent).is_some_and(|it| it > *nth);
        let (early, others): (Vec<_>, Vec<_>) = mounts.iter().enumerate().partition(is_early);
        let all = others.into_iter().chain(early).map(|(_, mount)| mount.clone());
        solution::tree(&all.collect::<Vec<_>>())
    });

/// Looks for mounts whose parent is unknown, and afterwards for those on themselves.
pub const ORPHANS_FIRST: Mistake<Answers> =
    mistake("orphans_first", "mount-table/roots-reordered", |mounts| {
        let is_orphan = |it: &Mount| it.parent != it.id;
        let (orphans, others): (Vec<_>, Vec<_>) = mounts.iter().cloned().partition(is_orphan);
        solution::tree(&[orphans, others].concat())
    });

/// A zeroed field of a struct in C means "none"; a mount ID may be 0.
pub const ZERO_IS_NO_PARENT: Mistake<Answers> =
    mistake("zero_is_no_parent", "mount-table/number-taken-for-none", |mounts| {
        without_parent(mounts, |mount| mount.parent == 0)
    });

/// What `/` has as its parent on a machine that was looked at.
pub const ONE_IS_NO_PARENT: Mistake<Answers> =
    mistake("one_is_no_parent", "mount-table/number-taken-for-none", |mounts| {
        without_parent(mounts, |mount| mount.parent == 1)
    });

/// The tree of the table in which these mounts are their own parents.
fn without_parent(mounts: &[Mount], is_so: fn(&Mount) -> bool) -> Vec<(usize, u32)> {
    let parent = |mount: &Mount| if is_so(mount) { mount.id } else { mount.parent };
    let all = mounts.iter().map(|it| Mount { parent: parent(it), ..it.clone() });
    solution::tree(&all.collect::<Vec<_>>())
}

/// Enough for all tables that were looked at.
pub const FOUR_LEVELS: Mistake<Answers> =
    mistake("four_levels_of_mounts", "mount-table/deep-mounts-lost", |mounts| {
        let mut tree = solution::tree(mounts);
        tree.retain(|(depth, _)| *depth <= 4);
        tree
    });

/// A recursion that gives up in good time, so that it never runs out of stack.
pub const RECURSION_LIMIT: Mistake<Answers> =
    mistake("recursion_limit", "mount-table/deep-mounts-lost", |mounts| {
        let mut tree = solution::tree(mounts);
        tree.retain(|(depth, _)| *depth < 500);
        tree
    });
