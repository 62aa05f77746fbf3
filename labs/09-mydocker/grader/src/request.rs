//! One promise of one program, graded by a process made for it.

use std::fs;
use std::path::{Path, PathBuf};

use labkit::exam;
use labkit::need::{Lacking, Told};
use labkit::verdict::Verdict;
use serde::{Deserialize, Serialize};

use crate::adapter::{Adapter, SHIPPED};
use crate::later::{self, LATER};
use crate::program::Program;
use crate::{EXAM, must_be_told, must_be_told_to_keep};

/// What is to be graded.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Request {
    /// The program's file.
    pub program: PathBuf,
    /// The name of an adapter that is shipped, or an adapter's file.
    pub adapter: String,
    /// The promise.
    pub promise: String,
}

/// The adapter of this name, or in this file.
///
/// # Errors
/// There is none, or it is wrong.
pub fn read_adapter(name: &str) -> Result<Adapter, String> {
    if let Some((_, text)) = SHIPPED.iter().find(|(shipped, _)| *shipped == name) {
        return Adapter::parse(text);
    }
    let shipped = SHIPPED.map(|(name, _)| name).join(", ");
    let text = fs::read_to_string(name).map_err(|error| {
        format!("--adapter {name}: {error}; name a file, or one that is shipped: {shipped}")
    })?;
    Adapter::parse(&text).map_err(|error| format!("--adapter {name}: {error}"))
}

impl Request {
    /// Has a new process of this program grade it.
    ///
    /// # Errors
    /// The grader itself has failed; in its words.
    pub fn ask(&self) -> Result<Verdict, String> {
        exam::ask(&serde_json::to_string(self).expect("plain data"))
    }

    /// Grades what a process of this program was made for, as its
    /// [`graded_here`](exam::graded_here) says.
    ///
    /// # Errors
    /// The program or the adapter cannot be read, or the sandbox cannot be made.
    pub fn answer(asked: &str) -> mydocker_kernel::Result<Verdict> {
        let request: Request = serde_json::from_str(asked)
            .map_err(|error| mydocker_kernel::Error::new(error.to_string()))?;
        let adapter = read_adapter(&request.adapter).map_err(mydocker_kernel::Error::new)?;
        examine(&read_program(&request.program, adapter)?, &request.promise)
    }
}

/// Grades one promise of a program, in the process made for it.
///
/// # Errors
/// The sandbox cannot be made.
///
/// # Panics
/// There is no such promise.
pub fn examine(program: &Program, promise: &str) -> mydocker_kernel::Result<Verdict> {
    let adapter = &program.adapter;
    let lacking = |needed: &[Told]| {
        let silent_about = needed.iter().copied().find(|it| !adapter.tells(*it))?;
        Some(Verdict::NotGradable(Lacking::Adapter { silent_about }))
    };
    if let Some(needed) = later::must_be_told(promise) {
        let exam = || LATER.examine_needing(&adapter.needs(), program, promise, None);
        return lacking(&[needed]).map_or_else(exam, Ok);
    }
    if let Some(verdict) = lacking(must_be_told(promise)) {
        return Ok(verdict);
    }
    let verdict = EXAM.examine_needing(&adapter.needs(), program, promise, None)?;
    match lacking(must_be_told_to_keep(promise)) {
        Some(silent) if verdict == Verdict::Kept => Ok(silent),
        _ => Ok(verdict),
    }
}

fn read_program(file: &Path, adapter: Adapter) -> mydocker_kernel::Result<Program> {
    Program::read(file, adapter)
        .map_err(|error| mydocker_kernel::Error::new(format!("{}: {error}", file.display())))
}
