# Sourced by tests: a Slurm cluster of one node on this machine, for the user who runs the test.  All of it is in one
# folder; nothing under /etc is read, and everything talks on 127.0.0.1 only.
#
#   slurm_missing           prints why there can be none here, or nothing
#   slurm_start DIR CPUS    starts it and sets SLURM_CONF
#   slurm_stop DIR          ends what slurm_start started
#
# Debian: slurmctld slurmd slurm-client munge.

slurm_missing() {
    for program in slurmctld slurmd sbatch squeue munged mungekey; do
        command -v $program >/dev/null || { echo "$program is not installed"; return; }
    done
}

slurm_port() { # three free ports in a row, from a place that differs between processes
    awk -v first=$((20000 + $$ % 9000)) '$4 == "0A" { split($2, part, ":"); used[part[2]] = 1 }
        END { for (p = first; used[hex(p)] || used[hex(p + 1)] || used[hex(p + 2)]; p++); print p }
        function hex(n) { return sprintf("%04X", n) }' /proc/net/tcp
}

slurm_conf() { # DIR CPUS
    port=$(slurm_port)
    host=$(uname -n)
    host=${host%%.*}
    cat <<END
ClusterName=test
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$port
SlurmUser=$(id -un)
SlurmdUser=$(id -un)
AuthType=auth/munge
AuthInfo=socket=$1/munge.sock
CredType=cred/munge
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
SlurmctldPidFile=$1/slurmctld.pid
SlurmdPidFile=$1/slurmd.pid
SlurmctldLogFile=$1/slurmctld.log
SlurmdLogFile=$1/slurmd.log
StateSaveLocation=$1/state
SlurmdSpoolDir=$1/spool
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0,sched_interval=1,sched_min_interval=0,bf_interval=1,requeue_delay=1
SlurmdParameters=config_overrides
ReturnToService=2
KillWait=2
MinJobAge=3600
NodeName=n1 NodeHostName=$host NodeAddr=127.0.0.1 Port=$((port + 1)) CPUs=$2 State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
END
}

slurm_start() { # DIR CPUS
    mkdir -p "$1/state" "$1/spool" "$1/munge"
    chmod 700 "$1/munge"
    chmod 755 "$1"
    slurm_conf "$1" "$2" >"$1/slurm.conf"
    export SLURM_CONF="$1/slurm.conf"
    mungekey --create --keyfile "$1/munge/key" &&
        munged --force --socket "$1/munge.sock" --key-file "$1/munge/key" --pid-file "$1/munged.pid" \
            --log-file "$1/munged.log" --seed-file "$1/munge/seed" 2>"$1/munged.err" &&
        slurmctld -f "$SLURM_CONF" 2>"$1/start.err" && slurmd -f "$SLURM_CONF" -N n1 2>>"$1/start.err" ||
        { echo "Slurm does not start: $(cat "$1"/*.err)" | tr '\n' ' '; return 1; }
    tries=0
    until timeout 5 sinfo -h -o %T 2>/dev/null | grep -q idle; do
        tries=$((tries + 1))
        [ $tries -lt 150 ] || { echo "Slurm's node does not come up: $(tail -n 1 "$1/slurmd.log")"; return 1; }
        sleep 0.1
    done
}

slurm_stop() { # DIR; munged last: the others still use it
    for daemon in slurmctld slurmd munged; do
        [ -s "$1/$daemon.pid" ] || continue
        pid=$(cat "$1/$daemon.pid")
        kill "$pid" 2>/dev/null || true
        tries=0
        while kill -0 "$pid" 2>/dev/null && [ $tries -lt 100 ]; do tries=$((tries + 1)); sleep 0.1; done
        kill -9 "$pid" 2>/dev/null || true
    done
}
