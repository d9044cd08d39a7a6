# SPDX-FileCopyrightText: The Platen contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# shellcheck shell=bash disable=SC2034,SC2154
# How each tool writes $image to all of $drives at once and, where it can, reads it back. Each function sets command.

# once_for_each TEXT: the tools that know one drive only; TEXT is for sh, with $1 the image and $2 the drive
once_for_each() {
    # shellcheck disable=SC2016  # for the inner shells
    local all='image=$1 text=$2 pids= status=0; shift 2
        for drive; do sh -c "$text" sh "$image" "$drive" & pids="$pids $!"; done
        for pid in $pids; do wait "$pid" || status=1; done; exit $status'
    command=(sh -c "$all" sh "$image" "$1" "${drives[@]}")
}

command_platen() {
    local drive
    command=(platen --json write "$medium" "${drives[@]}")
    for drive in "${drives[@]}"; do command+=(--allow-device "$drive"); done
}

command_caligula() {
    once_for_each "exec $peers_folder/caligula-0.5.0/bin/caligula burn \"\$1\" -o \"\$2\" --force --interactive never \
        --root never --compression none --hash skip"
}

command_dd() {
    # shellcheck disable=SC2016  # for the inner shells
    once_for_each 'dd if="$1" of="$2" bs=4M oflag=direct conv=fdatasync status=none &&
        exec cmp --bytes "$(stat --format %s "$1")" "$1" "$2"'
}

command_etcher() {
    local drive
    command=(node tests/benchmarks/etcher.js "$etcher_sdk/node_modules/etcher-sdk" "$image")
    for drive in "${drives[@]}"; do command+=("$drive=$(blockdev --getsize64 "$drive")"); done
}

# The two that copy by a block map use the one beside the image, if there is one. Neither reads back.
command_bmaptool() {
    local map=--nobmap
    [ ! -e "${image%.*}.bmap" ] || map="--bmap ${image%.*}.bmap"
    once_for_each "exec bmaptool --quiet copy $map \"\$1\" \"\$2\""
}

command_bmaprs() {
    local map=--nobmap
    [ ! -e "${image%.*}.bmap" ] || map=
    once_for_each "exec $peers_folder/bmap-rs-0.2.3/bin/bmap-rs copy $map \"\$1\" \"\$2\""
}

# run TOOL: on all drives; sets what `measure` sets, and content: right, WRONG or failed.
# A peer's failure is a result. Platen's is an error, and the script's exit status.
run() {
    # Nobody reads from a disk.
    cat "$image" > /dev/null
    find "$PLATEN_CACHE" -type f -exec cat {} + > /dev/null
    "command_$1"
    content=right
    measure "${command[@]}" || content=failed
    [ $content = failed ] || same_content "$image" || content=WRONG
    if [ "$1" = platen ] && [ $content != right ]; then
        broken=1
        tail -n 5 "$work/out" >&2
    fi
}

# available TOOL: or a line that says why it is not
available() {
    [ -v "missing[$1]" ] || return 0
    printf '   %-20s not installed here: %s\n' "$1" "${missing[$1]}"
    return 1
}

# read_back: whether the device itself was read for all that was written
read_back() {
    local bytes
    bytes=$(($(stat --format %s "$image") * ${#drives[@]}))
    if [ "$read_bytes" -ge "$bytes" ]; then echo yes; else echo no; fi
}
