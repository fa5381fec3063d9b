"""The residual form without trust keeps its bytes.

usage: test_golden.py BALANS LAUNCHER...

The data are made of whole numbers and the distance space has no components, so
no library has a say in the result: it has the same bits on every machine.
"""
import hashlib
import sys
import tempfile
from pathlib import Path

import common

common.need_h5py()
import h5py  # noqa: E402
import numpy as np  # noqa: E402

N, D, BATCHES, KINDS = 1500, 12, 4, 9
OPTIONS = ["--trust", "off", "--landmarks", "auto", "--passes", "3",
           "--neighbors", "20", "--sparsify", "scale", "--correction",
           "residual", "--pca", "0"]
GOLDEN = {
    "X": "096463958635110f1669bddeae5e92000e9f708adc8b5e6a15edd23ec14616ba",
    "uns/balans/landmarks":
        "2e37284c363f4c62a730145f3443f376710981b692934de9bda7b21458dce6f2",
}


def numbers(count, seed):
    """Whole numbers from 0 to 65535, by a recurrence that anyone can repeat."""
    out, state = np.empty(count, np.int64), seed
    for i in range(count):
        state = (state * 1103515245 + 12345) % 2147483648
        out[i] = state >> 15
    return out


def make(path):
    noise = numbers(N * D, 1).reshape(N, D)
    kind = numbers(N, 2) % KINDS
    batch = numbers(N, 3) % BATCHES
    place = numbers(KINDS * D, 4).reshape(KINDS, D)
    shift = numbers(BATCHES * D, 5).reshape(BATCHES, D)
    x = 4 * place[kind] + noise + 2 * shift[batch]
    with h5py.File(path, "w") as f:
        f.attrs["encoding-type"] = "anndata"
        f.attrs["encoding-version"] = "0.1.0"
        f["X"] = (x / 65536).astype(np.float32)
        for frame, n in (("obs", N), ("var", D)):
            g = f.create_group(frame)
            g.attrs["encoding-type"] = "dataframe"
            g.attrs["encoding-version"] = "0.2.0"
            g.attrs["_index"] = "_index"
            g.attrs.create("column-order", ["batch"] if frame == "obs" else [],
                           dtype=h5py.string_dtype())
            g["_index"] = np.array([str(i) for i in range(n)], "S")
        f["obs/batch"] = batch


def main(balans, launch):
    tests = common.Tests(balans, launch)
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "in.h5ad", Path(folder) / "out.h5ad"
        make(source)
        for ranks in (1, 3):
            tests.run("correct", source, target, "--batch", "batch",
                      "--force", "-q", *OPTIONS, ranks=ranks)
            with h5py.File(target) as f:
                for name, golden in GOLDEN.items():
                    found = hashlib.sha256(f[name][()].tobytes()).hexdigest()
                    tests.check(found == golden,
                                f"{name} on {ranks}: {found}")
    sys.exit(tests.end())


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
