#!/usr/bin/env bash
# SPDX-FileCopyrightText: The Platen contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# Part of board/common/post-image.sh: the kernel's slot, the boot partition and GRUB's places on the disk of a board with a
# PC's firmware.
#   post-image.sh IMAGES SLOT      VERITY, VERSION, ARGUMENTS: of this root, for the folder SLOT
set -euo pipefail

images=$1
slot=$2
here=$(realpath "$(dirname "$0")")

cp "$images/bzImage" "$slot/"
# Lines of GRUB's language.
printf 'set version="%s"\nset arguments="%s"\nset verity="%s"\n' "$VERSION" "$ARGUMENTS" "$VERITY" > "$slot/slot.cfg"

# Writes a little-endian number of 8 bytes at an offset of a file.
poke() {
    local hex at
    hex=$(printf '%016x' "$3")
    for at in 14 12 10 8 6 4 2 0; do
        printf '%b' "\\x${hex:at:2}"
    done | dd of="$1" bs=1 seek=$(($2)) conv=notrunc status=none
}

# With GPT there is no room behind the first sector: GRUB's core lies in a partition of its own, whose place is written
# into the two sectors that load it. That is what grub-install does where GRUB is installed on a running machine.
core_lba=34
cp "$BUILD_DIR"/grub2-*/build-i386-pc/grub-core/boot.img "$images/boot.img"
poke "$images/boot.img" 0x5c $core_lba
poke "$images/grub.img" 0x1f4 $((core_lba + 1))

boot=$images/boot
rm -rf "$boot"
mkdir -p "$boot/EFI/BOOT" "$boot/boot/grub" "$boot/platen/keys"
cp "$images/efi-part/EFI/BOOT/bootx64.efi" "$boot/EFI/BOOT/"
# Firmwares differ in what GRUB takes for its own folder.
echo 'configfile /boot/grub/grub.cfg' > "$boot/EFI/BOOT/grub.cfg"
cp "$here/grub.cfg" "$boot/boot/grub/"
# 1024 bytes that are written in place; the second slot is empty until the first update.
{
    printf '# GRUB Environment Block\nORDER=A B\nA_OK=1\nA_LEFT=3\nB_OK=0\nB_LEFT=0\n'
    printf '#%.0s' {1..1024}
} | head -c 1024 > "$boot/boot/grub/grubenv"
