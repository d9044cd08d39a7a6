# SPDX-FileCopyrightText: The Platen contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# shellcheck shell=bash disable=SC2154
# Authoring a medium of 2 GiB, beside copying the same bytes; both until all of it is on disk.

bench_build() {
    local round built="" copied=""
    echo "-- build: a medium of 2 GiB in large and small files, beside cp and sync"
    mkdir "$work/tree"
    for round in 1 2 3; do head -c 640M /dev/urandom > "$work/tree/large $round.bin"; done
    for round in $(seq 256); do head -c 512K /dev/urandom > "$work/tree/small $round.bin"; done
    printf 'kind = "tree"\nid = "BENCH-BUILD"\nname = "bench"\nversion = "1"\nrevision = 1\nallow = ["BOOT-LOADER"]\n[tree]\npath = "%s"\n' \
        "$work/tree" > "$work/build.toml"
    sync -f "$work"
    for round in 1 2 3; do
        # Both begin with the sources in memory and nothing of the results.
        cat "$work"/tree/* > /dev/null
        must measure platen media build "$work/build.toml" --key "$work/bench-insecure.key" --out "$work/layout"
        built+="$wall "
        rm -r "$work/layout"
        sync -f "$work"
        # shellcheck disable=SC2016  # for the inner shell
        must measure bash -euc 'cp -r "$1/tree" "$1/copy"; sync -f "$1"' bash "$work"
        copied+="$wall "
        rm -r "$work/copy"
        sync -f "$work"
    done
    echo "   platen media build $built s; cp and sync $copied s"
    goal "build: time / cp and sync of the same bytes" "<=" 1.20 "$(compute "$(lowest "$built") / $(lowest "$copied")")"
    rm -r "$work/tree"
}
