"""Whether two .h5ad files hold the same bytes, but for uns/balans/run.

usage: same_values.py A.h5ad B.h5ad     (strings are left out)
"""
import sys

import h5py


def values(name):
    out = {}

    def visit(key, o):
        if (isinstance(o, h5py.Dataset) and o.dtype.kind != "O"
                and not key.startswith("uns/balans/run")):
            out[key] = (o.shape, o.dtype.str, o[()].tobytes())
    with h5py.File(name) as f:
        f.visititems(visit)
    return out


a, b = values(sys.argv[1]), values(sys.argv[2])
differ = [k for k in sorted(a.keys() | b.keys()) if a.get(k) != b.get(k)]
for k in differ:
    print(f"{k} differs")
sys.exit(bool(differ) or not a)
