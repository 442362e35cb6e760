#!/bin/sh
# Makes the sounds that are in the `stasis` binary, of the list server/sounds/prompts.txt:
#
#     sh scripts/sounds.sh
#
#     server/sounds/en/NAME.wav     16 kHz, µ-law
#     server/sounds/en/NAME.ulaw    8 kHz, µ-law, without a header
#     server/sounds/music/CLASS/*   16 kHz, 16-bit PCM
#
# They are committed: who builds the project needs nothing of this. All that was there is made anew,
# which takes a minute or two. flite speaks (its voice slt), sox converts, and what is not spoken is
# made by scripts/sounds.py. docs/sounds.md says more.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
sounds=$here/../server/sounds
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM

missing=""
for program in flite sox python3; do
    command -v "$program" >/dev/null 2>&1 || missing="$missing $program"
done
if [ -n "$missing" ]; then
    echo "These Debian packages are missing:$missing. As root, type:" >&2
    echo "    apt-get update && apt-get install -y --no-install-recommends$missing" >&2
    exit 1
fi

# What is spoken: as the voice says it, without the hum below it and the silence around it.
tab=$(printf '\t')
trim="silence 1 0.005 0.1% reverse silence 1 0.005 0.1% reverse"
grep -v -e '^#' -e '^$' "$sounds/prompts.txt" | while IFS=$tab read -r name text said; do
    mkdir -p "$work/spoken/$(dirname "$name")"
    case $text in
        "["*) ;;
        *)
            flite -voice slt --setf duration_stretch=0.93 -t "${said:-$text}" -o "$work/voice.wav"
            # shellcheck disable=SC2086
            sox -D "$work/voice.wav" "$work/spoken/$name.wav" highpass 90 $trim
            ;;
    esac
done

# All to the same loudness, with a little silence around it; and all that is not spoken.
python3 "$here/sounds.py" "$sounds/prompts.txt" "$work/spoken" "$work/made"

rm -rf "$sounds/en" "$sounds/music"
(cd "$work/made" && find . -name '*.wav') | while read -r file; do
    mkdir -p "$sounds/$(dirname "$file")"
    case $file in
        ./music/*) cp "$work/made/$file" "$sounds/$file" ;;
        *)
            sox -D "$work/made/$file" -e mu-law "$sounds/$file"
            sox -D "$work/made/$file" -t ul -r 8000 "$sounds/${file%.wav}.ulaw"
            ;;
    esac
done
du -sh "$sounds"
