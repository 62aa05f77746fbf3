//! Which entry an error is about that comes when an entry gets its attributes.

use std::cell::Cell;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::rc::Rc;

use labkit::deciding::Asked;
use labkit::describe::Failure;
use labkit::host::Host;
use labkit::verdict::{Evidence, Finding};
use nix::errno::Errno;

use crate::archive::{Archive, Entry, file, folder, symlink};
use crate::diagnosis::RULES;
use crate::failing::{CHMOD, CHOWN, UTIMENSAT};
use crate::run::{Due, Trick, place, returned_evidence, run_where};

/// The name of the entry: nothing else is called so.
const NAME: &str = "of-another";

/// The owner, the mode and the time of an entry of each kind cannot be set: the first call
/// that would set it, for this file and no other, fails. If the kernel cannot do it, or
/// the answer makes no such call, nothing is said.
pub fn attributes_name_their_entry(host: &Host) -> Result<(), Finding> {
    for (kind, entry) in [
        ("file", file(NAME, 0o640, "x")),
        ("directory", folder(format!("{NAME}/"), 0o750)),
        ("link", symlink(NAME, "/nothing/is/here")),
    ] {
        // Who owns it already needs no chown(2); and nobody else can be its owner everywhere.
        for (calls, owner) in [(CHOWN, 1), (CHMOD, 0), (UTIMENSAT, 0)] {
            let entry = Entry { owner: (owner, owner), ..entry.clone() };
            let archive = Archive::new([folder("./", 0o755), entry]);
            let place = place(host, &format!("{kind}-without-{}", calls.0));
            let due = Due::Refusal { entry: NAME.to_owned(), trick: Trick::Attribute };
            let has_failed = Rc::new(Cell::new(false));
            let run = run_where(host, &place, &archive, due, |call| {
                let has_failed = has_failed.clone();
                call.deciding(&[calls], move |asked| {
                    let fails = !has_failed.get() && is_about_the_entry(asked);
                    has_failed.set(has_failed.get() || fails);
                    fails.then_some(Errno::EIO)
                })
            })?;
            // Whether it is told at all is another promise's to say.
            let told = run.returned.as_ref().err().filter(|_| has_failed.get());
            let kept = told.is_none_or(|failure| failure.text.contains(NAME));
            let what = format!("{}(2)", calls.0);
            let failed = Evidence::differs(what, "Ok", Failure::from(Errno::EIO));
            let expected = format!("an error that names {NAME}");
            let returned = returned_evidence(&expected, &run.returned);
            run.judge(&RULES, kept, vec![archive.evidence(), failed, returned])?;
        }
    }
    Ok(())
}

/// Whether the file that a call is about is called so: by its path, which is the first
/// argument or comes after a directory, or by a descriptor.
fn is_about_the_entry(asked: &Asked) -> bool {
    let is_it = |path: &Path| path.file_name() == Some(OsStr::new(NAME));
    let descriptor = format!("/proc/{}/fd/{}", asked.pid(), asked.argument(0) as i32);
    let paths = [0, 1].map(|nth| asked.text(nth)).into_iter().flatten();
    paths.into_iter().any(|path| is_it(Path::new(OsStr::from_bytes(&path))))
        || fs::read_link(descriptor).is_ok_and(|path| is_it(&path))
}
