#!/usr/bin/env bash
# Runs fuzz targets under libFuzzer with checks of memory, arithmetic and leaks,
# one after the other.  What makes one fail is kept in FOLDER/tests/findings,
# and inputs that reach new code in FOLDER/tests/inputs.
# Usage: tests/fuzz/hour.sh FOLDER [SECONDS [TARGET]...]
# FOLDER is a build with -Dfuzz=true (docs/reliability.md); SECONDS, 3600, are
# for each target.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
# shellcheck source=jobs/install.sh
. "$here/../../jobs/install.sh"
folder=$1 seconds=${2:-3600}
shift $(($# < 2 ? $# : 2))
if [ $# -eq 0 ]; then
    set -- "$here"/corpus/*
    set -- "${@##*/}"
fi

prepare_mpi
# Open MPI's handler of signals would keep findings from libFuzzer.
export OMPI_MCA_opal_signal=
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 OMP_WAIT_POLICY=passive
export ASAN_OPTIONS=detect_leaks=1:fast_unwind_on_malloc=0:detect_odr_violation=0
export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
export LSAN_OPTIONS=suppressions=$here/../support/lsan.supp:print_suppressions=0
findings=$folder/tests/findings
code=0
for target; do
    inputs=$folder/tests/inputs/$target
    mkdir -p "$inputs" "$findings"
    "$folder/tests/fuzz_$target" -max_total_time="$seconds" -timeout=25 \
        -rss_limit_mb=4096 -max_len=4096 -print_final_stats=1 \
        -artifact_prefix="$findings/$target-" "$inputs" \
        "$here/corpus/$target" >"$folder/tests/fuzz_$target.log" 2>&1 || code=1
    awk -v target="$target" '
        /^stat::number_of_executed_units/ { runs = $2 }
        /ERROR|SUMMARY|runtime error/ && said == "" { said = $0 }
        END { printf "%s: %d runs%s\n", target, runs,
                     said == "" ? "" : ", " said }
    ' "$folder/tests/fuzz_$target.log"
done
exit "$code"
