//! The image that a program is given: busybox, and what the graders look for.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use labkit::BUSYBOX_TAR;
use tar::{Archive, Builder, EntryType, Header};

/// The graders' directory, in the image and on the host: so that a command which
/// has never left the host can be told apart by what it reads there.
pub const EXAM: &str = "/root/exam";

/// The script that says what it finds in a container.
pub const PROBE: &str = "/root/exam/probe";

/// The script that says which arguments it was given.
pub const ARGUMENTS: &str = "/root/exam/arguments";

/// The script that changes what an image is to be made of, and waits as [`CHANGED`].
pub const CHANGES: &str = "/root/exam/changes";

/// The script that changes nothing, and waits as [`WAITING`].
pub const WAITS: &str = "/root/exam/waits";

/// The script that says where it is run, and waits as [`IS_INSIDE`].
pub const INSIDE: &str = "/root/exam/inside";

/// The script whose exit code is 7.
pub const SEVEN: &str = "/root/exam/seven";

/// The command lines of the processes that these scripts become.
pub const CHANGED: [&str; 2] = ["sleep", "98700"];
/// See [`WAITS`].
pub const WAITING: [&str; 2] = ["sleep", "98701"];
/// See [`INSIDE`].
pub const IS_INSIDE: [&str; 2] = ["sleep", "98702"];

/// Where a container finds the directory of the host that it is given.
pub const VOLUME: &str = "/volume";

/// A regular file of the image, where no directory can be mounted.
pub const FILE: &str = "/root/exam/words";

/// The command line of a process that executes it, as the kernel makes it of the
/// script's first line.
pub const PROBES_COMMAND_LINE: [&str; 2] = ["sh", PROBE];

/// What the probe does, with `$words`, `$precious` and `$volume` set.
const PROBE_SCRIPT: &str = include_str!("probe.sh");
const ARGUMENTS_SCRIPT: &str = include_str!("arguments.sh");
const CHANGES_SCRIPT: &str = include_str!("later/changes.sh");
const INSIDE_SCRIPT: &str = include_str!("later/inside.sh");

/// The time of everything in [`EXAM`], in seconds since 1970.
const TIME: u64 = 1_000_000_000;

/// The files whose kind, mode and time the archive tells, as `stat -c '%F %a
/// %Y'` must see them in the container.
pub const FILES: [(&str, &str); 4] = [
    ("/root/exam/setuid", "regular file 4755 1000000000"),
    ("/root/exam/secret", "regular file 600 1000000000"),
    ("/root/exam/closed", "directory 700 1000000000"),
    ("/root/exam/open", "directory 1777 1000000000"),
];

/// Puts what a command needs that has never left the host into [`EXAM`] there.
///
/// # Errors
/// The directory cannot be made.
pub fn furnish_host(words: &str, scripts: &Scripts) -> io::Result<()> {
    fs::create_dir(EXAM)?;
    for (script, content) in scripts {
        fs::write(script, content)?;
        fs::set_permissions(script, fs::Permissions::from_mode(0o755))?;
    }
    fs::write(Path::new(EXAM).join("words"), words)
}

/// The graders' scripts, by their paths.
pub type Scripts = Vec<(&'static str, String)>;

/// The scripts for a container that finds the host's file `precious` nowhere. They
/// write `words`.
pub fn scripts(words: &str, precious: &Path) -> Scripts {
    let precious = precious.display();
    let variables = format!("words='{words}' precious='{precious}' volume='{VOLUME}'");
    let script =
        |(path, text): (&'static str, &str)| (path, format!("#!/bin/sh\n{variables}\n{text}"));
    let scripts = [
        (PROBE, PROBE_SCRIPT),
        (CHANGES, CHANGES_SCRIPT),
        (INSIDE, INSIDE_SCRIPT),
        (WAITS, "exec sleep 98701\n"),
        (SEVEN, "echo \"exam:seven=$words\"\nexit 7\n"),
    ];
    let arguments = (ARGUMENTS, ARGUMENTS_SCRIPT.to_owned());
    scripts.into_iter().map(script).chain([arguments]).collect()
}

/// The archive, with the `scripts` and with `words` in `/root/exam/words` and in
/// `/.words`.
///
/// # Panics
/// Never: it is written to memory.
pub fn archive(words: &str, scripts: &Scripts) -> Vec<u8> {
    let mut builder = Builder::new(Vec::new());
    for entry in Archive::new(BUSYBOX_TAR).entries().expect("busybox") {
        let entry = entry.expect("busybox");
        builder.append(&entry.header().clone(), entry).expect("written to memory");
    }
    let mut add = |name: &str, kind: EntryType, mode: u32, content: &str| {
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_mtime(TIME);
        header.set_uid(0);
        header.set_gid(0);
        let path = Path::new(".").join(name);
        if kind.is_symlink() || kind.is_hard_link() {
            header.set_size(0);
            builder.append_link(&mut header, path, content).expect("written to memory");
        } else {
            header.set_size(content.len() as u64);
            builder.append_data(&mut header, path, content.as_bytes()).expect("written to memory");
        }
    };
    add(".words", EntryType::Regular, 0o644, words);
    add("root/exam", EntryType::Directory, 0o755, "");
    for (path, content) in scripts {
        add(path.trim_start_matches('/'), EntryType::Regular, 0o755, content);
    }
    for (name, mode, content) in [
        ("words", 0o644, words),
        ("doomed", 0o644, words),
        ("changed", 0o644, words),
        ("setuid", 0o4755, words),
        ("secret", 0o600, words),
        ("one", 0o644, words),
    ] {
        add(&format!("root/exam/{name}"), EntryType::Regular, mode, content);
    }
    add("root/exam/two", EntryType::Link, 0o644, "./root/exam/one");
    add("root/exam/link", EntryType::Symlink, 0o777, "words");
    add("root/exam/closed", EntryType::Directory, 0o700, "");
    add("root/exam/open", EntryType::Directory, 0o1777, "");
    add("root/exam/full", EntryType::Directory, 0o755, "");
    add("root/exam/full/old", EntryType::Regular, 0o644, words);
    builder.into_inner().expect("written to memory")
}
