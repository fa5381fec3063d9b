"""balans-convert: tables to .h5ad and back.   usage: test_convert.py PROGRAM"""
import contextlib
import gzip
import io
import os
import pathlib
import tempfile
import unittest
from unittest import mock

import common

N, D = 240, 7
FEATURES = [f"Cells_{j}" for j in range(D)]


def make_frame(seed=0):
    import numpy as np
    import pandas as pd
    rng = np.random.default_rng(seed)
    x = (rng.normal(size=(N, D)) * 10).astype(np.float32)
    frame = pd.DataFrame(x, columns=FEATURES)
    plate = rng.integers(0, 4, N)
    frame.insert(0, "Metadata_Plate", [f"00{p}" for p in plate])
    frame.insert(1, "Metadata_Source", [f"s{p % 2}" for p in plate])
    frame["Metadata_type"] = rng.choice(["negcon", "trt"], N)
    frame["Metadata_count"] = rng.integers(1, 90, N)
    frame["Metadata_area"] = rng.normal(size=N).round(3)
    frame["Note"] = "text"
    frame.loc[3, "Metadata_type"] = None
    return frame


class Case(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        before = os.getcwd()
        os.chdir(self.folder)
        self.addCleanup(os.chdir, before)

    def convert(self, *args, code=0):
        """What it said; also checks that it left nothing behind."""
        from balans.convert import main
        there = set(os.listdir())
        with contextlib.redirect_stderr(io.StringIO()) as said:
            try:
                got = main([str(a) for a in args])
            except SystemExit as e:  # argparse
                got = e.code
        self.assertEqual(got, code, said.getvalue())
        new = set(os.listdir()) - there
        self.assertLessEqual(new, {str(args[-1]), *map(str, args)})
        return said.getvalue()

    def fails(self, code, words, *args):
        said = self.convert(*args, code=code)
        self.assertEqual(said.count("\n"), 1, said)
        self.assertTrue(said.startswith("balans-convert: "), said)
        for word in words:
            self.assertIn(word, said)

    def read(self, name="out.h5ad"):
        import anndata
        return anndata.read_h5ad(name)


class ToH5ad(Case):
    def check(self, adata, frame):
        import numpy as np
        self.assertEqual(list(adata.var_names), FEATURES)
        self.assertEqual(adata.X.dtype, np.float32)
        np.testing.assert_array_equal(adata.X, frame[FEATURES].to_numpy())
        self.assertEqual(list(adata.obs), [c for c in frame
                                           if c.startswith("Metadata_")])
        obs = adata.obs
        self.assertEqual(list(obs.Metadata_Plate), list(frame.Metadata_Plate))
        self.assertEqual(list(np.flatnonzero(obs.Metadata_type.isna())), [3])
        self.assertNotIn("nan", list(obs.Metadata_type.cat.categories))
        self.assertEqual(obs.Metadata_count.dtype, np.int64)
        np.testing.assert_array_equal(obs.Metadata_count, frame.Metadata_count)
        np.testing.assert_array_equal(obs.Metadata_area, frame.Metadata_area)

    def test_parquet_csv_and_gzip_say_the_same(self):
        frame = make_frame()
        frame.to_parquet("in.parquet", row_group_size=100)
        frame.to_csv("in.csv")  # with the numbers of the rows
        with gzip.open("in.csv.gz", "wt") as f:
            frame.to_csv(f, index=False)
        for name in "in.parquet", "in.csv", "in.csv.gz":
            said = self.convert(name, "out.h5ad", "--force")
            self.assertIn("neither metadata nor numeric", said)
            self.assertIn("Note", said)
            self.assertEqual("without a name" in said, name == "in.csv")
            self.assertIn(f"{N} profiles x {D} features", said)
            self.check(self.read(), frame)

    def test_small_blocks_give_the_same(self):
        from balans import _sources, _values
        frame = make_frame()
        frame.loc[5, "Cells_2"] = float("nan")
        frame.to_parquet("in.parquet", row_group_size=100)
        args = ("in.parquet", "out.h5ad", "--force", "--nonfinite", "median",
                "--normalize", "mad", "--by", "Metadata_Plate")
        self.convert(*args)
        whole = self.read().X
        largest, add = [], _values.Spool.add

        def watch(self, batch):
            largest.append(batch.num_rows)
            add(self, batch)

        with mock.patch.object(_sources, "BUDGET", 1000), \
                mock.patch.object(_values, "BUDGET", 1000), \
                mock.patch.object(_values.Spool, "add", watch):
            self.convert(*args)
        self.assertEqual(whole.tobytes(), self.read().X.tobytes())
        self.assertLessEqual(max(largest) * 8 * D, 1000)
        self.assertEqual(sum(largest), N)

    def test_a_file_is_not_held_as_a_whole(self):
        import numpy as np
        import pyarrow as pa
        import pyarrow.parquet as pq
        from balans import _sources, _values
        rng, held, add = np.random.default_rng(0), [], _values.Spool.add
        table = pa.table({f"Cells_{j}": rng.random(100000, np.float32)
                          for j in range(50)})
        pq.write_table(table, "in.parquet", row_group_size=5000)
        size = table.nbytes
        del table

        def watch(self, batch):
            held.append(pa.total_allocated_bytes())
            add(self, batch)

        with mock.patch.object(_sources, "BUDGET", 1 << 20), \
                mock.patch.object(_values.Spool, "add", watch):
            self.convert("in.parquet", "out.h5ad")
        self.assertLess(max(held), size / 3)

    def test_metadata_named(self):
        make_frame().to_parquet("in.parquet")
        self.convert("in.parquet", "out.h5ad", "--metadata", "Note,Cells_1")
        adata = self.read()
        self.assertNotIn("Cells_1", adata.var_names)
        self.assertEqual(adata.obs["Note"].iloc[0], "text")
        self.assertIn("Cells_1", adata.obs)
        self.fails(2, ["'Nothing'", "in.parquet"], "in.parquet", "no.h5ad",
                   "--metadata", "Nothing")

    def test_several_files_and_folders(self):
        import numpy as np
        a, b = make_frame(1), make_frame(2)
        b = b[b.columns[::-1]].drop(columns="Cells_4")
        b["Cells_new"] = 1.0
        b["Cells_1"] = "text here"
        os.makedirs("plates/b2")
        a.to_parquet("plates/a.parquet")
        b.to_csv("plates/b2/b.csv.gz", index=False)
        for inputs in ["plates"], ["plates/a.parquet", "plates/b2/b.csv.gz"]:
            said = self.convert(*inputs, "out.h5ad", "--force")
            self.assertRegex(said, "not in all 2 files: .*Cells_4 \\(in 1\\)")
            self.assertRegex(said, "not in all 2 files: .*Cells_new \\(in 1\\)")
            self.assertRegex(said, "nor numeric: Cells_1, Note")
            adata = self.read()
            kept = [c for c in FEATURES if c not in ("Cells_1", "Cells_4")]
            self.assertEqual(list(adata.var_names), kept)
            self.assertEqual(list(adata.obs)[:2],
                             ["Metadata_Plate", "Metadata_Source"])
            np.testing.assert_array_equal(
                adata.X, np.vstack([a[kept], b[kept]]).astype(np.float32))
            self.assertEqual(list(adata.obs.Metadata_Plate),
                             [*a.Metadata_Plate, *b.Metadata_Plate])

    def test_join_and_joint_batch(self):
        import pandas as pd
        frame = make_frame()
        frame.to_parquet("in.parquet")
        table = frame[["Metadata_Source", "Metadata_Plate"]].drop_duplicates()
        table["Metadata_Batch"] = "b" + table.Metadata_Plate
        table["Metadata_count"] = 0
        table.to_csv("plate.csv.gz", index=False)
        said = self.convert(
            "in.parquet", "out.h5ad", "--join", "plate.csv.gz", "--on",
            "Metadata_Source,Metadata_Plate", "--batch-from",
            "Metadata_Source,Metadata_Batch")
        self.assertIn("there already: Metadata_count", said)
        obs = self.read().obs
        self.assertEqual(list(obs.Metadata_Batch),
                         list("b" + frame.Metadata_Plate))
        self.assertEqual(list(obs.batch), list(
            frame.Metadata_Source + ":b" + frame.Metadata_Plate))
        self.assertEqual(list(obs.Metadata_count), list(frame.Metadata_count))

        join = ("no.h5ad", "--on", "Metadata_Source,Metadata_Plate", "--join")
        table[table.Metadata_Plate != "002"].to_csv("less.csv", index=False)
        self.fails(1, ["Metadata_Plate '002'", "less.csv"], "in.parquet", *join,
                   "less.csv")
        twice = pd.concat([table, table.assign(Metadata_Batch="other")])
        twice.to_parquet("twice.parquet")
        self.fails(1, ["different things", "twice.parquet"], "in.parquet",
                   *join, "twice.parquet")
        self.fails(2, ["'Metadata_Nothing'"], "in.parquet", "no.h5ad",
                   "--join", "less.csv", "--on", "Metadata_Nothing")
        self.fails(2, ["--on"], "in.parquet", "no.h5ad", "--join", "less.csv")

    def test_joint_batch_that_is_missing_or_ambiguous(self):
        frame = make_frame()
        frame.to_parquet("in.parquet")
        self.convert("in.parquet", "out.h5ad", "--batch-from",
                     "Metadata_Plate,Metadata_type")
        self.assertEqual(list(self.read().obs.batch.isna().to_numpy()),
                         [i == 3 for i in range(N)])
        frame["Metadata_type"] = "x"
        frame.loc[0, ["Metadata_Plate", "Metadata_type"]] = ["a:b", "c"]
        frame.loc[1, ["Metadata_Plate", "Metadata_type"]] = ["a", "b:c"]
        frame.to_parquet("in.parquet")
        self.fails(1, ["'a:b:c'"], "in.parquet", "no.h5ad", "--batch-from",
                   "Metadata_Plate,Metadata_type")


class NotFinite(Case):
    def setUp(self):
        super().setUp()
        self.frame = make_frame()
        self.frame = self.frame.astype({"Cells_1": "float64"})
        self.frame.loc[[4, 9, 11], "Cells_1"] = [
            float("nan"), float("inf"), 1e39]
        self.frame.loc[9, "Cells_5"] = float("-inf")
        self.frame.to_parquet("in.parquet")

    def test_error_counts_them(self):
        self.fails(1, ["4 values", "2 of 7 features", "Cells_1: 3",
                       "Cells_5: 1", "3 of 240 profiles", "row 9: 2",
                       "row 4: 1"], "in.parquet", "no.h5ad")
        make_frame().to_parquet("a.parquet")
        self.fails(1, ["row 9 of 'in.parquet': 2"], "a.parquet", "in.parquet",
                   "no.h5ad")

    def test_drop_features(self):
        said = self.convert("in.parquet", "out.h5ad", "--nonfinite",
                            "drop-features")
        self.assertIn("infinite values: Cells_1, Cells_5", said)
        self.assertEqual(list(self.read().var_names),
                         [c for c in FEATURES if c not in ("Cells_1",
                                                           "Cells_5")])

    def test_drop_features_above_a_share(self):
        self.fails(1, ["1 values", "still", "1 of 6 features"], "in.parquet",
                   "no.h5ad", "--nonfinite", "drop-features:0.01")
        self.convert("in.parquet", "out.h5ad", "--nonfinite",
                     "drop-features:0.01,median")
        adata = self.read()
        self.assertEqual(adata.shape, (N, D - 1))

    def test_drop_rows(self):
        import numpy as np
        said = self.convert("in.parquet", "out.h5ad", "--nonfinite",
                            "drop-rows")
        self.assertIn("left out 3 profiles", said)
        adata, kept = self.read(), self.frame.drop(index=[4, 9, 11])
        np.testing.assert_array_equal(adata.X, kept[FEATURES].astype("f4"))
        self.assertEqual(list(adata.obs.Metadata_count),
                         list(kept.Metadata_count))
        self.assertEqual(list(adata.obs_names), [str(i) for i in range(N - 3)])

    def test_median(self):
        import numpy as np
        self.convert("in.parquet", "out.h5ad", "--nonfinite", "median")
        x = self.frame[FEATURES].to_numpy().astype(np.float32)
        x[~np.isfinite(x)] = np.nan
        wanted = np.where(np.isnan(x), np.nanmedian(x, axis=0), x)
        np.testing.assert_array_equal(self.read().X, wanted)

    def test_wrong_values(self):
        for value in "nothing", "drop-features:2", "drop-rows:0.1", "":
            self.fails(2, ["--nonfinite"], "in.parquet", "no.h5ad",
                       f"--nonfinite={value}")
        self.frame["Cells_1"] = float("nan")
        self.frame.to_parquet("in.parquet")
        self.fails(1, ["Cells_1", "drop-features:0.5,median"], "in.parquet",
                   "no.h5ad", "--nonfinite", "median")


class Normalise(Case):
    def setUp(self):
        super().setUp()
        import numpy as np
        self.frame = make_frame().astype({c: "float64" for c in FEATURES})
        self.frame[FEATURES[0]] += 1e5  # float32 would lose digits
        self.frame[FEATURES[1]] = np.where(
            self.frame.Metadata_Plate == "001", 2.5, self.frame[FEATURES[1]])
        self.frame.loc[7, FEATURES[2]] = np.nan
        self.frame.to_parquet("in.parquet")

    def normalised(self, method, controls):
        more = ["--controls", "Metadata_type=negcon"] if controls else []
        self.convert("in.parquet", "out.h5ad", "--force", "--nonfinite",
                     "median", "--normalize", method, "--by", "Metadata_Plate",
                     *more)
        return self.read().X

    def wanted(self, method, controls):
        import numpy as np
        out = np.empty((N, D))
        for plate, part in self.frame.groupby("Metadata_Plate"):
            x = part[FEATURES].to_numpy()
            c = x[part.Metadata_type == "negcon"] if controls else x
            if method == "mad":
                centre = np.nanmedian(c, axis=0)
                scale = np.nanmedian(np.abs(c - centre), axis=0) * 1.4826
                scale[scale == 0] = 1  # the values are the centre there
            else:
                centre, scale = np.nanmean(c, axis=0), np.nanstd(c, axis=0)
                scale[scale < 1e-12] = 1
            out[part.index] = (x - centre) / scale
        return np.where(np.isnan(out), np.nanmedian(out, axis=0), out)

    def test_by_plate(self):
        import numpy as np
        for method in "mad", "standard":
            for controls in False, True:
                np.testing.assert_allclose(
                    self.normalised(method, controls),
                    self.wanted(method, controls), rtol=1e-5, atol=1e-6)

    def test_like_pycytominer(self):
        import numpy as np
        import pandas as pd
        try:
            from pycytominer import normalize
        except ImportError:
            self.skipTest("no pycytominer")
        names = {"mad": "mad_robustize", "standard": "standardize"}
        for method, name in names.items():
            for samples in "all", "Metadata_type == 'negcon'":
                parts = [normalize(part, features=FEATURES,
                                   meta_features=["Metadata_Plate"],
                                   samples=samples, method=name)
                         if samples == "all" else
                         normalize(part, features=FEATURES, method=name,
                                   meta_features=["Metadata_Plate",
                                                  "Metadata_type"],
                                   samples=samples)
                         for _, part in self.frame.groupby("Metadata_Plate")]
                theirs = pd.concat(parts).sort_index()[FEATURES].to_numpy()
                ours = self.normalised(method, samples != "all")
                known = ~np.isnan(theirs)
                self.assertEqual(known.sum(), N * D - 1)
                np.testing.assert_allclose(ours[known], theirs[known],
                                           rtol=1e-5, atol=1e-6)

    def test_a_mad_of_zero_is_counted(self):
        at = self.frame.index[self.frame.Metadata_Plate == "001"][0]
        self.frame.loc[at, FEATURES[1]] = 3.0
        self.frame.to_parquet("in.parquet")
        self.fails(1, ["1 values", f"{FEATURES[1]}: 1", f"row {at}: 1"],
                   "in.parquet", "no.h5ad", "--metadata", FEATURES[2],
                   "--normalize", "mad", "--by", "Metadata_Plate")

    def test_wrong_use(self):
        make_frame().to_parquet("in.parquet")
        by = ("in.parquet", "no.h5ad", "--normalize", "mad", "--by")
        self.fails(2, ["--by"], *by[:-1])
        self.fails(2, ["'Nothing'"], *by, "Nothing")
        self.fails(1, ["profile 3"], *by, "Metadata_type")
        self.fails(2, ["COLUMN=VALUE"], *by, "Metadata_Plate", "--controls",
                   "negcon")
        self.fails(1, ["'000'", "no controls"], *by, "Metadata_Plate",
                   "--controls", "Metadata_type=DMSO")
        self.fails(2, ["--normalize"], "in.parquet", "no.h5ad", "--by",
                   "Metadata_Plate")


class Back(Case):
    def setUp(self):
        super().setUp()
        import numpy as np
        self.frame = make_frame()
        self.frame.to_parquet("in.parquet")
        self.convert("in.parquet", "out.h5ad")
        self.adata = self.read()
        rng = np.random.default_rng(1)
        self.adata.obsm["X_balans"] = rng.normal(size=(N, 3)).astype("f4")
        self.adata.layers["half"] = self.adata.X / 2
        self.adata.obs.insert(0, "balans_coverage", np.float32(0.5))
        self.adata.obs.insert(0, "fine", True)
        self.adata.write_h5ad("full.h5ad")
        self.meta = [c for c in self.frame if c.startswith("Metadata_")]

    def test_what_comes_back_is_what_went(self):
        import numpy as np
        import pandas as pd
        types = {c: np.float32 for c in FEATURES}
        for name in "out.parquet", "out.csv", "out.csv.gz":
            self.convert("full.h5ad", name)
            if name.endswith(".parquet"):
                back = pd.read_parquet(name)
                self.assertEqual({str(back[c].dtype) for c in FEATURES},
                                 {"float32"})
            else:
                back = pd.read_csv(name, dtype={**types,
                                                "Metadata_Plate": str})
            self.assertEqual(list(back), [*self.meta, "fine",
                                          "balans_coverage", *FEATURES])
            np.testing.assert_array_equal(back[FEATURES], self.frame[FEATURES])
            for c in self.meta:
                np.testing.assert_array_equal(
                    back[c].astype(object).where(back[c].notna(), None),
                    self.frame[c].astype(object).where(
                        self.frame[c].notna(), None))
            self.convert(name, "again.h5ad", "--force")
            np.testing.assert_array_equal(
                self.read("again.h5ad")[:, FEATURES].X, self.adata.X)

    def test_other_matrices(self):
        import numpy as np
        import pandas as pd
        self.convert("full.h5ad", "z.parquet", "--obsm", "X_balans")
        back = pd.read_parquet("z.parquet")
        names = ["balans_0", "balans_1", "balans_2"]
        self.assertEqual(list(back)[-3:], names)
        np.testing.assert_array_equal(back[names], self.adata.obsm["X_balans"])
        self.convert("full.h5ad", "half.parquet", "--matrix", "layers/half")
        np.testing.assert_array_equal(
            pd.read_parquet("half.parquet")[FEATURES], self.adata.X / 2)
        self.fails(2, ["'obsm/no'", "layers/half", "obsm/X_balans"],
                   "full.h5ad", "no.csv", "--obsm", "no")

    def test_sparse_and_named_profiles(self):
        import numpy as np
        import pandas as pd
        import scipy.sparse as sp
        x = np.where(self.adata.X > 0, self.adata.X, 0)
        self.adata.X = sp.csr_matrix(x)
        self.adata.obs_names = [f"well{i}" for i in range(N)]
        self.adata.write_h5ad("sparse.h5ad")
        self.convert("sparse.h5ad", "sparse.parquet")
        back = pd.read_parquet("sparse.parquet")
        np.testing.assert_array_equal(back[FEATURES], x)
        self.assertEqual(list(back["obs_names"]), list(self.adata.obs_names))


class Messages(Case):
    def test_one_line_each(self):
        make_frame().to_parquet("in.parquet")
        pathlib.Path("there.h5ad").write_text("mine")
        pathlib.Path("broken.parquet").write_text("nothing of the kind")
        pathlib.Path("broken.h5ad").write_text("nothing of the kind")
        pathlib.Path("twice.csv").write_text("a,a\n1,2\n")
        pathlib.Path("text.csv").write_text("Metadata_a,b\nx,y\n")
        pathlib.Path("ragged.csv").write_text("a,b\n1,2\n1,2,3\n")
        pathlib.Path("empty.csv").write_text("a,b\n")
        os.mkdir("empty")
        for code, words, *args in [
                (1, ["cannot find 'no.parquet'"], "no.parquet", "x.h5ad"),
                (1, ["'broken.parquet'"], "broken.parquet", "x.h5ad"),
                (1, ["'broken.h5ad'"], "broken.h5ad", "x.csv"),
                (1, ["cannot find 'no.h5ad'"], "no.h5ad", "x.csv"),
                (2, ["in.txt", ".csv.gz"], "in.txt", "x.h5ad"),
                (2, ["x.txt", ".csv.gz"], "there.h5ad", "x.txt"),
                (2, ["'there.h5ad'", "--force"], "in.parquet", "there.h5ad"),
                (2, ["is an input"], "there.h5ad", "in.parquet", "there.h5ad"),
                (1, ["several columns", "a"], "twice.csv", "x.h5ad"),
                (1, ["numeric"], "text.csv", "x.h5ad"),
                (1, ["ragged.csv"], "ragged.csv", "x.h5ad"),
                (1, ["empty.csv"], "empty.csv", "x.h5ad"),
                (2, ["'empty'"], "empty", "x.h5ad"),
                (1, ["no/folder"], "in.parquet", "no/folder/x.h5ad"),
                (2, ["--obsm"], "in.parquet", "x.h5ad", "--obsm", "X_balans"),
                (2, ["table"], "there.h5ad", "x.csv", "--join", "in.parquet"),
        ]:
            with self.subTest(args=args):
                self.fails(code, words, *args)
        self.assertEqual(pathlib.Path("there.h5ad").read_text(), "mine")

    def test_without_pyarrow(self):
        make_frame().to_parquet("in.parquet")
        with mock.patch.dict("sys.modules", {"pyarrow": None}):
            self.fails(1, ["pip install pyarrow"], "in.parquet", "x.h5ad")

    def test_text_where_numbers_were(self):
        rows = "1.5,2\n" * 6000000
        pathlib.Path("late.csv").write_text(f"a,b\n{rows}word,2\n")
        self.fails(1, ["late.csv", "word"], "late.csv", "x.h5ad")


if __name__ == "__main__":
    common.main(["pyarrow", "h5py"])
