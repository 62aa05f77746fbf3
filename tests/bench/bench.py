"""Measures mydocker beside others that do the like; scripts/bench runs this.

Every comparison is interleaved: one run of each tool, then the next round, so
that what else the machine does hits all of them alike.
"""

import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

import archives
import report

HERE = Path(__file__).resolve().parent


class Bench:
    """The tools, and a folder in which they have everything they need."""

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


def whole_runs(bench, rounds):
    """`run true`: milliseconds, peak memory and kernel calls of each tool."""
    tools = bench.tools("true")
    taken = interleaved(rounds, tools)
    rows = []
    for name, command in tools.items():
        command = [str(word) for word in command]
        # GNU time is smaller than what it measures; python would be counted in.
        peak = subprocess.run(["env", "time", "-f", "%M", *command], capture_output=True, text=True)
        counted = bench.folder / "calls"
        call("strace", "-f", "-c", "-o", counted, *command)
        calls = re.search(r"(\d+)\s+(?:\d+\s+)?total", counted.read_text())[1]
        rows.append((name, taken[name], int(peak.stderr.split()[-1]), int(calls)))
    return rows


def start_and_end(bench, rounds):
    """Milliseconds to the begin of the command, and from there to the end."""
    tools = bench.tools("now")
    taken = {name: ([], []) for name in tools}
    for number in range(rounds + 1):
        for name, command in tools.items():
            reading, writing = os.pipe()
            begun, ended = run(command, output=writing)
            os.close(writing)
            with os.fdopen(reading) as stream:
                at = int(stream.read())
            if number > 0:
                taken[name][0].append((at - begun) / 1e6)
                taken[name][1].append((ended - at) / 1e6)
    return taken


def steps(bench, rounds):
    """Microseconds of each step of a run, by side and name, in order."""
    taken = {}
    trace = bench.folder / "trace"
    for _ in range(rounds):
        call(bench.mydocker, "run", f"--trace={trace}", "true")
        for line in trace.read_text().splitlines():
            step = json.loads(line)
            taken.setdefault((step["side"], step["step"]), []).append(step["microseconds"])
    return {step: statistics.median(values) for step, values in taken.items()}


def layers(bench, rounds):
    """`run true` on images of 1, 10 and 100 layers."""
    taken = {}
    for count in (1, 10, 100):
        name = f"layers-{count}"
        archive = archives.image_of_layers(bench.folder, bench.folder / "busybox.tar", count)
        call(bench.mydocker, "image", "import", name, archive)
        # Short names: all of them have to fit into one page.
        short = bench.folder / f"l{count}"
        short.symlink_to(bench.root / f"images/{name}/layers")
        lower = ":".join(f"{short}/{number:02}" for number in reversed(range(count)))
        commands = {"mydocker": [bench.mydocker, "run", "--image", name, "true"]}
        if len(lower) < 3500:
            commands["the minimum in C"] = bench.minimum(lower, "true")
        taken[count] = interleaved(rounds, commands)
    return taken


def deletions(bench, most):
    """A kept container whose write layer has so many files, and rm -rf."""
    taken = {}
    for count, rounds in ((1, 20), (100, 20), (1_000, 10), (10_000, 5), (100_000, 3)):
        if count > most:
            break
        folders = {"mydocker": bench.root / "containers/kept", "rm -rf": bench.folder / "kept"}
        commands = {
            "mydocker": [bench.mydocker, "prune", "--kept"],
            "rm -rf": ["rm", "-rf", folders["rm -rf"]],
        }

        def fill(name):
            call(bench.mydocker, "run", "--keep", "--name", "kept", "true")
            if name != "mydocker":
                folders["mydocker"].rename(folders[name])
            archives.many_files(folders[name] / "write-layer", count)

        taken[count] = interleaved(rounds, commands, fill)
    return taken


def imports(bench, rounds, small, large):
    """Archives of many small files, of few large ones, and a gzip."""
    taken = {}
    for what, archive in archives.to_import(bench.folder, small, large).items():
        image = archives.oci_layout(bench.folder, archive)
        to = bench.folder / "unpacked"
        commands = {
            "mydocker": [bench.mydocker, "image", "import", "imported", archive],
            "GNU tar": ["tar", "-xf", archive, "-C", to],
            "umoci": ["umoci", "unpack", "--image", f"{image}:it", to / "bundle"],
        }

        def clear(_):
            shutil.rmtree(bench.root / "images/imported", ignore_errors=True)
            shutil.rmtree(to, ignore_errors=True)
            to.mkdir()

        taken[what] = interleaved(rounds, commands, clear)
        clear(None)
        shutil.rmtree(image)
        archive.unlink()
    return taken


def gradings(matrix, lab):
    """Answers to one lab that are graded in a second; None where not built."""
    if not matrix:
        return None
    begun = time.monotonic()
    said = call(matrix, lab, cwd=HERE.parent.parent / "labs/reference")
    count = int(re.search(r"(\d+) passed", said)[1])
    return lab, count, count / (time.monotonic() - begun)


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--mydocker", type=Path, required=True)
    arguments.add_argument("--folder", type=Path, required=True)
    arguments.add_argument("--matrix", help="the labs' graders, built")
    arguments.add_argument("--quick", action="store_true")
    arguments.add_argument("--book", type=Path)
    options = arguments.parse_args()

    def say(what):
        print(f"scripts/bench: {what}", file=sys.stderr)

    quick = options.quick
    say("building the tools and their container")
    bench = Bench(options.folder, options.mydocker)
    seen = {}
    for name, what, measure in (
        ("runs", "run true", lambda: whole_runs(bench, 15 if quick else 200)),
        ("start", "start and clean-up", lambda: start_and_end(bench, 10 if quick else 100)),
        ("steps", "the steps of a run", lambda: steps(bench, 5 if quick else 50)),
        ("layers", "1, 10, 100 layers", lambda: layers(bench, 5 if quick else 50)),
        ("deletions", "write layers deleted", lambda: deletions(bench, 1_000 if quick else 100_000)),
        ("imports", "imports", lambda: imports(bench, 2 if quick else 5, *((500, 8) if quick else (20_000, 256)))),
        ("gradings", "lab grading", lambda: gradings(options.matrix, "lab_08")),
    ):
        say(what)
        seen[name] = measure()
    print(report.page(seen, report.as_markdown))
    if options.book:
        (options.book / "speed.md").write_text(report.page(seen, report.as_html))
        (options.book / "speed.svg").write_text(report.chart(seen))
        say(f"written: {options.book}/speed.md and speed.svg")


if __name__ == "__main__":
    main()
