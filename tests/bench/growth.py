"""How the time grows with what there is: layers, mounts, containers, files.

scripts/bench --growth runs this. Each curve starts small and goes on until its
last size; beside mydocker stands another tool that does the same, wherever one
does.
"""

import shutil
import subprocess
from pathlib import Path

import archives
from measure import call, interleaved

# In parts of this many: what is made beside a measurement takes time, too.
QUICK = 10


def curves(bench, say, quick):
    """Every curve: {title: (what grows, {size: {tool: milliseconds}})}."""
    shrink = QUICK if quick else 1
    rounds = 3 if quick else 20
    taken = {}
    for title, what, sizes, measure in (
        # An overlay takes 500 layers, and one of them is the container's own.
        ("Start, by layers of the image", "layers", (1, 10, 100, 499), by_layers),
        ("Start, by mounts on the host", "mounts", (10, 1_000, 5_000, 10_000), by_mounts),
        ("Start, by running containers", "containers", (1, 10, 100, 1_000), by_containers),
        ("Import, by files in the archive", "files", (1_000, 10_000, 100_000, 1_000_000), by_files),
        ("Delete, by depth of directories", "directories", (10, 100, 1_000, 10_000), by_depth),
        ("Delete, by files in one directory", "files", (1_000, 10_000, 100_000), by_width),
    ):
        say(title)
        sizes = sorted({max(1, size // shrink) for size in sizes})
        taken[title] = (what, measure(bench, sizes, rounds))
    return taken


def run_true(bench):
    """`run true`, by us and by the two whose work is most like ours."""
    tools = bench.tools("true")
    return {name: tools[name] for name in ("mydocker", "the minimum in C", "bubblewrap")}


def by_layers(bench, sizes, rounds):
    """`run true` on images of so many layers."""
    taken = {}
    for count in sizes:
        name = f"grown-{count}"
        archive = archives.image_of_layers(bench.folder, bench.folder / "busybox.tar", count)
        call(bench.mydocker, "image", "import", name, archive)
        archive.unlink()
        commands = {"mydocker": [bench.mydocker, "run", "--image", name, "true"]}
        # The minimum names all layers in one page of options; more do not fit.
        short = bench.folder / f"g{count}"
        short.symlink_to(bench.root / f"images/{name}/layers")
        lower = ":".join(f"{short}/{number:02}" for number in reversed(range(count)))
        if len(lower) < 3500:
            commands["the minimum in C"] = bench.minimum(lower, "true")
        taken[count] = interleaved(rounds, commands)
    return taken


def by_mounts(bench, sizes, rounds):
    """`run true` while the host has so many mounts."""
    taken = {}
    mounted = bench.folder / "mounts"
    mounted.mkdir()
    there = 0
    for count in sizes:
        for number in range(there, count):
            (mounted / str(number)).mkdir()
        names = "\n".join(str(mounted / str(number)) for number in range(there, count))
        # busybox's mount reads no /etc/mtab, and one shell starts them all.
        script = "while read at; do busybox mount -t tmpfs grown $at; done"
        subprocess.run(["sh", "-c", script], input=names + "\n", text=True, check=True)
        there = count
        taken[count] = interleaved(rounds, run_true(bench))
    for number in reversed(range(there)):
        call("umount", mounted / str(number))
    return taken


def by_containers(bench, sizes, rounds):
    """`run true` while so many containers run."""
    taken = {}
    there = 0
    for count in sizes:
        for number in range(there, count):
            call(bench.mydocker, "run", "-d", "--name", f"runs-{number}", "sleep", "100000")
        there = count
        commands = run_true(bench) | {"mydocker ps": [bench.mydocker, "ps", "-q"]}
        taken[count] = interleaved(rounds, commands)
    for number in range(there):
        call(bench.mydocker, "rm", "-f", f"runs-{number}")
    return taken


def by_files(bench, sizes, rounds):
    """Archives of so many empty files."""
    taken = {}
    to = bench.folder / "unpacked"
    for count in sizes:
        archive = archives.empty_files(bench.folder, count)
        commands = {
            "mydocker": [bench.mydocker, "image", "import", "grown", archive],
            "GNU tar": ["tar", "-xf", archive, "-C", to],
        }

        def clear(_):
            shutil.rmtree(bench.root / "images/grown", ignore_errors=True)
            shutil.rmtree(to, ignore_errors=True)
            to.mkdir()

        taken[count] = interleaved(1 if count > 100_000 else min(rounds, 5), commands, clear)
        clear(None)
        archive.unlink()
    return taken


def by_depth(bench, sizes, rounds):
    """A kept container in whose write layer directories lie in each other."""
    return deletions(bench, sizes, rounds, archives.deep_directory)


def by_width(bench, sizes, rounds):
    """A kept container in whose write layer all files lie in one directory."""
    return deletions(bench, sizes, min(rounds, 5), archives.wide_directory)


def deletions(bench, sizes, rounds, fill):
    """A kept container that is deleted, and `rm -rf` on a directory like it."""
    taken = {}
    directories = {"mydocker": bench.root / "containers/kept", "rm -rf": bench.folder / "kept"}
    commands = {
        "mydocker": [bench.mydocker, "prune", "--kept"],
        "rm -rf": ["rm", "-rf", directories["rm -rf"]],
    }
    for count in sizes:

        def prepare(name):
            call(bench.mydocker, "run", "--keep", "--name", "kept", "true")
            if name != "mydocker":
                directories["mydocker"].rename(directories[name])
            fill(Path(directories[name]) / "write-layer", count)

        taken[count] = interleaved(rounds, commands, prepare)
    return taken
