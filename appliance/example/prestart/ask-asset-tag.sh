#!/bin/sh
# SPDX-FileCopyrightText: The Platen contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# Runs before the task sequence is chosen; what it prints as NAME=VALUE becomes a variable.
echo "AssetTag=unknown"
