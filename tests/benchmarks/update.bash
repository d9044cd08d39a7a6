# SPDX-FileCopyrightText: The Platen contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# shellcheck shell=bash disable=SC2154
# A station's second visit: 5 % of the content has changed, and the drive has the rest already.

bench_update() {
    local changed_bytes update_wall full_wall ratio=n/a share=n/a
    echo "-- update: 480 MiB of files of which 5 % changed, onto a drive of 1 GiB, 30 MB/s (reading: 90 MB/s)"
    can_throttle update || return 0
    first_revision "$work/tree"
    medium tree BENCH-UPDATE "$work/tree" 1
    add_drives 2 1G
    must measure platen write BENCH-UPDATE "${drives[0]}" --allow-device "${drives[0]}"
    second_revision "$work/tree"
    medium tree BENCH-UPDATE "$work/tree" 2
    find "$PLATEN_CACHE" -type f -exec cat {} + > /dev/null

    throttle_all 30000000 90000000
    must measure platen write BENCH-UPDATE "${drives[1]}" --allow-device "${drives[1]}"
    full_wall=$wall
    printf '   whole:  %.1f s, %d MiB written, %d MiB read\n' "$wall" $((written_bytes >> 20)) $((read_bytes >> 20))
    same_files "${drives[1]}" "$work/tree" || wrong "the drive written whole"

    if ! measure platen write BENCH-UPDATE --update "${drives[0]}" --allow-device "${drives[0]}"; then
        echo "   update: platen refused: $(sed -n '1 s/^[0-9.]* //p' "$work/out")"
    else
        update_wall=$wall
        share=$(compute "$written_bytes / $changed_bytes") ratio=$(compute "$update_wall / $full_wall")
        printf '   update: %.1f s, %d MiB written (%d MiB of files changed), %d MiB read\n' "$wall" \
            $((written_bytes >> 20)) $((changed_bytes >> 20)) $((read_bytes >> 20))
        same_files "${drives[0]}" "$work/tree" || wrong "the updated drive"
        unthrottle
        must measure platen verify "${drives[0]}"
    fi
    unthrottle
    goal "update: bytes written / bytes of changed files" "<=" 1.20 "$share"
    goal "update: time / time of writing all" "<=" 0.50 "$ratio"
    rm -r "$work/tree"
}

# some_file PATH BYTES: of bytes never seen before
some_file() {
    mkdir -p "$(dirname "$1")"
    head -c "$2" /dev/urandom > "$1"
}

# 480 MiB: 2 large, 20 medium, 40 small and 400 tiny files
first_revision() {
    local n
    for n in 1 2; do some_file "$1/images/large $n.bin" $((120 << 20)); done
    for n in $(seq 20); do some_file "$1/packages/medium $n.bin" $((8 << 20)); done
    for n in $(seq 40); do some_file "$1/drivers/small $n.bin" $((3 << 19)); done
    for n in $(seq 400); do some_file "$1/tools/$((n / 50))/tiny $n.bin" $((50 << 10)); done
}

# 5 % of it: files that stay as long as they were, grow, shrink, are new, and one that is gone. Sets changed_bytes.
second_revision() {
    local n
    touch "$work/before"
    some_file "$1/packages/medium 5.bin" $((9 << 20))
    some_file "$1/packages/medium 12.bin" $((6 << 20))
    for n in 3 17 31; do some_file "$1/drivers/small $n.bin" $((3 << 19)); done
    for n in $(seq 7 12 400); do some_file "$1/tools/$((n / 50))/tiny $n.bin" $((50 << 10)); done
    rm "$1/drivers/small 9.bin"
    some_file "$1/drivers/added.bin" $((3 << 19))
    changed_bytes=$(find "$1" -type f -newer "$work/before" -printf '%s\n' | awk '{ sum += $1 } END { print sum }')
}

# same_files DRIVE TREE: what mtools reads from the drive has the tree's files, and no others but Platen's own
same_files() {
    local differences
    mkdir "$ram/back"
    mcopy -i "${backing[$1]}@@1M" -s '::/*' "$ram/back/"
    differences=$(diff -rq "$2" "$ram/back" |
        grep -vE "^Only in $ram/back: (platen|SHA256SUMS.*|MediaLabel.txt)$" || true)
    rm -r "$ram/back"
    [ -z "$differences" ] || { echo "$differences" | head -n 5; return 1; }
}
