#!/bin/busybox sh
# A mydocker whose containers go on in the background: it keeps the promises of the
# stages that come after the lab.
#
#   mydocker load NAME TAR
#   mydocker run -d NAME [-v HOST:CONTAINER] IMAGE COMMAND [ARGUMENT…]
#   mydocker exec NAME COMMAND [ARGUMENT…]
#   mydocker commit NAME IMAGE
#
# An image is a folder in $images, a container one in $boxes: its layers, and the PID of
# its command while that runs.
set -eu
images=/root/images
boxes=/root/boxes

load() {
    mkdir -p "$images"
    mkdir "$images/$1"
    tar -xpf "$2" -C "$images/$1"
}

run() {
    name=$2
    shift 2
    volume=
    if [ "$1" = -v ]; then
        volume=$2
        shift 2
    fi
    image=$images/$1
    box=$boxes/$name
    shift
    [ -d "$image" ] || fail "no image $image"
    mkdir -p "$boxes"
    mkdir "$box" "$box/rw" "$box/work" "$box/mnt"
    mount -t overlay overlay -o "lowerdir=$image,upperdir=$box/rw,workdir=$box/work" "$box/mnt"
    if [ -n "$volume" ]; then
        mkdir -p "$box/mnt/${volume#*:}"
        mount --bind "${volume%%:*}" "$box/mnt/${volume#*:}"
    fi
    # It goes on when this command has ended; who asks for its PID waits until there is one.
    mkfifo "$box/begun"
    in_background "$box" "$@" <"/dev/null" >"$box/log" 2>&1 &
    read -r begun <"$box/begun"
    [ "$begun" = yes ] || fail "the container does not start"
}

in_background() {
    unshare -m -p -u -i -n --propagation private -f "$0" init "$@" || true
    rm -f "$1/pid"
}

# A /dev of the container's own, with what every program counts on.
mount_devices() {
    mount -t tmpfs -o mode=755 dev "$1"
    for device in null zero full random urandom; do
        : >"$1/$device"
        mount --bind "/dev/$device" "$1/$device"
    done
    ln -s /proc/self/fd "$1/fd"
}

# The first process of the container: it becomes the command.
init() {
    box=$1
    shift
    # The host's /proc still tells the PID on the host.
    read -r pid rest </proc/self/stat
    echo "$pid" >"$box/pid"
    exec 3>&- 100>&-
    mount -t proc proc "$box/mnt/proc"
    mount_devices "$box/mnt/dev"
    echo yes >"$box/begun"
    cd "$box/mnt"
    pivot_root . .
    umount -l .
    cd /
    exec env -i PATH=/bin:/sbin:/usr/bin:/usr/sbin HOME=/root "$@"
}

exec_in() {
    box=$boxes/$1
    shift
    [ -e "$box/pid" ] || fail "no container runs in $box"
    read -r pid <"$box/pid"
    # It may have ended a moment ago.
    [ -e "/proc/$pid/ns/mnt" ] || fail "the container has ended"
    exec 3>&- 100>&-
    exec nsenter -t "$pid" -m -p -u -i -n env -i PATH=/bin:/sbin:/usr/bin:/usr/sbin HOME=/root "$@"
}

# All of the container's files, but none of what is mounted in it, become an image: whole,
# or not at all.
commit() {
    box=$boxes/$1
    image=$images/$2
    [ -d "$box/mnt" ] || fail "no container $box"
    [ ! -e "$image" ] || fail "there is an image $image"
    rm -rf "$image.part" "$image.tar" "$image.view"
    mkdir "$image.part" "$image.view"
    status=0
    unshare -m --propagation private "$0" copy "$box/mnt" "$image" || status=$?
    rm -rf "$image.tar" "$image.view"
    if [ "$status" != 0 ]; then
        rm -rf "$image.part"
        fail "the image cannot be written"
    fi
    mv "$image.part" "$image"
}

# In a mount namespace of its own: a bind mount shows what other mounts hide.
copy() {
    mount --bind "$1" "$2.view"
    tar -cf "$2.tar" -C "$2.view" .
    tar -xpf "$2.tar" -C "$2.part"
}

fail() {
    echo "mydocker: $1" >&2
    exit 125
}

command=$1
shift
case $command in
    exec) exec_in "$@" ;;
    *) "$command" "$@" ;;
esac
