//! One call of the answer, and all that was seen of it.

use std::fs;
use std::path::{Path, PathBuf};

use labkit::describe::Failure;
use labkit::host::Host;
use labkit::verdict::{Evidence, Finding, require};
use nix::sched::CloneFlags;
use nix::sys::stat::{Mode, umask};

use crate::archive::Archive;
use crate::diagnosis::diagnose;
use crate::listing::{Difference, Listing, differences, expected, on_disk};
use crate::outside::{Changes, Outside};
use crate::{Answers, FUNCTION, UNFORESEEN};

/// The umask of each call: what follows it is told apart from what has the
/// default mode, and from what the archive says.
pub const UMASK: u32 = 0o027;

/// Where an archive lies and its layer goes: a folder of its own.
pub struct Place {
    pub tar: PathBuf,
    pub layer: PathBuf,
}

/// What must come of a call.
pub enum Due {
    /// The layer, as the archive has it.
    Layer,
    /// An error: this entry must not be made, or cannot.
    Refusal {
        /// Its last name.
        entry: &'static str,
        /// The diagnosis for whatever comes of it outside of the layer.
        harm: &'static str,
    },
    /// An error or a layer, and nothing that is outside of it.
    NoHarm {
        /// As above.
        harm: &'static str,
    },
}

/// One call.
pub struct Run {
    pub due: Due,
    pub returned: Result<(), Failure>,
    /// What the archive says that the layer is.
    pub expected: Listing,
    /// What it is, if it is there.
    pub layer: Option<Listing>,
    /// How it differs, if it is due and there.
    pub differences: Vec<Difference>,
    pub outside: Changes,
}

impl Place {
    /// In a new folder of the host.
    pub fn new(host: &Host, name: &str) -> Place {
        let folder = host.path(name);
        fs::create_dir(&folder).expect("a folder in the scratch folder");
        Place::within(&folder)
    }

    /// In a folder that is there.
    pub fn within(folder: &Path) -> Place {
        Place { tar: folder.join("image.tar"), layer: folder.join("read-only-layer") }
    }

    /// Lays an archive there.
    pub fn lay(&self, archive: &[u8]) {
        fs::write(&self.tar, archive).expect("a file in the scratch folder");
    }
}

/// Calls the function in the process that is the answer's.
pub fn call_here(answers: &Answers, place: &Place) -> Result<(), Failure> {
    umask(Mode::from_bits_truncate(UMASK));
    (answers.create_read_only_layer)(&place.tar, &place.layer).map_err(Failure::from)
}

/// Calls the function and returns what it returned.
pub fn call(answers: &Answers, host: &Host, place: &Place) -> Result<Result<(), Failure>, Finding> {
    let seen = host.call(FUNCTION, CloneFlags::empty(), || call_here(answers, place))?;
    Ok(seen.returned)
}

/// Lays `archive` at `place`, calls the function and looks at everything.
pub fn run(
    answers: &Answers,
    host: &Host,
    place: &Place,
    archive: &Archive,
    due: Due,
) -> Result<Run, Finding> {
    place.lay(&archive.to_tar());
    let before = Outside::of(host, &place.layer);
    let returned = call(answers, host, place)?;
    let outside = before.changes(&Outside::of(host, &place.layer));
    let layer = on_disk(&place.layer);
    let expected = expected(archive);
    let differences = match &layer {
        Some(layer) if matches!(due, Due::Layer) => differences(&expected, layer),
        _ => Vec::new(),
    };
    Ok(Run { due, returned, expected, layer, differences, outside })
}

impl Run {
    /// Whether the layer is there and the function says so.
    pub fn is_done(&self) -> bool {
        self.returned.is_ok() && self.layer.is_some()
    }

    /// Says that a promise is kept, or else what is wrong.
    pub fn require(&self, kept: bool, evidence: Vec<Evidence>) -> Result<(), Finding> {
        require(kept, || evidence, || diagnose(self), UNFORESEEN)
    }
}

/// What the function returned, as evidence.
pub fn returned_evidence(expected: &str, returned: &Result<(), Failure>) -> Evidence {
    let seen = labkit::describe::result(returned);
    Evidence::differs(format!("{FUNCTION}(tar, layer)"), expected, seen)
}
