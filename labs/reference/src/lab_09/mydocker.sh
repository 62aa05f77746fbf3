#!/bin/busybox sh
# A mydocker in sh, in the blog's folders: it keeps every promise.
#
#   mydocker run -ti [-v HOST:CONTAINER] COMMAND [ARGUMENT…]
#
# The programs in mistakes/ are this one with one thing wrong.
set -eu

image=/root/busybox
write_layer=/root/writeLayer
work=/root/work
mnt=/root/mnt

# The archive becomes the image: whole, or not at all.
create_read_only_layer() {
    [ -d "$image" ] && return
    rm -rf "$image.part"
    mkdir "$image.part"
    tar -xpf /root/busybox.tar -C "$image.part"
    mv "$image.part" "$image"
}

create_mount_point() {
    mkdir "$write_layer" "$work" "$mnt"
    mount -t overlay overlay -o "lowerdir=$image,upperdir=$write_layer,workdir=$work" "$mnt"
}

mount_volume() {
    mkdir -p "$mnt/${1#*:}" &&
        mount --bind "${1%%:*}" "$mnt/${1#*:}"
}

# Everything that is mounted at mnt or below, the last first. What cannot be
# unmounted stays, and so do the files: the next run tries again.
delete_workspace() {
    cut -d ' ' -f 5 /proc/self/mountinfo | grep -E "^$mnt(/|\$)" | tac | while read -r point; do
        umount "$point"
    done
    rmdir "$mnt"
    rm -rf "$write_layer" "$work"
}

run() {
    shift
    volume=
    if [ "$1" = -v ]; then
        volume=$2
        shift 2
    fi
    [ ! -d "$mnt" ] || delete_workspace
    create_read_only_layer
    create_mount_point

    # A step that fails ends the start; the clean-up comes all the same.
    status=0
    [ -z "$volume" ] || mount_volume "$volume" || status=125
    [ "$status" != 0 ] || unshare -m -p -u -i -n --propagation private -f "$0" init "$@" || status=$?
    delete_workspace
    exit "$status"
}

# A /dev of the container's own, with what every program counts on.
mount_devices() {
    mount -t tmpfs -o mode=755 dev "$1"
    for device in null zero full random urandom; do
        : >"$1/$device"
        mount --bind "/dev/$device" "$1/$device"
    done
}

# The first process of the container: it becomes the command.
init() {
    mount -t proc proc "$mnt/proc"
    mount_devices "$mnt/dev"
    cd "$mnt"
    pivot_root . .
    umount -l .
    cd /
    # What the caller had open is not the container's.
    exec 3>&- 100>&-
    exec env -i PATH=/bin:/sbin:/usr/bin:/usr/sbin TERM="${TERM:-}" HOME=/root "$@"
}

"$@"
