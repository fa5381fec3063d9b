#!/usr/bin/python3
"""Opens an output of `balans correct` in anndata and checks it.

    check_anndata.py INPUT OUTPUT [--matrix NAME] [--pca P] [--affinity]
                     [--original]

Says what is wrong and ends with 1; 77 where anndata is not installed.
"""
import argparse
import sys
import warnings

try:
    import anndata
    import h5py
    import numpy as np
    import pandas as pd
    import scipy.sparse as sp
except ImportError as e:
    print("skipped:", e)
    sys.exit(77)

warnings.simplefilter("ignore")


def dense(x):
    return x.toarray() if sp.issparse(x) else np.asarray(x)


def element(adata, name):
    if name == "X":
        return adata.X
    group, key = name.split("/", 1)
    return getattr(adata, group)[key]


def check(ok, what):
    if not ok:
        print("check_anndata:", what)
        sys.exit(1)


def same(a, b):
    """Whether two elements of AnnData files are equal, whatever they are."""
    if isinstance(a, pd.DataFrame):
        return a.equals(b)
    if hasattr(a, "items"):
        return set(a) == set(b) and all(same(v, b[k]) for k, v in a.items())
    if sp.issparse(a):
        return a.format == b.format and a.shape == b.shape and same(
            dense(a), dense(b))
    if isinstance(a, np.ndarray):
        if a.dtype != b.dtype or a.shape != b.shape:
            return False
        # Not assert_array_equal(): records may hold text and NaN.
        return a.tobytes() == b.tobytes() or bool(np.all(a == b)) or (
            a.dtype.kind == "f" and np.array_equal(a, b, equal_nan=True))
    return a == b


def check_copies(old, new, args):
    check(list(old.obs_names) == list(new.obs_names), "obs names or their order")
    check(list(old.var_names) == list(new.var_names), "var names")
    mine = ["balans_coverage"]
    check(same(old.obs.drop(columns=mine, errors="ignore"),
               new.obs.drop(columns=mine)), "columns of obs")
    check(same(old.var, new.var), "var")
    added = {args.matrix, "obsm/X_balans", "varm/balans_PCs",
             "uns/balans"}
    if args.original:
        added.add("layers/original" if not args.matrix.startswith("obsm/")
                  else args.matrix + "_original")
    for name in "layers", "obsm", "varm", "obsp", "varp", "uns":
        a, b = getattr(old, name), getattr(new, name)
        for key in set(a) | set(b):
            path = "%s/%s" % (name, key)
            if path in added:
                continue
            check(key in b, path + " was lost")
            check(key in a, path + " was not in the input")
            check(same(a[key], b[key]), path + " was changed")
    if args.matrix != "X" and old.X is not None:
        check(same(old.X, new.X), "X was changed")
    if old.raw is not None:
        check(new.raw is not None and same(old.raw.X, new.raw.X), "raw")


def check_matrix(old, new, args):
    before, after = element(old, args.matrix), element(new, args.matrix)
    check(isinstance(after, np.ndarray), args.matrix + " is not dense")
    check(after.dtype == np.float32, args.matrix + " is not float32")
    check(after.shape == before.shape, "shape of " + args.matrix)
    check(np.isfinite(after).all(), args.matrix + " is not finite")
    if args.original:
        kept = (new.layers["original"] if not args.matrix.startswith("obsm/")
                else element(new, args.matrix + "_original"))
        check(same(before, kept), "the original is not what was kept")
    if args.pca:
        z = new.obsm["X_balans"]
        check(z.dtype == np.float32, "obsm/X_balans is not float32")
        check(z.shape == (new.n_obs, args.pca), "shape of obsm/X_balans")


def check_results(new, args):
    uns = new.uns["balans"]
    n = new.n_obs
    coverage = new.obs["balans_coverage"].to_numpy()
    check(coverage.dtype == np.float32, "coverage is not float32")
    check(np.isfinite(coverage).all() and (coverage >= 0).all(), "coverage")
    landmarks = np.asarray(uns["landmarks"])
    check(landmarks.dtype == np.int64 and landmarks.ndim == 1, "landmarks")
    check(len(np.unique(landmarks)) == len(landmarks), "landmarks repeat")
    check(((landmarks >= 0) & (landmarks < n)).all(), "landmarks out of range")
    check("run" in uns, "no uns/balans/run")
    check(("affinity" in uns) == args.affinity, "uns/balans/affinity")
    if args.affinity:
        a = uns["affinity"]
        check(sp.isspmatrix_csr(a), "affinity is not csr")
        check(a.shape == (len(landmarks), n), "shape of affinity")
        check(a.data.dtype == np.float32, "affinity is not float32")
        check(a.nnz == 0 or (a.indices.min() >= 0 and a.indices.max() < n),
              "columns of affinity")
        for i in range(a.shape[0]):
            row = a.indices[a.indptr[i]:a.indptr[i + 1]]
            check((np.diff(row) > 0).all(), "affinity: row %d not sorted" % i)


def check_encoding(path, args):
    with h5py.File(path, "r") as f:
        check(f.attrs["encoding-type"] == "anndata", "encoding of the root")
        order = list(f["obs"].attrs["column-order"])
        check(order.count("balans_coverage") == 1, "obs' column-order")
        check(f[args.matrix].attrs["encoding-type"] == "array",
              "encoding of " + args.matrix)
        for name in "layers", "obsm", "varm", "obsp", "varp", "uns":
            check(name in f, "no group " + name)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("input")
    p.add_argument("output")
    p.add_argument("--matrix", default="X")
    p.add_argument("--pca", type=int, default=0)
    p.add_argument("--affinity", action="store_true")
    p.add_argument("--original", action="store_true")
    args = p.parse_args()
    old, new = anndata.read_h5ad(args.input), anndata.read_h5ad(args.output)
    check_copies(old, new, args)
    check_matrix(old, new, args)
    check_results(new, args)
    check_encoding(args.output, args)
    print("fine:", args.output)


main()
