# SPDX-FileCopyrightText: The Platen contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# shellcheck shell=bash disable=SC2154
# An image onto drives that write 30 MB/s and read 90 MB/s. Drives that work side by side can't be done sooner than one
# alone: that is the limit each tool is held against.

station_limit() {
    compute "$1 / 30e6 + $1 / 90e6"
}

bench_station() {
    local bytes=$((512 << 20)) limit tool ratio cost
    limit=$(station_limit $bytes)
    echo "-- station: 512 MiB onto 8 drives of 30 MB/s (reading: 90 MB/s); limit $limit s, without read-back" \
        "$(compute "$bytes / 30e6") s"
    can_throttle station || return 0
    install_peers caligula dd etcher bmaptool bmaprs
    dense_image $bytes
    add_drives 8 $((bytes + (16 << 20)))
    printf '   %-20s %8s %8s %12s %9s %12s %12s %9s  %s\n' tool "wall s" "x limit" "CPU-s/GiB" "peak MiB" \
        "MiB written" "MiB read" "re-read" content
    for tool in platen caligula dd etcher bmaptool bmaprs; do
        available $tool || continue
        throttle_all 30000000 90000000
        run $tool
        unthrottle
        blank_drives
        ratio=$(compute "$wall / $limit" %.3f)
        cost=$(compute "$cpu / (8 * $bytes / 2^30)" %.3f)
        printf '   %-20s %8.1f %8s %12s %9.0f %12d %12d %9s  %s\n' "$(label $tool)" "$wall" "$ratio" "$cost" "$mib" \
            $((written_bytes >> 20)) $((read_bytes >> 20)) "$(read_back)" "$content"
        [ $tool = platen ] || continue
        goal "station: wall / limit" "<=" 1.02 "$ratio"
        goal "station: CPU for each GiB and drive" "<=" 0.20 "$cost" s
        goal "station: memory, 8 drives" "<=" 40 "$mib" MiB
        goal "station: bytes read from the drives / image" ">=" 1.00 "$(compute "$read_bytes / (8 * $bytes)")"
    done
    echo "   CPU is for each GiB of image and each drive: user and system time of all processes, daemons included."
    echo "   Peak is the sum over processes. Bytes are the block devices' own counts, over all drives."
}

bench_station32() {
    local bytes=$((128 << 20)) limit
    limit=$(station_limit $bytes)
    echo "-- station32: 128 MiB onto 32 drives of 30 MB/s (reading: 90 MB/s); limit of the drives $limit s"
    can_throttle station32 || return 0
    dense_image $bytes
    add_drives 32 $((bytes + (16 << 20)))
    throttle_all 30000000 90000000
    run platen
    unthrottle
    printf '   platen: peak %.0f MiB (8 drives: see station), %.1f s, %.2f x limit, %.3f CPU-s/GiB, content %s\n' \
        "$mib" "$wall" "$(compute "$wall / $limit" %.3f)" "$(compute "$cpu / (32 * $bytes / 2^30)" %.3f)" "$content"
    goal "station32: memory, 32 drives" "<=" 80 "$mib" MiB
}
