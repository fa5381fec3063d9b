# shellcheck shell=bash
# The part of test_slurm.sh about correct-requeue.sbatch.  A run takes 20 ms
# longer at every step, some 20 s in all, so that how fast the program is does
# not matter; a job has half of that.
# shellcheck disable=SC2154

slow="--config paper --passes 6"
# shellcheck disable=SC2086
"$balans" correct in.h5ad slow-one.h5ad --quiet --batch batch $slow || exit 1

# requeue OUTPUT FAULT VARIABLES MINUTES
requeue() {
    submit correct-requeue.sbatch \
        "INPUT=in.h5ad,OUTPUT=$1,BAL_FAULT=$2,OPTIONS=--force $slow,$3" \
        --time="$4"
}

requeue slow-out.h5ad row:0:slow:20 MARGIN=0.85 1
check "correct-requeue.sbatch completes" ends COMPLETED 200
check "after at least one requeue" \
    grep -q "^part 1 stopped with a checkpoint" "out-$job"
check "the same as without a stop" same_values slow-one.h5ad slow-out.h5ad
check "the checkpoint is gone" test ! -e slow-out.h5ad.checkpoint

# A job that is asked to stop by a signal, and has no jobs left.
requeue signal.h5ad row:0:wait:100 MOST_JOBS=1 10
for ((i = 0; i < 100; i++)); do
    grep -q "3000 profiles" "out-$job" 2>/dev/null && break
    sleep 0.2
done
scancel --batch --signal=USR1 "$job"
check "a signal stops it" ends FAILED 60
check "with a checkpoint" test -s signal.h5ad.checkpoint -a ! -e signal.h5ad
check "and code 75" grep -q "MOST_JOBS=1" "out-$job"

# A job whose time is over before it samples: it keeps that it has nothing.
requeue nowhere.h5ad space:0:slow:5000 MARGIN=1 1
check "a job that gets nowhere gives up" ends FAILED 100
check "and says so: $(tail -n 3 "out-$job")" \
    grep -q "^part 2 added nothing" "out-$job"
