# SPDX-FileCopyrightText: The Platen contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# shellcheck shell=bash disable=SC2154
# An image of 4 GiB that has 1 GiB in it. Only that is worth writing, but the rest must be zeros afterwards: on a drive
# that was used before, holes that were skipped still have old bytes in them.

bench_sparse() {
    local size=$((4 << 30)) used=$((1 << 30)) n round state tool key share
    local -A walls=() costs=() device=() contents=()
    echo "-- sparse: an image of 4 GiB with 1 GiB in 64 extents onto one drive in memory, three rounds"
    install_peers bmaptool bmaprs
    image=$work/sparse.img medium=BENCH-SPARSE
    truncate -s $size "$image"
    for ((n = 0; n < 64; n++)); do
        dd if=/dev/urandom of="$image" bs=16M count=1 seek=$((4 * n + 1)) iflag=fullblock conv=notrunc status=none
    done
    if available bmaptool; then bmaptool --quiet create --output "$work/sparse.bmap" "$image"; fi
    available bmaprs || true
    medium raw "$medium" "$image"
    add_drives 1 $size
    for ((round = 0; round < 3; round++)); do
        for state in new used; do
            for tool in platen bmaptool bmaprs; do
                [ ! -v "missing[$tool]" ] || continue
                blank_drives
                [ $state = new ] || fill_drive "${drives[0]}" $size
                run $tool
                key=$state-$tool
                walls[$key]+="$wall "
                costs[$key]+="$cpu "
                device[$key]="$written_bytes $discarded_bytes $read_bytes"
                # On the used drive a tool that skips holes is wrong in each round.
                if [ "${contents[$key]:-right}" = right ]; then contents[$key]=$content; fi
            done
        done
    done

    printf '   %-6s %-20s %8s %10s %8s %12s %8s %14s %8s  %s\n' drive tool "least s" "median s" "CPU-s" "MiB written" \
        "x used" "MiB discarded" "re-read" "whole drive"
    for state in new used; do
        for tool in platen bmaptool bmaprs; do
            key=$state-$tool
            [ -v "walls[$key]" ] || continue
            read -r written_bytes discarded_bytes read_bytes <<< "${device[$key]}"
            share=$(compute "$written_bytes / $used" %.3f)
            printf '   %-6s %-20s %8.1f %10.1f %8.1f %12d %8s %14d %8s  %s\n' $state "$(label $tool)" \
                "$(lowest "${walls[$key]}")" "$(median "${walls[$key]}")" "$(median "${costs[$key]}")" \
                $((written_bytes >> 20)) "$share" $((discarded_bytes >> 20)) \
                "$([ "$read_bytes" -ge $used ] && echo yes || echo no)" "${contents[$key]}"
            if [ $state-$tool = new-platen ]; then goal "sparse, new drive: written / used bytes" "<=" 1.01 "$share"; fi
        done
    done
    echo "   The kernel counts zeros that a drive makes by a command as written; on the used drive that is all of the holes."
    case ${contents[*]} in *WRONG*) echo "   WRONG: where the image has holes the drive has not got zeros." ;; esac
    for state in new used; do
        share=
        if [ -v "walls[$state-bmaptool]" ]; then
            share=$(compute "$(lowest "${walls[$state-platen]}") / $(lowest "${walls[$state-bmaptool]}")")
        fi
        goal "sparse, $state drive: platen / bmaptool (unverified)" "<" 1.00 "$share"
    done
}

# fill_drive DRIVE BYTES: with what somebody had on it before
fill_drive() {
    head -c "$2" /dev/zero | tr '\0' '\245' 1<> "${backing[$1]}"
    # The device's page cache knows nothing of that.
    blockdev --flushbufs "$1"
}
