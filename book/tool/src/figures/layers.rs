//! `{{#figure NAME}}`: what lies in which layer, before and after a command.

use anyhow::{Result, ensure};
use labkit::language::Language;

use super::escape;
use super::recording::{self, Entry, Kind, Layer, Layers, State};
use super::texts::Texts;

/// All figures of this kind.
pub const NAMES: [&str; 4] = ["layers", "copy-up", "whiteout", "opaque"];

/// The figure called `name`.
///
/// # Errors
/// There is no such figure, or it has no words yet.
pub fn html(name: &str, language: Language) -> Result<String> {
    ensure!(NAMES.contains(&name), "there is no figure {name}; there are: {}", NAMES.join(", "));
    let texts = Texts::read()?;
    let title = escape(texts.title(name, language)?);
    let recording: Layers = recording::read(name)?;
    let drawing = Drawing { texts: &texts, language, paths: paths(&recording) };
    let mut html = format!(
        "<figure class=\"layers\" id=\"figure-{name}\">\n<figcaption>{title}</figcaption>\n"
    );
    let mut before = None;
    for state in &recording.states {
        html += &drawing.state(state, before);
        before = Some(state);
    }
    Ok(html + "</figure>\n")
}

/// The paths of the figure, in their order.
fn paths(recording: &Layers) -> Vec<String> {
    let layers = recording.states.iter().flat_map(|state| &state.layers);
    let mut paths: Vec<String> =
        layers.flat_map(|layer| &layer.entries).map(|entry| entry.path.clone()).collect();
    paths.sort();
    paths.dedup();
    paths
}

struct Drawing<'a> {
    texts: &'a Texts,
    language: Language,
    paths: Vec<String>,
}

impl Drawing<'_> {
    fn label(&self, name: &str) -> String {
        escape(self.texts.label(name, self.language))
    }

    fn state(&self, state: &State, before: Option<&State>) -> String {
        let heading = match &state.command {
            None => self.label("before"),
            Some(command) => format!("<code>/ # {}</code>", escape(command)),
        };
        let mut html = format!(
            "<div class=\"scroll\" tabindex=\"0\" role=\"group\" aria-label=\"{}\"><table>\
             <caption>{heading}</caption>\n<thead><tr><td></td>",
            self.label("layers-table")
        );
        for path in &self.paths {
            html += &format!("<th scope=\"col\"><code>{}</code></th>", escape(path));
        }
        html += "</tr></thead>\n<tbody>\n";
        for (index, layer) in state.layers.iter().enumerate() {
            let name = escape(&layer.name);
            let title = self.label(&layer.name);
            html += &format!("<tr class=\"layer-{name}\"><th scope=\"row\">{title}</th>");
            for path in &self.paths {
                let was = before.and_then(|before| find(&before.layers[index], path));
                let now = find(layer, path);
                let is_new = before.is_some() && now.is_some() && was != now;
                html += &self.cell(now, is_new, self.hidden_by(state, index, path));
            }
            html += "</tr>\n";
        }
        html + "</tbody></table></div>\n"
    }

    /// The layer that decides over a path below it, if there is one above.
    fn hidden_by(&self, state: &State, index: usize, path: &str) -> bool {
        // The first is the merged view, which nothing hides.
        let above = state.layers.iter().take(index).skip(1);
        above.into_iter().any(|layer| {
            let decides = find(layer, path).is_some_and(|entry| entry.kind != Kind::Folder);
            let is_below =
                |it: &&Entry| it.kind == Kind::Opaque && path.starts_with(&format!("{}/", it.path));
            decides || layer.entries.iter().any(|entry| is_below(&entry))
        })
    }

    fn cell(&self, entry: Option<&Entry>, is_new: bool, is_hidden: bool) -> String {
        let Some(entry) = entry else { return "<td></td>".to_owned() };
        let (class, sign) = match entry.kind {
            Kind::File => ("file", ""),
            Kind::Folder => ("folder", ""),
            Kind::Opaque => ("opaque", "⊘ "),
            Kind::Whiteout => ("whiteout", "✕ "),
        };
        let kind = self.label(class);
        let contents = match entry.contents.as_str() {
            "" => String::new(),
            letter => format!(" {letter}"),
        };
        let new = if is_new {
            format!(
                "<span class=\"mark\" role=\"img\" aria-label=\"{}\">+</span> ",
                self.label("made")
            )
        } else {
            String::new()
        };
        let hidden = if is_hidden {
            format!(" <span class=\"note\">{}</span>", self.label("hidden"))
        } else {
            String::new()
        };
        let classes =
            [class, if is_new { "new" } else { "" }, if is_hidden { "covered" } else { "" }];
        let classes = classes.into_iter().filter(|it| !it.is_empty()).collect::<Vec<_>>().join(" ");
        format!(
            "<td><span class=\"entry {classes}\">{new}{sign}{kind}{contents}{hidden}</span></td>"
        )
    }
}

fn find<'a>(layer: &'a Layer, path: &str) -> Option<&'a Entry> {
    layer.entries.iter().find(|entry| entry.path == path)
}
