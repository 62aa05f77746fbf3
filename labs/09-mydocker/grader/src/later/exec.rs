//! One more command in a running container.

use std::io;

use labkit::host::Host;
use labkit::verdict::{Evidence, Finding};

use super::background::{Background, Outside};
use super::exec_facts::{Asked, Exec, Facts, is_as_given};
use super::exec_rules as rules;
use super::inside::Inside;
use super::observe;
use crate::image::{ARGUMENTS, INSIDE, SEVEN};
use crate::program::Program;
use crate::running::Ended;

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
        (Asked::Nobody, "mydocker exec into a container that does not exist"),
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
