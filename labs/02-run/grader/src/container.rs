//! What is known of a container that start has started.

use std::path::{Path, PathBuf};
use std::process;

use labkit::describe::{Failure, mounts_below, result};
use labkit::host::{Host, Seen};
use labkit::proc::Proc;
use labkit::verdict::{Evidence, Finding, require};
use mydocker::mountinfo::{Mount, MountTable};
use nix::sched::CloneFlags;
use nix::unistd::{gethostname, sethostname};
use serde::{Deserialize, Serialize};

use crate::caller::{Namespaces, State, end_all_but, namespaces, processes};
use crate::diagnosis::Rule;
use crate::probe::{Listener, Probe, Report};
use crate::{Answers, UNFORESEEN};

/// What the host is called.
pub const HOST_NAME: &str = "host";

/// How often, a few milliseconds each, the probe's report is waited for.
const PATIENCE: usize = 400;

/// What the process that has called start sees.
#[derive(Serialize, Deserialize)]
pub struct Started {
    /// The pid.
    pub returned: Result<i32, Failure>,
    /// What has become of that process when start has returned.
    pub state: State,
    /// What the probe told; nothing: it did not run.
    pub report: Option<Report>,
    /// What has become of the process when it had told, or had its time.
    pub state_after: State,
    /// The program that the process executes.
    pub program: Option<PathBuf>,
    pub namespaces: Namespaces,
    /// The process's /proc/PID/mountinfo.
    mountinfo: Vec<u8>,
    /// Those of the caller, before and after.
    pub own_before: Namespaces,
    pub own_after: Namespaces,
    /// The name of the host afterwards.
    pub host_name: String,
}

/// All that is known of one call.
pub struct Facts {
    pub probe: Probe,
    pub given: Given,
    pub seen: Seen<Started>,
    /// The mount table of the process that start returned.
    pub mounts: MountTable,
}

/// How start is told of the probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Given {
    /// By its full path.
    Path,
    /// By its name, in a folder of `$PATH`.
    Name,
}

/// Has start run the probe, and looks at all that comes of it.
pub fn observe(answers: &Answers, host: &Host, given: Given) -> Result<Facts, Finding> {
    sethostname(HOST_NAME).expect("the sandbox allows it");
    let probe = Probe::new(host);
    let command = probe.command(match given {
        Given::Path => probe.path(),
        Given::Name => PathBuf::from("probe"),
    });
    let seen = host.call("start", CloneFlags::empty(), || {
        // No answer can take this view of /proc away.
        let proc = Proc::open().expect("the host has /proc");
        let own_pid = process::id() as i32;
        let before = processes(&proc);
        let own_before = namespaces(&proc, own_pid);
        let mut listener = probe.listen();
        set_environment(&probe);

        let returned = (answers.start)(&command).map(|pid| pid.as_raw());
        let pid = *returned.as_ref().unwrap_or(&0);
        let state = State::of(pid);
        let report = wait_for_report(&mut listener, pid);
        let started = Started {
            returned: returned.map_err(Failure::from),
            state,
            report,
            state_after: State::of(pid),
            program: proc.link(pid, "exe").ok(),
            namespaces: namespaces(&proc, pid),
            mountinfo: proc.read(&format!("{pid}/mountinfo")).unwrap_or_default(),
            own_before,
            own_after: namespaces(&proc, own_pid),
            host_name: gethostname().unwrap_or_default().to_string_lossy().into_owned(),
        };
        end_all_but(&before, &proc);
        started
    })?;
    let mounts = MountTable::parse(&seen.returned.mountinfo).expect("the kernel's own words");
    Ok(Facts { probe, given, seen, mounts })
}

/// Sets `$PATH`, so that the probe is found, and `$CANARY`.
#[allow(unsafe_code)]
fn set_environment(probe: &Probe) {
    let path = std::env::var("PATH").unwrap_or_default();
    // SAFETY: the answer's process has one thread.
    unsafe {
        std::env::set_var("PATH", format!("{}:{path}", probe.folder.display()));
        std::env::set_var("CANARY", &probe.canary);
    }
}

/// The probe's report, unless its process ends before there is one.
fn wait_for_report(listener: &mut Listener, pid: i32) -> Option<Report> {
    for _ in 0..PATIENCE {
        // First the state: what was told before the end is told.
        let state = State::of(pid);
        if let Some(report) = listener.report(5) {
            return Some(report);
        }
        if state != State::Running {
            return None;
        }
    }
    None
}

impl Facts {
    pub fn started(&self) -> &Started {
        &self.seen.returned
    }

    /// What the probe told; if it told nothing, empty.
    pub fn report(&self) -> &Report {
        static NOTHING: Report = Report {
            pid: String::new(),
            processes: Vec::new(),
            arguments: Vec::new(),
            canary: String::new(),
        };
        self.started().report.as_ref().unwrap_or(&NOTHING)
    }

    /// Whether the process has a namespace of this kind that is not the host's.
    pub fn is_new(&self, kind: &str) -> bool {
        self.started().namespaces.contains_key(kind) && self.is_other(kind)
    }

    /// Whether it is in none that is known, or in a new one.
    pub fn is_other(&self, kind: &str) -> bool {
        self.started().namespaces.get(kind) != self.started().own_before.get(kind)
    }

    /// The mount that is seen at /proc.
    pub fn proc(&self) -> Option<&Mount> {
        self.mounts.at(Path::new("/proc"))
    }

    /// Whether it shows the command, and nobody else.
    pub fn proc_is_its_own(&self) -> bool {
        self.report().processes == ["1"]
    }

    /// What is mounted on /proc, the host's at the top. What that may cover is the
    /// machine's affair.
    pub fn proc_drawn(&self) -> Evidence {
        let covered = mounts_on_proc(&self.seen.host_before).count().saturating_sub(1);
        let mounts = mounts_on_proc(&self.mounts).skip(covered).cloned().collect();
        let hosts = MountTable { mounts: Vec::new() };
        Evidence::Tree {
            what: "/proc/PID/mountinfo, /proc".to_owned(),
            drawing: mounts_below(&MountTable { mounts }, &hosts, Path::new("/proc")),
        }
    }

    /// The options that /proc lacks.
    pub fn proc_lacks(&self) -> Vec<&'static str> {
        let options = self.proc().map(|mount| mount.options.as_str()).unwrap_or_default();
        let is_there = |name: &str| options.split(',').any(|option| option == name);
        ["nosuid", "nodev", "noexec"].into_iter().filter(|name| !is_there(name)).collect()
    }

    /// The promise is kept if start has returned the pid of a process that runs
    /// the probe, and `kept`.
    /// Else `why` is asked for the reason.
    pub fn require(&self, kept: bool, evidence: Vec<Evidence>, why: Rule) -> Result<(), Finding> {
        let started = self.started();
        let kept = kept && started.returned.is_ok() && started.report.is_some();
        let all = || {
            let mut all = vec![Evidence::differs("start(…)", "Ok", result(&started.returned))];
            if started.returned.is_ok() {
                all.push(Evidence::differs(
                    "waitid(PID) after start",
                    State::Running,
                    self.state(),
                ));
            }
            if started.report.is_none() {
                all.push(Evidence::differs("execve(…)", "Ok", "-"));
            } else if started.state == State::Running {
                // Of a process that is gone nothing more could be seen.
                all.extend(evidence);
            }
            all.retain(is_different);
            all
        };
        require(kept, all, || self.did_not_run().or_else(|| why(self)), UNFORESEEN)
            .map_err(|finding| Finding { printed: self.seen.printed.clone(), ..finding })
    }

    /// What had become of the process when it was to be looked at.
    fn state(&self) -> State {
        let started = self.started();
        if started.report.is_some() { started.state } else { started.state_after }
    }
}

/// What is mounted on /proc, one on top of the other.
pub fn mounts_on_proc(table: &MountTable) -> impl Iterator<Item = &Mount> {
    table.mounts.iter().filter(|mount| mount.mount_point == Path::new("/proc"))
}

/// Whether there is anything to see in it.
fn is_different(evidence: &Evidence) -> bool {
    !matches!(evidence, Evidence::Differs { expected, seen, .. } if expected == seen)
}
