#!/usr/bin/env python3
# SPDX-FileCopyrightText: The Platen contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads INF files and ranks drivers, from Microsoft's documentation alone and in another way than Platen does.

judge_drivers.py QUESTION.json: {"folder": of INF files, "system": {...}, "devices": [{"hardware": [], "compatible": []}]}
Prints {"files": {name: {...} or null}, "devices": [[[file, rank, id], ...], ...]}: each device's drivers, best first.
"""
import codecs
import json
import os
import re
import sys

ARCHITECTURES = {"x86", "amd64", "ia64", "arm", "arm64"}


def text_of(data):
    for mark, name in ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be")):
        if data.startswith(mark):
            return data[len(mark):].decode(name, "replace")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")


TOKEN = re.compile(r'"(?:[^"]|"")*"|[^",=;]+|[,=;]')


def tokens(line):
    """(text, was quoted) pairs and the separators as single characters."""
    for token in TOKEN.findall(line):
        if token == ";":
            return
        yield token


def fields_of(line):
    """[key or None, field, ...] of a line without its comment."""
    key, fields, parts = None, [], []

    def close():
        text = "".join(part[1:-1].replace('""', '"') if part.startswith('"') else part for part in trimmed(parts))
        parts.clear()
        return text

    def trimmed(list_of):
        list_of = list(list_of)
        if list_of and not list_of[0].startswith('"'):
            list_of[0] = list_of[0].lstrip()
        if list_of and not list_of[-1].startswith('"'):
            list_of[-1] = list_of[-1].rstrip()
        return list_of

    for token in tokens(line):
        if token == "," or (token == "=" and (key is not None or fields)):
            if token == ",":
                fields.append(close())
            else:
                parts.append("=")
        elif token == "=":
            key = close()
        else:
            parts.append(token)
    fields.append(close())
    return key, fields


def sections_of(text):
    found, current, begun = {}, None, ""
    for line in text.replace("\r\n", "\n").split("\n"):
        bare = "".join(tokens(line)).strip()
        if bare.endswith("\\"):
            begun += bare[:-1]
            continue
        bare, begun = (begun + bare).strip(), ""
        if not bare:
            continue
        if bare.startswith("["):
            current = found.setdefault(bare[1:bare.index("]")].strip().lower(), [])
        elif current is not None:
            current.append(fields_of(bare))
    return found


def package(name, data):
    sections = sections_of(text_of(data))
    if "version" not in sections or "manufacturer" not in sections or name.endswith(".inx"):
        return None
    strings = {key.lower(): fields[0] for key, fields in reversed(sections.get("strings", [])) if key}

    def put_in(text):
        return re.sub("%([^%]*)%", lambda m: strings.get(m[1].lower(), m[0]) if m[1] else "%", text)

    version = {key.lower(): [put_in(field) for field in fields] for key, fields in sections["version"] if key}
    lists = []
    for key, fields in sections["manufacturer"]:
        base, mine = put_in(fields[0]), []
        for decoration in [None] + [field for field in fields[1:] if parts_of(field)]:
            section = base if decoration is None else f"{base}.{decoration}"
            if section.lower() not in sections:
                continue
            models = []
            for model, values in sections[section.lower()]:
                ids = [put_in(value) for value in values[1:] if value]
                if model is not None and ids:
                    score = [f[0] for k, f in sections.get(values[0].lower(), []) if k and k.lower() == "featurescore"]
                    models.append({"ids": ids, "score": int(score[0], 16) if score else 255})
            mine.append((decoration, models))
        lists.append(mine)
    if not any(models for mine in lists for _, models in mine):
        return None
    driver_ver = version.get("driverver", [""])
    month, day, year = (re.split("[/-]", driver_ver[0]) + ["0", "0", "0"])[:3] if driver_ver[0] else ("0", "0", "0")
    numbers = [int(part) for part in driver_ver[1].split(".")] if len(driver_ver) > 1 else []
    return {
        "class": version.get("class", [""])[0],
        "provider": version.get("provider", [""])[0],
        "date": [int(year), int(month), int(day)],
        "version": (numbers + [0, 0, 0, 0])[:4],
        "signed": any(key.split(".")[0] == "catalogfile" for key in version),
        "lists": lists,
    }


def parts_of(decoration):
    """(architecture, major, minor, product, suite, build), or None for what is no decoration."""
    head, *numbers = decoration.lower().split(".")
    if not head.startswith("nt") or (head != "nt" and head[2:] not in ARCHITECTURES):
        return None
    try:
        numbers = [int(number, 0) if number else None for number in numbers] + [None] * 5
    except ValueError:
        return None
    return (head[2:], *numbers[:5])


def fits(decoration, system):
    """None, or how close it is."""
    if decoration is None:
        return (-1,) if system["architecture"] == "x86" else None
    architecture, major, minor, product, suite, build = parts_of(decoration)
    if (architecture or "x86") != system["architecture"]:
        return None
    if major is not None:
        wanted, have = (major, minor or 0), (system["major"], system["minor"])
        if wanted > have or (wanted == have and build is not None and build > system["build"]):
            return None
    if product is not None and product != system["product"] or suite is not None and suite & system["suite"] != suite:
        return None
    oldest = (major, minor or 0, build) if major is not None else (None, None, None)
    close = [*oldest, product is not None, suite, architecture != ""]
    return (0, *(-1 if part is None else part for part in close))


def main():
    with open(sys.argv[1], encoding="utf-8") as question:
        question = json.load(question)
    files = {}
    for name in sorted(os.listdir(question["folder"])):
        with open(os.path.join(question["folder"], name), "rb") as file:
            files[name] = package(name, file.read())
    answers = []
    for device in question["devices"]:
        hardware = [id.lower() for id in device["hardware"]]
        compatible = [id.lower() for id in device["compatible"]]
        found = []
        for name, of in files.items():
            for mine in of["lists"] if of else []:
                close = [(fits(decoration, question["system"]), models) for decoration, models in mine]
                close = [(how, models) for how, models in close if how is not None]
                models = max(close, key=lambda it: it[0])[1] if close else []
                for model in models:
                    ids = [id.lower() for id in model["ids"]]
                    for position, id in enumerate(hardware):
                        for at, theirs in enumerate(ids):
                            if id == theirs:
                                found.append((name, of, model, (0 if at == 0 else 0x1000) + position, id))
                    for position, id in enumerate(compatible):
                        for at, theirs in enumerate(ids):
                            if id == theirs:
                                score = 0x2000 if at == 0 else 0x3000 + 0x100 * (at - 1)
                                found.append((name, of, model, score + position, id))
        ranked = [
            ((0 if of["signed"] else 0x80000000) + (model["score"] << 16) + score, of["date"], of["version"], name, id)
            for name, of, model, score, id in found
        ]
        ranked.sort(key=lambda it: (it[0], [-n for n in it[1]], [-n for n in it[2]], it[3]))
        answers.append([[name, rank, id] for rank, _, _, name, id in ranked])
    json.dump({"files": files, "devices": answers}, sys.stdout)


main()
