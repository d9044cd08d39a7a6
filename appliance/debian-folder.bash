# SPDX-FileCopyrightText: The Platen contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# Sourced, in the project's folder, by what needs a newer Debian than the one that all else is built on: trixie, with its
# backports' Rust, in a folder of its own.
#   debian_folder NAME               makes it in the target folder, if it is not there; $debian is its path then
#   debian_install MARK ARGUMENT...  apt-get's arguments; nothing is done when the mark says that it was done before
# Each caller has a folder for itself, and two who want the same at once wait for each other.
# shellcheck shell=bash

debian_folder() {
    local mirror
    debian=${CARGO_TARGET_DIR:-$PWD/target}/$1
    if [ "$(id -u)" -ne 0 ]; then
        echo "$1: expected to be run as root (it makes a Debian in a folder and changes into it), found $(id -un)" >&2
        exit 4
    fi
    if ! command -v debootstrap > /dev/null; then
        echo "$1: debootstrap is missing; run: appliance/install-packages windows" >&2
        exit 4
    fi
    mkdir -p "$(dirname "$debian")"
    exec 9> "$debian.lock"
    flock 9
    [ ! -e "$debian/.made" ] || return 0
    # The mirror that this machine itself uses.
    # shellcheck disable=SC2016  # apt-get puts it in
    mirror=$(apt-get indextargets --no-release-info --format '$(REPO_URI)' 2> /dev/null | grep -m 1 '/debian/$' || true)
    mirror=${mirror:-http://deb.debian.org/debian/}
    rm -rf "$debian"
    debootstrap --variant=minbase --include=ca-certificates trixie "$debian" "$mirror" > "$debian.log" 2>&1 ||
        debian_failed "no Debian could be made from $mirror"
    echo "deb $mirror trixie-backports main" > "$debian/etc/apt/sources.list.d/backports.list"
    touch "$debian/.made"
}

debian_install() {
    local mark=$debian/.$1
    shift
    [ ! -e "$mark" ] || return 0
    # shellcheck disable=SC2016  # the variables are the inner shell's
    unshare --mount --pid --fork --kill-child chroot "$debian" /usr/bin/env DEBIAN_FRONTEND=noninteractive /bin/sh -euc '
        mount -t proc proc /proc
        apt-get -qq -o Acquire::Languages=none -o Acquire::Check-Valid-Until=false update
        apt-get -qq -y -o Dpkg::Use-Pty=0 --no-install-recommends install "$@"
        apt-get clean
    ' sh "$@" > "$debian.log" 2>&1 || debian_failed "$* could not be installed"
    touch "$mark"
}

debian_failed() {
    tail -n 20 "$debian.log" >&2
    echo "${debian##*/}: $1; all of it is in $debian.log" >&2
    exit 1
}
