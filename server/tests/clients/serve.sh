#!/bin/sh
# Runs a server on a free port, in a folder of its own, until the standard input ends. So nothing is left of it
# however a test ends, be it killed. Ends as the server does: with 0 when it has stopped as it should.
set -eu
folder=$(mktemp -d)
server=""
end() {
    status=$?
    trap - EXIT
    if [ -n "$server" ]; then
        kill "$server" 2>/dev/null || true
        wait "$server" || status=$?
    fi
    rm -rf "$folder"
    exit "$status"
}
trap end EXIT
trap 'exit 1' HUP INT TERM
cp "$(dirname "$0")/stasis.toml" "$folder"
# The server alone holds the standard output: whoever reads it sees when it ends before its time.
"$STASIS" serve --config "$folder/stasis.toml" --listen 127.0.0.1:0 &
server=$!
exec >&-
cat >&2
