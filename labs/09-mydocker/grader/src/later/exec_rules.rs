//! From what was seen of an exec to what is wrong.

use labkit::frame::{self, Rule, Rules, Words, rule};

use super::exec_facts::{Asked, Exec, Facts, is_as_given};
use crate::running::Ended;

impl frame::Facts for Facts {
    fn words(&self) -> Words {
        let mut words: Words = Vec::new();
        words.extend(self.outside.leak.clone().map(|change| ("change", change)));
        if let Some((command, ran)) = &self.unprepared {
            words.extend([("command", command.clone()), ("status", ran.ended.to_string())]);
        } else if let Some(ran) = self.started.as_ref().filter(|_| self.first.is_none()) {
            words.push(("status", ran.ended.to_string()));
        } else if let Some(exec) = self.execs.iter().find(|it| it.is_not_run()) {
            words.push(("status", exec.ran.ended.to_string()));
        } else if let Some(exec) = self.wrong_codes().first() {
            words.push(("status", exec.ran.ended.to_string()));
            words.extend(exec.expected().map(|code| ("expected", code.to_string())));
        }
        words.extend(self.lacking().map(|names| ("names", names.join(", "))));
        let leads_to = self.looked_at().and_then(|(_, inside)| inside.descriptors.first());
        words.extend(leads_to.map(|it| ("leads_to", it.clone())));
        words
    }
}

/// What keeps any of these promises from being kept.
const BEFORE: &[Rule<Facts>] = &[
    rule("not-prepared", |facts| facts.unprepared.is_some()),
    rule("propagation-left-shared", |facts| facts.outside.leak.is_some()),
    rule("root-not-changed", |facts| facts.outside.is_on_the_hosts_root),
    rule("not-in-the-background", |facts| facts.first.is_none()),
];

/// Where the command is run.
const WHERE: &[Rule<Facts>] = &[
    rule("exec-did-not-run", |facts| facts.execs.iter().any(Exec::is_not_run)),
    rule("exec-on-the-host", |facts| {
        let of_container = |exec: &&Exec| !matches!(exec.asked, Asked::Gone | Asked::Nobody);
        let mut execs = facts.execs.iter().filter(of_container);
        execs.any(|exec| exec.says("words") == Some(&facts.hosts_words))
    }),
];

const JOINED: &[Rule<Facts>] = &[
    rule("exec-pid-namespace-without-fork", |facts| {
        let Some(((_, inside), first)) = facts.looked_at().zip(facts.first.as_ref()) else {
            return false;
        };
        let pid = |it: &super::inside::Inside| it.namespaces.get("pid").cloned();
        pid(inside) != pid(first) && Some(&inside.childrens) == pid(first).as_ref()
    }),
    rule("exec-namespaces-missing", |facts| facts.lacking().is_some_and(|it| !it.is_empty())),
];

const OF_ROOT: &[Rule<Facts>] = &[
    rule("exec-other-root", |facts| facts.has_its_root() == Some(false)),
    rule("cwd-outside", |facts| facts.looked_at().is_some_and(|(_, it)| it.works_outside)),
];

const OPEN: &[Rule<Facts>] = &[rule("descriptors-inherited", |facts| {
    facts.looked_at().is_some_and(|(_, it)| !it.descriptors.is_empty())
})];

const GIVEN: &[Rule<Facts>] = &[
    rule("arguments-dropped", |facts| says_of_arguments(facts, |it| it.says("count") == Some("0"))),
    rule("arguments-split", |facts| {
        says_of_arguments(facts, |exec| {
            !is_as_given(exec) && exec.ran.said.values().any(|argument| argument == "<$HOME>")
        })
    }),
    rule("arguments-through-a-shell", |facts| says_of_arguments(facts, |it| !is_as_given(it))),
];

fn says_of_arguments(facts: &Facts, what: fn(&Exec) -> bool) -> bool {
    facts.of(Asked::Arguments).filter(|exec| exec.says("count").is_some()).is_some_and(what)
}

const CODES: &[Rule<Facts>] = &[
    rule("exit-code-lost", |facts| is_lost(facts, Asked::Seven)),
    rule("signal-lost", |facts| is_lost(facts, Asked::Look)),
    rule("start-code-lost", |facts| is_lost(facts, Asked::NoCommand)),
];

fn is_lost(facts: &Facts, asked: Asked) -> bool {
    facts.wrong_codes().first().is_some_and(|exec| exec.asked == asked)
}

const GOES_ON: &[Rule<Facts>] = &[rule("container-ended-by-exec", |facts| !facts.goes_on)];

const NOBODY: &[Rule<Facts>] = &[
    rule("exec-into-nothing-runs", |facts| {
        let of_none = |exec: &&Exec| matches!(exec.asked, Asked::Gone | Asked::Nobody);
        facts.execs.iter().filter(of_none).any(Exec::has_run)
    }),
    rule("exec-failure-not-told", |facts| {
        let is_success = |it: &Exec| it.ran.ended == Ended::Exited(0);
        [Asked::Gone, Asked::Nobody].iter().any(|asked| facts.of(*asked).is_some_and(is_success))
    }),
];

const fn rules(tables: &'static [&'static [Rule<Facts>]]) -> Rules<Facts> {
    Rules { lab: "mydocker", function: "mydocker", tables }
}

pub static NAMESPACES: Rules<Facts> = rules(&[BEFORE, WHERE, JOINED]);
pub static ROOT: Rules<Facts> = rules(&[BEFORE, WHERE, OF_ROOT]);
pub static DESCRIPTORS: Rules<Facts> = rules(&[BEFORE, WHERE, OPEN]);
pub static ARGUMENTS: Rules<Facts> = rules(&[BEFORE, WHERE, GIVEN]);
pub static STATUS: Rules<Facts> = rules(&[BEFORE, GOES_ON, WHERE, CODES]);
pub static BESIDE: Rules<Facts> = rules(&[BEFORE, GOES_ON, WHERE]);
pub static NOTHING: Rules<Facts> = rules(&[BEFORE, WHERE, NOBODY]);
