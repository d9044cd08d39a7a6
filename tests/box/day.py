# SPDX-FileCopyrightText: The Platen contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Days at a station: the debug form, whose shell asks what a person would ask at the panel."""

import os
import tempfile
from contextlib import contextmanager
from pathlib import Path

from check import TREE, expect, run, until
from machine import GIB, computer, disk_of, station
from releases import breaks_the_kiosk, release, stick_with

MEDIUM = "TST00001-r1"
NEWER, BROKEN, OLDER = "90.1.0", "90.2.0", "0.0.1"
VANISHED, READ_ONLY = "P-W-002", "P-D-002"


@contextmanager
def folder():
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR", "/var/tmp")) as path:
        yield Path(path)


def medium_in(work):
    if made := os.environ.get("PLATEN_MEDIUM"):
        return Path(made)
    run(TREE / "tests/box/medium", work / "medium")
    return work / "medium"


def empty_drive(work, name):
    drive = work / f"{name}.img"
    drive.touch()
    os.truncate(drive, 2 * GIB)
    return drive


def status_says(machine, text):
    return until(lambda: text in machine.platen("status"), f"the station says {text!r}",
                 lambda: machine.platen("status"), pause_seconds=2)


def begin(machine):
    """Until the station answers: what its display shows first depends on what it remembers."""
    machine.hear("~ # ")
    # What the kernel says of drives would stand between a command's words.
    machine.shell("echo 1 > /proc/sys/kernel/printk")
    until(lambda: "in slot" in machine.platen("status", statuses=(0, 4)), "the station answers", lambda: machine.said[-2000:])


def bring_medium(machine, work, medium):
    stick = stick_with(work, "medium", *sorted((medium / "layout").iterdir()))
    machine.insert(1, stick, "MEDIUM")
    status_says(machine, "MEDIUM")
    said = machine.platen("import --from 1")
    expect(MEDIUM in said, f"{MEDIUM} imported", said)
    machine.pull(1)


def written(machine, work, names):
    """Drives in the ports from 1 on, written at once."""
    machine.platen(f"arm write {MEDIUM}")
    drives = {name: empty_drive(work, name) for name in names}
    for port, name in enumerate(names, 1):
        machine.insert(port, drives[name], name, is_held=name == "PULLED")
    return drives


def rows(machine):
    """Of each row of the ledger: the drive's serial and the rest of the row."""
    lines = machine.platen("history --limit 100").splitlines()
    return {line.split()[2]: line for line in lines if line[:1].isdigit()}


def restart(machine):
    machine.from_now_on()
    machine.platen("restart")
    machine.hear(r"platen\.slot=")
    machine.from_now_on()
    begin(machine)


def is_well(disk):
    """The release that was installed last has shown that it works."""
    until(lambda: not disk.environment().get("TRIAL"), "the new release is on trial no more", disk.environment)


# --- One thing after the other, on one station.


def keyboard_in(machine, port):
    """Whether what is typed at a keyboard in this socket would be heard."""
    inputs = "cat /proc/bus/input/devices"
    before = machine.shell(inputs)
    machine.ask("device_add", driver="usb-kbd", id="keyboard", bus="usb.0", port=str(port))
    until(lambda: "QEMU USB Keyboard" in machine.shell("cat /sys/bus/usb/devices/*/product"), "the kernel has the keyboard")
    machine.shell("udevadm settle")
    is_heard = machine.shell(inputs) != before
    machine.ask("device_del", id="keyboard")
    until(lambda: "keyboard" not in machine.devices(), "QEMU has taken the keyboard away")
    return is_heard


def no_keyboard(machine):
    """What calls itself a keyboard in a drive's socket types nothing; the control is one in a socket that is no port."""
    expect(not keyboard_in(machine, 3), "no input from a port for drives")
    expect(keyboard_in(machine, 5), "an input from another socket")


def refuses_what_is_read_only(machine, work):
    machine.platen(f"arm write {MEDIUM}")
    drive = empty_drive(work, "SWITCHED")
    machine.insert(1, drive, "SWITCHED", is_read_only=True)
    status_says(machine, READ_ONLY)
    machine.pull(1)
    expect(drive.stat().st_blocks == 0, "not a byte written", drive.stat().st_blocks)


def writes_four_and_loses_one(machine, work):
    drives = written(machine, work, ["ONE", "TWO", "PULLED", "FOUR"])
    until(lambda: any("PULLED" in line and "write" in line for line in machine.platen("status").splitlines()),
          "the drive that is held is being written", lambda: machine.platen("status"))
    machine.pull(3)
    until(lambda: set(rows(machine)) >= set(drives), "a row for each", lambda: machine.platen("history"))
    ended = rows(machine)
    for serial in drives:
        wanted = VANISHED if serial == "PULLED" else "READY"
        expect(wanted in ended[serial], f"{serial}: {wanted}", ended[serial])
    machine.platen("disarm")
    for port in (1, 2, 4):
        machine.pull(port)
    return drives


def refuses_bad_updates(machine, work, output, board):
    """Each brought on a drive of its own, each with its code; the control is the good one after them."""
    good = release(output, board, NEWER, work)
    stranger = work / "stranger"
    (work / "half").mkdir()
    (work / "changed").mkdir()
    (work / "unsigned").mkdir()
    stranger.mkdir()
    half = work / "half" / good.name
    half.write_bytes(good.read_bytes()[:good.stat().st_size // 2])
    changed = work / "changed" / good.name
    content = bytearray(good.read_bytes())
    content[1 << 20] ^= 1
    changed.write_bytes(content)
    other_board = release(output, "pc_x86_64", NEWER, work)
    cases = [
        ("half", half, "P-U-002"),
        ("changed", changed, None),
        ("unsigned", release(output, board, NEWER, work / "unsigned", keys=stranger), "P-U-001"),
        ("board", other_board, "P-U-004"),
        ("older", release(output, board, OLDER, work), "older than what was in use"),
    ]
    for name, bundle, said in cases:
        machine.insert(1, stick_with(work, f"update-{name}", bundle), f"UPDATE-{name}")
        status_says(machine, f"UPDATE-{name}")
        machine.platen("import --from 1", statuses=(0, 3))
        if said:
            status_says(machine, said)
        else:
            # A byte among those that only reading all of it finds: refused at the latest when it is installed.
            status_says(machine, "can be installed")
            machine.platen(f"install-update {NEWER}")
            status_says(machine, "P-U-00")
        machine.pull(1)
    # Nobody said that an older one is wanted.
    machine.platen(f"install-update {OLDER}", statuses=(0, 3))
    status_says(machine, "P-U-003")
    return good


def install(machine, work, bundle):
    version = bundle.name.removesuffix(".raucb").rsplit("-", 1)[1]
    machine.insert(1, stick_with(work, f"update-{version}", bundle), f"V{version}")
    status_says(machine, f"V{version}")
    machine.platen("import --from 1", statuses=(0, 3))
    status_says(machine, f"{version} can be installed")
    machine.platen(f"install-update {version}")
    status_says(machine, f"{version} is installed: restart to use it")
    machine.pull(1)


def whole_day(output, board):
    with folder() as work, disk_of(output / "images", board) as disk:
        medium = medium_in(work)
        disk.trust(medium / "test-insecure.pub")
        with station(disk) as machine:
            machine.reach_first_screen()
            begin(machine)
            bring_medium(machine, work, medium)
            no_keyboard(machine)
            refuses_what_is_read_only(machine, work)
            drives = writes_four_and_loses_one(machine, work)
            good = refuses_bad_updates(machine, work, output, board)
            install(machine, work, good)
            restart(machine)
            status_says(machine, f"{NEWER} for {board} in slot b")
            is_well(disk)
            expect("READY" in rows(machine)["ONE"], "the rows are there", machine.platen("history"))
            install(machine, work, release(output, board, BROKEN, work, breaks_the_kiosk))
            machine.from_now_on()
            machine.platen("restart")
            machine.hear(r"platen\.slot=a")
            # Three starts of a slot whose station ends at once, then the one before it.
            machine.hear(r"platen\.slot=b")
            machine.from_now_on()
            begin(machine)
            status_says(machine, "P-U-007")
            status_says(machine, f"{NEWER} for {board} in slot b")
            until(lambda: disk.environment()["A_OK"] == "0", "the broken release may not be started any more", disk.environment)
        for firmware in ("seabios", "ovmf"):
            with computer(drives["ONE"], firmware) as machine:
                machine.hear("PLATEN MEDIA OK")
    return "media by USB, 3 of 4 written, 5 bad updates refused, slot B, back from a broken release, PLATEN MEDIA OK"


def an_older_release_comes_back(output, older, board):
    """What the newer release wrote is read by the real older one, after an update and the way back."""
    with folder() as work, disk_of(older / "images", board) as disk:
        medium = medium_in(work)
        disk.trust(medium / "test-insecure.pub")
        bundle = release(output, board, NEWER, work, keys=older)
        with station(disk) as machine:
            begin(machine)
            bring_medium(machine, work, medium)
            written(machine, work, ["BEFORE"])
            until(lambda: "READY" in rows(machine).get("BEFORE", ""), "the first drive", lambda: machine.platen("history"))
            machine.pull(1)
            machine.platen("disarm")
            install(machine, work, bundle)
            restart(machine)
            status_says(machine, f"{NEWER} for {board} in slot b")
            is_well(disk)
            # Rows, a batch, a role's PIN: all that a release keeps.
            written(machine, work, ["BETWEEN"])
            until(lambda: "READY" in rows(machine).get("BETWEEN", ""), "the second drive", lambda: machine.platen("history"))
            newer = {asked: machine.platen(asked) for asked in ("history --limit 100", "media")}
            machine.shell("PLATEN_PIN=2468 platen station --socket /run/platen/station.sock set-pin administrator")
            machine.platen("shut-down")
            until(lambda: machine.child.poll() is not None, "the machine is switched off")
        disk.flip("root-b", 8)
        with station(disk) as machine:
            begin(machine)
            status_says(machine, "in slot a")
            for asked, said in newer.items():
                expect(machine.platen(asked) == said, f"{asked}: what the newer release said: {said}", machine.platen(asked))
            expect("BETWEEN" in newer["history --limit 100"], "the newer release's row", newer)
            login = "platen station --socket /run/platen/station.sock --role administrator"
            refused = machine.shell(f"PLATEN_PIN=1357 {login} scrub", statuses=(2, 3))
            expect("PIN" in refused, "another PIN refused", refused)
            checked = machine.shell(f"PLATEN_PIN=2468 {login} scrub")
            expect("all digests right" in checked, "a whole cache", checked)
            written(machine, work, ["AFTER"])
            until(lambda: "READY" in rows(machine).get("AFTER", ""), "the third drive", lambda: machine.platen("history"))
    return "rows, media, batch and PIN of the newer release, and a drive written after it"
