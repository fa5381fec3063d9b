#!/usr/bin/env python3
"""docs/comparison.md, its tables as CSV and its figures, and the README's lines, from the
results that peers.py kept: usage report.py [--results FOLDER] [--docs FOLDER]
[--readme FILE].  Standard library only; the same results give the same bytes."""
import argparse
import csv
import pathlib
import re
from statistics import mean, median, stdev

import figures
import kept
from methods import HERE, METHODS, ROOT
from scoring import BATCH, LABEL

OURS = "balans"
COLUMNS = {**BATCH, "avg_batch": "batch", **LABEL, "avg_label": "label",
           "avg_all": "all", "map": "replicates"}
SETS = {
    "varchamp_b20_21": "VarChAMP: 2,240 wells, 2 experiments, 259 alleles",
    "cmqtl_crispri": "cmQTL: 768 wells, a run and its repeat, 12 lines",
    "clean": "Simulated: 6 batches hold the same 60 kinds",
    "missing": "Simulated, `--missing 0.5`: each batch lacks half of the kinds",
    "confounded": "Simulated, `--confounded 0.9`: nine tenths of a kind in one batch",
    "nested": "Simulated, `--nested`: batches lie in sources",
    "unequal": "Simulated: each further batch has 0.6 times the profiles",
}
WHY = {
    "graph_connectivity": "scib-metrics follows edges from a point to its neighbours only "
    "(strong components), so its graph falls apart sooner; ours joins two points when "
    "either is near the other, as scanpy's graph does",
    "kbet": "scib-metrics finds the neighbours inside a label by diffusion on a graph of "
    "50 neighbours; ours are the nearest of the label by distance",
    "leiden_ari": "Leiden is random, and scib-metrics clusters a graph with other weights",
    "leiden_nmi": "the same as ARI",
    "lisi_batch": "distances that are nearly all equal, as whitening leaves them",
    "lisi_label": "distances that are nearly all equal, as whitening leaves them",
    "map": "where distances are equal, ours counts the negative as nearer",
}


def title_of(key):
    return METHODS[key].title


def markdown(head, rows):
    return "\n".join(["| " + " | ".join(head) + " |",
                      "| --- |" + " --: |" * (len(head) - 1),
                      *("| " + " | ".join(row) + " |" for row in rows)])


class Quality:
    """Means over seeds, by data set and method."""

    def __init__(self, rows):
        self.rows = rows
        names = dict.fromkeys(r["data"] for r in rows)
        self.sets = [s for s in SETS if s in names] + [s for s in names
                                                       if s not in SETS]

    def of(self, data, method):
        return [r for r in self.rows if (r["data"], r["method"]) == (data, method)]

    def methods(self, data):
        return [m for m in METHODS if self.of(data, m)]

    def values(self, data, method, column):
        return [float(r[column]) for r in self.of(data, method) if r.get(column)]

    def mean(self, data, method, column):
        values = self.values(data, method, column)
        return mean(values) if values else None

    def status(self, data, method):
        return next((r["status"] for r in self.of(data, method)
                     if r["status"] != "ok"), "ok")

    def best(self, data, column):
        found = {m: self.mean(data, m, column) for m in self.methods(data)}
        found = [round(v, 3) for v in found.values() if v is not None]
        return max(found, default=None)

    def cell(self, data, method, column):
        values = self.values(data, method, column)
        if not values:
            return "-"
        text = f"{mean(values):.3f}"
        if round(mean(values), 3) == self.best(data, column):
            text = f"**{text}**"
        return f"{text} ({stdev(values):.3f})" if len(values) > 1 else text

    def better(self, data, column):
        """Methods of others that score more than our default here."""
        mine = self.mean(data, OURS, column)
        found = {m: self.mean(data, m, column) for m in self.methods(data)}
        found = {m: v for m, v in found.items() if v is not None and mine is not None
                 and not m.startswith((OURS, "raw")) and round(v, 3) > round(mine, 3)}
        return sorted(found.items(), key=lambda item: -item[1])


def table_of_set(quality, data):
    rows = []
    for m in quality.methods(data):
        cells = [quality.cell(data, m, c) for c in COLUMNS]
        status = quality.status(data, m)
        if set(cells) == {"-"}:
            cells[0] = status
        rows.append([title_of(m), *cells])
    return markdown(["method", *COLUMNS.values()], rows)


def summary(quality, column):
    rows = []
    for m in METHODS:
        cells = [quality.cell(d, m, column) if quality.of(d, m) else "-"
                 for d in quality.sets]
        if set(cells) != {"-"}:
            rows.append([title_of(m), *cells])
    return markdown(["method", *quality.sets], rows)


def who_is_better(quality):
    out = []
    for column, what in (("avg_all", "all metrics"), ("avg_batch", "batch metrics"),
                         ("avg_label", "label metrics"),
                         ("map", "retrieval of replicates")):
        for data in quality.sets:
            found = quality.better(data, column)
            if found:
                names = ", ".join(f"**{title_of(m)}** {v:.3f}" for m, v in found)
                out.append(f"* {data}, {what}: {names}; balans "
                           f"{quality.mean(data, OURS, column):.3f}.")
    return "\n".join(out) or "None did in the runs kept here."


class Speed:
    """Seconds by points and method: medians over rounds."""

    def __init__(self, rows):
        self.rows = rows
        self.sizes = sorted({int(r["points"]) for r in rows})

    def of(self, points, method, ok=True):
        return [r for r in self.rows
                if (int(r["points"]), r["method"]) == (points, method)
                and (r["status"] == "ok") == ok]

    def seconds(self, points, method, which):
        found = [float(r[which]) for r in self.of(points, method) if r[which]]
        return median(found) if found else None

    def ratio(self, points, method, which):
        """To our default in the same round: median."""
        ours = {r["round"]: float(r[which]) for r in self.of(points, OURS)}
        found = [float(r[which]) / ours[r["round"]] for r in self.of(points, method)
                 if r["round"] in ours]
        return median(found) if found else None

    def fastest(self, points, which):
        found = [self.seconds(points, m, which) for m in METHODS]
        return min((s for s in found if s is not None), default=None)

    def cell(self, points, method, which):
        seconds = self.seconds(points, method, which)
        if seconds is None:
            failed = self.of(points, method, ok=False)
            return failed[0]["status"].split(": at")[0].split(":")[0] if failed else "-"
        text = f"{seconds:.2f}" if seconds < 100 else f"{seconds:.0f}"
        if seconds == self.fastest(points, which):
            text = f"**{text}**"
        ratio = self.ratio(points, method, which)
        return text if method == OURS or ratio is None else f"{text} ({ratio:.2g}x)"

    def methods(self):
        return [m for m in METHODS if any(r["method"] == m for r in self.rows)]

    def table(self, which):
        rows = [[title_of(m), *(self.cell(n, m, which) for n in self.sizes)]
                for m in self.methods()]
        return markdown(["method", *(f"{n:,} points" for n in self.sizes)], rows)

    def memory(self):
        """At each size, MiB."""
        rows = []
        for m in self.methods():
            found = [self.seconds(n, m, "peak_mib") for n in self.sizes]
            rows.append([title_of(m), *("-" if v is None else f"{v:,.0f}"
                                        for v in found)])
        return markdown(["method", *(f"{n:,} points" for n in self.sizes)], rows)

    def faster(self):
        out = []
        for n in self.sizes:
            for which, what in (("whole", "file to file"), ("alone", "method alone")):
                mine = self.seconds(n, OURS, which)
                found = [(self.seconds(n, m, which), m) for m in self.methods()
                         if not m.startswith(OURS)]
                found = sorted((s, m) for s, m in found
                               if s is not None and mine is not None and s < mine)
                if found:
                    names = ", ".join(f"**{title_of(m)}** {s:.2f} s"
                                      for s, m in found)
                    out.append(f"* {n:,} points, {what}: {names}; balans "
                               f"{mine:.2f} s.")
        return "\n".join(out) or "None was in the runs kept here."


def agreement(rows):
    """Ours against scib-metrics and copairs: by score, over data sets and methods."""
    out = []
    for score, what in COLUMNS.items():
        found = [(abs(float(r["ours"]) - float(r["theirs"])), r) for r in rows
                 if r["score"] == score]
        if not found:
            continue
        most, where = max(found, key=lambda item: item[0])
        off = sum(d > 0.01 for d, _ in found)
        out.append([what, f"{len(found)}", f"{median(d for d, _ in found):.4f}",
                    f"{most:.3f} ({where['data']}, {where['method']})",
                    f"{off}", WHY.get(score, "") if off else "-"])
    return markdown(["score", "matrices", "median difference", "largest, where",
                     "above 0.01", "reason"], out)


def machine_of(about, there=()):
    if not about:
        return "Not measured."
    versions = about["versions"]
    names = dict.fromkeys(versions[k] for k in [*METHODS, *sorted(versions)]
                          if k in versions)
    absent = "".join(f" Left out: {k} ({v})."
                     for k, v in about.get("absent", {}).items() if k not in there)
    return (f"{about['date']}, {about['machine']}, {about['system']}; "
            f"{', '.join(names)}.{absent}")


def failures(quality):
    found = {}
    for r in quality.rows:
        if r["status"] != "ok":
            found.setdefault((title_of(r["method"]), r["status"]), set()).add(r["data"])
    return "\n".join(f"* {m}: {s} ({', '.join(sorted(d))})."
                     for (m, s), d in found.items()) or "* None."


def write_csv(path, head, rows):
    with open(path, "w", newline="") as f:
        out = csv.writer(f, lineterminator="\n")
        out.writerows([head, *rows])


def plain(text):
    return re.sub(r"[*`]", "", text)


def tables_as_csv(docs, quality, speed):
    rows = []
    for data in quality.sets:
        for m in quality.methods(data):
            cells = []
            for c in COLUMNS:
                values = quality.values(data, m, c)
                cells += ([f"{mean(values):.4f}", f"{stdev(values):.4f}"]
                          if len(values) > 1 else [f"{v:.4f}" for v in values] + [""]
                          if values else ["", ""])
            rows.append([data, plain(title_of(m)), quality.status(data, m), *cells])
    head = [f"{c}{end}" for c in COLUMNS for end in ("", "_sd")]
    write_csv(docs / "comparison-table1.csv", ["data", "method", "status", *head], rows)
    rows = [[plain(title_of(m)), n, *(
        "" if speed.seconds(n, m, w) is None else f"{speed.seconds(n, m, w):.3f}"
        for w in ("whole", "alone", "peak_mib"))]
            for m in speed.methods() for n in speed.sizes]
    write_csv(docs / "comparison-table2.csv", ["method", "points",
              "file_to_file_seconds", "method_seconds", "peak_mib"], rows)


def fill(template, parts):
    for name, text in parts.items():
        template = template.replace("{{" + name + "}}", text)
    return template


def main():
    p = argparse.ArgumentParser(prog="bench/peers/run.sh figures")
    p.add_argument("--results", type=pathlib.Path, default=HERE / "results")
    p.add_argument("--docs", type=pathlib.Path, default=ROOT / "docs")
    p.add_argument("--readme", type=pathlib.Path, default=ROOT / "README.md")
    args = p.parse_args()
    about = kept.read_json(args.results / "about.json")
    quality = Quality(kept.read(args.results / "quality.csv"))
    speed = Speed(kept.read(args.results / "speed.csv"))
    parts = {
        "machine_quality": machine_of(about.get("quality"), quality.sets),
        "machine_speed": machine_of(about.get("speed")),
        "summary_all": summary(quality, "avg_all"),
        "summary_map": summary(quality, "map"),
        "sets": "\n\n".join(f"### {SETS.get(d, d)}\n\n{table_of_set(quality, d)}"
                            for d in quality.sets),
        "better": who_is_better(quality), "failures": failures(quality),
        "agreement": agreement(kept.read(args.results / "check.csv")),
        "whole": speed.table("whole"), "alone": speed.table("alone"),
        "memory": speed.memory(), "faster": speed.faster(),
    }
    template = (HERE / "comparison.md.in").read_text()
    (args.docs / "comparison.md").write_text(fill(template, parts))
    tables_as_csv(args.docs, quality, speed)
    figures.pictures(args.docs / "comparison-umap.svg",
                     kept.read(args.results / "umap.csv"))
    figures.times(args.docs / "comparison-time.svg", speed)
    readme = args.readme.read_text()
    lines = f"<!-- comparison -->\n{parts['summary_all']}\n<!-- end -->"
    args.readme.write_text(re.sub(r"<!-- comparison -->.*?<!-- end -->",
                                  lambda _: lines, readme, flags=re.S))


if __name__ == "__main__":
    main()
