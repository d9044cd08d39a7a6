# shellcheck shell=bash disable=SC2154
# An image of 4 GiB that has 1 GiB in it. Only that is worth writing, but the rest must be zeros afterwards: on a drive
# that was used before, holes that were skipped still have old bytes in them.

bench_sparse() {
    local size=$((4 << 30)) used=$((1 << 30)) n state tool share
    local -A platen_wall=() peer_wall=()
    echo "-- sparse: an image of 4 GiB with 1 GiB in 64 extents onto one drive in memory"
    install_peers bmaptool bmaprs
    image=$work/sparse.img medium=BENCH-SPARSE
    truncate -s $size "$image"
    for ((n = 0; n < 64; n++)); do
        dd if=/dev/urandom of="$image" bs=16M count=1 seek=$((4 * n + 1)) iflag=fullblock conv=notrunc status=none
    done
    if ! available bmaptool; then :; else bmaptool --quiet create --output "$work/sparse.bmap" "$image"; fi
    medium raw "$medium" "$image"
    add_drives 1 $size
    printf '   %-6s %-20s %8s %8s %12s %9s %13s %9s  %s\n' drive tool "wall s" "CPU-s" "MiB written" "x used" \
        "MiB discarded" "re-read" "whole drive"
    for state in new used; do
        for tool in platen bmaptool bmaprs; do
            [ ! -v "missing[$tool]" ] || continue
            blank_drives
            if [ $state = used ]; then
                head -c $size /dev/zero | tr '\0' '\245' 1<> "${backing[${drives[0]}]}"
                # What the drive's own cache remembers is gone with this.
                blockdev --flushbufs "${drives[0]}"
            fi
            run $tool
            [ "$content" != WRONG ] || [ $tool = platen ] || content="WRONG (holes keep old bytes)"
            share=$(compute "$written_bytes / $used" %.3f)
            printf '   %-6s %-20s %8.1f %8.1f %12d %9s %13d %9s  %s\n' $state "$(label $tool)" "$wall" "$cpu" \
                $((written_bytes >> 20)) "$share" $((discarded_bytes >> 20)) \
                "$([ "$read_bytes" -ge $used ] && echo yes || echo no)" "$content"
            if [ $tool = platen ]; then
                platen_wall[$state]=$wall
                goal "sparse, $state drive: written / used bytes" "<=" 1.01 "$share"
            elif [ $tool = bmaptool ]; then
                peer_wall[$state]=$wall
            fi
        done
    done
    for state in new used; do
        goal "sparse, $state drive: platen / bmaptool (unverified)" "<" 1.00 \
            "${peer_wall[$state]:+$(compute "${platen_wall[$state]} / ${peer_wall[$state]}")}"
    done
}
