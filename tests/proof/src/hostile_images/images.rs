//! What an image can have in it.

use harness::image_tar::Layer;

use super::Attempt;
use crate::Proof;

/// Prints what a container always finds.
const AS_USUAL: &str = "test -c /dev/null && test -e /proc/1/status && test -d /sys/class &&
    grep -q localhost /etc/hosts && test -s /etc/hostname && test ! -e /etc/canary &&
    test ! -e /dev/canary && echo as usual";

pub fn attempts(proof: &Proof) -> Vec<Attempt> {
    let many: fn(&std::path::Path) -> Vec<Layer> =
        proof.pick(|_| folder_of(5_000), |_| folder_of(100_000));
    let image =
        |name, layers, script, expected| Attempt { layers, ..Attempt::new(name, script, expected) };
    vec![
        image(
            "/etc is a link to a folder of the host",
            |s| vec![Layer::new().symlink("etc", s)],
            AS_USUAL,
            "as usual",
        ),
        image(
            "/etc is a link up and to the host",
            |s| vec![Layer::new().symlink("etc", format!("../../../..{}", s.display()))],
            AS_USUAL,
            "as usual",
        ),
        image(
            "/proc is a link to a folder of the host",
            |s| vec![Layer::new().symlink("proc", s)],
            AS_USUAL,
            "as usual",
        ),
        image(
            "/proc is a link up",
            |_| vec![Layer::new().symlink("proc", "../../../..")],
            AS_USUAL,
            "as usual",
        ),
        image(
            "/dev is a link to a folder of the host",
            |s| vec![Layer::new().symlink("dev", s)],
            AS_USUAL,
            "as usual",
        ),
        image(
            "/dev is a link to itself",
            |_| vec![Layer::new().symlink("dev", "dev")],
            AS_USUAL,
            "as usual",
        ),
        image(
            "/etc/resolv.conf is a link to a file of the host",
            |s| vec![Layer::new().symlink("etc/resolv.conf", s.join("canary"))],
            AS_USUAL,
            "as usual",
        ),
        image(
            "/etc/resolv.conf is a link up and to the host",
            |s| {
                vec![
                    Layer::new()
                        .symlink("etc/resolv.conf", format!("../../../..{}/canary", s.display())),
                ]
            },
            AS_USUAL,
            "as usual",
        ),
        image(
            "/etc/hosts is a folder",
            |_| vec![Layer::new().folder("etc/hosts", 0o755)],
            AS_USUAL,
            "as usual",
        ),
        image(
            "/dev/null is a file, /dev/tty a link to the host",
            |s| vec![Layer::new().file("dev/null", 0o666, "x").symlink("dev/tty", s)],
            AS_USUAL,
            "as usual",
        ),
        image(
            "the volume's place is a link to the host",
            |s| vec![Layer::new().symlink("volume", s)],
            "echo x 2>/dev/null >/volume/x || echo read-only; test -e /volume/canary || echo not the host",
            r#"mydocker: mkdir("/volume") => EEXIST (File exists)"#,
        ),
        image(
            "the root is read-only",
            |_| vec![Layer::new().folder(".", 0o555)],
            AS_USUAL,
            "as usual",
        ),
        image(
            "no /tmp, no /proc, no /sys, no /dev",
            |_| vec![Layer::new().whiteout("tmp").whiteout("proc").whiteout("sys").whiteout("dev")],
            AS_USUAL,
            "as usual",
        ),
        image(
            "a device of the host's disk in /dev and elsewhere",
            |_| vec![Layer::new().file("dev/sda", 0o666, "")],
            "test ! -e /dev/sda && echo not there",
            "not there",
        ),
        image(
            "a folder of many files",
            many,
            "rm -r /many && mkdir /many && test -z \"$(ls /many)\" && echo emptied",
            "emptied",
        ),
    ]
}

fn folder_of(count: usize) -> Vec<Layer> {
    vec![(0..count).fold(Layer::new(), |layer, n| layer.file(&format!("many/{n}"), 0o644, ""))]
}
