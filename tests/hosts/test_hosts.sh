#!/usr/bin/env bash
# Three ranks on three "hosts" that talk TCP: namespaces of this machine with
# their own network, host name and shared memory, joined by a bridge.  The same
# bytes as on one; then a host dies, then a link goes down, in mid-run.
# usage: test_hosts.sh BALANS SOURCE_ROOT
set -uo pipefail
stall=4      # --stall-timeout
within=$((stall + 90))    # seconds from a failure to the end of the job

# Everything lives in namespaces that end with their first process.
if [ "${3:-}" != inside ]; then
    for program in ip nsenter unshare mpirun; do
        command -v "$program" >/dev/null ||
            { echo "skipped: no $program"; exit 77; }
    done
    mpirun --version 2>/dev/null | grep -q 'Open MPI' ||
        { echo "skipped: mpirun is not Open MPI's"; exit 77; }
    isolate=(unshare --net --mount --pid --fork --mount-proc --kill-child)
    "${isolate[@]}" sh -c 'ip link add try type bridge' 2>/dev/null ||
        { echo "skipped: namespaces cannot be made"; exit 77; }
    folder=$(mktemp -d /tmp/balans-hosts.XXXXXX)
    trap 'rm -rf "$folder"' EXIT
    "${isolate[@]}" bash "$0" "$(realpath "$1")" "$(realpath "$2")" inside \
        "$folder"
    exit
fi

balans=$1 root=$2 folder=$4
cd "$folder" || exit 1
export BALANS_HOSTS=$folder
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
export OMPI_MCA_orte_execute_quiet=1    # mpirun's own words are not at issue

# start_hosts: h1, h2, h3 at 10.77.0.1 to 3.
start_hosts() {
    local i pid
    ip link set lo up && ip link add switch type bridge &&
        ip addr add 10.77.0.254/24 dev switch && ip link set switch up ||
        return 1
    printf '127.0.0.1 localhost\n' >hosts
    for i in 1 2 3; do
        printf '10.77.0.%d h%d\n' "$i" "$i" >>hosts
        printf 'h%d slots=1\n' "$i" >>hostfile
    done
    for i in 1 2 3; do
        # shellcheck disable=SC2016
        unshare --net --uts --mount sh -c 'hostname "$1" &&
            mount -t tmpfs -o size=512m tmpfs /dev/shm &&
            mount --bind hosts /etc/hosts && : >"$1.up" &&
            exec sleep 1000' sh "h$i" &
        pid=$!
        echo "$pid" >"h$i.pid"
        until [ -e "h$i.up" ]; do
            kill -0 "$pid" 2>/dev/null || return 1
            sleep 0.05
        done
        ip link add "port$i" type veth peer name eth0 netns "$pid" &&
            ip link set "port$i" master switch up &&
            nsenter -t "$pid" -n ip addr add "10.77.0.$i/24" dev eth0 &&
            nsenter -t "$pid" -n ip link set eth0 up &&
            nsenter -t "$pid" -n ip link set lo up || return 1
        # Linux tries for a quarter of an hour to get through a dead link, and
        # mpirun waits for that before it ends; here some seconds are enough.
        nsenter -t "$pid" -n sh -c 'echo 4 >/proc/sys/net/ipv4/tcp_retries2'
    done
}

# on_hosts ARGUMENT...: balans on three ranks, mpirun itself on h1.
on_hosts() {
    exec nsenter -t "$(cat h1.pid)" -n -u -m --wd="$folder" \
        mpirun -n 3 --hostfile hostfile --map-by node --bind-to none \
        --mca plm_rsh_agent "$root/tests/hosts/agent.sh" \
        --mca plm_rsh_no_tree_spawn 1 --mca btl tcp,vader,self \
        --mca oob_tcp_if_include 10.77.0.0/24 \
        --mca btl_tcp_if_include 10.77.0.0/24 \
        --mca mpi_yield_when_idle 1 -x OPENBLAS_NUM_THREADS=1 \
        "$balans" "$@"
}

# processes HOST [NAME]: their ids, without the one that keeps the host alive.
processes() {
    local keeper net pid
    keeper=$(cat "$1.pid")
    net=$(readlink "/proc/$keeper/ns/net")
    for pid in /proc/[0-9]*; do
        [ "$(readlink "$pid/ns/net" 2>/dev/null)" = "$net" ] || continue
        [ "$pid" != "/proc/$keeper" ] || continue
        [ -z "${2:-}" ] || [ "$(cat "$pid/comm" 2>/dev/null)" = "$2" ] ||
            continue
        echo "${pid#/proc/}"
    done
}

# How much h3 has sent and received, in bytes.
traffic() {
    nsenter -t "$(cat h3.pid)" -n cat /proc/net/dev |
        awk '/eth0:/ { print $2 + $10 }'
}

checks=0 bad=0
# check TEXT COMMAND...
check() {
    checks=$((checks + 1))
    if ! "${@:2}"; then
        bad=$((bad + 1))
        echo "wrong: $1"
    fi
}

# begin NAME [OPTION]...: a run that takes long, in mid-run when this returns.
begin() {
    local i before
    before=$(traffic)
    (on_hosts correct slow.h5ad "$1.h5ad" --batch batch --config paper \
        --patience 1000000 --max-landmarks 1000000 --quiet \
        "${@:2}") >"$1.log" 2>&1 &
    job=$!
    for ((i = 0; i < 150; i++)); do
        [ $(($(traffic) - before)) -gt 3000000 ] && return 0
        sleep 0.2
    done
    cat "$1.log"
    return 1
}

# one_line NAME WORDS: one line is balans' own, and has these words.
one_line() {
    [ "$(grep -c '^balans: ' "$1.log")" -eq 1 ] &&
        grep -q "^balans: .*$2" "$1.log"
}

# ended NAME WORDS: the job ends in time, in failure, with one line on why.
ended() {
    local start=$SECONDS code=0
    while kill -0 "$job" 2>/dev/null && [ $((SECONDS - start)) -lt $within ]
    do
        sleep 0.2
    done
    check "$1: the job ends within $within s" \
        test $((SECONDS - start)) -lt $within
    kill -9 "$job" 2>/dev/null
    wait "$job" 2>/dev/null || code=$?
    check "$1: with a code other than 0" test "$code" -ne 0
    check "$1: with one line" one_line "$1" "$2"
    check "$1: without output under the final name" test ! -e "$1.h5ad"
    echo "$1: code $code after $((SECONDS - start)) s, said:"
    sed 's/^/    /' "$1.log"
}

# left_over HOST...: whether a rank is still there when its time is over; one
# that is cut off is ended by itself only.
left_over() {
    local i
    for ((i = 0; i < 5 * within; i++)); do
        [ -z "$(for h in "$@"; do processes "$h" balans; done)" ] && return 1
        sleep 0.2
    done
}

if ! start_hosts; then
    echo "skipped: the hosts do not start"
    exit 77
fi
"$balans" simulate in.h5ad --quiet --points 3000 --batches 3 || exit 1
"$balans" simulate slow.h5ad --quiet --points 20000 --dims 20 || exit 1
"$balans" correct in.h5ad one.h5ad --quiet --batch batch || exit 1

before=$(traffic)
(on_hosts correct in.h5ad three.h5ad --batch batch) >three.log 2>&1
check "three hosts finish: $(cat three.log)" test $? -eq 0
check "and talk over the network" test $(($(traffic) - before)) -gt 1000000
for python in python3 /usr/bin/python3; do
    "$python" -c 'import h5py' 2>/dev/null || continue
    check "three hosts write what one writes" \
        "$python" "$root/tests/support/same_values.py" one.h5ad three.h5ad
    break
done

check "a long run starts" begin killed
# shellcheck disable=SC2046
kill -9 $(processes h3)
ended killed 'SIGTERM.*lost'
if left_over h1 h2 h3; then check "killed: no rank is left" false; fi

check "a long run starts" begin cut --stall-timeout "$stall"
ip link set port3 down
ended cut 'stalled on rank 0'
if left_over h1 h2 h3; then check "cut: no rank is left" false; fi

echo "$checks checks, $bad wrong"
[ "$bad" -eq 0 ]
