//! Devices that are no whiteouts, though one of their numbers is 0, or both are: only the
//! machine's root can make them.

use std::fs::Metadata;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use labkit::describe::{result, tree};
use labkit::frame::{Facts, Returned, Rules, Words, error_of, rule};
use labkit::host::Host;
use labkit::verdict::{Evidence, Finding};
use nix::sys::stat::{Mode, SFlag, makedev, mknod};

use crate::LAB;
use crate::acts::WHITEOUTS_TO_AUFS;
use crate::layer::directories;
use crate::whiteouts_to_aufs::{is_mark, is_odd_mark, rewrite, whiteout};

/// Its name, what it is, and its numbers.
type Device = (&'static str, SFlag, u64, u64);

const DEVICES: [Device; 6] = [
    ("char-1-3", SFlag::S_IFCHR, 1, 3),
    ("char-0-1", SFlag::S_IFCHR, 0, 1),
    ("char-1-0", SFlag::S_IFCHR, 1, 0),
    ("block-0-0", SFlag::S_IFBLK, 0, 0),
    ("block-0-1", SFlag::S_IFBLK, 0, 1),
    ("block-7-0", SFlag::S_IFBLK, 7, 0),
];

/// What has no number, which is 0 then.
const FIFO: &str = "fifo";

/// What the whiteout must become.
const MARK: &str = ".wh.old";

/// A layer with all of them in it, and with a whiteout.
struct Told {
    returned: Returned,
    layer: PathBuf,
}

impl Facts for Told {
    fn words(&self) -> Words {
        let mut words = error_of(&self.returned);
        words.push(("name", MARK.to_owned()));
        words
    }
}

impl Told {
    fn stays(&self, (name, kind, major, minor): &Device) -> bool {
        let is_it = |data: Metadata| {
            let is_block = data.file_type().is_block_device();
            let is_char = data.file_type().is_char_device();
            data.rdev() == makedev(*major, *minor)
                && if *kind == SFlag::S_IFBLK { is_block } else { is_char }
        };
        self.layer.join(name).symlink_metadata().is_ok_and(is_it)
            && !is_mark(&self.layer.join(format!(".wh.{name}")))
    }

    fn has_fifo(&self) -> bool {
        self.layer.join(FIFO).symlink_metadata().is_ok_and(|data| data.file_type().is_fifo())
    }

    fn all_stay(&self) -> bool {
        DEVICES.iter().all(|device| self.stays(device))
    }

    fn is_rewritten(&self) -> bool {
        is_mark(&self.layer.join(MARK)) && self.layer.join("old").symlink_metadata().is_err()
    }
}

static RULES: Rules<Told> = Rules {
    lab: LAB,
    function: WHITEOUTS_TO_AUFS.function,
    tables: &[&[
        rule("fifo-taken-for-a-whiteout", |it| !it.has_fifo()),
        rule("device-taken-for-a-whiteout", |it| !it.all_stay()),
        rule("answer/returned-error", |it| it.returned.is_err()),
        rule("whiteout-left-as-a-device", |it| it.layer.join("old").symlink_metadata().is_ok()),
        rule("mark-not-empty", |it| is_odd_mark(&it.layer.join(MARK))),
        rule("whiteout-dropped", |it| !it.is_rewritten()),
    ]],
};

pub fn root_tells_devices_apart(host: &Host) -> Result<(), Finding> {
    let layer = host.path("devices");
    directories(&layer, [""]);
    for (name, kind, major, minor) in DEVICES {
        make(&layer.join(name), kind, makedev(major, minor));
    }
    make(&layer.join(FIFO), SFlag::S_IFIFO, 0);
    whiteout(&layer.join("old"));
    let [returned] = rewrite(host, [&layer], false)?;
    let it = Told { returned, layer };
    let kept = it.returned.is_ok() && it.has_fifo() && it.all_stay() && it.is_rewritten();
    RULES.judge(&it, kept, || {
        let call = "whiteouts_to_aufs(layer, user_xattr: false)";
        let drawing = tree(&it.layer).unwrap_or_default();
        vec![
            Evidence::differs(call, "Ok", result(&it.returned)),
            Evidence::Tree { what: "the layer afterwards".to_owned(), drawing },
        ]
    })
}

fn make(path: &Path, kind: SFlag, device: u64) {
    mknod(path, kind, Mode::empty(), device).expect("root may make devices");
}
