#!/bin/sh
# What the compiler cannot check: rooms keep to themselves, nothing is left open.
set -eu
failed=0
bad() {
    echo "check-tree: $1" >&2
    failed=1
}

# Code only: examples in comments are the user's.
stray=$(grep -rlE '^ *([^ /]|/[^/]).*((std|core)::sync::(atomic|Mutex|RwLock|Condvar|Arc)|std::thread|loom::|shuttle::)' src --include='*.rs' |
    grep -v -e '^src/sync[./]' -e '^src/ring/tests\.rs$' || true)
[ -z "$stray" ] || bad "these reach past src/sync.rs: $stray"

unsafe_code=$(grep -rlE '\bunsafe\b' src --include='*.rs' | grep -v '^src/ring/' | grep -v '^src/sync\.rs$' || true)
[ -z "$unsafe_code" ] || bad "unsafe code outside src/ring/: $unsafe_code"

telephony=$(grep -rliE '\b(rtp|dtmf|codec|sip|leg|bridge)\b' src --include='*.rs' || true)
[ -z "$telephony" ] || bad "the bus knows a telephony word: $telephony"

open=$(grep -rnE 'todo!\(|unimplemented!\(|FIXME|XXX|#\[ignore' --include='*.rs' src media control server loom-tests shuttle-tests tests benches examples || true)
[ -z "$open" ] || bad "left open: $open"

exit $failed
