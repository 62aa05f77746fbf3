//! After the translation: what the directives stand for, in the edition's
//! language.

mod commands;
mod diagnoses;
mod diagram;
mod labs;
mod readme;
mod report;
mod words;

use anyhow::{Context, Result, bail};
use labkit::lab::Lab;
use labkit::language::Language;
use mdbook_driver::book::{Book, BookItem, Chapter};
use mdbook_preprocessor::{Preprocessor, PreprocessorContext};

use crate::{checkout, edition, figures, machine};

/// The step as mdbook calls it.
pub struct Expand;

impl Preprocessor for Expand {
    fn name(&self) -> &str {
        "expand"
    }

    fn run(&self, context: &PreprocessorContext, mut book: Book) -> Result<Book> {
        let language = edition::language(context.config.book.language.as_deref());
        let labs = checkout::labs()?;
        let mut outcome = Ok(());
        book.for_each_mut(|item| {
            let BookItem::Chapter(chapter) = item else { return };
            if let Err(error) = expand(chapter, &labs, language) {
                outcome = Err(error.context(format!("in {}", chapter.name)));
            }
        });
        outcome.map(|()| book)
    }

    // The translators get the directives, not what they stand for.
    fn supports_renderer(&self, renderer: &str) -> Result<bool> {
        Ok(renderer == "html")
    }
}

fn expand(chapter: &mut Chapter, labs: &[Lab], language: Language) -> Result<()> {
    let mut expanded = String::new();
    for line in chapter.content.lines() {
        let comment = line.trim().strip_prefix("<!-- {{#").and_then(|it| it.strip_suffix("}} -->"));
        match comment {
            Some(directive) => {
                let content = content(directive, labs, language);
                expanded += &content.with_context(|| format!("{{{{#{directive}}}}}"))?;
            }
            None if line.trim() == "<!-- i18n:skip -->" => continue,
            None => expanded += line,
        }
        expanded += "\n";
    }
    // Where a report sends its reader: `06-pivot-root.html#CODE`.
    let path = chapter.path.as_ref().map(|path| path.with_extension("html"));
    if let Some(lab) = labs.iter().find(|lab| Some(lab.page.as_ref()) == path.as_deref()) {
        expanded += &diagnoses::appendix(lab, language);
    }
    chapter.content =
        if machine::is_built() { machine::mark_sessions(&expanded)? } else { expanded };
    Ok(())
}

fn content(directive: &str, labs: &[Lab], language: Language) -> Result<String> {
    let words: Vec<&str> = directive.split_whitespace().collect();
    let lab = |folder: &str| {
        let found = labs.iter().find(|lab| lab.folder() == folder);
        found.with_context(|| format!("there is no labs/{folder}"))
    };
    match words[..] {
        ["tasks", folder] => labs::tasks(lab(folder)?, language),
        ["promises", folder] => Ok(labs::promises(lab(folder)?, language)),
        ["diagnoses"] => Ok(diagnoses::all(labs, language)),
        ["commands", program] => commands::help(program, language),
        ["diagram", name] => diagram::text(name, language),
        ["readme", path] => readme::part(path, language),
        ["report", folder, mistake] => report::report(lab(folder)?, mistake, language),
        ["player", name] => figures::player::html(name, language),
        ["figure", name] => figures::layers::html(name, language),
        ["experiment"] => Ok(machine::experiment()),
        _ => bail!("this is not how the directive is written: see book/README.md"),
    }
}
