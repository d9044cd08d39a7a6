# SPDX-FileCopyrightText: The Platen contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# shellcheck shell=bash disable=SC2154
# How long a booted computer looks for its drivers among those of a medium.

bench_drivers() {
    local program=${CARGO_TARGET_DIR:-target}/release/examples/drivers
    echo "-- drivers: 2,000 INF files, 60 devices"
    cargo build --locked --quiet --release --package platen-windows --example drivers
    mkdir -p "$work/inf"
    "$program" make "$work/inf" 2000
    must measure "$program" match "$work/inf" 60
    sed 's/^/   /' "$work/out"
    goal "drivers: chosen" "<=" 2 "$wall" s
    rm -r "$work/inf"
}
