//! The sessions on a page.

use std::path::Path;
use std::process::Command as Process;

use mydocker_book::checkout;
use regex::{Captures, Regex};

/// A block of a page: commands, and what they print.
pub struct Block {
    pub line: usize,
    pub who: Who,
    pub commands: Vec<Command>,
}

/// Who runs a block.
#[derive(PartialEq, Eq)]
pub enum Who {
    /// Whoever runs the tests, by itself.
    Anybody,
    /// Root, after the page's blocks before it.
    Root,
    /// Root too, for those after it: what it prints is not the same everywhere.
    Setup,
}

#[derive(Clone)]
pub struct Command {
    /// As they are typed; several lines if a quote goes on.
    pub words: String,
    /// What the book shows of its output.
    pub shown: String,
}

/// The marked blocks of a page.
pub fn blocks(page: &Path) -> Vec<Block> {
    let text = checkout::read(page).expect("the page");
    let mut blocks = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((_, line)) = lines.next() {
        let who = match line.trim() {
            "<!-- session -->" => Who::Anybody,
            "<!-- session: root -->" => Who::Root,
            "<!-- session: setup -->" => Who::Setup,
            _ => continue,
        };
        let (number, fence) = lines.next().expect("a block follows");
        assert_eq!(fence.trim(), "```console", "{}:{number}: a session is this", page.display());
        let body: Vec<&str> =
            lines.by_ref().map(|(_, line)| line).take_while(|line| line.trim() != "```").collect();
        blocks.push(Block { line: number + 1, who, commands: commands(&body) });
    }
    blocks
}

fn commands(body: &[&str]) -> Vec<Command> {
    let mut commands: Vec<Command> = Vec::new();
    let mut lines = body.iter().peekable();
    while let Some(line) = lines.next() {
        let prompted = line.strip_prefix("$ ").or_else(|| line.strip_prefix("# "));
        if let Some(words) = prompted {
            let mut words = words.to_owned();
            while !is_whole(&words)
                && let Some(more) = lines.next()
            {
                words = format!("{words}\n{more}");
            }
            commands.push(Command { words, shown: String::new() });
        } else {
            let command = commands.last_mut().expect("a session begins with a command");
            command.shown += line;
            command.shown.push('\n');
        }
    }
    commands
}

/// Whether no quote and no `if` is still open.
fn is_whole(words: &str) -> bool {
    let check = Process::new("bash").args(["-n", "-c", words]).output().expect("bash");
    check.status.success()
}

/// Without what is different each time: dates, and the kernel's numbers of
/// mounts, file systems and peer groups. Which of those are the same remains: a
/// parent is still a parent.
pub fn comparable(text: &str) -> String {
    let date = Regex::new(r"\b[A-Z][a-z]{2} +\d+ \d\d:\d\d\b").expect("a pattern");
    let mut mounts = Numbers::new(r"^ *\d+ +\d+ ", "M");
    let mut devices = Numbers::new(r"^M\d+ M\d+ \d+:\d+ ", "D");
    let mut groups = Numbers::new(r"\b(shared|master|propagate_from):\d+", "G");
    let mut lines = Vec::new();
    for line in text.trim_end().lines() {
        let line = date.replace_all(line.trim_end(), "DATE").into_owned();
        let named = groups.name(&devices.name(&mounts.name(&line)));
        // The columns of findmnt are as wide as its numbers.
        let is_table = named != line;
        let words = named.split_whitespace().collect::<Vec<_>>().join(" ");
        lines.push(if is_table { words } else { line });
    }
    lines.join("\n")
}

/// The numbers of one kind, named in the order of their coming.
struct Numbers {
    place: Regex,
    number: Regex,
    name: &'static str,
    given: Vec<String>,
}

impl Numbers {
    fn new(place: &str, name: &'static str) -> Numbers {
        let number = Regex::new(r"\b\d+(:\d+)?\b").expect("a pattern");
        let place = Regex::new(place).expect("a pattern");
        Numbers { place, number, name, given: Vec::new() }
    }

    fn name(&mut self, line: &str) -> String {
        let Some(place) = self.place.find(line) else { return line.to_owned() };
        let named = self.number.replace_all(place.as_str(), |found: &Captures| {
            let known = self.given.iter().position(|it| *it == found[0]);
            let index = known.unwrap_or_else(|| {
                self.given.push(found[0].to_owned());
                self.given.len() - 1
            });
            format!("{}{index}", self.name)
        });
        format!("{}{named}{}", &line[..place.start()], &line[place.end()..])
    }
}
