#!/usr/bin/env bash
# This program beside its peers; README.md beside it says what and how.
# Usage: bench/peers/run.sh quality|speed|figures [OPTION]...   (--help: options)
# Environments of the methods, data and results go to build/peers.
set -euo pipefail
export LC_ALL=C
# shellcheck source=jobs/install.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../jobs/install.sh"

here=$root/bench/peers
folder=${PEERS_BUILD:-$root/build/peers}

# What peers.py itself runs in; made once.
base_environment() {
    local to=$folder/env/base
    [ -e "$to/complete" ] && return 0
    mkdir -p "$folder/env"
    python3 -m venv "$to" || fail "cannot make a Python environment in '$to'"
    "$to/bin/python" -m pip install --quiet numpy h5py anndata pyarrow ||
        fail "cannot install numpy, h5py and anndata into '$to'"
    touch "$to/complete"
}

case ${1:-} in
    quality | speed) ;;
    figures)
        shift
        exec python3 "$here/report.py" "$@"
        ;;
    *) fail "usage: bench/peers/run.sh quality|speed|figures [OPTION]..." ;;
esac
prepare_mpi
export OMP_WAIT_POLICY=passive PIP_DISABLE_PIP_VERSION_CHECK=1
if [ -z "${BALANS:-}" ]; then
    say "building in $folder/balans"
    build "$folder/balans" -Dtests=disabled -Dbuildtype=release
    export BALANS=$folder/balans/src/balans
fi
base_environment
export PEERS_BUILD=$folder
exec "$folder/env/base/bin/python" "$here/peers.py" "$@"
