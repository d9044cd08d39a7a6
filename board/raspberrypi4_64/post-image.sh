#!/usr/bin/env bash
# SPDX-FileCopyrightText: The Platen contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# Part of board/common/post-image.sh: what the firmware and U-Boot read.
#   post-image.sh IMAGES SLOT      VERITY, VERSION, ARGUMENTS: of this root, for the folder SLOT
set -euo pipefail

images=$1
slot=$2
here=$(realpath "$(dirname "$0")")

cp "$images/Image" "$slot/"
# Run by boot.cmd, when it knows the slot's letter.
printf 'set_slot=setenv version "%s"; setenv arguments "%s"; setenv verity "%s"\n' "$VERSION" "$ARGUMENTS" "$VERITY" > "$slot/slot.env"

boot=$images/boot
rm -rf "$boot"
mkdir -p "$boot/platen/keys"
cp "$images"/rpi-firmware/{start4.elf,fixup4.dat,config.txt} "$images/u-boot.bin" "$images"/bcm2711-rpi-*.dtb "$boot/"
mkimage -A arm64 -T script -C none -n "Platen" -d "$here/boot.cmd" "$boot/boot.scr" > /dev/null
