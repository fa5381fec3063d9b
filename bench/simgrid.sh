#!/usr/bin/env bash
# Replays the program's own sequence of MPI calls on up to 1024 simulated hosts
# (SimGrid's SMPI), for bench/scaling.py: records a run on a few ranks, turns it
# into one on as many as wanted (bench/replay.py says how), and simulates that
# (bench/replay.c).  Hosts have links of 100 Gbit/s and 1 us to a switch.
# usage: bench/simgrid.sh OUT.csv [BUILD_FOLDER]
# RECORD: ranks of the two runs that are replayed; CHECK: of those that replays
# are held against; RANKS: simulated hosts; EACH: points on each of them.
# About five minutes, most of them for 1024 hosts.
set -euo pipefail
# shellcheck source=jobs/install.sh
. "$(dirname "${BASH_SOURCE[0]}")/../jobs/install.sh"

out=$1
balans=${2:-$root/build}/src/balans
: "${RECORD:=2 4}"
: "${CHECK:=2 4 8 16}"
: "${RANKS:=16 64 256 1024}"
: "${EACH:=10000}"
: "${POINTS:=40000}"
if ! command -v smpicc >/dev/null; then
    echo "no smpicc: install SimGrid (Debian: libsimgrid-dev)" >&2
    exit 77
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

sizes_of_batches='
import collections, json, sys
import h5py
with h5py.File(sys.argv[1]) as f:
    count = collections.Counter(f["obs/batch/codes"][:].tolist())
print(json.dumps([count[b] for b in sorted(count)]))'

# record RANKS: a run and what it did, in $folder/RANKS.
record() {
    local at=$folder/$1
    mkdir "$at"
    cp "$folder/sizes.json" "$at"
    mpirun -n "$1" env LD_PRELOAD="$folder/record.so" RECORD="$at/calls" \
        "$balans" correct "$folder/in.h5ad" "$folder/out.h5ad" --quiet \
        --force --batch batch --passes 1 --threads 1 --report "$at/report.json"
}

# replay KIND RANKS [OPTION]...: lines of the table.  Small sums and gathering
# take binomial trees, as in MPI libraries; the selection that SMPI has of its
# own takes other ways, some of which need minutes for a sum on 1024 hosts.
replay() {
    local kind=$1 n=$2 i
    local -a few
    shift 2
    read -r -a few <<<"$RECORD"
    python3 "$root/bench/replay.py" script "$folder/${few[0]}" \
        "$folder/${few[1]}" --ranks "$n" "$@" >"$folder/script"
    cat >"$folder/platform.xml" <<XML
<?xml version='1.0'?>
<!DOCTYPE platform SYSTEM "https://simgrid.org/simgrid.dtd">
<platform version="4.1">
  <cluster id="c" prefix="n" suffix="" radical="0-$((n - 1))" speed="100Gf"
           bw="100Gbps" lat="1us"/>
</platform>
XML
    for ((i = 0; i < n; i++)); do echo "n$i"; done >"$folder/hosts"
    smpirun -np "$n" -platform "$folder/platform.xml" \
        -hostfile "$folder/hosts" --cfg=smpi/host-speed:100Gf \
        --cfg=smpi/simulate-computation:no --cfg=smpi/privatization:no \
        --cfg=smpi/coll-selector:ompi --cfg=smpi/allreduce:redbcast \
        --cfg=smpi/reduce:binomial --cfg=smpi/bcast:binomial_tree \
        --cfg=smpi/gather:ompi_binomial --cfg=smpi/alltoall:bruck \
        --cfg=contexts/stack-size:256 --log=root.thres:error \
        "$folder/replay" "$folder/script" | sed "s/^/$kind,/" >>"$out"
}

prepare_mpi
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
ulimit -v 60000000 # of which most is one page many times
mpicc -O2 -shared -fPIC "$root/bench/record.c" -o "$folder/record.so"
smpicc -O2 -DSIMULATED "$root/bench/replay.c" -o "$folder/replay" -lm
"$balans" simulate "$folder/in.h5ad" --points "$POINTS" --dims 64 \
    --clusters 60 --batches 12 --quiet
python3 -c "$sizes_of_batches" "$folder/in.h5ad" >"$folder/sizes.json"
echo "kind,ranks,points,rows,phase,collectives,messages,bytes,computing,seconds" \
    >"$out"
for n in $CHECK; do
    record "$n"
    python3 "$root/bench/replay.py" counts "$folder/$n" | sed 's/^/run,/' \
        >>"$out"
done
for n in $CHECK; do replay replay "$n"; done
for n in $RANKS; do
    say "$n simulated hosts"
    replay simulated "$n" --points $((n * EACH))
done
