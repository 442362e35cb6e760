#!/bin/sh
# Installs what the build needs and this machine lacks, or says the exact line to type.
# Silent when nothing is missing. Run by `make demo` and `make test`; `setup.sh python node` wants those, too, for
# the applications in examples/apps.
set -eu

missing=""
need() { missing="$missing $1"; }

if ! command -v cargo >/dev/null 2>&1; then
    echo "cargo is missing. Install Rust, then run this again:" >&2
    echo "    curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y && . \"\$HOME/.cargo/env\"" >&2
    exit 1
fi

command -v cc >/dev/null 2>&1 || need build-essential
command -v cmake >/dev/null 2>&1 || need cmake
if [ "$(uname -s)" = Linux ]; then
    command -v pkg-config >/dev/null 2>&1 || need pkg-config
    # Asked without pkg-config too: it may be among what is missing.
    pkg-config --exists alsa 2>/dev/null || need libasound2-dev
fi

for wanted in "$@"; do
    command -v curl >/dev/null 2>&1 || need curl
    case $wanted in
    python)
        command -v python3 >/dev/null 2>&1 || need python3
        # Debian's has no ensurepip until python3-venv is there.
        python3 -c 'import ensurepip, venv' 2>/dev/null || need python3-venv
        ;;
    node)
        command -v node >/dev/null 2>&1 || need nodejs
        command -v npm >/dev/null 2>&1 || need npm
        ;;
    esac
done

if [ -n "$missing" ]; then
    line="apt-get install -y --no-install-recommends$missing"
    if ! command -v apt-get >/dev/null 2>&1; then
        echo "These Debian packages are missing:$missing" >&2
        echo "Install what your system has in their place (Fedora: dnf install gcc cmake pkgconf alsa-lib-devel nodejs npm python3)," >&2
        echo "then run this again." >&2
        exit 1
    fi
    as_root=""
    if [ "$(id -u)" -ne 0 ]; then
        # Without a terminal sudo must not ask for a password.
        if [ -t 0 ]; then as_root="sudo"; else as_root="sudo -n"; fi
        if ! command -v sudo >/dev/null 2>&1; then
            echo "Missing packages need root, and there is no sudo. As root, type:" >&2
            echo "    apt-get update && $line" >&2
            exit 1
        fi
    fi
    echo "Installing$missing (apt)…"
    export DEBIAN_FRONTEND=noninteractive
    if ! { $as_root apt-get update -qq && $as_root $line; } >/dev/null; then
        echo "That did not work. As root, type:" >&2
        echo "    apt-get update && $line" >&2
        exit 1
    fi
fi

# A minimal toolchain comes without these two.
if ! cargo fmt --version >/dev/null 2>&1 || ! cargo clippy --version >/dev/null 2>&1; then
    echo "Installing rustfmt and clippy (rustup)…"
    rustup component add rustfmt clippy >/dev/null 2>&1 || {
        echo "rustfmt or clippy is missing. Type:" >&2
        echo "    rustup component add rustfmt clippy" >&2
        exit 1
    }
fi
