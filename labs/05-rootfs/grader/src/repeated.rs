//! A layer that is there is left alone.

use std::fs;
use std::path::Path;

use labkit::describe::{exact, result};
use labkit::frame::{Facts, Returned, Rules, Words, error_of, rule};
use labkit::host::Host;
use labkit::verdict::{Evidence, Finding};

use crate::LAB;
use crate::acts::CREATE;
use crate::archive::{Archive, file};
use crate::diagnosis::RULES;
use crate::run::{Due, call, place, returned_evidence, run};

/// A call where the layer is there.
struct Repeated {
    returned: Returned,
    is_without_archive: bool,
    /// Whether the layer is an empty directory.
    is_empty: bool,
    before: Vec<String>,
    after: Vec<String>,
}

impl Facts for Repeated {
    fn words(&self) -> Words {
        error_of(&self.returned)
    }
}

static REPEATED: Rules<Repeated> = Rules {
    lab: LAB,
    function: CREATE.function,
    tables: &[&[
        rule("empty-layer-filled", |it| it.is_empty && it.before != it.after),
        rule("unpacked-again", |it| it.before != it.after),
        rule("archive-asked-for-again", |it| it.returned.is_err() && it.is_without_archive),
        rule("answer/returned-error", |it| it.returned.is_err()),
    ]],
};

pub fn once(host: &Host) -> Result<(), Finding> {
    let place = place(host, "image");
    let archive = Archive::small();
    let first = run(host, &place, &archive, Due::Layer)?;
    first.judge(&RULES, first.is_done(), vec![returned_evidence("Ok", &first.returned)])?;
    let before = exact_lines(&place.layer);
    let repeat = |is_without_archive| {
        let returned = call(host, &place).make()?.returned;
        let after = exact_lines(&place.layer);
        let before = before.clone();
        Repeated { returned, is_without_archive, is_empty: false, before, after }.judge()
    };

    place.lay(&archive.and(file("new", 0o644, "from another archive")).to_tar());
    repeat(false)?;
    // An answer that has deleted it is told so elsewhere.
    let _ = fs::remove_file(&place.tar);
    repeat(true)?;
    empty_layer(host)
}

/// An image can be empty.
fn empty_layer(host: &Host) -> Result<(), Finding> {
    for is_without_archive in [false, true] {
        let place = place(host, &format!("empty-{is_without_archive}"));
        fs::create_dir(&place.layer).expect("the scratch directory");
        if !is_without_archive {
            place.lay(&Archive::small().to_tar());
        }
        let before = exact_lines(&place.layer);
        let returned = call(host, &place).make()?.returned;
        let after = exact_lines(&place.layer);
        Repeated { returned, is_without_archive, is_empty: true, before, after }.judge()?;
    }
    Ok(())
}

fn exact_lines(layer: &Path) -> Vec<String> {
    let text = exact(layer).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

impl Repeated {
    fn judge(&self) -> Result<(), Finding> {
        let changed = self.after.iter().filter(|line| !self.before.contains(line)).count();
        let gone = self.before.iter().filter(|line| !self.after.contains(line)).count();
        let kept = self.returned.is_ok() && self.before == self.after;
        REPEATED.judge(self, kept, || {
            let archive = if self.is_without_archive { "without the" } else { "with another" };
            let call = format!("{}(tar, layer) once more, {archive} archive", CREATE.function);
            let call = if self.is_empty { format!("{call}, where it is empty") } else { call };
            let what = "entries of the layer that have changed";
            vec![
                Evidence::differs(call, "Ok", result(&self.returned)),
                Evidence::differs(what, 0, changed.max(gone)),
            ]
        })
    }
}
