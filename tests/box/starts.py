# SPDX-FileCopyrightText: The Platen contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the image starts, and what happens when a part of its disk is not as it was built."""

import re

from check import Failed, until
from machine import FIRST_SCREEN, disk_of, station


def first_screen(firmware):
    def case(output, board):
        with disk_of(output / "images", board) as disk:
            with station(disk, firmware) as machine:
                seconds = machine.reach_first_screen()
                # The start is a good one when the station stayed up; then all tries are there again.
                until(lambda: disk.environment()["A_LEFT"] == "3", "the start is counted as a good one", disk.environment)
            return f"{seconds:.0f} s after the computer was switched on"
    return case


def flipped_block(output, board):
    """A root that is not what was built never runs: it is tried until nothing is left of it, and the other one starts."""
    with disk_of(output / "images", board) as disk:
        for name in ("kernel", "root"):
            disk.write(f"{name}-b", (output / "images" / f"{name}.img").read_bytes())
        disk.set_environment(B_OK=1, B_LEFT=3)
        # In the squashfs' first block, which no start does without.
        disk.flip("root-a", 8)
        with station(disk) as machine:
            machine.reach_first_screen()
            until(lambda: disk.environment()["B_LEFT"] == "3", "slot B is counted as good", disk.environment)
        counted = disk.environment()
        if counted["A_LEFT"] != "0":
            raise Failed(f"expected A_LEFT=0, found {counted}")
    return "slot A 0 starts left, slot B runs"


def both_bad(output, board):
    with disk_of(output / "images", board) as disk:
        disk.flip("root-a", 8)
        disk.set_environment(B_OK=0, B_LEFT=0)
        with station(disk) as machine:
            until(lambda: "Write them again." in machine.letters(), "the screen in words", machine.letters)
            shown = machine.letters()
            for part in ("Platen can't start.", "What to do:", "write the station's disk anew"):
                if part not in shown:
                    raise Failed(f"expected {part!r} on the screen, found\n{shown}")
            if machine.shows(FIRST_SCREEN):
                raise Failed("the first screen is shown by a root that was changed")
    return "the screen in words"


def no_sockets(output, board):
    with disk_of(output / "images", board) as disk, station(disk) as machine:
        machine.reach_first_screen()
        said = machine.shell("ls /proc/net/ | tr '\\n' ' '; ps -o user,args")
        if re.search(r"\b(tcp|udp|raw)6?\b", said):
            raise Failed(f"the kernel has a network: {said}")
        if not re.search(r"platen\s+.*platend", said):
            raise Failed(f"expected platend as the user platen: {said}")
    return "no network; platend runs as platen"
