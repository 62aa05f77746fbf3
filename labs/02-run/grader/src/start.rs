//! The promises on start, where all goes well.
//!
//! A promise asks only for what it is itself about: with two faults in an answer
//! each broken promise hears of the one that has broken it.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::PathBuf;

use labkit::describe::result;
use labkit::frame::{Rule, Rules, rule};
use labkit::host::Host;
use labkit::process::Process;
use labkit::verdict::{Evidence, Finding};
use mydocker_kernel::mountinfo::{Change, Mount};
use nix::sys::signal::Signal;

use crate::LAB;
use crate::acts::START;
use crate::child::{FOR_CHILDREN, NAMESPACES, State};
use crate::container::{Container, Given, HOST_NAME, observe, words_of_a_program};
use crate::probe::ARGUMENTS;

type Outcome = Result<(), Finding>;

/// Where an answer's process begins.
const LAB_FOLDER: &str = labkit::places::LAB;
/// No signals, as proc_pid_status(5) has it.
const NONE: &str = "0000000000000000";

/// The rules on start with those of one of its promises.
const fn rules(tables: &'static [&'static [Rule<Container>]]) -> Rules<Container> {
    Rules { lab: LAB, function: START.function, tables }
}

/// Why the command does not run, or why nothing more can be seen of it: then every
/// promise is broken for this reason.
const GENERAL: &[Rule<Container>] = &[
    rule("answer/returned-error", |it| it.seen.returned.is_err()),
    rule("answer/did-nothing", |it| it.looked.state == State::NoChild),
    rule("waits-by-a-pipe", |it| it.looked.has_waited && it.holds_a_pipe()),
    rule("start-waits", |it| it.looked.state == State::Reaped || it.looked.has_waited),
    rule("pid-1-ended", |it| {
        !it.runs() && it.looked.state_after == State::Ended(0) && it.looked.started > 1
    }),
    rule("command-never-ran", |it| !it.runs() && matches!(it.looked.state_after, State::Ended(_))),
];

const NO_MOUNT_NAMESPACE: &[Rule<Container>] =
    &[rule("no-mount-namespace", |it| !it.looked.is_new("mnt"))];

const SPAWNED: &[Rule<Container>] =
    &[rule("spawned-not-executed", |it| it.looked.is_new("pid") && it.own_pid() != "1")];

const NO_PID_NAMESPACE: &[Rule<Container>] = &[
    rule("process-between", |it| !it.looked.is_new("pid") && it.own_pid() == "1"),
    rule("unshare-without-fork", |it| {
        !it.looked.is_new("pid") && it.looked.is_other_for_children()
    }),
    rule("no-pid-namespace", |it| !it.looked.is_new("pid")),
];

const SHARED: &[Rule<Container>] = &[
    rule("propagation-left-shared", |it| it.mount_at("/").is_some_and(Mount::is_shared)),
    rule("private-not-recursive", |it| it.mounts().iter().any(Mount::is_shared)),
];

/// Why nothing can be said of start at all.
pub static RUN: Rules<Container> = rules(&[GENERAL]);

pub fn namespaces(host: &Host) -> Outcome {
    static RULES: Rules<Container> = rules(&[
        GENERAL,
        NO_MOUNT_NAMESPACE,
        NO_PID_NAMESPACE,
        &[
            rule("no-uts-namespace", |it| !it.looked.is_new("uts")),
            rule("no-ipc-namespace", |it| !it.looked.is_new("ipc")),
            rule("no-network-namespace", |it| !it.looked.is_new("net")),
        ],
    ]);
    let facts = observe(host, Given::Path)?;
    let kept = NAMESPACES.into_iter().all(|kind| facts.looked.is_new(kind));
    facts.judge(&RULES, kept, || {
        let evidence = NAMESPACES.map(|kind| {
            let hosts = format!("readlink(\"/proc/self/ns/{kind}\")");
            let sign = if facts.looked.is_new(kind) { "!=" } else { "==" };
            let what = format!("readlink(\"/proc/PID/ns/{kind}\")");
            Evidence::differs(what, format!("!= {hosts}"), format!("{sign} {hosts}"))
        });
        evidence.into()
    })
}

pub fn pid_1(host: &Host) -> Outcome {
    static RULES: Rules<Container> = rules(&[GENERAL, SPAWNED, NO_PID_NAMESPACE]);
    let facts = observe(host, Given::Path)?;
    let busybox = facts.probe.busybox.join("bin/busybox");
    let program = facts.looked.child.as_ref().map(|child| &child.program);
    let is_the_command = program.is_some_and(|program| program.starts_with(&facts.probe.busybox));
    facts.judge(&RULES, facts.own_pid() == "1" && is_the_command, || {
        // Which program it is else is the grader's own affair.
        let seen = match program {
            Some(_) if is_the_command => busybox.display().to_string(),
            Some(_) => "readlink(\"/proc/self/exe\")".to_owned(),
            None => "ENOENT".to_owned(),
        };
        vec![
            Evidence::differs("echo $$", "1", facts.own_pid()),
            Evidence::differs("readlink(\"/proc/PID/exe\")", busybox.display(), seen),
        ]
    })
}

pub fn arguments(host: &Host) -> Outcome {
    static RULES: Rules<Container> = rules(&[
        GENERAL,
        &[
            rule("first-argument-lost", |it| it.arguments() == ARGUMENTS[1..]),
            rule("arguments-joined", |it| {
                let letters = |words: String| words.replace(' ', "");
                it.arguments() != ARGUMENTS
                    && letters(it.arguments().concat()) == letters(ARGUMENTS.concat())
            }),
        ],
    ]);
    let facts = observe(host, Given::Path)?;
    let seen = facts.arguments();
    facts.judge(&RULES, seen == ARGUMENTS, || {
        vec![Evidence::differs("\"$@\"", format!("{ARGUMENTS:?}"), format!("{seen:?}"))]
    })?;
    // Of a script the kernel drops the first word. A program that is waited for
    // cannot be looked at.
    facts.judge(&RUN, facts.looked.state == State::Running, Vec::new)?;
    static NAME: Rules<Container> = rules(&[
        SPAWNED,
        &[
            rule("process-between", |it| !it.looked.is_new("pid") && it.own_pid() == "1"),
            rule("first-word-changed", |_| true),
        ],
    ]);
    for given in [Given::Path, Given::Name] {
        let (words, seen) = words_of_a_program(host, given)?;
        // That it is found by its name is another promise.
        let kept = words == seen || given == Given::Name && seen.is_empty();
        facts.judge(&NAME, kept, || {
            let shown = |words: &[String]| words.join(" ");
            vec![Evidence::differs("/proc/PID/cmdline", shown(&words), shown(&seen))]
        })?;
    }
    Ok(())
}

pub fn environment(host: &Host) -> Outcome {
    static RULES: Rules<Container> =
        rules(&[GENERAL, &[rule("environment-lost", |it| !it.lost_variables().is_empty())]]);
    let facts = observe(host, Given::Path)?;
    let lost = facts.lost_variables();
    facts.judge(&RULES, lost.is_empty(), || {
        let what = "/proc/PID/environ, variables of the caller that are not in it";
        vec![Evidence::differs(what, "-", lost.join(", "))]
    })
}

pub fn path(host: &Host) -> Outcome {
    let facts = observe(host, Given::Name)?;
    if facts.runs() {
        return facts.judge(&RUN, true, Vec::new);
    }
    // Perhaps it is not the name.
    let by_path = observe(host, Given::Path)?;
    by_path.judge(&RUN, true, Vec::new)?;
    static RULES: Rules<Container> = rules(&[&[rule("path-not-searched", |_| true)]]);
    facts.judge(&RULES, false, Vec::new)
}

pub fn propagation(host: &Host) -> Outcome {
    static RULES: Rules<Container> = rules(&[
        GENERAL,
        NO_MOUNT_NAMESPACE,
        SHARED,
        &[rule("slave-not-private", |it| {
            let mut fields = it.mounts().iter().flat_map(|mount| &mount.optional_fields);
            fields.any(|field| field.starts_with("master:"))
        })],
    ]);
    let facts = observe(host, Given::Path)?;
    let mounts = facts.mounts();
    let kept = !mounts.is_empty() && mounts.iter().all(|it| propagation_of(it) == "private");
    facts.judge(&RULES, kept, || {
        // Which others there are is the machine's affair.
        let usual = ["/", "/proc", "/tmp"];
        let seen = usual.map(|path| facts.mount_at(path).map_or("-".to_owned(), propagation_of));
        // Only where these tell nothing.
        let others = mounts.iter().filter(|_| seen.iter().all(|it| it == "private"));
        let other = others.filter(|it| propagation_of(it) != "private").take(1);
        let line = |path: &str, seen: &str| {
            Evidence::differs(format!("/proc/PID/mountinfo, {path}"), "private", seen)
        };
        let mut evidence: Vec<_> =
            usual.iter().zip(&seen).map(|(path, seen)| line(path, seen)).collect();
        evidence.extend(
            other.map(|it| line(&it.mount_point.display().to_string(), &propagation_of(it))),
        );
        evidence
    })
}

/// The propagation of a mount without the numbers of peer groups.
fn propagation_of(mount: &Mount) -> String {
    let fields = mount.optional_fields.iter();
    // Nothing passes an unbindable one either.
    let names: Vec<&str> = fields
        .filter_map(|field| field.split(':').next())
        .filter(|name| *name != "unbindable")
        .collect();
    if names.is_empty() { "private".to_owned() } else { names.join(",") }
}

pub fn host_mounts(host: &Host) -> Outcome {
    fn is_new(change: &Change) -> bool {
        matches!(change, Change::Mounted { .. })
    }
    static RULES: Rules<Container> = rules(&[
        GENERAL,
        &[rule("host-made-private", |it| {
            let changes = it.seen.host_changes();
            let is_remounted = |change: &Change| matches!(change, Change::Remounted { .. });
            it.looked.is_new("mnt")
                && !changes.iter().any(is_new)
                && changes.iter().any(is_remounted)
        })],
        NO_MOUNT_NAMESPACE,
        SHARED,
        // All are private by now.
        &[rule("private-too-late", |it| it.seen.host_changes().iter().any(is_new))],
    ]);
    let facts = observe(host, Given::Path)?;
    let kept = facts.seen.host_changes().is_empty();
    facts.judge(&RULES, kept, || vec![facts.seen.host_evidence()])
}

pub fn host_name(host: &Host) -> Outcome {
    static RULES: Rules<Container> =
        rules(&[GENERAL, &[rule("no-uts-namespace", |it| !it.looked.is_new("uts"))]]);
    let facts = observe(host, Given::Path)?;
    let seen = &facts.looked.host_name;
    facts.judge(&RULES, seen == HOST_NAME, || {
        vec![Evidence::differs("gethostname()", HOST_NAME, seen)]
    })
}

pub fn proc(host: &Host) -> Outcome {
    static RULES: Rules<Container> = rules(&[
        GENERAL,
        &[rule("spawned-not-executed", |it| {
            it.looked.is_new("pid") && it.own_pid() != "1" && it.processes() == ["1", it.own_pid()]
        })],
        NO_PID_NAMESPACE,
        &[
            rule("proc-before-pid-namespace", Container::proc_is_mounted),
            rule("proc-not-mounted", |it| !it.proc_is_mounted()),
        ],
    ]);
    let facts = observe(host, Given::Path)?;
    facts.judge(&RULES, facts.processes() == ["1"], || {
        let seen = facts.processes().join(" ");
        vec![Evidence::differs("ls -d /proc/[0-9]*", "1", seen), facts.proc_drawn()]
    })
}

pub fn proc_flags(host: &Host) -> Outcome {
    static RULES: Rules<Container> = rules(&[
        GENERAL,
        &[
            rule("proc-not-mounted", |it| !it.proc_is_mounted()),
            rule("proc-without-flags", |it| !it.proc_lacks().is_empty()),
        ],
    ]);
    let facts = observe(host, Given::Path)?;
    facts.judge(&RULES, facts.proc_lacks().is_empty(), || vec![facts.proc_drawn()])
}

pub fn no_wait(host: &Host) -> Outcome {
    let facts = observe(host, Given::Path)?;
    facts.judge(&RUN, facts.looked.state == State::Running, Vec::new)
}

pub fn caller(host: &Host) -> Outcome {
    static RULES: Rules<Container> = rules(&[
        GENERAL,
        &[
            rule("caller-moved", |it| it.looked.caller_before != it.looked.caller_after),
            rule("caller-changed", |it| it.differs_in_caller().is_some()),
        ],
    ]);
    let facts = observe(host, Given::Path)?;
    let (before, after) = (&facts.looked.caller_before, &facts.looked.caller_after);
    let changed = facts.differs_in_caller();
    facts.judge(&RULES, before == after && changed.is_none(), || {
        let kinds = NAMESPACES.into_iter().chain([FOR_CHILDREN]);
        let evidence = kinds.map(|kind| {
            let what = format!("readlink(\"/proc/self/ns/{kind}\") == before");
            Evidence::differs(what, true, before.get(kind) == after.get(kind))
        });
        evidence.chain(changed.map(Difference::evidence)).collect()
    })
}

pub fn inherited(host: &Host) -> Outcome {
    static RULES: Rules<Container> = rules(&[
        GENERAL,
        &[
            rule("descriptor-passed-on", |it| {
                it.differs_in_command().is_some_and(|changed| changed.what == OPEN_FILES)
                    && it.commands_files().iter().any(|file| *file != it.callers_file())
            }),
            rule("command-changed", |it| it.differs_in_command().is_some()),
        ],
    ]);
    let facts = observe(host, Given::Path)?;
    let changed = facts.differs_in_command();
    facts.judge(&RULES, changed.is_none(), || {
        changed.map(Difference::evidence).into_iter().collect()
    })
}

/// Something of a process that is not as it was, or not as its parent has it.
pub struct Difference {
    pub what: &'static str,
    expected: String,
    seen: String,
}

impl Difference {
    fn of(what: &'static str, expected: impl Display, seen: impl Display) -> Option<Difference> {
        let (expected, seen) = (expected.to_string(), seen.to_string());
        (expected != seen).then_some(Difference { what, expected, seen })
    }

    fn evidence(self) -> Evidence {
        Evidence::differs(self.what, self.expected, self.seen)
    }
}

const OPEN_FILES: &str = "open files of the command beside 0, 1 and 2";
/// As evidence has it, without the number that is another in each run.
const PIPE: &str = "a pipe";

/// What descriptors lead to.
fn files(descriptors: &BTreeMap<i32, PathBuf>) -> Vec<String> {
    let shown = |path: &PathBuf| {
        let path = path.display().to_string();
        if path.starts_with("pipe:") { PIPE.to_owned() } else { path }
    };
    descriptors.values().map(shown).collect()
}

fn in_a_row(files: &[String]) -> String {
    if files.is_empty() { "-".to_owned() } else { files.join(", ") }
}

impl Container {
    /// What of the caller start has changed.
    pub fn differs_in_caller(&self) -> Option<Difference> {
        let (now, before) = (&self.seen.process, &self.looked.witness);
        Difference::of("getcwd() of the caller", LAB_FOLDER, now.cwd.display())
            .or_else(|| Difference::of("root directory of the caller", "/", now.root.display()))
            .or_else(|| {
                Difference::of("umask of the caller", &before.status["Umask"], &now.status["Umask"])
            })
            .or_else(|| {
                Difference::of("blocked signals of the caller", NONE, &now.status["SigBlk"])
            })
            .or_else(|| {
                // Rust's own programs ignore SIGPIPE.
                let ignored = u64::from_str_radix(&now.status["SigIgn"], 16).unwrap_or_default();
                let others = ignored & !(1 << (Signal::SIGPIPE as i32 - 1));
                Difference::of("ignored signals of the caller", NONE, format!("{others:016x}"))
            })
            .or_else(|| {
                let open = in_a_row(&files(&now.descriptors));
                let what = "open files of the caller beside 0, 1 and 2";
                Difference::of(what, self.callers_file(), open)
            })
    }

    /// What the command should have inherited from the caller, and has not.
    pub fn differs_in_command(&self) -> Option<Difference> {
        let command = self.looked.command.as_ref()?;
        let (its, callers) = (&command.process, &self.looked.witness);
        let user = |process: &Process| process.status["Uid"].clone();
        let namespace = self.looked.caller_before.get("user").map_or("", String::as_str);
        let its_namespace = command.user_namespace.as_ref().map(|it| it.display().to_string());
        let is_same = its_namespace.as_deref() == Some(namespace);
        // The shell ignores others itself.
        let ends = [Signal::SIGHUP, Signal::SIGINT, Signal::SIGTERM];
        let ends = ends.iter().fold(0, |set, signal| set | 1 << (*signal as i32 - 1));
        let ignored = u64::from_str_radix(&its.status["SigIgn"], 16).unwrap_or_default() & ends;
        let [out, err] = &command.streams;
        let [callers_out, callers_err] = &self.looked.callers_streams;
        Difference::of("/proc/PID/ns/user is the caller's", true, is_same)
            .or_else(|| Difference::of("user of the command", user(callers), user(its)))
            .or_else(|| Difference::of("getcwd() of the command", LAB_FOLDER, its.cwd.display()))
            .or_else(|| Difference::of("root directory of the command", "/", its.root.display()))
            .or_else(|| {
                Difference::of(
                    "umask of the command",
                    &callers.status["Umask"],
                    &its.status["Umask"],
                )
            })
            .or_else(|| {
                Difference::of("blocked signals of the command", NONE, &its.status["SigBlk"])
            })
            .or_else(|| Difference::of("ignored signals of the command", 0, ignored))
            .or_else(|| {
                Difference::of("stdout of the command", callers_out.display(), out.display())
            })
            .or_else(|| {
                Difference::of("stderr of the command", callers_err.display(), err.display())
            })
            .or_else(|| {
                Difference::of(OPEN_FILES, self.callers_file(), in_a_row(&self.commands_files()))
            })
    }

    /// The file that the caller has open.
    fn callers_file(&self) -> String {
        self.open_file.display().to_string()
    }

    /// What the command has open, beside 0, 1 and 2 and what the shell has opened itself,
    /// which is above.
    fn commands_files(&self) -> Vec<String> {
        let Some(command) = &self.looked.command else { return Vec::new() };
        let mut open = command.process.descriptors.clone();
        open.retain(|number, _| *number < 10);
        files(&open)
    }

    fn holds_a_pipe(&self) -> bool {
        self.commands_files().iter().any(|file| file == PIPE)
    }

    /// The command's PID as it knows it.
    fn own_pid(&self) -> &str {
        self.looked.command.as_ref().map_or("", |command| &command.own_pid)
    }

    fn arguments(&self) -> Vec<String> {
        let words = self.looked.command.iter().flat_map(|command| &command.arguments);
        words.map(|word| String::from_utf8_lossy(word).into_owned()).collect()
    }

    /// The processes that /proc shows to the command.
    fn processes(&self) -> Vec<&str> {
        let command = self.looked.command.iter();
        command.flat_map(|command| &command.processes).map(String::as_str).collect()
    }

    /// The names of the caller's variables that the command has not, or not with
    /// this value.
    fn lost_variables(&self) -> Vec<String> {
        let Some(command) = &self.looked.command else { return Vec::new() };
        let callers = self.looked.callers_variables.iter();
        let lost = callers.filter(|variable| !command.variables.contains(variable));
        lost.map(|it| String::from_utf8_lossy(it).split('=').next().unwrap_or_default().to_owned())
            .collect()
    }

    /// The promise is kept if start has returned the pid of a process that runs
    /// the probe, and `kept`.
    fn judge(
        &self,
        rules: &Rules<Container>,
        kept: bool,
        evidence: impl FnOnce() -> Vec<Evidence>,
    ) -> Outcome {
        let returned = &self.seen.returned;
        let printed = self.seen.printed.clone();
        let kept = kept && returned.is_ok() && self.runs();
        let judged = rules.judge(self, kept, || {
            let mut all = vec![Evidence::differs("start(…)", "Ok", result(returned))];
            if returned.is_ok() {
                let state = if self.runs() { self.looked.state } else { self.looked.state_after };
                all.push(Evidence::differs("waitid(PID) after start", State::Running, state));
            }
            if self.runs() {
                all.extend(evidence());
            } else {
                all.push(Evidence::differs("execve(…)", "Ok", "-"));
            }
            all
        });
        judged.map_err(|finding| Finding { printed, ..finding })
    }
}
