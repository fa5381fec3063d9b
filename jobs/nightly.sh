#!/usr/bin/env bash
# What is too long for each run of the tests: sanitizers, damaged files,
# fuzzing, and other compilers, MPIs and BLAS libraries.  Installs what is
# missing (Debian, Ubuntu); builds beside the usual build.  The last lines say
# how each part went.
# Usage: jobs/nightly.sh [PART]...
# PART: sanitizers races damage fuzz clang mpich blas; all of them if none is
# named.  FUZZ_SECONDS, 600, are for each fuzz target; DAMAGED, 2000, files.
set -euo pipefail
# shellcheck source=jobs/install.sh
. "$(dirname "${BASH_SOURCE[0]}")/install.sh"

tools=(clang libomp-dev)
mpich=(mpich libmpich-dev libhdf5-mpich-dev libscalapack-mpich-dev)
blas=(libblis-dev libblas-dev)
folder=$(build_folder)-nightly
kernels=(kernel_affinity kernel_distance kernel_kselect kernel_moments
         kernel_project kernel_spmm kernel_sums algo_correct algo_row algo_space
         metric_knn metric_silhouette)
results=()

# build_as NAME [MESON_OPTION]...: a build of its own; warnings are errors.
build_as() {
    local name=$1
    shift
    build "$folder/$name" -Dwerror=true -Dtests=enabled "$@"
}

check_in() {
    local name=$1
    shift
    meson test -C "$folder/$name" --no-rebuild --print-errorlogs "$@"
}

# Memory, undefined behaviour and leaks; gcc, as users build.
part_sanitizers() {
    build_as sanitizers -Db_sanitize=address,undefined -Db_lundef=false \
        -Doptimization=1 &&
        check_in sanitizers --setup asan --suite unit --suite cli --suite fuzz
}

# Races between threads: clang, whose OpenMP tells the sanitizer what it does.
part_races() {
    local test failed=0
    install_missing "${tools[@]}"
    [ -f "$folder/races/build.ninja" ] ||
        CC=clang meson setup "$folder/races" "$root" -Db_sanitize=thread \
            -Db_lundef=false -Doptimization=1 >/dev/null
    ninja -C "$folder/races" --quiet "${kernels[@]/#/tests/test_}" || return 1
    for test in "${kernels[@]}"; do
        OMP_NUM_THREADS=4 OPENBLAS_NUM_THREADS=1 \
            OMP_TOOL_LIBRARIES=libarcher.so \
            TSAN_OPTIONS="ignore_noninstrumented_modules=1 exitcode=66" \
            "$folder/races/tests/test_$test" ||
            { say "$test: code $?"; failed=1; }
    done
    return "$failed"
}

part_damage() {
    build_as plain &&
        nice /usr/bin/python3 "$root/tests/fuzz/damage.py" \
            "$folder/plain/src/balans" "${DAMAGED:-2000}" \
            $((10#$(date +%j) * 10000)) "$folder/damaged"
}

part_fuzz() {
    install_missing "${tools[@]}"
    [ -f "$folder/fuzz/build.ninja" ] ||
        CC=clang meson setup "$folder/fuzz" "$root" -Dfuzz=true -Dwerror=true \
            -Db_sanitize=address,undefined -Db_lundef=false -Doptimization=1 \
            -Dc_args=-fsanitize=fuzzer-no-link >/dev/null
    ninja -C "$folder/fuzz" --quiet &&
        nice "$root/tests/fuzz/hour.sh" "$folder/fuzz" "${FUZZ_SECONDS:-600}"
}

part_clang() {
    install_missing "${tools[@]}"
    CC=clang build_as clang && check_in clang --suite quick
}

# MPICH's ranks do not give way to one another: slow where they share cores.
part_mpich() {
    install_missing "${mpich[@]}"
    build_as mpich -Dmpi=mpich -Dmpiexec=mpiexec.mpich,-n &&
        check_in mpich --suite quick --timeout-multiplier 6
}

part_blas() {
    install_missing "${blas[@]}"
    build_as blis -Dblas=blis && check_in blis --suite quick &&
        build_as reference -Dblas=blas-netlib &&
        LD_LIBRARY_PATH=$(reference_blas) check_in reference --suite quick
}

# Where Debian keeps the BLAS that others replace.
reference_blas() {
    dirname "$(dpkg -L libblas3 | grep '/blas/libblas.so.3$')"
}

run_part() {
    case $1 in
        sanitizers) part_sanitizers ;;
        races) part_races ;;
        damage) part_damage ;;
        fuzz) part_fuzz ;;
        clang) part_clang ;;
        mpich) part_mpich ;;
        blas) part_blas ;;
        *) fail "there is no part '$1'" ;;
    esac
}

[ $# -gt 0 ] || set -- sanitizers races damage fuzz clang mpich blas
prepare_mpi
install_missing "${needs[@]}" "${needs_tests[@]}"
code=0
for part; do
    start=$SECONDS result=passed
    say "$part"
    (run_part "$part") || { result=failed; code=1; }
    results+=("$part: $result, $((SECONDS - start)) s")
done
printf '%s\n' "${results[@]}"
exit "$code"
