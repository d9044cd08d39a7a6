# SPDX-FileCopyrightText: The Platen contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# shellcheck shell=bash disable=SC2154
# Applying an operating system image, every byte of it checked, beside the same program on the bare file.

# make_volume KIND: a fresh file system on ${drives[0]}; sets destination, and mounted where it is mounted
make_volume() {
    destination=${drives[0]} mounted=
    case $1 in
        ntfs) mkntfs -Q -q -F "$destination" > /dev/null 2>&1 ;;
        ext4)
            mke2fs -q -F -t ext4 "$destination"
            mounted=$work/target
            mkdir -p "$mounted"
            mount "$destination" "$mounted"
            destination=$mounted
            ;;
    esac
}

# mount_medium: anew, so that nothing of it is in memory
mount_medium() {
    umount "$work/medium" 2> /dev/null || true
    mount -o ro,loop "$ram/medium.img" "$work/medium"
}

bench_apply() {
    local program=${CARGO_TARGET_DIR:-target}/release/examples/apply kind blake3 size ours peers
    echo "-- apply: an image of 1 GiB of programs, libraries and documents, beside wimlib-imagex apply"
    cargo build --locked --quiet --release --package platen-deploy --example apply
    mkdir -p "$work/tree" "$work/files" "$work/medium"
    # Of this machine, so that they pack as real ones do; as much as is there, up to 1 GiB.
    (cd / && find usr/lib usr/bin usr/share -xdev -type f -size -64M -print0 2> /dev/null) | sort -z |
        (cd / && tar --null --no-recursion -T - -cf - 2> /dev/null) | head -c 1G | tar -C "$work/tree" -xf - 2> /dev/null || true
    wimlib-imagex capture "$work/tree" "$work/files/image.wim" > /dev/null 2>&1
    rm -r "$work/tree"
    blake3=$("$program" tree "$work/files/image.wim")
    size=$(stat --format %s "$work/files/image.wim")
    truncate -s $((size + size / 8 + (64 << 20))) "$ram/medium.img"
    mke2fs -q -t ext4 -d "$work/files" "$ram/medium.img"
    rm -r "$work/files"
    add_drives 1 4G
    for kind in ntfs ext4; do
        ours="" peers=""
        for _ in 1 2 3; do
            make_volume $kind
            mount_medium
            local unix=() ; [ -z "$mounted" ] || unix=(--unix-data)
            must measure wimlib-imagex apply "$work/medium/image.wim" 1 "$destination" "${unix[@]}"
            peers+="$wall "
            [ -z "$mounted" ] || umount "$mounted"
            make_volume $kind
            mount_medium
            must measure "$program" apply "$work/medium/image.wim" "$blake3" "$destination"
            ours+="$wall "
            [ -z "$mounted" ] || umount "$mounted"
        done
        echo "   $kind, $((size >> 20)) MiB: checked $ours s; wimlib-imagex apply $peers s"
        goal "apply to $kind: time / wimlib-imagex apply" "<=" 1.10 "$(compute "$(lowest "$ours") / $(lowest "$peers")")"
    done
    umount "$work/medium"
    rm "$ram/medium.img"
}
