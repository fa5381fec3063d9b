#!/usr/bin/env bash
# Runs shellcheck over all scripts.  usage: shellcheck.sh PROGRAM SOURCE_ROOT
set -euo pipefail
cd "$2"
shopt -s nullglob
exec "$1" -x jobs/*.sh jobs/*.sbatch bench/*.sh bench/peers/*.sh tests/*/*.sh
