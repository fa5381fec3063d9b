#!/usr/bin/env bash
# The sums of the sampler on 64 to 1024 simulated hosts (SimGrid's SMPI): a CSV
# of ranks, bytes and seconds of one call, against which bench/scaling.py holds
# its model of collectives.  Hosts have links of 100 Gbit/s and 1 us to a
# switch.
# usage: bench/simgrid.sh OUT.csv
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
: "${RANKS:=2 16 64 256 1024}"
: "${BYTES:=1024 6400 65536}"
out=$1
if ! command -v smpicc >/dev/null; then
    echo "no smpicc: install SimGrid (Debian: libsimgrid-dev)" >&2
    exit 77
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
smpicc -O2 "$root/bench/collectives.c" -o "$folder/collectives"
ulimit -v 8000000
echo "ranks,bytes,seconds" >"$out"
for n in $RANKS; do
    cat >"$folder/platform.xml" <<XML
<?xml version='1.0'?>
<!DOCTYPE platform SYSTEM "https://simgrid.org/simgrid.dtd">
<platform version="4.1">
  <cluster id="c" prefix="n" suffix="" radical="0-$((n - 1))" speed="100Gf"
           bw="100Gbps" lat="1us"/>
</platform>
XML
    for ((i = 0; i < n; i++)); do echo "n$i"; done >"$folder/hosts"
    for b in $BYTES; do
        smpirun -np "$n" -platform "$folder/platform.xml" \
            -hostfile "$folder/hosts" --cfg=smpi/host-speed:100Gf \
            --cfg=smpi/coll-selector:ompi \
            --cfg=contexts/stack-size:256 --log=root.thres:error \
            "$folder/collectives" 10 "$b" >>"$out"
    done
done
