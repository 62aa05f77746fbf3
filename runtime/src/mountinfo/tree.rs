//! The mount table drawn as a tree: what is mounted on what.

use std::fmt;

use super::{Mount, MountTable};

impl fmt::Display for MountTable {
    /// One line a mount: where, what, with which options and propagation.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rows: Vec<(String, &Mount)> = Vec::new();
        for root in self.mounts.iter().filter(|mount| !self.has_parent(mount)) {
            self.rows_of(root, "", "", &mut rows);
        }
        let width = rows.iter().map(|(label, _)| label.chars().count()).max().unwrap_or(0);
        for (label, mount) in rows {
            let what = mount.what();
            let (options, propagation) = (&mount.options, mount.propagation());
            writeln!(f, "{label:width$}  {what}  {options}  {propagation}")?;
        }
        Ok(())
    }
}

impl Mount {
    /// What is mounted, in a word or two: `tmpfs`, `ext4[/home/me]`, or
    /// `proc /dev/x` where the source says more than the type.
    pub fn what(&self) -> String {
        let source = self.source.display().to_string();
        let mut what = self.fs_type.clone();
        if self.root.as_os_str() != "/" {
            what += &format!("[{}]", self.root.display());
        }
        if source != self.fs_type && source != "none" && !source.is_empty() {
            what += &format!(" {source}");
        }
        what
    }
}

impl MountTable {
    fn has_parent(&self, child: &Mount) -> bool {
        self.mounts.iter().any(|mount| mount.id == child.parent && mount.id != child.id)
    }

    /// Appends `mount` and everything mounted on it, each with its drawn label.
    fn rows_of<'a>(
        &'a self,
        mount: &'a Mount,
        branch: &str,
        indent: &str,
        rows: &mut Vec<(String, &'a Mount)>,
    ) {
        rows.push((format!("{branch}{}", mount.mount_point.display()), mount));
        let mut children: Vec<&Mount> = self
            .mounts
            .iter()
            .filter(|child| child.parent == mount.id && child.id != mount.id)
            .collect();
        children.sort_by(|a, b| a.mount_point.cmp(&b.mount_point));
        for (index, child) in children.iter().enumerate() {
            let (branch, below) =
                if index + 1 == children.len() { ("└─", "  ") } else { ("├─", "│ ") };
            self.rows_of(child, &format!("{indent}{branch}"), &format!("{indent}{below}"), rows);
        }
    }
}
