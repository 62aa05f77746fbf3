//! enter: what a process of the container could find in the new one, before that is
//! the command. The process that starts it, and it itself, are paused before the calls
//! by which it is born and by which it becomes the command.

use std::collections::BTreeSet;

use labkit::call::Seen;
use labkit::calls::Calls;
use labkit::describe::{Failure, without_numbers};
use labkit::failing;
use labkit::frame::{Facts, Rules, Words, error_of, rule};
use labkit::host::Host;
use labkit::inside::Place;
use labkit::proc::Proc;
use labkit::verdict::{Evidence, Finding};
use nix::fcntl::OFlag;
use nix::libc;
use nix::sched::{CloneFlags, setns};
use nix::unistd::Pid;

use crate::LAB;
use crate::container::{Container, FAST, FOR_CHILDREN, Namespaces, namespaces};
use crate::descriptors;
use crate::entered::{FUNCTION, Given, call, observe};
use crate::scene::Scene;

/// The calls by which a process starts another one.
pub const FORK: Calls = (
    "clone",
    &[
        libc::SYS_clone,
        libc::SYS_clone3,
        #[cfg(target_arch = "x86_64")]
        libc::SYS_fork,
        #[cfg(target_arch = "x86_64")]
        libc::SYS_vfork,
    ],
);

/// The calls by which a process becomes a command.
const EXEC: Calls = ("execve", &[libc::SYS_execve, libc::SYS_execveat]);

/// A process at one of these calls.
struct Born {
    seen: Seen<Result<i32, Failure>>,
    /// What of the host's is open in it but 0, 1 and 2, and what the call is.
    hosts: Vec<String>,
    at: &'static str,
    /// What root of the container could look at. Before a birth, that belongs to the process
    /// that starts the new one: a child inherits whether it is dumpable.
    could: Vec<String>,
}

impl Facts for Born {
    fn words(&self) -> Words {
        error_of(&self.seen.returned)
    }
}

static BIRTH: Rules<Born> = Rules {
    lab: LAB,
    function: FUNCTION,
    tables: &[&[rule("open-until-exec", |it| !it.hosts.is_empty())]],
};

/// Has `judge` look at the process at each of these calls that it makes in the
/// container, or by which one is born there.
fn each(
    host: &Host,
    kinds: CloneFlags,
    calls: &[Calls],
    judge: impl Fn(&Born) -> Result<(), Finding>,
) -> Result<(), Finding> {
    // An answer that enters nothing is not blamed twice for it.
    observe(host, Given::Path, kinds)?.must_be_usual()?;
    failing::each(|nth| {
        let proc = Proc::open().expect("the witness has one");
        let scene = Scene::new(host);
        let container = scene.start(host, &proc, kinds);
        let order = scene.order(&container, &["/bin/true"]);
        let mut stood = None;
        let (seen, ()) = call(host, order).standing_still(nth, calls).make_meanwhile(
            |place, answering| {
                if let Some(pid) = host.wait_until_it_stands_still(answering) {
                    stood = Some(look(place.proc, pid, &container));
                    answering.go_on();
                }
            },
            |_, _| container.end_with_all(),
        )?;
        let Some(looked) = stood else { return Ok(false) };
        if let Some((at, hosts, could)) = looked {
            judge(&Born { seen, hosts, at, could })?;
        }
        Ok(true)
    })
}

/// What is found in a process that is in the container, or whose child will be;
/// nothing of another one.
fn look(
    proc: &Proc,
    pid: Pid,
    container: &Container,
) -> Option<(&'static str, Vec<String>, Vec<String>)> {
    let of = namespaces(proc, pid);
    let is_in = |kind: &str, of: &Namespaces| of.get(kind) == container.namespaces.get("pid");
    let at = match (is_in("pid", &of), is_in(FOR_CHILDREN, &of)) {
        (true, _) => "execve",
        (false, true) => "clone",
        (false, false) => return None,
    };
    Some((at, hosts_files(proc, pid, container), attack(proc, pid, container)))
}

/// The files and directories of the host that a process has open, but 0, 1 and 2.
fn hosts_files(proc: &Proc, pid: Pid, container: &Container) -> Vec<String> {
    let mounts = Place { proc, pid: container.pid }.mounts();
    let inside: BTreeSet<u32> = mounts.mounts.iter().map(|mount| mount.id).collect();
    let numbers = proc.descriptors(pid.as_raw()).into_iter().filter(|number| *number > 2);
    let is_hosts = |number: &i32| {
        let opened = proc.open_file(&format!("{pid}/fd/{number}"), OFlag::O_PATH);
        let mount = opened.and_then(|file| proc.mount_of(&file));
        mount.is_ok_and(|mount| !inside.contains(&mount))
    };
    let link = |number: i32| proc.link(pid.as_raw(), &format!("fd/{number}"));
    let links = numbers.filter(is_hosts).filter_map(|number| link(number).ok());
    // A pipe or the like leads nowhere.
    let names = links.map(|path| path.display().to_string()).filter(|path| path.starts_with('/'));
    let mut names: Vec<String> = names
        .filter(|path| !path.starts_with("/memfd:"))
        .map(|path| without_numbers(&path))
        .collect();
    names.dedup();
    names
}

/// What root of the container can do with a process: with all power there, and none
/// elsewhere. In the witness's /proc, each process has a number, and what may be opened
/// depends only on who opens it.
fn attack(proc: &Proc, pid: Pid, container: &Container) -> Vec<String> {
    let user = container.open(proc, "user");
    Place { proc, pid: container.pid }.look(|| {
        if setns(user, CloneFlags::CLONE_NEWUSER).is_err() {
            return Vec::new();
        }
        let link = |name: &str| proc.link(pid.as_raw(), name).is_ok();
        let open = |name: &str| proc.open_file(&format!("{pid}/{name}"), OFlag::O_RDONLY).is_ok();
        let tries = [
            ("exe", link("exe")),
            ("root", open("root/")),
            ("fd/0", link("fd/0")),
            ("mem", open("mem")),
        ];
        let done = tries.into_iter().filter(|(_, is_done)| *is_done);
        done.map(|(name, _)| format!("/proc/PID/{name}")).collect()
    })
}

pub fn nothing_of_the_host(host: &Host) -> Result<(), Finding> {
    // What is open in the command is not only open until then.
    descriptors::only_the_streams(host)?;
    each(host, FAST, &[FORK, EXEC], |born| {
        BIRTH.judge(born, born.hosts.is_empty(), || {
            let what = format!("/proc/PID/fd before {}(2), files of the host above 2", born.at);
            vec![Evidence::differs(what, "-", born.hosts.join(", "))]
        })
    })
}

pub fn nobody_looks(host: &Host) -> Result<(), Finding> {
    static LOOKED: Rules<Born> = Rules {
        lab: LAB,
        function: FUNCTION,
        tables: &[&[rule("can-be-looked-at", |it| !it.could.is_empty())]],
    };
    static AT_BIRTH: Rules<Born> = Rules {
        lab: LAB,
        function: FUNCTION,
        tables: &[&[rule("born-dumpable", |it| !it.could.is_empty())]],
    };
    let kinds = FAST | CloneFlags::CLONE_NEWUSER;
    // A process that is closed just before it becomes the command may have been open at its
    // birth.
    for (call, rules) in [(EXEC, &LOOKED), (FORK, &AT_BIRTH)] {
        each(host, kinds, &[call], |born| {
            rules.judge(born, born.could.is_empty(), || {
                let what = format!("what root of the container can open before {}(2)", call.0);
                vec![Evidence::differs(what, "-", born.could.join(", "))]
            })
        })?;
    }
    Ok(())
}
