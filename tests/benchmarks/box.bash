# SPDX-FileCopyrightText: The Platen contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# shellcheck shell=bash disable=SC2154
# How soon an appliance that was switched on can be used, with its debug form, whose kernel is heard.

bench_box() {
    local output=${PLATEN_DEBUG_OUTPUT:-target/image/qemu_x86_64-debug} bare whole ratio=
    echo "-- box: from the kernel's first word to the first screen, 3 rounds in QEMU without acceleration"
    if [ -e "$output/images/kernel.img" ]; then
        appliance/install-packages boot
        must measure tests/box/speed.py "$output" qemu_x86_64 3
        bare=$(median "$(cut -d ' ' -f 1 "$work/out")") whole=$(median "$(cut -d ' ' -f 2 "$work/out")")
        echo "   $bare s with a program that ends at once in the place of init, $whole s to the first screen"
        ratio=$(compute "$whole / $bare")
    else
        echo "   left out: there is no $output/images: buildroot/build --debug qemu_x86_64"
    fi
    goal "box: first screen / kernel alone" "<=" 1.5 "$ratio"
}
