#!/usr/bin/env bash
# Installs what is missing (Debian, Ubuntu), builds with warnings as errors and
# runs all tests on 1 to 4 ranks.  The last line counts them.
# Usage: jobs/test.sh [ARGUMENT of meson test]...
set -euo pipefail
# shellcheck source=jobs/install.sh
. "$(dirname "${BASH_SOURCE[0]}")/install.sh"

folder=$(build_folder)
log=$folder/meson-logs/testlog.json

# What a clone has, as the last line; what needs other data, apart.
count() {
    awk '
        { where = /"name": "balans:[^"\/]*outside/ }
        match($0, /"result": "[A-Z]+"/) {
            result = substr($0, RSTART + 11, RLENGTH - 12)
            if (result == "OK" || result == "EXPECTEDFAIL") passed[where]++
            else if (result == "SKIP") skipped[where]++
            else failed[where]++
        }
        function line(w) {
            return sprintf("%d passed, %d failed, %d skipped",
                           passed[w], failed[w], skipped[w])
        }
        END {
            if (passed[1] + failed[1] + skipped[1] > 0)
                print "with data from outside the clone: " line(1)
            print line(0)
        }' "$log"
}

# A Python of its own, with what Debian does not have.
python_modules() {
    local python=$folder/python/bin/python3
    "$python" -c 'import pyarrow, scanpy, pycytominer' 2>/dev/null && return 0
    say "installing anndata, pyarrow, scanpy and pycytominer in $folder/python"
    /usr/bin/python3 -m venv "$folder/python" &&
        "$python" -m pip install -q anndata pyarrow tqdm scanpy pycytominer
}

install_missing "${needs[@]}" "${needs_tests[@]}"
(install_some "${needs_some_tests[@]}") ||
    say "not all could be installed: some tests will be skipped"
prepare_mpi
say "building in $folder"
build "$folder" -Dwerror=true -Dtests=enabled

(python_modules) ||
    say "Python modules could not be installed: some tests will be skipped"

say "testing"
code=0
meson test -C "$folder" --no-rebuild --print-errorlogs "$@" || code=$?
count
exit "$code"
