# SPDX-FileCopyrightText: The Platen contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the parts of tests/image have in common."""

import subprocess
import time
from pathlib import Path

TREE = Path(__file__).resolve().parent.parent.parent
# Without acceleration, beside other work.
PATIENCE_SECONDS = 400


class Failed(Exception):
    """A check does not hold: what, expected, found."""


def run(*command, **options):
    """A command's standard output. One that fails is a failed check."""
    ran = subprocess.run([str(word) for word in command], capture_output=True, text=True, **options)
    if ran.returncode != 0:
        raise Failed(f"{' '.join(map(str, command))}: status {ran.returncode}\n{ran.stdout}{ran.stderr}")
    return ran.stdout


def expect(is_so, what, found="otherwise"):
    if not is_so:
        raise Failed(f"expected {what}, found {found}")


def until(is_so, what, found=lambda: "", pause_seconds=1.0, seconds=PATIENCE_SECONDS):
    """Waits until something is so; what it was then."""
    end = time.monotonic() + seconds
    while not (got := is_so()):
        if time.monotonic() > end:
            raise Failed(f"not within {seconds} s: {what}; found {found()}")
        time.sleep(pause_seconds)
    return got
