# SPDX-FileCopyrightText: The Platen contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# shellcheck shell=bash disable=SC2034
# Other tools for the same job, at fixed versions, installed in a folder outside the repository. One that can't be had
# is said to be missing, with the reason; its figures are never made up.

peers_folder=${XDG_CACHE_HOME:-$HOME/.cache}/platen-bench
declare -A missing=()

# install_peers NAME...
install_peers() {
    local peer
    mkdir -p "$peers_folder"
    for peer in "$@"; do
        "install_$peer" > "$peers_folder/$peer.log" 2>&1 ||
            missing[$peer]=$(tail -n 1 "$peers_folder/$peer.log" || echo "see $peers_folder/$peer.log")
    done
}

# cargo_peer CRATE VERSION
cargo_peer() {
    [ ! -x "$peers_folder/$1-$2/bin/$1" ] || return 0
    cargo install --locked --quiet --root "$peers_folder/$1-$2" "$1" --version "$2"
}

# apt_peer PROGRAM PACKAGE...
apt_peer() {
    local program=$1
    shift
    command -v "$program" > /dev/null ||
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@"
}

install_caligula() { cargo_peer caligula 0.5.0; }
install_bmaprs() { cargo_peer bmap-rs 0.2.3; }
install_bmaptool() { apt_peer bmaptool bmap-tools; }
install_dd() { apt_peer cmp diffutils; }

etcher_sdk=$peers_folder/etcher-sdk-10.2.15
install_etcher() {
    [ ! -d "$etcher_sdk/node_modules/etcher-sdk" ] || return 0
    apt_peer npm nodejs npm libnode-dev || return 1
    # Native parts are compiled against the headers that came with node, where they did.
    if [ -d /usr/include/node ]; then export npm_config_nodedir=/usr; fi
    local folder=$etcher_sdk.unfinished
    rm -rf "$folder" "$etcher_sdk"
    mkdir -p "$folder"
    # Two of its dependencies name a place outside the registry; these are the registry's releases of the same.
    printf '%s\n' '{ "private": true, "dependencies": { "etcher-sdk": "10.2.15" }, "overrides":' \
        '{ "unbzip2-stream": "1.4.3", "typedarray.prototype.slice": "1.0.5" } }' > "$folder/package.json"
    npm install --prefix "$folder" --no-audit --no-fund || return 1
    mv "$folder" "$etcher_sdk"
}

# label TOOL: its name and version
label() {
    case $1 in
        platen) echo "platen, this tree" ;;
        caligula) echo "caligula 0.5.0" ;;
        bmaprs) echo "bmap-rs 0.2.3" ;;
        bmaptool) bmaptool --version ;;
        dd) echo "dd direct + cmp" ;;
        etcher) echo "etcher-sdk 10.2.15" ;;
    esac
}
