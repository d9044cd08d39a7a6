#!/usr/bin/env bash
# SPDX-FileCopyrightText: The Platen contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# Called by Buildroot when kernel and root are made: the root with its tree of hashes, the kernel's slot, the disk image,
# and the bundle that updates to the very same.
#   post-image.sh IMAGES BOARD
set -euo pipefail

images=$1
board=$2
common=$(realpath "$(dirname "$0")")
version=$(sed -n 's/^VERSION_ID=//p' "$TARGET_DIR/usr/lib/os-release")
export PATH=$HOST_DIR/bin:$HOST_DIR/sbin:$PATH
# The same source gives the same bytes: e2fsprogs has variables of its own for it (before its version 1.47.1, no others).
if [ -n "${SOURCE_DATE_EPOCH:-}" ]; then
    export E2FSPROGS_FAKE_TIME=$SOURCE_DATE_EPOCH E2FSCK_TIME=$SOURCE_DATE_EPOCH
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# --- The root: a squashfs, and behind it the tree of hashes over it. The salt and the tree's name come from its content.
cp "$images/rootfs.squashfs" "$images/root.img"
truncate -s %4096 "$images/root.img"
data_bytes=$(stat -c %s "$images/root.img")
salt=$(sha256sum "$images/rootfs.squashfs" | cut -d ' ' -f 1)
veritysetup format --no-superblock --hash=sha256 --salt="$salt" --data-block-size=4096 --hash-block-size=4096 \
    --data-blocks=$((data_bytes / 4096)) --hash-offset="$data_bytes" "$images/root.img" "$images/root.img" > "$work/verity"
root_hash=$(sed -n 's/^Root hash:[[:space:]]*//p' "$work/verity")

# --- The kernel's slot, and what the firmware starts: what the board, or its family, makes for its boot loader. The root's
# slot has the kernel's letter, so its place is known when it starts, to the boot loader's variable `slot`.
family=$common/../$board
[ -e "$family/post-image.sh" ] || family=$common/x86_64
mkdir "$work/kernel"
VERSION=$version ARGUMENTS=${PLATEN_KERNEL_ARGUMENTS:-} \
    VERITY="platen-root,,,ro,0 $((data_bytes / 512)) verity 1 PARTLABEL=root-\${slot} PARTLABEL=root-\${slot} 4096 4096 $((data_bytes / 4096)) $((data_bytes / 4096)) sha256 $root_hash $salt 1 restart_on_corruption" \
    "$family/post-image.sh" "$images" "$work/kernel"
rm -f "$images/kernel.img"
mksquashfs "$work/kernel" "$images/kernel.img" -comp gzip -all-root -noappend -no-xattrs -quiet -no-progress > /dev/null

# --- The disk.
sed "s/@BOARD@/$board/" "$family/genimage.cfg" > "$work/genimage.cfg"
mkdir "$work/root"
cp -a "$images/boot" "$work/root/"
genimage --config "$work/genimage.cfg" --rootpath "$work/root" --tmppath "$work/tmp" --inputpath "$images" --outputpath "$images"

# --- The bundle.
keys=$("$common/update-keys" "$BASE_DIR")
mkdir "$work/bundle"
cp "$images/root.img" "$images/kernel.img" "$work/bundle/"
cat > "$work/bundle/manifest.raucm" << END
[update]
compatible=platen-$board
version=$version

[bundle]
format=verity

[image.rootfs]
filename=root.img

[image.kernel]
filename=kernel.img
END
bundle=$images/platen-$board-$version.raucb
rm -f "$bundle"
rauc bundle --cert="$keys/cert.pem" --key="$keys/key.pem" "$work/bundle" "$bundle" > "$work/rauc.log" 2>&1 || { cat "$work/rauc.log" >&2; exit 1; }
