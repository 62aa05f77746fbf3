//! What of a session's output can be compared.

use regex::{Captures, Regex};

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
