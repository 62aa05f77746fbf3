/* The least that `mydocker run` could do: the same mounts, masks and clean-up
 * as root, the same clone, and nothing to choose, check, report or explain.
 *
 *   minimum LOWERDIR CONTAINERS COMMAND
 *
 * LOWERDIR: the image's layers as overlay takes them, the topmost first.
 * CONTAINERS: the folder in which the container's own folder is made.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#define MUST(call) do { if ((call) < 0) { perror(#call); exit(125); } } while (0)

static const unsigned long HIDDEN = MS_NOSUID | MS_NODEV | MS_NOEXEC;

static void write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    MUST(fd);
    MUST(write(fd, text, strlen(text)));
    close(fd);
}

static void make_layers(void)
{
    MUST(mkdir("init-layer", 0755));
    MUST(mkdir("work", 0755));
    MUST(mkdir("mnt", 0755));
    MUST(mkdir("write-layer", 0755));
    MUST(mkdir("init-layer/etc", 0755));
    write_file("init-layer/etc/hostname", "minimum\n");
    write_file("init-layer/etc/hosts", "127.0.0.1\tlocalhost\n127.0.1.1\tminimum\n");
    write_file("init-layer/etc/resolv.conf", "nameserver 127.0.0.1\n");
    MUST(symlink("/proc/mounts", "init-layer/etc/mtab"));
}

static void make_dev(void)
{
    static const struct { const char *path; int major, minor; } nodes[] = {
        {"/dev/null", 1, 3},   {"/dev/zero", 1, 5},    {"/dev/full", 1, 7},
        {"/dev/random", 1, 8}, {"/dev/urandom", 1, 9}, {"/dev/tty", 5, 0},
    };
    static const char *links[][2] = {
        {"/proc/self/fd", "/dev/fd"},         {"/proc/self/fd/0", "/dev/stdin"},
        {"/proc/self/fd/1", "/dev/stdout"},   {"/proc/self/fd/2", "/dev/stderr"},
        {"/proc/kcore", "/dev/core"},         {"pts/ptmx", "/dev/ptmx"},
    };
    umask(0);
    MUST(mount("tmpfs", "/dev", "tmpfs", MS_NOSUID | MS_NOEXEC, "mode=755,size=65536k"));
    for (size_t i = 0; i < sizeof nodes / sizeof *nodes; i++)
        MUST(mknod(nodes[i].path, S_IFCHR | 0666, makedev(nodes[i].major, nodes[i].minor)));
    for (size_t i = 0; i < sizeof links / sizeof *links; i++)
        MUST(symlink(links[i][0], links[i][1]));
    MUST(mkdir("/dev/pts", 0755));
    MUST(mount("devpts", "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC,
               "newinstance,ptmxmode=0666,mode=620"));
    MUST(mkdir("/dev/shm", 0755));
    MUST(mount("shm", "/dev/shm", "tmpfs", HIDDEN, "mode=1777,size=65536k"));
    umask(022);
}

static void mask_and_protect(void)
{
    static const char *masked[] = {
        "/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore", "/proc/keys",
        "/proc/latency_stats", "/proc/sched_debug", "/proc/scsi", "/proc/timer_list",
        "/proc/timer_stats", "/sys/devices/virtual/powercap", "/sys/firmware",
        "/sys/fs/selinux", "/sys/kernel/security",
    };
    static const char *protected[] = {
        "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger",
    };
    const char *empty = NULL;
    struct stat there;
    for (size_t i = 0; i < sizeof masked / sizeof *masked; i++) {
        if (stat(masked[i], &there) < 0)
            continue;
        if (!S_ISDIR(there.st_mode)) {
            MUST(mount("/dev/null", masked[i], NULL, MS_BIND, NULL));
        } else if (empty) {
            MUST(mount(empty, masked[i], NULL, MS_BIND, NULL));
        } else {
            empty = masked[i];
            MUST(mount("tmpfs", empty, "tmpfs", MS_RDONLY | HIDDEN, "size=0"));
        }
    }
    for (size_t i = 0; i < sizeof protected / sizeof *protected; i++) {
        if (stat(protected[i], &there) < 0)
            continue;
        MUST(mount(protected[i], protected[i], NULL, MS_BIND | MS_REC, NULL));
        MUST(mount(NULL, protected[i], NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | HIDDEN, NULL));
    }
    MUST(mount(NULL, "/dev", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NOEXEC, NULL));
}

static void drop_capabilities(void)
{
    const unsigned kept = 0xa80425fb;
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct sets[2] = {{kept, kept, 0}, {0, 0, 0}};
    for (int bit = 0; bit < 64; bit++)
        if ((bit > 31 || !(kept >> bit & 1)) && prctl(PR_CAPBSET_DROP, bit, 0, 0, 0) < 0)
            break;
    MUST(syscall(SYS_capset, &header, sets));
    MUST(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
}

static void container(char **command)
{
    struct ifreq lo = {.ifr_name = "lo"};
    char *environment[] = {"PATH=/bin", "HOME=/root", "HOSTNAME=minimum", NULL};
    int fd;
    MUST(prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0));
    MUST(mount(NULL, "/", NULL, MS_PRIVATE | MS_REC, NULL));
    MUST(chdir("mnt"));
    MUST(syscall(SYS_pivot_root, ".", "."));
    MUST(mount("proc", "/proc", "proc", HIDDEN, NULL));
    MUST(mount("sysfs", "/sys", "sysfs", MS_RDONLY | HIDDEN, NULL));
    MUST(umount2(".", MNT_DETACH));
    MUST(chdir("/"));
    make_dev();
    MUST(sethostname("minimum", 7));
    MUST(fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    lo.ifr_flags = IFF_UP | IFF_RUNNING;
    MUST(ioctl(fd, SIOCSIFFLAGS, &lo));
    setsid();
    MUST(fd = open("/dev/null", O_RDONLY | O_CLOEXEC));
    MUST(dup2(fd, 0));
    mask_and_protect();
    drop_capabilities();
    syscall(SYS_close_range, 3, ~0U, 0);
    execve(command[0], command, environment);
    perror(command[0]);
    _exit(127);
}

int main(int count, char **arguments)
{
    char folder[4096], options[65536];
    int status = 0;
    pid_t child;
    if (count < 4)
        return 125;
    umask(022);
    snprintf(folder, sizeof folder, "%s/%d", arguments[2], getpid());
    MUST(mkdir(folder, 0700));
    MUST(chdir(folder));
    int lock = open("lock", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    MUST(lock);
    MUST(flock(lock, LOCK_EX));
    make_layers();
    snprintf(options, sizeof options,
             "lowerdir=init-layer:%s,upperdir=write-layer,workdir=work,index=off,"
             "redirect_dir=off,metacopy=off,volatile", arguments[1]);
    MUST(mount("overlay", "mnt", "overlay", MS_NODEV, options));
    child = syscall(SYS_clone, CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC |
                    CLONE_NEWNET | SIGCHLD, 0, 0, 0, 0);
    MUST(child);
    if (child == 0)
        container(arguments + 3);
    MUST(waitpid(child, &status, 0));
    MUST(umount2("mnt", 0));

    static const char *files[] = {
        "init-layer/etc/hostname", "init-layer/etc/hosts", "init-layer/etc/resolv.conf",
        "init-layer/etc/mtab", "work/work/incompat/volatile/dirty", "lock",
    };
    static const char *folders[] = {
        "write-layer", "work/work/incompat/volatile", "work/work/incompat", "work/work",
        "work", "init-layer/etc", "init-layer", "mnt",
    };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        MUST(unlink(files[i]));
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
        MUST(rmdir(folders[i]));
    MUST(rmdir(folder));
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
