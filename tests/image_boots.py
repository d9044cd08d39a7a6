# SPDX-FileCopyrightText: The Platen contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The built image in a computer in QEMU (tests/image --boots)."""

import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

from PIL import Image, ImageChops

from image_check import TREE, Failed, run

FIRST_SCREEN = TREE / "ui/tests/golden/800x480-language-en.png"
# Without acceleration, beside other work.
PATIENCE_SECONDS = 400
MIB = 1 << 20


class Disk:
    """A copy of the image that a computer may write to, larger than the image as every real disk is."""

    def __init__(self, image, folder):
        self.path = Path(folder) / "disk.img"
        shutil.copyfile(image, self.path)
        with open(self.path, "r+b") as file:
            file.truncate(self.path.stat().st_size + 512 * MIB)
        table = json.loads(run("sfdisk", "--json", self.path))["partitiontable"]
        self.places = {part["name"]: part["start"] * 512 for part in table["partitions"]}

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

    def environment(self):
        """GRUB's, as its own program reads it."""
        with tempfile.TemporaryDirectory() as folder:
            run("mcopy", "-n", "-i", f"{self.path}@@{self.places['PLATEN-BOOT']}", "::/boot/grub/grubenv", f"{folder}/env")
            listed = run("grub-editenv", f"{folder}/env", "list")
        return dict(line.split("=", 1) for line in listed.splitlines())

    def set_environment(self, **values):
        place = f"{self.path}@@{self.places['PLATEN-BOOT']}"
        with tempfile.TemporaryDirectory() as folder:
            run("mcopy", "-n", "-i", place, "::/boot/grub/grubenv", f"{folder}/env")
            run("grub-editenv", f"{folder}/env", "set", *(f"{name}={value}" for name, value in values.items()))
            run("mcopy", "-D", "o", "-i", place, f"{folder}/env", "::/boot/grub/grubenv")


class Machine:
    """A running computer, as board/qemu_x86_64 describes it."""

    def __init__(self, disk, firmware, folder):
        self.folder = Path(folder)
        self.said = ""
        command = ["qemu-system-x86_64", "-machine", "q35", "-cpu", "max", "-smp", "2", "-m", "1024"]
        command += ["-accel", "kvm"] if os.access("/dev/kvm", os.W_OK) else ["-accel", "tcg"]
        if firmware == "ovmf":
            shutil.copyfile("/usr/share/OVMF/OVMF_VARS_4M.fd", self.folder / "variables")
            command += ["-drive", "if=pflash,format=raw,unit=0,readonly=on,file=/usr/share/OVMF/OVMF_CODE_4M.fd"]
            command += ["-drive", f"if=pflash,format=raw,unit=1,file={self.folder}/variables"]
        command += ["-drive", f"if=virtio,format=raw,file={disk.path}", "-nic", "none", "-display", "none"]
        command += ["-vga", "none", "-device", "virtio-vga,xres=800,yres=480"]
        command += ["-device", "virtio-tablet-pci", "-device", "virtio-keyboard-pci"]
        command += ["-device", "qemu-xhci,id=usb,addr=0x5", "-device", "i6300esb", "-action", "watchdog=reset"]
        command += ["-serial", f"unix:{self.folder}/serial,server=on,wait=off"]
        command += ["-qmp", f"unix:{self.folder}/qmp,server=on,wait=off"]
        self.child = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        self.qmp = self._connect("qmp").makefile("rw")
        self.serial = self._connect("serial")
        self.serial.settimeout(0.5)
        self.qmp.readline()
        self.ask("qmp_capabilities")

    def _connect(self, name):
        for _ in range(100):
            try:
                connection = socket.socket(socket.AF_UNIX)
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

    def insert(self, port, image):
        self.ask("blockdev-add", **{"node-name": f"drive{port}", "driver": "raw",
                                    "file": {"driver": "file", "filename": str(image)}})
        self.ask("device_add", driver="usb-storage", id=f"stick{port}", bus="usb.0", port=str(port),
                 drive=f"drive{port}", removable=True)

    def shows(self, golden):
        """Whether the display shows this very picture."""
        shot = self.folder / "shot.png"
        self.ask("screendump", filename=str(shot), format="png")
        with Image.open(shot) as shown, Image.open(golden) as expected:
            return shown.size == expected.size and not ImageChops.difference(
                shown.convert("RGB"), expected.convert("RGB")).getbbox()

    def letters(self):
        """What a display in its mode of 80 by 25 letters shows; nothing in another mode."""
        path = self.folder / "letters"
        self.ask("pmemsave", val=0xB8000, size=4000, filename=str(path))
        memory = path.read_bytes()
        return "\n".join(memory[row:row + 160:2].decode("latin-1").rstrip() for row in range(0, 4000, 160))

    def hear(self, text):
        """Waits until the serial line says what this pattern matches."""
        def is_said():
            try:
                self.said += self.serial.recv(65536).decode(errors="replace").replace("\r", "")
            except TimeoutError:
                pass
            return re.search(text, self.said)
        return _until(is_said, f"the serial line says {text}", lambda: self.said[-2000:], pause_seconds=0)

    def shell(self, line):
        """What a command in the debug form's shell says. One that fails fails the check."""
        self.said = ""
        self.serial.sendall(f"{line}; echo END-$?-END\n".encode())
        status = self.hear(r"END-(\d+)-END")[1]
        said = self.said
        if status != "0":
            raise Failed(f"in the guest: {line}: status {status}: {said[-2000:]}")
        return said

    def end(self):
        self.child.kill()
        self.child.wait()


def _until(is_so, what, found=lambda: "", pause_seconds=1.0, seconds=PATIENCE_SECONDS):
    end = time.monotonic() + seconds
    while not (got := is_so()):
        if time.monotonic() > end:
            raise Failed(f"not within {seconds} s: {what}; found {found()}")
        time.sleep(pause_seconds)
    return got


@contextmanager
def _computer(disk, firmware="seabios"):
    with tempfile.TemporaryDirectory() as folder:
        machine = Machine(disk, firmware, folder)
        try:
            yield machine
        finally:
            machine.end()


@contextmanager
def _disk(images, board):
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR", "/var/tmp")) as folder:
        yield Disk(images / f"platen-{board}.img", folder)


def _reach_first_screen(machine):
    begin = time.monotonic()
    _until(lambda: machine.shows(FIRST_SCREEN), "the display shows the first screen, to the pixel")
    return time.monotonic() - begin


def first_screen(firmware):
    def case(images, board):
        with _disk(images, board) as disk:
            with _computer(disk, firmware) as machine:
                seconds = _reach_first_screen(machine)
                # The start is a good one when the station stayed up; then all tries are there again.
                _until(lambda: disk.environment()["A_LEFT"] == "3", "the start is counted as a good one", disk.environment)
            return f"{seconds:.0f} s after the computer was switched on"
    return case


def flipped_block(images, board):
    """A root that is not what was built never runs: it is tried until nothing is left of it, and the other one starts."""
    with _disk(images, board) as disk:
        for name in ("kernel", "root"):
            disk.write(f"{name}-b", (images / f"{name}.img").read_bytes())
        disk.set_environment(B_OK=1, B_LEFT=3)
        # In the squashfs' first block, which no start does without.
        disk.flip("root-a", 8)
        with _computer(disk) as machine:
            _reach_first_screen(machine)
            _until(lambda: disk.environment()["B_LEFT"] == "3", "slot B is counted as good", disk.environment)
        counted = disk.environment()
        if counted["A_LEFT"] != "0":
            raise Failed(f"expected A_LEFT=0, found {counted}")
    return "slot A 0 starts left, slot B runs"


def both_bad(images, board):
    with _disk(images, board) as disk:
        disk.flip("root-a", 8)
        disk.set_environment(B_OK=0, B_LEFT=0)
        with _computer(disk) as machine:
            _until(lambda: "Write them again." in machine.letters(), "the screen in words", machine.letters)
            shown = machine.letters()
            for part in ("Platen can't start.", "What to do:", "write the station's disk anew"):
                if part not in shown:
                    raise Failed(f"expected {part!r} on the screen, found\n{shown}")
            if machine.shows(FIRST_SCREEN):
                raise Failed("the first screen is shown by a root that was changed")
    return "the screen in words"


def no_sockets(images, board):
    with _disk(images, board) as disk, _computer(disk) as machine:
        _reach_first_screen(machine)
        said = machine.shell("ls /proc/net/ | tr '\\n' ' '; ps -o user,args")
        if re.search(r"\b(tcp|udp|raw)6?\b", said):
            raise Failed(f"the kernel has a network: {said}")
        if not re.search(r"platen\s+.*platend", said):
            raise Failed(f"expected platend as the user platen: {said}")
    return "no network; platend runs as platen"


def updated_from_a_drive(images, board):
    """An update is brought by a drive into the station, installed, started; its root is the other slot's."""
    [bundle] = images.glob(f"platen-{board}-*.raucb")
    version = bundle.name.removesuffix(".raucb").rsplit("-", 1)[1]
    with _disk(images, board) as disk, tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        stick = Path(folder) / "stick.img"
        run("truncate", "-s", "256M", stick)
        run("sfdisk", "--quiet", stick, input="label: dos\n2048,,c\n")
        run("mformat", "-F", "-i", f"{stick}@@1M", "::")
        run("mcopy", "-i", f"{stick}@@1M", bundle, "::/")
        station = "platen station --socket /run/platen/station.sock"
        with _computer(disk) as machine:
            _reach_first_screen(machine)
            machine.insert(1, stick)
            _until(lambda: "sd" in machine.shell("ls /sys/block"), "the kernel has the drive")
            machine.shell(f"{station} import --from 1")
            _until(lambda: f"{version} can be installed" in machine.shell(f"{station} status"), "the update is offered")
            machine.shell(f"{station} install-update {version}")
            _until(lambda: disk.environment()["ORDER"] == "B A", "slot B is to start next", disk.environment)
            machine.shell(f"{station} restart")
            machine.hear(r"platen\.slot=b")
            _reach_first_screen(machine)
            _until(lambda: disk.environment()["B_LEFT"] == "3", "slot B is counted as good", disk.environment)
        return f"{version} in slot B"


CASES = [
    ("first screen, SeaBIOS", first_screen("seabios")),
    ("first screen, OVMF", first_screen("ovmf")),
    ("one flipped bit", flipped_block),
    ("no slot starts", both_bad),
]
DEBUG_CASES = [
    ("no network", no_sockets),
    ("update from a drive", updated_from_a_drive),
]
