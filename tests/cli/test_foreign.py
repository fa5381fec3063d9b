"""Files as other programs write them: read right, or refused with the row; and
what is not computed comes over whole.

usage: test_foreign.py PROGRAM LAUNCHER...

Each case is a small file with a column or an element of its own kind, and the
right value: the batches of a plainly written column with the same content, part
of the message, or what the output must hold.
"""
import os
import pathlib
import sys
import tempfile

from common import Tests, need_h5py

need_h5py()
import h5py  # noqa: E402
import numpy as np  # noqa: E402

t = Tests(sys.argv[1], sys.argv[2:])
N, D = 60, 4
TEXT = h5py.string_dtype()
CODES = np.arange(N) * 7 % 3
X = (np.random.default_rng(1).integers(-40, 40, (N, D)) / 8
     + CODES[:, None]).astype("f4")
NAMES = ["b0", "b1", "b2"]


def texts(values):
    return np.array(values, dtype=object)


def new(path, x=X, order=("batch",)):
    """An open file with X, obs and var, and no column yet."""
    f = h5py.File(path, "w", libver=("v108", "v110"))
    f.attrs["encoding-type"], f.attrs["encoding-version"] = "anndata", "0.1.0"
    for name, count in ("obs", N), ("var", D):
        g = f.create_group(name)
        g.attrs["encoding-type"] = "dataframe"
        g.attrs["encoding-version"] = "0.2.0"
        g.attrs["_index"] = "_index"
        g.create_dataset("_index", dtype=TEXT, data=texts(
            [f"{name}{i}" for i in range(count)]))
        if order is not None:
            g.attrs.create("column-order",
                           texts(list(order) if name == "obs" else []),
                           dtype=TEXT)
    if x is not None:
        f["X"] = x
    f.create_group("uns")
    return f


def categorical(g, name, codes, names=NAMES, dtype="i1"):
    c = g.create_group(name)
    c.attrs["encoding-type"], c.attrs["encoding-version"] = "categorical", "0.2.0"
    c.attrs["ordered"] = False
    c["codes"] = np.asarray(codes).astype(dtype)
    if isinstance(names[0], str):
        c.create_dataset("categories", data=texts(names), dtype=TEXT)
    else:
        c["categories"] = np.asarray(names)
    return c


def correct(path, out, *options, ranks=1):
    return t.works("correct", path, out, "--batch", "batch", "--pca", 0, "-q",
                   "--force", *options, ranks=ranks)


def corrected(path):
    with h5py.File(path) as f:
        return f["X"][:]


# ---- columns ----

def enum(values, base, **members):
    return lambda o: o.create_dataset(
        "batch", data=np.asarray(values).astype(base),
        dtype=h5py.enum_dtype(members, basetype=base))


def plain(values, dtype=None, **attributes):
    def write(o):
        d = o.create_dataset("batch", data=values, dtype=dtype)
        for name, value in attributes.items():
            d.attrs[name.replace("__", "-").replace("_", ".")] = value
    return write


def seurat(codes):
    def write(o):
        o["batch"] = codes
        o.create_group("__categories")["batch"] = np.array(NAMES, dtype="S2")
    return write


def seurat_levels(o):
    g = o.create_group("batch")
    g["values"] = (CODES + 1).astype("i4")
    g["levels"] = np.array(NAMES, dtype="S2")


def with_categories(names, codes=CODES, dtype="i1"):
    return lambda o: categorical(o, "batch", codes, names, dtype)


def enum_categories(o):
    c = o.create_group("batch")
    c["codes"] = CODES.astype("i1")
    kind = h5py.enum_dtype({"b2": 5, "b0": 7, "b1": 6}, basetype="i2")
    c.create_dataset("categories", data=np.array([7, 6, 5], "i2"), dtype=kind)


def enum_categories_na(codes):
    """NA is the first member, and the first category."""
    def write(o):
        c = categorical(o, "batch", codes)
        del c["categories"]
        kind = h5py.enum_dtype({"NA": 0, "b0": 201, "b1": 202, "b2": 203},
                               basetype="u1")
        c.create_dataset("categories", dtype=kind,
                         data=np.array([0, 201, 202, 203], "u1"))
    return write


def holes(values, row, hole):
    values = np.array(values)
    values[[row, N - 1]] = hole
    return values


LOGICAL = {"FALSE": 0, "TRUE": 1, "NA": 2}
FLAG = (CODES == 1).astype("i1")
SAME = {  # as the batches b0, b1, b2
    "enum": enum(CODES, "u1", b0=0, b1=1, b2=2),
    "enum from 1": enum(CODES + 1, "i4", b0=1, b1=2, b2=3),
    "enum with gaps": enum(100 - 40 * CODES, "i2", b2=20, b0=100, b1=60),
    "enum of 64 bits": enum(CODES + 2 ** 62, "i8", b0=2 ** 62,
                            b1=2 ** 62 + 1, b2=2 ** 62 + 2),
    "enum, unused NA": enum(CODES, "i1", b0=0, b1=1, b2=2, NA=3),
    "enum, NA first": enum(CODES + 1, ">u2", NA=0, b0=1, b1=2, b2=3),
    "enum categories": enum_categories,
    "enum categories, unused NA": enum_categories_na(CODES + 1),
    "categories, unused NA": with_categories(["NA", *NAMES], CODES + 1),
    "categories, unused nan": with_categories(np.array([np.nan, 1, 2, 3]),
                                              CODES + 1),
    "levels elsewhere": seurat(CODES.astype("i4")),
    "levels elsewhere, float codes": seurat(CODES.astype("f8")),
    "levels from 1": seurat_levels,
    "float codes": with_categories(NAMES, CODES, "f4"),
    "unsigned codes": with_categories(NAMES, CODES, "u2"),
    "int": plain(CODES + 1),
    "float": plain(CODES + 8.0),
    "float32 barcodes": plain((CODES + 1100).astype("f4")),
    "uint64": plain(CODES.astype("u8") + np.uint64(2 ** 63)),
    "uint64 categories": with_categories(
        np.array([2 ** 63 + 1, 2 ** 63 + 2, 2 ** 63 + 3], "u8")),
    "float categories": with_categories(np.array([8.0, 9.0, 10.0])),
    "R's integers": plain((CODES + 1).astype("i4"), rhdf5__NA_OK=1),
}
TWO = {  # as False and True
    "R's logicals": enum(FLAG, "u1", **LOGICAL),
    "logicals, other codes": enum(7 * FLAG, "i1", TRUE=7, FALSE=0),
    "logicals as bytes": plain(FLAG, storage_mode="logical"),
    "bools": plain(FLAG.astype(bool)),
}
REFUSED = {  # name: (column, words)
    "enum, NA": (enum(holes(CODES, 5, 3), "i1", b0=0, b1=1, b2=2, NA=3),
                 ["row 5 has no value"]),
    "logicals, NA": (enum(holes(FLAG, 7, 2), "u1", **LOGICAL),
                     ["row 7 has no value"]),
    "enum categories, NA": (enum_categories_na(holes(CODES + 1, 9, 0)),
                            ["row 9 has no value"]),
    "categories, NA": (with_categories(["NA", *NAMES], holes(CODES + 1, 9, 0)),
                       ["row 9 has no value"]),
    "categories, nan": (with_categories(np.array([np.nan, 1, 2, 3]),
                                        holes(CODES + 1, 9, 0)),
                        ["row 9 has no value"]),
    "enum, no member": (enum(holes(CODES, 4, 9), "i1", b0=0, b1=1, b2=2),
                        ["row 4 holds 9"]),
    "R's integers, NA": (plain(holes(CODES.astype("i4"), 3, -2 ** 31),
                               rhdf5__NA_OK=1), ["row 3 has no value"]),
    "R's bytes, NA": (plain(holes(FLAG, 2, -128)), ["row 2 has no value"]),
    "R's text, NA": (plain(holes(texts([NAMES[i] for i in CODES]), 6, "NA"),
                           TEXT), ["row 6 has no value"]),
    "levels elsewhere, NA": (seurat(holes(CODES.astype("i4"), 5, -2 ** 31)),
                             ["row 5 has no value"]),
    "codes, too large": (with_categories(NAMES, holes(CODES, 8, 3)),
                         ["row 8", "the code 3", "3 categories"]),
    "codes, no number": (with_categories(NAMES, holes(CODES + .0, 8, .5), "f8"),
                         ["row 8", "the code 0.5"]),
    "codes, nan": (with_categories(NAMES, holes(CODES + .0, 8, np.nan), "f8"),
                   ["row 8 has no value"]),
    "float, nan": (plain(holes(CODES + .0, 1, np.nan)), ["row 1 has no value"]),
    "float, fraction": (plain(holes(CODES + .0, 1, .25)),
                        ["row 1 holds 0.25", "no whole number"]),
    "as many as rows": (plain(np.arange(N)), ["60 rows", "right column"]),
    "long name": (plain(texts(["x" * 9000 + str(i) for i in range(N)]), TEXT),
                  ["right column"]),
}


def check_columns(folder):
    ref, two, out = (folder / name for name in ("r.h5ad", "2.h5ad", "o.h5ad"))
    with new(folder / "in.h5ad") as f:
        categorical(f["obs"], "batch", CODES)
    correct(folder / "in.h5ad", ref)
    with new(folder / "in.h5ad") as f:
        categorical(f["obs"], "batch", FLAG, ["False", "True"])
    correct(folder / "in.h5ad", two)
    for i, (kinds, wanted) in enumerate(((SAME, ref), (TWO, two))):
        for k, (name, column) in enumerate(kinds.items()):
            path = folder / "in.h5ad"
            with new(path) as f:
                column(f["obs"])
            out.unlink(missing_ok=True)
            correct(path, out, ranks=1 if (i + k) % 5 else 3)
            t.check(out.exists()
                    and np.array_equal(corrected(out), corrected(wanted)),
                    f"{name}: other batches")
    for name, (column, words) in REFUSED.items():
        path = folder / "in.h5ad"
        with new(path) as f:
            column(f["obs"])
        t.fails(1, words, "correct", path, folder / "none.h5ad", "--batch",
                "batch", "--pca", 0, "-q")
    with new(folder / "in.h5ad") as f:
        f["obs"].create_dataset("batch", (N,), dtype=TEXT)[:30] = "b0"
    t.fails(1, ["row 30 has no value"], "correct", folder / "in.h5ad",
            folder / "none.h5ad", "--batch", "batch")
    with new(folder / "in.h5ad") as f:
        f["obs"].create_dataset("batch", dtype=TEXT, data=texts(["NA"] * N))
    run = t.works("correct", folder / "in.h5ad", out, "--batch", "batch",
                  "--force")
    t.check("nothing but the text 'NA'" in run.stderr, f"NA: {run.stderr}")
    with new(folder / "in.h5ad") as f:
        categorical(f["obs"], "batch", CODES)
        categorical(f["obs"], "y" * 9000, CODES)
    t.fails(1, ["not found"], "correct", folder / "in.h5ad", out, "--batch",
            "z" * 9000, "--force")


# ---- what is copied ----

def add_references(f):
    o, u = f["obs"], f["uns"]
    del o["batch"]
    names = o.create_group("__categories")
    names.create_dataset("batch", data=texts(NAMES), dtype=TEXT)
    o["batch"] = CODES.astype("i1")
    o["batch"].attrs["categories"] = names["batch"].ref
    u["data"] = np.arange(5)
    u["refs"] = np.array([u["data"].ref, o["batch"].ref, u.ref],
                         dtype=h5py.ref_dtype)
    u["refs"].attrs["own"] = u["refs"].ref
    u.create_dataset("region", data=np.array([u["data"].regionref[1:3]],
                                             dtype=h5py.regionref_dtype))
    pair = np.zeros(2, np.dtype([("n", "i4"), ("to", h5py.ref_dtype)]))
    pair["n"], pair["to"] = [1, 2], [u["data"].ref, o.ref]
    u["pairs"] = pair
    u["gone"] = np.arange(3)
    u["lost"] = np.array([u["gone"].ref], dtype=h5py.ref_dtype)
    u["matrix"] = np.array([f["X"].ref], dtype=h5py.ref_dtype)
    u["matrix"].attrs["to"] = f["X"].ref
    del u["gone"]
    for i in range(20):
        o.attrs[f"note{i}"] = f"text {i}"


def check_references(f):
    o, u = f["obs"], f["uns"]
    t.check(f[o["batch"].attrs["categories"]] == o["__categories/batch"],
            "the categories' reference")
    t.check([f[r].name for r in u["refs"][:]]
            == ["/uns/data", "/obs/batch", "/uns"], "references of uns")
    t.check(f[u["refs"].attrs["own"]] == u["refs"], "a reference to itself")
    r = u["region"][0]
    t.check(list(f[r][r]) == [1, 2], "a region")
    t.check([(int(n), f[r].name) for n, r in u["pairs"][:]]
            == [(1, "/uns/data"), (2, "/obs")], "references in records")
    t.check(not u["lost"][0], "a reference to what was deleted")
    t.check(f[u["matrix"][0]] == f["X"] == f[u["matrix"].attrs["to"]],
            "references to the matrix that is replaced")
    t.check([k for k in f if k.startswith("~")] == [], "objects in the root")
    t.check(o.attrs["note19"] == "text 19", "attributes")


def add_links(f):
    u = f["uns"]
    u["a"] = np.arange(4)
    u["same"] = u["a"]
    u["self"] = u
    u["root"] = h5py.SoftLink("/")
    u["nowhere"] = h5py.SoftLink("/uns/none")
    u["x"] = h5py.SoftLink("/X")
    g = u.create_group("deep")
    for i in range(30):
        below = g.create_group("a")
        g["b"] = below
        g = below
    u["foreign"] = h5py.ExternalLink("foreign.h5", "/here")
    u["no_file"] = h5py.ExternalLink("none.h5", "/here")


def check_links(f):
    u = f["uns"]
    t.check(u["same"] == u["a"] and u["self"] == u and u["root"] == f["/"],
            "links to one object")
    t.check(u["deep/a/b/a/a"] == u["deep/b/a/b/b"], "a diamond")
    link = u.get("nowhere", getlink=True)
    t.check(isinstance(link, h5py.SoftLink) and link.path == "/uns/none",
            "a link that leads nowhere")
    t.check(isinstance(u.get("no_file", getlink=True), h5py.ExternalLink),
            "an external link that leads nowhere")
    t.check(np.array_equal(u["x"][:], X) and not np.array_equal(f["X"][:], X),
            "a link to the matrix that is replaced")
    t.check(list(u["foreign/v"][:]) == [1, 2], "an external link")


def add_elsewhere(f):
    folder = pathlib.Path(f.filename).parent
    with h5py.File(folder / "part.h5", "w") as part:
        part["v"] = np.arange(2. * N).reshape(N, 2)
        part["s"] = texts(["s%d" % i for i in range(N)]).astype(TEXT)
    for where, key, shape, kind in (("layers/v", "v", (N, 2), "f8"),
                                    ("obs/s", "s", (N,), TEXT)):
        v = h5py.VirtualLayout(shape=shape, dtype=kind)
        v[:] = h5py.VirtualSource("part.h5", key, shape=shape)
        f.create_virtual_dataset(where, v)
    X.tofile(folder / "x.raw")
    here = os.getcwd()
    os.chdir(folder)
    del f["X"]
    f.create_dataset("X", shape=X.shape, dtype="f4",
                     external=[("x.raw", 0, X.nbytes)])
    os.chdir(here)


def check_elsewhere(f):
    t.check(np.array_equal(f["layers/v"][:], np.arange(2. * N).reshape(N, 2)),
            "a virtual layer")
    t.check(f["obs/s"][5] == b"s5", "a virtual column of strings")
    t.check(not f["layers/v"].is_virtual and f["X"].external is None,
            "values that still lie elsewhere")


def check_order(f):
    t.check([s if isinstance(s, str) else s.decode()
             for s in f["obs"].attrs["column-order"]]
            == ["batch", "well", "balans_coverage"], "columns without an order")
    t.check(list(f["var"].attrs["column-order"]) == ["gene"],
            "features without an order")


def add_order(f):
    f["obs"]["well"] = CODES
    f["var"]["gene"] = np.arange(D)


def check_stale(f):
    t.check(list(f["obs"].attrs["column-order"])
            == ["batch", "balans_coverage"], "columns that are not there")


def check_copies(folder):
    away = folder / "away"
    away.mkdir()
    with h5py.File(folder / "foreign.h5", "w") as f:
        f.create_group("here")["v"] = [1, 2]
        f["here/back"] = h5py.ExternalLink("foreign.h5", "/here")
    for name, add, check, order in (
            ("references", add_references, check_references, ["batch"]),
            ("links", add_links, check_links, ["batch"]),
            ("elsewhere", add_elsewhere, check_elsewhere, ["batch", "s"]),
            ("order", add_order, check_order, None),
            ("stale", lambda f: None, check_stale, ["batch", "gone"])):
        path, out = folder / f"{name}.h5ad", away / f"{name}.h5ad"
        with new(path, order=order) as f:
            categorical(f["obs"], "batch", CODES)
            add(f)
        for ranks in 1, 3:
            run = correct(path, out, ranks=ranks)
            if run.returncode == 0:
                with h5py.File(out) as f:
                    check(f)
        left = [p.name for p in away.glob("*.partial")]
        t.check(not left, f"{name}: {left} left behind")
    run = t.works("correct", folder / "links.h5ad", away / "links.h5ad",
                  "--batch", "batch", "--force")
    t.check("'uns/nowhere'" in run.stderr and "'uns/no_file'" in run.stderr,
            f"links that lead nowhere: {run.stderr}")
    with open(folder / "x.raw", "r+b") as raw:
        raw.truncate(X.nbytes - 1)
    t.fails(1, ["x.raw", "too short"], "correct", folder / "elsewhere.h5ad",
            away / "none.h5ad", "--batch", "batch")
    X.tofile(folder / "x.raw")
    (folder / "part.h5").rename(folder / "parted.h5")
    t.fails(1, ["part.h5", "obs/s"], "correct", folder / "elsewhere.h5ad",
            away / "none.h5ad", "--batch", "batch")


# ---- matrices and attributes ----

def csr(f, first=0, shape="i8"):
    g = f.create_group("X")
    g.attrs["encoding-type"], g.attrs["encoding-version"] = "csr_matrix", "0.1.0"
    g.attrs["shape"] = np.array(X.shape, shape)
    g["data"], g["indices"] = X.ravel(), np.tile(np.arange(D), N)
    pointer = np.arange(N + 1) * D
    pointer[0] = first
    g["indptr"] = pointer


def check_matrices(folder):
    path, out = folder / "m.h5ad", folder / "mo.h5ad"
    with new(path) as f:
        categorical(f["obs"], "batch", CODES)
    correct(path, folder / "dense.h5ad")
    with new(path, None) as f:
        categorical(f["obs"], "batch", CODES)
        csr(f, shape="f8")
    correct(path, out)
    t.check(np.array_equal(corrected(out), corrected(folder / "dense.h5ad")),
            "a shape of floating-point numbers")
    with new(path, None) as f:
        categorical(f["obs"], "batch", CODES)
        csr(f, first=1)
    t.fails(1, ["'indptr' does not begin with 0"], "correct", path, out,
            "--batch", "batch", "--force")
    with new(path, None) as f:
        categorical(f["obs"], "batch", CODES)
        f["X"] = h5py.Empty("f4")
        f["layers/raw"] = X
    t.fails(1, ["matrix 'X': it is empty", "layers/raw"], "correct", path, out,
            "--batch", "batch", "--force")
    for count in 2, 7000:
        with new(path) as f:
            f["obs/batch"] = CODES
            f["obs/batch"].attrs.create(
                "categories", np.array([f["X"].ref] * count, h5py.ref_dtype))
        t.fails(1, ["'categories' is not one reference"], "correct", path, out,
                "--batch", "batch", "--force")


def check_deaths(folder):
    """A helper that dies: one line, and nothing left."""
    path, out = folder / "l.h5ad", folder / "lo.h5ad"
    with new(path) as f:
        categorical(f["obs"], "batch", CODES)
        f["uns/last"] = 1
    for request in 1, 2, 3, 4:
        for ranks in 1, 2:
            t.fails(1, ["HDF5 crashed", "l.h5ad"], "correct", path, out,
                    "--batch", "batch", ranks=ranks,
                    env={"BAL_FAULT": f"aside:0:kill:{request}"})
    left = [p.name for p in folder.glob("lo.h5ad*")]
    t.check(not left, f"left behind: {left}")


with tempfile.TemporaryDirectory() as name:
    where = pathlib.Path(name)
    check_columns(where)
    check_copies(where)
    check_matrices(where)
    check_deaths(where)
t.end()
