# SPDX-FileCopyrightText: The Platen contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the parts of tests/image have in common."""

import subprocess
from pathlib import Path

TREE = Path(__file__).resolve().parent.parent


class Failed(Exception):
    """A check does not hold: what, expected, found."""


def run(*command, **options):
    """A command's standard output. One that fails is a failed check."""
    ran = subprocess.run([str(word) for word in command], capture_output=True, text=True, **options)
    if ran.returncode != 0:
        raise Failed(f"{' '.join(map(str, command))}: status {ran.returncode}\n{ran.stdout}{ran.stderr}")
    return ran.stdout
