//! Mutants that keep every promise and are right: each with the reason.

use std::fs;
use std::io;

use serde::Deserialize;

use crate::operators::Mutant;
use crate::program::top;

/// A lab's list, explained/NN.toml.
#[derive(Debug, Default, Deserialize)]
pub struct Explained {
    #[serde(default)]
    mutant: Vec<Reason>,
}

#[derive(Debug, Deserialize)]
struct Reason {
    function: String,
    /// What stands there; a place in longer text is enough.
    was: String,
    /// What stands there instead.
    is: String,
    /// Why that is right.
    why: String,
}

impl Reason {
    fn is_of(&self, mutant: &Mutant) -> bool {
        self.function == mutant.function
            && flat(&self.was) == flat(&mutant.was)
            && flat(&self.is) == flat(&mutant.is)
    }
}

impl Explained {
    /// Reads a lab's list; where there is no file, nothing is explained.
    ///
    /// # Errors
    /// The file cannot be read, or is no such list.
    pub fn of(lab: &str) -> io::Result<Explained> {
        let path = top().join(format!("labs/mutants/explained/{lab}.toml"));
        match fs::read_to_string(&path) {
            Ok(text) => toml::from_str(&text)
                .map_err(|error| io::Error::other(format!("{}: {error}", path.display()))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Explained::default()),
            Err(error) => Err(error),
        }
    }

    /// Why this mutant is right, if that is known.
    pub fn why(&self, mutant: &Mutant) -> Option<&str> {
        self.mutant.iter().find(|it| it.is_of(mutant)).map(|it| it.why.as_str())
    }

    /// Reasons that no mutant of these needs any more.
    pub fn idle<'a>(&'a self, survivors: &[&Mutant]) -> Vec<&'a str> {
        let is_needed = |it: &Reason| survivors.iter().any(|mutant| it.is_of(mutant));
        self.mutant.iter().filter(|it| !is_needed(it)).map(|it| it.was.as_str()).collect()
    }
}

/// On one line.
pub fn flat(text: &str) -> String {
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with("//"));
    lines.collect::<Vec<_>>().join(" ").split_whitespace().collect::<Vec<_>>().join(" ")
}
