//! What a container can try. A file is only opened for writing and never
//! written to, for it could be the host's.

use super::Attempt;

pub fn attempts() -> Vec<Attempt> {
    vec![
        Attempt::new(
            "go up from the root",
            "cd / && for i in 1 2 3 4 5 6 7 8 9; do cd ..; done; test -e .$SECRET/canary || echo still inside",
            "still inside",
        ),
        Attempt {
            options: &["--privileged"],
            ..Attempt::new(
                "the breakout from a chroot, with all capabilities",
                "mkdir /jail && mount -o bind / /jail && mount -t proc proc /jail/proc && exec 9</ &&
                 exec chroot /jail sh -c 'cd -P /proc/self/fd/9/ && for i in 1 2 3 4 5 6 7 8 9; do cd -P ..; done
                 chroot . test -d jail && echo out of the jail; chroot . test -e $SECRET || echo still inside'",
                "out of the jail; still inside",
            )
        },
        Attempt::new(
            "/proc/PID/root and cwd of every process",
            "for p in /proc/[0-9]*; do for f in root cwd; do
                 test -e $p/$f$SECRET/canary && echo ESCAPED; test -e $p/$f/../../../..$SECRET/canary && echo ESCAPED
             done; done; echo nothing",
            "nothing",
        ),
        Attempt::new(
            "see the parent, or any process of the host",
            "grep PPid: /proc/self/status | grep -qw 1 || grep -q 'PPid:.0' /proc/1/status && echo no parent
             test -e /proc/$OUTSIDE/mem || echo not there; kill -0 $OUTSIDE 2>/dev/null || echo no such process",
            "no parent; not there; no such process",
        ),
        Attempt::new(
            "descriptors that were open in the caller",
            "for fd in /proc/1/fd/*; do readlink $fd; done | grep -c $SECRET; cd -P /proc/self/fd/7 2>/dev/null || echo closed",
            "0; closed",
        ),
        Attempt::new(
            "a mount",
            "mount -t tmpfs x /tmp 2>/dev/null || echo refused; mount -o bind / /tmp 2>/dev/null || echo refused",
            "refused; refused",
        ),
        Attempt::new(
            "unmount what protects /proc and /sys",
            "for m in $(cut -d' ' -f5 /proc/self/mountinfo); do umount -l $m 2>/dev/null && echo $m; done; echo none",
            "none",
        ),
        Attempt::new(
            "make /proc/sys, /sys and a volume writable",
            "for m in /proc/sys /sys /volume; do mount -o remount,bind,rw $m 2>/dev/null && echo $m; done; echo none",
            "none",
        ),
        Attempt::new(
            "a user namespace in the container, to unmount or to mount /proc afresh",
            "unshare -Urmpf sh -c 'for m in $(cut -d\" \" -f5 /proc/self/mountinfo); do umount -l $m && echo $m; done
             for m in /proc/sys /sys /volume; do mount -o remount,bind,rw $m && echo $m; done
             mount -t proc p /tmp && echo /tmp; true' 2>/dev/null
             echo none",
            "none",
        ),
        Attempt::new(
            "make the device of a disk, and read it",
            "for at in / /tmp /dev /dev/shm /etc; do
                 mknod $at/disk b 8 0; mknod $at/memory c 1 1
                 head -c1 $at/disk && echo ESCAPED; head -c1 $at/memory && echo ESCAPED
             done 2>/dev/null; echo nothing",
            "nothing",
        ),
        Attempt::new(
            "devices of the kernel",
            "for d in mem kmem kmsg port sda vda loop0 loop-control fuse kvm net/tun; do test -e /dev/$d && echo $d; done; echo none",
            "none",
        ),
        Attempt::new(
            "knobs of the kernel, opened for writing",
            "cd /proc; for f in sys/kernel/core_pattern sys/kernel/modprobe sys/vm/drop_caches sysrq-trigger \\
                 irq/*/smp_affinity bus/pci/*/* fs/*/* kcore /sys/kernel/uevent_helper /sys/power/state \\
                 /sys/kernel/mm/*/* /sys/fs/cgroup/release_agent /sys/fs/cgroup/cgroup.procs; do
                 test -f $f && (: >>$f) 2>/dev/null && echo $f; done; echo none",
            "none",
        ),
        Attempt::new(
            "what the kernel's tables say of the host",
            "for f in /proc/kcore /proc/keys /proc/timer_list /proc/interrupts /proc/latency_stats; do
                 test -s $f && head -c1 $f; done 2>/dev/null; ls /sys/firmware /sys/kernel/security 2>/dev/null | grep -v ':\\|^$'; echo nothing",
            "nothing",
        ),
        Attempt::new(
            "capabilities beyond docker's, and a program that would give some",
            "grep CapEff /proc/self/status; grep NoNewPrivs /proc/self/status",
            "CapEff:\t00000000a80425fb; NoNewPrivs:\t1",
        ),
        Attempt {
            layers: |_| vec![harness::image_tar::Layer::new().file("evil", 0o755, "#!/proc/self/exe\n")],
            ..Attempt::new(
                "execute and overwrite /proc/self/exe (CVE-2019-5736)",
                "(: >>/proc/1/exe) 2>/dev/null; /evil --help >/dev/null 2>&1; exec 3</proc/self/exe
                 (: >>/proc/self/fd/3) 2>/dev/null; readlink /proc/1/exe /proc/self/exe | grep -c mydocker; echo own programs",
                "0; own programs",
            )
        },
        Attempt {
            options: &["--privileged"],
            ..Attempt::new(
                "the same with all capabilities",
                "(: >>/proc/1/exe) 2>/dev/null; readlink /proc/1/exe | grep -c mydocker; echo own programs",
                "0; own programs",
            )
        },
        Attempt::new(
            "variables of the caller",
            "cat /proc/*/environ | tr '\\0' '\\n' | grep -c OF_THE_HOST; echo none",
            "0; none",
        ),
        Attempt::new(
            "write to the image",
            "echo dead >/bin/busybox; echo dead >/etc/passwd; rm -rf /etc/group /home; echo written above it",
            "written above it",
        ),
        Attempt::new(
            "interfaces of the host's network",
            "ls /sys/class/net",
            "lo",
        ),
    ]
}
