//! A process of a container, as the host's /proc shows it.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;

use labkit::proc::Proc;
use nix::fcntl::OFlag;
use serde::{Deserialize, Serialize};

use crate::first_process::works_outside;

/// The namespaces that can be a container's own, by their names in /proc.
const NAMESPACES: [&str; 7] = ["mnt", "pid", "uts", "ipc", "net", "user", "cgroup"];

/// What is seen of one process.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Inside {
    /// Which namespaces it is in: `pid:[4026531836]` by `pid`.
    pub namespaces: BTreeMap<String, String>,
    /// In which PID namespace its children are.
    pub childrens: String,
    /// Its root: the mount, and the directory on that.
    pub root: Option<(u32, u64)>,
    /// Whether its working directory is not below its root.
    pub works_outside: bool,
    /// Where its descriptors beyond 0, 1 and 2 lead.
    pub descriptors: Vec<String>,
}

impl Inside {
    /// Looks at a process; none if it has ended.
    pub fn look(proc: &Proc, pid: i32) -> Option<Inside> {
        let link =
            |name: &str| proc.link(pid, name).ok().map(|leads_to| leads_to.display().to_string());
        let namespace = |name: &&str| Some((name.to_string(), link(&format!("ns/{name}"))?));
        let root = proc.open_file(&format!("{pid}/root"), OFlag::O_PATH).ok()?;
        let mount = proc.mount_of(&root).ok();
        let inode = std::fs::File::from(root).metadata().ok().map(|it| it.ino());
        let table = proc.mount_table(&pid.to_string()).ok()?;
        let descriptors = proc.descriptors(pid).into_iter().filter(|number| *number > 2);
        Some(Inside {
            namespaces: NAMESPACES.iter().filter_map(namespace).collect(),
            childrens: link("ns/pid_for_children").unwrap_or_default(),
            root: mount.zip(inode),
            works_outside: works_outside(proc, pid, &table).unwrap_or(true),
            descriptors: descriptors.filter_map(|number| link(&format!("fd/{number}"))).collect(),
        })
    }

    /// The namespaces that are `of`'s own, not `host`'s, and that this process is not in.
    pub fn lacks(&self, of: &Inside, host: &Inside) -> Vec<String> {
        let its = |inside: &Inside, name: &str| inside.namespaces.get(name).cloned();
        let is_lacking =
            |name: &&&str| its(of, name) != its(host, name) && its(self, name) != its(of, name);
        NAMESPACES.iter().filter(is_lacking).map(|name| name.to_string()).collect()
    }
}
