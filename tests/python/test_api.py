"""balans.correct(), fit(), apply(), evaluate(), read_profiles(),
write_profiles(), in each anndata there is.   usage: test_api.py PROGRAM"""
import os
import pathlib
import stat
import subprocess
import tempfile
import unittest

import common

N, D = 300, 8


def make_adata():
    import anndata
    import numpy as np
    import pandas as pd
    rng = np.random.default_rng(0)
    plate, label = rng.integers(0, 3, N), rng.integers(0, 5, N)
    x = (rng.normal(size=(5, D)) * 4)[label] + plate[:, None] \
        + rng.normal(size=(N, D))
    obs = pd.DataFrame({"plate": [f"p{i}" for i in plate],
                        "label": pd.Categorical([f"l{i}" for i in label]),
                        "number": plate}, index=[f"well{i}" for i in range(N)])
    adata = anndata.AnnData(x.astype("f4"), obs=obs, var=pd.DataFrame(
        index=[f"Cells_{j}" for j in range(D)]))
    adata.layers["twice"] = adata.X * 2
    adata.obsm["X_pca"] = x[:, :4].astype("f4")
    adata.uns["mine"] = "kept"
    return adata


def program(*args):
    subprocess.run([os.environ["BALANS"], *args], check=True,
                   stderr=subprocess.DEVNULL)


class Correct(unittest.TestCase):
    def setUp(self):
        self.adata = make_adata()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def by_program(self, *options):
        import anndata
        a, b = str(self.folder / "a.h5ad"), str(self.folder / "b.h5ad")
        self.adata.write_h5ad(a)
        program("correct", a, b, "--force", *options)
        return anndata.read_h5ad(b)

    def test_in_place_is_what_the_program_does(self):
        import balans
        import numpy as np
        wanted = self.by_program("--batch", "plate", "--neighbors", "5",
                                 "--keep-original", "--pca", "4")
        before = self.adata.X.copy()
        for ranks, threads in (1, None), (2, 2):
            with self.subTest(ranks=ranks):
                adata = make_adata()
                self.assertIsNone(balans.correct(
                    adata, "plate", neighbors=5, keep_original=True, pca=4,
                    ranks=ranks, threads=threads))
                np.testing.assert_array_equal(adata.X, wanted.X)
                self.assertFalse(np.array_equal(adata.X, before))
                np.testing.assert_array_equal(adata.layers["original"], before)
                for part, key in (("obs", "balans_coverage"),
                                  ("obsm", "X_balans"),
                                  ("varm", "balans_PCs")):
                    np.testing.assert_array_equal(getattr(adata, part)[key],
                                                  getattr(wanted, part)[key])
                np.testing.assert_array_equal(
                    adata.uns["balans"]["landmarks"],
                    wanted.uns["balans"]["landmarks"])
                self.assertEqual(adata.uns["balans"]["run"]["ranks"], ranks)
                self.assertEqual(adata.uns["mine"], "kept")
                self.assertEqual(list(adata.obs_names),
                                 list(self.adata.obs_names))
                adata.write_h5ad(self.folder / "again.h5ad")

    def test_copy_layer_and_obsm(self):
        import balans
        import numpy as np
        before = self.adata.copy()
        for where, name in ("layer", "twice"), ("obsm", "X_pca"):
            with self.subTest(where=where):
                matrix = f"{'layers' if where == 'layer' else 'obsm'}/{name}"
                wanted = self.by_program("--batch", "plate", "--matrix",
                                         matrix)
                group = matrix.split("/")[0]
                out = balans.correct(self.adata, ["plate"], copy=True,
                                     **{where: name})
                np.testing.assert_array_equal(getattr(out, group)[name],
                                              getattr(wanted, group)[name])
                np.testing.assert_array_equal(out.X, before.X)
                self.assertNotIn("balans_coverage", self.adata.obs)
                np.testing.assert_array_equal(
                    getattr(self.adata, group)[name],
                    getattr(before, group)[name])

    def test_several_batch_columns(self):
        import balans
        import numpy as np
        self.adata.obs["half"] = np.where(np.arange(N) < N // 2, "a", "b")
        wanted = self.by_program("--batch", "half,plate")
        balans.correct(self.adata, ["half", "plate"])
        np.testing.assert_array_equal(self.adata.X, wanted.X)

    def test_kinds_of_batches_and_matrices(self):
        import balans
        import numpy as np
        import pandas as pd
        import scipy.sparse as sp
        wanted = balans.correct(self.adata, "plate", copy=True).X
        obs = self.adata.obs
        obs["category"] = pd.Categorical(obs["plate"])
        obs["string"] = obs["plate"].astype("string")
        obs["integer"] = obs["number"].astype("Int64")
        for batch in "category", "string", "integer":
            with self.subTest(batch=batch):
                got = balans.correct(self.adata, batch, copy=True)
                np.testing.assert_array_equal(got.X, wanted)
        self.adata.X = sp.csr_matrix(self.adata.X)
        balans.correct(self.adata, "plate")
        np.testing.assert_array_equal(self.adata.X, wanted)

    def fails(self, code, words, *args, **more):
        import balans
        before = self.adata.copy()
        with self.assertRaises(balans.Error) as caught:
            balans.correct(*args, **more)
        self.assertEqual(caught.exception.code, code, caught.exception)
        text = str(caught.exception)
        self.assertNotIn("\n", text)
        for word in words:
            self.assertIn(word, text)
        self.assertEqual(before.X.tobytes(), self.adata.X.tobytes())
        self.assertEqual(list(before.obs), list(self.adata.obs))

    def test_errors_are_sentences(self):
        a = self.adata
        self.fails(2, ["'plat'", "plate", "label"], a, "plat")
        self.fails(2, ["neighbours", "'--neighbors'"], a, "plate",
                   neighbours=3)
        self.fails(2, ["neighbors"], a, "plate", neighbors="many", ranks=2)
        self.fails(2, ["layers/no", "layers/twice"], a, "plate", layer="no")
        self.fails(2, ["layer"], a, "plate", layer="twice", obsm="X_pca")
        self.fails(2, ["'matrix'"], a, "plate", matrix="X")
        self.fails(2, ["0 ranks"], a, "plate", ranks=0)
        self.fails(127, ["no-such"], a, "plate", program="no-such")
        self.fails(127, ["no-such"], a, "plate", launcher=["no-such"], ranks=2)
        a.X[17, 3] = float("nan")
        self.fails(1, ["the object", "row 17", "Cells_3"], a, "plate")

    def test_a_launcher_that_fails_is_quoted(self):
        launcher = self.stub("echo ------ >&2", "echo no slots >&2", "exit 3")
        self.fails(3, ["stub: no slots"], self.adata, "plate", ranks=2,
                   launcher=[launcher])

    def stub(self, *lines):
        path = self.folder / "stub"
        path.write_text("\n".join(["#!/bin/sh", *lines, ""]))
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return str(path)

    def test_warnings_are_passed_on(self):
        program = self.stub(
            "echo 'balans: warning: batches share few kinds' >&2",
            f"exec '{os.environ['BALANS']}' \"$@\"")
        import balans
        with self.assertWarnsRegex(UserWarning, "^batches share few kinds"):
            balans.correct(self.adata, "plate", program=program)

    def test_a_signal_is_named(self):
        program = self.stub("echo 'balans: sample: 20 %' >&2", "kill -9 $$")
        self.fails(-9, ["signal 9", "sample: 20 %"], self.adata, "plate",
                   program=program)

    def test_nothing_is_left_in_the_scratch_folder(self):
        import balans
        balans.correct(self.adata, "plate", scratch=self.folder)
        with self.assertRaises(balans.Error):
            balans.correct(self.adata, "plate", scratch=self.folder,
                           neighbors=-1)
        self.assertEqual(os.listdir(self.folder), [])

    def test_progress_goes_to_the_bar(self):
        from unittest import mock

        import balans
        from balans import _program
        teller = self.stub(
            "echo 'balans: sample: 25.5 % of points' >&2",
            "echo 'balans: write 80 %' >&2",
            "echo 'balans: numeric error: cannot go on' >&2", "exit 1")
        shown = mock.MagicMock()
        with mock.patch.object(_program, "bar", return_value=shown):
            self.fails(1, ["cannot go on"], self.adata, "plate",
                       program=teller)
        self.assertEqual([c.args[0] for c in
                          shown.set_description_str.call_args_list],
                         ["sample", "write"])
        self.assertEqual(shown.n, 80)
        self.assertTrue(shown.close.called)


class Models(unittest.TestCase):
    def setUp(self):
        self.adata = make_adata()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.model = self.folder / "model.h5"

    def applied(self, adata, *options):
        """X by the program itself."""
        import anndata
        a, b = str(self.folder / "a.h5ad"), str(self.folder / "b.h5ad")
        adata.write_h5ad(a)
        program("apply", str(self.model), a, b, "--force", *options)
        return anndata.read_h5ad(b)

    def test_fit_is_what_the_program_does(self):
        import balans
        path, want = self.folder / "in.h5ad", self.folder / "want.h5"
        self.adata.write_h5ad(path)
        program("fit", str(path), str(want), "--batch", "plate", "--sample",
                "200", "--seed", "3")
        before = self.adata.X.copy()
        self.assertIsNone(balans.fit(path, self.model, "plate", sample=200,
                                     seed=3, ranks=2))
        self.assertEqual(self.model.read_bytes(), want.read_bytes())
        balans.fit(self.adata, self.model, ["plate"], sample=200, seed=3,
                   force=True)
        self.assertEqual(self.adata.X.tobytes(), before.tobytes())
        self.assertEqual(list(self.folder.glob("*.h5ad")), [path])
        one = balans.apply(self.model, self.adata, copy=True)
        two = balans.apply(want, self.adata, copy=True)
        self.assertEqual(one.X.tobytes(), two.X.tobytes())

    def test_apply_is_what_the_program_does(self):
        import balans
        import numpy as np
        balans.fit(self.adata, self.model, "plate", pca=4)
        plate = self.adata[self.adata.obs["plate"] == "p1"].copy()
        plate.obs["other"] = "new"
        before = plate.X.copy()
        for batch, options in ((None, []), ("other", ["--batch", "other"])):
            with self.subTest(batch=batch):
                wanted = self.applied(plate, *options)
                got = balans.apply(self.model, plate, batch=batch, copy=True,
                                   ranks=2)
                np.testing.assert_array_equal(got.X, wanted.X)
                np.testing.assert_array_equal(plate.X, before)
                for part, key in (("obs", "balans_coverage"),
                                  ("obsm", "X_balans"),
                                  ("varm", "balans_PCs")):
                    np.testing.assert_array_equal(getattr(got, part)[key],
                                                  getattr(wanted, part)[key])
                self.assertEqual(got.uns["balans"]["model"], "model.h5")
        self.assertIsNone(balans.apply(self.model, plate))
        self.assertFalse(np.array_equal(plate.X, before))
        self.assertEqual(plate.uns["mine"], "kept")

    def test_layer(self):
        import balans
        import numpy as np
        balans.fit(self.adata, self.model, "plate", layer="twice")
        wanted = self.applied(self.adata, "--matrix", "layers/twice")
        before = self.adata.X.copy()
        balans.apply(self.model, self.adata, layer="twice")
        np.testing.assert_array_equal(self.adata.layers["twice"],
                                      wanted.layers["twice"])
        np.testing.assert_array_equal(self.adata.X, before)

    def test_features(self):
        import balans
        import numpy as np
        few = self.adata[:, :5].copy()
        balans.fit(few, self.model, "plate")
        wanted = balans.apply(self.model, few, copy=True).X
        with self.assertWarnsRegex(UserWarning, "3 features .*'Cells_5'"):
            got = balans.apply(self.model, self.adata, copy=True)
        np.testing.assert_array_equal(got.X, wanted)
        self.assertEqual(list(got.var_names), list(few.var_names))
        self.assertEqual(got.layers["twice"].shape, (N, 5))
        self.assertEqual(self.adata.shape, (N, D))
        with self.assertWarns(UserWarning):
            kept = balans.apply(self.model, self.adata, copy=True,
                                keep_extra=True)
        np.testing.assert_allclose(kept.X[:, :5], wanted, rtol=1e-5,
                                   atol=1e-5)
        np.testing.assert_array_equal(kept.X[:, 5:], self.adata.X[:, 5:])
        with self.assertWarns(UserWarning):
            balans.apply(self.model, self.adata)
        np.testing.assert_array_equal(self.adata.X, wanted)
        self.adata.write_h5ad(self.folder / "again.h5ad")

    def fails(self, code, words, call, *args, **more):
        import balans
        with self.assertRaises(balans.Error) as caught:
            call(*args, **more)
        self.assertEqual(caught.exception.code, code, caught.exception)
        text = str(caught.exception)
        self.assertNotIn("\n", text)
        for word in words:
            self.assertIn(word, text)

    def test_errors_are_sentences(self):
        import balans
        a, model = self.adata, self.model
        self.fails(2, ["--sample", "300 profiles"], balans.fit, a, model,
                   "plate", sample=301)
        self.assertFalse(model.exists())
        self.fails(2, ["'matrix'"], balans.fit, a, model, "plate", matrix="X")
        self.fails(1, ["none.h5ad"], balans.fit, "none.h5ad", model, "plate")
        balans.fit(a, model, "plate")
        self.fails(1, ["model.h5", "--force"], balans.fit, a, model, "plate")
        before = a.X.copy()
        self.fails(1, ["the object", "lacks 2 of its 8 features", "Cells_0"],
                   balans.apply, model, a[:, 2:].copy())
        del a.obs["plate"]
        self.fails(2, ["'plate'", "label"], balans.apply, model, a)
        self.fails(1, ["none.h5"], balans.apply, "none.h5", a)
        damaged = bytearray(model.read_bytes())
        damaged[-9] ^= 1
        model.write_bytes(damaged)
        self.fails(1, ["model.h5", "damaged"], balans.apply, model, a,
                   batch="label")
        self.assertEqual(a.X.tobytes(), before.tobytes())


class Evaluate(unittest.TestCase):
    def test_scores(self):
        import balans
        import numpy as np
        adata = make_adata()
        balans.correct(adata, "plate", keep_original=True)
        frame = balans.evaluate(adata, "plate", "label",
                                matrix=["X", "layers/original"])
        self.assertEqual(list(frame), ["X", "layers/original"])
        self.assertTrue((frame.dtypes == np.float64).all())
        mixing = frame.loc["lisi_batch"]
        self.assertGreater(mixing["X"], mixing["layers/original"])
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "a.h5ad"
            adata.write_h5ad(path)
            of_file = balans.evaluate(path, "plate", "label",
                                      matrix=["X", "layers/original"])
        self.assertTrue(frame.equals(of_file))

    def test_what_is_not_defined(self):
        import balans
        adata = make_adata()
        adata.obs["one"] = "same"
        frame = balans.evaluate(adata, "one", "label")
        self.assertTrue(frame["X"].isna()["kbet"])
        self.assertIn("one batch", frame.attrs["undefined"]["X"]["kbet"])
        with self.assertRaises(balans.Error) as caught:
            balans.evaluate(adata, "plate", "label", matrix="layers/none")
        self.assertEqual(caught.exception.code, 2)


class Profiles(unittest.TestCase):
    def test_there_and_back(self):
        try:
            import pyarrow  # noqa: F401
        except ImportError:
            self.skipTest("no pyarrow")
        import balans
        import numpy as np
        adata = make_adata()
        adata.obs.columns = ["Metadata_Plate", "Metadata_label", "number"]
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "profiles.csv.gz"
            balans.write_profiles(adata, path)
            with self.assertRaises(balans.Error):
                balans.write_profiles(adata, path)
            back = balans.read_profiles(path, metadata="number",
                                        batch_from=["Metadata_Plate", "number"])
            np.testing.assert_array_equal(back.X, adata.X)
            self.assertEqual(list(back.var_names), list(adata.var_names))
            self.assertEqual(back.obs["batch"].iloc[0],
                             adata.obs["Metadata_Plate"].iloc[0] + ":"
                             + str(adata.obs["number"].iloc[0]))
            self.assertIn("obs_names", back.uns["balans_convert"])
            other = pathlib.Path(folder) / "z.parquet"
            balans.write_profiles(adata, other, obsm="X_pca")
            z = balans.read_profiles([other])
            self.assertEqual(list(z.var_names)[-4:],
                             [f"pca_{j}" for j in range(4)])
            with self.assertRaises(balans.Error):
                balans.read_profiles(path, join=other)

    def test_the_program_installed_with_the_package_is_found(self):
        import shutil
        import sys

        import balans
        with tempfile.TemporaryDirectory() as folder:
            package = pathlib.Path(folder).resolve() / "share/balans/python"
            shutil.copytree(common.PACKAGE / "balans", package / "balans")
            program = package.parents[2] / "bin/balans"
            program.parent.mkdir()
            program.symlink_to(balans.find_program())
            env = {**os.environ, "PYTHONPATH": str(package)}
            del env["BALANS"]
            run = subprocess.run(
                [sys.executable, "-W", "ignore", "-c",
                 "import balans; print(balans.find_program())"],
                env=env, capture_output=True, text=True)
            self.assertEqual(run.stdout.strip(), str(program), run.stderr)

    def test_version_is_that_of_the_program(self):
        import balans
        said = subprocess.run([balans.find_program(), "--version"],
                              capture_output=True, text=True).stdout
        self.assertIn(balans.__version__, said)


if __name__ == "__main__":
    common.main(["h5py"], every=True)
