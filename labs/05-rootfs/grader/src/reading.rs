//! An archive that cannot be read to its end: a bad block of a disk, a server that is gone.

use std::cell::Cell;
use std::fs;
use std::rc::Rc;

use labkit::calls::READ;
use labkit::describe::Failure;
use labkit::failing;
use labkit::host::Host;
use labkit::verdict::{Evidence, Finding};
use nix::errno::Errno;

use crate::archive::{Archive, file, folder, symlink};
use crate::failing::{Failed, failing_calls};
use crate::run::{Due, place, run, run_where};

/// Every call that makes the layer fails in turn, and so does every read of the archive.
pub fn calls_and_reads(host: &Host) -> Result<(), Finding> {
    failing_calls(host)?;
    failing_reads(host)
}

/// Each read of the archive fails in turn, in the midst of a file, between two entries, and
/// at the end.
fn failing_reads(host: &Host) -> Result<(), Finding> {
    let archive = Archive::new([
        folder("./", 0o755),
        file("program", 0o755, [b'x'; 20_000]),
        symlink("link", "program"),
        file("last", 0o644, [b'y'; 600]),
    ]);
    let undisturbed = run(host, &place(host, "all-read"), &archive, Due::Layer)?;
    failing::each(|nth| {
        let place = place(host, &format!("not-all-read-{nth}"));
        let made = Rc::new(Cell::new(0));
        let run = run_where(host, &place, &archive, Due::Layer, |call| {
            let (made, tar) = (made.clone(), place.tar.clone());
            call.deciding(&[READ], move |asked| {
                let descriptor = format!("/proc/{}/fd/{}", asked.pid(), asked.argument(0));
                let is_read = fs::read_link(descriptor).is_ok_and(|open| open == tar);
                made.set(made.get() + usize::from(is_read));
                (is_read && made.get() == nth).then_some(Errno::EIO)
            })
        })?;
        if made.get() < nth {
            return Ok(false);
        }
        let what = format!("read(2) of the archive, number {nth}");
        let what = Evidence::differs(what, "Ok", Failure::from(Errno::EIO));
        let failed = Failed::of(Some(READ.0), run.without(&undisturbed.differences));
        failed.judge(host, &place, what).map(|()| true)
    })
}
