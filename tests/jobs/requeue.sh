# shellcheck shell=bash
# The part of test_slurm.sh about correct-requeue.sbatch: jobs that have a third
# of the time that one process takes, hence at least two of them.
# shellcheck disable=SC2154

slow="--passes 48"
"$balans" simulate slow.h5ad --quiet --points 30000 --dims 50 --batches 4 ||
    exit 1
start=$(date +%s.%N)
# shellcheck disable=SC2086
"$balans" correct slow.h5ad slow-one.h5ad --quiet --batch batch $slow || exit 1
margin=$(awk "BEGIN { print 1 - ($(date +%s.%N) - $start) / 3 / 60 }")

submit correct-requeue.sbatch \
    "INPUT=slow.h5ad,OUTPUT=slow-out.h5ad,MARGIN=$margin,OPTIONS=--force $slow" \
    --time=1
check "correct-requeue.sbatch completes" ends COMPLETED 200
check "after at least one requeue" \
    grep -q "^part 1 stopped with a checkpoint" "out-$job"
check "the same as without a stop" same_values slow-one.h5ad slow-out.h5ad
check "the checkpoint is gone" test ! -e slow-out.h5ad.checkpoint

# A job that is asked to stop by a signal, and has no jobs left.
submit correct-requeue.sbatch \
    "INPUT=slow.h5ad,OUTPUT=signal.h5ad,MOST_JOBS=1,OPTIONS=--force $slow" \
    --time=10
for ((i = 0; i < 100; i++)); do
    grep -q "30000 profiles" "out-$job" 2>/dev/null && break
    sleep 0.2
done
scancel --batch --signal=USR1 "$job"
check "a signal stops it" ends FAILED 60
check "with a checkpoint" test -s signal.h5ad.checkpoint -a ! -e signal.h5ad
check "and code 75" grep -q "MOST_JOBS=1" "out-$job"
