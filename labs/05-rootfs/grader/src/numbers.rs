//! Owners whose numbers no file can have: an archive has room for larger ones than chown(2)
//! takes.

use std::path::Path;

use labkit::frame::Words;
use labkit::host::Host;
use labkit::verdict::Finding;

use crate::archive::{Archive, Entry, Owner, file, folder, symlink};
use crate::diagnosis::RULES;
use crate::listing::{Aspect, Listing};
use crate::run::{Due, Run, Trick, place, returned_evidence, run};

/// The name of the entry. Nothing else has it.
const NAME: &str = "of-nobody";

/// The first number that needs more than 32 bits: a cast turns it into root's. And the
/// largest of 32 bits: to chown(2) it is -1, which changes nothing.
const NUMBERS: [u64; 2] = [1 << 32, u32::MAX as u64];

/// A user or a group with such a number is an attribute that cannot be set. It is tried on
/// an entry of each kind.
pub fn owners_too_large(host: &Host) -> Result<(), Finding> {
    if !gives_owners(host)? {
        return Ok(());
    }
    for (kind, entry) in [
        ("file", file(NAME, 0o640, "x")),
        ("directory", folder(format!("{NAME}/"), 0o750)),
        ("link", symlink(NAME, "/nothing/is/here")),
    ] {
        for number in NUMBERS {
            refused(host, &format!("{kind}-user-{number}"), &entry, (number, 0))?;
            refused(host, &format!("{kind}-group-{number}"), &entry, (0, number))?;
        }
    }
    Ok(())
}

/// Whether a file gets its owner, or an error says that it cannot: an ordinary user's sandbox
/// has no owner but root. If neither happens, another promise is about that.
fn gives_owners(host: &Host) -> Result<bool, Finding> {
    let of_another = Entry { owner: (1, 1), ..file("of-another", 0o640, "x") };
    let archive = Archive::new([folder("./", 0o755), of_another]);
    let run = run(host, &place(host, "owned"), &archive, Due::Layer)?;
    let is_another = run.differences.iter().any(|it| it.aspect == Aspect::Owner);
    Ok(run.returned.is_err() || !is_another)
}

fn refused(host: &Host, at: &str, entry: &Entry, owner: Owner) -> Result<(), Finding> {
    let entry = Entry { owner, ..entry.clone() };
    let archive = Archive::new([folder("./", 0o755), entry]);
    let due = Due::Refusal { entry: NAME.to_owned(), trick: Trick::Owner };
    let run = run(host, &place(host, at), &archive, due)?;
    let kept = run.returned.as_ref().is_err_and(|failure| failure.text.contains(NAME));
    let returned = returned_evidence(&format!("an error that names {NAME}"), &run.returned);
    run.judge(&RULES, kept, vec![archive.evidence(), returned])
}

impl Run {
    /// Who owns an entry in the archive, and who owns it in the layer.
    pub fn owners(&self, entry: &Path) -> Words {
        let owner = |listing: &Listing| listing.get(entry).map(|node| node.owner);
        let owners = [Some(&self.expected), self.layer.as_ref()].map(|it| it.and_then(owner));
        let words = ["owner", "is"].into_iter().zip(owners);
        words.filter_map(|(word, owner)| owner.map(|(u, g)| (word, format!("{u}:{g}")))).collect()
    }
}
