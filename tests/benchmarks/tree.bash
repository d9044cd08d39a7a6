# SPDX-FileCopyrightText: The Platen contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# shellcheck shell=bash disable=SC2154
bench_tree() {
    echo "-- tree: 2,000 small files and three of 700 MB (3 GB) onto a 4 GiB FAT32 drive, full read-back included"
    mkdir "$work/tree"
    head -c 64M /dev/urandom > "$work/noise"
    local n folder round peer_wall peer_cpu ratio ratios=""
    for n in $(seq 1 2000); do
        folder="$work/tree/folder $((n / 100))"
        mkdir -p "$folder"
        dd if="$work/noise" of="$folder/file $n.dat" bs=$((n * 131 % 400000 + 700)) count=1 skip=$((n % 150)) status=none
    done
    for n in 1 2 3; do head -c 700000000 /dev/urandom > "$work/tree/big $n.bin"; done
    medium tree BENCH-TREE "$work/tree"
    add_drives 1 4G
    cat "$work"/tree/big* > /dev/null # both sides start with a warm page cache

    # shellcheck disable=SC2317  # called below, in a shell of its own
    by_hand() {
        mkfs.fat -F 32 "$1" > /dev/null
        mcopy -i "$1" -s "$work"/tree/* ::/
        blockdev --flushbufs "$1"
        mkdir "$ram/back"
        mcopy -i "$1" -s '::/*' "$ram/back/"
        diff -r "$work/tree" "$ram/back"
        rm -r "$ram/back"
    }
    export -f by_hand
    for round in 1 2 3; do
        # shellcheck disable=SC2016  # for the inner shell
        must measure bash -euc 'by_hand "$1"' bash "${drives[0]}"
        peer_wall=$wall peer_cpu=$cpu
        blank_drives
        must measure platen write BENCH-TREE "${drives[0]}" --allow-device "${drives[0]}"
        ratio=$(compute "$peer_wall / $wall" %.1f)
        ratios+="$ratio "
        echo "   round $round: mkfs.fat + mcopy + diff $peer_wall s ($peer_cpu CPU-s);" \
            "platen write $wall s ($cpu CPU-s, peak $mib MiB); ratio $ratio"
        blank_drives
    done
    goal "tree: mkfs.fat + mcopy + diff / platen, median" ">=" 2.5 "$(median "$ratios")"
    rm -r "$work/tree" "$work/noise"
}
