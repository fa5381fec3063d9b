#!/usr/bin/env bash
# Installs what is missing (Debian, Ubuntu), builds with warnings as errors and
# runs all tests on 1 to 4 ranks.  The last line counts them.
# Usage: jobs/test.sh [ARGUMENT of meson test]...
set -euo pipefail
# shellcheck source=jobs/install.sh
. "$(dirname "${BASH_SOURCE[0]}")/install.sh"

folder=${BALANS_BUILD:-$root/build}
log=$folder/meson-logs/testlog.txt

# The counts that meson prints at the end, as one line.
count() {
    awk -F: '
        /^Ok:/ || /^Expected Fail:/ { passed += $2 }
        /^Fail:/ || /^Unexpected Pass:/ || /^Timeout:/ { failed += $2 }
        /^Skipped:/ { skipped += $2 }
        END { printf "%d passed, %d failed, %d skipped\n",
                     passed, failed, skipped }' "$log"
}

install_missing "${needs[@]}" "${needs_tests[@]}"
(install_missing "${needs_some_tests[@]}") ||
    say "not all could be installed: some tests will be skipped"
prepare_mpi
say "building in $folder"
build "$folder" -Dwerror=true -Dtests=enabled

say "testing"
code=0
meson test -C "$folder" --no-rebuild --print-errorlogs "$@" || code=$?
count
exit "$code"
