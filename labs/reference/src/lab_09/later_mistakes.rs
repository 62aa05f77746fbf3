//! What people get wrong in the stages that come after the lab: [`LATER`] with a piece
//! of its text replaced.
//!
//! [`LATER`]: super::LATER

use super::Mistake;

const BOUND: &str = "    mount --bind \"$1\" \"$2.view\"\n";
const PACK: &str = "    tar -cf \"$2.tar\" -C \"$2.view\" .\n";
const UNPACK: &str = "    tar -xpf \"$2.tar\" -C \"$2.part\"\n";
const BEGIN_COMMIT: &str = "    [ -d \"$box/mnt\" ] || fail \"no container $box\"\n";
const FAILED_COMMIT: &str = "    if [ \"$status\" != 0 ]; then\n        rm -rf \"$image.part\"\n        \
    fail \"the image cannot be written\"\n    fi\n";
const JOIN: &str = "exec nsenter -t \"$pid\" -m -p -u -i -n env -i \
    PATH=/bin:/sbin:/usr/bin:/usr/sbin HOME=/root \"$@\"";
const IS_THERE: &str = "    [ -e \"$box/pid\" ] || fail \"no container runs in $box\"\n";
const IS_ALIVE: &str = "    [ -e \"/proc/$pid/ns/mnt\" ] || fail \"the container has ended\"\n";

/// See each one's comment.
pub static LATER_MISTAKES: &[Mistake] = &[
    // --- commit

    // The container waits in front of a pipe that ends with the program.
    Mistake {
        name: "ends_with_its_program",
        code: "mydocker/not-in-the-background",
        changes: &[(
            "    [ \"$begun\" = yes ] || fail \"the container does not start\"\n",
            "    read -r pid <\"$box/pid\"\n    kill -9 \"$pid\"\n",
        )],
    },
    // tar writes its own archive into itself, and says so.
    Mistake {
        name: "archive_in_what_is_packed",
        code: "mydocker/commit-failed",
        changes: &[(PACK, "    tar -cf \"$2.view/self.tar\" -C \"$2.view\" --no-such-option .\n")],
    },
    // The archive has the container's folder in it, and not its root.
    Mistake {
        name: "packed_one_folder_too_high",
        code: "mydocker/committed-image-does-not-run",
        changes: &[(PACK, "    tar -cf \"$2.tar\" -C \"${2%/*}\" \"${2##*/}.view\"\n")],
    },
    // The image is packed once more, and the container is not.
    Mistake {
        name: "image_packed_not_the_container",
        code: "mydocker/committed-changes-missing",
        changes: &[(BOUND, "    mount --bind /root/images/busybox \"$2.view\"\n")],
    },
    // The write layer is copied over the image: what was deleted there is not deleted.
    Mistake {
        name: "whiteouts_dropped",
        code: "mydocker/deleted-file-is-back",
        changes: &[(
            UNPACK,
            "    cp -a /root/images/busybox/. \"$2.part\"\n    tar -xpf \"$2.tar\" -C \"$2.part\"\n",
        )],
    },
    // cp -r: each name has a file of its own.
    Mistake {
        name: "hard_links_copied_by_commit",
        code: "mydocker/committed-links-lost",
        changes: &[(
            UNPACK,
            "    tar -xpf \"$2.tar\" -C \"$2.part\"\n    \
                cp -p \"$2.part/root/exam/same\" \"$2.copy\"\n    \
                mv \"$2.copy\" \"$2.part/root/exam/same\"\n",
        )],
    },
    // The umask has its way, and set-user-ID programs are none.
    Mistake {
        name: "modes_lost_by_commit",
        code: "mydocker/committed-attributes-lost",
        changes: &[(
            UNPACK,
            "    tar -xpf \"$2.tar\" -C \"$2.part\"\n    \
                find \"$2.part\" -type f -exec chmod go-w,u-s {} +\n",
        )],
    },
    // Every file is as old as the image.
    Mistake {
        name: "times_lost_by_commit",
        code: "mydocker/committed-attributes-lost",
        changes: &[(
            UNPACK,
            "    tar -xpf \"$2.tar\" -C \"$2.part\"\n    \
                find \"$2.part\" -exec touch -h -d @1 {} +\n",
        )],
    },
    // The new image is a name for the old one, and the changes are written there.
    Mistake {
        name: "committed_into_the_old_image",
        code: "mydocker/old-image-committed-to",
        changes: &[(
            UNPACK,
            "    tar -xpf \"$2.tar\" -C \"$2.part\"\n    \
                tar -xpf \"$2.tar\" -C /root/images/busybox\n",
        )],
    },
    // The blog's own way, `tar -C mnt .`: volumes are mounted below mnt.
    Mistake {
        name: "volume_committed",
        code: "mydocker/host-committed",
        changes: &[(BOUND, "    mount --rbind \"$1\" \"$2.view\"\n")],
    },
    // Through the container's own root, in which /proc and /dev are mounted.
    Mistake {
        name: "dev_committed",
        code: "mydocker/host-committed",
        changes: &[
            (BOUND, "    read -r pid <\"${1%/mnt}/pid\"\n"),
            (
                PACK,
                "    cd \"/proc/$pid/root\"\n    \
                    tar -cf \"$2.tar\" bin dev/fd etc root tmp\n    \
                    mkdir \"$2.part/proc\" \"$2.part/sys\"\n",
            ),
        ],
    },
    // Packed straight to where it is looked for; and the error is told.
    Mistake {
        name: "half_an_image_left",
        code: "mydocker/half-image-committed",
        changes: &[(FAILED_COMMIT, HALF_LEFT)],
    },
    // The error is only printed.
    Mistake {
        name: "commit_error_only_printed",
        code: "mydocker/half-image-committed",
        changes: &[
            (FAILED_COMMIT, ""),
            (PACK, "    tar -cf \"$2.tar\" -C \"$2.view\" . || true\n"),
            (UNPACK, "    tar -xpf \"$2.tar\" -C \"$2.part\" || true\n"),
        ],
    },
    // What a failure has left is taken for somebody else's.
    Mistake {
        name: "failed_commit_not_cleaned_up",
        code: "mydocker/failed-commit-in-the-way",
        changes: &[
            ("        rm -rf \"$image.part\"\n        fail", "        fail"),
            ("    rm -rf \"$image.part\" \"$image.tar\" \"$image.view\"\n", ""),
        ],
    },
    // As the originals': what is not there is only said.
    Mistake {
        name: "no_container_to_commit_is_a_success",
        code: "mydocker/commit-failure-not-told",
        changes: &[(
            BEGIN_COMMIT,
            "    [ -d \"$box/mnt\" ] || { echo \"no container $box\"; exit; }\n",
        )],
    },
    // --- exec

    // The name is looked up on the host: an image has other programs.
    Mistake {
        name: "command_looked_up_on_the_host",
        code: "mydocker/exec-did-not-run",
        changes: &[(JOIN, "exec nsenter -t \"$pid\" -m -p -u -i -n /usr/bin/env -i \"/host/$1\"")],
    },
    // All but the mount namespace, so the files are the host's.
    Mistake {
        name: "mount_namespace_not_joined",
        code: "mydocker/exec-on-the-host",
        changes: &[(
            "nsenter -t \"$pid\" -m -p -u -i -n env",
            "nsenter -t \"$pid\" -p -u -i -n env",
        )],
    },
    // setns(CLONE_NEWPID) is for the children.
    Mistake {
        name: "joined_without_fork",
        code: "mydocker/exec-pid-namespace-without-fork",
        changes: &[("-m -p -u -i -n env", "-m -u -i -n -p -F env")],
    },
    // Only what one sees at once.
    Mistake {
        name: "uts_and_ipc_not_joined",
        code: "mydocker/exec-namespaces-missing",
        changes: &[("-m -p -u -i -n env", "-m -p -n env")],
    },
    // The PID namespace forgotten.
    Mistake {
        name: "pid_namespace_not_joined",
        code: "mydocker/exec-namespaces-missing",
        changes: &[("-m -p -u -i -n env", "-m -u -i -n env")],
    },
    // A chroot to where the layers are, in place of the mount namespace.
    Mistake {
        name: "chroot_to_mnt",
        code: "mydocker/exec-namespaces-missing",
        changes: &[("-m -p -u -i -n env", "-p -u -i -n chroot \"$box/mnt\" env")],
    },
    // In all namespaces, and in a folder of the container.
    Mistake {
        name: "chroot_in_the_container",
        code: "mydocker/exec-other-root",
        changes: &[(
            "-m -p -u -i -n env -i PATH=/bin:/sbin:/usr/bin:/usr/sbin HOME=/root \"$@\"",
            "-m -p -u -i -n sh -c 'mkdir -p /tmp/r; mount --bind / /tmp/r; exec chroot /tmp/r \"$@\"' sh \"$@\"",
        )],
    },
    // What the caller had open comes along.
    Mistake {
        name: "descriptors_taken_along",
        code: "mydocker/descriptors-inherited",
        changes: &[("    exec 3>&- 100>&-\n    exec nsenter", "    exec nsenter")],
    },
    // The originals' own way: joined with blanks, and given to system(3).
    Mistake {
        name: "exec_through_a_shell",
        code: "mydocker/arguments-through-a-shell",
        changes: &[("HOME=/root \"$@\"\n}\n\n# All", "HOME=/root sh -c \"$*\"\n}\n\n# All")],
    },
    // The result of wait is thrown away.
    Mistake {
        name: "exec_code_lost",
        code: "mydocker/exit-code-lost",
        changes: &[
            ("    exec nsenter", "    nsenter"),
            ("HOME=/root \"$@\"\n}\n\n# All", "HOME=/root \"$@\" || true\n}\n\n# All"),
        ],
    },
    // exec cleans up as run does.
    Mistake {
        name: "exec_ends_the_container",
        code: "mydocker/container-ended-by-exec",
        changes: &[
            ("    exec nsenter", "    nsenter"),
            (
                "HOME=/root \"$@\"\n}\n\n# All",
                "HOME=/root \"$@\" || status=$?\n    kill -9 \"$pid\"\n    \
                while [ -e \"$box/pid\" ]; do :; done\n    exit \"${status:-0}\"\n}\n\n# All",
            ),
        ],
    },
    // The originals' own way: a setns that fails is only printed.
    Mistake {
        name: "failed_join_only_printed",
        code: "mydocker/exec-into-nothing-runs",
        changes: &[
            (
                IS_ALIVE,
                "    [ -e \"/proc/$pid/ns/mnt\" ] || { echo 'setns failed'; exec \"$@\"; }\n",
            ),
            ("    rm -f \"$1/pid\"\n", ""),
        ],
    },
    // What is not there is only said.
    Mistake {
        name: "no_container_to_enter_is_a_success",
        code: "mydocker/exec-failure-not-told",
        changes: &[
            (IS_THERE, "    [ -e \"$box/pid\" ] || { echo \"no container $box\"; exit; }\n"),
            ("|| fail \"the container has ended\"", "|| { echo \"it has ended\"; exit; }"),
        ],
    },
];

/// What it has below is an image already.
const HALF_LEFT: &str = "    if [ \"$status\" != 0 ]; then\n        cp -al /root/images/busybox \"$image\"\n        \
        fail \"the image cannot be written\"\n    fi\n";
