#!/usr/bin/python3
# SPDX-FileCopyrightText: The Platen contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long the image takes from the kernel's first word to the first screen, beside the same kernel with nothing to start.

    tests/box/speed.py OUTPUT BOARD ROUNDS        OUTPUT: of buildroot/build --debug

Prints a line for each round: seconds with a program that ends at once in the place of init, seconds to the first screen.
"""

import re
import sys
import tempfile
import time
from pathlib import Path

# No __pycache__ among the tests.
sys.dont_write_bytecode = True
from check import run, until  # noqa: E402
from machine import FIRST_SCREEN, disk_of, station  # noqa: E402

LOOK_SECONDS = 0.05


def command_line(output):
    """As GRUB gives it: what the kernel's slot says of the root."""
    with tempfile.TemporaryDirectory() as folder:
        run("unsquashfs", "-quiet", "-no-progress", "-dest", f"{folder}/slot", output / "images/kernel.img")
        said = Path(folder, "slot/slot.cfg").read_text()
    verity = re.search(r'set verity="(.*)"', said)[1].replace("${slot}", "a")
    return (f'root=/dev/dm-0 ro rootwait dm-mod.waitfor=PARTLABEL=root-a dm-mod.create="{verity}" platen.slot=a panic=5 '
            "console=ttyS0,115200")


def seconds_until(output, board, more, is_there):
    with disk_of(output / "images", board) as disk:
        kernel = ["-kernel", str(output / "images/bzImage"), "-append", f"{command_line(output)} {more}", "-no-reboot"]
        with station(disk, more=kernel) as machine:
            until(lambda: "Linux version" in machine.said, "the kernel begins", pause_seconds=LOOK_SECONDS)
            begin = time.monotonic()
            until(lambda: is_there(machine), "it is there", lambda: machine.said[-2000:], pause_seconds=LOOK_SECONDS)
            return time.monotonic() - begin


def main():
    output, board, rounds = Path(sys.argv[1]).resolve(), sys.argv[2], int(sys.argv[3])
    for _ in range(rounds):
        # The kernel gives up when its first program ends.
        bare = seconds_until(output, board, "init=/bin/true", lambda machine: "Attempted to kill init" in machine.said)
        whole = seconds_until(output, board, "", lambda machine: machine.shows(FIRST_SCREEN))
        print(f"{bare:.2f} {whole:.2f}", flush=True)


if __name__ == "__main__":
    main()
