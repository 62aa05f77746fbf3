//! The long form: `scripts/proof` runs this, as root and as an ordinary user.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use proof::report::{Report, markdown};
use proof::{Form, Proof, SUBJECTS, release};

#[derive(Parser)]
#[command(about = "Tries what must never happen to a mydocker")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Try the subjects, and write what was seen to stdout as JSON
    Try {
        /// The sample that the tests try
        #[arg(long)]
        short: bool,
        /// Which; none: all
        subjects: Vec<String>,
    },
    /// Make one report of what was seen by several users
    Report {
        /// The folder for report.md and report.json
        #[arg(long)]
        to: PathBuf,
        /// What `proof try` has written
        seen: Vec<PathBuf>,
    },
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Try { short, subjects } => {
            try_all(if short { Form::Short } else { Form::Long }, &subjects)
        }
        Command::Report { to, seen } => write_report(&to, &seen),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("proof: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Returns whether all promises were kept.
fn try_all(form: Form, names: &[String]) -> Result<bool, String> {
    if let Some(unknown) = names.iter().find(|name| SUBJECTS.iter().all(|s| s.name != **name)) {
        let there_are: Vec<&str> = SUBJECTS.iter().map(|subject| subject.name).collect();
        return Err(format!("no subject {unknown:?}; there are: {}", there_are.join(", ")));
    }
    let proof = Proof { program: release::program()?, form };
    let who = if nix::unistd::geteuid().is_root() { "root" } else { "user" };
    let uname = nix::sys::utsname::uname().map_err(|error| error.to_string())?;
    let kernel = uname.release().to_string_lossy().into_owned();
    let mut report = Report { who: who.into(), kernel, sections: Vec::new() };
    for subject in SUBJECTS {
        if names.is_empty() || names.iter().any(|name| name == subject.name) {
            eprintln!("{}: {}", subject.name, subject.promise);
            let section = subject.run(&proof);
            for (what, count) in &section.figures {
                eprintln!("  {what}: {count}");
            }
            if let Some(reason) = &section.ignored {
                eprintln!("  not tried here: {reason}");
            }
            for failure in &section.failures {
                eprintln!("  BROKEN: {failure}");
            }
            report.sections.push(section);
        }
    }
    println!("{}", serde_json::to_string_pretty(&report).expect("strings and numbers"));
    Ok(report.sections.iter().all(|section| section.failures.is_empty()))
}

fn write_report(folder: &Path, seen: &[PathBuf]) -> Result<bool, String> {
    let mut reports: Vec<Report> = Vec::new();
    for path in seen {
        let text = fs::read(path).map_err(|error| format!("{path:?}: {error}"))?;
        reports.push(serde_json::from_slice(&text).map_err(|error| format!("{path:?}: {error}"))?);
    }
    let json = serde_json::to_string_pretty(&reports).expect("strings and numbers") + "\n";
    for (name, text) in [("report.md", markdown(&reports)), ("report.json", json)] {
        let path = folder.join(name);
        fs::write(&path, text).map_err(|error| format!("{path:?}: {error}"))?;
        eprintln!("{}", path.display());
    }
    Ok(true)
}
