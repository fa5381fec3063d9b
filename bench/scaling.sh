#!/usr/bin/env bash
# Measures 'balans correct' on synthetic data of several sizes and numbers of
# ranks on this machine: one row of CSV for each run, for bench/scaling.py.
# usage: bench/scaling.sh OUT.csv [BUILD_FOLDER]
# CASES (points:features:batches), RANKS, LANDMARKS and REPEATS in the
# environment change what is run; about two minutes on two cores.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=jobs/install.sh
. "$root/jobs/install.sh"

out=$1
balans=${2:-$root/build}/src/balans
: "${CASES:=150000:50:2 150000:50:20 200000:50:5 400000:50:20 400000:10:5
          800000:10:20 150000:100:5 100000:200:5 800000:50:5}"
: "${RANKS:=1 2}"
: "${LANDMARKS:=250}"
: "${REPEATS:=3}"

prepare_mpi
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
echo "kind,nodes,repeat,$(awk -v header=1 -f "$root/bench/report-row.awk")" \
    >"$out"
for case in $CASES; do
    IFS=: read -r n d b <<<"$case"
    "$balans" simulate "$folder/in.h5ad" --points "$n" --dims "$d" \
        --batches "$b" --quiet --force
    for r in $RANKS; do
        for ((i = 1; i <= REPEATS; i++)); do
            start=$(date +%s.%N)
            mpirun -n "$r" "$balans" correct "$folder/in.h5ad" \
                "$folder/out.h5ad" --batch batch --quiet --force \
                --config "$root/configs/paper.yaml" \
                --max-landmarks "$LANDMARKS" --patience 1000000 \
                --report "$folder/run.json"
            end=$(date +%s.%N)
            awk -v first="local,1,$i" \
                -v seconds="$(awk "BEGIN { print $end - $start }")" \
                -f "$root/bench/report-row.awk" "$folder/run.json" >>"$out"
        done
    done
done
say "$(($(wc -l <"$out") - 1)) runs in $out"
