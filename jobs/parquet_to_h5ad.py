"""Profiles from parquet to .h5ad, with columns joined from another table.

usage: parquet_to_h5ad.py IN.parquet OUT.h5ad [--join TABLE --on COLUMN,...]

Columns that begin with Metadata_ become obs, all other numeric ones features.
TABLE is .csv, .csv.gz or .parquet; its other Metadata_ columns are added to the
profiles that agree with it in the columns named.  Features with values that are
missing or infinite are left out and named; a profile without partner in TABLE
is an error.  The matrix is read twice, one row group at a time.
"""
import argparse
import os
import sys

import anndata
import h5py
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq


def fail(text):
    sys.exit(f"parquet_to_h5ad.py: {text}")


def columns_of(file):
    """Names of the metadata and of the features."""
    fields = list(file.schema_arrow)
    meta = [f.name for f in fields if f.name.startswith("Metadata_")]
    numeric = [f.name for f in fields if f.name not in meta
               and (pa.types.is_floating(f.type) or pa.types.is_integer(f.type))
               and not f.name.startswith("__index")]
    if not numeric:
        fail("the input has no numeric columns but metadata")
    return meta, numeric


def blocks(file, names):
    """The columns as matrices, one row group after the other."""
    for i in range(file.num_row_groups):
        table = file.read_row_group(i, columns=names)
        out = np.empty((table.num_rows, len(names)), np.float32)
        for j, name in enumerate(names):
            out[:, j] = table.column(name).to_numpy()
        yield out


def finite_of(file, names):
    good = np.ones(len(names), bool)
    for block in blocks(file, names):
        good &= np.isfinite(block).all(axis=0)
    return good


def read_table(path):
    if path.endswith(".parquet"):
        return pd.read_parquet(path)
    return pd.read_csv(path, dtype=str)


def join(obs, path, on):
    table = read_table(path)
    missing = [c for c in on if c not in obs or c not in table]
    if missing:
        fail(f"no column '{missing[0]}' to join '{path}' on")
    new = [c for c in table if c.startswith("Metadata_") and c not in obs]
    table = table[on + new].drop_duplicates()
    if table.duplicated(on).any():
        fail(f"'{path}' says different things about the same "
             f"{', '.join(on)}")
    joined = obs.astype({c: str for c in on}).merge(
        table.astype({c: str for c in on}), on=on, how="left", indicator=True)
    alone = joined["_merge"] == "left_only"
    if alone.any():
        row = joined[alone].iloc[0]
        fail(f"{alone.sum()} profiles are not in '{path}', the first with "
             + ", ".join(f"{c} '{row[c]}'" for c in on))
    return joined.drop(columns="_merge")


def write(path, obs, names, matrices):
    """obs and var by anndata, the matrix piece by piece."""
    obs.index = pd.Index(np.arange(len(obs)).astype(str))
    for c in obs:
        obs[c] = obs[c].astype(str).astype("category")
    part = path + ".part"
    anndata.AnnData(obs=obs, var=pd.DataFrame(index=pd.Index(names))
                    ).write_h5ad(part)
    with h5py.File(part, "r+") as f:
        if "X" in f:
            del f["X"]
        x = f.create_dataset("X", (len(obs), len(names)), np.float32)
        x.attrs["encoding-type"] = "array"
        x.attrs["encoding-version"] = "0.2.0"
        row = 0
        for m in matrices:
            x[row:row + len(m)] = m
            row += len(m)
    os.replace(part, path)


def main():
    p = argparse.ArgumentParser(usage=__doc__.split("\n")[2][7:])
    p.add_argument("input")
    p.add_argument("output")
    p.add_argument("--join")
    p.add_argument("--on", default="")
    a = p.parse_args()
    file = pq.ParquetFile(a.input)
    meta, names = columns_of(file)
    obs = file.read(columns=meta).to_pandas().reset_index(drop=True)
    if a.join:
        obs = join(obs, a.join, a.on.split(","))
    good = finite_of(file, names)
    kept = [n for n, g in zip(names, good) if g]
    if not kept:
        fail(f"every feature of '{a.input}' has missing or infinite values")
    write(a.output, obs, kept, blocks(file, kept))
    print(f"{len(obs)} profiles x {len(kept)} features; obs: "
          + ", ".join(obs))
    if len(kept) < len(names):
        print("left out for missing or infinite values: "
              + ", ".join(n for n, g in zip(names, good) if not g))


if __name__ == "__main__":
    main()
