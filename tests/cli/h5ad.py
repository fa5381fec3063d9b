"""Small AnnData files, written and read by h5py alone.

To be imported after common.need_h5py().
"""
import h5py
import numpy as np


def profiles(path, name="X"):
    with h5py.File(path, "r") as f:
        return f[name][:]


def names(path):
    """Batch of each row."""
    with h5py.File(path, "r") as f:
        if isinstance(f["obs/batch"], h5py.Dataset):
            return f["obs/batch"].asstr()[:].astype(str)
        group = f["obs/batch"]
        categories = group["categories"].asstr()[:].astype(str)
        return categories[group["codes"][:]]


def write(path, x, batch, features=None, dtype="float32", **more):
    """An AnnData file of these rows, with further columns of obs."""
    obs = {"batch": batch, **more}
    if features is None:
        features = [f"f{i}" for i in range(x.shape[1])]
    text = h5py.string_dtype()
    with h5py.File(path, "w") as f:
        f.attrs["encoding-type"] = "anndata"
        f.attrs["encoding-version"] = "0.1.0"
        f["X"] = x.astype(dtype)
        frames = [("obs", [str(i) for i in range(len(x))]), ("var", features)]
        for frame, index in frames:
            group = f.create_group(frame)
            group.attrs["encoding-type"] = "dataframe"
            group.attrs["encoding-version"] = "0.2.0"
            group.attrs["_index"] = "_index"
            columns = list(obs) if frame == "obs" else []
            group.attrs.create("column-order", columns, (len(columns),), text)
            group.create_dataset("_index", data=list(index), dtype=text)
            for column in columns:
                group.create_dataset(column, data=list(map(str, obs[column])),
                                     dtype=text)
    return path
