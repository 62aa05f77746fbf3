"""How the time grows, as a page and as a chart of the book."""

import html
import math
import statistics

import report

INTRODUCTION = """# Growth

How the time grows with what there is, measured by `scripts/bench --growth --book`, which has written this page.
Times are in milliseconds: the median, and the least. Every comparison is interleaved, one run of each tool after the other.

The last column compares a row with the one before it: n^1.0 is growth in proportion, n^0.0 is none. Above n^1.0 a tool takes more time per item, the more items there are.

In the chart both axes are logarithmic. The thick line is mydocker.
"""


def page(curves, table):
    """All curves, with tables as `table` writes them."""
    text = INTRODUCTION + table(("machine",), [(report.machine(),)])
    for title, (what, taken) in curves.items():
        text += f"\n## {title}\n" + table((what, "tool", "median", "least", "growth"), rows(taken))
    return text.replace("\n## ", "\n{{#include growth.svg}}\n\n## ", 1)


def rows(taken):
    """A row for each size and tool."""
    before = {}
    for size, tools in taken.items():
        for name, values in tools.items():
            now = (size, statistics.median(values))
            yield f"{size:,}", name, report.least_and_median(values), growth(before.get(name), now)
            before[name] = now


def growth(was, now):
    """The exponent by which the time has grown between two sizes."""
    if was is None:
        return ""
    exponent = math.log(now[1] / was[1]) / math.log(now[0] / was[0])
    # Minus nothing is nothing.
    return f"n^{exponent + 0.0:.1f}".replace("-0.0", "0.0")


WIDTH, HEIGHT = 290, 150
LEFT, TOP, GAP = 50, 24, 60
DASHES = ("", "6 3", "2 3", "8 3 2 3")


def chart(curves):
    """A panel for each curve, two in a row, both axes logarithmic."""
    lines = []
    for number, (title, (what, taken)) in enumerate(curves.items()):
        x = number % 2 * (LEFT + WIDTH + GAP) + LEFT
        y = number // 2 * (TOP + HEIGHT + GAP) + TOP
        lines += panel(x, y, title, what, taken)
    across = 2 * (LEFT + WIDTH) + GAP + 20
    down = math.ceil(len(curves) / 2) * (TOP + HEIGHT + GAP)
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {across} {down}" role="img" fill="currentColor" '
        f'font-family="sans-serif" font-size="11">'
    )
    title = "<title>Medians by size, for mydocker and other tools; lower is faster, flatter is better</title>"
    return "\n".join([head, title, *lines, "</svg>"]) + "\n"


def panel(x, y, title, what, taken):
    """The axes of a curve, and a line for each tool."""
    medians = {}
    for size, tools in taken.items():
        for name, values in tools.items():
            medians.setdefault(name, []).append((size, statistics.median(values)))
    across = scale([size for size in taken], x, x + WIDTH)
    down = scale([time for line in medians.values() for _, time in line], y + HEIGHT, y)

    lines = [f'<text x="{x}" y="{y - 9}" font-weight="bold">{html.escape(title)}</text>']
    lines.append(f'<path d="M{x} {y}v{HEIGHT}h{WIDTH}" fill="none" stroke="currentColor" opacity="0.5"/>')
    for size in taken:
        at = across(size)
        lines.append(f'<text x="{at:.0f}" y="{y + HEIGHT + 14}" text-anchor="middle">{size:,}</text>')
    lines.append(f'<text x="{x + WIDTH}" y="{y + HEIGHT + 28}" text-anchor="end" opacity="0.7">{what}</text>')
    for power in range(-1, 6):
        for time in (10**power, 3 * 10**power):
            at = down(time)
            if y <= at <= y + HEIGHT:
                lines.append(f'<text x="{x - 5}" y="{at + 4:.0f}" text-anchor="end">{time:,} ms</text>')
                lines.append(f'<path d="M{x} {at:.0f}h{WIDTH}" stroke="currentColor" opacity="0.12"/>')
    for number, (name, line) in enumerate(medians.items()):
        points = " ".join(f"{across(size):.0f},{down(time):.0f}" for size, time in line)
        width = 2.5 if name == "mydocker" else 1.2
        lines.append(
            f'<polyline points="{points}" fill="none" stroke="currentColor" stroke-width="{width}" '
            f'stroke-dasharray="{DASHES[number]}"/>'
        )
        # The names stand in the upper left corner, where the lines are not.
        at = y + 12 + 14 * number
        lines.append(
            f'<path d="M{x + 8} {at - 4}h24" stroke="currentColor" stroke-width="{width}" '
            f'stroke-dasharray="{DASHES[number]}"/>'
        )
        lines.append(f'<text x="{x + 38}" y="{at}">{html.escape(name)}</text>')
    return lines


def scale(values, low, high):
    """From a value to its place between `low` and `high`, logarithmically."""
    least, most = math.log(min(values)), math.log(max(values))
    # A little room above, so that no line runs through the names.
    most += (most - least) * 0.05 or 1
    return lambda value: low + (high - low) * (math.log(value) - least) / (most - least)
