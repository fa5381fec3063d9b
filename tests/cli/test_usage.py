"""Help, versions, parameters, configuration files, and wrong usage.

usage: test_usage.py PROGRAM SOURCE_ROOT LAUNCHER...
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

from common import Tests

t = Tests(sys.argv[1], sys.argv[3:])
root = pathlib.Path(sys.argv[2])
COMMANDS = ["apply", "correct", "evaluate", "fit", "info", "params", "report",
            "simulate"]


def alone(*args):
    """The program without a launcher."""
    return subprocess.run([t.program, *map(str, args)], capture_output=True,
                          text=True, timeout=60)


def check_help():
    text = alone("--help").stdout
    commands = [s.split()[0] for s in text.split("\n") if s.startswith("  ")]
    t.check({"correct", "info", "params"} <= set(commands), f"{commands}")
    for args in [["--help"], ["-h"], ["--version"],
                 *([c, "--help"] for c in commands),
                 ["correct", "a", "b", "-h"]]:
        run = alone(*args)
        t.check(run.returncode == 0 and run.stdout and not run.stderr,
                f"{args}: {run}")
        if args[0] != "--version":
            t.check(all(len(s) < 80 for s in run.stdout.split("\n")),
                    f"{args}: a line is too long")
    for c in COMMANDS:
        t.check(alone("help", c).stdout == alone(c, "--help").stdout,
                f"help {c}")
    t.check(alone("help").stdout == text, "help")
    said = alone("help", "correct").stdout
    heads = [s for s in said.split("\n") if re.fullmatch(r"[A-Z][^.]*:", s)]
    t.check(len(heads) > 4 and len(set(heads)) == len(heads), f"{heads}")
    once = alone("--version").stdout
    t.check(alone("-V").stdout == once, "-V")
    t.check(t.run("--version", ranks=3).stdout == once, "--version on 3 ranks")
    t.check("MPI" in once and "HDF5" in once and "OpenBLAS" in once,
            f"--version lacks a library: {once}")


def options_of(command):
    return re.findall(r"^  (?:-\w, )?--([\w-]+)", alone("help", command).stdout,
                      re.M)


def check_manual(folder):
    """Every command has a page with all its options, and none warns."""
    pages = {"": ["balans-" + c for c in COMMANDS]}
    for c in COMMANDS:
        pages[c] = ["--" + name for name in options_of(c)]
    for c, names in pages.items():
        page = folder / f"{c}.1"
        page.write_text(alone("help", "--man", *([c] if c else [])).stdout)
        plain = page.read_text().replace("\\-", "-")
        for name in names:
            t.check(name in plain or name == "--help", f"page {c}: no {name}")
        if shutil.which("groff"):
            run = subprocess.run(["groff", "-man", "-ww", "-Tascii", page],
                                 capture_output=True, text=True)
            t.check(run.returncode == 0 and not run.stderr and run.stdout,
                    f"page {c}: {run.stderr}")


def complete(script, *words):
    """What bash offers for the last word."""
    run = subprocess.run(
        ["bash", "-c", f"source '{script}'; COMP_WORDS=(\"$@\"); "
         "COMP_CWORD=$(($# - 1)); _balans; printf '%s\\n' \"${COMPREPLY[@]}\"",
         "-", *words], capture_output=True, text=True)
    t.check(run.returncode == 0 and not run.stderr, f"{words}: {run.stderr}")
    return run.stdout.split()


def check_completion(folder):
    script = folder / "balans.bash"
    script.write_text(alone("help", "--completion").stdout)
    for words, wanted in [
            (["balans", ""], [*COMMANDS, "help", "--help", "--version"]),
            (["balans", "ev"], ["evaluate"]),
            (["balans", "help", "si"], ["simulate"]),
            (["balans", "correct", "--scale", ""], ["standard", "none"]),
            (["balans", "correct", "--scale", "s"], ["standard"]),
            (["balans", "correct", "in"], []),
            (["balans", "evaluate", "--"],
             ["--" + name for name in options_of("evaluate")])]:
        found = complete(script, *words)
        t.check(sorted(found) == sorted(wanted), f"{words}: {found}, not {wanted}")


def names_of(yaml):
    return [s.split(":")[0] for s in yaml.split("\n")
            if s and not s.startswith("#")]


def check_params(folder):
    text = t.works("params").stdout
    default = (root / "configs/default.yaml").read_text()
    t.check(text == default, "configs/default.yaml is not what 'params' says")
    t.check(t.works("params", ranks=3).stdout == text, "params on 3 ranks")
    listed = alone("correct", "--help").stdout
    for name in names_of(text):
        t.check(f"--{name}" in listed, f"--help lacks --{name}")
    for path in sorted((root / "configs").glob("*.yaml")):
        run = t.works("params", "--config", path)
        again = folder / "again.yaml"
        again.write_text(run.stdout)
        t.check(t.works("params", "--config", again).stdout == run.stdout,
                f"{path.name} printed and read again")
        t.check(t.works("params", "--config", path.stem).stdout == run.stdout,
                f"--config {path.stem} is not {path.name}")
    return text


def value(run, name):
    lines = [s for s in run.stdout.split("\n") if s.startswith(f"{name}: ")]
    return lines[0].split(": ", 1)[1].split("  #")[0].split(" # ")[0].strip()


def check_values(folder):
    file = folder / "values.yaml"
    file.write_text("pca: 7\nneighbors: 0.1%\nbatch: \"a 'b' \\\"c\\\"\"\n"
                    "save-affinity: true\nmemory-per-rank: 512M\n")
    run = t.works("params", "--pca", 9, "--config", file, "--block=3",
                  "--block", 4, "--save-affinity=false", "--seed",
                  2**64 - 1, "--gate", "2.5")
    for name, wanted in [("pca", "9"), ("neighbors", "0.1%"), ("block", "4"),
                         ("batch", "\"a 'b' \\\"c\\\"\""), ("gate", "2.5"),
                         ("save-affinity", "false"), ("seed", str(2**64 - 1)),
                         ("memory-per-rank", "512M")]:
        t.check(value(run, name) == wanted, f"{name}: {value(run, name)}")
    t.check(value(t.works("params", "--config", file), "save-affinity")
            == "true", "a flag from a file")


def check_info(folder):
    """The file of a run serves the question about it as well."""
    data, file = folder / "in.h5ad", folder / "run.yaml"
    t.works("simulate", data, "--points", 300, "--dims", 12)
    file.write_text("pca: 5\nreport: x.json\nforce: true\n")
    said = t.works("info", data, "--config", file, "--batch", "batch").stdout
    t.check("in 5 dimensions" in said, f"info with a file: {said}")
    said = t.works("info", data, "--config", file, "--batch", "batch", "--pca",
                   4).stdout
    t.check("in 4 dimensions" in said, f"info with a file and --pca: {said}")
    t.fails(2, ["'--report'"], "info", data, "--report", "x.json")


def check_wrong_files(folder):
    file = folder / "wrong.yaml"
    cases = [
        ("pca: 5\nnieghbors: 3\n", ["line 2", "'nieghbors'", "'neighbors'"]),
        ("pca: many\n", ["line 1", "'pca'", "integer"]),
        ("pca: '5'\n", ["line 1", "'pca'", "quotes"]),
        ("pca: 5.5\n", ["line 1", "'pca'"]),
        ("pca:\n", ["line 1", "'pca'"]),
        ("pca: [1, 2]\n", ["line 1", "'pca'", "list"]),
        ("# x\n\nblock: 4096\n", ["line 3", "'block'", "4095"]),
        ("neighbors: 0\n", ["line 1", "'neighbors'"]),
        ("neighbors: 0%\n", ["line 1", "'neighbors'"]),
        ("neighbors: 101%\n", ["line 1", "'neighbors'"]),
        ("scale: wide\n", ["line 1", "'scale'", "standard or none"]),
        ("scale: nnone\n", ["line 1", "is 'none' meant"]),
        ("force: yes\n", ["line 1", "'force'", "true or false"]),
        ("pca: 5\npca: 6\n", ["line 2", "'pca'", "line 1"]),
        ("- pca\n", ["line 1", "mapping"]),
        ("pca: 5\n\tblock: 3\n", ["line 2"]),
        ("config: x.yaml\n", ["line 1", "'config'"]),
        ("verbose: true\n", ["line 1", "'verbose'"]),
        ("pca: 5\n---\npca: 6\n", ["line 2", "document"]),
        ("gate: 0.5\n", ["'--gate'", "at least 1"]),
    ]
    for text, words in cases:
        file.write_text(text)
        words = words if "--gate" in words[0] else [str(file), *words]
        t.fails(2, words, "params", "--config", file, ranks=1)
    file.write_text(cases[0][0])
    t.fails(2, ["line 2"], "params", "--config", file, ranks=3)
    t.fails(2, ["nowhere.yaml"], "params", "--config", "nowhere.yaml", ranks=3)
    t.fails(2, [str(folder)], "params", "--config", folder)
    t.fails(2, ["'papers'", "paper, ", "single-cell", "./papers.yaml"],
            "params", "--config", "papers", ranks=2)
    t.fails(2, ["too long"], "params", "--config", "a/" * 5000)


def check_waiting():
    """Threads that share cores do not spin, unless the user wants it."""
    policy = os.environ.pop("OMP_WAIT_POLICY", None)
    cores = len(os.sched_getaffinity(0))
    for threads, ranks, env, wanted in [
            (cores + 1, 1, {}, True), (cores + 1, 2, {}, True),
            (cores, 1, {}, False), (1, 2 * cores, {}, False),
            (cores + 1, 1, {"OMP_WAIT_POLICY": "active"}, False),
            (cores + 1, 1, {"GOMP_SPINCOUNT": "10"}, False)]:
        said = t.works("params", f"--threads={threads}", "-v", ranks=ranks,
                       env=env).stderr
        t.check(("threads wait" in said) == wanted,
                f"{ranks} x {threads} threads on {cores} cores: {said}")
    said = t.works("params", "-v", env={"OMP_NUM_THREADS": str(cores + 1)})
    t.check("threads wait" in said.stderr, f"OMP_NUM_THREADS: {said.stderr}")
    if policy is not None:
        os.environ["OMP_WAIT_POLICY"] = policy


def check_wrong_usage():
    files = ["in.h5ad", "out.h5ad", "--batch", "b"]
    cases = [
        ([], ["command"]),
        (["correkt"], ["'correkt'", "is 'correct' meant"]),
        (["help", "simulte"], ["'simulte'", "is 'simulate' meant"]),
        (["quux"], ["'quux'", "--help"]),
        (["correct", "a", "b", "--batch", "x", "--batch", "y"],
         ["'--batch'", "--batch x,y"]),
        (["correct"], ["input"]),
        (["correct", "in.h5ad"], ["output"]),
        (["correct", "in.h5ad", "out.h5ad"], ["'--batch'"]),
        (["correct", *files, "third"], ["'third'"]),
        (["correct", *files, "--neighbours", 5], ["'--neighbors'"]),
        (["correct", *files, "--quux", 5], ["'--quux'"]),
        (["correct", *files, "-x"], ["'-x'"]),
        (["correct", *files, "--pca"], ["'--pca'", "value"]),
        (["correct", *files, "--pca", "--force"], ["'--pca'", "value"]),
        (["correct", *files, "--neighbors", 0], ["'--neighbors'", "'0'"]),
        (["correct", *files, "--neighbors", -3], ["'--neighbors'", "'-3'"]),
        (["correct", *files, "--neighbors", "0%"], ["'--neighbors'"]),
        (["correct", *files, "--neighbors", "nan%"], ["'--neighbors'"]),
        (["correct", *files, "--gate", 0.5], ["'--gate'"]),
        (["correct", *files, "--clip", 0], ["'--clip'"]),
        (["correct", *files, "--clip", "inf"], ["'--clip'"]),
        (["correct", *files, "--patience", 0], ["'--patience'"]),
        (["correct", *files, "--landmarks", 0], ["'--landmarks'", "auto"]),
        (["correct", *files, "--landmarks", 5, "--patience", 20],
         ["'--landmarks 5'", "'--patience'", "'--landmarks auto'"]),
        (["correct", *files, "--landmarks", 5, "--uncovered", "extend"],
         ["'--landmarks 5'", "'--uncovered extend'"]),
        (["correct", *files, "--block", 0], ["'--block'"]),
        (["correct", *files, "--block", 4096], ["'--block'"]),
        (["correct", *files, "--passes", 0], ["'--passes'"]),
        (["correct", *files, "--threads", 0], ["'--threads'"]),
        (["correct", *files, "--seed", -1], ["'--seed'"]),
        (["correct", *files, "--seed", 2**64], ["'--seed'"]),
        (["correct", *files, "--memory-per-rank", "lots"],
         ["'--memory-per-rank'"]),
        (["correct", *files, "--scale", "x"], ["'--scale'"]),
        (["correct", *files, "--scale", "standrd"], ["is 'standard' meant"]),
        (["correct", *files, "--force=maybe"], ["'--force'"]),
        (["correct", *files, "--batch="], ["'--batch'"]),
        (["correct", *files, "-v", "-q"], ["'-v'", "'-q'"]),
        (["correct", *files, "--estimator", "nystrom", "--correction",
          "residual"], ["nystrom"]),
        (["correct", *files, "--landmarks", 500, "--patience", 30],
         ["'--patience'", "'--landmarks 500'"]),
        (["correct", *files, "--landmarks", 500, "--patience", 20],
         ["'--patience'", "'--landmarks 500'"]),
        (["correct", *files, "--landmarks", 500, "--uncovered", "extend"],
         ["'--uncovered extend'", "'--landmarks 500'"]),
        (["correct", *files, "--estimator", "nystrom"],
         ["'--estimator nystrom'", "'--correction smooth'"]),
        (["correct", *files, "--trust", "on", "--correction", "smooth"],
         ["'--trust on'", "'--correction smooth'"]),
        (["correct", *files, "--trust", "strict", "--sparsify", "elbow"],
         ["'--trust strict'", "'--sparsify elbow'"]),
        (["correct", *files, "--blend", 0.5, "--correction", "smooth"],
         ["'--blend'", "'--correction smooth'"]),
        (["correct", *files, "--blend", 1.5], ["'--blend'", "'1.5'"]),
        (["correct", *files, "--stream", "maybe"], ["'--stream'"]),
        (["info"], ["FILE"]),
    ]
    for args, words in cases:
        run = alone(*args)
        t.check(run.returncode == 2 and run.stderr.count("\n") == 1
                and run.stderr.startswith("balans: usage error: ")
                and all(w in run.stderr for w in words) and not run.stdout,
                f"{args}: {run}")
    t.fails(2, ["usage error on rank 0"], "correct", *files, "--neighbors", 0,
            ranks=3)


with tempfile.TemporaryDirectory() as name:
    check_help()
    check_manual(pathlib.Path(name))
    check_completion(pathlib.Path(name))
    check_params(pathlib.Path(name))
    check_values(pathlib.Path(name))
    check_info(pathlib.Path(name))
    check_wrong_files(pathlib.Path(name))
    check_waiting()
    check_wrong_usage()
t.end()
