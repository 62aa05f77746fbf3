//! What is not as in the archive, in words.

use mydocker_kernel::privileges::Privileges;

use super::layer::Unpacked;
use super::tar::End;
use super::tree::LeftOut;

/// Counts over all layers.
#[derive(Default)]
pub struct Notes {
    unmarked: u64,
    left_out: LeftOut,
}

impl Notes {
    /// Adds those of one layer.
    pub fn add(&mut self, layer: &Unpacked) {
        self.unmarked += u64::from(layer.end == End::Unmarked);
        let (sum, more) = (&mut self.left_out, &layer.left_out);
        sum.devices += more.devices;
        sum.whiteouts += more.whiteouts;
        sum.owners += more.owners;
        sum.xattrs += more.xattrs;
        sum.unknown_xattrs += more.unknown_xattrs;
        sum.overlay_xattrs += more.overlay_xattrs;
    }

    /// A sentence for each count that is not 0.
    pub fn sentences(&self) -> Vec<String> {
        let left_out = &self.left_out;
        let owners = match Privileges::current() {
            Privileges::User => "of other users than root: yours, and so root's in the container",
            _ => "with another owner: this user namespace cannot give away to theirs",
        };
        [
            (
                self.unmarked,
                "archive",
                "without an end mark: if it was cut off, the rest is lacking",
            ),
            (left_out.devices, "device", "left out: this process may not make devices"),
            (left_out.whiteouts, "device", "0:0 left out: overlay takes it for a deletion"),
            (left_out.xattrs, "extended attribute", "left out: this process may not set it"),
            (left_out.unknown_xattrs, "extended attribute", "left out: not of this file system's"),
            (left_out.overlay_xattrs, "extended attribute", "left out: overlay would follow it"),
            (left_out.owners, "file", owners),
        ]
        .into_iter()
        .filter(|(count, ..)| *count > 0)
        .map(|(count, what, why)| format!("{} {why}", counted(count, what)))
        .collect()
    }
}

/// What of a write layer is not in the new image, a sentence each.
pub fn of_commit(left_out: LeftOut, sockets: u64) -> Vec<String> {
    let mut sentences = Notes { unmarked: 0, left_out }.sentences();
    sentences.extend(without(sockets, "socket", "left out: it is nothing without its process"));
    sentences
}

/// What of an image is not in its archive, a sentence each.
pub fn of_export(sockets: u64, marks: u64, xattrs: u64) -> Vec<String> {
    let marks_why = "left out: in an archive, a name with .wh. before it is a deletion";
    let xattrs_why = "left out: no archive can hold a name with = in it";
    [
        without(sockets, "socket", "left out: no archive can hold one"),
        without(marks, "file", marks_why),
        without(xattrs, "extended attribute", xattrs_why),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn without(count: u64, what: &str, why: &str) -> Option<String> {
    (count > 0).then(|| format!("{} {why}", counted(count, what)))
}

/// A sentence on leftovers that cannot be deleted, if there are any.
pub fn on_leftovers(count: usize) -> Option<String> {
    let leftovers = counted(count as u64, "leftover");
    (count > 0).then(|| {
        format!("{leftovers} of an import or a removal cannot be deleted: mydocker prune says why")
    })
}

fn counted(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
