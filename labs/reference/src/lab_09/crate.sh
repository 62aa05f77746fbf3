#!/bin/busybox sh
# shellcheck shell=dash
#
# Another right program, with other words and other folders: the example of
# 09-mydocker/adapters/README.md.
#
#   crate load IMAGE TAR
#   crate start [--mount HOST=CONTAINER] --id ID IMAGE -- COMMAND [ARGUMENT…]
#   crate sweep
set -eu
home=${CRATE_HOME:?}

load() {
    mkdir -p "$home/img"
    mkdir "$home/img/$1"
    tar -xpf "$2" -C "$home/img/$1"
}

start() {
    volume=
    if [ "$1" = --mount ]; then
        volume=$2
        shift 2
    fi
    id=$2
    image=$home/img/$3
    shift 4
    box=$home/run/$id
    mkdir -p "$home/run"
    mkdir "$box" "$box/rw" "$box/work" "$box/root"
    mount -t overlay overlay -o "lowerdir=$image,upperdir=$box/rw,workdir=$box/work" "$box/root"
    status=0
    if [ -n "$volume" ]; then
        { mkdir -p "$box/root${volume#*=}" &&
            mount --bind "${volume%%=*}" "$box/root${volume#*=}"; } || status=125
    fi
    [ "$status" != 0 ] || unshare -m -p -u -i -n --propagation private -f "$0" init "$box/root" "$@" || status=$?
    remove "$box"
    exit "$status"
}

# The first process of the container: it becomes the command.
init() {
    mount -t proc proc "$1/proc"
    mount -t tmpfs -o mode=755 dev "$1/dev"
    for device in null zero full random urandom; do
        : >"$1/dev/$device"
        mount --bind "/dev/$device" "$1/dev/$device"
    done
    cd "$1"
    shift
    pivot_root . .
    umount -l .
    cd /
    exec 3>&- 100>&-
    exec env -i PATH=/bin:/sbin:/usr/bin:/usr/sbin HOME=/root "$@"
}

remove() {
    cut -d ' ' -f 5 /proc/self/mountinfo | grep -E "^$1/root(/|\$)" | tac | while read -r point; do
        umount "$point"
    done
    rmdir "$1/root"
    rm -rf "$1"
}

# What killed runs have left.
sweep() {
    for box in "$home"/run/*; do
        [ ! -d "$box" ] || remove "$box"
    done
}

"$@"
