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
        Attempt::new(
            "the filter of calls",
            "grep Seccomp: /proc/self/status",
            "Seccomp:\t2",
        ),
        Attempt::new(
            "namespaces of every kind",
            "for n in U m p u i n; do unshare -$n true 2>/dev/null && echo $n; done; echo none",
            "none",
        ),
        Attempt::new(
            "enter a namespace by its file",
            "for n in m u i n p; do nsenter -t 1 -$n true 2>/dev/null && echo $n; done; echo none",
            "none",
        ),
        Attempt::new(
            "mount the control groups, to lift a limit",
            "mkdir /tmp/cg; for c in memory pids cpu devices freezer; do mount -t cgroup -o $c c /tmp/cg 2>/dev/null && echo $c; done
             mount -t cgroup2 c /tmp/cg 2>/dev/null && echo v2; echo none",
            "none",
        ),
        Attempt::new(
            "name another container's control group",
            "grep -c mydocker /proc/self/cgroup; echo none",
            "0; none",
        ),
        Attempt::new(
            "pivot the root once more",
            "cd /tmp; pivot_root . . 2>/dev/null && echo pivoted; echo none",
            "none",
        ),
        Attempt::new(
            "the caller's terminal and files, by the standard streams",
            "for n in 0 1 2; do test -f /proc/1/fd/$n && echo file $n; test -t $n && echo terminal $n; done; echo none",
            "none",
        ),
        Attempt::new(
            "another host name",
            "hostname evil 2>/dev/null && echo changed; echo none",
            "none",
        ),
        Attempt::new(
            "the kernel's log",
            "dmesg >/dev/null 2>&1 && echo read; echo none",
            "none",
        ),
        Attempt::new(
            "a module of its own",
            "insmod /bin/busybox 2>/dev/null && echo loaded; modprobe dummy 2>/dev/null && echo loaded; echo none",
            "none",
        ),
        Attempt::new(
            "swap to a file of its own",
            "swapon /bin/busybox 2>/dev/null && echo on; echo none",
            "none",
        ),
        Attempt::new(
            "a loop device",
            "losetup /dev/loop0 /bin/busybox 2>/dev/null && echo bound; echo none",
            "none",
        ),
        Attempt::new(
            "an interface of the network",
            "ip link add evil type dummy 2>/dev/null && echo made; echo none",
            "none",
        ),
        Attempt::new(
            "the root of PID 1 as a new root",
            "chroot /proc/1/root test -e $SECRET/canary && echo ESCAPED; chroot /proc/1/cwd true 2>/dev/null; echo still inside",
            "still inside",
        ),
        Attempt::new(
            "files in /dev",
            "for f in /dev/new /dev/null/new /dev/pts/new; do (: >$f) 2>/dev/null && echo $f; done; echo none",
            "none",
        ),
        Attempt::new(
            "make /dev writable",
            "mount -o remount,bind,rw /dev 2>/dev/null && echo writable; echo none",
            "none",
        ),
        Attempt::new(
            "put another file in the place of /dev/null",
            "rm -f /dev/null 2>/dev/null; mv /dev/null /dev/shm/null 2>/dev/null; test -c /dev/null && echo still there",
            "still there",
        ),
        Attempt::new(
            "variables of the kernel",
            "sysctl -w kernel.core_pattern=evil >/dev/null 2>&1 && echo set; sysctl -w vm.overcommit_memory=1 >/dev/null 2>&1 && echo set; echo none",
            "none",
        ),
        Attempt::new(
            "memory that the host shares",
            "ls /dev/shm /dev/mqueue 2>/dev/null | grep -v ':\\|^$' | wc -l; tail -n +2 /proc/sysvipc/shm | wc -l",
            "0; 0",
        ),
        Attempt::new(
            "a higher priority",
            "renice -n -20 -p 1 2>/dev/null && echo raised; chrt -f 50 true 2>/dev/null && echo real time; echo none",
            "none",
        ),
    ]
}
