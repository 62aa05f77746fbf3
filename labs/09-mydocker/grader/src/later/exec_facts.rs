//! What was seen of an exec.

use labkit::verdict::Evidence;
use serde::{Deserialize, Serialize};

use super::background::{Outside, Ran};
use super::inside::Inside;
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
    /// A command that does not exist.
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

    /// Whether its command should have been seen, and was not.
    pub fn is_not_run(&self) -> bool {
        matches!(self.asked, Asked::Look | Asked::Beside | Asked::Arguments) && !self.has_run()
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

    /// Whether the root of the command is that of the container; none if it was not
    /// seen.
    pub fn has_its_root(&self) -> Option<bool> {
        let (_, inside) = self.looked_at()?;
        Some(inside.root.is_some() && inside.root == self.first.as_ref()?.root)
    }

    /// Those that have not ended as their commands.
    pub fn wrong_codes(&self) -> Vec<&Exec> {
        let is_wrong = |exec: &&Exec| match (exec.expected(), exec.ran.ended) {
            (None, _) => false,
            (Some(code), Ended::Exited(its)) => its != code,
            // A program that dies of the signal itself has passed it on: $? is the same.
            (Some(code), Ended::Signaled(signal)) => 128 + signal != code,
        };
        self.execs.iter().filter(is_wrong).collect()
    }

    /// Whether all went so far that something can be said.
    pub fn is_whole(&self) -> bool {
        self.interrupted.is_none() && self.first.is_some() && !self.outside.is_on_the_hosts_root
    }

    /// How far things went, if not to the end.
    pub fn course_of_things(&self) -> Vec<Evidence> {
        let mut evidence = Vec::new();
        if self.first.is_none() {
            let seen = self
                .started
                .as_ref()
                .map(|ran| format!("it does not run; exit code {}", ran.ended));
            let what = "a container started in the background by mydocker";
            evidence.push(Evidence::differs(what, "it runs", seen.unwrap_or_default()));
        } else if let Some(exec) = self.of(Asked::Look).filter(|exec| exec.inside.is_none()) {
            let seen = format!("it is not run; exit code {}", exec.ran.ended);
            evidence.push(Evidence::differs("mydocker exec /root/exam/inside", "it runs", seen));
        }
        evidence.extend(self.interrupted.as_deref().map(crate::facts::unfinished));
        evidence
    }
}

/// Whether each argument arrived as it was given.
pub fn is_as_given(exec: &Exec) -> bool {
    let said = ["count", "argument 1", "argument 2", "argument 3"].map(|fact| exec.says(fact));
    said == [Some("3"), Some("<a  b>"), Some("<>"), Some("<$HOME>")]
}
