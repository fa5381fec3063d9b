#!/usr/bin/env bash
# Measures the program; README.md beside it says what and how.
# Usage: bench/run.sh [PART]... [-o FILE.md]
# PART: kernels, sampling, default, batches, runs, scaling, forecast, exponent,
# io, huge, or all (the default).  Writes Markdown to stdout, or to the file;
# progress to stderr.
set -euo pipefail
export LC_ALL=C
# shellcheck source=jobs/install.sh
. "$(dirname "${BASH_SOURCE[0]}")/../jobs/install.sh"

here=$root/bench
folder=${BENCH_BUILD:-$root/build-bench}
rounds=${BENCH_ROUNDS:-5}
repeats=${BENCH_REPEATS:-3}
divide=${BENCH_DIVIDE:-1}
cores=$(getconf _NPROCESSORS_ONLN)
ranks=${BENCH_RANKS:-$cores}
read -r -a launch <<<"${BENCH_MPIEXEC:-mpirun -n}"
balans=$folder/src/balans
kernels=$folder/bench/kernels
published=$root/configs/paper.yaml
config=$published # of what measure() runs
parts='kernels sampling default batches runs scaling forecast exponent io huge'

progress() { printf '== %s\n' "$*" >&2; }

die() {
    printf 'bench: %s\n' "$*" >&2
    exit 1
}

figures() { python3 "$here/figures.py" "$@"; }

# A heading, and the command that made what follows.
section() { printf '\n## %s\n\nMade by \140%s\140.\n\n' "$1" "$2"; }

# Sizes are divided by BENCH_DIVIDE, for trying this out.
size() { printf '%d' $(($1 / divide)); }

# on RANKS COMMAND...
on() {
    local n=$1
    shift
    if [ "$n" -eq 1 ]; then "$@"; else "${launch[@]}" "$n" "$@"; fi
}

# data NAME POINTS DIMS BATCHES CLUSTERS: makes $scratch/NAME.h5ad once.
data() {
    [ -f "$scratch/$1.h5ad" ] && return 0
    progress "simulating $2 x $3"
    on "$ranks" "$balans" simulate "$scratch/$1.h5ad" --points "$2" \
        --dims "$3" --batches "$4" --clusters "$5" --quiet
}

# A virtual machine may have given free memory back, and then whoever touches it
# first waits for the host.  So half of it is touched before a run.
warm_memory() {
    local bytes
    bytes=$(awk '/^MemAvailable/ { printf "%d", $2 * 512 }' /proc/meminfo)
    head -c "$bytes" /dev/zero | tail -c "$bytes" >/dev/null
}

# measure KEY ROUND DATA RANKS [OPTION]...: one run of the method in $config;
# leaves its report, its messages and its wall time as
# $scratch/KEY.ROUND.{json,log,wall}.
measure() {
    local at=$scratch/$1.$2 in=$scratch/$3.h5ad n=$4 start
    shift 4
    rm -f "$scratch/out.h5ad"
    [ -e "$scratch/fill" ] || warm_memory
    start=$EPOCHREALTIME
    on "$n" "$balans" correct "$in" "$scratch/out.h5ad" --batch batch \
        --config "$config" --threads 1 --report "$at.json" "$@" 2>"$at.log" ||
        die "a run failed: $(tail -n 1 "$at.log")"
    figures since "$start" "$EPOCHREALTIME" >"$at.wall"
}

# --- the machine ------------------------------------------------------------

field() { awk -F: -v key="$1" '$1 ~ "^" key { sub(/^ */, "", $2); print $2
                                               exit }' "$2" 2>/dev/null; }

# Cores that this processor can pass for, as OPENBLAS_CORETYPE names them; a
# dot is OpenBLAS's own choice.
core_types() {
    printf '.\n'
    case " $(field flags /proc/cpuinfo) " in
        *' avx512f '*) printf 'Haswell\nZen\nSkylakeX\n' ;;
        *' avx2 '*) printf 'Haswell\nZen\n' ;;
    esac
}

with_core() {
    local core=$1
    shift
    if [ "$core" = . ]; then
        env -u OPENBLAS_CORETYPE "$@"
    else
        env OPENBLAS_CORETYPE="$core" "$@"
    fi
}

# Tries the cores in turns and leaves the one with the fastest sgemm in $core.
choose_core() {
    local try round
    [ -n "${core:-}" ] && return 0
    progress "looking for OpenBLAS's best core"
    for round in 1 2 3; do
        for try in $(core_types); do
            # A core that the processor cannot pass for ends by a signal.
            { BENCH_ROUNDS=3 with_core "$try" "$kernels" rate 50 64 ||
                true; } 2>/dev/null | sed "s/^/$try /" >>"$scratch/cores"
        done
        progress "round $round"
    done
    core=$(figures best-core "$scratch/cores")
}

head_of_results() {
    local model
    model=$(field 'model name' /proc/cpuinfo)
    printf '# Results\n\n'
    printf '| | |\n| --- | --- |\n'
    printf '| date | %s |\n' "$(date -u '+%Y-%m-%d %H:%M UTC')"
    printf '| version | %s |\n' "$("$balans" --version | head -n 1)"
    printf '| processor | %s, %s cores |\n' \
        "${model:-$(uname -m)}" "$cores"
    printf '| memory | %s |\n' "$(awk '/^MemTotal/ {
        printf "%.1f GiB", $2 / 1048576 }' /proc/meminfo)"
    printf '| system | %s, %s |\n' "$(uname -sr)" "$(gcc --version | head -n 1)"
    printf '| load before | %s |\n' "$(cut -d' ' -f1-3 /proc/loadavg)"
    printf '| sizes divided by | %s |\n' "$divide"
    printf '\nHow to read this: README.md beside this file.\n'
}

# --- parts ------------------------------------------------------------------

part_kernels() {
    choose_core
    section 'Kernels against the bare product' 'bench/run.sh kernels'
    printf "OpenBLAS's cores on this machine, p 50, W 64:\n\n"
    figures cores "$scratch/cores"
    printf '\nBelow, the fastest of them.\n'
    progress 'kernels'
    BENCH_ROUNDS=$rounds with_core "$core" "$kernels" table
}

# The sampler as a whole: W grows from 1 to its most, rows are stored.
part_sampling() {
    local p round
    choose_core
    section 'Sampling as a whole against the bare product' \
        'bench/run.sh sampling'
    for p in 10 50 128; do
        data "dims$p" "$(size 200000)" "$p" 5 10
        for round in $(seq "$rounds"); do
            progress "sampling, p $p, round $round"
            BENCH_ROUNDS=3 with_core "$core" "$kernels" rate "$p" 64 \
                >"$scratch/rate$p.$round.txt"
            measure "sampling$p" "$round" "dims$p" 1 --pca 0 --patience 10000 \
                --max-landmarks 6400 --uncovered keep --neighbors 10
        done
        rm -f "$scratch/dims$p.h5ad"
    done
    figures sampling "$scratch" "$(size 200000)" 10 50 128
}

# The default method: passes of a thousand landmarks, residual correction.
part_default() {
    local round n
    local -a keys=()
    config=$root/configs/default.yaml
    section 'The default' 'bench/run.sh default'
    data d350000 "$(size 350000)" 50 12 60
    data d1000000 "$(size 1000000)" 50 12 60
    for round in $(seq "$repeats"); do
        keys=()
        for n in 350000 1000000; do
            progress "default, $n points, round $round"
            measure "default$n" "$round" "d$n" "$ranks"
            keys+=("default$n")
        done
    done
    printf '%s ranks of one thread; ' "$ranks"
    figures runs "$scratch" "${keys[@]}"
    rm -f "$scratch"/d*.h5ad
    config=$published
}

# Few, many, and very many batches, by default.
part_batches() {
    local round b
    local -a counts=(10 143)
    config=$root/configs/default.yaml
    section 'Few and many batches' 'bench/run.sh batches'
    for b in "${counts[@]}"; do
        data "b$b" "$(size 500000)" 50 "$b" 30
    done
    data b6000 "$(size 6000)" 30 "$(size 6000)" 30
    for round in $(seq "$repeats"); do
        for b in "${counts[@]}" 6000; do
            progress "$b batches, round $round"
            measure "batches$b" "$round" "b$b" "$ranks"
        done
    done
    printf '%s ranks of one thread; ' "$ranks"
    figures batches "$scratch" "${counts[@]}" 6000
    rm -f "$scratch"/b*.h5ad
    config=$published
}

part_runs() {
    local round n k
    local -a keys=()
    section 'Whole runs' 'bench/run.sh runs'
    for n in 25000 100000 350000 5000000; do
        data "n$n" "$(size "$n")" 10 5 10
    done
    data wide "$(size 350000)" 600 60 "$(size 5000)"
    for round in $(seq "$repeats"); do
        keys=()
        for n in 25000 100000 350000 5000000; do
            for k in 10 0.1%; do
                [ "$n $k" = '5000000 10' ] && continue
                progress "$n points, k = $k, round $round"
                measure "n${n}k$k" "$round" "n$n" "$ranks" --neighbors "$k"
                keys+=("n${n}k$k")
            done
        done
        progress "wide, round $round"
        measure widek10 "$round" wide "$ranks" --neighbors 10
        keys+=(widek10)
    done
    printf '%s ranks of one thread; ' "$ranks"
    figures runs "$scratch" "${keys[@]}"
    rm -f "$scratch"/n*.h5ad "$scratch/wide.h5ad"
}

# scaling_of TITLE KEY DATA [OPTION]...
scaling_of() {
    local title=$1 key=$2 set=$3 round
    shift 3
    for round in $(seq "$rounds"); do
        progress "$title, round $round"
        measure "$key-1x1" "$round" "$set" 1 "$@"
        measure "$key-2x1" "$round" "$set" 2 "$@"
        measure "$key-1x2" "$round" "$set" 1 "$@" --threads 2
    done
    figures scaling "$scratch" "$title" "$key"
}

part_scaling() {
    section 'One and two ranks, one and two threads' 'bench/run.sh scaling'
    data scale10 "$(size 350000)" 10 5 10
    data scale50 "$(size 350000)" 50 5 10
    figures scaling-head
    scaling_of '10 dimensions, k 10' s10 scale10 --neighbors 10
    scaling_of '50 dimensions, k 0.1%' s50 scale50 --pca 0 --neighbors 0.1%
    rm -f "$scratch"/scale*.h5ad
}

# foretold KEY ROUND DATA RANKS THREADS K: a dry run, then the run itself.
foretold() {
    local at=$scratch/$1.$2
    progress "forecast $1, round $2"
    on "$4" "$balans" correct "$scratch/$3.h5ad" "$scratch/none.h5ad" \
        --batch batch --config "$config" --threads "$5" --neighbors "$6" \
        --dry-run -q >"$at.plan"
    measure "$1" "$2" "$3" "$4" --threads "$5" --neighbors "$6"
}

part_forecast() {
    local round n k
    local -a keys=()
    section 'What a dry run expects against the run' 'bench/run.sh forecast'
    for n in 25000 100000 350000 5000000; do
        data "n$n" "$(size "$n")" 10 5 10
    done
    data wide "$(size 350000)" 600 60 "$(size 5000)"
    data plates "$(size 200000)" 50 "$(size 520)" "$(size 2000)"
    for round in $(seq "$repeats"); do
        keys=()
        for n in 25000 100000 350000 5000000; do
            for k in 10 0.1%; do
                [ "$n $k" = '5000000 10' ] && continue
                foretold "f${n}k$k-${ranks}x1" "$round" "n$n" "$ranks" 1 "$k"
                keys+=("f${n}k$k-${ranks}x1")
            done
        done
        foretold "fwidek10-${ranks}x1" "$round" wide "$ranks" 1 10
        foretold f350000k10-1x1 "$round" n350000 1 1 10
        foretold f350000k10-1x2 "$round" n350000 1 2 10
        foretold fwidek10-1x2 "$round" wide 1 2 10
        foretold "fplatesk10-${ranks}x1" "$round" plates "$ranks" 1 10
        keys+=("fwidek10-${ranks}x1" f350000k10-1x1 f350000k10-1x2 fwidek10-1x2
            "fplatesk10-${ranks}x1")
    done
    figures forecast "$scratch" "${keys[@]}"
    rm -f "$scratch"/n*.h5ad "$scratch/wide.h5ad" "$scratch/plates.h5ad"
}

part_exponent() {
    local round n
    local -a sizes=()
    section 'Cost against n at fixed m' 'bench/run.sh exponent'
    for n in 50000 100000 200000 400000 800000; do
        sizes+=("$(size "$n")")
        data "e$(size "$n")" "$(size "$n")" 10 5 10
    done
    for round in $(seq "$rounds"); do
        for n in "${sizes[@]}"; do
            progress "exponent, $n points, round $round"
            measure "exponent$n" "$round" "e$n" 1 --neighbors 0.1% \
                --max-landmarks 2000 --patience 10000 --uncovered keep \
                --memory-per-rank 4G
        done
    done
    figures exponent "$scratch" "${sizes[@]}"
    rm -f "$scratch"/e*.h5ad
}

# Drops a file from the page cache, as far as the system heeds the advice.
forget() {
    sync "$1"
    dd of="$1" oflag=nocache conv=notrunc,fdatasync count=0 status=none
}

# timed NAME COMMAND...: wall time of a command to $scratch/NAME.wall.
timed() {
    local to=$scratch/$1.wall start=$EPOCHREALTIME
    shift
    "$@" || die "'$*' failed"
    figures since "$start" "$EPOCHREALTIME" >"$to"
}

# Fills free memory with file cache: reading and writing take it from there, and
# find as much of it however long ago the last program ended.
fill_memory() {
    truncate -s "$(awk '/^MemAvailable/ { print $2 }' /proc/meminfo)K" \
        "$scratch/fill"
    cat "$scratch/fill" >/dev/null
}

part_io() {
    local round file=$scratch/io.h5ad
    local -a options=(--pca 0 --max-landmarks 20 --uncovered keep)
    section 'Reading and writing an uncompressed matrix' 'bench/run.sh io'
    data io "$(size 1000000)" 512 5 10
    for round in $(seq "$repeats"); do
        progress "io, round $round"
        rm -f "$scratch/out.h5ad"
        fill_memory
        forget "$file"
        timed "dd-cold.$round" dd if="$file" of=/dev/null bs=16M status=none
        timed "dd-warm.$round" dd if="$file" of=/dev/null bs=16M status=none
        fill_memory
        cat "$file" >/dev/null
        measure io-warm "$round" io "$ranks" "${options[@]}"
        rm -f "$scratch/out.h5ad"
        fill_memory
        cat "$file" >/dev/null
        timed "dd-write.$round" dd if="$file" of="$scratch/out.h5ad" bs=16M \
            conv=fsync status=none
        rm -f "$scratch/out.h5ad"
        fill_memory
        forget "$file"
        measure io-cold "$round" io "$ranks" "${options[@]}"
    done
    figures io "$scratch" "$(stat -c %s "$file")"
    rm -f "$file" "$scratch/out.h5ad" "$scratch/fill"
}

# Whether $1 GiB of memory and $2 GiB of disk are free.
room() {
    local memory disk
    memory=$(awk '/^MemAvailable/ { printf "%d", $2 / 1048576 }' /proc/meminfo)
    disk=$(df -Pk "$scratch" | awk 'NR == 2 { printf "%d", $4 / 1048576 }')
    [ "$memory" -ge "$1" ] && [ "$disk" -ge "$2" ]
}

part_huge() {
    section 'More than 2^31 matrix elements' 'bench/run.sh huge'
    if [ "$divide" -eq 1 ] && ! room 16 24; then
        printf 'Left out: needs 16 GiB of memory and 24 GiB of disk.\n'
        return 0
    fi
    data huge "$(size 4300000)" 510 60 5000
    progress 'huge'
    measure huge 1 huge "$ranks" --neighbors 10
    figures runs "$scratch" huge
    printf '\nThe result, as balans info shows it:\n\n\140\140\140\n'
    "$balans" info "$scratch/out.h5ad" | sed -n 1,12p
    printf '\140\140\140\n'
    rm -f "$scratch/huge.h5ad" "$scratch/out.h5ad"
}

# --- all of it --------------------------------------------------------------

main() {
    local out='' part
    local -a chosen=()
    while [ $# -gt 0 ]; do
        case $1 in
            -o)
                [ $# -ge 2 ] || die '-o wants a file'
                out=$2
                shift
                ;;
            all) chosen=() ;;
            *)
                case " $parts " in
                    *" $1 "*) chosen+=("$1") ;;
                    *) die "no part '$1'; there are: $parts all" ;;
                esac
                ;;
        esac
        shift
    done
    [ ${#chosen[@]} -gt 0 ] || read -r -a chosen <<<"$parts"
    scratch=$(mktemp -d "${TMPDIR:-/tmp}/balans-bench.XXXXXX")
    trap 'rm -rf "$scratch"' EXIT
    prepare_mpi
    export OPENBLAS_NUM_THREADS=1 OMP_WAIT_POLICY=passive
    progress "building in $folder"
    build "$folder" -Dbench=true -Dtests=disabled -Dbuildtype=release \
        >"$scratch/build.log" 2>&1 ||
        die "cannot build: $(tail -n 3 "$scratch/build.log")"
    {
        head_of_results
        for part in "${chosen[@]}"; do
            "part_$part"
        done
    } >"$scratch/results.md"
    if [ -n "$out" ]; then
        cp "$scratch/results.md" "$out"
    else
        cat "$scratch/results.md"
    fi
}

main "$@"
