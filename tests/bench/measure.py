"""The tools that are measured, and how a run of each is timed."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent


class Bench:
    """The tools, and a directory in which they have everything they need."""

    def __init__(self, folder, mydocker):
        self.folder = folder
        self.mydocker = mydocker
        self.root = folder / "root"
        os.environ["MYDOCKER_ROOT"] = str(self.root)
        for program in ("minimum", "now"):
            source = HERE / f"{program}.c"
            call("cc", "-O2", "-static", "-o", folder / program, source)
        (folder / "containers").mkdir()
        self.prepare_image()
        self.prepare_bundle()

    def prepare_image(self):
        """busybox, with a program that tells when it has begun."""
        archive = self.folder / "busybox.tar"
        call(HERE.parent.parent / "scripts/busybox-image", archive)
        bin_folder = self.folder / "add/bin"
        bin_folder.mkdir(parents=True)
        shutil.copy(self.folder / "now", bin_folder)
        call("tar", "--append", "-f", archive, "-C", bin_folder.parent, "bin/now")
        call(self.mydocker, "image", "import", "busybox", archive)
        self.rootfs = self.root / "images/busybox/layers/00"

    def prepare_bundle(self):
        """The same container for runc and crun, as `runc spec` suggests it."""
        self.bundles = self.folder / "bundles"
        self.bundles.mkdir()
        call("runc", "spec", cwd=self.bundles)
        self.spec = json.loads((self.bundles / "config.json").read_text())
        self.spec["root"] = {"path": str(self.rootfs), "readonly": True}
        self.spec["process"]["terminal"] = False
        # The host may have no control group for them to limit.
        self.spec["linux"].pop("resources", None)

    def bundle(self, command):
        folder = self.bundles / command
        if not folder.exists():
            folder.mkdir()
            self.spec["process"]["args"] = [command]
            (folder / "config.json").write_text(json.dumps(self.spec))
        return folder

    def tools(self, command):
        """How each tool runs `command` in a container."""
        bubblewrap = ["bwrap", "--unshare-all", "--bind", self.rootfs, "/"]
        state = self.folder / "state"
        return {
            "mydocker": [self.mydocker, "run", command],
            "the minimum in C": self.minimum(self.rootfs, command),
            "bubblewrap": [*bubblewrap, "--proc", "/proc", "--dev", "/dev", f"/bin/{command}"],
            "crun": ["crun", "--root", state, "run", "-b", self.bundle(command), "bench"],
            "runc": ["runc", "--root", state, "run", "-b", self.bundle(command), "bench"],
        }

    def minimum(self, layers, command):
        return [self.folder / "minimum", layers, self.folder / "containers", f"/bin/{command}"]


def call(*arguments, **options):
    """Runs a program that must succeed; returns what it prints."""
    arguments = [str(argument) for argument in arguments]
    done = subprocess.run(arguments, stdin=subprocess.DEVNULL, capture_output=True, text=True, **options)
    if done.returncode != 0:
        sys.exit(f"scripts/bench: {' '.join(arguments)}: exit code {done.returncode}\n{done.stderr}")
    return done.stdout


def run(arguments, output=None):
    """Runs a program; when it was started and when it had ended, in nanoseconds."""
    arguments = [str(argument) for argument in arguments]
    null = os.open(os.devnull, os.O_RDWR)
    streams = [(os.POSIX_SPAWN_DUP2, null, 0), (os.POSIX_SPAWN_DUP2, output or null, 1)]
    begun = time.monotonic_ns()
    pid = os.posix_spawnp(arguments[0], arguments, os.environ, file_actions=streams)
    _, status = os.waitpid(pid, 0)
    ended = time.monotonic_ns()
    os.close(null)
    if status != 0:
        # Once more, for its words.
        call(*arguments)
        sys.exit(f"scripts/bench: {' '.join(arguments)}: wait status {status}")
    return begun, ended


def interleaved(rounds, commands, prepare=lambda name: None):
    """Milliseconds of each run, by name."""
    taken = {name: [] for name in commands}
    # The first round warms up.
    for number in range(rounds + 1):
        for name, command in commands.items():
            prepare(name)
            begun, ended = run(command)
            if number > 0:
                taken[name].append((ended - begun) / 1e6)
    return taken
