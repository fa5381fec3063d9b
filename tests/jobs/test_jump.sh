#!/usr/bin/env bash
# jobs/jump.sbatch on a small parquet file, without Slurm and without network.
# usage: test_jump.sh BALANS SOURCE_ROOT
set -euo pipefail
balans=$(realpath "$1")
root=$(realpath "$2")
for python in "${balans%/*/*}/python/bin/python3" python3 /usr/bin/python3 none
do
    "$python" -c 'import pyarrow, anndata, h5py' 2>/dev/null && break
done
if [ "$python" = none ]; then
    echo "skipped: no Python with pyarrow, anndata and h5py"
    exit 77
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$root"

"$python" - "$folder" <<'PYTHON'
import sys
import numpy as np
import pandas as pd

rng = np.random.default_rng(0)
n, d = 600, 12
source = rng.integers(0, 2, n)
plate = rng.integers(0, 4, n)
label = rng.integers(0, 20, n)
x = rng.normal(size=(20, d))[label] + source[:, None] + \
    0.3 * rng.normal(size=(n, d))
frame = pd.DataFrame(x.astype(np.float32),
                     columns=[f"Cells_{i}" for i in range(d)])
frame.loc[5, "Cells_3"] = np.nan
frame.insert(0, "Metadata_Source", [f"source_{s}" for s in source])
frame.insert(1, "Metadata_Plate", [str(p) for p in plate])
frame.insert(2, "Metadata_JCP2022", [f"JCP2022_{k:06}" for k in label])
frame["Text"] = "left out"
frame.to_parquet(sys.argv[1] + "/profiles.parquet", row_group_size=250)
plates = pd.DataFrame([(f"source_{s}", f"b{s}", str(p), "COMPOUND")
                       for s in range(2) for p in range(4)],
                      columns=["Metadata_Source", "Metadata_Batch",
                               "Metadata_Plate", "Metadata_PlateType"])
plates.to_csv(sys.argv[1] + "/plate.csv.gz", index=False)
PYTHON

cat >"$folder/convert" <<SHELL
#!/bin/sh
PYTHONPATH='$root/src/python' exec '$python' -m balans.convert "\$@"
SHELL
chmod +x "$folder/convert"
export FOLDER=$folder BALANS=$balans CONVERT=$folder/convert LAUNCHER=mpirun
export CONTROL=JCP2022_000000
if bash jobs/jump.sbatch >"$folder/log" 2>&1; then
    echo "wrong: a job without converted profiles passed"
    exit 1
fi
grep -q 'fetch convert' "$folder/log"
for steps in "fetch convert" "correct evaluate"; do
    # shellcheck disable=SC2086
    bash jobs/jump.sbatch $steps >>"$folder/log" 2>&1 ||
        { cat "$folder/log"; exit 1; }
done
"$python" - "$folder" <<'PYTHON'
import sys
import anndata
import numpy as np
import pandas as pd

folder = sys.argv[1]
frame = pd.read_parquet(folder + "/profiles.parquet")
a = anndata.read_h5ad(folder + "/profiles.h5ad")
names = [c for c in frame if c.startswith("Cells_") and c != "Cells_3"]
assert list(a.var_names) == names
assert np.array_equal(a.X, frame[names].to_numpy())
assert (a.obs["Metadata_Batch"].astype(str).to_numpy()
        == frame["Metadata_Source"].str.replace("source_", "b")).all()
assert set(a.obs) == {"Metadata_Source", "Metadata_Plate", "Metadata_Batch",
                      "Metadata_JCP2022", "Metadata_PlateType"}
b = anndata.read_h5ad(folder + "/corrected.h5ad")
assert b.shape == a.shape and not np.array_equal(a.X, b.X)
assert np.array_equal(b.layers["original"], a.X)
PYTHON
grep -q 'left out for missing or infinite values: Cells_3' "$folder/log"
test -s "$folder/scores.json"

# A plate that the table does not know is an error that names it.
zcat "$folder/plate.csv.gz" | grep -v 'source_1,b1,2' >"$folder/less.csv"
if "$folder/convert" "$folder/profiles.parquet" "$folder/no.h5ad" \
        --join "$folder/less.csv" \
        --nonfinite drop-features --on Metadata_Source,Metadata_Plate \
        2>"$folder/error"; then
    echo "wrong: a missing plate passed"
    exit 1
fi
grep -q "Metadata_Plate '2'" "$folder/error"
test ! -e "$folder/no.h5ad"
echo "jump.sbatch: all steps and what they wrote were right"
