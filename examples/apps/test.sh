#!/bin/sh
# Runs both applications with their simulated callers, at the same time, and checks what they say in the end.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
failed=0

# The run of $1 has ended well, and each of the lines behind it is in what it printed (as a basic expression).
check() {
    app=$1
    shift
    problem=''
    [ "$(cat "$out/$app.status")" -eq 0 ] || problem="it ended with $(cat "$out/$app.status")"
    for line in "$@"; do
        grep -q -- "$line" "$out/$app.log" || problem="$problem; no line has: $line"
    done
    if [ -z "$problem" ]; then
        echo "$app: $(tail -n 1 "$out/$app.log" | sed 's/^ *//')"
    else
        failed=1
        sed "s/^/$app: /" "$out/$app.log"
        echo "$app: FAILED: ${problem#; }"
    fi
}

# Runs $1 with the options behind it.
run() {
    status=0
    sh "$here/run.sh" "$@" >"$out/$1.log" 2>&1 || status=$?
    echo $status >"$out/$1.status"
}

run conference --callers 4 --seconds 90 &
run ivr --calls 4 --seconds 120
wait

check conference \
    'Bob  *is muted' 'Bob  *can be heard again' 'Ann  *talks' 'Ann  *records: conference-1.wav' \
    'Cat  *pressed 7$' 'Cat  *pressed \*2: menu' 'Cat  *pressed \*4: leave' 'Dan  *has hung up' \
    ' 4 came, .* at a time, [34] were heard, 15 keys, 1 mutes, [0-9]* s recorded'
check ivr \
    'Ann  *entered 4711' 'Ann  *hears the message' 'Bob  *pressed 9, which is not in the menu' \
    'Bob  *records it again' 'Cat  *pressed nothing' 'Dan  *has hung up' 'Dan  *has left a message' \
    ' 4 calls, 1 numbers entered, 3 messages kept, 1 wrong keys, 2 times no key, 1 hung up, 0 failed$'
exit $failed
