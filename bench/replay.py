"""Turns recorded runs into a script of calls for any number of ranks.

usage: replay.py script FEW MORE --ranks P [--points N]
       replay.py counts RUN

FEW and MORE are folders with the same run on r and on more ranks, by
bench/simgrid.sh: calls.0 ... from bench/record.c, report.json, and sizes.json,
the sizes of the batches.  `script` writes what bench/replay.c reads, `counts`
what a recorded run did, as bench/replay.c prints it.

All ranks make the same collective calls in the same order, and so do runs on
few and many ranks as long as the affinities of a rank go to the blocks in one
round.  What all ranks together hand to a call, or compute before it, is
a + b r, where a is divided among the ranks and b what each of them has: both
are found from the two runs, and on P ranks a rank has a / P + b.  With other
points than were recorded a grows as their number.

Messages are those of searches (par/select.c).  Who shares which batch follows
from the batches' sizes and the ranks (par/layout.c) and k from the parameters,
so only the number of rows that a search is for is taken from the recording.
"""
import argparse
import bisect
import collections
import json
import math
import pathlib
import sys

TILE = 256      # base/types.h: BAL_TILE
LISTS = 1024    # par/select.h: BAL_SELECT_LISTS
PHASES = ("read", "space", "sample", "correct", "write", "metric")
FILES = (0, 4)  # phases that wait for files: their computing is left out
MESSAGES = ("send", "receive")

Call = collections.namedtuple("Call", "phase kind bytes peer seconds to")


def read_calls(path):
    calls = []
    for line in path.read_text().splitlines():
        phase, kind, size, peer, seconds, *to = line.split()
        calls.append(Call(int(phase), kind, int(size), int(peer),
                          float(seconds), [int(x) for x in to]))
    return calls


class Step:
    """A collective call, and what ranks did since the one before."""

    def __init__(self, phase, kind, peer):
        self.phase, self.kind, self.peer = phase, kind, peer
        self.bytes = self.before = self.after = 0
        self.message = math.inf     # least bytes of a message since then
        self.to = []                # bytes of each rank to each, alltoallv

    def add(self, rank_calls):
        """Of one rank: messages and the collective they lead to."""
        *messages, last = rank_calls
        assert (last.phase, last.kind) == (self.phase, self.kind)
        self.bytes += last.bytes
        self.to.append(last.to)
        times = [c.seconds for c in rank_calls]
        self.before += times[0] if messages else 0
        self.after += sum(times[1:]) if messages else times[0]
        for c in messages:
            self.message = min(self.message, c.bytes)


class Run:
    def __init__(self, folder):
        folder = pathlib.Path(folder)
        self.report = json.loads((folder / "report.json").read_text())
        self.sizes = json.loads((folder / "sizes.json").read_text())
        self.size = len(list(folder.glob("calls.*")))
        self.ranks = [read_calls(folder / f"calls.{r}")
                      for r in range(self.size)]
        self.steps = self.align()

    def align(self):
        """The steps of all ranks side by side."""
        steps = []
        for r, calls in enumerate(self.ranks):
            at, since = 0, []
            for c in calls:
                since.append(c)
                if c.kind in MESSAGES:
                    continue
                if r == 0:
                    steps.append(Step(c.phase, c.kind, c.peer))
                steps[at].add(since)
                at, since = at + 1, []
            assert at == len(steps), "ranks made different collective calls"
        return steps

    def counts(self):
        """By phase, what replay.c prints: the most collectives and messages of
        a rank, the bytes of all, and the seconds a rank computed, on average,
        and those the phase took."""
        most = collections.Counter()
        sent, seconds = collections.Counter(), collections.Counter()
        for mine in self.ranks:
            here = collections.Counter((c.phase, c.kind in MESSAGES)
                                       for c in mine)
            most |= here
            for c in mine:
                sent[c.phase] += c.bytes if c.kind != "receive" else 0
                if c.phase not in FILES:
                    seconds[c.phase] += c.seconds / self.size
        for phase in sorted(sent):
            took = self.report["phases"][PHASES[phase]]["seconds_max"]
            yield (PHASES[phase], most[phase, False], most[phase, True],
                   sent[phase], f"{seconds[phase]:.6f}", f"{took:.6f}")


# ---- Who shares which batch: par/layout.c, par/select.c ----

class Layout:
    def __init__(self, sizes, ranks):
        self.first = [0]
        for s in sizes:
            self.first.append(self.first[-1] + s)
        n = self.first[-1]
        self.start = [self.next_tile(n * r // ranks) for r in range(ranks + 1)]

    def next_tile(self, x):
        if x >= self.first[-1]:
            return self.first[-1]
        b = bisect.bisect_right(self.first, x) - 1
        tiles = -(-(x - self.first[b]) // TILE)
        return min(self.first[b] + tiles * TILE, self.first[b + 1])

    def owner(self, x):
        return bisect.bisect_right(self.start, x, 0, len(self.start) - 1) - 1

    def shares(self, k_of):
        """Lines for replay.c, of the batches that several ranks hold."""
        shared = 0
        for low, high in zip(self.first, self.first[1:]):
            members = []
            for r in range(self.owner(low), self.owner(high - 1) + 1):
                here = min(high, self.start[r + 1]) - max(low, self.start[r])
                if here > 0:
                    members += [r, here]
            if len(members) < 4:
                continue
            k = k_of(high - low)
            yield (f"share {shared % 2} {k} {int(k <= LISTS)} "
                   f"{len(members) // 2} " + " ".join(map(str, members)))
            shared += 1


def neighbors(text):
    """k of a batch by its size."""
    parts = str(text).split(",")
    number = max((int(p) for p in parts if "%" not in p), default=0)
    share = max((float(p[:-1]) / 100 for p in parts if "%" in p), default=0)
    return lambda size: min(max(number, math.ceil(round(share * size, 6))),
                            size)


def rows_of(run, step):
    """Rows that the search before a step was for: 4 bytes of each come back
    where lists are merged, 16 where neighbours are counted."""
    k = neighbors(run.report["result"]["params"]["neighbors"])
    lists = all(k(s) <= LISTS for s in run.sizes)
    return step.message // (4 if lists else 16)


# ---- From two runs to any number of ranks ----

def split(few, many, r, s):
    """a and b, none below 0, of a + b r = few and a + b s = many."""
    if r == s:
        return few, 0.0
    b = (many - few) / (s - r)
    if b <= 0:
        return (few + many) / 2, 0.0
    a = few - b * r
    return (a, b) if a >= 0 else (0.0, (few / r + many / s) / 2)


class Scaling:
    """What a rank of P has of what two runs had, class by class."""

    def __init__(self, few, more, ranks, grow):
        self.few, self.more, self.ranks, self.grow = few, more, ranks, grow
        self.seconds = collections.defaultdict(lambda: [0.0, 0.0])
        for i, run in enumerate((few, more)):
            for s in run.steps:
                self.seconds[self.label(s, run)][i] += s.before + s.after

    @staticmethod
    def label(step, run):
        return step.phase, step.kind, step.bytes // run.size

    def share(self, few, many):
        a, b = split(few, many, self.few.size, self.more.size)
        return self.grow * a / self.ranks + b

    def computing(self, step, seconds):
        """The part that `seconds` of a step of the second run are."""
        if step.phase in FILES or seconds == 0:
            return 0.0
        few, many = self.seconds[self.label(step, self.more)]
        if few == 0:
            few = many
        return seconds / many * self.share(few, many)


def spread(step):
    """Bytes from each rank to each.  Where nobody sends to itself, what stays
    counts as much as what goes to another rank: on more ranks that moves."""
    m = [row[:] for row in step.to]
    own = any(m[i][i] for i in range(len(m)))
    for i, row in enumerate(m):
        if not own and len(m) > 1:
            row[i] = sum(row) / (len(m) - 1)
    return own, m


def matrix(scaling, few, more):
    """A line for replay.c: whether ranks send to themselves, and the bytes from
    each run of ranks to each."""
    own, at = spread(more)
    total = [sum(map(sum, spread(x)[1])) for x in (few, more)]
    bytes_ = scaling.share(*total) * scaling.ranks
    grow = bytes_ / total[1] if total[1] else 0
    return (f"alltoallv {int(own)} {len(at)} "
            + " ".join(f"{x * grow:.1f}" for row in at for x in row))


def write_step(scaling, few, more, out):
    before = scaling.computing(more, more.before)
    after = scaling.computing(more, more.after)
    if before > 0:
        out(f"compute {before:.9f}")
    if more.message < math.inf:
        out(f"search {rows_of(scaling.more, more)}")
    if after > 0:
        out(f"compute {after:.9f}")
    if more.kind == "alltoallv":
        out(matrix(scaling, few, more))
        return
    each = round(scaling.share(few.bytes, more.bytes))
    if more.kind == "alltoall":     # as much for every rank
        each = more.bytes // scaling.more.size ** 2 * scaling.ranks
    if more.kind in ("allreduce", "exscan"):
        out(f"{more.kind} {each}")
    else:
        out(f"{more.kind} {each} {max(more.peer, 0)}")


def script(few, more, ranks, points, out):
    n = sum(few.sizes)
    scaling = Scaling(few, more, ranks, points / n)
    assert [(s.phase, s.kind) for s in few.steps] == \
        [(s.phase, s.kind) for s in more.steps], \
        "the two runs made different collective calls"
    sizes = [round(s * points / n) for s in few.sizes]
    k = neighbors(few.report["result"]["params"]["neighbors"])
    out(f"points {sum(sizes)}")
    out(f"rows {few.report['sampling']['rows']}")
    most = max(s.bytes // more.size for s in more.steps)
    rows = max(rows_of(more, s) for s in more.steps if s.message < math.inf)
    out(f"room {max(ranks * 4096, most, 16384 * rows)}")
    for line in Layout(sizes, ranks).shares(k):
        out(line)
    phase = None
    for a, b in zip(few.steps, more.steps):
        if b.phase != phase:
            out(f"phase {b.phase}")
        phase = b.phase
        write_step(scaling, a, b, out)


def main():
    p = argparse.ArgumentParser(usage=__doc__.split("\n\n")[1][7:])
    p.add_argument("what", choices=("script", "counts"))
    p.add_argument("run", nargs="+")
    p.add_argument("--ranks", type=int)
    p.add_argument("--points", type=float)
    a = p.parse_args()
    runs = [Run(folder) for folder in a.run]
    if a.what == "script":
        script(*runs, a.ranks, a.points or sum(runs[0].sizes), print)
        return
    for run in runs:
        head = run.size, sum(run.sizes), run.report["sampling"]["rows"]
        for line in run.counts():
            print(",".join(map(str, head + line)))


if __name__ == "__main__":
    sys.exit(main())
