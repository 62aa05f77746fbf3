//! A grader at work, and how far it is.

use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{self, Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use labkit::exam::{FOLDER, PROGRAM};
use labkit::lab::Lab;
use labkit::record::RUN;
use rust_i18n::t;

use crate::session::Session;

/// A grade that is there sooner needs no word on how far it is.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often the wheel turns.
const TICK: Duration = Duration::from_millis(200);

/// A name that no other run has.
pub fn name_of_a_run() -> String {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    format!("{}-{}", process::id(), since.as_nanos())
}

/// Runs the grader of a lab on the program with the answer in it, and returns what
/// it has printed; `only` is a part of
/// the names of the promises that are asked for, `run` a name that the report is
/// to bear. On a terminal that has to wait, the promises are counted.
pub fn said_by(
    session: &Session,
    lab: &Lab,
    program: &Path,
    grader: Option<&PathBuf>,
    only: Option<&str>,
    run: &str,
) -> io::Result<String> {
    // One without a line of the answer decides, where the lab has such a grader.
    let mut grader = Command::new(grader.map_or(program, PathBuf::as_path));
    grader.env(PROGRAM, program).env(FOLDER, session.checkout.folder(lab));
    grader.args(only).env(RUN, run);
    grader.current_dir(session.checkout.folder(lab)).stdin(Stdio::null());
    let mut child = grader.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let mut stderr = child.stderr.take().expect("it is piped");
    let errors = thread::spawn(move || {
        let mut said = Vec::new();
        let _ = stderr.read_to_end(&mut said);
        said
    });
    let stdout = BufReader::new(child.stdout.take().expect("it is piped"));
    let (sender, lines) = channel();
    let reader = thread::spawn(move || {
        for line in stdout.split(b'\n').map_while(Result::ok) {
            let _ = sender.send(line);
        }
    });

    let asked = lab.promises.iter().filter(|it| only.is_none_or(|words| it.name.contains(words)));
    let bar =
        ProgressBar::with_draw_target(Some(asked.count() as u64), ProgressDrawTarget::hidden());
    let style = ProgressStyle::with_template("{spinner} {msg}  {pos}/{len}");
    bar.set_style(style.expect("a template"));
    bar.set_message(
        t!("grade.grading", locale = session.locale(), lab = lab.folder()).into_owned(),
    );
    let started = Instant::now();
    let mut said = Vec::new();
    loop {
        match lines.recv_timeout(TICK) {
            Ok(line) => {
                if is_verdict(&line) {
                    bar.inc(1);
                }
                said.extend(line);
                said.push(b'\n');
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        // Where standard error is no terminal, that draws nothing.
        if bar.is_hidden() && started.elapsed() > PATIENCE {
            bar.set_draw_target(ProgressDrawTarget::stderr());
        }
        bar.tick();
    }
    bar.finish_and_clear();
    reader.join().expect("it only reads");
    said.extend(errors.join().expect("it only reads"));
    child.wait()?;
    Ok(String::from_utf8_lossy(&said).into_owned())
}

/// `test the_hosts_mounts_stay ... ok`.
fn is_verdict(line: &[u8]) -> bool {
    line.starts_with(b"test ") && line.windows(5).any(|part| part == b" ... ")
}
