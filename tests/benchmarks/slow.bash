# SPDX-FileCopyrightText: The Platen contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# shellcheck shell=bash disable=SC2154
# A slow drive must harm nobody but itself. The good drives' time beside it is compared with their time alone.

# When each drive was done, as $work/done: path, seconds written, seconds verified. Platen says it; of the others the
# drives' own counters tell when the last write and the last read were.
when_done() {
    if [ "$1" = platen ]; then
        awk 'function of(name, found) {
                 if (!match($0, "\"" name "\":\"?[^\",}]*")) return ""
                 found = substr($0, RSTART, RLENGTH)
                 sub(/^[^:]*:"?/, "", found)
                 return found
             }
             /"event":"drive-seen"/ { path[of("place")] = of("path") }
             /"event":"job-started"/ { drive[of("job")] = path[of("place")] }
             /"event":"step-started".*"step":"verify"/ { written[of("job")] = $1 }
             /"event":"job-ended".*"verdict":"ready"/ { print drive[of("job")], written[of("job")], $1 }' "$work/out"
    else
        awk 'NR > 1 { print $1, $5, $6 }' "$work/report"
    fi > "$work/done"
}

# latest COLUMN DRIVE...: of these drives
latest() {
    local column=$1
    shift
    awk -v column="$column" -v drives=" $* " \
        'index(drives, " " $1 " ") && $column > latest { latest = $column } END { printf "%.2f", latest }' "$work/done"
}

bench_slow() {
    local bytes=$((128 << 20)) tool good alone_written alone written verified ratio limit shared
    limit=$(compute "$bytes / 30e6 + $bytes / 90e6")
    echo "-- slow: 128 MiB onto drives of 30, 30, 30 and 5 MB/s (reading: three times that)"
    can_throttle slow || return 0
    install_peers caligula dd etcher
    dense_image $bytes
    echo "   seconds until the last of the three good drives was written and read back (their limit is $limit s):"
    printf '   %-20s %18s %18s %8s %12s  %s\n' tool "without the slow" "beside the slow" ratio "all four" content
    for tool in platen caligula dd etcher; do
        available $tool || continue
        add_drives 3 $((bytes + (16 << 20)))
        throttle_all 30000000 90000000
        run $tool
        when_done $tool
        alone_written=$(latest 2 "${drives[@]}") alone=$(latest 3 "${drives[@]}")
        good=("${drives[@]}")
        blank_drives
        add_drives 1 $((bytes + (16 << 20)))
        throttle "${drives[3]}" 5000000 15000000
        run $tool
        when_done $tool
        written=$(latest 2 "${good[@]}") verified=$(latest 3 "${good[@]}")
        remove_drives
        ratio=$(compute "$alone > 0 ? $verified / $alone : 0" %.3f)
        printf '   %-20s %18s %18s %8s %12.1f  %s\n' "$(label $tool)" "$alone_written, $alone" "$written, $verified" \
            "$ratio" "$wall" "$content"
        [ $tool = platen ] || continue
        goal "slow: good drives beside a slow one / alone" "<=" 1.05 "$ratio"
        # A busy moment while they were alone would make that one too good.
        goal "slow: good drives beside a slow one / limit" "<=" 1.05 "$(compute "$verified / $limit" %.3f)"
        shared=$(sed -n 's/.*"content_read_bytes":\([0-9]*\).*/\1/p' "$work/out")
    done
    echo "   platen read ${shared:-n/a} bytes of content for an image of $bytes bytes. The goal is one reading for" \
        "the drives that keep up; what is more than the image's size the slow drive read for itself."
    # The slow drive, once it has fallen behind, may read all that is left: twice the image is the most.
    shared=${shared:+$(compute "$shared / $bytes")}
    goal "slow: content read / image" "<=" 2.00 "${shared:-n/a}"
}
