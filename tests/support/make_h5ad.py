#!/usr/bin/python3
"""Writes AnnData files for tests/unit/io/test_h5ad.c: one for each encoding.

    make_h5ad.py FOLDER

All of them hold the matrix (7 i + 3 j) mod 11 of 13 rows and 5 columns and the
batches b0, b1, b2 (or 0, 1, 2) = (5 i) mod 3, however these are encoded.
Exit code 77: h5py or anndata is not installed.
"""
import sys

try:
    import anndata
    import h5py
    import numpy as np
    import pandas as pd
    import scipy.sparse as sp
except ImportError as e:
    print(e)
    sys.exit(77)

N, D = 13, 5
I, J = np.meshgrid(np.arange(N), np.arange(D), indexing="ij")
X = ((7 * I + 3 * J) % 11).astype("f4")
GROUP = (5 * np.arange(N)) % 3
TEXT = np.array(["b%d" % g for g in GROUP], dtype=object)
FOLDER = sys.argv[1]


def frame():
    return pd.DataFrame(
        {
            "cat": pd.Categorical(TEXT, categories=["z", "b2", "b1", "b0"]),
            "ordered": pd.Categorical(TEXT, ordered=True),
            "intcat": pd.Categorical(GROUP),
            "floatcat": pd.Categorical(GROUP.astype("f8")),
            "text": TEXT,
            "int": GROUP.astype("i8"),
            "uint8": GROUP.astype("u1"),
            "flag": GROUP == 1,
            "maybe": pd.array(GROUP, dtype="Int64"),
            "hole": pd.array([None if i == 4 else 1 for i in range(N)],
                             dtype="Int64"),
            "catna": pd.Categorical(
                [None if i in (6, 11) else t for i, t in enumerate(TEXT)]),
            "real": GROUP * 0.5,
        },
        index=["cell%d" % i for i in range(N)])


def write(name, adata, **how):
    path = "%s/%s.h5ad" % (FOLDER, name)
    adata.write_h5ad(path, **how)
    if "text" in adata.obs:
        # anndata makes categoricals of strings that repeat.
        with h5py.File(path, "r+") as f:
            del f["obs/text"]
            d = f["obs"].create_dataset("text", data=TEXT,
                                        dtype=h5py.string_dtype())
            d.attrs["encoding-type"] = "string-array"
            d.attrs["encoding-version"] = "0.2.0"
            f["obs/fixed"] = TEXT.astype("S")
    return path


def ann(x, **more):
    var = pd.DataFrame(index=["feature%d" % j for j in range(D)])
    return anndata.AnnData(X=x, obs=frame(), var=var, **more)


def dense():
    for kind in "f2 f4 f8 i1 u1 i2 u2 i4 u4 i8 u8".split():
        path = write("dense_" + kind, ann(X))
        with h5py.File(path, "r+") as f:
            attrs = dict(f["X"].attrs)
            del f["X"]
            f.create_dataset("X", data=X.astype(kind)).attrs.update(attrs)
    write("gzip", ann(X), compression="gzip")
    write("lzf", ann(X), compression="lzf")
    path = write("chunks", ann(X))
    with h5py.File(path, "r+") as f:
        del f["X"]
        f.create_dataset("X", data=X, chunks=(4, 2), shuffle=True,
                         compression="gzip", fletcher32=True)


def sparse():
    for kind in "f4 f8 i4 i8".split():
        write("csr_" + kind, ann(sp.csr_matrix(X.astype(kind))))
        write("csc_" + kind, ann(sp.csc_matrix(X.astype(kind))))
    write("csr_gzip", ann(sp.csr_matrix(X)), compression="gzip")
    for kind in "csr", "csc":
        for index in "i8", "u4", "u8":
            with h5py.File(write("%s_%s_index" % (kind, index),
                                 ann(getattr(sp, kind + "_matrix")(X))),
                           "r+") as f:
                for key in "indices", "indptr":
                    data = f["X"][key][:]
                    del f["X"][key]
                    f["X"][key] = data.astype(index)


def members():
    write("layers", ann(X * 0, layers={
        "dense": X.astype("f8"), "csc": sp.csc_matrix(X)},
        obsm={"dense": X.astype("i8"), "csr": sp.csr_matrix(X),
              "frame": frame()}))
    a = ann(X, layers={"only": X})
    del a.X
    write("no_x", a)
    path = write("no_columns", anndata.AnnData(
        X=X, obs=pd.DataFrame(index=["c%d" % i for i in range(N)]),
        var=pd.DataFrame(index=["f%d" % j for j in range(D)])))
    with h5py.File(path, "r+") as f:
        f["obs"].attrs["column-order"] = np.zeros(0)
    a = ann(X)
    a.obs.index.name = "well"
    write("named_index", a)


def nullable_strings():
    path = write("nullable_strings", ann(X))
    with h5py.File(path, "r+") as f:
        for where, key, name in (("obs", "_index", None), ("obs", "text", None),
                                 ("obs", "holes", 3)):
            data = [b"b"] * N if name else f[where][key][:]
            if key in f[where]:
                del f[where][key]
            g = f[where].create_group(key)
            g.attrs["encoding-type"] = "nullable-string-array"
            g.attrs["encoding-version"] = "0.1.0"
            g.attrs["na-value"] = "NA"
            g.create_dataset("values", data=data, dtype=h5py.string_dtype())
            g["mask"] = np.array([i == name for i in range(N)])


def odd():
    path = write("slash", ann(X, layers={"a": X}))
    with h5py.File(path, "r+") as f:
        f["obs/plate/id"] = GROUP
        f["layers/by/name"] = X
        f["X2"] = X
        del f["X"]
        f["X"] = h5py.SoftLink("/X2")
        f["uns/lost"] = h5py.SoftLink("/nowhere")
    path = write("many_columns", anndata.AnnData(
        X=X, obs=frame(), var=pd.DataFrame(index=list("abcde"))))
    with h5py.File(path, "r") as f, h5py.File(
            path.replace("many", "4200"), "w", libver=("v108", "v108")) as g:
        for key in f:
            if key != "obs":
                f.copy(key, g)
        g.attrs.update(f.attrs)
        obs = g.create_group("obs")
        for key in f["obs"]:
            f.copy("obs/" + key, obs)
        obs.attrs.update(dict(f["obs"].attrs))
        names = list(f["obs"].attrs["column-order"])
        for i in range(4200 - len(names)):
            obs["c%04d" % i] = obs["int"]
            names.append("c%04d" % i)
        del obs.attrs["column-order"]
        obs.attrs.create("column-order", names, dtype=h5py.string_dtype())
    with h5py.File("%s/compound.h5ad" % FOLDER, "w") as f:
        f["X"] = X
        row = np.dtype([("index", "S10"), ("batch", "i1")])
        f["obs"] = np.zeros(N, row)
        f["var"] = np.zeros(D, row)
    path = write("reference", ann(X))
    with h5py.File(path, "r+") as f:
        g = f["obs"].create_group("__categories")
        g["cat"] = f["obs/cat/categories"][:]
        g["cat"].attrs["ordered"] = False
        codes = f["obs/cat/codes"][:]
        del f["obs/cat"]
        f["obs/cat"] = codes
        f["obs/cat"].attrs["categories"] = g["cat"].ref
        f["obs"].attrs["encoding-version"] = "0.1.0"
        for name in "encoding-type", "encoding-version":
            del f.attrs[name]


dense()
sparse()
members()
nullable_strings()
odd()
