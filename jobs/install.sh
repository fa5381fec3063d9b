#!/usr/bin/env bash
# What the program needs on Debian and Ubuntu, and how to build it there.
# Run by itself it installs; demo.sh and test.sh read its functions.  On a
# cluster nothing is installed by script: README.md, "Install".
set -euo pipefail

needs=(meson ninja-build pkg-config gcc libc6-dev libopenmpi-dev openmpi-bin
       libscalapack-openmpi-dev libhdf5-openmpi-dev libopenblas-dev
       liblapacke-dev libyaml-dev libjansson-dev libigraph-dev
       libcairo2-dev check)
# Only tests use these.
# shellcheck disable=SC2034
needs_tests=(python3 python3-h5py python3-venv)
# Tests that need these are skipped without them; Debian 13 has no
# python3-anndata.
# shellcheck disable=SC2034
needs_some_tests=(python3-anndata slurmctld slurmd slurm-client munge iproute2
                  util-linux shellcheck python3-jsonschema chromium)

say() { printf '== %s\n' "$*"; }

fail() {
    printf 'balans: %s\n' "$*" >&2
    exit 1
}

# As root; without rights it fails, and asks for a password only on a terminal.
as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif ! command -v sudo >/dev/null; then
        return 1
    elif [ -t 0 ]; then
        sudo "$@"
    else
        sudo -n "$@" 2>/dev/null
    fi
}

# Whether dpkg knows the package as installed.
installed() {
    case $(dpkg-query -W -f='${Status}' "$1" 2>/dev/null) in
        *' installed') return 0 ;;
        *) return 1 ;;
    esac
}

apt_install() {
    as_root apt-get update -q >/dev/null &&
        as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y \
            --no-install-recommends -o DPkg::Lock::Timeout=600 "$@" >/dev/null
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
    apt_install "${missing[@]}" ||
        fail "these packages are missing and could not be installed; ask an" \
            "administrator for: apt-get install --no-install-recommends" \
            "${missing[*]}"
}

# Whether apt has the package, as far as its lists, if there are any, tell.
available() {
    ! compgen -G '/var/lib/apt/lists/*_Packages*' >/dev/null ||
        [ -n "$(apt-cache show "$1" 2>/dev/null)" ]
}

# install_some PACKAGE...: the same without those that apt does not have.
install_some() {
    local package some=()
    for package in "$@"; do
        if installed "$package" || available "$package"; then
            some+=("$package")
        else
            say "this system has no $package"
        fi
    done
    install_missing "${some[@]}"
}

# Where to build: BALANS_BUILD, else 'build' in the source tree, else, where
# nothing can be written there, the user's cache.
build_folder() {
    local cache=${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/balans-build
    if [ -n "${BALANS_BUILD:-}" ]; then
        echo "$BALANS_BUILD"
    elif [ -w "${root:?}" ] && { [ ! -e "$root/build" ] ||
                                 [ -w "$root/build" ]; }; then
        echo "$root/build"
    else
        say "'$root' is read-only: building elsewhere" >&2
        echo "$cache"
    fi
}

# The value of a folder in what meson wrote down about FOLDER.
# meson_folder source|build FOLDER
meson_folder() {
    local info=$2/meson-info/meson-info.json
    [ ! -f "$info" ] ||
        sed -n "s/.*\"$1\": \"\([^\"]*\)\".*/\1/p" "$info" | head -n 1
}

# build FOLDER [MESON_OPTION]...: configures if need be, and compiles.
build() {
    local folder=$1 was
    shift
    mkdir -p "$folder" || fail "cannot make the folder '$folder'; name" \
        "another one in BALANS_BUILD"
    was="$(meson_folder source "$folder") $(meson_folder build "$folder")"
    if [ ! -f "$folder/build.ninja" ]; then
        meson setup "$folder" "$root" "$@" >/dev/null
    elif [ "$was" != "$root $(cd "$folder" && pwd -P)" ]; then
        say "'$folder' is of another place or was moved: made anew"
        meson setup --wipe "$folder" "$root" "$@" >/dev/null
    elif [ $# -gt 0 ]; then
        meson configure "$folder" "$@"
    fi
    ninja -C "$folder" --quiet
}

# Open MPI refuses root and more ranks than cores unless told otherwise, and
# its ranks meet in /dev/shm, which some containers do not have.
prepare_mpi() {
    if [ ! -w /dev/shm ]; then
        say "no /dev/shm: ranks share memory in '${TMPDIR:-/tmp}'"
        export OMPI_MCA_btl_vader_backing_directory=${TMPDIR:-/tmp}
    fi
    export OMPI_MCA_rmaps_base_oversubscribe=1
    # The same for Open MPI 5, which asks PRRTE.
    export PRTE_MCA_rmaps_default_mapping_policy=:oversubscribe
    # Open MPI 5 of Debian 13 warns of links between hosts that nothing uses.
    export OMPI_MCA_reachable=weighted
    export OMPI_MCA_hwloc_base_binding_policy=none
    export OMPI_MCA_mpi_yield_when_idle=1
    export OMPI_MCA_orte_execute_quiet=1
    if [ "$(id -u)" -eq 0 ]; then
        export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
    fi
}

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
    install_missing "${needs[@]}"
fi
