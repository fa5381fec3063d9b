"""The lines of docs/tutorial.md, as they stand there.
usage: test_tutorial.py PROGRAM"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

import common

BLOCK = re.compile(r"^```(sh|python)\n(.*?)^```", re.M | re.S)


class Tutorial(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        text = (common.ROOT / "docs/tutorial.md").read_text()
        cls.blocks = [m.groups() for m in BLOCK.finditer(text)]
        cls.place = tempfile.TemporaryDirectory()
        cls.folder = pathlib.Path(cls.place.name)
        programs = cls.folder / "bin"
        programs.mkdir()
        (programs / "balans").symlink_to(os.environ["BALANS"])
        convert = programs / "balans-convert"
        convert.write_text(f"#!/bin/sh\nexec '{sys.executable}' -m "
                           'balans.convert "$@"\n')
        convert.chmod(0o755)
        cls.env = {**os.environ, "MPLBACKEND": "Agg",
                   "MPLCONFIGDIR": cls.place.name,
                   "PATH": f"{programs}:{os.environ['PATH']}"}

    @classmethod
    def tearDownClass(cls):
        cls.place.cleanup()

    def run_block(self, number, kind):
        found, text = self.blocks[number]
        self.assertEqual(found, kind)
        command = (["bash", "-euc", text] if kind == "sh"
                   else [sys.executable, "-W", "ignore", "-c", text])
        run = subprocess.run(command, cwd=self.folder, env=self.env,
                             capture_output=True, text=True)
        self.assertEqual(run.returncode, 0, run.stderr)
        return run.stdout

    def test_1_table(self):
        self.run_block(0, "sh")
        self.assertTrue((self.folder / "profiles.parquet").exists())

    def test_2_python(self):
        lines = self.blocks[1][1].strip().split("\n")
        self.assertEqual(len(lines), 10)
        try:
            import scanpy  # noqa: F401
        except ImportError:
            self.skipTest("no scanpy")
        scores = self.run_block(1, "python")
        row = next(s.split() for s in scores.split("\n")
                   if s.startswith("lisi_batch"))
        self.assertGreater(float(row[2]), float(row[1]))
        png = (self.folder / "corrected.png").read_bytes()
        self.assertGreater(len(png), 10000)

    def test_3_shell(self):
        scores = self.run_block(2, "sh")
        self.assertIn("LISI batch", scores)
        self.assertTrue((self.folder / "corrected.csv.gz").exists())
        page = (self.folder / "report.html").read_text()
        self.assertIn("LISI batch", page)
        self.assertEqual(page.count("<img "), 6)

    def test_4_a_later_plate(self):
        self.run_block(3, "python")
        self.assertTrue((self.folder / "plate.parquet").exists())
        said = self.run_block(4, "sh")
        self.assertIn("800 of its 1000 profiles", said)
        self.assertTrue((self.folder / "plate-corrected.h5ad").exists())


if __name__ == "__main__":
    common.main(["pyarrow", "h5py"])
