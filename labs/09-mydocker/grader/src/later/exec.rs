//! One more command in a container that runs.

use std::io;

use labkit::host::Host;
use labkit::verdict::{Evidence, Finding};
use serde::{Deserialize, Serialize};

use super::background::{Background, Outside, Ran};
use super::exec_rules::{self as rules, is_as_given};
use super::inside::Inside;
use super::observe;
use crate::image::{ARGUMENTS, INSIDE, SEVEN};
use crate::program::Program;
use crate::running::Ended;

/// What is asked of the program, once a container runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Asked {
    /// A command that is looked at, and then killed.
    Look,
    /// Another one while that runs.
    Beside,
    /// A command whose exit code is 7.
    Seven,
    /// A command that is not there.
    NoCommand,
    /// A command that says which arguments it was given.
    Arguments,
    /// A command in a container whose first process was killed.
    Gone,
    /// A command in a container that there never was.
    Nobody,
}

/// What was seen.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Facts {
    /// The random words in the image, and those in the same place on the host.
    pub words: String,
    pub hosts_words: String,
    /// A command of `prepare` that has failed.
    pub unprepared: Option<(String, Ran)>,
    /// The command that has started the container.
    pub started: Option<Ran>,
    /// The container's first process.
    pub first: Option<Inside>,
    /// The grader's own process, which is the host's.
    pub host: Option<Inside>,
    /// One for each that was asked.
    pub execs: Vec<Exec>,
    /// Whether the first process was there after all that should not have killed it.
    pub goes_on: bool,
    /// What of it is the host's.
    pub outside: Outside,
    /// What kept the grader from going on.
    pub interrupted: Option<String>,
}

/// What was seen of one.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Exec {
    pub asked: Asked,
    pub ran: Ran,
    /// The process of its command, if that is one that waits.
    pub inside: Option<Inside>,
}

impl Exec {
    /// What its command has said of something.
    pub fn says(&self, fact: &str) -> Option<&str> {
        self.ran.said.get(fact).map(String::as_str)
    }

    /// Whether its command was run.
    pub fn has_run(&self) -> bool {
        self.inside.is_some() || self.says("begun").is_some() || self.says("count").is_some()
    }

    /// What its program must end with: the code of a command, or that of a death by
    /// SIGKILL.
    pub fn expected(&self) -> Option<i32> {
        match self.asked {
            Asked::Look | Asked::Beside => Some(137),
            Asked::Seven => Some(7),
            Asked::NoCommand => Some(127),
            Asked::Arguments => Some(0),
            Asked::Gone | Asked::Nobody => None,
        }
    }
}

impl Facts {
    /// What was seen of one that was asked.
    pub fn of(&self, asked: Asked) -> Option<&Exec> {
        self.execs.iter().find(|exec| exec.asked == asked)
    }

    /// The command that is looked at, and its process.
    pub fn looked_at(&self) -> Option<(&Exec, &Inside)> {
        let exec = self.of(Asked::Look)?;
        Some((exec, exec.inside.as_ref()?))
    }

    /// The namespaces of the container that the command is not in.
    pub fn lacking(&self) -> Option<Vec<String>> {
        let (_, inside) = self.looked_at()?;
        Some(inside.lacks(self.first.as_ref()?, self.host.as_ref()?))
    }

    /// Those that have not ended as their commands.
    pub fn wrong_codes(&self) -> Vec<&Exec> {
        let is_wrong = |exec: &&Exec| match (exec.expected(), exec.ran.ended) {
            (None, _) => false,
            (Some(code), Ended::Exited(its)) => its != code,
            // Who passes a signal on by dying of it has told it: $? is the same.
            (Some(code), Ended::Signaled(signal)) => 128 + signal != code,
        };
        self.execs.iter().filter(is_wrong).collect()
    }

    fn is_whole(&self) -> bool {
        self.interrupted.is_none() && self.first.is_some() && !self.outside.is_on_the_hosts_root
    }

    /// How far things went, if not to the end.
    fn course_of_things(&self) -> Vec<Evidence> {
        let mut evidence = Vec::new();
        if self.first.is_none() {
            let seen =
                self.started.as_ref().map(|ran| format!("it does not; exit code {}", ran.ended));
            let what = "mydocker, started in the background: a container that runs";
            evidence.push(Evidence::differs(what, "it runs", seen.unwrap_or_default()));
        } else if let Some(exec) = self.of(Asked::Look).filter(|exec| exec.inside.is_none()) {
            let seen = format!("it is not run; exit code {}", exec.ran.ended);
            evidence.push(Evidence::differs("mydocker exec /root/exam/inside", "it runs", seen));
        }
        evidence.extend(self.interrupted.as_deref().map(crate::facts::unfinished));
        evidence
    }
}

pub fn namespaces(program: &Program, host: &Host) -> Result<(), Finding> {
    let facts = look(program, host, &[Asked::Look])?;
    let lacking = facts.lacking();
    let kept = facts.is_whole() && lacking.as_ref().is_some_and(Vec::is_empty);
    let seen = lacking.map(|names| names.join(", ")).unwrap_or_else(|| "-".to_owned());
    let what =
        "/proc/PID/ns of the command, and of the container's first process: those that differ";
    let evidence =
        Evidence::differs(what, "none", if seen.is_empty() { "none".into() } else { seen });
    rules::NAMESPACES.judge(&facts, kept, || with(evidence, &facts))
}

pub fn root(program: &Program, host: &Host) -> Result<(), Finding> {
    let facts = look(program, host, &[Asked::Look])?;
    let is_it = facts.has_its_root() == Some(true);
    let sees = facts.of(Asked::Look).and_then(|exec| exec.says("new")) == Some(&facts.words);
    let is_inside = facts.looked_at().is_some_and(|(_, inside)| !inside.works_outside);
    let yes_or_no = |it: bool| if it { "yes" } else { "no" };
    let evidence = [
        ("/proc/PID/root of the command is that of the container's first process", is_it),
        ("the command reads what the container has written", sees),
        ("/proc/PID/cwd of the command is below its root", is_inside),
    ];
    let evidence = evidence.map(|(what, it)| Evidence::differs(what, "yes", yes_or_no(it)));
    let kept = facts.is_whole() && is_it && sees && is_inside;
    rules::ROOT
        .judge(&facts, kept, || facts.course_of_things().into_iter().chain(evidence).collect())
}

pub fn descriptors(program: &Program, host: &Host) -> Result<(), Finding> {
    let facts = look(program, host, &[Asked::Look])?;
    let open = facts.looked_at().map(|(_, inside)| inside.descriptors.join(", "));
    let kept = facts.is_whole() && open.as_deref() == Some("");
    let seen = open.filter(|open| !open.is_empty()).unwrap_or_else(|| "-".to_owned());
    let what = "/proc/PID/fd beyond 0, 1 and 2; / was open when mydocker was started";
    rules::DESCRIPTORS.judge(&facts, kept, || with(Evidence::differs(what, "none", seen), &facts))
}

pub fn arguments(program: &Program, host: &Host) -> Result<(), Finding> {
    let facts = look(program, host, &[Asked::Arguments])?;
    let exec = facts.of(Asked::Arguments);
    let kept = facts.is_whole() && exec.is_some_and(is_as_given);
    let said = exec.map(|exec| &exec.ran.said);
    let arguments = said.into_iter().flatten().filter(|(name, _)| name.starts_with("argument"));
    let seen = arguments.map(|(_, it)| it.as_str()).collect::<Vec<_>>().join(" ");
    let seen = if seen.is_empty() { "-".to_owned() } else { seen };
    let what = "the arguments of the command";
    rules::ARGUMENTS
        .judge(&facts, kept, || with(Evidence::differs(what, "<a  b> <> <$HOME>", seen), &facts))
}

pub fn status(program: &Program, host: &Host) -> Result<(), Finding> {
    let facts = look(program, host, &[Asked::Seven, Asked::NoCommand, Asked::Look])?;
    let kept = facts.is_whole() && facts.looked_at().is_some() && facts.wrong_codes().is_empty();
    let evidence = facts.wrong_codes().into_iter().filter_map(|exec| {
        let what = match exec.asked {
            Asked::NoCommand => "exit code of mydocker exec /root/exam/nothing",
            Asked::Seven => "exit code of mydocker exec, of a command that ends with 7",
            _ => "exit code of mydocker exec, of a command killed by signal 9",
        };
        Some(Evidence::differs(what, exec.expected()?, exec.ran.ended))
    });
    rules::STATUS.judge(&facts, kept, || evidence.chain(facts.course_of_things()).collect())
}

pub fn beside(program: &Program, host: &Host) -> Result<(), Finding> {
    let facts = look(program, host, &[Asked::Look, Asked::Beside, Asked::Seven])?;
    let is_beside = facts.of(Asked::Beside).is_some_and(|exec| exec.inside.is_some());
    let again = facts.of(Asked::Seven).and_then(|exec| exec.says("seven")) == Some(&facts.words);
    let yes_or_no = |it: bool| if it { "yes" } else { "no" };
    let evidence = [
        ("a second command runs beside the first", is_beside),
        ("the container's first process runs after both", facts.goes_on),
        ("mydocker exec works once more", again),
    ];
    let evidence = evidence.map(|(what, it)| Evidence::differs(what, "yes", yes_or_no(it)));
    let kept =
        facts.is_whole() && facts.looked_at().is_some() && is_beside && facts.goes_on && again;
    rules::BESIDE
        .judge(&facts, kept, || facts.course_of_things().into_iter().chain(evidence).collect())
}

pub fn nothing(program: &Program, host: &Host) -> Result<(), Finding> {
    let facts = look(program, host, &[Asked::Look, Asked::Gone, Asked::Nobody])?;
    let is_refused = |exec: &Exec| !exec.has_run() && exec.ran.ended != Ended::Exited(0);
    let of = |asked| facts.of(asked).is_some_and(is_refused);
    let kept =
        facts.is_whole() && facts.looked_at().is_some() && of(Asked::Gone) && of(Asked::Nobody);
    let asked = [
        (Asked::Gone, "mydocker exec into a container whose first process was killed"),
        (Asked::Nobody, "mydocker exec into a container that is not there"),
    ];
    let evidence = asked.into_iter().filter_map(|(asked, what)| {
        let exec = facts.of(asked).filter(|exec| !is_refused(exec))?;
        let was_run = if exec.has_run() { "it was run" } else { "it was not run" };
        let seen = format!("{was_run}; exit code {}", exec.ran.ended);
        Some(Evidence::differs(what, "it is not run; an exit code other than 0", seen))
    });
    rules::NOTHING
        .judge(&facts, kept, || facts.course_of_things().into_iter().chain(evidence).collect())
}

impl Facts {
    /// Whether the root of the command is that of the container; none if it was not
    /// seen.
    pub fn has_its_root(&self) -> Option<bool> {
        let (_, inside) = self.looked_at()?;
        Some(inside.root.is_some() && inside.root == self.first.as_ref()?.root)
    }
}

fn with(evidence: Evidence, facts: &Facts) -> Vec<Evidence> {
    let course = facts.course_of_things();
    if course.is_empty() { vec![evidence] } else { course }
}

const NAME: &str = "exam1";

fn look(program: &Program, host: &Host, asked: &[Asked]) -> Result<Facts, Finding> {
    observe(program, host, |background| {
        let mut facts = Facts {
            words: background.setting.words.clone(),
            hosts_words: background.setting.hosts_words.clone(),
            unprepared: None,
            started: None,
            first: None,
            host: Inside::look(background.proc, std::process::id() as i32),
            execs: Vec::new(),
            goes_on: false,
            outside: Outside::default(),
            interrupted: None,
        };
        let outcome = go_through(background, asked, &mut facts);
        facts.interrupted = outcome.err().map(|error| error.to_string());
        facts
    })
}

fn go_through(background: &Background, asked: &[Asked], facts: &mut Facts) -> io::Result<()> {
    facts.unprepared = background.prepare()?;
    if facts.unprepared.is_some() {
        return Ok(());
    }
    let (started, first) = background.start_changing(NAME)?;
    facts.started = Some(started);
    facts.outside = background.outside(first);
    let Some(first) = first else { return Ok(()) };
    facts.first = Inside::look(background.proc, first);
    let has_beside = asked.contains(&Asked::Beside);
    for &asked in asked {
        let exec = match asked {
            // While the first one runs.
            Asked::Beside => continue,
            Asked::Look if has_beside => {
                let one = background.exec_waiting(NAME, INSIDE)?;
                let inside = one.pid.and_then(|pid| Inside::look(background.proc, pid));
                let other = exec_waiting(background, NAME, Asked::Beside)?;
                facts.execs.push(other);
                Exec { asked, ran: one.kill(background), inside }
            }
            Asked::Look => exec_waiting(background, NAME, asked)?,
            Asked::Seven => exec(background, &[SEVEN], asked)?,
            Asked::NoCommand => exec(background, &["/root/exam/nothing"], asked)?,
            Asked::Arguments => exec(background, &[ARGUMENTS, "a  b", "", "$HOME"], asked)?,
            Asked::Gone => {
                background.kill_container(first);
                exec_waiting(background, NAME, asked)?
            }
            Asked::Nobody => exec_waiting(background, "nobody", asked)?,
        };
        facts.execs.push(exec);
    }
    facts.goes_on = background.goes_on(first);
    Ok(())
}

fn exec(background: &Background, command: &[&str], asked: Asked) -> io::Result<Exec> {
    Ok(Exec { asked, ran: background.exec(NAME, command)?, inside: None })
}

/// Runs a command that waits, looks at it, and kills it.
fn exec_waiting(background: &Background, name: &str, asked: Asked) -> io::Result<Exec> {
    let waiting = background.exec_waiting(name, INSIDE)?;
    let inside = waiting.pid.and_then(|pid| Inside::look(background.proc, pid));
    Ok(Exec { asked, ran: waiting.kill(background), inside })
}
