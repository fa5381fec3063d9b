"""Figures 3 and 4 of the paper with our results, as SVG: UMAPs of the results side by
side, and time against the number of points.  Standard library only."""
import math
import re

from methods import METHODS

COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c564b",
           "#7f7f7f", "#17becf", "#bcbd22", "#9467bd", "#2ca02c", "#e377c2", "#1f3a93"]
# Of many data sets, the one with few batches and labels shows most.
SHOWN = ["cmqtl_crispri", "clean"]
SIDE, GAP = 132, 14


def plain(key):
    return re.sub(r"[*`]", "", METHODS[key].title)


def head(width, height):
    return [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" '
            f'height="{height}" font-family="sans-serif" font-size="11">',
            f'<rect width="{width}" height="{height}" fill="white"/>']


def save(path, out):
    path.write_text("\n".join([*out, "</svg>"]) + "\n")


def text(x, y, words, colour="black", anchor="start"):
    return (f'<text x="{x:.0f}" y="{y:.0f}" fill="{colour}" '
            f'text-anchor="{anchor}">{words}</text>')


def panel(left, top, row, by):
    """One UMAP; points of a colour are one path of dots."""
    out = [f'<rect x="{left}" y="{top}" width="{SIDE}" height="{SIDE}" fill="none" '
           'stroke="#ccc"/>']
    dots = {}
    for x, y, group in zip(*(map(int, row[k].split()) for k in ("x", "y", by))):
        at = (left + 3 + x * (SIDE - 6) / 999, top + 3 + (999 - y) * (SIDE - 6) / 999)
        dots.setdefault(group % len(COLOURS), []).append(f"M{at[0]:.0f} {at[1]:.0f}h0")
    for group, path in sorted(dots.items()):
        out.append(f'<path d="{"".join(path)}" stroke="{COLOURS[group]}" '
                   'stroke-width="2.2" stroke-linecap="round" opacity="0.7"/>')
    return out


def pictures(path, rows):
    """A pair of panels for each method: by batch, and by label."""
    shown = next((s for s in SHOWN if any(r["data"] == s for r in rows)), None)
    rows = [r for r in rows if r["data"] == shown]
    wide = 4
    width = wide * (SIDE + GAP) + GAP
    height = math.ceil(len(rows) / wide) * (2 * SIDE + 46) + 30
    out = head(width, height)
    out.append(text(GAP, 18, f"{shown}: above by batch, below by label"))
    for i, row in enumerate(rows):
        left = GAP + i % wide * (SIDE + GAP)
        top = 44 + i // wide * (2 * SIDE + 46)
        out.append(text(left, top - 5, plain(row["method"])))
        out += panel(left, top, row, "batch")
        out += panel(left, top + SIDE + 4, row, "label")
    save(path, out)


class Axes:
    """Both logarithmic."""

    def __init__(self, left, top, width, height, xs, ys):
        self.left, self.top, self.width, self.height = left, top, width, height
        self.x0, self.x1 = math.floor(math.log10(xs[0])), math.log10(xs[1]) + 0.1
        self.y0, self.y1 = (math.floor(math.log10(ys[0])),
                            math.ceil(math.log10(ys[1])))

    def at(self, x, y):
        return (self.left + (math.log10(x) - self.x0) / (self.x1 - self.x0)
                * self.width,
                self.top + (self.y1 - math.log10(y)) / (self.y1 - self.y0)
                * self.height)

    def frame(self, title):
        out = [text(self.left, self.top - 8, title)]
        for e in range(self.y0, self.y1 + 1):
            y = self.at(10 ** self.x0, 10.0 ** e)[1]
            out.append(f'<path d="M{self.left} {y:.1f}h{self.width}" stroke="#ddd"/>')
            out.append(text(self.left - 6, y + 4, f"{10.0 ** e:g} s", anchor="end"))
        for e in range(self.x0, math.floor(self.x1) + 1):
            x = self.at(10.0 ** e, 10.0 ** self.y0)[0]
            out.append(text(x, self.top + self.height + 16, f"{10 ** e:,}",
                            anchor="middle"))
        out.append(text(self.left + self.width / 2, self.top + self.height + 32,
                        "points", anchor="middle"))
        return out


def curves(axes, found):
    """Lines with their names at their ends, moved apart where they meet."""
    out, ends = [], []
    for key, line in found:
        colour = COLOURS[list(METHODS).index(key) % len(COLOURS)]
        at = [axes.at(n, s) for n, s in line]
        out.append('<polyline fill="none" stroke-width="'
                   f'{3 if key == "balans" else 1.5}" stroke="{colour}" points="'
                   + " ".join(f"{x:.1f},{y:.1f}" for x, y in at) + '"/>')
        out += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.5" fill="{colour}"/>'
                for x, y in at]
        ends.append([at[-1][1], plain(key), colour])
    ends.sort()
    for i, end in enumerate(ends):
        if i:
            end[0] = max(end[0], ends[i - 1][0] + 13)
        out.append(text(axes.left + axes.width + 6, end[0] + 4, end[1], end[2]))
    return out


def times(path, speed):
    """All methods, file to file; and those that reach the largest size."""
    found = []
    for key in speed.methods():
        line = [(n, speed.seconds(n, key, "whole")) for n in speed.sizes]
        line = [(n, s) for n, s in line if s is not None]
        if line:
            found.append((key, line))
    out = head(760, 760)
    if found:
        fast = [item for item in found if item[1][-1][0] == speed.sizes[-1]]
        fast = sorted(fast, key=lambda item: item[1][-1][1])[:5]
        for top, some, title in ((30, found, "all methods"),
                                 (410, fast, "the fastest at the largest size")):
            points = [n for _, line in some for n, _ in line]
            seconds = [s for _, line in some for _, s in line]
            axes = Axes(60, top, 500, 300, (min(points), max(points)),
                        (min(seconds), max(seconds)))
            out += axes.frame(f"time from file to file, {title}")
            out += curves(axes, some)
    else:
        out.append(text(20, 30, "not measured"))
    save(path, out)
