# SPDX-FileCopyrightText: The Platen contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# shellcheck shell=bash disable=SC2154
# Sums, and the table at the end: what was aimed at and what came out.

goals=()

# compute EXPRESSION [FORMAT]
compute() {
    awk "BEGIN { printf(\"${2:-%.2f}\", ($1)) }"
}

# lowest NUMBERS and median NUMBERS: of a text of numbers
lowest() {
    xargs -n 1 <<< "$1" | sort -g | sed -n 1p
}

median() {
    xargs -n 1 <<< "$1" | sort -g | awk '{ all[NR] = $1 } END { print all[int((NR + 1) / 2)] }'
}

# goal NAME RELATION LIMIT VALUE [UNIT]: a value of n/a was not measured, and nothing is once a drive was wrong
goal() {
    local verdict value=${4:-n/a}
    [ -z "$broken" ] || value=n/a
    if [ "$value" = n/a ]; then
        verdict="not measured"
    else
        verdict=$(awk "BEGIN { print ($value $2 $3) ? \"met\" : \"missed\" }")
    fi
    goals+=("$1|$2 $3${5:+ $5}|$value|$verdict")
}

print_goals() {
    [ ${#goals[@]} -gt 0 ] || return 0
    echo
    printf '%-50s %-16s %10s  %s\n' goal wanted measured ""
    local line name wanted value verdict
    for line in "${goals[@]}"; do
        IFS='|' read -r name wanted value verdict <<< "$line"
        printf '%-50s %-16s %10s  %s\n' "$name" "$wanted" "$value" "$verdict"
    done
}
