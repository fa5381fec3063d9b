#!/usr/bin/env bash
# What the program needs on Debian and Ubuntu, and how to build it there.
# Run by itself it installs; demo.sh and test.sh read its functions.  On a
# cluster nothing is installed by script: README.md, "Install".
set -euo pipefail

needs=(meson ninja-build pkg-config gcc libc6-dev libopenmpi-dev openmpi-bin
       libscalapack-openmpi-dev libhdf5-openmpi-dev libopenblas-dev
       liblapacke-dev libyaml-dev libjansson-dev libigraph-dev check)
# Only tests use these.
# shellcheck disable=SC2034
needs_tests=(python3 python3-anndata python3-h5py)
# Tests that need these are skipped without them.
# shellcheck disable=SC2034
needs_some_tests=(slurmctld slurmd slurm-client munge iproute2 util-linux
                  shellcheck python3-jsonschema)

say() { printf '== %s\n' "$*"; }

as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

# Whether dpkg knows the package as installed.
installed() {
    case $(dpkg-query -W -f='${Status}' "$1" 2>/dev/null) in
        *' installed') return 0 ;;
        *) return 1 ;;
    esac
}

# install_missing PACKAGE...: installs those that dpkg says are missing.
install_missing() {
    local package missing=()
    if ! command -v dpkg-query >/dev/null; then
        say "not Debian or Ubuntu: nothing is installed, see README.md"
        return 0
    fi
    for package in "$@"; do
        installed "$package" || missing+=("$package")
    done
    [ ${#missing[@]} -eq 0 ] && return 0
    say "installing ${missing[*]}"
    as_root apt-get update -q >/dev/null
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y \
        --no-install-recommends -o DPkg::Lock::Timeout=600 \
        "${missing[@]}" >/dev/null
}

# build FOLDER [MESON_OPTION]...: configures if need be, and compiles.
build() {
    local folder=$1
    shift
    if [ ! -f "$folder/build.ninja" ]; then
        meson setup "$folder" "$root" "$@" >/dev/null
    elif [ $# -gt 0 ]; then
        meson configure "$folder" "$@"
    fi
    ninja -C "$folder" --quiet
}

# Open MPI refuses root and more ranks than cores unless told otherwise.
prepare_mpi() {
    export OMPI_MCA_rmaps_base_oversubscribe=1
    # The same for Open MPI 5, which asks PRRTE.
    export PRTE_MCA_rmaps_default_mapping_policy=:oversubscribe
    export OMPI_MCA_hwloc_base_binding_policy=none
    export OMPI_MCA_mpi_yield_when_idle=1
    export OMPI_MCA_orte_execute_quiet=1
    if [ "$(id -u)" -eq 0 ]; then
        export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
    fi
}

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
    install_missing "${needs[@]}"
fi
