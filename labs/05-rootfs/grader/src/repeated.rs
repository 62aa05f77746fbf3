//! A layer that is there is left alone.

use std::fs;
use std::path::Path;

use labkit::describe::{Failure, exact, result};
use labkit::host::Host;
use labkit::verdict::{Evidence, Finding, require};

use crate::archive::{Archive, file};
use crate::run::{Due, Place, call, returned_evidence, run};
use crate::{Answers, FUNCTION, UNFORESEEN};

pub fn check(answers: &Answers, host: &Host) -> Result<(), Finding> {
    let place = Place::new(host, "image");
    let archive = Archive::small();
    let first = run(answers, host, &place, &archive, Due::Layer)?;
    first.require(first.is_done(), vec![returned_evidence("Ok", &first.returned)])?;
    let before = exact_lines(&place.layer);

    place.lay(&archive.and(file("new", 0o644, "from another archive")).to_tar());
    let with_another = call(answers, host, &place)?;
    require_untouched("with another archive", &with_another, &before, &place.layer)?;
    fs::remove_file(&place.tar).expect("a file in the scratch folder");
    let without = call(answers, host, &place)?;
    require_untouched("without the archive", &without, &before, &place.layer)
}

fn exact_lines(layer: &Path) -> Vec<String> {
    let text = exact(layer).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

fn require_untouched(
    when: &str,
    returned: &Result<(), Failure>,
    before: &[String],
    layer: &Path,
) -> Result<(), Finding> {
    let after = exact_lines(layer);
    let changed = after.iter().filter(|line| !before.contains(line)).count();
    let gone = before.iter().filter(|line| !after.contains(line)).count();
    let evidence = || {
        let call = format!("{FUNCTION}(tar, layer) once more, {when}");
        let mut all = vec![Evidence::differs(call, "Ok", result(returned))];
        if changed + gone > 0 {
            let what = "entries of the layer that have changed";
            all.push(Evidence::differs(what, 0, changed.max(gone)));
        }
        all
    };
    let diagnosis = || match returned {
        _ if before != after => Some(Finding::new("rootfs/unpacked-again")),
        Err(_) if when == "without the archive" => {
            Some(Finding::new("rootfs/archive-asked-for-again"))
        }
        Err(failure) => {
            let finding = Finding::new("answer/returned-error");
            Some(finding.word("function", FUNCTION).word("error", failure))
        }
        Ok(()) => None,
    };
    require(returned.is_ok() && before == after, evidence, diagnosis, UNFORESEEN)
}
