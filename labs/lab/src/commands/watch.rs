//! `lab watch`: grades each time a file is saved.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use clap::Args;
use labkit::canary::contents;
use labkit::lab::Lab;
use notify::{RecursiveMode, Watcher};
use rust_i18n::t;

use crate::grade::Grade;
use crate::session::Session;
use crate::trouble::Trouble;
use crate::{programs, tell};

/// Grade a lab again each time you save
///
/// The kernel reports changes at once, except in a directory shared with a VM, if
/// another machine makes them. So the files are also read every second. Press Ctrl-C to
/// stop.
#[derive(Args)]
pub struct Arguments {
    /// Which lab; the next one if you name none
    lab: Option<String>,
}

/// How long a change that the kernel does not report may stay unseen.
const POLL: Duration = Duration::from_secs(1);
/// An editor writes a file in several steps; this long after the last it is done.
const QUIET: Duration = Duration::from_millis(150);

enum Event {
    Changed,
    Interrupted,
}

pub fn execute(session: &Session, arguments: &Arguments) -> Result<(), Trouble> {
    let lab = session.lab_or_next(arguments.lab.as_deref())?;
    let (sender, events) = channel();
    let interrupted = sender.clone();
    // It fails only where a handler is set already, and this is the first.
    let _ = ctrlc::set_handler(move || drop(interrupted.send(Event::Interrupted)));
    let _watcher = watcher(session, lab, sender);

    loop {
        let graded = files(session, lab);
        grade_once(session, lab)?;
        if !changed_since(&graded, session, lab, &events) {
            println!("\n{}", t!("watch.ended", locale = session.locale()));
            return Ok(());
        }
    }
}

/// Has the kernel report changes. Where it cannot, there is still the polling.
fn watcher(session: &Session, lab: &Lab, sender: Sender<Event>) -> Option<impl Watcher> {
    let tell = move |event: notify::Result<notify::Event>| {
        // Reading is no change, and each look at the files is one.
        if !event.is_ok_and(|event| event.kind.is_access()) {
            let _ = sender.send(Event::Changed);
        }
    };
    let mut watcher = notify::recommended_watcher(tell).ok()?;
    let folder = session.checkout.folder(lab);
    watcher.watch(&folder, RecursiveMode::NonRecursive).ok()?;
    watcher.watch(&folder.join("src"), RecursiveMode::Recursive).ok()?;
    Some(watcher)
}

fn grade_once(session: &Session, lab: &Lab) -> Result<(), Trouble> {
    let built = programs::build(session, &[lab])?;
    // Only for a new grade: what the compiler said is to stay on the screen until
    // then, and what was said before is to be found above it.
    if io::stdout().is_terminal() && built.programs.contains_key(&lab.number) {
        // Clears the screen: console_codes(4).
        print!("\x1b[2J\x1b[H");
        let _ = io::stdout().flush();
    }
    eprint!("{}", built.said);
    tell::grade(session, &Grade::by(session, lab, &built, None));
    let folder = session.checkout.shown(&session.checkout.folder(lab));
    println!(
        "{}",
        session.look.dim(&t!("watch.waiting", locale = session.locale(), folder = folder))
    );
    Ok(())
}

/// Waits until the files are others than those that were graded; false: Ctrl-C
/// was pressed.
fn changed_since(graded: &Files, session: &Session, lab: &Lab, events: &Receiver<Event>) -> bool {
    loop {
        if let Ok(Event::Interrupted) = events.recv_timeout(POLL) {
            return false;
        }
        let mut now = files(session, lab);
        if now == *graded {
            continue;
        }
        loop {
            thread::sleep(QUIET);
            let later = files(session, lab);
            if later == now {
                return true;
            }
            now = later;
        }
    }
}

type Files = BTreeMap<PathBuf, Vec<u8>>;

/// What the student may have changed.
fn files(session: &Session, lab: &Lab) -> Files {
    let source = contents(&session.checkout.folder(lab).join("src")).unwrap_or_default();
    let read = |file: &Path| Some((file.to_owned(), fs::read(file).ok()?));
    let answers = session.checkout.answers(lab);
    let others = answers.iter().filter_map(|answer| read(&answer.file));
    source.into_iter().chain(others).collect()
}
