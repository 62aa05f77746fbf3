//! From a trace to a recording: without what is only so on this machine.

use std::collections::HashMap;

use anyhow::{Context, Result};
use serde::Deserialize;

use super::recording::{Mount, Run, Side, Step};

/// Where the recorded folder of images and containers is said to be.
const ROOT: &str = "/var/lib/mydocker";

/// The mounts of the host that are shown, and what is said to be there: each
/// machine has more, and others.
const HOST: [(&str, &str); 4] =
    [("/", "ext4"), ("/proc", "proc"), ("/sys", "sysfs"), ("/dev", "devtmpfs")];

/// What a container hides of /proc and /sys depends on what the kernel has
/// there. These files are in every one; the others are not shown.
const PROTECTED: [&str; 3] = ["/proc/bus", "/proc/fs", "/proc/sys"];

/// A line of the trace.
#[derive(Deserialize)]
struct Line {
    side: Side,
    step: String,
    calls: Vec<String>,
    mounts: Vec<Traced>,
}

#[derive(Clone, Deserialize)]
struct Traced {
    id: u32,
    parent: u32,
    root: String,
    mount_point: String,
    options: String,
    optional_fields: Vec<String>,
    fs_type: String,
}

/// The recording of a trace; `root` is the folder of images and containers.
pub fn run(trace: &str, root: &str) -> Result<Run> {
    let mut lines: Vec<Line> = trace
        .lines()
        .map(serde_json::from_str)
        .collect::<Result<_, _>>()
        .context("a line of the trace")?;
    tell_in_order(&mut lines);
    let mut names = Names::new(root);
    let mut steps = Vec::new();
    let mut has_own_mounts = false;
    let mut before: Vec<Traced> = Vec::new();
    for mut line in lines {
        has_own_mounts |= line.side == Side::Container && line.step.starts_with(LEAVES);
        // As long as all have one table, it shows what others have just mounted, or not yet.
        let whose = match line.side {
            Side::Container if !has_own_mounts => Side::Parent,
            side => side,
        };
        if whose != line.side || line.step.starts_with(BORN) {
            line.mounts.clone_from(&before);
        }
        before.clone_from(&line.mounts);
        steps.push(names.step(line, whose));
    }
    Ok(Run { steps })
}

/// The keeper's step.
const BORN: &str = "clone the container's PID 1";

/// The step from which on the container has a mount table of its own.
const LEAVES: &str = "leave the host's mounts";

/// All sides write side by side. They are told one after the other: the parent up to
/// the keeper's step, which is its child's; then up to where it lets the container go;
/// the container; the parent.
fn tell_in_order(lines: &mut [Line]) {
    let mut cloned = false;
    let mut waited = false;
    lines.sort_by_cached_key(|line| match line.side {
        Side::Container => 3,
        Side::Parent if line.step.starts_with(BORN) => 1,
        Side::Parent => {
            waited |= line.step.starts_with("wait for the end");
            let place = [0, 2, 4][usize::from(cloned) + usize::from(waited)];
            cloned |= line.step.starts_with("clone a keeper");
            place
        }
    });
}

/// What is known of the mounts, with numbers given in the order of their coming.
struct Names<'a> {
    root: &'a str,
    given: usize,
    parent: Namespace,
    container: Namespace,
    /// The peer groups.
    groups: HashMap<String, usize>,
}

/// The mounts that one side sees, by the kernel's numbers. The kernel uses a
/// number again when its mount has gone.
type Namespace = HashMap<u32, Known>;

#[derive(Clone, Copy)]
enum Known {
    /// Shown under this number; what the host has there, if it is the host's.
    Shown(usize, Option<&'static str>),
    /// Not shown.
    Hidden,
}

impl Names<'_> {
    fn new(root: &str) -> Names<'_> {
        let (parent, container) = (Namespace::new(), Namespace::new());
        Names { root, given: 0, parent, container, groups: HashMap::new() }
    }

    fn step(&mut self, line: Line, whose: Side) -> Step {
        let table = line.mounts;
        let known = self.meet(whose, &table);
        let mounts = table.iter().filter_map(|mount| self.mount(mount, &table, &known)).collect();
        let calls = line.calls.iter().filter(|call| is_everywhere(call));
        let calls = calls.map(|call| call.replace(self.root, ROOT)).collect();
        Step { side: line.side, step: line.step, calls, mounts, files: Vec::new() }
    }

    /// Learns which mounts there are now.
    fn meet(&mut self, side: Side, table: &[Traced]) -> Namespace {
        let namespace = match side {
            Side::Parent => &mut self.parent,
            Side::Container => &mut self.container,
        };
        namespace.retain(|id, _| table.iter().any(|mount| mount.id == *id));
        // A side begins with the host's mounts, and goes on with copies of them.
        let at_first = namespace.is_empty();
        let mut met_of_host = Vec::new();
        for mount in table {
            let at = mount.mount_point.as_str();
            let of_host = HOST.iter().find(|(path, _)| at_first && *path == at);
            let is_first_there = !met_of_host.contains(&at);
            met_of_host.push(at);
            let is_ours = if at_first {
                at.starts_with(&format!("{}/", self.root))
            } else {
                is_in_every_kernel(at)
            };
            let is_shown = is_ours || of_host.is_some() && is_first_there;
            namespace.entry(mount.id).or_insert_with(|| match is_shown {
                true => {
                    self.given += 1;
                    Known::Shown(self.given, of_host.map(|(_, what)| *what))
                }
                false => Known::Hidden,
            });
        }
        namespace.clone()
    }

    fn mount(&mut self, mount: &Traced, table: &[Traced], known: &Namespace) -> Option<Mount> {
        let Known::Shown(id, of_host) = known[&mount.id] else { return None };
        let part = match mount.root.as_str() {
            "/" => String::new(),
            part => format!("[{}]", part.replace(self.root, ROOT)),
        };
        let options = match of_host {
            // Those of the host's mounts are different everywhere.
            Some(_) => "rw".to_owned(),
            None => without_times(&mount.options),
        };
        Some(Mount {
            id,
            parent: shown_parent(mount, table, known),
            at: mount.mount_point.replace(self.root, ROOT),
            what: of_host.map_or_else(|| mount.fs_type.clone() + &part, str::to_owned),
            options,
            propagation: self.propagation(&mount.optional_fields),
            of_host: of_host.is_some(),
        })
    }

    fn propagation(&mut self, fields: &[String]) -> String {
        if fields.is_empty() {
            return "private".to_owned();
        }
        let mut named = Vec::new();
        for field in fields {
            let Some((kind, group)) = field.split_once(':') else {
                named.push(field.clone());
                continue;
            };
            let next = self.groups.len() + 1;
            let number = *self.groups.entry(group.to_owned()).or_insert(next);
            named.push(format!("{kind}:{number}"));
        }
        named.join(",")
    }
}

/// The nearest mount below that is shown.
fn shown_parent(mount: &Traced, table: &[Traced], known: &Namespace) -> Option<usize> {
    let parent = table.iter().find(|it| it.id == mount.parent && it.id != mount.id)?;
    match known[&parent.id] {
        Known::Shown(id, _) => Some(id),
        Known::Hidden => shown_parent(parent, table, known),
    }
}

/// Whether a mount that a container makes there is made on every machine.
fn is_in_every_kernel(at: &str) -> bool {
    let is_part = at.starts_with("/proc/") || at.starts_with("/sys/");
    !is_part || PROTECTED.contains(&at)
}

/// The same of a call that makes it: its paths are its words in quotes.
fn is_everywhere(call: &str) -> bool {
    let mut words = call.split('"').skip(1).step_by(2);
    !call.starts_with("mount(") || words.all(is_in_every_kernel)
}

/// `relatime` is the kernel's default, and says nothing here.
fn without_times(options: &str) -> String {
    let shown = options.split(',').filter(|option| !option.ends_with("atime"));
    shown.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_every_kernel_has_is_shown() {
        assert!(is_everywhere(r#"mount("proc", "/proc", "proc", MS_NOSUID, "")"#));
        assert!(is_everywhere(r#"mount("/proc/sys", "/proc/sys", "", MS_BIND, "")"#));
        assert!(!is_everywhere(r#"mount("/dev/null", "/proc/keys", "", MS_BIND, "")"#));
        assert!(is_everywhere(r#"sethostname("blog")"#));
    }

    #[test]
    fn a_number_that_is_used_again_is_another_mount() {
        let mount = |id: u32, at: &str| {
            format!(
                r#"{{"id":{id},"parent":1,"root":"/","mount_point":"{at}","options":"rw,relatime","#
            ) + r#""optional_fields":[],"fs_type":"tmpfs"}"#
        };
        let line = |mounts: &[String]| {
            let mounts = mounts.join(",");
            format!(r#"{{"side":"parent","step":"s","calls":[],"mounts":[{mounts}]}}"#)
        };
        let root = mount(1, "/");
        let trace = [
            line(&[root.clone(), mount(7, "/proc")]),
            line(std::slice::from_ref(&root)),
            line(&[root.clone(), mount(7, "/x")]),
        ];
        let run = run(&trace.join("\n"), "/r").unwrap();
        let last = |step: usize| run.steps[step].mounts.last().unwrap();
        assert_eq!((last(0).id, last(0).of_host), (2, true));
        assert_eq!((last(2).id, last(2).of_host), (3, false));
    }
}
