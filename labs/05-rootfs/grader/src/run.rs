//! One call of the answer, and all that was seen of it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use labkit::call::Call;
use labkit::describe::result;
use labkit::failing::Failed;
use labkit::frame::{Returned, Rules};
use labkit::host::Host;
use labkit::verdict::{Evidence, Finding};
use nix::sys::stat::{Mode, umask};

use crate::acts::{CREATE, Place};
use crate::archive::{Archive, Entry};
use crate::listing::{Difference, Listing, differences, expected, on_disk};
use crate::outside::{Changes, Outside, shown};

/// The umask of each call: what follows it is told apart from what has the
/// default mode, and from what the archive says.
pub const UMASK: u32 = 0o027;

/// What must come of a call.
#[derive(Debug, Clone)]
pub enum Due {
    /// The layer, as the archive has it.
    Layer,
    /// An error: this entry must not be made, or cannot.
    Refusal {
        /// The end of its name.
        entry: String,
        /// By which way it would be made.
        trick: Trick,
    },
    /// An error or a layer, and nothing that is outside of it.
    NoHarm(Trick),
}

/// How an archive leads outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trick {
    /// `..` in a name.
    DotDot,
    /// A name that begins with a slash.
    AbsoluteName,
    /// A name that leads through a symbolic link that came before it.
    PlantedSymlink,
    /// A file of the name of a symbolic link.
    FileOverSymlink,
    /// The layer itself is no directory.
    LayerItself,
    /// A hard link to a file outside.
    HardLink,
    /// A device, where nobody may make one.
    Device,
    /// It is of a type that nobody is asked to unpack.
    UnknownType,
    /// None: a call that gives it an attribute fails.
    Attribute,
    /// None: its owner has a number that no file can have.
    Owner,
}

/// One call.
#[derive(Debug)]
pub struct Run {
    pub due: Due,
    /// What was made to fail.
    pub failed: Option<Failed>,
    pub returned: Returned,
    /// What the archive says that the layer is.
    pub expected: Listing,
    /// The entries of its hard links. What these say of a file besides is nobody's
    /// business.
    pub links: Vec<Entry>,
    /// What it is, if it is there.
    pub layer: Option<Listing>,
    /// How it differs, if it is due and there.
    pub differences: Vec<Difference>,
    pub outside: Changes,
    /// What is open afterwards.
    pub open: Vec<PathBuf>,
}

/// A new directory of the host, and where in it the archive lies. Somebody is about to
/// unpack other archives there.
pub fn place(host: &Host, name: &str) -> Place {
    let directory = host.path(name);
    for other in OTHERS {
        fs::create_dir_all(directory.join(other)).expect("the scratch directory");
    }
    within(&directory)
}

/// The unfinished layers of others, as many call them.
const OTHERS: [&str; 2] = ["busybox.unfinished/etc", "busybox.tmp"];

/// The same in a directory that is there.
pub fn within(directory: &Path) -> Place {
    Place { tar: directory.join("image.tar"), layer: directory.join("read-only-layer") }
}

impl Place {
    /// Lays an archive there.
    pub fn lay(&self, archive: &[u8]) {
        fs::write(&self.tar, archive).expect("a file in the scratch directory");
    }
}

/// Sets the umask that the answer begins with.
pub fn set_umask() -> io::Result<()> {
    umask(Mode::from_bits_truncate(UMASK));
    Ok(())
}

/// The call of the function.
pub fn call<'h>(host: &'h Host, place: &Place) -> Call<'h, Place, Returned> {
    host.act(&CREATE, place.clone()).after(set_umask)
}

/// Lays `archive` at `place`, calls the function and looks at everything.
pub fn run(host: &Host, place: &Place, archive: &Archive, due: Due) -> Result<Run, Finding> {
    run_where(host, place, archive, due, |call| call)
}

/// The same with a call to which `so` has added circumstances.
pub fn run_where(
    host: &Host,
    place: &Place,
    archive: &Archive,
    due: Due,
    so: impl FnOnce(Call<'_, Place, Returned>) -> Call<'_, Place, Returned>,
) -> Result<Run, Finding> {
    place.lay(&archive.to_tar());
    let before = Outside::of(host, &place.layer);
    let seen = so(call(host, place)).make()?;
    let outside = before.changes(&Outside::of(host, &place.layer));
    let layer = on_disk(&place.layer);
    let (expected, links) = (expected(archive), archive.hard_links());
    let differences = match &layer {
        Some(layer) if matches!(due, Due::Layer) => differences(&expected, layer),
        _ => Vec::new(),
    };
    let open = seen.process.descriptors.into_values().collect();
    let (failed, returned) = (seen.failed, seen.returned);
    Ok(Run { due, failed, returned, expected, links, layer, differences, outside, open })
}

impl Run {
    /// Whether the layer is there and the function says so.
    pub fn is_done(&self) -> bool {
        self.returned.is_ok() && self.layer.is_some()
    }

    /// The same without the differences that are known from another call, and say nothing
    /// of this one.
    pub fn without(mut self, known: &[Difference]) -> Run {
        let is_same =
            |it: &Difference, that: &Difference| (&that.name, that.aspect) == (&it.name, it.aspect);
        self.differences.retain(|it| !known.iter().any(|that| is_same(it, that)));
        self
    }

    /// What it has left open, as evidence.
    pub fn open_evidence(&self) -> Evidence {
        Evidence::differs("/proc/PID/fd above 2, after the call", "", shown(&self.open))
    }

    /// Says that a promise is kept, or else what is wrong.
    pub fn judge(
        &self,
        rules: &Rules<Run>,
        kept: bool,
        evidence: Vec<Evidence>,
    ) -> Result<(), Finding> {
        rules.judge(self, kept, || evidence)
    }
}

/// What the function returned, as evidence.
pub fn returned_evidence(expected: &str, returned: &Returned) -> Evidence {
    Evidence::differs(format!("{}(tar, layer)", CREATE.function), expected, result(returned))
}
