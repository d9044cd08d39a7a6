#!/bin/sh
# SPDX-FileCopyrightText: The Platen contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# An application: it leaves a file that the last step of the sequence shows.
echo "token-$(uname -m)" > /etc/token
