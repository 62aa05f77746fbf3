//! Calls that cannot succeed: archives that are cut off, are none, or are not
//! there, and calls to the kernel that fail.

use labkit::calls::{Calls, MKDIR, READ, RENAME, SYMLINK};
use labkit::describe::Failure;
use labkit::failing;
use labkit::frame::{Facts, Returned, Rules, Words, rule};
use labkit::host::Host;
use labkit::verdict::{Evidence, Finding};
use nix::errno::Errno;
use nix::libc;

use crate::LAB;
use crate::acts::{CREATE, Place};
use crate::archive::{Archive, Entry, file, folder, hard_link, symlink};
use crate::diagnosis::RULES;
use crate::listing::{Aspect, Difference, Listing, differences, on_disk};
use crate::outside::{Changes, Outside, shown};
use crate::run::{Due, Run, call, place, returned_evidence, run, run_where};

pub struct Failed {
    /// What fails, if that is a call to the kernel; else it is the archive.
    refused: Option<&'static str>,
    returned: Returned,
    layer: Option<Listing>,
    /// How that differs from the layer of a call that does not fail.
    differences: Vec<Difference>,
    outside: Changes,
    /// The layer after a second call, with a whole archive.
    second: Option<Listing>,
}

impl Facts for Failed {
    fn words(&self) -> Words {
        vec![
            ("call", self.refused.unwrap_or_default().to_owned()),
            ("left", shown(&self.outside.new)),
            ("gone", shown(&self.outside.gone)),
        ]
    }
}

static FAILED: Rules<Failed> = Rules {
    lab: LAB,
    function: CREATE.function,
    tables: &[&[
        rule("neighbours-deleted", |it| !it.outside.gone.is_empty()),
        rule("cut-archive-taken-for-whole", |it| {
            it.refused == Some(READ.0) && it.returned.is_ok() && it.layer.is_some()
        }),
        rule("entry-skipped", |it| {
            it.refused.is_some()
                && it.returned.is_ok()
                && it.differences.iter().any(|it| it.aspect == Aspect::Missing)
        }),
        rule("error-ignored", |it| it.refused.is_some() && it.returned.is_ok()),
        rule("answer/did-nothing", |it| it.returned.is_ok() && it.layer.is_none()),
        rule("cut-archive-taken-for-whole", |it| it.returned.is_ok()),
        rule("left-over-stays", |it| it.layer.is_none()),
        rule("half-taken-for-whole", |it| it.layer == it.second),
        rule("unpacked-in-place", |it| it.layer.is_some()),
    ]],
};

impl Failed {
    /// What came of a run in which this call was refused, if one was.
    pub fn of(refused: Option<&'static str>, run: Run) -> Failed {
        let Run { returned, layer, differences, outside, .. } = run;
        Failed { refused, returned, layer, differences, outside, second: None }
    }

    fn leaves_nothing(&self) -> bool {
        self.returned.is_err()
            && self.layer.is_none()
            && self.outside.new.is_empty()
            && self.outside.gone.is_empty()
    }

    /// Whether what has failed was not needed.
    fn is_done(&self) -> bool {
        self.refused.is_some()
            && self.returned.is_ok()
            && self.layer.is_some()
            && self.differences.is_empty()
            && self.outside.new.is_empty()
            && self.outside.gone.is_empty()
    }

    /// The promise that it has failed, and left nothing; or that it is done all the same.
    ///
    /// # Errors
    /// It is not kept.
    pub fn judge(mut self, host: &Host, place: &Place, what: Evidence) -> Result<(), Finding> {
        if self.leaves_nothing() || self.is_done() {
            return Ok(());
        }
        place.lay(&Archive::small().to_tar());
        // Whatever it says: the layer shows what came of it.
        call(host, place).make()?;
        self.second = on_disk(&place.layer);
        FAILED.judge(&self, false, || {
            let mut all = vec![what, returned_evidence("an error", &self.returned)];
            if let Some(layer) = &self.layer {
                let seen = format!("a directory with {} entries", layer.len().saturating_sub(1));
                all.push(Evidence::differs("layer, after that", "nothing", seen));
            }
            if self.returned.is_ok() && self.layer.is_none() {
                all.push(Evidence::differs("layer, after that", "there, as Ok says", "nothing"));
            }
            let new = shown(&self.outside.new);
            if !new.is_empty() {
                all.push(Evidence::differs("new beside the layer", "nothing", new));
            }
            let gone = shown(&self.outside.gone);
            if !gone.is_empty() {
                all.push(Evidence::differs("gone beside the layer", "nothing", gone));
            }
            all
        })
    }
}

/// The promise that a call which has failed has left nothing.
pub fn left_over(host: &Host, place: &Place, run: Run, what: Evidence) -> Result<(), Finding> {
    Failed::of(None, run).judge(host, place, what)
}

pub fn damaged_archive(host: &Host) -> Result<(), Finding> {
    let whole = Archive::small().to_tar();
    let no_archive = b"<html><title>404 Not Found</title></html>";
    // A header and 20 000 bytes, and a header.
    let short = [folder("./", 0o755), file("long", 0o644, [b'x'; 20_000]), symlink("link", "long")];
    let short = Archive::new(short).to_tar();
    let last = 2 * 512 + 20_000_usize.next_multiple_of(512);
    for (name, archive) in [
        ("cut-off", Some(&whole[..100_000])),
        ("cut-off-in-a-header", Some(&short[..700])),
        ("cut-off-after-a-header", Some(&short[..1024])),
        ("cut-off-in-a-file", Some(&short[..5000])),
        ("cut-off-in-the-last-header", Some(&short[..last + 100])),
        ("no-archive", Some(&no_archive[..])),
        ("not-there", None),
    ] {
        let place = place(host, name);
        archive.into_iter().for_each(|archive| place.lay(archive));
        let before = Outside::of(host, &place.layer);
        let returned = call(host, &place).make()?.returned;
        let failed = Failed {
            refused: None,
            returned,
            layer: on_disk(&place.layer),
            differences: Vec::new(),
            outside: before.changes(&Outside::of(host, &place.layer)),
            second: None,
        };
        let what = Evidence::differs("the archive", "whole", name.replace('-', " "));
        failed.judge(host, &place, what)?;
    }
    Ok(())
}

/// The same number on all architectures; not all of them have a name for it in libc.
const FCHMODAT2: libc::c_long = 452;

/// Those that give a file an owner.
pub const CHOWN: Calls = (
    "chown",
    &[
        libc::SYS_fchown,
        libc::SYS_fchownat,
        #[cfg(target_arch = "x86_64")]
        libc::SYS_chown,
        #[cfg(target_arch = "x86_64")]
        libc::SYS_lchown,
    ],
);

/// Those that give it a mode.
pub const CHMOD: Calls = (
    "chmod",
    &[
        libc::SYS_fchmod,
        libc::SYS_fchmodat,
        FCHMODAT2,
        #[cfg(target_arch = "x86_64")]
        libc::SYS_chmod,
    ],
);

/// Those that give it a time.
pub const UTIMENSAT: Calls = (
    "utimensat",
    &[
        libc::SYS_utimensat,
        #[cfg(target_arch = "x86_64")]
        libc::SYS_utimes,
        #[cfg(target_arch = "x86_64")]
        libc::SYS_futimesat,
    ],
);

/// What of an answer can fail.
const CALLS: [Calls; 8] = [
    SYMLINK,
    (
        "link",
        &[
            libc::SYS_linkat,
            #[cfg(target_arch = "x86_64")]
            libc::SYS_link,
        ],
    ),
    MKDIR,
    ("write", &[libc::SYS_write, libc::SYS_writev, libc::SYS_pwrite64, libc::SYS_copy_file_range]),
    RENAME,
    CHMOD,
    CHOWN,
    UTIMENSAT,
];

/// Each kind of call that an answer may need fails, in turn; for files of all kinds
/// together, and for directories and others alone.
pub fn failing_calls(host: &Host) -> Result<(), Finding> {
    let directories = [folder("./", 0o751), folder("bin/", 0o755)];
    let [below, alone] = ["bin/", ""].map(|at| {
        [
            file(format!("{at}busybox"), 0o4755, [b'x'; 20_000]),
            hard_link(format!("{at}sh"), format!("{at}busybox")),
            symlink(format!("{at}ash"), "sh"),
        ]
    });
    let all = Archive::new(directories.clone().into_iter().chain(below));
    refuse_each(host, "all", &all, &CALLS, Errno::EIO)?;
    // Many pass over what they are not permitted.
    refuse_each(host, "permitted", &all, &CALLS, Errno::EPERM)?;
    let mut of_attributes = CALLS.to_vec();
    of_attributes.retain(|(name, _)| ["chmod", "utimensat"].contains(name));
    refuse_each(host, "directories", &Archive::new(directories), &of_attributes, Errno::EIO)?;
    refuse_each(host, "files", &Archive::new(alone), &of_attributes, Errno::EIO)?;
    owners(host)
}

/// An entry whose owner cannot be given: the call that would give it fails alone. A
/// fifo is none of them, because an answer may wait there.
fn owners(host: &Host) -> Result<(), Finding> {
    let of_another = |entry: Entry| Entry { owner: (1, 1), ..entry };
    for (kind, entry) in [
        ("a file", file("entry", 0o644, "x")),
        ("a directory", folder("entry/", 0o755)),
        ("a symbolic link", symlink("entry", "/nothing/is/here")),
    ] {
        let archive = Archive::new([folder("./", 0o755), of_another(entry)]);
        let attempt = |nth: usize, errno: Errno| {
            let name = format!("{}-of-another-{nth}-{errno:?}", kind.replace(' ', "-"));
            let place = place(host, &name);
            let run = run_where(host, &place, &archive, Due::Layer, |call| {
                call.failing(nth, &[CHOWN], errno)
            })?;
            let Some(failing) = run.failed else { return Ok(false) };
            let what = format!("{failing} of an archive with {kind} of user 1");
            let what = Evidence::differs(what, "Ok", Failure::from(errno));
            Failed::of(Some(CHOWN.0), run).judge(host, &place, what).map(|()| true)
        };
        failing::each(|nth| attempt(nth, Errno::EIO))?;
        failing::each(|nth| attempt(nth, Errno::EPERM))?;
    }
    Ok(())
}

fn refuse_each(
    host: &Host,
    of: &str,
    archive: &Archive,
    calls: &[Calls],
    errno: Errno,
) -> Result<(), Finding> {
    let undisturbed = run(host, &place(host, &format!("{of}-undisturbed")), archive, Due::Layer)?;
    let evidence = vec![returned_evidence("Ok", &undisturbed.returned)];
    undisturbed.judge(&RULES, undisturbed.is_done(), evidence)?;

    for (name, numbers) in calls {
        let place = place(host, &format!("{of}-{name}"));
        let run =
            run_where(host, &place, archive, Due::Layer, |call| call.refusing(numbers, errno))?;
        let failed = Failed::of(Some(*name), run.without(&undisturbed.differences));
        let what = Evidence::differs(format!("{name}(2)"), "Ok", Failure::from(errno));
        failed.judge(host, &place, what)?;
    }
    Ok(())
}

/// The work is the function's own: it is done where no other program can be
/// executed.
pub fn no_other_program(host: &Host) -> Result<(), Finding> {
    let archive = Archive::small();
    let alone = place(host, "alone");
    alone.lay(&archive.to_tar());
    let execute = [libc::SYS_execve, libc::SYS_execveat];
    let seen = call(host, &alone).refusing(&execute, Errno::EACCES).make()?;
    let layer = on_disk(&alone.layer);
    let helped = run(host, &place(host, "helped"), &archive, Due::Layer)?;
    let found = layer.as_ref().map(|layer| differences(&helped.expected, layer));
    let kept = seen.returned.is_ok() && found.as_ref() == Some(&helped.differences);
    let evidence = vec![
        Evidence::differs("execve(2)", "not called", "EACCES (Permission denied)"),
        returned_evidence("Ok", &seen.returned),
    ];
    if helped.is_done() && !kept {
        return Err(RULES.finding("another-program", &helped).with(evidence));
    }
    helped.judge(&RULES, kept, vec![returned_evidence("Ok", &helped.returned)])
}
