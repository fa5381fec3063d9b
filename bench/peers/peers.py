#!/usr/bin/env python3
"""This program beside other methods on the same data: what run.sh runs.

    run.sh quality [OPTION]...   corrects each data set by each method, scores the results
    run.sh speed [OPTION]...     times all methods on data of the paper's six sizes

Results are kept as CSV, row by row; what is there is not run again without --again.
"""
import argparse
import os
import pathlib
import signal
import sys

import data
import kept
import machine
import methods
import scoring

LIMIT = {"quality": 600, "speed": 30}


def arguments():
    p = argparse.ArgumentParser(prog="bench/peers/run.sh", description=__doc__,
                                formatter_class=argparse.RawTextHelpFormatter)
    p.add_argument("part", choices=["quality", "speed"])
    p.add_argument("--methods", default="", metavar="A,B,...",
                   help="some only: " + " ".join(methods.METHODS))
    p.add_argument("--limit", type=float, metavar="SECONDS",
                   help="most that a method may take, from start to end of its\n"
                        "process (default: "
                        + ", ".join(f"{p} {s}" for p, s in LIMIT.items()) + ")")
    p.add_argument("--cores", type=int, default=min(2, os.cpu_count()),
                   help="cores for each method (default: 2)")
    p.add_argument("--results", type=pathlib.Path, metavar="FOLDER",
                   default=pathlib.Path(__file__).parent / "results",
                   help="where results are kept (default: bench/peers/results)")
    p.add_argument("--again", action="store_true", help="run also what is there")
    q = p.add_argument_group("quality")
    q.add_argument("--data", default=",".join(data.DEFAULT), metavar="A,B,...",
                   help="data sets, or any .h5ad (default: %(default)s);\n"
                        "jump1 to jump5: fetched, some GB")
    q.add_argument("--seeds", type=int, default=3,
                   help="seeds 0 to N - 1 (default: 3)")
    q.add_argument("--batch", default="batch", help="column of obs in an .h5ad of"
                   " your own")
    q.add_argument("--label", default="label", help="the same")
    q.add_argument("--control", default="", metavar="COLUMN=VALUE",
                   help="which profiles of it are negative controls")
    q.add_argument("--no-check", action="store_true",
                   help="without scib-metrics, copairs and UMAP")
    s = p.add_argument_group("speed")
    s.add_argument("--max-points", type=int, default=125000, metavar="N",
                   help="the largest size (default: %(default)s)")
    s.add_argument("--dims", type=int, default=10,
                   help="features (default: %(default)s)")
    s.add_argument("--rounds", type=int, default=3,
                   help="times a method is run at a size, as long as these take\n"
                        "no more than --limit together (default: %(default)s)")
    return p.parse_args()


def quality(args, chosen):
    table = kept.Table(args.results / "quality.csv", ["data", "method", "seed"])
    about = kept.About(args.results / "about.json", "quality")
    for name in args.data.split(","):
        try:
            sets = data.Set(name, args)
            for seed in range(args.seeds):
                source = sets.source(seed)
                for method in chosen:
                    if args.again or not table.has(sets.name, method.key, seed):
                        score(args, sets, source, method, seed, table, about)
        except data.Absent as why:
            kept.say(f"{name} is left out: {why}")
            about.add({"absent": {name: str(why)}})
            continue
        if not args.no_check:
            scoring.check(args, sets)
            scoring.pictures(args, sets)


def score(args, sets, source, method, seed, table, about):
    out = methods.FOLDER / "out" / sets.name / f"{method.key}.{seed}.h5ad"
    ran = method.run(source, out, seed, args.cores, args.limit)
    row = {"status": ran.status, "peak_mib": ran.peak_mib}
    if ran.status == "ok":
        row |= scoring.scores(method, out, seed)
        about.add(machine.found(args.cores) | {
            "versions": {method.key: ran.version}})
    kept.say(f"{sets.name}, seed {seed}, {method.title}: "
             + (f"{row['avg_all']:.3f}" if row.get("avg_all") else ran.status))
    table.put([sets.name, method.key, seed], row)


def speed(args, chosen):
    table = kept.Table(args.results / "speed.csv",
                       ["points", "dims", "method", "round"])
    about = kept.About(args.results / "about.json", "speed")
    given_up = {}
    for points in [n for n in data.SIZES if n <= args.max_points]:
        source = data.simulated(points, args.dims)
        spent = {}
        for turn in range(args.rounds):
            for method in [m for m in chosen if m.key != "raw"]:
                key = [points, args.dims, method.key, turn]
                if table.has(*key) and not args.again:
                    give_up(given_up, method, points, table.status(*key))
                    continue
                if method.key in given_up:
                    if turn == 0:
                        table.put(key, {"status": given_up[method.key]})
                elif spent.get(method.key, 0) * (turn + 1) < args.limit * max(turn, 1):
                    time_once(args, source, method, key, table, about, spent,
                              given_up)
        source.unlink()


def give_up(given_up, method, points, status):
    """What did not end well here is not tried on more points."""
    if status != "ok":
        given_up.setdefault(method.key, status if status.startswith("not tried") else
                            f"not tried: at {points:,} points {status}")


def time_once(args, source, method, key, table, about, spent, given_up):
    out = methods.FOLDER / "out" / "speed.h5ad"
    points, _, _, turn = key
    ran = method.run(source, out, turn, args.cores, args.limit)
    out.unlink(missing_ok=True)
    table.put(key, {"status": ran.status, "alone": ran.alone, "whole": ran.whole,
                    "peak_mib": ran.peak_mib})
    kept.say(f"{points:,} points, turn {turn + 1}, {method.title}: "
             + (f"{ran.whole:.2f} s, {ran.alone:.2f} s of it the method"
                if ran.status == "ok" else ran.status))
    spent[method.key] = spent.get(method.key, 0) + (ran.whole or args.limit)
    if ran.status == "ok":
        about.add(machine.found(args.cores) | {
            "versions": {method.key: ran.version}, "limit": args.limit})
    give_up(given_up, method, points, ran.status)


def main():
    args = arguments()
    args.limit = args.limit or LIMIT[args.part]
    wanted = [m for m in args.methods.split(",") if m] or list(methods.METHODS)
    unknown = [m for m in wanted if m not in methods.METHODS]
    if unknown:
        sys.exit(f"peers: no method '{unknown[0]}'; there are: "
                 + " ".join(methods.METHODS))
    # What was started ends with this process.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("peers: stopped"))
    machine.keep_to(args.cores)
    chosen = [methods.METHODS[m] for m in wanted]
    for method in chosen:
        method.prepare()
    {"quality": quality, "speed": speed}[args.part](args, chosen)


if __name__ == "__main__":
    main()
