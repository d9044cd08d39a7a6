# SPDX-FileCopyrightText: The Platen contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# shellcheck shell=bash disable=SC2154
# Checking a drive that was written before, beside merely reading as many bytes of it.

bench_verify() {
    local round verified="" read="" ratio=n/a slow_ratio=n/a throttles=
    echo "-- verify: a drive of 1 GiB of files, beside dd reading as many bytes"
    if can_throttle verify; then throttles=yes; fi
    mkdir "$work/tree"
    for round in 1 2 3 4; do head -c 256M /dev/urandom > "$work/tree/large $round.bin"; done
    medium tree BENCH-VERIFY "$work/tree"
    add_drives 1 1200M
    must measure platen write BENCH-VERIFY "${drives[0]}" --allow-device "${drives[0]}"

    # verified_and_read: sets wall of both, in seconds
    verified_and_read() {
        must measure platen verify "${drives[0]}"
        verify_wall=$wall verify_bytes=$read_bytes
        must measure dd if="${drives[0]}" of=/dev/null bs=1M iflag=direct count=$((verify_bytes >> 20)) status=none
        echo "   $1: verify $verify_wall s ($((verify_bytes >> 20)) MiB read); dd $wall s"
    }
    for round in 1 2 3; do
        verified_and_read "in memory, round $round"
        verified+="$verify_wall " read+="$wall "
    done
    ratio=$(compute "$(lowest "$verified") / $(lowest "$read")")
    if [ -n "$throttles" ]; then
        throttle_all 30000000 90000000
        verified_and_read "at 90 MB/s"
        slow_ratio=$(compute "$verify_wall / $wall" %.3f)
        unthrottle
    fi
    goal "verify: time / reading as many bytes, 90 MB/s" "<=" 1.02 "$slow_ratio"
    goal "verify: time / reading as many bytes, in memory" "<=" 1.02 "$ratio"
    rm -r "$work/tree"
}
