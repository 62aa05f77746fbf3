//! The mount table drawn as a tree: what is mounted on what.

use std::fmt;
use std::path::Path;

use super::{Mount, MountTable};

impl fmt::Display for MountTable {
    /// One line a mount: where, what, with which options and propagation.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut labels = Vec::new();
        for root in self.mounts.iter().filter(|mount| !self.has_parent(mount)) {
            self.labels_of(root, "", "", &mut labels);
        }
        let rows: Vec<[String; 4]> = labels
            .into_iter()
            .map(|(label, mount)| [label, mount.what(), mount.options.clone(), mount.propagation()])
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
        let mut what = self.fs_type.clone();
        if self.root != Path::new("/") {
            what += &format!("[{}]", printable(&self.root));
        }
        let source = printable(&self.source);
        if source != self.fs_type && source != "none" && !source.is_empty() {
            what += &format!(" {source}");
        }
        what
    }
}

/// A path on one line of a terminal, whatever bytes are in it: control
/// characters are written as escapes.
pub(super) fn printable(path: &Path) -> String {
    let text = path.to_string_lossy();
    text.chars()
        .flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] })
        .collect()
}

impl MountTable {
    fn has_parent(&self, child: &Mount) -> bool {
        self.mounts.iter().any(|mount| mount.id == child.parent && mount.id != child.id)
    }

    /// Appends `mount` and everything mounted on it, each with its drawn label.
    fn labels_of<'a>(
        &'a self,
        mount: &'a Mount,
        branch: &str,
        indent: &str,
        labels: &mut Vec<(String, &'a Mount)>,
    ) {
        labels.push((format!("{branch}{}", printable(&mount.mount_point)), mount));
        let mut children: Vec<&Mount> = self
            .mounts
            .iter()
            .filter(|child| child.parent == mount.id && child.id != mount.id)
            .collect();
        children.sort_by(|a, b| a.mount_point.cmp(&b.mount_point));
        for (index, child) in children.iter().enumerate() {
            let (branch, below) =
                if index + 1 == children.len() { ("└─", "  ") } else { ("├─", "│ ") };
            self.labels_of(
                child,
                &format!("{indent}{branch}"),
                &format!("{indent}{below}"),
                labels,
            );
        }
    }
}
