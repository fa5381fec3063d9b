"""A model of the time of 'balans correct', fitted to measured runs.

usage: scaling.py RUNS.csv --simgrid SIMGRID.csv [--svg FIGURE.svg] [--doc PAGE]

RUNS.csv is from bench/scaling.sh (or jobs/scaling-*.sbatch), SIMGRID.csv from
bench/simgrid.sh.  Prints constants, errors and what large runs would need, or
puts it between the two marks of PAGE, which is docs/scaling.md.  Needs nothing
but Python.
"""
import argparse
import contextlib
import csv
import io
import math
import pathlib

HELD_OUT = 0.5      # runs with more than this share of the largest size
FILES = 5e9         # bytes a second that a parallel file system moves
MARKS = "<!-- from here on by bench/scaling.py -->", "<!-- up to here -->"
BATCHES = 12        # of bench/simgrid.sh


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


def depth(ranks):
    return math.log2(1 + ranks / BATCHES)


class Replay:
    """A line of SIMGRID.csv."""

    def __init__(self, line):
        self.kind, self.phase = line["kind"], line["phase"]
        (self.ranks, self.points, self.rows, self.collectives, self.messages,
         self.bytes) = (int(line[k]) for k in (
             "ranks", "points", "rows", "collectives", "messages", "bytes"))
        self.computing = float(line["computing"])
        self.seconds = float(line["seconds"])

    def hops(self):
        """One after the other: up a tree and down again for a collective."""
        return 2 * self.collectives * math.log2(self.ranks) + self.messages

    def path(self):
        """Bytes one after the other: a search goes up a tree of the ranks that
        share a batch, and its root waits for every level."""
        levels = depth(self.ranks) if self.phase == "sample" else 1
        return self.bytes / self.ranks * levels


class Network:
    """Seconds of communication: hops latency + bytes on the way / bandwidth."""

    terms = {"latency": Replay.hops, "byte": Replay.path}

    def __init__(self, path):
        with open(path) as f:
            self.lines = [Replay(line) for line in csv.DictReader(f)]
        self.constants = {}
        self.last = max(self.of("simulated", "sample"), key=lambda r: r.ranks)

    def of(self, kind, phase):
        return [r for r in self.lines if (r.kind, r.phase) == (kind, phase)]

    def counted(self):
        """What replays count against what runs counted on as many ranks."""
        print("| ranks | phase | calls of a rank: run | replay "
              "| bytes of a rank: run | replay | computing: run | replay "
              "| phase took | replay |")
        print("| --- " * 10 + "|")
        for phase in TERMS:
            for run, re in zip(self.of("run", phase),
                               self.of("replay", phase)):
                print(f"| {run.ranks} | {phase} "
                      f"| {run.collectives + run.messages} "
                      f"| {re.collectives + re.messages} "
                      f"| {run.bytes / run.ranks:,.0f} "
                      f"| {re.bytes / re.ranks:,.0f} "
                      f"| {run.computing:.3f} s | {re.computing:.3f} s "
                      f"| {run.seconds:.3f} s | {re.seconds:.3f} s |")
        print()
        self.tell_errors()

    def tell_errors(self):
        pairs = [(a, b) for phase in TERMS
                 for a, b in zip(self.of("run", phase),
                                 self.of("replay", phase)) if a.ranks > 4]
        for what in ("collectives", "messages", "bytes", "computing"):
            off = sorted(abs(getattr(b, what) / getattr(a, what) - 1)
                         for a, b in pairs if getattr(a, what) > 0)
            print(f"* error of {what} on ranks that were not recorded: "
                  f"{percent(off)}")
        print()

    def fit(self):
        for phase in ("sample", "correct"):
            lines = [r for kind in ("replay", "simulated")
                     for r in self.of(kind, phase)]
            times = [r.seconds - r.computing for r in lines]
            c = fit(lines, self.terms, times)
            self.constants[phase] = c["latency"], c["byte"]
            print(f"Communication in `{phase}`: hops times "
                  f"{1e6 * c['latency']:.1f} us + bytes of the path / "
                  f"{1e-9 / c['byte'] if c['byte'] else math.inf:.1f} GB/s; "
                  f"error {percent(errors(c, self.terms, lines, times))}.\n")
        self.show()

    def show(self):
        print("| hosts | points | phase | calls of a rank | bytes of a rank "
              "| computing | communication, simulated | model |\n"
              + "| --- " * 8 + "|")
        for phase, (hop, byte) in self.constants.items():
            for r in self.of("simulated", phase):
                model = hop * r.hops() + byte * r.path()
                print(f"| {r.ranks} | {r.points:,} | {phase} "
                      f"| {r.collectives + r.messages} "
                      f"| {r.bytes / r.ranks:,.0f} | {1e3 * r.computing:.1f} "
                      f"ms | {1e3 * (r.seconds - r.computing):.1f} ms "
                      f"| {1e3 * model:.1f} ms |")
        print()

    def sampling(self, rows, ranks):
        """Of a search that counts neighbours, as those of large batches do:
        messages as the logarithm of the ranks that share a batch."""
        last, (hop, byte) = self.last, self.constants["sample"]
        tree = depth(ranks) / depth(last.ranks)
        hops = 2 * last.collectives * math.log2(ranks) + last.messages * tree
        return rows / last.rows * (hop * hops + byte * last.path() * tree)

    def consensus(self, m, d):
        """Exact sums of 16 bytes for each landmark, batch and feature."""
        return 16 * m * BATCHES * d * self.constants["correct"][1]


class Case:
    """A large run: n points, d features, p components, m landmarks."""

    def __init__(self, runs, n, d, p, m):
        last = max(runs, key=size)
        self.n, self.d, self.p, self.m = n, d, p, m
        self.rows = m * last["rows"] / last["landmarks"]
        self.share = sum(r["affinities"] / r["landmarks"] / r["points"]
                         for r in runs) / len(runs)

    def at(self, cores_):
        return {"points": self.n, "features": self.d, "components": self.p,
                "rows": self.rows, "affinities": self.share * self.n * self.m,
                "ranks": cores_, "threads": 1}

    def work(self, model, cores_):
        """Time without communication; that is priced by network()."""
        r = self.at(cores_)
        return sum(predict(cs, TERMS[phase], r)
                   for phase, cs in model.items())

    def network(self, net, cores_, threads):
        ranks = max(1.0, cores_ / threads)
        if ranks <= 1:
            return 0.0
        return net.sampling(self.rows, ranks) + net.consensus(self.m, self.d)

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


def report(a):
    runs = read(a.runs)
    model = fit_phases(runs)
    net = Network(a.simgrid)
    net.counted()
    net.fit()
    cases = [Case(runs, 1e6, 700, 50, a.landmarks),
             Case(runs, 1e8, 700, 50, a.landmarks),
             Case(runs, 1.5e9, 3672, 50, a.landmarks)]
    c = cases[0]
    print(f"Taken over from the largest runs: {c.rows / c.m:.2f} rows computed "
          f"for each landmark; a landmark keeps affinities to "
          f"{100 * c.share:.1f} % of all points (mean of all runs).\n\n"
          f"With {c.m:,.0f} landmarks and {a.threads} threads a rank:\n")
    table(cases, model, net, a.threads)
    if a.svg:
        figure(a.svg, cases, model, net, a.threads)


def main():
    p = argparse.ArgumentParser(usage=__doc__.split("\n")[2][7:])
    p.add_argument("runs")
    p.add_argument("--simgrid", required=True)
    p.add_argument("--svg")
    p.add_argument("--doc")
    p.add_argument("--threads", type=int, default=4)
    p.add_argument("--landmarks", type=float, default=10000)
    a = p.parse_args()
    text = io.StringIO()
    with contextlib.redirect_stdout(text):
        report(a)
    if not a.doc:
        print(text.getvalue(), end="")
        return
    page = pathlib.Path(a.doc)
    before, rest = page.read_text().split(MARKS[0])
    page.write_text(f"{before}{MARKS[0]}\n\n{text.getvalue().rstrip()}\n\n"
                    f"{MARKS[1]}{rest.split(MARKS[1])[1]}")


if __name__ == "__main__":
    main()
