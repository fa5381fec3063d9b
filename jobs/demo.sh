#!/usr/bin/env bash
# Shows the program at work: installs what is missing (Debian, Ubuntu), builds,
# makes a synthetic data set, corrects it on two ranks, prints what changed, and
# says how to install the program.  A few minutes on a fresh machine, seconds
# later.  Usage: jobs/demo.sh
set -euo pipefail
# shellcheck source=jobs/install.sh
. "$(dirname "${BASH_SOURCE[0]}")/install.sh"

folder=$(build_folder)
data=$folder/demo
before=$data/profiles.h5ad
after=$data/corrected.h5ad

install_missing "${needs[@]}"
prepare_mpi
say "building in $folder"
build "$folder"
mkdir -p "$data"

say "mpirun -n 2 balans simulate profiles.h5ad --points 4000"
mpirun -n 2 "$folder/src/balans" simulate "$before" --points 4000 \
    --clusters 12 --batches 4 --force

say "mpirun -n 2 balans correct profiles.h5ad corrected.h5ad --batch batch"
mpirun -n 2 "$folder/src/balans" correct "$before" "$after" \
    --batch batch --force

say "what changed"
"$folder/tests/demo" "$before" "$after"

say "the program is $folder/src/balans"
say "this line installs it in $HOME/.local/bin:"
printf '   meson configure %q --prefix=%q && meson install -C %q\n' \
    "$folder" "$HOME/.local" "$folder"
