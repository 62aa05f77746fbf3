//! All archives: what each is called, what is in it, what must come of it.

mod attributes;
mod kinds;
mod links;
mod names;
mod places;
mod streams;
mod whiteouts;

use std::path::Path;

pub use Expected::{AsGnuTar, AsUmoci, AsUmociWithout, Refused};

use super::items::{Item, tar};

/// What must come of an import.
#[derive(Debug, Clone, Copy)]
pub enum Expected {
    /// The files that GNU tar makes of the archive.
    AsGnuTar,
    /// The files that umoci makes of an image with these layers.
    AsUmoci,
    /// The same, but for this path: what lies there is left out.
    AsUmociWithout(&'static str),
    /// An error with this text in it: the entry's name, as it is printed.
    Refused(&'static str),
}

/// One image to be imported.
#[derive(Debug)]
pub struct Case {
    /// What is hostile in it.
    pub name: &'static str,
    /// The archives of its layers, the bottom one first; the path given is
    /// that of a folder that nobody may touch.
    pub layers: fn(&Path) -> Vec<Vec<u8>>,
    /// What must come of it.
    pub expected: Expected,
    /// More arguments for `mydocker image import`.
    pub arguments: &'static [&'static str],
}

/// All of them.
pub fn all() -> Vec<Case> {
    let subjects: [fn() -> Vec<Case>; 7] = [
        names::cases,
        links::cases,
        places::cases,
        kinds::cases,
        attributes::cases,
        whiteouts::cases,
        streams::cases,
    ];
    subjects.iter().flat_map(|cases| cases()).collect()
}

fn case(name: &'static str, expected: Expected, layers: fn(&Path) -> Vec<Vec<u8>>) -> Case {
    Case { name, layers, expected, arguments: &[] }
}

/// An image of one layer with these entries.
fn one<const N: usize>(items: [Item; N]) -> Vec<Vec<u8>> {
    vec![tar(&items)]
}
