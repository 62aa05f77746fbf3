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
import growth
import growth_report
import report
from measure import HERE, Bench, call, interleaved, run


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
    arguments.add_argument("--growth", action="store_true", help="how the time grows, instead")
    arguments.add_argument("--book", type=Path)
    options = arguments.parse_args()

    def say(what):
        print(f"scripts/bench: {what}", file=sys.stderr)

    def write(name, seen, words):
        print(words.page(seen, report.as_markdown))
        if options.book:
            (options.book / f"{name}.md").write_text(words.page(seen, report.as_html))
            (options.book / f"{name}.svg").write_text(words.chart(seen))
            say(f"written: {options.book}/{name}.md and {name}.svg")

    quick = options.quick
    say("building the tools and their container")
    bench = Bench(options.folder, options.mydocker)
    if options.growth:
        write("growth", growth.curves(bench, say, quick), growth_report)
        return
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
    write("speed", seen, report)


if __name__ == "__main__":
    main()
