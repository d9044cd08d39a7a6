# SPDX-FileCopyrightText: The Platen contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A computer in QEMU, its disk, and the drives that are put into it."""

import codecs
import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from contextlib import contextmanager
from pathlib import Path

from PIL import Image, ImageChops

from check import TREE, Failed, run, until

FIRST_SCREEN = TREE / "ui/tests/golden/800x480-language-en.png"
GIB = 1 << 30
# What a drive writes that is held in mid-write, so slowly that it doesn't come to its end.
HELD_BYTES_PER_S = 256 << 10


class Disk:
    """A copy of the image that a computer may write to, larger than the image as every real disk is."""

    def __init__(self, image, folder):
        self.path = Path(folder) / "disk.img"
        run("cp", "--sparse=always", image, self.path)
        os.truncate(self.path, self.path.stat().st_size + 3 * GIB)
        self.places = {part["name"]: part["start"] * 512 for part in self._partitions()}
        self._boot = f"{self.path}@@{self.places['PLATEN-BOOT']}"

    def _partitions(self):
        return json.loads(run("sfdisk", "--json", self.path))["partitiontable"]["partitions"]

    def sizes(self):
        """Of each partition, in bytes."""
        return {part["name"]: part["size"] * 512 for part in self._partitions()}

    def flip(self, partition, offset):
        """One bit of a partition."""
        with open(self.path, "r+b") as file:
            file.seek(self.places[partition] + offset)
            byte = file.read(1)[0]
            file.seek(-1, os.SEEK_CUR)
            file.write(bytes([byte ^ 1]))

    def write(self, partition, content):
        with open(self.path, "r+b") as file:
            file.seek(self.places[partition])
            file.write(content)

    def trust(self, key):
        """Whose media the station takes: as a person puts a key there, on a PC."""
        run("mcopy", "-o", "-i", self._boot, key, "::/platen/keys/")

    def environment(self):
        """GRUB's, as its own program reads it."""
        with tempfile.TemporaryDirectory() as folder:
            run("mcopy", "-n", "-i", self._boot, "::/boot/grub/grubenv", f"{folder}/env")
            listed = run("grub-editenv", f"{folder}/env", "list")
        return dict(line.split("=", 1) for line in listed.splitlines())

    def set_environment(self, **values):
        with tempfile.TemporaryDirectory() as folder:
            run("mcopy", "-n", "-i", self._boot, "::/boot/grub/grubenv", f"{folder}/env")
            run("grub-editenv", f"{folder}/env", "set", *(f"{name}={value}" for name, value in values.items()))
            run("mcopy", "-D", "o", "-i", self._boot, f"{folder}/env", "::/boot/grub/grubenv")


class Machine:
    """A running computer with a serial line, which is killed in the end."""

    def __init__(self, folder, firmware, devices):
        self.folder = Path(folder)
        self.said, self.heard_to = "", 0
        self.limited = set()
        command = ["qemu-system-x86_64", "-machine", "q35", "-cpu", "max", "-smp", "2", "-m", "1024"]
        command += ["-accel", "tcg"]
        if firmware == "ovmf":
            shutil.copyfile("/usr/share/OVMF/OVMF_VARS_4M.fd", self.folder / "variables")
            command += ["-drive", "if=pflash,format=raw,unit=0,readonly=on,file=/usr/share/OVMF/OVMF_CODE_4M.fd"]
            command += ["-drive", f"if=pflash,format=raw,unit=1,file={self.folder}/variables"]
        command += ["-nodefaults", "-nic", "none", "-display", "none", *devices]
        command += ["-serial", f"unix:{self.folder}/serial,server=on,wait=off"]
        command += ["-qmp", f"unix:{self.folder}/qmp,server=on,wait=off"]
        self.child = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        self.qmp = self._connect("qmp").makefile("rw")
        self.serial = self._connect("serial")
        # A guest whose serial line nobody reads stands still.
        threading.Thread(target=self._listen, daemon=True).start()
        self.qmp.readline()
        self.ask("qmp_capabilities")

    def _connect(self, name):
        for _ in range(100):
            connection = socket.socket(socket.AF_UNIX)
            try:
                connection.connect(str(self.folder / name))
                return connection
            except OSError:
                connection.close()
                time.sleep(0.1)
        raise Failed(f"QEMU makes no socket {name}")

    def ask(self, verb, **arguments):
        self.qmp.write(json.dumps({"execute": verb, "arguments": arguments}) + "\n")
        self.qmp.flush()
        while True:
            answer = json.loads(self.qmp.readline())
            if "error" in answer:
                raise Failed(f"QEMU: {verb}: {answer['error']['desc']}")
            if "return" in answer:
                return answer["return"]

    # --- What a person does at its sockets.

    def insert(self, port, image, serial, is_read_only=False, is_held=False):
        name = f"drive{port}"
        node = {"driver": "raw", "read-only": is_read_only, "file": {"driver": "file", "filename": str(image)}}
        if is_held:
            limits = {"bps-write": HELD_BYTES_PER_S}
            self.ask("object-add", **{"qom-type": "throttle-group", "id": f"limit{port}", "limits": limits})
            self.limited.add(port)
            node = {"driver": "throttle", "throttle-group": f"limit{port}", "file": node}
        self.ask("blockdev-add", **{"node-name": name, **node})
        self.ask("device_add", driver="usb-storage", id=f"stick{port}", bus="usb.0", port=str(port), drive=name,
                 serial=serial, removable=True)

    def pull(self, port):
        self.ask("device_del", id=f"stick{port}")
        until(lambda: self._lets_go(f"drive{port}"), "QEMU has let go of the drive")
        if port in self.limited:
            self.limited.remove(port)
            self.ask("object-del", id=f"limit{port}")

    def _lets_go(self, drive):
        """The device is away some time before the file behind it is no longer in use."""
        try:
            self.ask("blockdev-del", **{"node-name": drive})
        except Failed:
            return False
        return True

    def devices(self):
        return {device["name"] for device in self.ask("qom-list", path="/machine/peripheral")}

    # --- What can be seen of it.

    def shows(self, golden):
        """Whether the display shows this very picture."""
        shot = self.folder / "shot.png"
        self.ask("screendump", filename=str(shot), format="png")
        with Image.open(shot) as shown, Image.open(golden) as expected:
            return shown.size == expected.size and not ImageChops.difference(
                shown.convert("RGB"), expected.convert("RGB")).getbbox()

    def reach_first_screen(self):
        """How many seconds that took."""
        begin = time.monotonic()
        until(lambda: self.shows(FIRST_SCREEN), "the display shows the first screen, to the pixel")
        return time.monotonic() - begin

    def letters(self):
        """What a display in its mode of 80 by 25 letters shows; nothing in another mode."""
        path = self.folder / "letters"
        self.ask("pmemsave", val=0xB8000, size=4000, filename=str(path))
        memory = path.read_bytes()
        return "\n".join(memory[row:row + 160:2].decode("latin-1").rstrip() for row in range(0, 4000, 160))

    # --- Its serial line.

    def _listen(self):
        # A letter's bytes may come one after the other.
        decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        try:
            while said := self.serial.recv(65536):
                self.said += decoder.decode(said).replace("\r", "")
        except OSError:
            # The computer was switched off.
            pass

    def from_now_on(self):
        """What was said before is no answer to what is waited for next."""
        self.heard_to = len(self.said)

    def hear(self, text):
        """Waits until the serial line says what this pattern matches."""
        return until(lambda: re.search(text, self.said[self.heard_to:]), f"the serial line says {text}",
                     lambda: self.said[self.heard_to:][-2000:], pause_seconds=0.05)

    def shell(self, line, statuses=(0,)):
        """What a command in the debug form's shell says. One that fails otherwise than expected fails the check."""
        self.from_now_on()
        # What is typed is said again, so the marks are not written as they are said.
        self.serial.sendall(f"echo BEGIN-$((0))-BEGIN; {line}; echo END-$?-END\n".encode())
        heard = self.hear(r"(?s)BEGIN-0-BEGIN\n(.*)END-(\d+)-END")
        if int(heard[2]) not in statuses:
            raise Failed(f"in the guest: {line}: status {heard[2]}: {heard[1][-2000:]}")
        return heard[1]

    def platen(self, request, statuses=(0,)):
        """Asks the running station."""
        return self.shell(f"platen station --socket /run/platen/station.sock {request}", statuses)

    def begin_platen(self, request):
        """The same, without waiting for its end."""
        self.serial.sendall(f"platen station --socket /run/platen/station.sock {request} &\n".encode())

    def end(self):
        self.child.kill()
        self.child.wait()


@contextmanager
def _running(firmware, devices):
    with tempfile.TemporaryDirectory() as folder:
        machine = Machine(folder, firmware, devices)
        try:
            yield machine
        finally:
            machine.end()


def station(disk, firmware="seabios", has_panel=True, more=()):
    """The computer that board/qemu_x86_64 describes; its USB controller has some sockets more than the board has ports."""
    devices = ["-drive", f"if=virtio,format=raw,file={disk.path}"]
    if has_panel:
        devices += ["-device", "virtio-vga,xres=800,yres=480"]
        devices += ["-device", "virtio-tablet-pci", "-device", "virtio-keyboard-pci"]
    devices += ["-device", "qemu-xhci,id=usb,addr=0x5,p2=8,p3=8", "-device", "i6300esb", "-action", "watchdog=reset"]
    devices += more
    return _running(firmware, devices)


def computer(stick, firmware):
    """Any computer, started from a USB drive."""
    devices = ["-vga", "std", "-device", "qemu-xhci,id=usb"]
    devices += ["-drive", f"if=none,id=medium,format=raw,file={stick}"]
    devices += ["-device", "usb-storage,bus=usb.0,drive=medium,removable=on,bootindex=0"]
    return _running(firmware, devices)


@contextmanager
def disk_of(images, board):
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR", "/var/tmp")) as folder:
        yield Disk(images / f"platen-{board}.img", folder)
