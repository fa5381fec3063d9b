"""Damaged files: each run ends by itself with exit code 0 or 1, says one line
when it fails, leaves no file behind, and is right when it says it is done.

usage: damage.py PROGRAM COUNT [FIRST] [KEEP]

Mutation number i of COUNT, from FIRST (0) on, follows from i alone: a small
sound file of one of several layouts in which some bytes are changed, exchanged,
repeated or cut off.  What a run that is done has written is held against what
h5py finds in the damaged file: every element that is copied, and the matrix
against a run on a plain file with the same profiles and batches.  Every eighth
mutant is a model, and what it corrects is held against what the sound one does.
Mutants that show a fault are copied to the folder KEEP.
"""
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "cli"))
from common import need_h5py  # noqa: E402

need_h5py()
import h5py  # noqa: E402
import numpy as np  # noqa: E402

LIMIT = 150  # seconds; a run that HDF5 holds up is ended by the program before
N, D = 36, 4
TEXT = h5py.string_dtype()
CODES = np.arange(N) * 5 % 3
X = (np.random.default_rng(4).integers(-40, 40, (N, D)) / 8).astype("f4")
OURS = ("X", "uns/balans", "obs/balans_coverage", "obsm/X_balans",
        "varm/balans_PCs")


def texts(values):
    return np.array(values, dtype=object)


# ---- sound files ----

def frame(f, name, count, columns):
    g = f.create_group(name)
    g.attrs["encoding-type"], g.attrs["encoding-version"] = "dataframe", "0.2.0"
    g.attrs["_index"] = "_index"
    g.create_dataset("_index", data=texts([f"i{i}" for i in range(count)]),
                     dtype=TEXT)
    g.attrs.create("column-order", texts(columns), dtype=TEXT)
    return g


def modern(f):
    f["X"] = X
    frame(f, "obs", N, ["batch", "well"])
    frame(f, "var", D, [])
    c = f["obs"].create_group("batch")
    c.attrs["encoding-type"] = "categorical"
    c["codes"] = CODES.astype("i1")
    c.create_dataset("categories", data=texts(["a", "b", "c"]), dtype=TEXT)
    f["obs"].create_dataset("well", data=texts([f"w{i}" for i in CODES]),
                            dtype=TEXT)
    u = f.create_group("uns")
    u["x"], u["y"] = np.arange(9), np.float32(2)
    u.create_group("z")["text"] = "some text"
    f.create_group("layers").create_dataset("l", data=X, chunks=(7, 3),
                                            compression="gzip")


def legacy(f):
    f.create_dataset("X", data=X, chunks=(9, 4), compression="gzip",
                     shuffle=True)
    o = frame(f, "obs", N, ["batch"])
    frame(f, "var", D, [])
    g = o.create_group("__categories")
    g.create_dataset("batch", data=texts(["a", "b", "c"]), dtype=TEXT)
    o["batch"] = CODES.astype("i1")
    o["batch"].attrs["categories"] = g["batch"].ref
    for i in range(12):
        o.attrs[f"note{i}"] = f"text {i}"
    u = f.create_group("uns")
    u["refs"] = np.array([o["batch"].ref, f["X"].ref], dtype=h5py.ref_dtype)
    u["same"] = o["batch"]
    u["soft"] = h5py.SoftLink("/obs/batch")


def sparse(f):
    g = f.create_group("X")
    g.attrs["encoding-type"], g.attrs["encoding-version"] = "csr_matrix", "0.1.0"
    g.attrs["shape"] = np.array(X.shape)
    g.create_dataset("data", data=X.ravel(), chunks=(50,), compression="lzf")
    g["indices"] = np.tile(np.arange(D, dtype="i4"), N)
    g["indptr"] = np.arange(N + 1) * D
    o = frame(f, "obs", N, ["batch"])
    o["batch"] = texts(["abc"[i] for i in CODES]).astype("S1")
    frame(f, "var", D, [])
    kind = h5py.enum_dtype({"p": 1, "q": 2}, basetype="i2")
    f.create_dataset("uns/enum", data=np.array([1, 2, 2], "i2"), dtype=kind)
    f["uns/record"] = np.zeros(3, np.dtype([("a", "i4"), ("b", "S5")]))
    e = f.create_dataset("uns/ragged", (3,), dtype=h5py.vlen_dtype("i4"))
    for i in range(3):
        e[i] = np.arange(i)


LAYOUTS = [(modern, {}), (legacy, {}), (sparse, {}),
           (modern, {"libver": "latest"}), (legacy, {"libver": "latest"})]


def make_sound(folder):
    paths = []
    for i, (write, how) in enumerate(LAYOUTS):
        paths.append(folder / f"sound{i}.h5ad")
        with h5py.File(paths[-1], "w", **how) as f:
            write(f)
    return paths


# ---- mutations ----

def mutate(data, r):
    data = bytearray(data)
    way = r.random()
    if way < .06:
        return data[:r.randrange(len(data))]
    for _ in range(r.choice([1, 1, 1, 2, 4, 16])):
        at = r.randrange(len(data))
        if way < .4:
            data[at] ^= 1 << r.randrange(8)
        elif way < .65:
            data[at] = r.choice([0, 1, 2, 127, 128, 254, 255, r.randrange(256)])
        elif way < .85:
            size = r.choice([2, 4, 8])
            value = r.choice([0, 1, 2 ** 31 - 1, 2 ** (8 * size) - 1,
                              r.randrange(len(data)), r.randrange(4096)])
            value %= 256 ** size
            data[at:at + size] = value.to_bytes(size, "little")
        else:
            size, other = r.choice([4, 8, 16, 64]), r.randrange(len(data))
            data[at:at + size] = data[other:other + size]
    return data


# ---- what h5py finds, in a process of its own ----

def values_of(o):
    if o.dtype.hasobject:
        return repr([repr(v) for v in np.atleast_1d(o[()]).ravel().tolist()])
    return (o.dtype.str, o.shape, np.asarray(o[()]).tobytes())


def labels_of(f):
    b = f["obs/batch"]
    if isinstance(b, h5py.Group):
        names, codes = b["categories"].asstr()[:], b["codes"][:]
    elif "categories" in b.attrs:
        names, codes = f[b.attrs["categories"]].asstr()[:], b[:]
    elif b.dtype.kind == "i" and "__categories/batch" in f["obs"]:
        names, codes = f["obs/__categories/batch"].asstr()[:], b[:]
    else:
        return [v.decode() for v in b[:].tolist()]
    if codes.min() < 0:
        raise ValueError("a value is missing")
    return [str(names[c]) for c in codes.tolist()]


def profiles_of(f):
    x = f["X"]
    if isinstance(x, h5py.Dataset):
        return np.asarray(x[:], "f8")
    shape = [int(n) for n in x.attrs["shape"]]
    if shape[0] * shape[1] > 10 ** 7:
        raise ValueError("a shape that cannot be")
    out = np.zeros(shape)
    data, indices, indptr = (x[k][:] for k in ("data", "indices", "indptr"))
    if indptr[0] != 0 or (np.diff(indptr.astype("i8")) < 0).any():
        raise ValueError("pointers that cannot be")
    for i in range(shape[0]):
        for k in range(int(indptr[i]), int(indptr[i + 1])):
            if indices[k] < 0:
                raise ValueError("an index that cannot be")
            out[i, indices[k]] += data[k]
    return out


def look(path):
    """Prints the parts of a file that can be read, as Python reads them."""
    found = {}
    with h5py.File(path, "r") as f:
        for name, part in ("labels", labels_of), ("profiles", profiles_of):
            try:
                value = part(f)
                found[name] = value if name == "labels" else value.tolist()
            except Exception:  # noqa: BLE001
                pass

        def walk(g, prefix, depth):
            try:
                names = list(g)
            except Exception:  # noqa: BLE001
                return
            for k in names:
                name = prefix + k
                try:
                    if depth > 6 or g.get(k, getclass=True, getlink=True) \
                            is h5py.SoftLink:
                        continue
                    o = g[k]
                    if isinstance(o, h5py.Group):
                        walk(o, name + "/", depth + 1)
                    elif isinstance(o, h5py.Dataset) and o.size is not None \
                            and o.size < 10 ** 6 and o.dtype != h5py.ref_dtype:
                        found["/" + name] = values_of(o)
                except Exception:  # noqa: BLE001
                    continue
        walk(f, "", 0)
    return found


def look_aside(path):
    import ast
    run = subprocess.run([sys.executable, __file__, "--look", str(path)],
                         capture_output=True, timeout=LIMIT, check=False)
    if run.returncode != 0:
        return None
    return ast.literal_eval(run.stdout.decode())


# ---- runs ----

def run_program(program, *args):
    try:
        return subprocess.run(
            [program, *map(str, args), "-q", "--force"], capture_output=True,
            text=True, errors="replace", timeout=LIMIT,
            stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired:
        return None


def correct(program, path, out):
    return run_program(program, "correct", path, out, "--batch", "batch",
                       "--pca", "0")


def plain_result(program, folder, labels, profiles, known):
    """X as the program corrects it when it is written plainly."""
    key = repr((labels, profiles))
    if key not in known:
        path, out = folder / "plain.h5ad", folder / "plain_out.h5ad"
        with h5py.File(path, "w") as f:
            f["X"] = np.array(profiles)
            o = frame(f, "obs", len(labels), ["batch"])
            o.create_dataset("batch", data=texts(labels), dtype=TEXT)
            frame(f, "var", np.array(profiles).shape[1], [])
        run = correct(program, path, out)
        known[key] = None
        if run is not None and run.returncode == 0:
            with h5py.File(out) as f:
                known[key] = f["X"][:]
    return known[key]


def judge_done(program, folder, mutant, out, known):
    """What is wrong with a run that says it is done."""
    was, now = look_aside(mutant), look_aside(out)
    if now is None:
        return "the output cannot be read"
    if was is None or "labels" not in was or "profiles" not in was:
        return "done, where h5py cannot read the profiles or batches"
    want = plain_result(program, folder, was["labels"], was["profiles"], known)
    with h5py.File(out) as f:
        got = f["X"][:]
    if want is None or not np.array_equal(want, got):
        return "other profiles"
    for name, value in was.items():
        if name[0] == "/" and not any(
                name[1:] == o or name[1:].startswith(o + "/") for o in OURS) \
                and now.get(name) != value:
            return f"{name} differs"
    return ""


def make_model(program, folder, sound):
    """A model of a sound file, and what it makes of it."""
    model, out = folder / "model.h5", folder / "model_out.h5ad"
    run_program(program, "fit", sound, model, "--batch", "batch")
    run_program(program, "apply", model, sound, out)
    with h5py.File(out) as f:
        return model, f["X"][:]


def judge_applied(out, want):
    with h5py.File(out) as f:
        return "" if np.array_equal(f["X"][:], want) else "other profiles"


def try_one(program, folder, sound, number, known):
    r = random.Random(number)
    mutant, out = folder / "mutant.h5ad", folder / "out.h5ad"
    of_model = number % 8 == 7
    source = known["model"][0] if of_model else r.choice(sound)
    mutant.write_bytes(mutate(source.read_bytes(), r))
    out.unlink(missing_ok=True)
    run = (run_program(program, "apply", mutant, sound[0], out) if of_model
           else correct(program, mutant, out))
    left = [p.name for p in folder.glob("out.h5ad.*")]
    for name in left:
        (folder / name).unlink()
    if run is None:
        return "no end", "hangs"
    if left:
        return f"left {left}", "left"
    if run.returncode == 0:
        wrong = (judge_applied(out, known["model"][1]) if of_model else
                 judge_done(program, folder, mutant, out, known))
        return wrong, "wrong" if wrong else "done"
    if run.returncode != 1:
        return f"code {run.returncode}, {run.stderr[:300]!r}", "crashes"
    if out.exists():
        return "failed, with an output", "left"
    if run.stderr.count("\n") != 1 or not run.stderr.startswith("balans: "):
        return f"said {run.stderr[:400]!r}", "words"
    return "", "helped" if "HDF5 crashed" in run.stderr or \
        "come to an end" in run.stderr else "refused"


def main():
    program, count = os.path.abspath(sys.argv[1]), int(sys.argv[2])
    first = int(sys.argv[3]) if len(sys.argv) > 3 else 0
    keep = pathlib.Path(sys.argv[4]) if len(sys.argv) > 4 else None
    tally, known = {}, {}
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        sound = make_sound(folder)
        known["model"] = make_model(program, folder, sound[0])
        for number in range(first, first + count):
            wrong, kind = try_one(program, folder, sound, number, known)
            tally[kind] = tally.get(kind, 0) + 1
            if wrong:
                print(f"mutation {number}: {wrong}", flush=True)
                if keep:
                    keep.mkdir(exist_ok=True)
                    shutil.copy(folder / "mutant.h5ad",
                                keep / f"{number}.h5ad")
    print(", ".join(f"{k}: {v}" for k, v in sorted(tally.items())))
    bad = sum(tally.get(k, 0)
              for k in ("hangs", "left", "crashes", "words", "wrong"))
    print(f"{count} damaged files, {bad} wrong")
    return 1 if bad else 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["--look"]:
        print(repr(look(sys.argv[2])))
    else:
        sys.exit(main())
