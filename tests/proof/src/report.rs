//! What was seen, for the eye (Markdown) and for programs (JSON).

use std::fmt::Write;

use serde::{Deserialize, Serialize};

/// All that one user has tried on one machine.
#[derive(Debug, Serialize, Deserialize)]
pub struct Report {
    /// Who: `root` or `user`.
    pub who: String,
    /// The kernel, as uname(2) names it.
    pub kernel: String,
    /// A section for each subject.
    pub sections: Vec<Section>,
}

/// What was seen of one subject.
#[derive(Debug, Serialize, Deserialize)]
pub struct Section {
    /// The subject's name.
    pub subject: String,
    /// What holds if there are no failures.
    pub promise: String,
    /// Why it was not tried here.
    pub ignored: Option<String>,
    /// Counts: what, how many.
    pub figures: Vec<(String, u64)>,
    /// Tables: attempts with what was expected and seen, and the like.
    pub tables: Vec<Table>,
    /// Every promise that was not kept, each with what is needed to try it again.
    pub failures: Vec<String>,
    /// How long it took.
    pub seconds: f64,
}

/// A table of a section.
#[derive(Debug, Serialize, Deserialize)]
pub struct Table {
    /// What it shows.
    pub title: String,
    /// The names of the columns.
    pub columns: Vec<String>,
    /// As many cells each as there are columns.
    pub rows: Vec<Vec<String>>,
}

impl Section {
    /// An empty section.
    pub fn new(subject: &str, promise: &str) -> Section {
        Section {
            subject: subject.into(),
            promise: promise.into(),
            ignored: None,
            figures: Vec::new(),
            tables: Vec::new(),
            failures: Vec::new(),
            seconds: 0.0,
        }
    }

    /// Adds a count.
    pub fn figure(&mut self, what: impl Into<String>, count: impl TryInto<u64>) {
        let count = count.try_into().unwrap_or_else(|_| panic!("a count is no negative number"));
        self.figures.push((what.into(), count));
    }

    /// Adds a table.
    pub fn table(&mut self, title: &str, columns: &[&str], rows: Vec<Vec<String>>) {
        let columns = columns.iter().map(ToString::to_string).collect();
        self.tables.push(Table { title: title.into(), columns, rows });
    }

    fn verdict(&self) -> String {
        match (&self.ignored, self.failures.len()) {
            (Some(reason), _) => format!("not tried here: {reason}"),
            (None, 0) => "kept".into(),
            (None, count) => format!("**broken in {count} cases**"),
        }
    }

    fn write_markdown(&self, page: &mut String) -> std::fmt::Result {
        writeln!(page, "### {}\n\n{}\n", self.subject, self.promise)?;
        writeln!(page, "Verdict: {}, after {:.0} s.\n", self.verdict(), self.seconds)?;
        for (what, count) in &self.figures {
            writeln!(page, "- {what}: {count}")?;
        }
        for table in &self.tables {
            writeln!(page, "\n{}:\n", table.title)?;
            writeln!(page, "| {} |", table.columns.join(" | "))?;
            writeln!(page, "|{}", "---|".repeat(table.columns.len()))?;
            for row in &table.rows {
                // A bar would begin a new cell.
                let cells: Vec<_> = row.iter().map(|cell| cell.replace('|', "\\|")).collect();
                writeln!(page, "| {} |", cells.join(" | "))?;
            }
        }
        if !self.failures.is_empty() {
            writeln!(page, "\nBroken:\n")?;
            for failure in &self.failures {
                writeln!(page, "```\n{}\n```", failure.trim_end())?;
            }
        }
        writeln!(page)
    }
}

/// A page for the eye.
pub fn markdown(reports: &[Report]) -> String {
    let mut page = String::from("# The proof\n\n| subject |");
    let written = (|| {
        for report in reports {
            write!(page, " as {}, Linux {} |", report.who, report.kernel)?;
        }
        writeln!(page, "\n|---|{}", "---|".repeat(reports.len()))?;
        let sections = |report: &Report| report.sections.len();
        let longest = reports.iter().max_by_key(|report| sections(report));
        for section in longest.into_iter().flat_map(|report| &report.sections) {
            write!(page, "| {} |", section.subject)?;
            for report in reports {
                let mut same = report.sections.iter().filter(|s| s.subject == section.subject);
                write!(page, " {} |", same.next().map(Section::verdict).unwrap_or_default())?;
            }
            writeln!(page)?;
        }
        for report in reports {
            writeln!(page, "\n## As {}\n", report.who)?;
            for section in &report.sections {
                section.write_markdown(&mut page)?;
            }
        }
        std::fmt::Result::Ok(())
    })();
    written.expect("a String can be written to");
    page
}
