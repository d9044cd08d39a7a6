# SPDX-FileCopyrightText: The Platen contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# shellcheck shell=bash disable=SC2154
# Drives: loop devices on sparse files in a tmpfs, so that no disk is measured; and what makes them as slow as a
# USB drive. tests/bench has the list of them, $drives, and the folders $ram and $work.

declare -A backing=()
throttled=()
throttle_folder=/sys/fs/cgroup/blkio

# add_drives COUNT BYTES: blank ones; their paths are added to drives
add_drives() {
    local n file drive
    for ((n = 0; n < $1; n++)); do
        file=$ram/drive-${#drives[@]}
        truncate -s "$2" "$file"
        drive=$(losetup --find --show --direct-io=on "$file" 2> /dev/null || losetup --find --show "$file")
        drives+=("$drive")
        backing[$drive]=$file
    done
}

# What is attached is asked of the kernel: a list kept here could miss one when the script is stopped.
remove_drives() {
    unthrottle
    local drive file
    while read -r drive file; do
        case $file in "$ram"/*) losetup --detach "$drive" || true ;; esac
    done < <(losetup --list --noheadings --output NAME,BACK-FILE)
    rm -f "$ram"/drive-*
    drives=() backing=()
}

# Make all drives empty again. What one tool wrote must not be there for the next to be found right by.
blank_drives() {
    local drive
    for drive in "${drives[@]}"; do
        # It always warns that it was told to go on.
        blkdiscard --force "$drive" 2> "$work/discard" || { cat "$work/discard" >&2; return 1; }
    done
}

# throttle DRIVE WRITE READ: limit it to so many bytes a second
throttle() {
    local number
    number=$(cat "/sys/block/${1##*/}/dev")
    throttled+=("$number")
    echo "$number $2" > "$throttle_folder/blkio.throttle.write_bps_device"
    echo "$number $3" > "$throttle_folder/blkio.throttle.read_bps_device"
}

throttle_all() {
    local drive
    for drive in "${drives[@]}"; do throttle "$drive" "$1" "$2"; done
}

unthrottle() {
    local number
    for number in "${throttled[@]}"; do
        echo "$number 0" > "$throttle_folder/blkio.throttle.write_bps_device"
        echo "$number 0" > "$throttle_folder/blkio.throttle.read_bps_device"
    done
    throttled=()
}

# can_throttle BENCH: or says why the bench is skipped. No drive is there yet.
can_throttle() {
    if [ ! -w "$throttle_folder/blkio.throttle.write_bps_device" ]; then
        echo "   skipped: $throttle_folder/blkio.throttle.write_bps_device can't be written" \
            "(needs root and the blkio controller of cgroup version 1)"
        return 1
    fi
    # In a child group of the controller the root's limits have no effect, and every figure would be a wrong one.
    local begun ended
    add_drives 1 16M
    throttle_all 30000000 90000000
    begun=$(date +%s%N)
    dd if=/dev/zero of="${drives[0]}" bs=4M count=3 oflag=direct status=none
    ended=$(date +%s%N)
    remove_drives
    if [ $((ended - begun)) -lt 250000000 ]; then
        echo "   skipped: limits of $throttle_folder have no effect on this shell (12 MiB at 30 MB/s took" \
            "$(((ended - begun) / 1000000)) ms)"
        return 1
    fi
}

# same_content IMAGE [DRIVE]...: every drive (all of them by default) begins with the image, in its backing file,
# where nothing can come from a cache of the drive
same_content() {
    local image=$1 bytes drive
    bytes=$(stat --format %s "$image")
    shift
    [ $# -gt 0 ] || set -- "${drives[@]}"
    for drive in "$@"; do cmp --quiet --bytes "$bytes" "$image" "${backing[$drive]}" || return 1; done
}
