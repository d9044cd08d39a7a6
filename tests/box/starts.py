# SPDX-FileCopyrightText: The Platen contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the image starts, and what happens when a part of its disk is not as it was built."""

import os
import re

from check import Failed, expect, until
from machine import FIRST_SCREEN, GIB, disk_of, station

MOST_MEMORY_MIB = 96


def first_screen(firmware):
    def case(output, board):
        with disk_of(output / "images", board) as disk:
            small = disk.sizes()["data"]
            with station(disk, firmware) as machine:
                seconds = machine.reach_first_screen()
                # The start is a good one when the station stayed up; then all tries are there again.
                until(lambda: "A_VERSION" in (counted := disk.environment()) and counted["A_LEFT"] == "3",
                      "the start is counted as a good one", disk.environment)
            grown = disk.sizes()["data"]
            expect(grown > small + 2 * GIB, "data as large as the disk allows", f"{grown} bytes")
            return f"{seconds:.0f} s after the computer was switched on; data grown to {grown >> 20} MiB"
    return case


def flipped_block(output, board):
    """A root that is not what was built never runs: it is tried until nothing is left of it, and the other one starts."""
    with disk_of(output / "images", board) as disk:
        for name in ("kernel", "root"):
            disk.write(f"{name}-b", (output / "images" / f"{name}.img").read_bytes())
        disk.set_environment(B_OK=1, B_LEFT=2)
        # In the squashfs' first block, which no start does without.
        disk.flip("root-a", 8)
        with station(disk) as machine:
            machine.reach_first_screen()
            until(lambda: disk.environment()["B_LEFT"] == "3", "slot B is counted as good", disk.environment)
        counted = disk.environment()
        # One start is given back to a slot that may only have been switched off too often.
        expect(counted["A_LEFT"] in ("0", "1"), "a slot A whose starts were used up", counted)
    return "slot A has used up its starts, slot B runs"


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


def at_rest(output, board):
    """No network, nobody but root and the station, and little memory."""
    with disk_of(output / "images", board) as disk, station(disk) as machine:
        machine.reach_first_screen()
        said = machine.shell("ls /proc/net/ | tr '\\n' ' '; ps -o user,args")
        expect(not re.search(r"\b(tcp|udp|raw)6?\b", said), "a kernel without a network", said)
        expect(re.search(r"platen\s+.*platend", said), "platend as the user platen", said)
        memory = dict(re.findall(r"(\w+): +(\d+) kB", machine.shell("sync; cat /proc/meminfo")))
        # With what it holds for files, which it could give away.
        used_mib = (int(memory["MemTotal"]) - int(memory["MemFree"])) // 1024
        expect(used_mib <= MOST_MEMORY_MIB, f"at most {MOST_MEMORY_MIB} MiB of memory", f"{used_mib} MiB")
    return f"no network; platend runs as platen; {used_mib} MiB of memory"


def broken_data(output, board):
    """A disk for data that nobody can repair: the station comes up, says so, begins nothing, and makes it anew when asked."""
    with disk_of(output / "images", board) as disk:
        disk.write("data", os.urandom(disk.sizes()["data"]))
        with station(disk) as machine:
            machine.reach_first_screen()
            until(lambda: "P-U-008" in machine.platen("status"), "the station says that its data are broken",
                  lambda: machine.platen("status"))
            kind = machine.shell("grep ' /data ' /proc/mounts")
            expect("tmpfs" in kind, "memory in the place of data", kind)
            machine.platen("make-data-anew")
            until(lambda: "ext4" in machine.shell("grep ' /data ' /proc/mounts"), "a new file system",
                  lambda: machine.shell("cat /proc/mounts"))

            def status():
                """It says nothing while it is started again."""
                return machine.platen("status", statuses=(0, 4))

            until(lambda: f"for {board} in slot a" in status() and "P-U-008" not in status(),
                  "a station with nothing broken", status)
    return "said, and made anew"


def nobody_there(output, board):
    """Without display and inputs the station works: there is its socket."""
    with disk_of(output / "images", board) as disk, station(disk, has_panel=False) as machine:
        machine.hear("slot A with .* is well")
        said = machine.platen("status")
        expect(f"for {board} in slot a" in said, "a station that answers", said)
    return "works without display and inputs"
