#!/usr/bin/env bash
# SPDX-FileCopyrightText: The Platen contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# Called by Buildroot when all packages are in the target's folder: what belongs to this board, and what must not be there.
#   post-build.sh TARGET_DIR BOARD
set -euo pipefail

target=$1
board=$2
tree=$(realpath "$(dirname "$0")/../..")
version=${PLATEN_VERSION:-$(sed -n 's/^version = "\(.*\)"/\1/p' "$tree/Cargo.toml" | head -1)}

# Where the keeper mounts what is kept.
mkdir -p "$target/data"

# The station's settings, as the image has them; a person's own take their place (the folder platen on the boot partition).
box=$target/usr/share/platen/box
mkdir -p "$box/keys"
install -m 0644 "$tree/board/common/station.toml" "$box/station.toml"
if [ -e "$tree/board/$board/ports.toml" ]; then
    install -m 0644 "$tree/board/$board/ports.toml" "$box/ports.toml"
else
    install -m 0644 "$tree/appliance/packaging/ports.toml" "$box/ports.toml"
fi
install -D -m 0644 "$tree/board/$board/board.toml" "$target/usr/share/platen/boards/$board/board.toml"

cat > "$target/usr/lib/os-release" << END
NAME="Platen"
ID=platen
VERSION_ID=$version
VARIANT_ID=$board
PRETTY_NAME="Platen $version"
END
ln -sfn ../usr/lib/os-release "$target/etc/os-release"

# Where programs look that are given no path: udev's rules ask platend whose a drive is.
ln -sfn /run/platen-config "$target/etc/platen"

# The updater accepts bundles that were signed by whom this certificate names.
install -d "$target/etc/rauc"
sed "s/@BOARD@/$board/" "$tree/board/common/rauc.conf" > "$target/etc/rauc/system.conf"
keys=$("$tree/board/common/update-keys" "$BASE_DIR")
install -m 0644 "$keys/keyring.pem" "$target/etc/rauc/keyring.pem"

# Start and stop are inittab, rcS and rcK alone; what packages brought along for other ways is not to be found by accident.
find "$target/etc/init.d" -type f ! -name rcS ! -name rcK -delete
rm -rf "$target"/etc/{network,profile.d,profile} "$target"/usr/lib/gio "$target"/usr/libexec/gio-launch-desktop \
    "$target"/usr/share/{bash-completion,dbus-1,doc,et,gettext,glib-2.0,locale,man,ss,zsh} "$target"/var/www
# GRUB's files lie on the boot partition, the kernel in a slot of its own.
rm -rf "${target:?}/boot"
# Written to by nobody, as all of it lies in the read-only root.
rm -rf "$target"/var/{lib,cache,log,spool}
mkdir -p "$target"/var/{lib,cache,log,spool}

# Only the programs that are listed.
for program in "$target"/usr/{bin,sbin}/*; do
    case $(readlink "$program") in */busybox | busybox) applet=yes ;; *) applet='' ;; esac
    if grep -qx "${program##*/}" "$tree/board/common/programs"; then continue; fi
    # The shell of the debug form.
    if [ -n "$applet" ] && grep -q 'respawn:/bin/sh' "$target/etc/inittab"; then continue; fi
    rm "$program"
done
