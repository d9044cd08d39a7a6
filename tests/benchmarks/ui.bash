# SPDX-FileCopyrightText: The Platen contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# shellcheck shell=bash disable=SC2154
# What the panel costs while the station works: it must leave the processor to the drives.

bench_ui() {
    local seconds=60 busy=${CARGO_TARGET_DIR:-target}/release/examples/busy
    echo "-- ui: 800 x 480, 16 ports, each of which tells 10 times a second how far it is, for $seconds s"
    cargo build --locked --quiet --release --package platen-ui --example busy
    must measure "$busy" "$seconds"
    sed 's/^/   /' "$work/out"
    echo "   $cpu s of the processor, peak $mib MiB"
    goal "ui: share of one core" "<=" 0.03 "$(compute "$cpu / $seconds" %.4f)"
}
