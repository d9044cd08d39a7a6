# SPDX-FileCopyrightText: The Platen contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# shellcheck shell=bash disable=SC2154
# What the tools cost when no drive holds them up. Walls differ by up to 2 between repeats on a busy machine, so the
# rounds are interleaved and the least counts.

bench_unthrottled() {
    local bytes=$((512 << 20)) round tool tools=() fastest="" best="" peer_best=""
    echo "-- unthrottled: 512 MiB onto 8 drives in memory, three rounds"
    install_peers caligula dd etcher bmaptool bmaprs
    dense_image $bytes
    add_drives 8 $((bytes + (16 << 20)))
    for tool in platen caligula dd etcher bmaptool bmaprs; do
        if available $tool; then tools+=("$tool"); fi
    done
    local -A walls=() costs=() contents=() least=() reread=()
    for round in 1 2 3; do
        for tool in "${tools[@]}"; do
            # What took over four times as long as the fastest will not win the next round.
            if [ $round -gt 1 ] && awk "BEGIN { exit !(${least[$tool]} > 4 * $best) }"; then continue; fi
            run "$tool"
            blank_drives
            walls[$tool]+="$wall "
            costs[$tool]+="$(compute "$cpu / (8 * $bytes / 2^30)" %.3f) "
            reread[$tool]=$(read_back)
            [ "${contents[$tool]:-right}" != right ] || contents[$tool]=$content
            least[$tool]=$(lowest "${walls[$tool]}")
            if [ -z "$best" ] || awk "BEGIN { exit !($wall < $best) }"; then best=$wall fastest=$tool; fi
        done
    done
    printf '   %-20s %8s %10s %12s %12s %7s %9s  %s\n' tool "least s" "median s" "x fastest" "CPU-s/GiB" rounds \
        "re-read" content
    for tool in "${tools[@]}"; do
        printf '   %-20s %8.1f %10.1f %12s %12s %7d %9s  %s\n' "$(label "$tool")" "${least[$tool]}" \
            "$(median "${walls[$tool]}")" "$(compute "${least[$tool]} / $best")" "$(median "${costs[$tool]}")" \
            "$(wc -w <<< "${walls[$tool]}")" "${reread[$tool]}" "${contents[$tool]}"
        if [ "$tool" != platen ]; then peer_best=$(lowest "$peer_best ${least[$tool]}"); fi
    done
    echo "   fastest: $(label "$fastest")"
    goal "unthrottled: platen / fastest peer" "<=" 1.00 "${peer_best:+$(compute "${least[platen]} / $peer_best")}"
    goal "unthrottled: CPU for each GiB and drive" "<=" 0.40 "$(median "${costs[platen]}")" s
}
