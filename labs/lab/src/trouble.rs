//! Why a command could not do its work, and what to do about it.

use std::io;
use std::path::PathBuf;

use labkit::language::Language;
use rust_i18n::t;

pub enum Trouble {
    /// There are no labs here.
    NoCheckout { here: PathBuf },
    /// A lab.toml cannot be read.
    BadLab { file: PathBuf, error: String },
    /// No lab is called so.
    UnknownLab { name: String, known: Vec<String> },
    /// The command takes no lab by itself; `lab` is the one that it would be.
    NotNamed { command: &'static str, lab: String },
    /// No promise of the lab is called so.
    UnknownPromise { name: String, lab: String, known: Vec<String> },
    /// It was never graded, so there is nothing to show.
    NotGraded { lab: String },
    /// No program was checked that could be graded.
    NothingChecked,
    /// Somebody else's program has no solution.
    NoSolutionOfAProgram,
    /// The solution is for those who have kept all promises.
    NotKept { lab: String, kept: usize, total: usize },
    /// What was to be checked is no program; `why` is the name of a text.
    NoProgram { file: PathBuf, why: &'static str },
    /// The program that was to be checked could not be graded; why was said.
    NotChecked,
    /// There are no folders that could be submissions.
    NoSubmissions { class: PathBuf },
    /// Another process grades the same class.
    ClassInUse { folder: PathBuf },
    /// What all submissions share does not compile; why was said.
    NotShared,
    /// The directory for the students' repository is not empty.
    NotEmpty { path: PathBuf },
    /// git does not say which files belong to the checkout.
    NoFileList { why: String },
    /// The solutions are not in this checkout.
    NoSolutions { lab: String },
    /// cargo cannot be started.
    NoCargo { error: io::Error },
    /// A call failed.
    Cannot { call: &'static str, path: PathBuf, error: io::Error },
}

impl Trouble {
    /// The exit code of a command that could not do its work.
    pub const EXIT_CODE: u8 = 2;

    pub fn cannot(call: &'static str, path: impl Into<PathBuf>, error: io::Error) -> Trouble {
        Trouble::Cannot { call, path: path.into(), error }
    }

    /// What, why, and what to do.
    pub fn text(&self, language: Language) -> String {
        let locale = language.locale();
        let text = match self {
            Trouble::NoCheckout { here } => {
                t!("trouble.no-checkout", locale = locale, here = here.display())
            }
            Trouble::BadLab { file, error } => {
                t!("trouble.bad-lab", locale = locale, file = file.display(), error = error)
            }
            Trouble::UnknownLab { name, known } => {
                let known = known.join("\n    ");
                t!("trouble.unknown-lab", locale = locale, name = name, known = known)
            }
            Trouble::NotNamed { command, lab } => {
                t!("trouble.not-named", locale = locale, command = command, lab = lab)
            }
            Trouble::UnknownPromise { name, lab, known } => {
                let known = known.join("\n    ");
                t!(
                    "trouble.unknown-promise",
                    locale = locale,
                    name = name,
                    lab = lab,
                    known = known
                )
            }
            Trouble::NotGraded { lab } => t!("trouble.not-graded", locale = locale, lab = lab),
            Trouble::NothingChecked => t!("trouble.nothing-checked", locale = locale),
            Trouble::NoSolutionOfAProgram => {
                t!("trouble.no-solution-of-a-program", locale = locale)
            }
            Trouble::NotKept { lab, kept, total } => {
                t!("trouble.not-kept", locale = locale, lab = lab, kept = kept, total = total)
            }
            Trouble::NoProgram { file, why } => {
                let (key, file) = (format!("no-program.{why}"), file.display());
                t!(key, locale = locale, file = file)
            }
            Trouble::NotChecked => t!("trouble.not-checked", locale = locale),
            Trouble::NoSubmissions { class } => {
                t!("trouble.no-submissions", locale = locale, folder = class.display())
            }
            Trouble::ClassInUse { folder } => {
                t!("trouble.class-in-use", locale = locale, folder = folder.display())
            }
            Trouble::NotShared => t!("trouble.not-shared", locale = locale),
            Trouble::NotEmpty { path } => {
                t!("trouble.not-empty", locale = locale, path = path.display())
            }
            Trouble::NoFileList { why } => t!("trouble.no-file-list", locale = locale, why = why),
            Trouble::NoSolutions { lab } => t!("trouble.no-solutions", locale = locale, lab = lab),
            Trouble::NoCargo { error } => t!("trouble.no-cargo", locale = locale, error = error),
            Trouble::Cannot { call, path, error } => {
                let advice = t!(advice(error), locale = locale);
                let (path, error) = (path.display(), error.to_string());
                t!(
                    "trouble.cannot",
                    locale = locale,
                    call = call,
                    path = path,
                    error = error,
                    advice = advice
                )
            }
        };
        text.into_owned()
    }
}

/// What to do about an error of a file.
fn advice(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => "advice.permission",
        io::ErrorKind::NotFound => "advice.not-found",
        io::ErrorKind::StorageFull => "advice.full",
        _ => "advice.other",
    }
}
