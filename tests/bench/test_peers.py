"""bench/peers/run.sh on 2,000 points, with two peers that pip installs without a
compiler; skipped where no packages can be fetched.

usage: test_peers.py PROGRAM SOURCE_ROOT
"""
import csv
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree

SKIP = 77
PEERS = "raw,balans,harmony,sphering"


def rows(path):
    with open(path, newline="") as f:
        return list(csv.DictReader(f))


class Peers(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.results = self.folder / "results"

    def run_peers(self, *args, code=0):
        ran = subprocess.run([RUN, *map(str, args)], capture_output=True, text=True)
        self.assertEqual(ran.returncode, code, ran.stderr)
        return ran.stderr

    def quality(self, data, *options):
        return self.run_peers(
            "quality", "--data", data, "--seeds", 1, "--no-check", "--results",
            self.results, *options)

    def data(self):
        path = self.folder / "mine.h5ad"
        subprocess.run([PROGRAM, "simulate", path, "--points", "2000", "--dims", "20",
                        "--clusters", "8", "--batches", "3", "-q"], check=True)
        return path

    def check_quality(self, data):
        control = ["--control", "label=cluster_0", "--methods", PEERS]
        self.quality(data, *control)
        found = {r["method"]: r for r in rows(self.results / "quality.csv")}
        self.assertEqual(sorted(found), sorted(PEERS.split(",")))
        for row in found.values():
            self.assertEqual(row["status"], "ok")
            self.assertLess(float(row["peak_mib"]), 4096)
            for score in ("avg_batch", "avg_label", "map"):
                self.assertTrue(0 < float(row[score]) <= 1, row)
        for corrected in ("balans", "harmony"):
            self.assertGreater(float(found[corrected]["lisi_batch"]),
                               float(found["raw"]["lisi_batch"]) + 0.2)
        self.assertNotIn("seed 0", self.quality(data, *control),
                         "what is kept is run again")

    def check_refusals(self, data):
        said = self.quality(f"{data},none", "--methods", "harmony", "--limit", 0.01,
                            "--again", "--label", "batch")
        self.assertIn("none is left out: there is no such set", said)
        late = [r for r in rows(self.results / "quality.csv")
                if r["method"] == "harmony"]
        self.assertEqual([r["status"] for r in late], ["over the limit of 0.01 s"])
        self.assertEqual(late[0].get("map", ""), "")
        self.assertIn("no method 'harmonica'", self.run_peers(
            "quality", "--methods", "harmonica", code=1))

    def check_speed(self):
        self.run_peers("speed", "--max-points", 500, "--rounds", 2, "--methods",
                       "balans,harmony", "--results", self.results)
        found = rows(self.results / "speed.csv")
        self.assertEqual([(r["method"], r["round"], r["status"]) for r in found],
                         [(m, t, "ok") for t in "01" for m in ("balans", "harmony")])
        for row in found:
            self.assertTrue(0 < float(row["alone"]) < float(row["whole"]))

    def check_figures(self):
        readme = self.folder / "README.md"
        readme.write_text("a\n<!-- comparison -->\nold\n<!-- end -->\nb\n")
        self.run_peers("figures", "--results", self.results, "--docs", self.folder,
                       "--readme", readme)
        text = (self.folder / "comparison.md").read_text()
        mine = next(r for r in rows(self.results / "quality.csv")
                    if r["method"] == "balans")
        self.assertIn(f"{float(mine['map']):.3f}", text)
        self.assertIn("| Harmony | over the limit of 0.01 s |", text)
        self.assertNotIn("{{", text)
        said = readme.read_text()
        self.assertIn(f"{float(mine['avg_all']):.3f}", said)
        self.assertNotIn("old", said)
        for figure in ("umap", "time"):
            xml.etree.ElementTree.parse(self.folder / f"comparison-{figure}.svg")
        self.assertEqual(len(rows(self.folder / "comparison-table2.csv")), 2)

    def test_from_data_to_page(self):
        data = self.data()
        self.check_quality(data)
        self.check_refusals(data)
        self.check_speed()
        self.check_figures()


def packages_can_be_had():
    with tempfile.TemporaryDirectory() as folder:
        return subprocess.run(
            ["python3", "-m", "pip", "--retries", "0", "download", "--quiet",
             "--no-deps", "--only-binary", ":all:", "-d", folder, "harmonypy==2.1.0"],
            capture_output=True).returncode == 0


if __name__ == "__main__":
    PROGRAM = str(pathlib.Path(sys.argv[1]).resolve())
    RUN = pathlib.Path(sys.argv[2]) / "bench/peers/run.sh"
    if not packages_can_be_had():
        print("skipped: pip cannot fetch harmonypy here")
        sys.exit(SKIP)
    os.environ["BALANS"] = PROGRAM
    os.environ["PEERS_BUILD"] = str(pathlib.Path(PROGRAM).parents[1] / "peers")
    unittest.main(argv=sys.argv[:1])
