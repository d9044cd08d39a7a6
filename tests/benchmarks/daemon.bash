# SPDX-FileCopyrightText: The Platen contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# shellcheck shell=bash disable=SC2154
# The station that runs by itself, with drives that are files in memory, beside `platen write` on the same files.

# daemon_station PORTS: a folder with a station in it, as $station
daemon_station() {
    local port
    station=$ram/station
    rm -rf "$station"
    mkdir -p "$station/ports" "$station/state"
    for ((port = 1; port <= $1; port++)); do
        printf '[[port]]\nlabel = "%d"\nsocket = "%d"\n' "$port" "$port"
    done > "$station/ports.toml"
    cat > "$station/station.toml" << END
name = "bench"
[paths]
cache = "$PLATEN_CACHE"
trust = "$PLATEN_TRUST"
ledger = "$station/ledger.db"
state = "$station/state"
socket = "$station/station.sock"
ports = "$station/ports.toml"
[policy]
lowest-free = "1 MiB"
END
}

# daemon COMMAND...: what daemon.py prints of it
daemon() {
    python3 tests/benchmarks/daemon.py "$station" "$medium-r1" "$drive_bytes" "$@" 2> "$work/out"
}

bench_daemon() {
    local bytes=$((256 << 20)) drive_bytes=$((272 << 20)) station numbers tool daemons=() tools=() cpu_share
    local first mib wall state drive files=()
    echo "-- daemon: 256 MiB onto 8 drives through platend, beside platen write; then 32 drives, and drives that come and go"
    dense_image $bytes
    for _ in 1 2 3; do
        daemon_station 8
        numbers=$(must daemon batch 8)
        read -r wall first mib <<< "$numbers"
        daemons+=("$wall")
        rm -rf "$station/ports"
        mkdir "$station/ports"
        files=()
        for drive in 1 2 3 4 5 6 7 8; do
            truncate -s "$drive_bytes" "$station/ports/$drive"
            files+=("$station/ports/$drive")
        done
        must measure platen --json --ledger "$station/ledger.db" write "$medium" "${files[@]}"
        # shellcheck disable=SC2154  # set by measure
        tools+=("$wall")
    done
    tool=$(lowest "${tools[*]}")
    echo "   8 drives: platend ${daemons[*]} s, platen write ${tools[*]} s; first step $first s after inserting, peak $mib MiB"
    goal "daemon: wall / platen write" "<=" 1.02 "$(compute "$(lowest "${daemons[*]}") / $tool" %.3f)"
    goal "daemon: from inserting to the first step" "<=" 1.0 "$first" s

    drive_bytes=$((80 << 20))
    dense_image $((64 << 20))
    daemon_station 32
    read -r wall first mib <<< "$(must daemon batch 32)"
    echo "   32 drives: $wall s, peak $mib MiB"
    goal "daemon: memory, 32 drives" "<=" 96 "$mib" MiB

    drive_bytes=$((1 << 20))
    daemon_station 32
    cpu_share=$(must daemon storm 32 20)
    echo "   32 ports with 10 events/s each: $cpu_share of a processor"
    goal "daemon: processor, 32 ports with 10 events/s" "<=" 0.03 "$cpu_share"
    daemon_station 32
    read -r wall state <<< "$(must daemon events 10000)"
    echo "   10,000 events in $wall s: what the station knows and what is in the folder is $state"
    [ "$state" = equal ] || wrong "what the station knows after 10,000 events"
}
