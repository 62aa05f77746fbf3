//! Archives that are cut off, are none, or are not there.

use labkit::describe::Failure;
use labkit::host::Host;
use labkit::verdict::{Evidence, Finding, require};

use crate::archive::Archive;
use crate::listing::{Listing, on_disk};
use crate::outside::{Changes, Outside};
use crate::run::{Place, call, returned_evidence};
use crate::{Answers, FUNCTION, UNFORESEEN};

struct Damaged {
    returned: Result<(), Failure>,
    layer: Option<Listing>,
    outside: Changes,
    /// The layer after a second call, with a whole archive.
    second: Option<Listing>,
}

pub fn check(answers: &Answers, host: &Host) -> Result<(), Finding> {
    let whole = Archive::small().to_tar();
    let cut_off = &whole[..100_000];
    let no_archive = b"<html><title>404 Not Found</title></html>";
    try_one(answers, host, "cut-off", Some(cut_off))?;
    try_one(answers, host, "no-archive", Some(no_archive))?;
    try_one(answers, host, "not-there", None)
}

fn try_one(
    answers: &Answers,
    host: &Host,
    name: &str,
    archive: Option<&[u8]>,
) -> Result<(), Finding> {
    let place = Place::new(host, name);
    archive.into_iter().for_each(|archive| place.lay(archive));
    let before = Outside::of(host, &place.layer);
    let returned = call(answers, host, &place)?;
    let outside = before.changes(&Outside::of(host, &place.layer));
    let layer = on_disk(&place.layer);
    if returned.is_err() && layer.is_none() && outside.new.is_empty() {
        return Ok(());
    }
    place.lay(&Archive::small().to_tar());
    // Whatever it says: the layer shows what came of it.
    let _ = call(answers, host, &place)?;
    let second = on_disk(&place.layer);
    let damaged = Damaged { returned, layer, outside, second };
    require(false, || damaged.evidence(name), || damaged.diagnose(), UNFORESEEN)
}

impl Damaged {
    fn diagnose(&self) -> Option<Finding> {
        let code = match (&self.returned, &self.layer) {
            (Ok(()), None) => {
                return Some(Finding::new("answer/did-nothing").word("function", FUNCTION));
            }
            (Ok(()), Some(_)) => "rootfs/cut-archive-taken-for-whole",
            (Err(_), None) => "rootfs/left-over-stays",
            (Err(_), layer) if *layer == self.second => "rootfs/half-taken-for-whole",
            (Err(_), Some(_)) => "rootfs/unpacked-in-place",
        };
        Some(Finding::new(code))
    }

    /// What is there that was not there before.
    fn left(&self) -> String {
        let names = self.outside.new.iter().map(|path| path.display().to_string());
        names.collect::<Vec<_>>().join(", ")
    }

    fn evidence(&self, name: &str) -> Vec<Evidence> {
        let what = name.replace('-', " ");
        let mut all = vec![
            Evidence::differs("the archive", "whole", what),
            returned_evidence("an error", &self.returned),
        ];
        if let Some(layer) = &self.layer {
            let seen = format!("a folder with {} entries", layer.len() - 1);
            all.push(Evidence::differs("layer, after that", "nothing", seen));
        }
        if !self.outside.new.is_empty() {
            all.push(Evidence::differs("new beside the layer", "nothing", self.left()));
        }
        all
    }
}
