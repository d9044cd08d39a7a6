# SPDX-FileCopyrightText: The Platen contributors
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Chooses the slot that is started, and counts, as board/common/x86_64/grub.cfg does. In U-Boot's variables (two copies),
# where the keeper reads them: of each slot, whether it is whole (BOOT_A_OK) and how many starts it has left to prove itself
# (BOOT_A_LEFT). Names are set in every pass, since saveenv keeps all.
#
# U-Boot's shell takes an apostrophe for the begin of a quotation even within double quotes (parse_stream in its
# common/cli_hush.c). So none of the texts has one.

test -n "${BOOT_ORDER}" || setenv BOOT_ORDER "A B"
test -n "${BOOT_A_OK}" || setenv BOOT_A_OK 1
test -n "${BOOT_A_LEFT}" || setenv BOOT_A_LEFT 3
test -n "${BOOT_B_OK}" || setenv BOOT_B_OK 1
test -n "${BOOT_B_LEFT}" || setenv BOOT_B_LEFT 3

while true; do
    for SLOT in ${BOOT_ORDER}; do
        if test "${SLOT}" = A; then
            setenv slot a
            setenv kernel 2
            setenv ok "${BOOT_A_OK}"
            setenv left "${BOOT_A_LEFT}"
        else
            setenv slot b
            setenv kernel 4
            setenv ok "${BOOT_B_OK}"
            setenv left "${BOOT_B_LEFT}"
        fi
        setenv next none
        if test "${left}" = 3; then setenv next 2; fi
        if test "${left}" = 2; then setenv next 1; fi
        if test "${left}" = 1; then setenv next 0; fi
        if test "${ok}" = 1 && test "${next}" != none; then
            # In the card before the start: a start that ends in any way whatever was one.
            setenv BOOT_${SLOT}_LEFT "${next}"
            saveenv
            # It says where the tree of hashes of its root begins.
            setenv verity
            if load mmc 0:${kernel} ${pxefile_addr_r} slot.env; then
                env import -t ${pxefile_addr_r} ${filesize} set_slot
                run set_slot
                setenv bootargs "root=/dev/dm-0 ro rootwait dm-mod.waitfor=PARTLABEL=root-${slot} dm-mod.create=\"${verity}\" platen.slot=${slot} panic=5 ${arguments}"
                # The tree of devices is the firmware's, which knows this board's memory.
                load mmc 0:${kernel} ${kernel_addr_r} Image && booti ${kernel_addr_r} - ${fdt_addr}
            fi
        fi
    done

    # Nothing is left to start.
    cls
    echo
    echo "   Platen cannot start."
    echo
    echo "   Neither of the two systems on its card started and stayed up."
    echo
    echo "   What to do:"
    echo "     - Wait. In half a minute they are tried once more."
    echo "     - If this comes again: switch the station off, unplug what was"
    echo "       plugged in last, and switch it on."
    echo "     - If it still comes: write the card anew"
    echo "       (README.md, The appliance)."
    echo
    echo "   Drives that were being written are not ready. Write them again."
    sleep 30
    if test "${BOOT_A_OK}" = 1; then setenv BOOT_A_LEFT 1; fi
    if test "${BOOT_B_OK}" = 1; then setenv BOOT_B_LEFT 1; fi
    if test "${BOOT_A_OK}${BOOT_B_OK}" = 00; then reset; fi
done
