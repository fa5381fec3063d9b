# shellcheck shell=bash
# The part of test_slurm.sh about fit-apply.sbatch: five plates, and an array of
# two tasks for them.
# shellcheck disable=SC2154

mkdir plates
for plate in 0 1 2 3 4; do
    "$balans" simulate "plates/p$plate.h5ad" --quiet --points 60 --batches 1 \
        --seed "$plate" || exit 1
done
"$balans" fit in.h5ad want.h5 --quiet --batch batch --sample 900 || exit 1
for plate in 0 3; do
    "$balans" apply want.h5 "plates/p$plate.h5ad" "want$plate.h5ad" --quiet ||
        exit 1
done
variables=INPUT=in.h5ad,SAMPLE=900,MODEL=model.h5

submit fit-apply.sbatch "$variables" --nodes=1 --ntasks-per-node=2
check "fit-apply.sbatch fits" ends COMPLETED 60
check "the model of the same sample" cmp want.h5 model.h5
submit fit-apply.sbatch "$variables" --nodes=1
check "a model that is there is enough" ends COMPLETED 60
check "and the log says so" grep -q "is not fitted again" "out-$job"

# Every plate takes three seconds more, so that the first task is put back into
# the queue in the middle of its work.
submit fit-apply.sbatch "$variables,BAL_FAULT=create:0:slow:3000" \
    --nodes=1 --array=0-1 --output=out-%A_%a
array=$job job=${array}_0
for ((i = 0; i < 600; i++)); do
    [ -e corrected/p0.h5ad ] && break
    sleep 0.1
done
scontrol requeue "$job"
check "a task that was requeued completes" ends COMPLETED 100
check "it did not do again what was done" \
    grep -q "'corrected/p0.h5ad' is there" "out-$job"
job=${array}_1
check "the other task completes" ends COMPLETED 60
check "all plates are there, and nothing else: $(ls corrected)" \
    test "$(cd corrected && echo *)" = \
    "p0.h5ad p1.h5ad p2.h5ad p3.h5ad p4.h5ad"
for plate in 0 3; do
    check "plate $plate is corrected as by itself" \
        same_values "want$plate.h5ad" "corrected/p$plate.h5ad"
done

# A plate that cannot be corrected fails its task, but not the others.
rm corrected/p4.h5ad
cp want.h5 plates/p1.h5ad
rm corrected/p1.h5ad
submit fit-apply.sbatch "$variables" --nodes=1 --array=0-0 \
    --output=out-%A_%a
job=${job}_0
check "a plate that is none fails it" ends FAILED 60
check "and the others are corrected: $(tail -n 3 "out-$job")" \
    test -e corrected/p4.h5ad -a ! -e corrected/p1.h5ad
