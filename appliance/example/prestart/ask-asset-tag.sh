#!/bin/sh
# Runs before the task sequence is chosen; what it prints as NAME=VALUE becomes a variable.
echo "AssetTag=unknown"
