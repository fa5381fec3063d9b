"""A model of the time of 'balans correct', fitted to measured runs.

usage: scaling.py RUNS.csv [--simgrid SIMGRID.csv] [--svg FIGURE.svg]

RUNS.csv is from bench/scaling.sh (or jobs/scaling-*.sbatch), SIMGRID.csv from
bench/simgrid.sh.  Prints constants, errors and what large runs would need, as
docs/scaling.md shows it.  Needs nothing but Python.
"""
import argparse
import csv
import math

HELD_OUT = 0.5      # runs with more than this share of the largest size
FILES = 5e9         # bytes a second that a parallel file system moves


def read(path):
    with open(path) as f:
        rows = [{k: v if k == "kind" else float(v) for k, v in r.items()}
                for r in csv.DictReader(f)]
    best = {}
    for r in rows:
        key = tuple(r[k] for k in ("ranks", "threads", "points", "features",
                                   "batches"))
        for phase in ("space_s", "sample_s", "correct_s", "read_s", "write_s"):
            if key in best:
                r[phase] = min(r[phase], best[key][phase])
        best[key] = r
    return list(best.values())


def size(r):
    return r["points"] * r["features"]


# What the time of a phase is made of, for one rank.
def levels(r):
    return math.log2(max(1, r["ranks"]))


def cores(r):
    return r["ranks"] * r["threads"]


TERMS = {
    "space": {
        "n d^2 / cores": lambda r: r["points"] * r["features"]
        * (r["features"] if r["components"] < r["features"] else 0) / cores(r),
        "n d / cores": lambda r: size(r) / cores(r),
    },
    "sample": {
        "rows n p / cores": lambda r: r["rows"] * r["points"]
        * r["components"] / cores(r),
        "rows n / cores": lambda r: r["rows"] * r["points"] / cores(r),
        "affinities / cores": lambda r: r["affinities"] / cores(r),
        "calls log2(ranks)": lambda r: r["sample_calls"] * levels(r),
    },
    "correct": {
        "affinities d / cores": lambda r: r["affinities"] * r["features"]
        / cores(r),
        "affinities / cores": lambda r: r["affinities"] / cores(r),
        "n d / cores": lambda r: size(r) / cores(r),
    },
}


def solve(a, b):
    """Gauss with pivots; a is square and small."""
    n = len(b)
    m = [row[:] + [b[i]] for i, row in enumerate(a)]
    for c in range(n):
        p = max(range(c, n), key=lambda i: abs(m[i][c]))
        m[c], m[p] = m[p], m[c]
        if m[c][c] == 0:
            m[c][c] = 1e-300
        for i in range(n):
            if i != c:
                f = m[i][c] / m[c][c]
                m[i] = [x - f * y for x, y in zip(m[i], m[c])]
    return [m[i][n] / m[i][i] for i in range(n)]


def fit(runs, terms, times):
    """Least squares of relative errors; no constant is below 0."""
    names = list(terms)
    while names:
        x = [[terms[k](r) / t for k in names] for r, t in zip(runs, times)]
        scale = [max(abs(row[j]) for row in x) or 1 for j in range(len(names))]
        x = [[v / s for v, s in zip(row, scale)] for row in x]
        a = [[sum(row[i] * row[j] for row in x) for j in range(len(names))]
             for i in range(len(names))]
        w = solve(a, [sum(row[i] for row in x) for i in range(len(names))])
        if min(w) >= 0:
            got = {k: v / s for k, v, s in zip(names, w, scale)}
            return {k: got.get(k, 0.0) for k in terms}
        names.pop(w.index(min(w)))
    return {k: 0.0 for k in terms}


def predict(constants, terms, r):
    return sum(c * terms[k](r) for k, c in constants.items())


def errors(constants, terms, runs, times):
    return sorted(abs(predict(constants, terms, r) / t - 1)
                  for r, t in zip(runs, times))


def percent(values):
    if not values:
        return "-"
    return (f"median {100 * values[len(values) // 2]:.0f} %, "
            f"largest {100 * values[-1]:.0f} %")


def fit_phases(runs):
    most = max(size(r) for r in runs)
    small = [r for r in runs if size(r) <= HELD_OUT * most]
    large = [r for r in runs if size(r) > HELD_OUT * most]
    model = {}
    print("| phase | constants: seconds for each | error where fitted "
          "| error at larger sizes |")
    print("| --- | --- | --- | --- |")
    for phase, terms in TERMS.items():
        def usable(rs):
            return [r for r in rs if r[phase + "_s"] > 1e-3]
        s, big = usable(small), usable(large)
        c = fit(s, terms, [r[phase + "_s"] for r in s])
        model[phase] = c
        print(f"| {phase} | " + "; ".join(f"{k}: {v:.2g}" for k, v in c.items())
              + " | "
              + percent(errors(c, terms, s, [r[phase + "_s"] for r in s]))
              + " | "
              + percent(errors(c, terms, big, [r[phase + "_s"] for r in big]))
              + " |")
    print(f"\n{len(small)} settings fitted, {len(large)} held out.\n")
    return model


def fit_network(path):
    """Seconds of one sum: log2(ranks) (latency + bytes / bandwidth)."""
    if not path:
        return 5e-6, 1e-10
    with open(path) as f:
        runs = [{k: float(v) for k, v in r.items()} for r in csv.DictReader(f)]
    terms = {"latency": levels, "byte": lambda r: levels(r) * r["bytes"]}
    times = [r["seconds"] for r in runs]
    c = fit(runs, terms, times)
    print(f"Simulated network: a sum takes log2(ranks) times "
          f"{1e6 * c['latency']:.1f} us + bytes / "
          f"{1e-9 / c['byte'] if c['byte'] else math.inf:.1f} GB/s; error "
          f"{percent(errors(c, terms, runs, times))}.\n")
    print("| ranks | bytes | simulated us | model us |\n"
          "| --- | --- | --- | --- |")
    for r in runs:
        print(f"| {r['ranks']:.0f} | {r['bytes']:.0f} "
              f"| {1e6 * r['seconds']:.0f} "
              f"| {1e6 * predict(c, terms, r):.0f} |")
    print()
    return c["latency"], c["byte"]


class Case:
    """A large run: n points, d features, p components, m landmarks."""

    def __init__(self, runs, n, d, p, m):
        last = max(runs, key=size)
        two = max((r for r in runs if r["ranks"] > 1), key=size)
        self.n, self.d, self.p, self.m = n, d, p, m
        self.rows = m * last["rows"] / last["landmarks"]
        self.share = sum(r["affinities"] / r["landmarks"] / r["points"]
                         for r in runs) / len(runs)
        self.calls = self.rows * two["sample_calls"] / two["rows"]
        self.bytes = two["sample_bytes"] / two["ranks"] / two["sample_calls"]

    def at(self, cores_):
        return {"points": self.n, "features": self.d, "components": self.p,
                "rows": self.rows, "affinities": self.share * self.n * self.m,
                "ranks": cores_, "threads": 1, "sample_calls": self.calls}

    def work(self, model, cores_):
        """Time without communication; that is priced by network()."""
        r = self.at(cores_)
        return sum(c * TERMS[phase][k](r) for phase, cs in model.items()
                   for k, c in cs.items() if "log2" not in k)

    def network(self, net, cores_, threads):
        ranks = max(1.0, cores_ / threads)
        hop = net[0] + self.bytes * net[1]
        panel = self.m * self.d * 8 * net[1]
        return math.log2(ranks) * (self.calls * hop + panel)

    def crossover(self, model, net, threads):
        lo, hi = 1.0, 1e9
        for _ in range(100):
            mid = math.sqrt(lo * hi)
            if self.network(net, mid, threads) < self.work(model, mid):
                lo = mid
            else:
                hi = mid
        return lo

    def memory(self):
        """Matrix and distance space in float32, 8 bytes an affinity."""
        return (self.n * (self.d + self.p) * 4
                + 8 * self.share * self.n * self.m)


def nice(seconds):
    for unit, name in ((86400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * unit:
            return f"{seconds / unit:.1f} {name}"
    return f"{seconds:.1f} s"


def table(cases, model, net, threads):
    print("| points x features | memory | one core | 64 cores | 1024 cores "
          "| 16384 cores | collectives cost as much as the work at | files |")
    print("| --- " * 8 + "|")
    for c in cases:
        times = [nice(c.work(model, k) + c.network(net, k, threads))
                 for k in (1, 64, 1024, 16384)]
        cross = c.crossover(model, net, threads)
        print(f"| {c.n:.2g} x {c.d} | {c.memory() / 1e9:,.0f} GB | "
              + " | ".join(times)
              + f" | {cross:,.0f} cores, {cross / threads:,.0f} ranks "
              f"| {nice(8 * c.n * c.d / FILES)} |")
    print()


def figure(path, cases, model, net, threads):
    """Time against cores, both logarithmic; dotted: communication alone."""
    w, h, left, top = 640, 400, 70, 20
    x0, x1, y0, y1 = 0, 17, -1, 6       # log2 of cores, log10 of seconds
    px = (w - left - 20) / (x1 - x0)
    py = (h - top - 50) / (y1 - y0)

    def at(k, t):
        t = min(max(math.log10(max(t, 1e-9)), y0), y1)
        return (f"{left + (math.log2(k) - x0) * px:.1f},"
                f"{top + (y1 - t) * py:.1f}")

    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{w}" height="{h}" '
           'font-family="sans-serif" font-size="12">',
           f'<rect width="{w}" height="{h}" fill="white"/>']
    for e in range(y0, y1 + 1):
        y = top + (y1 - e) * py
        out.append(f'<path d="M{left} {y:.1f}H{w - 20}" stroke="#ddd"/>'
                   f'<text x="{left - 8}" y="{y + 4:.1f}" text-anchor="end">'
                   f'{nice(10.0 ** e)}</text>')
    for e in range(x0, x1 + 1, 2):
        x = left + (e - x0) * px
        out.append(f'<text x="{x:.1f}" y="{h - 32}" text-anchor="middle">'
                   f'{2 ** e}</text>')
    out.append(f'<text x="{left + 8.5 * px:.0f}" y="{h - 10}" '
               'text-anchor="middle">cores</text>')
    for c, colour in zip(cases, ("#0072b2", "#d55e00", "#009e73")):
        ks = [2 ** (i / 4) for i in range(4 * x0, 4 * x1 + 1)]
        whole = [c.work(model, k) + c.network(net, k, threads) for k in ks]
        out.append('<polyline fill="none" stroke-width="2" '
                   f'stroke="{colour}" points="'
                   + " ".join(at(k, t) for k, t in zip(ks, whole)) + '"/>')
        wire = [(k, c.network(net, k, threads)) for k in ks if k > 2 * threads]
        out.append('<polyline fill="none" stroke-dasharray="2 4" '
                   f'stroke="{colour}" points="'
                   + " ".join(at(k, t) for k, t in wire) + '"/>')
        x, y = at(ks[4], whole[4]).split(",")
        out.append(f'<text x="{float(x) + 4:.0f}" y="{float(y) - 8:.0f}" '
                   f'fill="{colour}">{c.n:.2g} points x {c.d}</text>')
    out.append("</svg>")
    with open(path, "w") as f:
        f.write("\n".join(out) + "\n")


def main():
    p = argparse.ArgumentParser(usage=__doc__.split("\n")[2][7:])
    p.add_argument("runs")
    p.add_argument("--simgrid")
    p.add_argument("--svg")
    p.add_argument("--threads", type=int, default=4)
    p.add_argument("--landmarks", type=float, default=10000)
    a = p.parse_args()
    runs = read(a.runs)
    model = fit_phases(runs)
    net = fit_network(a.simgrid)
    cases = [Case(runs, 1e6, 700, 50, a.landmarks),
             Case(runs, 1e8, 700, 50, a.landmarks),
             Case(runs, 1.5e9, 3672, 50, a.landmarks)]
    c = cases[0]
    print(f"Taken over from the largest runs: {c.rows / c.m:.2f} rows computed "
          f"for each landmark, {c.calls / c.rows:.2f} collective calls a row, "
          f"{c.bytes:,.0f} bytes a call; a landmark keeps affinities to "
          f"{100 * c.share:.1f} % of all points (mean of all runs).\n\n"
          f"With {c.m:,.0f} landmarks and {a.threads} threads a rank:\n")
    table(cases, model, net, a.threads)
    if a.svg:
        figure(a.svg, cases, model, net, a.threads)


if __name__ == "__main__":
    main()
