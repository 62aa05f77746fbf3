//! The promises on start, where all goes well.
//!
//! A promise asks only for what it is itself about: with two faults in an answer
//! each broken promise hears of the one that has broken it.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use labkit::frame::{Facts, Rule, Rules, Words, error_of, rule};
use labkit::host::Host;
use labkit::verdict::Evidence;

use crate::attempt::caller_of_a_failure;
use crate::child::{FOR_CHILDREN, NAMESPACES, State};
use crate::container::{Container, Given, HOST_NAME, observe, words_of_a_program};
use crate::inheritance::{Difference, OPEN_FILES};
use crate::probe::ARGUMENTS;
use crate::relative;
use crate::running::{GENERAL, NO_MOUNT_NAMESPACE, NO_PID_NAMESPACE, Outcome, RUN, rules};

const SPAWNED: &[Rule<Container>] =
    &[rule("spawned-not-executed", |it| it.looked.is_new("pid") && it.own_pid() != "1")];

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
        // Apart from that, which program it is concerns only the grader.
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
    fn shown(words: &[impl AsRef<[u8]>]) -> String {
        let words: Vec<_> = words.iter().map(|word| OsStr::from_bytes(word.as_ref())).collect();
        format!("{words:?}")
    }
    static RULES: Rules<Container> = rules(&[
        GENERAL,
        &[
            rule("first-argument-lost", |it| *it.arguments() == ARGUMENTS[1..]),
            rule("arguments-made-text", |it| {
                let text = ARGUMENTS.map(|word| String::from_utf8_lossy(word).into_owned());
                it.arguments() == text.each_ref().map(String::as_bytes)
            }),
            rule("arguments-joined", |it| {
                let letters = |words: Vec<u8>| String::from_utf8_lossy(&words).replace(' ', "");
                it.arguments() != ARGUMENTS
                    && letters(it.arguments().concat()) == letters(ARGUMENTS.concat())
            }),
        ],
    ]);
    let facts = observe(host, Given::Path)?;
    let seen = facts.arguments();
    facts.judge(&RULES, seen == ARGUMENTS, || {
        vec![Evidence::differs("\"$@\"", shown(&ARGUMENTS), shown(seen))]
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
            vec![Evidence::differs("/proc/PID/cmdline", words.join(" "), seen.join(" "))]
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
        facts.judge(&RUN, true, Vec::new)?;
        // With a `/` in it, it is no name.
        return relative::from_working_directory(host);
    }
    // Perhaps it is not the name.
    let by_path = observe(host, Given::Path)?;
    by_path.judge(&RUN, true, Vec::new)?;
    static RULES: Rules<Container> = rules(&[&[rule("path-not-searched", |_| true)]]);
    facts.judge(&RULES, false, Vec::new)
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
    })?;
    caller_of_a_failure(host)
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

impl Facts for Container {
    fn words(&self) -> Words {
        let mut words = error_of(&self.seen.returned);
        words.push(("flags", self.proc_lacks().join(", ")));
        if let Some(changed) = self.differs_in_caller().or_else(|| self.differs_in_command()) {
            words.push(("what", changed.what.to_owned()));
        }
        if let State::Ended(code) = self.looked.state_after {
            words.push(("code", code.to_string()));
        }
        words
    }
}

impl Container {
    fn arguments(&self) -> &[Vec<u8>] {
        self.looked.command.as_ref().map_or(&[], |command| &command.arguments)
    }

    /// The processes that /proc shows to the command.
    pub fn processes(&self) -> Vec<&str> {
        let command = self.looked.command.iter();
        command.flat_map(|command| &command.processes).map(String::as_str).collect()
    }

    /// The names of the caller's variables that the command has not, or not with
    /// this value.
    fn lost_variables(&self) -> Vec<String> {
        let Some(command) = &self.looked.command else { return Vec::new() };
        let callers = self.looked.callers_variables.iter();
        let lost = callers.filter(|variable| !command.variables.contains(variable));
        // A shell drops a name that none of its variables could have. If the arguments have
        // not arrived either, that is what is wrong.
        let is_text = |variable: &Vec<u8>| {
            variable.split(|byte| *byte == b'=').next().is_some_and(|it| it.is_ascii())
        };
        let lost = lost.filter(|variable| is_text(variable) || self.arguments() == ARGUMENTS);
        lost.map(|it| String::from_utf8_lossy(it).split('=').next().unwrap_or_default().to_owned())
            .collect()
    }
}
