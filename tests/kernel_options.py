#!/usr/bin/python3
# SPDX-FileCopyrightText: The Platen contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks that a kernel's own Kconfig lets fragments have all that they ask for.

    tests/kernel_options.py KERNEL ARCH FRAGMENT...

KERNEL is the source, of which only Makefile, Kconfig files and scripts are needed. ARCH is what `make` of it is told.
The fragments are read in their order over the defaults, as Buildroot's merge and `make olddefconfig` do it. Every line that
does not hold then is printed with what is in its way, and the exit status is 1.
"""

import os
import re
import sys
from pathlib import Path

import kconfiglib

LINE = re.compile(r"(?:CONFIG_(?P<on>\w+)=(?P<value>.+)|# CONFIG_(?P<off>\w+) is not set)$")


def wanted(path):
    """The options of a fragment: each with its name and value, in their order."""
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if match := LINE.match(line):
            yield f"{path}:{number}", match["on"] or match["off"], (match["value"] or "n").strip('"')
        elif line not in ("", "#") and not line.startswith("# "):
            raise SystemExit(f"{path}:{number}: expected CONFIG_NAME=VALUE or a comment, found {line!r}")


def terms(expression, operator, value):
    """The parts of an expression that hold, or those that do not: what makes it so."""
    parts = kconfiglib.split_expr(expression, operator)
    said = [kconfiglib.expr_str(part) for part in parts if (kconfiglib.expr_value(part) > 0) == value]
    return ", ".join(said)


def in_the_way(symbol, value):
    """Why it does not have this value."""
    if value == "n":
        by = terms(symbol.rev_dep, kconfiglib.OR, True)
        return f"selected by {by}" if by else "it has no prompt, or nobody may say no"
    missing = terms(symbol.direct_dep, kconfiglib.AND, False)
    if missing:
        return f"depends on {missing}"
    if symbol.choice and symbol.choice.selection:
        return f"{symbol.choice.selection.name} is chosen instead"
    prompts = [terms(node.prompt[1], kconfiglib.AND, False) for node in symbol.nodes if node.prompt]
    if not prompts:
        return "it has no prompt: other options select it"
    return f"its prompt is there only if {'; '.join(prompts)}" if any(prompts) else "its value is not one of its type"


def lost(kconfig, fragments):
    """A line for each option that does not come out as it is asked for."""
    for fragment in fragments:
        kconfig.load_config(str(fragment), replace=fragment is fragments[0])
    asked = {}
    for fragment in fragments:
        for place, name, value in wanted(fragment):
            if name in asked and asked[name][1] != value:
                yield f"{place}: CONFIG_{name}={value}: {asked[name][0]} asks for {asked[name][1]}"
            asked[name] = (place, value)
    for name, (place, value) in asked.items():
        symbol = kconfig.syms.get(name)
        # A name that others depend on may be another architecture's, or nobody's any more.
        if symbol is None or not symbol.nodes:
            yield f"{place}: CONFIG_{name}: this kernel has no such option"
        elif symbol.str_value != value:
            yield f"{place}: CONFIG_{name}={value}: it is {symbol.str_value}: {in_the_way(symbol, value)}"


def kernel_of(folder, arch):
    """Its Kconfig, as its Makefile would have it read."""
    os.chdir(folder)
    numbers = [re.search(rf"^{name} = (\d+)$", Path("Makefile").read_text(), re.M)[1]
               for name in ("VERSION", "PATCHLEVEL", "SUBLEVEL")]
    os.environ |= {"srctree": ".", "ARCH": arch, "SRCARCH": {"x86_64": "x86"}.get(arch, arch)}
    os.environ |= {"KERNELVERSION": ".".join(numbers), "CC": "gcc", "HOSTCC": "gcc", "CC_VERSION_TEXT": "gcc"}
    # What the compiler is able to do is asked of this machine's.
    os.environ |= {name.upper(): name for name in ("ld", "ar", "nm", "objcopy", "pahole", "rustc", "bindgen")}
    os.environ |= {"RUSTC_VERSION_TEXT": ""}
    return kconfiglib.Kconfig("Kconfig", warn=False)


def main(folder, arch, *names):
    fragments = [Path(name).resolve() for name in names]
    found = list(lost(kernel_of(folder, arch), fragments))
    print("\n".join(found) if found else f"Linux {os.environ['KERNELVERSION']}: all hold")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
