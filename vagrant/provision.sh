#!/usr/bin/env bash
# Makes a Debian or an Ubuntu ready for the labs, the runtime and the book. It can
# be run again, does only what is missing, and says what it does.
#
#   sudo vagrant/provision.sh [CHECKOUT [USER [EXTRA…]]]
#
# CHECKOUT: where this repository is; USER: who works in it; EXTRA: `book` to
# have the book served on port 3000, `aufs` to have the kernel's AUFS.
# `vagrant up` does this in the VM; it works on any other Debian or Ubuntu too.
set -euo pipefail
checkout=${1:-$(cd "$(dirname "$0")/.." && pwd)}
user=${2:-${SUDO_USER:-root}}
extras=("${@:3}")
home=$(getent passwd "$user" | cut -d: -f6)

say() { echo "== $*"; }
fail() {
    echo "vagrant/provision.sh: $1" >&2
    echo "  do: $2" >&2
    exit 1
}
has_extra() { [[ " ${extras[*]} " = *" $1 "* ]]; }
as_user() { if [ "$user" = root ]; then "$@"; else sudo -H -u "$user" env "PATH=$PATH" "$@"; fi; }

[ "$(id -u)" = 0 ] || fail "it installs packages, and needs root" "sudo $0"
command -v apt-get >/dev/null || fail "no apt-get here: this is for Debian and Ubuntu" \
    "install Rust, gcc, a static busybox, strace and git yourself; then scripts/test says what is missing"
[ -n "$home" ] || fail "no user $user here" "name another: sudo $0 $checkout USER"

packages=(acl ca-certificates curl gcc libc6-dev git busybox-static strace util-linux procps sudo)
missing=()
for package in "${packages[@]}"; do
    dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
    say "installing ${missing[*]}"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
else
    say "all packages are there"
fi

# Rust for the user; and for root the same one, so that sudo finds it.
wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' "$checkout/Cargo.toml")
PATH=$home/.cargo/bin:/usr/local/cargo/bin:$PATH
is_new_enough() {
    local version
    version=$(as_user rustc --version 2>/dev/null | cut -d' ' -f2)
    [ -n "$version" ] && [ "$(printf '%s\n' "$wanted" "$version" | sort -V | head -n 1)" = "$wanted" ]
}
if is_new_enough; then
    say "$(as_user rustc --version) is there"
else
    say "installing Rust with rustup, for $user"
    curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs |
        as_user sh -s -- -y -q --profile minimal --component clippy,rustfmt >/dev/null ||
        fail "Rust could not be fetched" "install Rust $wanted or later for $user yourself, then run this again"
fi
slowness=1
# Its answer is kvm where the processor is a real one.
if [ "$(systemd-detect-virt 2>/dev/null)" = qemu ]; then slowness=6; fi
cat >/etc/profile.d/mydocker-labs.sh <<END
# Rust, also for root: sudo -i, then cargo lab.
export PATH="$home/.cargo/bin:/usr/local/cargo/bin:\$PATH"
export RUSTUP_HOME="\${RUSTUP_HOME:-$home/.rustup}"
# How many times as slow as usual this machine is, which the labs allow for.
export LABKIT_SLOWNESS=$slowness
END

# What is built stays in the VM, on a file system that has hard links and locks;
# root and the user can both build. What root makes there, the user may replace.
built=/var/lib/mydocker-labs
for folder in target .lab; do
    install -d -o "$user" "$built/$folder"
    setfacl -m "u:$user:rwX,d:u:$user:rwX" "$built/$folder"
    as_user mkdir -p "$checkout/$folder"
    mountpoint -q "$checkout/$folder" || {
        say "$checkout/$folder is $built/$folder"
        mount --bind "$built/$folder" "$checkout/$folder"
    }
    entry="$built/$folder $checkout/$folder none bind,nofail,x-systemd.requires-mounts-for=$checkout 0 0"
    grep -qxF "$entry" /etc/fstab || echo "$entry" >>/etc/fstab
done

# In the labs an ordinary user makes user namespaces.
settings=/etc/sysctl.d/90-mydocker-labs.conf
install -d /etc/sysctl.d
: >"$settings"
for setting in kernel/unprivileged_userns_clone=1 kernel/apparmor_restrict_unprivileged_userns=0; do
    [ ! -e "/proc/sys/${setting%=*}" ] || echo "$setting" >>"$settings"
done
if [ -s "$settings" ]; then
    say "user namespaces for ordinary users: $(tr '\n' ' ' <"$settings")"
    sysctl -q -p "$settings"
fi

if has_extra aufs; then
    if ! modprobe aufs 2>/dev/null; then
        say "installing AUFS for $(uname -r)"
        apt-get update -qq
        apt-get install -y -qq --no-install-recommends "linux-modules-extra-$(uname -r)" >/dev/null
        modprobe aufs || fail "the kernel $(uname -r) has no AUFS" "use Ubuntu 20.04 with its kernel 5.4"
    fi
    echo aufs >/etc/modules-load.d/aufs.conf
    say "AUFS is there"
fi

if has_extra book; then
    say "the book is served at http://localhost:3000 (systemctl status mydocker-labs-book)"
    cat >/etc/systemd/system/mydocker-labs-book.service <<END
[Unit]
Description=The book of mydocker-labs
RequiresMountsFor=$checkout/target

[Service]
User=$user
ExecStart=/bin/bash -lc 'exec "$checkout/scripts/book" serve --hostname 0.0.0.0 --port 3000'

[Install]
WantedBy=multi-user.target
END
    systemctl daemon-reload
    systemctl enable -q --now mydocker-labs-book
fi

say "ready: cd $checkout, then scripts/run, cargo lab or scripts/test; the same as root: sudo -i"
