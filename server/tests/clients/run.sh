#!/bin/sh
# Installs the clients that the lists here name, if it has not been done, and runs the tests with them.
# The first argument is the folder of builds; the server must have been built there.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
target=$(cd "$1" && pwd)
export STASIS="$target/debug/stasis" STASIS_CLIENTS="$target/clients"

say() { echo "test-clients: $1" >&2; }

node -e 'process.exit(parseInt(process.versions.node) < 18 ? 1 : 0)' || {
    say "Node.js 18 or later is needed, this is $(node --version)"
    exit 1
}
python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    say "Python 3.11 or later is needed, this is $(python3 --version)"
    exit 1
}

# Anew when a list has changed, or what the clients run on.
wanted=$({
    node --version
    python3 --version
    cat "$here/package-lock.json" "$here/requirements.txt"
} | cksum)
if [ "$(cat "$STASIS_CLIENTS/installed" 2>/dev/null || true)" != "$wanted" ]; then
    echo "Installing clients of ARI into $1/clients (npm, pip)…"
    rm -rf "$STASIS_CLIENTS"
    mkdir -p "$STASIS_CLIENTS"
    cp "$here/package.json" "$here/package-lock.json" "$STASIS_CLIENTS"
    (cd "$STASIS_CLIENTS" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >npm.log 2>&1) || {
        cat "$STASIS_CLIENTS/npm.log" >&2
        say "npm cannot install the clients. This needs the npm registry, or a mirror of it (npm config set registry …)."
        exit 1
    }
    { python3 -m venv "$STASIS_CLIENTS/venv" &&
        "$STASIS_CLIENTS/venv/bin/pip" install --quiet --disable-pip-version-check --no-deps \
            --requirement "$here/requirements.txt"; } >"$STASIS_CLIENTS/pip.log" 2>&1 || {
        cat "$STASIS_CLIENTS/pip.log" >&2
        say "pip cannot install the clients. This needs PyPI, or a mirror of it (pip config set global.index-url …)."
        exit 1
    }
    echo "$wanted" >"$STASIS_CLIENTS/installed"
fi

# Side by side: they wait most of the time. Whatever hangs is ended, and its server with it.
javascript() {
    exec timeout 120 node --test "$here/ari-client.test.mjs" "$here/ipcom-asterisk-ari.test.mjs"
}
python() {
    cd "$here"
    exec timeout 120 "$STASIS_CLIENTS/venv/bin/python" -B -W ignore::ResourceWarning \
        -m unittest --verbose test_asyncari test_ari_client
}
javascript >"$STASIS_CLIENTS/javascript.log" 2>&1 &
first=$!
python >"$STASIS_CLIENTS/python.log" 2>&1 &
second=$!
trap 'kill $first $second 2>/dev/null' HUP INT TERM
failed=""
wait $first || failed="$failed javascript"
wait $second || failed="$failed python"
for language in $failed; do
    echo "--- $language"
    cat "$STASIS_CLIENTS/$language.log"
done
grep -aE '^# (pass|fail) |^Ran ' "$STASIS_CLIENTS/javascript.log" "$STASIS_CLIENTS/python.log" |
    sed 's|^.*/||; s|\.log:# *|: |; s|\.log:|: |'
if [ -n "$failed" ]; then
    say "a client was not served as it should be, see above ($STASIS_CLIENTS/*.log)"
    exit 1
fi
