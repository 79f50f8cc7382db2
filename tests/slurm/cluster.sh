#!/usr/bin/env bash
# A Slurm cluster of one controller and two nodes on this machine, for the tests of sweeps: `cluster.sh up FOLDER` and
# `cluster.sh down FOLDER`. Needs root and Debian's slurm-wlm and munge; everything it writes is below FOLDER.
set -euo pipefail
what="$1"; at="$2"; host="$(hostname -s)"
pids() { cat "$at"/*.pid 2>/dev/null || true; }
if [ "$what" = down ]; then
    for pid in $(pids); do kill "$pid" 2>/dev/null || true; done
    exit 0
fi
mkdir -p "$at"/{state,spool1,spool2,log}
chmod 755 "$at"
base=$((20000 + RANDOM % 20000))
dd if=/dev/urandom of="$at/munge.key" bs=1 count=1024 status=none
chmod 400 "$at/munge.key"
munged --force --foreground --key-file="$at/munge.key" --socket="$at/munge.socket" --pid-file="$at/munged.pid" \
    --seed-file="$at/munge.seed" --log-file="$at/log/munged.log" &
cat > "$at/slurm.conf" <<C
ClusterName=ebb
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$at/munge.socket
CredType=cred/munge
StateSaveLocation=$at/state
SlurmdSpoolDir=$at/spool%n
SlurmctldPidFile=$at/slurmctld.pid
SlurmdPidFile=$at/slurmd-%n.pid
SlurmctldLogFile=$at/log/slurmctld.log
SlurmdLogFile=$at/log/slurmd-%n.log
SlurmctldPort=$base
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=1,sched_min_interval=100000,bf_interval=1,batch_sched_delay=0
ReturnToService=2
MaxArraySize=51
KillWait=5
MinJobAge=3600
SlurmdTimeout=20
InactiveLimit=0
MpiDefault=none
SwitchType=switch/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
RebootProgram=/bin/true
NodeName=one NodeHostname=$host NodeAddr=127.0.0.1 Port=$((base + 1)) CPUs=2 RealMemory=4000
NodeName=two NodeHostname=$host NodeAddr=127.0.0.1 Port=$((base + 2)) CPUs=2 RealMemory=4000
PartitionName=short Nodes=one,two Default=YES MaxTime=60 State=UP OverSubscribe=YES
C
export SLURM_CONF="$at/slurm.conf"
slurmctld -D > "$at/log/slurmctld.out" 2>&1 &
slurmd -D -N one > "$at/log/slurmd-one.out" 2>&1 &
slurmd -D -N two > "$at/log/slurmd-two.out" 2>&1 &
for _ in $(seq 100); do
    if [ "$(sinfo -h -o %T 2>/dev/null | sort -u)" = idle ]; then exit 0; fi
    sleep 0.2
done
sinfo >&2 || true
exit 1
