# SPDX-FileCopyrightText: The Platen contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Updates made of a build's own root and kernel: other releases, and such as no station may take."""

import os
import shutil
import tempfile
from pathlib import Path

from check import TREE, run

# Of the year in which the build's own parts were made; any does.
EPOCH = "1780000000"


def release(output, board, version, folder, change=lambda root: None, keys=None):
    """A bundle into `folder` that differs from what was built by its version and by what `change` does to its root.

    It is signed with the keys of the build, or of the build whose output folder `keys` is.
    """
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR", "/var/tmp")) as work:
        work = Path(work)
        images, root = work / "images", work / "root"
        (images / "efi-part/EFI/BOOT").mkdir(parents=True)
        # What the boot partition is made of, which no update has; kernel and root are the build's.
        (images / "efi-part/EFI/BOOT/bootx64.efi").touch()
        shutil.copyfile(output / "images/grub.img", images / "grub.img")
        shutil.copyfile(output / "images/bzImage", images / "bzImage")
        run("unsquashfs", "-quiet", "-no-progress", "-dest", root, output / "images/rootfs.squashfs")
        os_release = root / "usr/lib/os-release"
        lines = [f"VERSION_ID={version}" if line.startswith("VERSION_ID=") else line
                 for line in os_release.read_text().splitlines()]
        os_release.write_text("\n".join(lines) + "\n")
        change(root)
        run("mksquashfs", root, images / "rootfs.squashfs", "-comp", "zstd", "-noappend", "-quiet", "-no-progress")
        is_debug = "linux-debug.config" in (output / "defconfig").read_text()
        run(TREE / "board/common/post-image.sh", images, board, env={
            **os.environ, "PATH": os.environ["PATH"] + ":/usr/sbin:/sbin", "SOURCE_DATE_EPOCH": EPOCH,
            "TARGET_DIR": str(root), "HOST_DIR": str(output / "host"), "BUILD_DIR": str(output / "build"),
            "BASE_DIR": str(keys or output),
            "PLATEN_KERNEL_ARGUMENTS": "console=ttyS0,115200" if is_debug else "",
        })
        [bundle] = images.glob("*.raucb")
        return Path(shutil.move(bundle, folder))


def breaks_the_kiosk(root):
    """A release whose station ends at once."""
    station = root / "usr/bin/platend"
    station.write_text("#!/bin/sh\nexit 1\n")
    station.chmod(0o755)


def stick_with(folder, name, *files):
    """A drive as a person's PC formats it, with these on it."""
    stick = Path(folder) / f"{name}.img"
    run("truncate", "-s", "512M", stick)
    run("sfdisk", "--quiet", stick, input="label: dos\n2048,,c\n")
    run("mformat", "-F", "-i", f"{stick}@@1M", "::")
    for file in files:
        run("mcopy", "-s", "-i", f"{stick}@@1M", file, "::/")
    return stick
