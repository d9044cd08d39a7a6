# SPDX-FileCopyrightText: The Platen contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# shellcheck shell=bash disable=SC2154
bench_plan() {
    echo "-- plan: 60,000 files of 0.7-52 KB in 600 folders, long names, on a drive of 256 GiB"
    mkdir "$work/small"
    export NOISE="$work/noise"
    head -c 64M /dev/urandom > "$NOISE"
    awk 'BEGIN { srand(1); for (i = 0; i < 60000; i++) printf "%d %d %d\n", i, int(700 + rand() * 51300), int(rand() * 60000000) }' |
        while read -r n size skip; do
            folder="$work/small/folder with a long name $((n / 100))"
            [ $((n % 100)) -ne 0 ] || mkdir "$folder"
            echo "$n $size $skip $folder"
        done | perl -ne 'BEGIN { open N, "<", $ENV{NOISE}; } chomp; my ($n, $size, $skip, $folder) = split / /, $_, 4;
            seek N, $skip, 0; read N, my $bytes, $size; open F, ">", "$folder/a file with a rather long name $n.dat"; print F $bytes; close F'
    medium tree BENCH-SMALL "$work/small"
    must measure platen plan BENCH-SMALL --size $((256 << 30))
    echo "   platen plan: $cpu CPU-s, peak $mib MiB, $wall s wall; signature check included"
    goal "plan: CPU" "<=" 0.5 "$cpu" s
    goal "plan: memory" "<=" 64 "$mib" MiB
    rm -r "$work/small" "$NOISE"
}
