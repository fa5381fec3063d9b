#!/usr/bin/env bash
# A real Slurm of two nodes on this machine, in one folder: its own munged, one
# slurmctld, two slurmd.  Read by test_slurm.sh.  Needs root.
# shellcheck shell=bash

slurm_programs=(slurmctld slurmd sbatch srun squeue sinfo scontrol scancel
    munged)

# Why Slurm cannot run here; nothing if it can.
slurm_missing() {
    local program
    [ "$(id -u)" -eq 0 ] || { echo "not root"; return; }
    for program in "${slurm_programs[@]}"; do
        command -v "$program" >/dev/null || { echo "no $program"; return; }
    done
    unshare -m true 2>/dev/null || echo "no mount namespaces"
}

# A TCP port nobody listens on, from FIRST up.
free_port() {
    local port=$1
    while (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do
        port=$((port + 1))
    done
    echo "$port"
}

# slurm_conf FOLDER: a requeued job waits cred_expire + 1 s.
slurm_conf() {
    local host port
    host=$(hostname -s)
    port=$(free_port $((20000 + RANDOM % 10000)))
    cat <<CONF
ClusterName=test
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket=$1/munge.socket,cred_expire=5
SlurmctldPort=$port
StateSaveLocation=$1/state
SlurmdSpoolDir=$1/spool-%n
TmpFS=$1/tmp-%n
SlurmctldPidFile=$1/slurmctld.pid
SlurmdPidFile=$1/slurmd-%n.pid
SlurmctldLogFile=$1/slurmctld.log
SlurmdLogFile=$1/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerType=sched/builtin
SchedulerParameters=sched_interval=1,batch_sched_delay=0
SwitchType=switch/none
MpiDefault=pmix
ReturnToService=2
KillWait=2
MinJobAge=600
PropagateResourceLimits=NONE
NodeName=n[1-2] NodeHostname=$host NodeAddr=127.0.0.1 \
Port=[$((port + 1))-$((port + 2))] CPUs=2 RealMemory=1000 State=UNKNOWN
PartitionName=main Nodes=n[1-2] Default=YES MaxTime=INFINITE State=UP
CONF
}

# slurm_start FOLDER: fails if it is not up within 20 s.
slurm_start() {
    local folder=$1 node i
    export SLURM_CONF=$folder/slurm.conf
    mkdir -p "$folder/state"
    chmod 755 "$folder"
    (umask 077 && head -c 128 /dev/urandom >"$folder/munge.key")
    munged --num-threads=2 --key-file="$folder/munge.key" --force \
        --socket="$folder/munge.socket" --pid-file="$folder/munged.pid" \
        --log-file="$folder/munged.log" --seed-file="$folder/munge.seed" ||
        return 1
    slurm_conf "$folder" >"$SLURM_CONF"
    slurmctld -c -i || return 1
    # Nodes on one machine must not share /dev/shm: MPI keeps files there.
    for node in n1 n2; do
        mkdir -p "$folder/spool-$node" "$folder/tmp-$node"
        # shellcheck disable=SC2016
        unshare -m sh -c 'mount -t tmpfs -o size=1g tmpfs /dev/shm &&
            exec slurmd -N "$1"' sh "$node" || return 1
    done
    for ((i = 0; i < 100; i++)); do
        [ "$(sinfo -h -N -o %T 2>/dev/null | grep -c '^idle')" = 2 ] && return 0
        sleep 0.2
    done
    return 1
}

# slurm_stop FOLDER: ends jobs and daemons, whatever state they are in.
slurm_stop() {
    local folder=$1 name pid i
    if [ -f "$folder/slurmctld.pid" ]; then
        timeout 5 scancel --user=root 2>/dev/null
        for ((i = 0; i < 20; i++)); do
            [ -z "$(timeout 5 squeue -h 2>/dev/null)" ] && break
            sleep 0.2
        done
    fi
    for name in slurmd-n1 slurmd-n2 slurmctld munged; do
        [ -f "$folder/$name.pid" ] || continue
        pid=$(cat "$folder/$name.pid")
        kill "$pid" 2>/dev/null
        for ((i = 0; i < 25; i++)); do
            kill -0 "$pid" 2>/dev/null || break
            sleep 0.2
        done
        kill -9 "$pid" 2>/dev/null
    done
    return 0
}
