//! What every command needs to know.

use std::io;

use labkit::lab::{Lab, PromiseText};
use labkit::language::{Language, Words};
use labkit::look::Look;
use labkit::record::Records;
use rust_i18n::t;

use crate::checkout::{CHECK, Checkout};
use crate::standing::Standing;
use crate::trouble::Trouble;

pub struct Session {
    pub checkout: Checkout,
    pub records: Records,
    pub language: Language,
    pub look: Look,
}

impl Session {
    pub fn begin() -> Result<Session, Trouble> {
        let checkout = Checkout::find()?;
        let records = Records::of(&checkout.top);
        Ok(Session { checkout, records, language: Language::current(), look: Look::of_stdout() })
    }

    /// The language as the texts call it.
    pub fn locale(&self) -> &'static str {
        self.language.locale()
    }

    /// Says what to do next: a line a command, and beside it what it does. `LAB`
    /// in a command stands for the lab; the texts are those below `do.`.
    pub fn advise(&self, lab: &Lab, commands: &[&str]) {
        self.advise_on(lab, None, commands);
    }

    /// The same on one promise of the lab.
    pub fn advise_on(&self, lab: &Lab, promise: Option<&PromiseText>, commands: &[&str]) {
        let name = promise.map_or(String::new(), |promise| format!(" {}", promise.name));
        let is_possible =
            |command: &&&str| !command.starts_with("solution") || self.has_solution(lab);
        let commands: Vec<&str> = commands.iter().filter(is_possible).copied().collect();
        let lab = format!("{}{name}", lab.number);
        let line = |command: &&str| format!("  cargo lab {}", command.replace("LAB", &lab));
        let lines: Vec<String> = commands.iter().map(line).collect();
        let column = lines.iter().map(String::len).max().unwrap_or(0) + 3;
        for (line, command) in lines.iter().zip(&commands) {
            let does = t!(format!("do.{command}"), locale = self.locale());
            println!("{}", self.look.wrap(&format!("{line:<column$}"), column, &does));
        }
    }

    /// Whether the solution is in this checkout; what students get has none. One
    /// that was lost from a checkout with the crate of the solutions is an error.
    pub fn has_solution(&self, lab: &Lab) -> bool {
        let answers = self.checkout.answers(lab);
        let is_there = answers.iter().any(|answer| answer.solution.exists());
        is_there || self.checkout.top.join("labs/reference/Cargo.toml").exists()
    }

    /// Where the student keeps a promise: a function, or a file that has the name
    /// which lab.toml gives for one.
    pub fn place(&self, lab: &Lab, promise: &PromiseText) -> String {
        let folder = self.checkout.folder(lab);
        let (function, file) = (&promise.function, folder.join(&promise.function));
        if file.exists() {
            return self.checkout.shown(&file);
        }
        let file = self.checkout.shown(&folder.join("src/lib.rs"));
        t!("next.where", locale = self.locale(), file = file, function = function).into_owned()
    }

    pub fn words<'a>(&self, words: &'a Words) -> &'a str {
        words.in_language(self.language)
    }

    /// The lab that a command names, else the one that is next.
    pub fn lab_or_next(&self, name: Option<&str>) -> Result<&Lab, Trouble> {
        match name {
            Some(name) => self.checkout.lab(name),
            None => Ok(self.next().unwrap_or(&self.checkout.labs[0])),
        }
    }

    /// The lab that a command names; `check` is the program that was checked
    /// last. Else the one that is next.
    pub fn lab_or_check(&self, name: Option<&str>) -> Result<&Lab, Trouble> {
        match (name, &self.checkout.check) {
            (Some(CHECK), Some(check)) => Ok(check),
            _ => self.lab_or_next(name),
        }
    }

    /// Notes that the first `count` hints for a promise were shown.
    pub fn note_hints(
        &self,
        lab: &Lab,
        promise: &PromiseText,
        code: &str,
        count: usize,
    ) -> io::Result<()> {
        let mut progress = self.records.progress(lab);
        let hints = progress.hints.entry(promise.name.clone()).or_default();
        let shown = hints.entry(code.to_owned()).or_default();
        if *shown >= count {
            return Ok(());
        }
        *shown = count;
        self.records.keep_progress(lab, &progress)
    }

    /// The lab that was graded last, else the one that is next.
    pub fn current(&self) -> &Lab {
        let graded = self.checkout.labs.iter();
        let graded = graded.filter_map(|lab| Some((self.records.report(lab)?.at, lab)));
        let last = graded.max_by_key(|(at, _)| *at).map(|(_, lab)| lab);
        last.or_else(|| self.next()).unwrap_or(&self.checkout.labs[0])
    }

    /// The first lab in which something is still to be done.
    pub fn next(&self) -> Option<&Lab> {
        let is_open = |lab: &&Lab| Standing::of(&self.records, lab).first_open().is_some();
        self.checkout.labs.iter().find(is_open)
    }
}

/// The promise of a lab that a command names.
pub fn promise_called<'a>(lab: &'a Lab, name: &str) -> Result<&'a PromiseText, Trouble> {
    lab.promise(name).ok_or_else(|| Trouble::UnknownPromise {
        name: name.to_owned(),
        lab: lab.number.clone(),
        known: lab.promises.iter().map(|promise| promise.name.clone()).collect(),
    })
}
