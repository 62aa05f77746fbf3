//! The mount table drawn as a tree: what is mounted on what.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;

use super::{Mount, MountTable};
use crate::printable::{printable, printable_path};

impl fmt::Display for MountTable {
    /// One line per mount: where, what, with which options and propagation.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows: Vec<[String; 4]> = self
            .labels()
            .into_iter()
            .map(|(label, mount)| {
                let options = printable(&mount.options);
                [label, mount.what(), options, printable(&mount.propagation())]
            })
            .collect();
        let width = |column: usize| {
            rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default()
        };
        let [place, what, options] = [width(0), width(1), width(2)];
        for row in &rows {
            let [a, b, c, d] = row;
            writeln!(f, "{a:place$}  {b:what$}  {c:options$}  {d}")?;
        }
        Ok(())
    }
}

impl Mount {
    /// What is mounted, in a word or two: `tmpfs`, `ext4[/home/me]`, or
    /// `proc /dev/x` where the source says more than the type.
    pub fn what(&self) -> String {
        // A fuse file system names its type itself: fuse.ANYTHING.
        let mut what = printable(&self.fs_type);
        if self.root != Path::new("/") {
            what += &format!("[{}]", printable_path(&self.root));
        }
        let source = printable_path(&self.source);
        if source != self.fs_type && source != "none" && !source.is_empty() {
            what += &format!(" {source}");
        }
        what
    }
}

impl MountTable {
    fn has_parent(&self, child: &Mount) -> bool {
        self.mounts.iter().any(|mount| mount.id != child.id && mount.id == child.parent)
    }

    /// The mounts in the order in which they are drawn, each with its label:
    /// its branch of the tree and its place.
    fn labels(&self) -> Vec<(String, &Mount)> {
        let mut labels = Vec::new();
        let mut drawn = BTreeSet::new();
        let roots = self.mounts.iter().filter(|mount| !self.has_parent(mount));
        // A list and no recursion: mounts can be stacked by the thousand.
        let mut to_draw: Vec<(&Mount, String, String)> =
            roots.rev().map(|root| (root, String::new(), String::new())).collect();
        while let Some((mount, branch, indent)) = to_draw.pop() {
            // A file that is no table of the kernel's may have circles.
            if !drawn.insert(mount.id) {
                continue;
            }
            labels.push((format!("{branch}{}", printable_path(&mount.mount_point)), mount));
            let mut children: Vec<&Mount> = self
                .mounts
                .iter()
                .filter(|child| child.parent == mount.id && child.id != mount.id)
                .collect();
            children.sort_by(|a, b| a.mount_point.cmp(&b.mount_point));
            // The last one on the list is drawn first.
            for (index, child) in children.into_iter().rev().enumerate() {
                let (branch, below) =
                    if index == 0 { ("└─", "  ") } else { ("├─", "│ ") };
                to_draw.push((child, format!("{indent}{branch}"), format!("{indent}{below}")));
            }
        }
        labels
    }
}
