#!/usr/bin/env bash
# Submits the jobs of jobs/ to a real Slurm of two nodes.
# usage: test_slurm.sh BALANS SOURCE_ROOT
set -uo pipefail
balans=$(realpath "$1")
root=$(realpath "$2")
# shellcheck source=tests/jobs/slurm.sh
. "$root/tests/jobs/slurm.sh"

why=$(slurm_missing)
if [ -n "$why" ]; then
    echo "skipped: $why"
    exit 77
fi
folder=$(mktemp -d /tmp/balans-slurm.XXXXXX)
# shellcheck disable=SC2317
finish() {
    slurm_stop "$folder"
    [ -n "${KEEP:-}" ] || rm -rf "$folder"
}
trap finish EXIT
trap 'exit 1' INT TERM HUP
if ! slurm_start "$folder" 2>"$folder/start.log"; then
    cat "$folder/start.log" "$folder"/*.log
    echo "skipped: Slurm does not start"
    exit 77
fi
cd "$folder" || exit 1

checks=0 bad=0
# check TEXT COMMAND...
check() {
    checks=$((checks + 1))
    if ! "${@:2}"; then
        bad=$((bad + 1))
        echo "wrong: $1"
    fi
}

# What every job gets: the program, and MPI as in the other tests.
common=ROOT=$root,BALANS=$balans,BATCH=batch
for name in $(compgen -v OMPI_); do
    common+=,$name=${!name}
done

# submit SCRIPT VARIABLES [OPTION]...: sets 'job'; the output is in out-JOB.
submit() {
    job=$(sbatch --parsable --output=out-%j --nodes=2 --ntasks-per-node=1 \
              --cpus-per-task=1 --mem=400 --export="$common,$2" "${@:3}" \
              "$root/jobs/$1")
}

state() {
    scontrol -o show job "$job" | sed -n 's/.*JobState=\([A-Z]*\).*/\1/p'
}

# ends STATE SECONDS: whether the job ends so, in time.
ends() {
    local i now=
    for ((i = 0; i < $2 * 5; i++)); do
        now=$(state)
        case $now in
            PENDING | RUNNING | COMPLETING | CONFIGURING | '') sleep 0.2 ;;
            *) break ;;
        esac
    done
    [ "$now" = "$1" ] && return 0
    echo "job $job: $now instead of $1 within $2 s"
    cat "out-$job" 2>/dev/null
    return 1
}

# same_values A B; nothing is compared where Python has no h5py.
same_values() {
    local python
    for python in python3 /usr/bin/python3; do
        "$python" -c 'import h5py' 2>/dev/null || continue
        "$python" "$root/tests/support/same_values.py" "$1" "$2"
        return
    done
    echo "not compared: no h5py"
}

"$balans" simulate in.h5ad --quiet --points 3000 --batches 3 || exit 1
"$balans" correct in.h5ad one.h5ad --quiet --batch batch || exit 1

for launcher in srun mpirun; do
    submit correct.sbatch \
        "INPUT=in.h5ad,OUTPUT=$launcher.h5ad,LAUNCHER=$launcher" \
        --cpus-per-task=2
    check "correct.sbatch with $launcher completes" ends COMPLETED 60
    check "$launcher writes what one process writes" \
        same_values one.h5ad "$launcher.h5ad"
    check "the log names job, ranks and version" \
        grep -q "^job $job: 2 ranks x 2 threads" "out-$job"
done

# Module functions of many sites read variables that are not set.
cat >modules.sh <<'MODULES'
module() { echo "module $*${NOT_SET_ANYWHERE}"; }
MODULES
for script in one-node.sbatch correct.sbatch; do
    submit "$script" "INPUT=in.h5ad,OUTPUT=modules.h5ad,LABEL=label,\
MODULES=gcc,BASH_ENV=$PWD/modules.sh" --nodes=1
    wanted=COMPLETED
    [ "$script" = one-node.sbatch ] || wanted=FAILED
    check "$script with modules" ends "$wanted" 60
    check "loads them" grep -q "^module load gcc" "out-$job"
    if [ "$wanted" = FAILED ]; then
        check "$script leaves a good result alone" \
            grep -q "^balans: .*modules.h5ad.*--force" "out-$job"
    fi
done
check "one-node.sbatch measures" grep -q "LISI batch" out-*
submit correct.sbatch "INPUT=in.h5ad,OUTPUT=no.h5ad,SRUN_MPI=no-such"
check "a PMI that is not there, named by SRUN_MPI, fails" ends FAILED 30

submit correct.sbatch "INPUT=missing.h5ad,OUTPUT=no.h5ad"
check "an input that is not there fails the job" ends FAILED 30
check "and the log says why" grep -q "^balans: .*missing.h5ad" "out-$job"

submit scaling-strong.sbatch \
    "POINTS=3000,DIMS=6,BATCHES=3,REPEATS=2,CSV=strong.csv"
check "scaling-strong.sbatch completes" ends COMPLETED 60
awk -F, 'NR == 1 { n = NF; next }
         NF != n || $1 != "strong" || $2 != $4 || $6 != 3000 { exit 1 }
         { seen = seen " " $2 "/" $3 }
         END { exit seen != " 1/1 1/2 2/1 2/2" }' strong.csv
check "its CSV has two runs on one node and two on two: $(cat strong.csv)" \
    test $? -eq 0

submit scaling-weak.sbatch \
    "POINTS=2000,DIMS=6,BATCHES=3,REPEATS=1,CSV=weak.csv"
check "scaling-weak.sbatch completes" ends COMPLETED 60
awk -F, 'NR > 1 && $6 != 2000 * $2 { exit 1 } END { exit NR != 3 }' weak.csv
check "its CSV has data that grow with the nodes: $(cat weak.csv)" \
    test $? -eq 0

. "$root/tests/jobs/fit_apply.sh"
. "$root/tests/jobs/requeue.sh"

echo "$checks checks, $bad wrong"
[ "$bad" -eq 0 ]
