#!/bin/sh
# Makes g722.wav, g722.bin and g722.decoded.wav, by FFmpeg's encoder and decoder of G.722.
#
#   media/tests/assets/make.sh
#
# Needs ffmpeg (Debian: apt install ffmpeg). README.md says what the files are.
set -eu
cd "$(dirname "$0")"

if ! command -v ffmpeg >/dev/null; then
    echo "make.sh needs ffmpeg: install the package of that name" >&2
    exit 1
fi

run() { ffmpeg -nostdin -hide_banner -loglevel error -y "$@"; }
# Nothing in the files that tells of their making.
plain="-map_metadata -1 -fflags +bitexact -flags:a +bitexact"

# 1.2 s of a voice; a tone that climbs from 50 Hz to 7.9 kHz, nearly full scale; noise; full-scale
# noise, which is clipped; and silence.
run -i ../../../examples/assets/you.wav \
    -f lavfi -i "aevalsrc='0.98*sin(2*PI*(50*t+4000*t*t))':s=16000:d=0.98" \
    -f lavfi -i "anoisesrc=r=16000:a=0.2:d=0.3:s=722" \
    -f lavfi -i "anoisesrc=r=16000:a=1:d=0.3:s=227" \
    -f lavfi -i "aevalsrc=0:s=16000:d=0.2" \
    -filter_complex "[0]atrim=0:1.2,aresample=16000[v];[3]volume=4[n];[v][1][2][n][4]concat=n=5:v=0:a=1" \
    -ac 1 -ar 16000 -c:a pcm_s16le $plain g722.wav
run -i g722.wav -c:a g722 -f g722 g722.bin
run -f g722 -i g722.bin -c:a pcm_s16le -ar 16000 -ac 1 $plain g722.decoded.wav
