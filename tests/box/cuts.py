# SPDX-FileCopyrightText: The Platen contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Power cuts at random points: the station always starts again, and what it keeps is whole."""

import random
import tempfile
import time

from check import Failed, expect, run
from day import MEDIUM, NEWER, begin, folder, medium_in
from machine import disk_of, station
from releases import release, stick_with

# The longest that each takes in QEMU, about.
SECONDS = {"start": 45, "import": 12, "update": 25, "shut down": 4}


def whole(disk):
    """What a PC's own programs say of the disk, which was cut off a moment ago."""
    said = run("sgdisk", "--verify", disk.path)
    # A disk that is larger than its image has the second table where the image ends, until the station has moved it.
    is_yet_to_grow = "Identified 1 problems" in said and "secondary header's self-pointer" in said
    expect("No problems found" in said or is_yet_to_grow, "a whole GPT", said)
    counted = disk.environment()
    expect(counted["A_OK"] == "1" or counted.get("B_OK") == "1", "a slot that may be started", counted)
    with tempfile.NamedTemporaryFile(dir=disk.path.parent) as data:
        run("dd", f"if={disk.path}", f"of={data.name}", "bs=1M", "iflag=skip_bytes,count_bytes", "conv=sparse,notrunc",
            f"skip={disk.places['data']}", f"count={disk.sizes()['data']}", "status=none")
        # 1: its journal was played, as any start does.
        run("sh", "-c", f"e2fsck -p '{data.name}' || [ $? = 1 ]")
        run("e2fsck", "-fn", data.name)


def cuts(output, board, count, seed):
    chance = random.Random(seed)
    done = dict.fromkeys(SECONDS, 0)
    with folder() as work, disk_of(output / "images", board) as disk:
        medium = medium_in(work)
        disk.trust(medium / "test-insecure.pub")
        brought = stick_with(work, "brought", release(output, board, NEWER, work), *sorted((medium / "layout").iterdir()))
        for number in range(count):
            # The very first start makes the disk its own.
            what = "start" if number == 0 else chance.choice(list(SECONDS))
            after = chance.uniform(0, SECONDS[what])
            try:
                with station(disk) as machine:
                    if what != "start":
                        begin(machine)
                        machine.insert(1, brought, "BROUGHT")
                        time.sleep(3)
                    if what == "update":
                        machine.platen("import --from 1", statuses=(0, 3))
                    asked = {"import": "import --from 1", "update": f"install-update {NEWER}", "shut down": "shut-down"}
                    if what in asked:
                        machine.begin_platen(asked[what])
                    time.sleep(after)
                whole(disk)
            except Failed as failed:
                raise Failed(f"seed {seed}, cut {number}, {what} after {after:.1f} s: {failed}") from failed
            done[what] += 1
            print(f"  cut {number}: {what} after {after:.1f} s", flush=True)
        with station(disk) as machine:
            begin(machine)
            machine.insert(1, brought, "BROUGHT")
            time.sleep(3)
            machine.platen("import --from 1", statuses=(0, 3))
            expect(MEDIUM in machine.platen("media"), "the medium", machine.platen("media"))
            checked = machine.platen("scrub")
            expect("all digests right" in checked, "a whole cache", checked)
            ledger = machine.shell("platen --version && platen ledger check --ledger /data/platen/ledger.db")
    return f"seed {seed}: {done}; {ledger.strip().splitlines()[-1]}"
