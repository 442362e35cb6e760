#!/bin/sh
# Makes alice.wav, bob.wav and you.wav: three voices for the demo conference.
#
#   examples/assets/make.sh
#
# Needs espeak-ng and sox (Debian: apt install espeak-ng sox). The same versions of the two give the
# same files, byte by byte. README.md says what the files are.
set -eu
cd "$(dirname "$0")"

for tool in espeak-ng sox; do
    if ! command -v "$tool" >/dev/null; then
        echo "make.sh needs $tool: install the package of that name" >&2
        exit 1
    fi
done

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

ACTIVE=-20 # dBFS RMS, of what is not a pause

# voice NAME ESPEAK-VOICE PITCH WORDS-A-MINUTE TEXT
voice() {
    espeak-ng -v "$2" -p "$3" -s "$4" -w "$scratch/raw.wav" "$5"
    # To the telephone's rate, with the loudest syllables held back (2:1 above -15 dB), and without
    # the silence at both ends.
    sox "$scratch/raw.wav" -D -b 16 -c 1 "$scratch/cut.wav" \
        gain -6 highpass 120 rate -v 8000 norm -1 compand 0.001,0.08 -15,-15,0,-8 0 0 0.001 \
        silence 1 0.01 0.5% reverse silence 1 0.01 0.5% reverse
    # What is left after the pauses are cut out says how much gain it takes.
    gain=$(sox "$scratch/cut.wav" -n silence 1 0.02 1% -1 0.02 1% stats 2>&1 |
        awk -v want="$ACTIVE" '/^RMS lev dB/ { print want - $4 }')
    sox "$scratch/cut.wav" -D -b 16 "$1.wav" gain "$gain" fade t 0.005 0 0.02
    printf '%s: %s s, ' "$1.wav" "$(soxi -D "$1.wav")"
    sox "$1.wav" -n stats 2>&1 | awk '/^Pk lev/ { printf "peak %s dBFS, ", $4 }'
    sox "$1.wav" -n silence 1 0.02 1% -1 0.02 1% stats 2>&1 |
        awk '/^RMS lev dB/ { print "active speech " $4 " dBFS" }'
}

voice alice en-us+f3 62 175 \
    "Hi Bob, this is Alice. Isn't that nice? In this room everybody hears everybody else, and nobody has to listen to themselves."
voice bob en-us+m7 20 155 \
    "Hello Alice. Yes, that is called mix minus. Each of us gets the sum of all the voices, less our own."
voice you en-gb-scotland+m3 85 160 \
    "And this is me, the third voice. I come in twenty milliseconds at a time, and I am added to the two of you."
