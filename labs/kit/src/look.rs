//! How text is laid out: for a terminal of some width, with colour or without.

use std::env;
use std::io::{self, IsTerminal};

use textwrap::core::{Word, display_width};
use textwrap::{Options, WordSeparator, WordSplitter, WrapAlgorithm};
use unicode_width::UnicodeWidthChar;

/// What a place to write to can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// Whether colour, bold and the like are understood and wanted.
    pub colour: bool,
    /// The columns of a line; a Chinese character takes two.
    pub width: usize,
}

/// Longer lines are hard to read, however wide the terminal is.
const WIDEST: usize = 100;
/// Below that there is nothing left of a line after its indent.
const NARROWEST: usize = 40;

impl Look {
    /// That of a file, a pipe or a snapshot.
    pub const PLAIN: Look = Look { colour: false, width: 80 };

    /// That of standard output: as wide as the terminal, with colour unless
    /// `$NO_COLOR` is set (no-color.org) or the terminal is `dumb`.
    pub fn of_stdout() -> Look {
        if !io::stdout().is_terminal() {
            return Look::PLAIN;
        }
        let is_unset = |name| env::var_os(name).is_none_or(|value| value.is_empty());
        Look {
            colour: is_unset("NO_COLOR") && env::var_os("TERM").is_none_or(|term| term != "dumb"),
            width: textwrap::termwidth().clamp(NARROWEST, WIDEST),
        }
    }

    /// Marks up what should be seen first.
    pub fn bold(self, text: &str) -> String {
        self.styled("1", text)
    }

    /// Marks up what can be skipped.
    pub fn dim(self, text: &str) -> String {
        self.styled("2", text)
    }

    /// Marks up with a code of console_codes(4).
    pub fn styled(self, code: &str, text: &str) -> String {
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// Breaks a text into lines: `first` stands before the first one, the
    /// others are indented by `hanging` columns.
    pub fn wrap(self, first: &str, hanging: usize, text: &str) -> String {
        let hanging = " ".repeat(hanging);
        let options = Options::new(self.width)
            .initial_indent(first)
            .subsequent_indent(&hanging)
            .word_separator(WordSeparator::Custom(words))
            .word_splitter(WordSplitter::NoHyphenation)
            .wrap_algorithm(WrapAlgorithm::FirstFit)
            .break_words(false);
        textwrap::fill(text, options)
    }

    /// Breaks a text into lines that all begin at the same column.
    pub fn indented(self, columns: usize, text: &str) -> String {
        self.wrap(&" ".repeat(columns), columns, text)
    }

    /// Breaks a text into lines next to a label, which is bold and has its own column.
    pub fn labelled(self, label: &str, column: usize, text: &str) -> String {
        let padding = " ".repeat(column.saturating_sub(display_width(label)));
        self.wrap(&format!("{}{padding}", self.bold(label)), column, text)
    }
}

/// The words of a line. A path or a command stays whole, so that it can be
/// copied.
fn words(line: &str) -> Box<dyn Iterator<Item = Word<'_>> + '_> {
    let mut words = Vec::new();
    let mut start = 0;
    let mut before = None;
    for (at, after) in line.char_indices() {
        if before.is_some_and(|before| may_break(before, after)) {
            words.push(Word::from(&line[start..at]));
            start = at;
        }
        before = Some(after);
    }
    words.push(Word::from(&line[start..]));
    Box::new(words.into_iter())
}

/// Whether a line may end between two characters: after spaces, and next to a Chinese
/// character, but a line never begins with a full stop or ends with an opening bracket.
fn may_break(before: char, after: char) -> bool {
    let is_chinese = |c: char| !c.is_ascii() && c.width() == Some(2);
    let beside_chinese = is_chinese(before) || is_chinese(after);
    let opens = "（《「『【“‘".contains(before);
    let closes = "，。、；：？！）》」』】”’…".contains(after);
    after != ' ' && (before == ' ' || beside_chinese && !opens && !closes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NARROW: Look = Look { colour: false, width: 40 };

    #[test]
    fn a_sentence_hangs_beside_its_label() {
        let text = "Only a mount point can be the new root: bind the folder onto itself.";
        assert_eq!(
            NARROW.labelled("Hint:", 7, text),
            "Hint:  Only a mount point can be the new\n       root: bind the folder onto\n       \
             itself."
        );
    }

    #[test]
    fn a_chinese_character_takes_two_columns() {
        let lines =
            NARROW.labelled("提示：", 8, "只有挂载点才能成为新的根：先把目录 bind 到它自己。");
        assert_eq!(lines, "提示：  只有挂载点才能成为新的根：先把目\n        录 bind 到它自己。");
        assert!(lines.lines().all(|line| display_width(line) <= NARROW.width));
    }

    #[test]
    fn no_line_begins_with_a_full_stop() {
        let lines = NARROW.wrap("", 0, "旧的根目录仍然挂载着，并且可以访问得到它。");
        assert_eq!(lines, "旧的根目录仍然挂载着，并且可以访问得到\n它。");
    }

    #[test]
    fn a_path_is_never_broken() {
        let path = "/sys/fs/cgroup/system.slice/mydocker-0123456789.scope";
        assert_eq!(NARROW.indented(2, &format!("see {path}")), format!("  see\n  {path}"));
    }

    #[test]
    fn colour_takes_no_columns() {
        let look = Look { colour: true, ..NARROW };
        let line = look.labelled("Hint:", 7, "a sentence of exactly 33 columns.");
        assert_eq!(line, "\x1b[1mHint:\x1b[0m  a sentence of exactly 33 columns.");
    }
}
