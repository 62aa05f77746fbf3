//! What people get wrong in a whole program.

use super::Mistake;

const START: &str = "unshare -m -p -u -i -n --propagation private -f \"$0\"";
const PIVOT: &str = "    pivot_root . .\n    umount -l .\n    cd /\n";
const UNPACK: &str = "    tar -xpf /root/busybox.tar -C \"$image.part\"\n";
const MOUNT: &str = "    mount -t overlay overlay \
    -o \"lowerdir=$image,upperdir=$write_layer,workdir=$work\" \"$mnt\"\n";
const UMOUNT: &str = "        umount \"$point\"\n";
const UMOUNT_ALL: &str = "    cut -d ' ' -f 5 /proc/self/mountinfo | grep -E \"^$mnt(/|\\$)\" | tac | \
    while read -r point; do\n        umount \"$point\"\n    done\n";

/// The diagnosis of a program that is right where the kernel has AUFS.
pub const AUFS_MISSING: &str = "mydocker/aufs-missing";

/// Where a mistake breaks a promise that hears of it by another name: a mistake, the
/// promise, and the diagnosis there.
pub static ELSEWHERE: &[(&str, &str, &str)] = &[
    // No exit code arrives: neither that of a start which fails, nor a signal's.
    ("exit_code_lost", "a_failed_pivot_runs_nothing", "mydocker/failure-not-told"),
    ("exit_code_lost", "death_by_a_signal_is_told", "mydocker/signal-lost"),
    // An image of the image: of what was deleted and changed, nothing is as it was.
    (
        "image_packed_not_the_container",
        "the_new_image_lacks_what_was_deleted",
        "mydocker/deleted-file-is-back",
    ),
    (
        "image_packed_not_the_container",
        "the_new_image_keeps_attributes_and_links",
        "mydocker/committed-attributes-lost",
    ),
    // Of one who comes by another way the root is another one, too.
    ("chroot_to_mnt", "exec_has_the_containers_root", "mydocker/exec-other-root"),
];

/// See each one's comment.
pub static MISTAKES: &[Mistake] = &[
    // --- run

    // Works without systemd; elsewhere the container's /proc is mounted on the
    // host too, and pivot_root says EINVAL.
    Mistake {
        name: "propagation_left_shared",
        code: "mydocker/propagation-left-shared",
        changes: &[(
            "unshare -m -p -u -i -n --propagation private",
            "/usr/bin/unshare -m -p -u -i -n --propagation unchanged",
        )],
    },
    // CLONE_NEWNS forgotten: the mounts are the host's, pivot_root says EINVAL.
    Mistake {
        name: "no_mount_namespace",
        code: "mydocker/no-mount-namespace",
        changes: &[(START, "unshare -p -u -i -n -f \"$0\"")],
    },
    // CLONE_NEWPID forgotten: the command sees and can kill all processes.
    Mistake {
        name: "no_pid_namespace",
        code: "mydocker/no-pid-namespace",
        changes: &[(START, "unshare -m -u -i -n --propagation private \"$0\"")],
    },
    // unshare(CLONE_NEWPID) is for the children: the second fork fails.
    Mistake {
        name: "unshare_without_fork",
        code: "mydocker/pid-namespace-without-fork",
        changes: &[
            (START, "unshare -m -u -i -n --propagation private \"$0\""),
            ("    exec env -i", "    exec unshare -p env -i"),
        ],
    },
    // An init of one's own, which the command is a child of, that is no init:
    // it neither reaps nor passes signals on.
    Mistake {
        name: "a_shell_is_process_1",
        code: "mydocker/not-the-first-process",
        changes: &[("    exec env -i", "    env -i")],
    },
    // Only what the task names: the container can change the host's name.
    Mistake {
        name: "no_uts_and_ipc_namespaces",
        code: "mydocker/namespaces-shared",
        changes: &[(START, "unshare -m -p -n --propagation private -f \"$0\"")],
    },
    // The image has a folder proc, so there is a /proc.
    Mistake {
        name: "proc_not_mounted",
        code: "mydocker/proc-not-mounted",
        changes: &[("    mount -t proc proc \"$mnt/proc\"\n", "")],
    },
    // Bound from the host, as /dev is.
    Mistake {
        name: "proc_bound_from_the_host",
        code: "mydocker/proc-of-the-host",
        changes: &[("mount -t proc proc \"$mnt/proc\"", "mount --rbind /proc \"$mnt/proc\"")],
    },
    // The program's own success is all that it tells.
    Mistake {
        name: "exit_code_lost",
        code: "mydocker/exit-code-lost",
        changes: &[("    exit \"$status\"\n", "")],
    },
    // One code for whatever keeps the command from running.
    Mistake {
        name: "no_such_command_is_1",
        code: "mydocker/start-code-lost",
        changes: &[(
            "    exit \"$status\"\n",
            "    [ \"$status\" != 127 ] || status=1\n    exit \"$status\"\n",
        )],
    },
    // The error is printed, and that is all.
    Mistake {
        name: "no_such_command_is_a_success",
        code: "mydocker/failure-not-told",
        changes: &[(
            "    exit \"$status\"\n",
            "    [ \"$status\" != 127 ] || status=0\n    exit \"$status\"\n",
        )],
    },
    // A signal's number is taken for an exit code, as WEXITSTATUS does.
    Mistake {
        name: "signal_lost",
        code: "mydocker/signal-lost",
        changes: &[(
            "    exit \"$status\"\n",
            "    [ \"$status\" -le 128 ] || status=0\n    exit \"$status\"\n",
        )],
    },
    // The blog's own way: the command is joined with blanks, sent through the
    // pipe, and split again.
    Mistake {
        name: "arguments_split_on_blanks",
        code: "mydocker/arguments-split",
        changes: &[("HOME=/root \"$@\"", "HOME=/root $*")],
    },
    // As in the blog's first articles: the command is its first word.
    Mistake {
        name: "arguments_dropped",
        code: "mydocker/arguments-dropped",
        changes: &[("HOME=/root \"$@\"", "HOME=/root \"$1\"")],
    },
    // A shell parses it once more: quotes are gone, variables are replaced.
    Mistake {
        name: "arguments_through_a_shell",
        code: "mydocker/arguments-through-a-shell",
        changes: &[("HOME=/root \"$@\"", "HOME=/root sh -c \"exec $(printf ' \"%s\"' \"$@\")\"")],
    },
    // The environment is replaced where it should be added to.
    Mistake {
        name: "path_lost",
        code: "mydocker/path-lost",
        changes: &[("env -i PATH=/bin:/sbin:/usr/bin:/usr/sbin ", "env -i ")],
    },
    // A program that gets none is one that was not called so.
    Mistake {
        name: "environment_empty",
        code: "mydocker/environment-empty",
        changes: &[(
            "env -i PATH=/bin:/sbin:/usr/bin:/usr/sbin TERM=\"${TERM:-}\" HOME=/root ",
            "/bin/env -i ",
        )],
    },
    // As Go's runtime ends a program: an index out of range after the container.
    Mistake {
        name: "crashes_at_the_end",
        code: "mydocker/panicked",
        changes: &[(
            "    delete_workspace\n    exit \"$status\"\n",
            "    echo 'panic: runtime error: index out of range [3] with length 0' >&2\n    \
                printf '\\ngoroutine 1 [running]:\\nmain.run(...)\\n' >&2\n    exit 2\n",
        )],
    },
    // --- rootfs

    // The blog's own way: the folder is there, so the image is, whatever is in it.
    Mistake {
        name: "half_an_image_taken_for_whole",
        code: "mydocker/half-image",
        changes: &[
            ("    mkdir \"$image.part\"\n", "    mkdir \"$image\"\n"),
            (UNPACK, "    tar -xpf /root/busybox.tar -C \"$image\"\n"),
            ("    mv \"$image.part\" \"$image\"\n", ""),
        ],
    },
    // `*` is not `.*`: docker export's archives have a /.dockerenv.
    Mistake {
        name: "hidden_files_forgotten",
        code: "mydocker/files-missing",
        changes: &[(
            UNPACK,
            "    mkdir -p /root/unpacked\n    tar -xpf /root/busybox.tar -C /root/unpacked\n    \
                mv /root/unpacked/* \"$image.part\"\n",
        )],
    },
    // The umask has its way, and set-user-ID programs are none.
    Mistake {
        name: "modes_lost",
        code: "mydocker/modes-lost",
        changes: &[(
            UNPACK,
            "    tar -xf /root/busybox.tar -C \"$image.part\" --no-same-permissions\n",
        )],
    },
    // Every file is as old as the container: make and browsers start anew.
    Mistake {
        name: "times_lost",
        code: "mydocker/times-lost",
        changes: &[(UNPACK, "    tar -xpmf /root/busybox.tar -C \"$image.part\"\n")],
    },
    // Copied once more, to be sure: a symbolic link becomes what it points to.
    Mistake {
        name: "links_followed",
        code: "mydocker/links-followed",
        changes: &[(
            UNPACK,
            "    tar -xpf /root/busybox.tar -C \"$image.part\"\n    \
                cp -pL \"$image.part/root/exam/link\" /root/link\n    \
                mv /root/link \"$image.part/root/exam/link\"\n",
        )],
    },
    // Each name has a file of its own: the image is as large as the sum.
    Mistake {
        name: "hard_links_copied",
        code: "mydocker/hard-links-copied",
        changes: &[(
            UNPACK,
            "    tar -xpf /root/busybox.tar -C \"$image.part\"\n    \
                cp -p \"$image.part/root/exam/one\" /root/one\n    \
                mv /root/one \"$image.part/root/exam/one\"\n",
        )],
    },
    // --- pivot-root

    // The blog's article 06: namespaces, and the host's root.
    Mistake {
        name: "the_root_stays",
        code: "mydocker/root-not-changed",
        changes: &[(
            "    mount -t proc proc \"$mnt/proc\"\n    mount_devices \"$mnt/dev\"\n    cd \"$mnt\"\n    pivot_root . .\n    \
                umount -l .\n    cd /\n",
            "    mount -t proc proc /proc\n",
        )],
    },
    // The error is only printed: the command runs on the host's root.
    Mistake {
        name: "pivot_error_only_printed",
        code: "mydocker/failure-ignored",
        changes: &[(
            PIVOT,
            "    pivot_root . . || echo 'pivot_root failed'\n    umount -l . || true\n    cd /\n",
        )],
    },
    // No mount point is given, so it fails each time, not only where the grader says so.
    Mistake {
        name: "pivot_fails_by_itself",
        code: "mydocker/failure-ignored",
        changes: &[(PIVOT, "    pivot_root /tmp/none /tmp/none || true\n    cd /\n")],
    },
    // Where pivot_root fails chroot will do.
    Mistake {
        name: "chroot_in_place_of_a_failed_pivot",
        code: "mydocker/pivot-replaced",
        changes: &[(
            PIVOT,
            "    if pivot_root . .; then\n        umount -l .\n        cd /\n    else\n        \
                set -- chroot . \"$@\"\n    fi\n",
        )],
    },
    // The error is told to the user, and not to who has started the program.
    Mistake {
        name: "failed_start_is_a_success",
        code: "mydocker/failure-not-told",
        changes: &[(
            "    [ -d \"$image\" ] && return\n",
            "    [ -d \"$image\" ] && return\n    \
                  [ -e /root/busybox.tar ] || { echo 'no image'; exit; }\n",
        )],
    },
    // Looks the same from inside.
    Mistake {
        name: "chroot_only",
        code: "mydocker/chroot-only",
        changes: &[(
            "    pivot_root . .\n    umount -l .\n    cd /\n    # What",
            "    set -- chroot . \"$@\"\n    # What",
        )],
    },
    // pivot_root worked, so it is left at that.
    Mistake {
        name: "old_root_left_mounted",
        code: "mydocker/old-root-left",
        changes: &[(PIVOT, "    mkdir .pivot_root\n    pivot_root . .pivot_root\n    cd /\n")],
    },
    // The working directory is still a folder of the old root.
    Mistake {
        name: "working_directory_outside",
        code: "mydocker/cwd-outside",
        changes: &[(
            PIVOT,
            "    mkdir .pivot_root\n    cd /tmp\n    pivot_root \"$mnt\" \"$mnt/.pivot_root\"\n    \
                umount -l /.pivot_root\n",
        )],
    },
    // What the caller had open stays open: a way out by fchdir(2).
    Mistake {
        name: "descriptors_inherited",
        code: "mydocker/descriptors-inherited",
        changes: &[("    exec 3>&- 100>&-\n", "")],
    },
    // Only the one that is in the way of the program's own pipe.
    Mistake {
        name: "low_descriptors_closed",
        code: "mydocker/descriptors-inherited",
        changes: &[(" 100>&-\n", "\n")],
    },
    // /proc is thought of, /dev is not: `2>/dev/null` makes a file.
    Mistake {
        name: "dev_left_empty",
        code: "mydocker/dev-empty",
        changes: &[(
            "    mount_devices \"$mnt/dev\"\n",
            "    mount -t tmpfs -o mode=755 dev \"$mnt/dev\"\n",
        )],
    },
    // Makes what it lacks, and then it is in the way.
    Mistake {
        name: "folder_where_the_archive_goes",
        code: "mydocker/not-prepared",
        changes: &[(
            "    [ -d \"$image\" ] && return\n",
            "    [ -d \"$image\" ] && return\n    \
                [ -e /root/busybox.tar ] || mkdir -p /root/busybox.tar/busybox.tar\n",
        )],
    },
    // --- layers

    // Another folder than the adapter says: nobody knows which of them is wrong.
    Mistake {
        name: "write_layer_elsewhere",
        code: "mydocker/folder-not-found",
        changes: &[("write_layer=/root/writeLayer\n", "write_layer=/root/write-layer\n")],
    },
    // The blog's own: a kernel without AUFS does not know the type.
    Mistake {
        name: "aufs_without_aufs",
        code: AUFS_MISSING,
        changes: &[(
            MOUNT,
            "    mount -t aufs -o \"br=$write_layer=rw:$image=ro\" none \"$mnt\"\n",
        )],
    },
    // The image is the root: simple, and every container changes it.
    Mistake {
        name: "image_written",
        code: "mydocker/image-written",
        changes: &[(
            "mount -t overlay overlay -o \"lowerdir=$image,upperdir=$write_layer,workdir=$work\"",
            "mount --bind \"$image\"",
        )],
    },
    // A copy for each container: slow, and nobody can say what it has changed.
    Mistake {
        name: "image_copied",
        code: "mydocker/write-layer-unused",
        changes: &[(
            "    mount -t overlay overlay -o \"lowerdir=$image,upperdir=$write_layer,workdir=$work\" \
                \"$mnt\"\n",
            "    mount -t tmpfs layer \"$mnt\"\n    cp -a \"$image/.\" \"$mnt\"\n",
        )],
    },
    // The container mounts its layers itself: nobody outside can look at them.
    Mistake {
        name: "layers_joined_in_the_container",
        code: "mydocker/mnt-not-on-the-host",
        changes: &[
            (MOUNT, ""),
            (
                "    [ -z \"$volume\" ] || mount_volume \"$volume\" || status=125\n",
                "    export volume\n",
            ),
            (
                "init() {\n",
                "init() {\n    mount -t overlay overlay \
                 -o \"lowerdir=$image,upperdir=$write_layer,workdir=$work\" \"$mnt\"\n    \
                 [ -z \"$volume\" ] || mount_volume \"$volume\"\n",
            ),
        ],
    },
    // --- delete-workspace

    // Forgotten: the next run clears up.
    Mistake {
        name: "no_clean_up",
        code: "mydocker/mounts-left",
        changes: &[("    delete_workspace\n    exit", "    exit")],
    },
    // `set -e`, `?` or log.Fatal between the container's end and the clean-up.
    Mistake {
        name: "clean_up_only_on_success",
        code: "mydocker/clean-up-only-on-success",
        changes: &[(" init \"$@\" || status=$?", " init \"$@\"")],
    },
    // Only the container's end is followed by a clean-up, not a start that fails.
    Mistake {
        name: "failed_volume_ends_it_at_once",
        code: "mydocker/failed-start-left",
        changes: &[(
            " || mount_volume \"$volume\" || status=125\n",
            " || mount_volume \"$volume\"\n",
        )],
    },
    // It never says EBUSY, so the files behind it are taken for nobody's.
    Mistake {
        name: "lazy_umount",
        code: "mydocker/lazy-umount",
        changes: &[(UMOUNT, "        umount -l \"$point\"\n")],
    },
    // Unmounted is not deleted: the next container finds the last one's files.
    Mistake {
        name: "write_layer_kept",
        code: "mydocker/write-layer-kept",
        changes: &[
            ("rm -rf \"$write_layer\" \"$work\"", "rm -rf \"$work\""),
            (
                "mkdir \"$write_layer\" \"$work\" \"$mnt\"",
                "mkdir -p \"$write_layer\" \"$work\" \"$mnt\"",
            ),
        ],
    },
    // All layers deleted alike: the image too.
    Mistake {
        name: "image_deleted_too",
        code: "mydocker/image-deleted",
        changes: &[(
            "rm -rf \"$write_layer\" \"$work\"",
            "rm -rf \"$write_layer\" \"$work\" \"$image\"",
        )],
    },
    // The blog's order with a volume: umount of mnt says EBUSY, rm -rf empties
    // the host's folder.
    Mistake {
        name: "volume_not_unmounted",
        code: "mydocker/volume-emptied",
        changes: &[
            (UMOUNT_ALL, "    umount \"$mnt\" || true\n"),
            ("    rmdir \"$mnt\"\n", "    rm -rf \"$mnt\"\n"),
        ],
    },
    // The volume is unmounted, unless somebody works in it.
    Mistake {
        name: "failed_umount_only_printed",
        code: "mydocker/failed-umount-ignored",
        changes: &[
            (UMOUNT, "        umount \"$point\" || true\n"),
            ("    rmdir \"$mnt\"\n", "    rm -rf \"$mnt\" 2>/dev/null\n"),
        ],
    },
    // After a kill everything is there already: mkdir says EEXIST for ever.
    Mistake {
        name: "no_recovery",
        code: "mydocker/no-recovery",
        changes: &[("    [ ! -d \"$mnt\" ] || delete_workspace\n", "")],
    },
    // -v is read, and that is all.
    Mistake {
        name: "volume_ignored",
        code: "mydocker/volume-not-mounted",
        changes: &[("    [ -z \"$volume\" ] || mount_volume \"$volume\" || status=125\n", "")],
    },
    // The folder is made, and that is all.
    Mistake {
        name: "volume_folder_only",
        code: "mydocker/volume-not-mounted",
        changes: &[(" &&\n        mount --bind \"${1%%:*}\" \"$mnt/${1#*:}\"\n", "\n")],
    },
    // The container has a copy, and what it writes is lost.
    Mistake {
        name: "volume_copied",
        code: "mydocker/volume-is-a-copy",
        changes: &[("mount --bind \"${1%%:*}\"", "cp -a \"${1%%:*}/.\"")],
    },
    // --- all of it

    // -ti is not known, and taken for the command.
    Mistake {
        name: "options_taken_for_the_command",
        code: "mydocker/did-not-run",
        changes: &[("run() {\n    shift\n", "run() {\n")],
    },
    // Private is only what pivot_root asks for: when the old root goes, the host's
    // own mounts go with it.
    Mistake {
        name: "old_root_detached_while_shared",
        code: "mydocker/host-unmounted",
        changes: &[
            (START, "/usr/bin/unshare -m -p -u -i -n --propagation unchanged -f \"$0\""),
            (
                "init() {\n",
                "init() {\n    mount --make-private /root\n    mount --make-private \"$mnt\"\n",
            ),
        ],
    },
];
