#!/usr/bin/env python3
# SPDX-FileCopyrightText: The Platen contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Drives a station with simulated ports and measures it.

    daemon.py FOLDER MEDIUM SIZE_BYTES COMMAND

FOLDER has the station's station.toml and an empty folder `ports`; its drives are files of SIZE_BYTES. COMMAND:

    batch N     N drives inserted at once and written: seconds until all are ready, seconds from inserting the first to the
                first step of its job, MiB of memory at the peak
    storm N S   N ports whose drives come and go ten times a second each, for S seconds: CPU seconds for each second
    events N    N drives that come or go, as fast as that can be done: seconds, and whether the station knows in the end
                what is in the folder

Prints the numbers, one line.
"""

import json
import os
import random
import socket
import subprocess
import sys
import time
from pathlib import Path

PATIENCE_S = 600


class Station:
    """A running `platend`, and its record as it is told."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.program = subprocess.Popen(
            ["platend", "--config", self.folder / "station.toml", "--ports", f"simulated:{self.folder / 'ports'}"],
            cwd=self.folder,
        )
        began = time.monotonic()
        while True:
            try:
                self.socket = socket.socket(socket.AF_UNIX)
                self.socket.connect(str(self.folder / "station.sock"))
                break
            except OSError:
                if time.monotonic() - began > 30 or self.program.poll() is not None:
                    raise
                time.sleep(0.05)
        self.lines = self.socket.makefile("r", encoding="utf-8")
        self.send(1, request="subscribe")

    def send(self, number, **request):
        self.socket.sendall((json.dumps({"id": number, **request}) + "\n").encode())

    def told(self):
        """Each line, as it comes."""
        began = time.monotonic()
        for line in self.lines:
            yield json.loads(line)
            if time.monotonic() - began > PATIENCE_S:
                raise TimeoutError
        raise EOFError("the station ended the connection")

    def answer(self, number):
        for line in self.told():
            if line.get("id") == number:
                return line

    def drives(self):
        """The paths of the drives that a client who comes now is told of."""
        with socket.socket(socket.AF_UNIX) as other:
            other.connect(str(self.folder / "station.sock"))
            other.sendall(b'{"id":1,"request":"subscribe"}\n{"id":2,"request":"errand","errand":"media"}\n')
            drives = {}
            for text in other.makefile("r", encoding="utf-8"):
                line = json.loads(text)
                if line.get("id") == 2:
                    return set(drives.values())
                key = json.dumps(line.get("drive"))
                if line.get("event") == "drive-seen":
                    drives[key] = line["label"]["path"]
                elif line.get("event") == "drive-gone":
                    drives.pop(key, None)
        raise EOFError("the station ended the connection")

    def cpu_s(self):
        fields = Path(f"/proc/{self.program.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def peak_mib(self):
        status = Path(f"/proc/{self.program.pid}/status").read_text(encoding="utf-8")
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:")) / 1024

    def end(self):
        self.program.terminate()
        self.program.wait(60)


def make(folder, size_bytes, names):
    """Drives that are not inserted yet."""
    (folder / "shelf").mkdir(exist_ok=True)
    for name in names:
        with open(folder / "shelf" / name, "wb") as drive:
            drive.truncate(size_bytes)


def batch(station, folder, size_bytes, medium, count):
    names = [str(number + 1) for number in range(count)]
    make(folder, size_bytes, names)
    station.send(2, request="arm", work={"kind": "write", "medium": medium})
    if "ok" not in station.answer(2):
        raise SystemExit("the station can't be armed")
    # The record's clock.
    began = time.clock_gettime(time.CLOCK_BOOTTIME)
    for name in names:
        os.rename(folder / "shelf" / name, folder / "ports" / name)
    first, good = None, 0
    for line in station.told():
        if line.get("event") == "step-started" and first is None:
            first = line["mono_ms"] / 1000 - began
        if line.get("event") == "job-ended":
            if line["verdict"] != "ready":
                raise SystemExit(f"a drive is not ready: {line}")
            good += 1
        if good == count:
            break
    wall = line["mono_ms"] / 1000 - began
    print(f"{wall:.2f} {first:.3f} {station.peak_mib():.0f}")


def move(folder, name, is_in):
    places = [folder / "shelf" / name, folder / "ports" / name]
    os.rename(places[is_in], places[not is_in])


def storm(station, folder, size_bytes, count, seconds):
    names = [str(number + 1) for number in range(count)]
    make(folder, size_bytes, names)
    is_in = dict.fromkeys(names, False)
    time.sleep(1)
    cpu, began, step = station.cpu_s(), time.monotonic(), 0
    while time.monotonic() - began < seconds:
        for name in names:
            move(folder, name, is_in[name])
            is_in[name] = not is_in[name]
        step += 1
        time.sleep(max(0, began + step / 10 - time.monotonic()))
    print(f"{(station.cpu_s() - cpu) / (time.monotonic() - began):.4f}")


def events(station, folder, size_bytes, count):
    names = [str(number + 1) for number in range(32)]
    make(folder, size_bytes, names)
    is_in = dict.fromkeys(names, False)
    chance, began = random.Random(1), time.monotonic()
    for number in range(count):
        name = chance.choice(names)
        move(folder, name, is_in[name])
        is_in[name] = not is_in[name]
        # So that most of them are seen and not passed over between two looks.
        if number % 50 == 0:
            time.sleep(0.06)
    wall = time.monotonic() - began
    wanted = {str((folder / "ports" / name).resolve()) for name in names if is_in[name]}
    while station.drives() != wanted:
        if time.monotonic() - began > wall + 30:
            print(f"{wall:.1f} differs")
            return
        time.sleep(0.1)
    print(f"{wall:.1f} equal")


def main():
    folder, medium, size_bytes, command, *numbers = sys.argv[1:]
    folder, numbers = Path(folder), [int(number) for number in numbers]
    station = Station(folder)
    try:
        if command == "batch":
            batch(station, folder, int(size_bytes), medium, *numbers)
        else:
            {"storm": storm, "events": events}[command](station, folder, int(size_bytes), *numbers)
    finally:
        station.end()


if __name__ == "__main__":
    main()
