//! `lab doctor`: what can be graded on this machine and as this user.

use std::collections::BTreeMap;
use std::process::{Command, ExitCode};

use labkit::exam::{self, ASKS_WHAT_IS_LACKING};
use labkit::lab::Lab;
use labkit::need::{self, Lacking, Need, Seal};
use labkit::report;
use labkit::sandbox::grade_in_sandbox;
use labkit::verdict::Verdict;
use mydocker_kernel::privileges::{Privileges, is_root_without_power};
use rust_i18n::t;
use textwrap::core::display_width;

use crate::programs::{self, Built};
use crate::session::Session;
use crate::standing::State;

/// What this program is asked, in a process of its own, to try the sandbox.
const TRIAL: &str = "doctor";

/// Seals the machine off as for a grade, and finds everything well in there.
pub fn try_sandbox() -> ExitCode {
    exam::tell(grade_in_sandbox(Seal::UserNamespace, false, None, None, |_| Verdict::Kept))
}

pub fn execute(session: &Session) {
    let (locale, look) = (session.locale(), session.look);
    println!("{}", look.bold(&t!("doctor.machine", locale = locale)));
    println!("  {}", t!("doctor.you", locale = locale, who = who(session), kernel = kernel()));
    for (key, outcome) in abilities(session) {
        let what = t!(format!("doctor.{key}"), locale = locale);
        println!("{}", line(session, &what, outcome));
    }
    println!("\n{}", look.bold(&t!("doctor.labs", locale = locale)));
    let labs: Vec<&Lab> = session.checkout.labs.iter().collect();
    let built = programs::build(session, &labs);
    for lab in labs {
        println!("{}", lab_lines(session, lab, built.as_ref().ok()));
    }
}

/// What a grade can need, and why it is not to be had.
fn abilities(session: &Session) -> Vec<(&'static str, Result<(), String>)> {
    let language = session.language;
    let words = |lacking| report::lacking(lacking, language);
    let sandbox = match exam::ask(TRIAL) {
        Ok(Verdict::NotGradable(lacking)) => Err(words(lacking)),
        Ok(_) => Ok(()),
        Err(said) => Err(said),
    };
    let need = |need| need::seal(&[need]).map(drop).map_err(words);
    vec![
        ("sandbox", sandbox),
        ("overlay", need(Need::Overlay)),
        ("owners", need(Need::Owners)),
        ("device-files", need(Need::DeviceFiles)),
        ("aufs", need(Need::Aufs)),
        ("cgroups", need(Need::ControlGroups)),
    ]
}

/// `✓ the sandbox`, or `– AUFS` with the reason below.
fn line(session: &Session, what: &str, outcome: Result<(), String>) -> String {
    let (locale, look) = (session.locale(), session.look);
    let (symbol, word) = match outcome {
        Ok(()) => (State::Kept.symbol(look), "doctor.yes"),
        Err(_) => (State::NotGradable(Lacking::Root).symbol(look), "doctor.no"),
    };
    let words = ["doctor.yes", "doctor.no"].map(|key| t!(key, locale = locale));
    let widest = words.iter().map(|word| display_width(word)).max().unwrap_or(0);
    let word = t!(word, locale = locale);
    let padding = " ".repeat(widest - display_width(&word));
    let head = look.wrap(&format!("  {symbol} {word}{padding}  "), widest + 6, what);
    match outcome {
        Ok(()) => head,
        Err(why) => format!("{head}\n{}", look.indented(widest + 6, &why)),
    }
}

/// What of one lab cannot be graded here.
fn lab_lines(session: &Session, lab: &Lab, built: Option<&Built>) -> String {
    let (locale, look) = (session.locale(), session.look);
    let program = built.and_then(|built| {
        let (graders, programs) = (&built.graders, &built.programs);
        graders.get(&lab.number).or_else(|| programs.get(&lab.number))
    });
    let lacking: Option<BTreeMap<String, Lacking>> = program.and_then(|program| {
        let mut asked = Command::new(program);
        asked.current_dir(session.checkout.folder(lab)).env(ASKS_WHAT_IS_LACKING, "1");
        let answer = asked.output().ok()?;
        serde_json::from_slice(&answer.stdout).ok()
    });
    let total = lab.promises.len();
    let Some(lacking) = lacking else {
        let text = t!("doctor.does-not-compile", locale = locale, number = lab.number);
        return format!("  {}\n{}", look.bold(&lab.folder()), look.indented(4, &text));
    };
    let text = t!("doctor.gradable", locale = locale, count = total - lacking.len(), total = total);
    let mut lines = vec![format!("  {}  {text}", look.bold(&lab.folder()))];
    for (promise, lacking) in lacking {
        let why = report::lacking(lacking, session.language);
        lines.push(format!("    – {promise}\n{}", look.indented(6, &why)));
    }
    lines.join("\n")
}

fn who(session: &Session) -> String {
    let key = match Privileges::current() {
        Privileges::User if is_root_without_power() => "doctor.root-without-power",
        Privileges::Root => "doctor.root",
        Privileges::MappedRoot => "doctor.mapped-root",
        Privileges::User => "doctor.user",
    };
    t!(key, locale = session.locale(), uid = nix::unistd::geteuid()).into_owned()
}

fn kernel() -> String {
    nix::sys::utsname::uname()
        .map_or_else(|_| "?".into(), |name| name.release().display().to_string())
}
