#!/bin/sh
# Runs one of the applications with a server and simulated callers of its own:
#
#     sh examples/apps/run.sh conference|ivr [options of the application]
#
# What is installed for it is in target/apps; what it writes is in a temporary folder, which goes when it ends.
# STASIS=path/to/stasis takes that server and builds none. KEEP=folder keeps recordings and the server's log there.
set -eu

app=${1:-}
case $app in
conference)
    shift
    [ $# -gt 0 ] || set -- --seconds 20
    ;;
ivr)
    shift
    [ $# -gt 0 ] || set -- --calls 4 --seconds 120
    ;;
*)
    echo "usage: sh examples/apps/run.sh conference|ivr [options of the application]" >&2
    exit 2
    ;;
esac
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
user=demo:$$-$(date +%s) # nobody else is to ask this server

fail() {
    echo "$app: $1" >&2
    exit 1
}

# Runs $2… unless it has been done for this version of the file $1.
once() {
    for_file=$1 done_for=$root/target/apps/$(basename "$1").installed
    shift
    cmp -s "$for_file" "$done_for" && return
    mkdir -p "$root/target/apps"
    "$@" || fail "that did not work: $*"
    cp "$for_file" "$done_for"
}

python_packages() {
    echo "Installing asyncari into target/apps/python (pip)…"
    rm -rf "$root/target/apps/python"
    python3 -m venv "$root/target/apps/python"
    "$root/target/apps/python/bin/pip" install --quiet --disable-pip-version-check -r "$here/conference/requirements.txt"
}

node_packages() {
    echo "Installing ari-client into target/apps/node (npm)…"
    mkdir -p "$root/target/apps/node"
    cp "$here/ivr/package.json" "$here/ivr/package-lock.json" "$root/target/apps/node/"
    npm ci --prefix "$root/target/apps/node" --silent --no-audit --no-fund
}

if [ "$app" = conference ]; then
    once "$here/conference/requirements.txt" python_packages
else
    once "$here/ivr/package-lock.json" node_packages
fi
if [ -z "${STASIS:-}" ]; then
    echo "Building the server…"
    (cd "$root" && cargo build --locked --quiet -p stasis-server --bin stasis)
    STASIS=${CARGO_TARGET_DIR:-$root/target}/debug/stasis
fi

# The server's folders are beside its configuration, so that is copied to where all can go.
work=$(mktemp -d)
server='' callers=''
# Ends a process that this script has started, by force if it does not end within 10 s.
stop() {
    tries=0
    while state=$(ps -o stat= -p "$1") && [ "${state#Z}" = "$state" ]; do
        [ $((tries % 10)) -ne 0 ] || kill "$1" 2>/dev/null || true
        [ $tries -lt 100 ] || kill -KILL "$1" 2>/dev/null || true
        tries=$((tries + 1))
        sleep 0.1
    done
    wait "$1" 2>/dev/null || true
}
# shellcheck disable=SC2329 # run by trap
finish() {
    status=$?
    trap - EXIT INT TERM
    for process in $callers $server; do stop "$process"; done
    if [ -n "${KEEP:-}" ]; then
        mkdir -p "$KEEP"
        cp -R "$work/." "$KEEP/"
    fi
    rm -rf "$work"
    exit "$status"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

cp "$here/$app/stasis.toml" "$here/$app/extensions.conf" "$work/"
: >"$work/server.log"
# Ctrl-C is for the application, which then hangs up; the server goes after it.
$(command -v setsid || true) "$STASIS" serve --config "$work/stasis.toml" --listen 127.0.0.1:0 --user "$user" >"$work/server.log" 2>&1 &
server=$!
url='' tries=0
while [ -z "$url" ]; do
    url=$(sed -n 's|^ARI listens at \(.*\)/ari$|\1|p' "$work/server.log")
    tries=$((tries + 1))
    if [ $tries -gt 300 ] || ! kill -0 "$server" 2>/dev/null; then
        cat "$work/server.log" >&2
        fail "the server does not start"
    fi
    sleep 0.1
done

ask() { curl --silent --show-error --fail --max-time 30 --output "$work/answer" --user "$user" "$@"; }

# A simulated phone is called; when it answers, its call goes to this extension of the dialplan.
number=100
call() {
    number=$((number + 1))
    ask --request POST "$url/ari/channels" --data-urlencode "endpoint=Test/$1" --data-urlencode "extension=$2" \
        --data-urlencode "context=default" --data-urlencode "callerId=\"$1\" <$number>"
}

# They call as soon as the application is there.
(
    trap - EXIT
    until ask "$url/ari/applications/$app" 2>/dev/null; do sleep 0.2; done
    # shellcheck source=/dev/null
    . "$here/$app/callers.sh"
) &
callers=$!

trap : INT
case $app in
conference) set -- "$root/target/apps/python/bin/python" -B "$here/conference/conference.py" "$@" ;;
ivr) set -- node "$here/ivr/ivr.js" "$@" ;;
esac
NODE_PATH=$root/target/apps/node/node_modules "$@" --url "$url" --user "$user"
