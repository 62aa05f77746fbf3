"""What was measured, as a page and as a chart of the book."""

import html
import os
import statistics

INTRODUCTION = """# Speed

What a container costs, measured by `scripts/bench --book`, which wrote this page.
Compare the numbers on this page only with each other.
Every comparison is interleaved: the tools take turns, one run each. Times are in milliseconds: the median, and the least.
"""

RUNS = """
## A container that runs `true`

From the start of the tool until everything is deleted again.
The minimum is a C program that makes the same mounts, masks and clean-up, and has nothing to choose, check or explain: `tests/bench/minimum.c`.
bubblewrap, crun and runc have no layers to join and no workspace to delete; crun and runc record the state of each container in their own files.
"""

ABOVE_THE_MINIMUM = """
With perf and strace, we looked at what mydocker spends the extra time on. About a quarter is the start of a larger program, which has a command line to parse. Most of the rest is what the minimum does without: the image's record and its lock, the handshake that makes the container wait for permission to start, a look at the mount table before anything is deleted, a deletion that crosses no mount, and twice as many pages of memory. This was tried, and gained nothing: optimising rarely used code for size. These were tried, gained something and were kept: a static program at a fixed address, an unmount before the look at the table, an rmdir before the look into a directory, one buffer for all directories that are read.
"""

START = """
## Start and clean-up

From the start of the tool to the first instruction of the command, and from there until the tool has ended.
"""

STEPS = """
## Where the time goes

The steps of `mydocker run true`, from its trace (`--trace=FILE`), without the time that the trace takes to read the mount table. The numbers are medians, in microseconds. Parent and container run side by side: what the parent waits for is the container's own time.
"""

LAYERS = """
## An image of many layers

`run true` on images of 1, 10 and 100 layers.
"""

DELETIONS = """
## Deleting what a container has written

A kept container whose write layer has this many empty files, a hundred per directory: `mydocker prune --kept`, and `rm -rf` on an identical directory.
"""

IMPORTS = """
## Importing an image

umoci also writes down the attributes of every file, for a later comparison.
"""

GRADING = """
## Grading

Right and wrong answers to a lab, graded on all processors.
"""


def least_and_median(values):
    return f"{statistics.median(values):.2f} | {min(values):.2f}"


def as_markdown(columns, rows):
    """A table for a terminal."""
    lines = [" | ".join(columns), " | ".join("---" if n == 0 else "--:" for n in range(len(columns)))]
    lines += [" | ".join(str(cell) for cell in row) for row in rows]
    return "\n" + "".join(f"| {line} |\n" for line in lines)


def as_html(columns, rows):
    """A table for the book: what is in Markdown's is to be translated, and numbers are not."""
    def line(cells, tag):
        # Two numbers may stand in one cell, with a bar between them.
        cells = " | ".join(str(cell) for cell in cells).split(" | ")
        style = ' style="text-align: right"'
        return "".join(
            f"<{tag}{style if n else ''}>{html.escape(cell)}</{tag}>" for n, cell in enumerate(cells)
        )

    body = "\n".join(f"<tr>{line(row, 'td')}</tr>" for row in rows)
    return f'\n<div class="table-wrapper"><table><thead><tr>{line(columns, "th")}</tr></thead><tbody>\n{body}\n</tbody></table></div>\n'


def machine():
    with open("/proc/cpuinfo") as cpuinfo:
        models = [line.split(":")[1].strip() for line in cpuinfo if line.startswith("model name")]
    model = models[0] if models else os.uname().machine
    # What follows the version says whose build it is.
    version = os.uname().release.split("-")[0]
    return f"{os.cpu_count()} × {model}, Linux {version}"


def ratio(ours, theirs):
    return f"{statistics.median(ours) / statistics.median(theirs):.2f} ×"


def comparison(taken, what, table):
    """A table of tools by rows of `what`: {row: {tool: milliseconds}}."""
    rows = []
    for row, tools in taken.items():
        ours = tools["mydocker"]
        for name, values in tools.items():
            relation = "" if name == "mydocker" else ratio(ours, values)
            shown = f"{row:,}" if isinstance(row, int) else row
            rows.append((shown, name, least_and_median(values), relation))
    return table((what, "tool", "median", "least", "mydocker takes"), rows)


def page(seen, table):
    """All of it in Markdown, with tables as `table` writes them."""
    runs = seen["runs"]
    ours = runs[0][1]
    rows = [
        (name, least_and_median(values), "" if name == "mydocker" else ratio(ours, values), f"{peak:,}", f"{calls:,}")
        for name, values, peak, calls in runs
    ]
    columns = ("tool", "median", "least", "mydocker takes", "peak memory, KiB", "system calls")
    text = INTRODUCTION + table(("machine",), [(machine(),)])
    text += RUNS + table(columns, rows) + ABOVE_THE_MINIMUM

    rows = [(name, least_and_median(start), least_and_median(end)) for name, (start, end) in seen["start"].items()]
    text += START + table(("tool", "start: median", "least", "clean-up: median", "least"), rows)
    rows = [(side, step, f"{median:,.0f}") for (side, step), median in seen["steps"].items()]
    text += STEPS + table(("side", "step", "µs"), rows)
    text += LAYERS + comparison(seen["layers"], "layers", table)
    text += DELETIONS + comparison(seen["deletions"], "files", table)
    text += IMPORTS + comparison(seen["imports"], "archive", table)
    if seen["gradings"]:
        lab, count, rate = seen["gradings"]
        row = (lab.removeprefix("lab_"), count, f"{rate:.1f}")
        text += GRADING + table(("lab", "answers", "per second"), [row])
    # Inline, so that it has the colours of the book's theme.
    return text.replace("\n## A container", "\n{{#include speed.svg}}\n\n## A container", 1)


def chart(seen):
    """Bars of medians, a panel for each comparison."""
    panels = [("A container that runs true", {name: values for name, values, _, _ in seen["runs"]})]
    panels += [(f"Import: {what}", tools) for what, tools in seen["imports"].items()]
    files, tools = list(seen["deletions"].items())[-1]
    panels.append((f"Delete a write layer of {files:,} files", tools))

    lines, top = [], 0
    for title, tools in panels:
        medians = {name: statistics.median(values) for name, values in tools.items()}
        longest = max(medians.values())
        lines.append(f'<text x="0" y="{top + 16}" font-weight="bold">{html.escape(title)}</text>')
        for number, (name, median) in enumerate(medians.items()):
            y = top + 26 + 22 * number
            width = max(1, 400 * median / longest)
            opacity = 1 if name == "mydocker" else 0.4
            lines.append(f'<text x="130" y="{y + 13}" text-anchor="end">{html.escape(name)}</text>')
            lines.append(f'<rect x="140" y="{y}" width="{width:.0f}" height="16" opacity="{opacity}"/>')
            lines.append(f'<text x="{148 + width:.0f}" y="{y + 13}">{median:,.1f} ms</text>')
        top += 26 + 22 * len(medians) + 18
    # currentColor: black on white, white on black, as the page has it. A blank
    # line would end the drawing where a page includes it.
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 640 {top}" role="img" fill="currentColor" '
        f'font-family="sans-serif" font-size="13">'
    )
    title = "<title>Medians of mydocker and of other tools; shorter is faster</title>"
    return "\n".join([head, title, *lines, "</svg>"]) + "\n"
