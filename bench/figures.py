#!/usr/bin/env python3
"""Tables for run.sh, in Markdown, from what it left in a folder: of each run
KEY.ROUND.json (the program's report), .log (its messages) and .wall (seconds).
Standard library only.
"""
import glob
import json
import math
import re
import sys
from statistics import median

PHASES = ["read", "space", "sample", "correct", "write"]


class Run:
    def __init__(self, stem):
        with open(stem + ".json") as file:
            self.report = json.load(file)
        with open(stem + ".log") as file:
            found = re.search(r"(\d+) landmarks .*?, (\d+) affinities, "
                              r"(\d+) of (\d+) points", file.read())
        self.landmarks, self.entries, self.uncovered, self.points = (
            int(x) for x in found.groups())
        self.wall = wall(stem)

    def seconds(self, phase):
        return self.report["phases"].get(phase, {}).get("seconds_max", 0.0)

    def rate(self, phase):
        return self.report["phases"][phase]["file_bytes"] / self.seconds(phase)

    def sampling(self, key):
        return self.report["sampling"][key]

    def peak(self):
        return self.report["memory"]["rss_peak_max"] / 2**20


def wall(stem):
    with open(stem + ".wall") as file:
        return float(file.read())


def stems(folder, key):
    """The runs of a key without their suffix, by round."""
    found = glob.glob(f"{folder}/{glob.escape(key)}.*.wall")
    return sorted((f[:-5] for f in found),
                  key=lambda f: int(f.rsplit(".", 1)[1]))


def runs_of(folder, key):
    return [Run(stem) for stem in stems(folder, key)]


def table(head, rows):
    print("| " + " | ".join(head) + " |")
    print("| --- |" + " --: |" * (len(head) - 1))
    for row in rows:
        print("| " + " | ".join(row) + " |")


def spread(values, form="{:.2f}"):
    """Median, and in brackets the least and the most."""
    values = list(values)
    middle = form.format(median(values))
    if len(values) == 1:
        return middle
    return (f"{middle} ({form.format(min(values))} to "
            f"{form.format(max(values))})")


def slope(x, y):
    """Of the straight line through the logarithms."""
    x, y = [math.log(v) for v in x], [math.log(v) for v in y]
    mx, my = sum(x) / len(x), sum(y) / len(y)
    return (sum((a - mx) * (b - my) for a, b in zip(x, y)) /
            sum((a - mx) ** 2 for a in x))


def since(start, end):
    print(f"{float(end) - float(start):.3f}")


def read_cores(path):
    """Core asked for -> (core in use, sgemm's ns for a pair)."""
    tries = {}
    with open(path) as file:
        for line in file:
            asked, core, sgemm = line.split()[:3]
            tries.setdefault(asked, []).append((core, float(sgemm)))
    if not tries:
        sys.exit("figures: the kernels do not run")
    return {a: (t[0][0], min(ns for _, ns in t)) for a, t in tries.items()}


def best_core(path):
    tries = read_cores(path)
    print(min(tries, key=lambda asked: tries[asked][1]))


def cores(path):
    """2 p flops for a pair, p = 50."""
    rows = [["its own choice" if asked == "." else asked, core,
             f"{100 / ns:.1f}"]
            for asked, (core, ns) in read_cores(path).items()]
    table(["OPENBLAS_CORETYPE", "core in use", "sgemm, GF/s"], rows)


def kind(key):
    """What run.sh calls a run, in words."""
    found = re.fullmatch(r"n(\d+)k(.+)", key)
    if found:
        return "10 dimensions, 5 batches, 10 clusters", found[2]
    if key.startswith("default"):
        return "50 dimensions, 12 batches, 60 clusters", "20 or 1 %"
    if key == "widek10":
        return "600 dimensions, 60 batches, 5,000 clusters", "10"
    if key == "platesk10":
        return "50 dimensions, 520 batches, 2,000 clusters", "10"
    return "510 dimensions, 60 batches, 5,000 clusters", "10"


def times_row(key, runs):
    what, k = kind(key)
    cells = [what, f"{runs[0].points:,}", k]
    cells += [f"{median(r.seconds(p) for r in runs):.2f}" for p in PHASES]
    return cells + [spread((r.wall for r in runs), "{:.1f}")]


def results_row(key, runs):
    what, k = kind(key)
    r = runs[0]
    return [what, f"{r.points:,}", k, f"{r.landmarks:,}", f"{r.entries:,}",
            f"{r.entries / r.points:.1f}", f"{r.sampling('rows'):,}",
            f"{r.sampling('overshoot'):,}", f"{r.sampling('in_flight')}",
            f"{median(x.peak() for x in runs):,.0f}"]


def growth(data):
    for k, what in (("10", "k = 10"), ("0.1%", "k = 0.1 % of the batch")):
        runs = [r[0] for key, r in data.items()
                if re.fullmatch(rf"n\d+k{re.escape(k)}", key)]
        if len(runs) < 2:
            continue
        n = [r.points for r in runs]
        print(f"* {what}: landmarks grow as n^"
              f"{slope(n, [r.landmarks for r in runs]):.2f}, entries kept as "
              f"n^{slope(n, [r.entries for r in runs]):.2f}, from "
              f"{min(n):,} to {max(n):,} points")


def runs(folder, *keys):
    data = {key: runs_of(folder, key) for key in keys}
    first = next(iter(data.values()))[0].report
    print(f"{first['libraries']['kernels']} kernels, "
          f"{first['libraries']['blas']} on its "
          f"{first['libraries']['blas_kernels']} core.\n")
    print("Seconds by phase: medians over the repeats, of the slowest rank; "
          "wall time with start and end of all ranks.\n")
    table(["data", "points", "k", *PHASES, "wall time"],
          [times_row(key, r) for key, r in data.items()])
    print()
    table(["data", "points", "k", "landmarks", "entries kept",
           "entries a point", "rows computed", "of them dropped",
           "blocks in flight", "peak of a rank, MiB"],
          [results_row(key, r) for key, r in data.items()])
    print()
    growth(data)


def batches(folder, *counts):
    """Runs with few and many batches, against those with the fewest."""
    data = {count: runs_of(folder, f"batches{count}") for count in counts}
    few = data[counts[0]]
    print("Seconds by phase: medians over the repeats, of the slowest rank. "
          f"Against {counts[0]}: all phases, round by round.\n")
    rows = []
    for count, runs in data.items():
        ratios = [sum(r.seconds(p) for p in PHASES)
                  / sum(f.seconds(p) for p in PHASES)
                  for r, f in zip(runs, few)]
        passes = len(runs[0].report["result"]["passes"]["landmarks"])
        rows.append([f"{int(count):,}", f"{runs[0].points:,}", str(passes),
                     f"{runs[0].landmarks:,}", f"{runs[0].entries:,}"]
                    + [f"{median(r.seconds(p) for r in runs):.2f}"
                       for p in PHASES]
                    + [spread(ratios),
                       f"{median(r.peak() for r in runs):,.0f}"])
    table(["batches", "points", "passes", "landmarks", "entries kept", *PHASES,
           f"against {counts[0]}", "peak of a rank, MiB"], rows)


def sampling(folder, points, *dims):
    rows = []
    for p in dims:
        ratios = {"sgemm": [], "triad": []}
        for stem in stems(folder, f"sampling{p}"):
            run, number = Run(stem), stem.rsplit(".", 1)[1]
            with open(f"{folder}/rate{p}.{number}.txt") as file:
                core, sgemm, _, triad = file.read().split()
            pair = (1e9 * run.seconds("sample") /
                    (run.sampling("rows") * run.points))
            ratios["sgemm"].append(pair / float(sgemm))
            ratios["triad"].append(pair / float(triad))
        rows.append([p, f"{run.sampling('rows'):,}", f"{run.landmarks:,}",
                     spread(ratios["sgemm"]), spread(ratios["triad"])])
    print(f"{int(points):,} points, k = 10, one rank of one thread; OpenBLAS "
          f"core {core}. Seconds of the phase `sample` for a row and point, "
          "against those of the bare product with W = 64 and of the triad, "
          "measured just before each run.\n")
    table(["p", "rows computed", "landmarks", "phase / sgemm",
           "phase / triad"], rows)


def scaling_head():
    print("Times with one rank of one thread, divided by those with two, in "
          "one round; the runs take turns.\n")
    print("| data | phase | 2 ranks | 2 threads |")
    print("| --- | --- | --: | --: |")


def scaling(folder, title, key):
    one, ranks, threads = (runs_of(folder, f"{key}-{how}")
                           for how in ("1x1", "2x1", "1x2"))
    for phase in PHASES:
        print(f"| {title} | {phase} | " + " | ".join(
            spread(a.seconds(phase) / b.seconds(phase)
                   for a, b in zip(one, two)) for two in (ranks, threads)) +
              " |")
    print(f"| {title} | all, wall time | " + " | ".join(
        spread(a.wall / b.wall for a, b in zip(one, two))
        for two in (ranks, threads)) + " |")


def exponent(folder, *sizes):
    data = [runs_of(folder, f"exponent{n}") for n in sizes]
    n = [int(s) for s in sizes]
    table(["points", "rows computed", "landmarks", "entries kept", "sample, s",
           "ns for a row and point"],
          [[f"{size:,}", f"{r[0].sampling('rows'):,}", f"{r[0].landmarks:,}",
            f"{r[0].entries:,}", spread(x.seconds("sample") for x in r),
            f"{1e9 * median(x.seconds('sample') for x in r) / size / r[0].sampling('rows'):.3f}"]
           for size, r in zip(n, data)])
    by_round = [slope(n, [x.seconds("sample") for x in r])
                for r in zip(*data)]
    print(f"\nSampling grows as n^{spread(by_round, '{:.3f}')}: lines through "
          "the logarithms, one for each round.")


def io_row(what, ours, theirs):
    return [what, spread((x / 1e6 for x in ours), "{:,.0f}"),
            spread((x / 1e6 for x in theirs), "{:,.0f}"),
            spread(a / b for a, b in zip(ours, theirs))]


def io(folder, size):
    size = int(size)
    cold, warm = runs_of(folder, "io-cold"), runs_of(folder, "io-warm")
    dd = {what: [size / wall(s) for s in stems(folder, f"dd-{what}")]
          for what in ("cold", "warm", "write")}
    print(f"A file of {size / 1e9:.2f} GB; dd with bs=16M, writing with "
          "conv=fsync as the program does before it names its output.\n")
    table(["", "program, MB/s", "dd, MB/s", "program / dd"],
          [io_row("read, dropped from the page cache before",
                  [r.rate("read") for r in cold], dd["cold"]),
           io_row("read, in the page cache",
                  [r.rate("read") for r in warm], dd["warm"]),
           io_row("write", [r.rate("write") for r in warm], dd["write"])])


def foretold(stem):
    """Landmarks (least, most), seconds in all, and what they took to tell."""
    with open(stem + ".plan") as file:
        text = file.read()
    count = [int(x) for x in re.findall(
        r"\d+", re.search(r"^landmarks +(\d+( to \d+)?)", text, re.M)[1])]
    phases = re.search(r"^time +about .*: (.*)", text, re.M)[1]
    seconds = sum(float(x) for x in re.findall(r"[\d.]+", phases))
    cost = float(re.search(r"^forecast .* in ([\d.]+) s", text, re.M)[1])
    return count[0], count[1 if len(count) > 1 else 0], seconds, cost


def forecast_row(folder, key):
    what, k = kind(re.sub(r"^f(\d)", lambda m: "n" + m[1],
                          key.rsplit("-", 1)[0]).removeprefix("f"))
    runs = runs_of(folder, key)
    told = [foretold(stem) for stem in stems(folder, key)]
    took = [sum(r.seconds(p) for p in PHASES) for r in runs]
    low, high = told[0][0], told[0][1]
    return [what, f"{runs[0].points:,}", k, key.rsplit("-", 1)[1],
            f"{low:,} to {high:,}" if low < high else f"{low:,}",
            f"{runs[0].landmarks:,}",
            "yes" if low <= runs[0].landmarks <= high else "no",
            f"{median(t[2] for t in told):.2f}", f"{median(took):.2f}",
            spread([t[2] / s for t, s in zip(told, took)]),
            f"{median(t[3] for t in told):.1f}"]


def forecast(folder, *keys):
    print("Seconds are those of all phases; start and end of the processes "
          "come on top.\n")
    table(["data", "points", "k", "ranks x threads", "landmarks expected",
           "found", "inside", "seconds expected", "measured",
           "expected / measured", "seconds to tell"],
          [forecast_row(folder, key) for key in keys])


COMMANDS = {"forecast": forecast, "since": since, "best-core": best_core,
            "cores": cores, "runs": runs, "batches": batches,
            "sampling": sampling, "scaling-head": scaling_head,
            "scaling": scaling, "exponent": exponent, "io": io}

if __name__ == "__main__":
    COMMANDS[sys.argv[1]](*sys.argv[2:])
