//! `{{#player NAME}}`: the steps of a run, each with its mount tables. Without
//! JavaScript, and printed, it is a list; `theme/player.js` shows one step at
//! a time.

use anyhow::{Context, Result, bail};
use labkit::language::Language;

use super::escape;
use super::recording::{self, Mount, Run, Side, Step};
use super::texts::Texts;

/// The buttons, with their label and sign.
const BUTTONS: [(&str, &str); 4] =
    [("first", "|◀"), ("previous", "◀"), ("next", "▶"), ("last", "▶|")];

/// The figure called `name`.
///
/// # Errors
/// There is no such figure, or it has no words yet.
pub fn html(name: &str, language: Language) -> Result<String> {
    let texts = Texts::read()?;
    let (run, range) = match name {
        "run" => (recording::read::<Run>("run")?, None),
        "pivot" => {
            let range = ("make every mount private", "detach the old root");
            (recording::read::<Run>("run")?, Some(range))
        }
        "workspace" => (recording::read::<Run>("workspace")?, None),
        _ => bail!("there is no player {name}; there are: run, pivot, workspace"),
    };
    let shown = match range {
        None => 0..run.steps.len(),
        Some((first, last)) => {
            let at = |name: &str| run.steps.iter().position(|step| step.step == name);
            at(first).context(first)?..at(last).context(last)? + 1
        }
    };
    let drawing = Drawing { texts: &texts, language, name, run: &run };
    drawing.player(shown)
}

struct Drawing<'a> {
    texts: &'a Texts,
    language: Language,
    name: &'a str,
    run: &'a Run,
}

impl Drawing<'_> {
    fn label(&self, name: &str) -> String {
        escape(self.texts.label(name, self.language))
    }

    fn player(&self, shown: std::ops::Range<usize>) -> Result<String> {
        let title = escape(self.texts.title(self.name, self.language)?);
        let (role, keys) = (self.label("player"), self.label("keys"));
        let mut html = format!(
            "<figure class=\"player\" id=\"player-{}\" role=\"group\" aria-roledescription=\"{role}\" \
             aria-label=\"{title}\">\n<figcaption>{title}</figcaption>\n",
            self.name
        );
        // Of no use without JavaScript, which shows it.
        let (step, of) = (self.label("step"), self.label("of"));
        html += &format!(
            "<div class=\"controls\" data-step=\"{step}\" data-of=\"{of}\" title=\"{keys}\" hidden>"
        );
        for (button, sign) in BUTTONS {
            let label = self.label(button);
            html += &format!(
                "<button type=\"button\" data-go=\"{button}\" aria-label=\"{label}\">{sign}</button>"
            );
        }
        html += &format!("<input type=\"range\" min=\"1\" value=\"1\" aria-label=\"{step}\">");
        html += "<output aria-live=\"polite\"></output></div>\n<ol class=\"steps\">\n";
        for index in shown {
            self.step(index, &mut html)?;
        }
        Ok(html + "</ol>\n</figure>\n")
    }

    fn step(&self, index: usize, html: &mut String) -> Result<()> {
        let step = &self.run.steps[index];
        let (name, why) = self.texts.step(&step.step, self.language)?;
        let side = self.label(side_label(step.side));
        *html += &format!(
            "<li class=\"step\"><p class=\"step-name\"><span class=\"side {}\">{side}</span> {}</p>\
             <p class=\"step-why\">{}</p>\n",
            side_label(step.side),
            escape(name),
            escape(why)
        );
        if !step.calls.is_empty() {
            let calls = escape(&step.calls.join("\n"));
            *html +=
                &format!("<pre class=\"calls\"><code class=\"nohighlight\">{calls}</code></pre>\n");
        }
        *html += "<div class=\"tables\">\n";
        if self.run.steps.iter().any(|step| !step.files.is_empty()) {
            *html += &self.files(index);
        }
        for side in [Side::Parent, Side::Container] {
            if let Some(table) = self.table(side, index) {
                *html += &table;
            }
        }
        *html += "</div></li>\n";
        Ok(())
    }

    /// What one side sees after a step, with what the step has changed.
    fn table(&self, side: Side, index: usize) -> Option<String> {
        let mut told = self.run.steps[..=index].iter().rev().filter(|step| step.side == side);
        let now = told.next()?;
        let acts = self.run.steps[index].side == side;
        // Its table is the container's own, and goes with it.
        let has_ended =
            side == Side::Container && self.run.steps[index].step.starts_with("unmount and delete");
        if has_ended {
            return None;
        }
        let before = if acts { told.next() } else { Some(now) };
        let class = if acts { "table acting" } else { "table" };
        let title = self.label(match side {
            Side::Parent => "host-table",
            Side::Container => "container-table",
        });
        let mut html =
            format!("<div class=\"{class}\"><p class=\"whose\">{title}</p><ul class=\"mounts\">");
        for mount in now.mounts.iter().filter(|mount| mount.parent.is_none()) {
            self.mount(mount, now, before, &mut html);
        }
        let gone = before.map(|before| gone(before, now)).unwrap_or_default();
        for mount in gone {
            self.line(mount, "unmounted", None, &mut html);
            html += "</li>";
        }
        Some(html + "</ul></div>\n")
    }

    fn mount(&self, mount: &Mount, now: &Step, before: Option<&Step>, html: &mut String) {
        let was = before.and_then(|step| step.mounts.iter().find(|it| it.id == mount.id));
        let change = match (before, was) {
            // The first table of a side is no change.
            (None, _) => "same",
            (Some(_), None) => "mounted",
            (Some(_), Some(was)) if was.at != mount.at => "moved",
            (Some(_), Some(was)) if was != mount && was.parent == mount.parent => "changed",
            _ => "same",
        };
        self.line(mount, change, was, html);
        let on_it: Vec<&Mount> =
            now.mounts.iter().filter(|it| it.parent == Some(mount.id)).collect();
        if !on_it.is_empty() {
            *html += "<ul>";
            for mount in on_it {
                self.mount(mount, now, before, html);
            }
            *html += "</ul>";
        }
        *html += "</li>";
    }

    fn line(&self, mount: &Mount, change: &str, was: Option<&Mount>, html: &mut String) {
        let sign = match change {
            "mounted" => "+",
            "unmounted" => "−",
            "moved" => "→",
            "changed" => "~",
            _ => "",
        };
        *html += &format!("<li class=\"mount {change}\"><span class=\"line\">");
        if !sign.is_empty() {
            let label = self.label(change);
            *html +=
                &format!("<span class=\"mark\" role=\"img\" aria-label=\"{label}\">{sign}</span> ");
        }
        *html += &format!("<span class=\"at\">{}</span> ", escape(&mount.at));
        *html += &format!("<span class=\"what\">{}</span>", escape(&mount.what));
        if mount.of_host {
            *html += &format!(" <span class=\"of-host\">{}</span>", self.label("of-host"));
        }
        let changed = |old: &str, new: &str| match change {
            "changed" if old != new => {
                format!("<del>{}</del> <ins>{}</ins>", escape(old), escape(new))
            }
            _ => escape(new),
        };
        let was = was.unwrap_or(mount);
        *html += &format!(
            " <span class=\"options\">{}</span> <span class=\"propagation\">{}</span></span>",
            changed(&was.options, &mount.options),
            changed(&was.propagation, &mount.propagation)
        );
    }

    /// The files of the workspace, with what has come and gone.
    fn files(&self, index: usize) -> String {
        let none = Vec::new();
        let now = &self.run.steps[index].files;
        let before = index.checked_sub(1).map_or(&none, |before| &self.run.steps[before].files);
        let mut all: Vec<&String> = now.iter().chain(before).collect();
        all.sort();
        all.dedup();
        let title = self.label("files");
        let mut html = format!(
            "<div class=\"table acting\"><p class=\"whose\">{title}</p><ul class=\"files\">"
        );
        for name in all {
            let (change, sign) = match (before.contains(name), now.contains(name)) {
                (false, _) => ("mounted", "+"),
                (true, false) => ("unmounted", "−"),
                (true, true) => ("same", ""),
            };
            let label = match change {
                "mounted" => self.label("made"),
                "unmounted" => self.label("gone"),
                _ => String::new(),
            };
            html += &format!("<li class=\"{change}\"><span class=\"line\">");
            if !sign.is_empty() {
                html += &format!(
                    "<span class=\"mark\" role=\"img\" aria-label=\"{label}\">{sign}</span> "
                );
            }
            html += &format!("<span class=\"at\">{}</span></span></li>", escape(name));
        }
        if now.is_empty() && before.is_empty() {
            html += "<li class=\"same\">–</li>";
        }
        html + "</ul></div>\n"
    }
}

fn side_label(side: Side) -> &'static str {
    match side {
        Side::Parent => "parent",
        Side::Container => "container",
    }
}

/// The mounts that a step has taken away.
fn gone<'a>(before: &'a Step, now: &Step) -> Vec<&'a Mount> {
    before.mounts.iter().filter(|was| now.mounts.iter().all(|it| it.id != was.id)).collect()
}
