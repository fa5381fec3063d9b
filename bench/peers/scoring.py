"""What is said of a result: by 'balans evaluate', and as a check on it by scib-metrics and
copairs; and where its points lie in a UMAP."""
import json
import os
import subprocess

import figures
import kept
import methods

# Of 'balans evaluate'; with what a table calls them.
BATCH = {"graph_connectivity": "graph conn.", "kbet": "kBET",
         "lisi_batch": "LISI batch", "silhouette_batch": "silh. batch"}
LABEL = {"leiden_ari": "ARI", "leiden_nmi": "NMI", "lisi_label": "LISI label",
         "silhouette_label": "silh. label"}
SCORES = [*BATCH, *LABEL, "avg_batch", "avg_label", "avg_all", "map"]
CHECK_NEEDS = ["scib-metrics>=0.5.10", "copairs>=0.5.5", "h5py"]
UMAP_NEEDS = ["umap-learn==0.5.12", "h5py"]


def scores(method, out, seed):
    """A graph has graph metrics only."""
    if method.key == "bbknn":
        ran = subprocess.run(
            [method.interpreter, methods.HERE / "graph.py", out, str(seed)],
            check=True, capture_output=True, text=True)
        return json.loads(ran.stdout)
    said = out.with_suffix(".json")
    said.unlink(missing_ok=True)
    subprocess.run([os.environ["BALANS"], "evaluate", out, "--batch", "batch",
                    "--label", "label", "--seed", str(seed), "--json", said, "-q"],
                   check=True, stdout=subprocess.DEVNULL)
    found = json.loads(said.read_text())["matrices"]["X"]["scores"]
    return {key: found[key] for key in SCORES}


def matrices(args, sets, table):
    """Results of seed 0 that the table does not have, the first of them raw."""
    folder = methods.FOLDER / "out" / sets.name
    there = {row["method"] for row in table.rows.values()
             if row["data"] == sets.name and not args.again}
    found = [folder / f"{key}.0.h5ad" for key in methods.METHODS
             if key != "bbknn" and key not in there]
    return [path for path in found if path.exists()]


def other(name, needs, script, paths):
    """What a script says of these matrices, as rows; its packages in an environment."""
    if not paths:
        return []
    interpreter, why = methods.environment(name, needs)
    if why:
        kept.say(f"without {' and '.join(needs[:-1])}: {why}")
        return []
    ran = subprocess.run([interpreter, methods.HERE / script, *paths],
                         capture_output=True, text=True)
    if ran.returncode:
        kept.say(f"{script} failed: {methods.tidy(ran.stderr)}")
        return []
    return json.loads(ran.stdout.strip().splitlines()[-1])


def check(args, sets):
    """The same scores by scib-metrics and copairs, beside ours."""
    table = kept.Table(args.results / "check.csv", ["data", "method", "score"])
    ours = kept.Table(args.results / "quality.csv", ["data", "method", "seed"])
    for row in other("check", CHECK_NEEDS, "check.py", matrices(args, sets, table)):
        if "versions" in row:
            kept.About(args.results / "about.json", "quality").add(row)
            continue
        mine = ours.rows.get((sets.name, row["method"], "0"), {}).get(row["score"])
        if mine:
            table.put([sets.name, row["method"], row["score"]],
                      {"ours": float(mine), "theirs": row["value"]})


def pictures(args, sets):
    """Places in the UMAP of each result."""
    table = kept.Table(args.results / "umap.csv", ["data", "method"])
    if sets.name not in figures.SHOWN and not sets.given.endswith(".h5ad"):
        return
    for row in other("umap", UMAP_NEEDS, "places.py", matrices(args, sets, table)):
        table.put([sets.name, row["method"]], row)
