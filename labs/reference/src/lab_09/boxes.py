#!/usr/bin/env python3
"""A third right program: in Python, with a name that it makes up for each container.

    boxes run [-v HOST:CONTAINER] COMMAND [ARGUMENT...]
    boxes sweep

All is below the working directory: image, and containers/NAME/{upper,work,mnt}.
"""

import ctypes
import os
import platform
import shutil
import signal
import sys
import uuid

MS_BIND, MS_REC, MS_PRIVATE, MNT_DETACH = 4096, 16384, 1 << 18, 2
NEW_MOUNTS, NEW_UTS, NEW_IPC, NEW_PIDS, NEW_NET = 1 << 17, 1 << 26, 1 << 27, 1 << 29, 1 << 30
PIVOT_ROOT = 155 if platform.machine() == "x86_64" else 41
DEVICES = ["null", "zero", "full", "random", "urandom"]
ENVIRONMENT = {"PATH": "/bin:/sbin:/usr/bin:/usr/sbin", "HOME": "/root"}

libc = ctypes.CDLL(None, use_errno=True)


def must(name, *arguments):
    """Makes a call of the C library; its error is an exception that names it."""
    arguments = [it.encode() if isinstance(it, str) else it for it in arguments]
    if getattr(libc, name)(*arguments) != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"{name}: {os.strerror(error)}")


def wait(pid):
    """The exit code of a process as a shell has it."""
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return 128 - code if code < 0 else code


def in_child(body):
    """Runs `body` in a process of its own, which it must not leave by an exception."""
    pid = os.fork()
    if pid == 0:
        try:
            os._exit(body())
        except OSError as error:
            print(error, file=sys.stderr, flush=True)
            os._exit(125)
    return wait(pid)


def begin(box, command):
    """The first process of the container: it becomes the command."""
    mnt = f"{box}/mnt"
    must("mount", None, "/", None, MS_REC | MS_PRIVATE, None)
    must("mount", "proc", f"{mnt}/proc", "proc", 0, None)
    must("mount", "dev", f"{mnt}/dev", "tmpfs", 0, "mode=755")
    for device in DEVICES:
        open(f"{mnt}/dev/{device}", "w").close()
        must("mount", f"/dev/{device}", f"{mnt}/dev/{device}", None, MS_BIND, None)
    os.chdir(mnt)
    must("syscall", PIVOT_ROOT, ".", ".")
    must("umount2", ".", MNT_DETACH)
    os.chdir("/")
    os.closerange(3, 1 << 20)
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    try:
        os.execvpe(command[0], command, ENVIRONMENT)
    except OSError as error:
        print(error, file=sys.stderr, flush=True)
        return 127 if isinstance(error, FileNotFoundError) else 126


def start(box, command):
    """Between: its children begin the new PID namespace."""
    must("unshare", NEW_MOUNTS | NEW_UTS | NEW_IPC | NEW_PIDS | NEW_NET)
    return in_child(lambda: begin(box, command))


def make(box, volume):
    for name in ["upper", "work", "mnt"]:
        os.makedirs(f"{box}/{name}")
    layers = f"lowerdir=image,upperdir={box}/upper,workdir={box}/work"
    must("mount", "overlay", f"{box}/mnt", "overlay", 0, layers)
    if volume:
        host, container = volume.split(":")
        os.makedirs(f"{box}/mnt{container}", exist_ok=True)
        must("mount", host, f"{box}/mnt{container}", None, MS_BIND, None)


def delete(box):
    """What cannot be unmounted stays, and so do the files."""
    with open("/proc/self/mountinfo") as table:
        points = [line.split()[4] for line in table]
    top = os.path.abspath(f"{box}/mnt")
    for point in reversed([it for it in points if it == top or it.startswith(f"{top}/")]):
        must("umount2", point, 0)
    shutil.rmtree(box)


def run(arguments):
    volume = None
    if arguments[0] == "-v":
        volume, arguments = arguments[1], arguments[2:]
    box = f"containers/{uuid.uuid4()}"
    try:
        make(box, volume)
        return in_child(lambda: start(box, arguments))
    finally:
        delete(box)


def sweep():
    """What killed runs have left."""
    for name in os.listdir("containers"):
        delete(f"containers/{name}")


if __name__ == "__main__":
    sys.exit(sweep() if sys.argv[1] == "sweep" else run(sys.argv[2:]))
