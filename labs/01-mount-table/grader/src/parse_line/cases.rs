//! Lines with one difficulty each, and what is in them.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use super::Case;
use crate::table::Mount;

/// Without any difficulty: what all others differ from.
const PLAIN: &[u8] =
    b"36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue";

fn plain_mount() -> Mount {
    Mount {
        id: 36,
        parent: 35,
        device: "98:0".into(),
        root: "/mnt1".into(),
        mount_point: "/mnt2".into(),
        options: vec!["rw".into(), "noatime".into()],
        optional_fields: vec!["master:1".into()],
        fs_type: "ext3".into(),
        source: "/dev/root".into(),
        super_options: vec!["rw".into(), "errors=continue".into()],
    }
}

/// The plain line with `old` written as `new`, and what that changes in the mount.
fn case(old: &str, new: impl AsRef<[u8]>, change: impl FnOnce(&mut Mount)) -> Case {
    let plain = std::str::from_utf8(PLAIN).expect("ASCII");
    let (before, after) = plain.split_once(old).expect("part of the plain line");
    let mut mount = plain_mount();
    change(&mut mount);
    Case {
        input: [before.as_bytes(), new.as_ref(), after.as_bytes()].concat(),
        expected: Some(mount),
    }
}

/// The line of proc_pid_mountinfo(5).
pub fn plain() -> Case {
    case("", "", |_| {})
}

pub fn fields() -> Vec<Case> {
    vec![
        plain(),
        case("36 35 98:0 /mnt1 /mnt2 rw,noatime", "4294967295 0 259:65535 / / ro", |mount| {
            (mount.id, mount.parent) = (u32::MAX, 0);
            mount.device = "259:65535".into();
            (mount.root, mount.mount_point) = ("/".into(), "/".into());
            mount.options = vec!["ro".into()];
        }),
    ]
}

/// A line without optional fields, with one, or with two.
pub fn with_optional_fields(count: usize) -> Case {
    let fields = &["shared:8", "master:7"][..count];
    let written = fields.iter().map(|field| format!("{field} ")).collect::<String>();
    case("master:1 ", written, |mount| {
        mount.optional_fields = fields.iter().map(|&field| field.into()).collect();
    })
}

/// A line with an optional field that no kernel has yet, before one that all have.
pub fn unknown_optional_field() -> Case {
    case("master:1", "isolated:3 shared:8", |mount| {
        mount.optional_fields = vec!["isolated:3".into(), "shared:8".into()];
    })
}

/// A line with an optional field that has no number.
pub fn unbindable() -> Case {
    case("master:1", "unbindable", |mount| mount.optional_fields = vec!["unbindable".into()])
}

/// An optional field with nothing in it.
pub fn empty_optional_field() -> Case {
    case("master:1", " shared:8", |mount| {
        mount.optional_fields = vec!["".into(), "shared:8".into()];
    })
}

pub fn optional_fields() -> Vec<Case> {
    vec![
        with_optional_fields(0),
        with_optional_fields(1),
        with_optional_fields(2),
        case("master:1", "shared:8 master:7 propagate_from:2", |mount| {
            mount.optional_fields =
                vec!["shared:8".into(), "master:7".into(), "propagate_from:2".into()];
        }),
        unbindable(),
        unknown_optional_field(),
        empty_optional_field(),
    ]
}

/// A name with a dash in it, before the lone one.
pub fn dash_in_a_name() -> Case {
    case("/mnt2", "/mnt/my-disk", |mount| mount.mount_point = "/mnt/my-disk".into())
}

/// A lone dash that is a source.
pub fn dash_as_source() -> Case {
    case("/dev/root", "-", |mount| mount.source = "-".into())
}

pub fn separator() -> Vec<Case> {
    vec![
        dash_in_a_name(),
        case("ext3 /dev/root", "fuse.gvfsd-fuse gvfsd-fuse", |mount| {
            mount.fs_type = "fuse.gvfsd-fuse".into();
            mount.source = "gvfsd-fuse".into();
        }),
        dash_as_source(),
    ]
}

pub fn empty_source() -> Case {
    case("/dev/root", "", |mount| mount.source = "".into())
}

/// White space in the mount point that the kernel does not escape.
pub fn carriage_return_in_a_name() -> Case {
    case("/mnt2", "/mnt/a\rb", |mount| mount.mount_point = "/mnt/a\rb".into())
}

/// A space in the mount point.
pub fn space_in_a_name() -> Case {
    case("/mnt2", r"/mnt/my\040disk", |mount| mount.mount_point = "/mnt/my disk".into())
}

pub fn names() -> Vec<Case> {
    vec![
        space_in_a_name(),
        case("/mnt1", r"/old\040photos//deleted", |mount| {
            mount.root = "/old photos//deleted".into();
        }),
        case("/dev/root", r"my\040disk\040\043\0401", |mount| mount.source = "my disk # 1".into()),
        case("/mnt2", r"/mnt/a\040b\011c\012d#e", |mount| {
            mount.mount_point = "/mnt/a b\tc\nd#e".into();
        }),
        case("/mnt2", r"/mnt/\040a\040", |mount| mount.mount_point = "/mnt/ a ".into()),
        case("/mnt2", r"/mnt/a\040-\040ext4\134040", |mount| {
            mount.mount_point = r"/mnt/a - ext4\040".into();
        }),
        // Where nothing is escaped.
        case("noatime", r"x=\040", |mount| mount.options[1] = r"x=\040".into()),
        case("master:1", r"master:\061", |mount| {
            mount.optional_fields = vec![r"master:\061".into()];
        }),
    ]
}

pub fn any_bytes() -> Vec<Case> {
    let latin = |bytes: &'static [u8]| OsStr::from_bytes(bytes);
    vec![
        case("/mnt2", "/mnt/été/图片", |mount| mount.mount_point = "/mnt/été/图片".into()),
        case("/mnt2", b"/mnt/caf\xe9", |mount| mount.mount_point = latin(b"/mnt/caf\xe9").into()),
        case("/mnt1", b"/caf\xe9", |mount| mount.root = latin(b"/caf\xe9").into()),
        case("/dev/root", b"//nas/caf\xe9", |mount| mount.source = latin(b"//nas/caf\xe9").into()),
        case("errors=continue", b"upperdir=/caf\xe9", |mount| {
            mount.super_options[1] = latin(b"upperdir=/caf\xe9").into();
        }),
        carriage_return_in_a_name(),
        // At the end of a name, once at that of the line.
        case("/mnt2", "/mnt/a\r", |mount| mount.mount_point = "/mnt/a\r".into()),
        case("errors=continue", "upperdir=/a\r", |mount| {
            mount.super_options[1] = "upperdir=/a\r".into();
        }),
    ]
}

/// A comma in an option: what overlay shows for the directory `/a,b`, which is
/// written `/a\,b` in its options.
pub fn comma_in_an_option() -> Case {
    case("errors=continue", r"lowerdir=/a\134\054b:/c,upperdir=/d", |mount| {
        mount.super_options = vec!["rw".into(), r"lowerdir=/a\,b:/c".into(), "upperdir=/d".into()];
    })
}

/// A space in an option.
pub fn space_in_an_option() -> Case {
    case("errors=continue", r"upperdir=/my\040disk", |mount| {
        mount.super_options = vec!["rw".into(), "upperdir=/my disk".into()];
    })
}

pub fn lists() -> Vec<Case> {
    vec![plain(), space_in_an_option(), comma_in_an_option()]
}

/// A field after the last one that kernels have today.
pub fn later_field() -> Case {
    case("errors=continue", "errors=continue idmapped:1", |_| {})
}

pub fn later_fields() -> Vec<Case> {
    vec![
        later_field(),
        case("/dev/root rw,errors=continue", " rw 7 -", |mount| {
            mount.source = "".into();
            mount.super_options = vec!["rw".into()];
        }),
    ]
}

pub fn broken_lines() -> Vec<Case> {
    let lines: [&[u8]; 23] = [
        b"36 35 98:0 /mnt1 /mnt2",
        b"36 35 98:0 /mnt1 /mnt2 rw,noatime",
        b"36 35 98:0 /mnt1 /mnt2 rw,noatime master:1",
        b"36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 -",
        b"36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root",
        b"36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 ext3 /dev/root rw",
        // A dash where there are no six fields yet.
        b"- ext3 /dev/root rw",
        b"36 35 98:0 - ext3 /dev/root rw",
        b"36 35 98:0 /mnt1 /mnt2 - ext3 /dev/root rw",
        // The same, and as many fields as in a whole line: later ones follow the last.
        b"36 35 98:0 /mnt1 /mnt2 - ext3 /dev/root rw new",
        b"36 35 98:0 - ext3 /dev/root rw new 2 3",
        b"36 35 - ext3 /dev/root rw new 2 3 4",
        b"36",
        b"",
        b" ",
        b"x 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw",
        b"36 -1 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw",
        // An empty field is not a number.
        b" 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw",
        b"36  98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw",
        b"4294967296 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw",
        // Nor is one that begins or ends with white space that separates no fields.
        b"36\t 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw",
        b"36 \x0b35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw",
        b"36 35\r 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw",
    ];
    lines.map(|line| Case { input: line.to_vec(), expected: None }).into()
}

/// All of the above.
pub fn all() -> Vec<Case> {
    let lists = [
        fields(),
        optional_fields(),
        separator(),
        vec![empty_source()],
        names(),
        any_bytes(),
        lists(),
        later_fields(),
        broken_lines(),
    ];
    lists.into_iter().flatten().collect()
}
