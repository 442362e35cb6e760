#!/bin/sh
# Makes hours of speech and music in which no digit is, to see how often a detector hears one:
#
#     sh scripts/dtmf-speech.sh DIR
#
#     DIR/speech/*.wav    prompts of Debian packages, as they are and at four speeds, and babble
#     DIR/tts/*.wav       synthetic voices in 18 languages
#     DIR/music/*.wav     music on hold and of games, and chords and melodies on all scales
#
# All are 8 kHz, mono, 16 bits, most of 10 to 30 minutes. `raw` files have the level they came with,
# the others -20 dBov or so. What is there already is kept, so it can be run again after a failure.
# It takes some minutes, fetches 250 MB and leaves 2 GB; DIR/fetched can be deleted afterwards.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
if [ $# -ne 1 ]; then
    echo "Say where to put it: sh $0 DIR" >&2
    exit 1
fi
mkdir -p "$1/speech" "$1/tts" "$1/music" "$1/fetched"
dir=$(cd "$1" && pwd)
fetched=$dir/fetched
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM

say() { echo "$*" >&2; }

# The programs, as in setup.sh.
missing=""
for program in espeak-ng sox ffmpeg; do
    command -v "$program" >/dev/null 2>&1 || missing="$missing $program"
done
if [ -n "$missing" ]; then
    line="apt-get install -y --no-install-recommends$missing libsox-fmt-base"
    if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null 2>&1; then
        say "These Debian packages are missing:$missing. As root, type:"
        say "    apt-get update && $line"
        exit 1
    fi
    say "Installing$missing (apt)…"
    export DEBIAN_FRONTEND=noninteractive
    { apt-get update -qq && $line; } >/dev/null || { say "That did not work: $line"; exit 1; }
fi

# Extracts a Debian package, without installing it, to $fetched/NAME. Fails when it cannot be had.
fetch() {
    [ -d "$fetched/$1" ] && return 0
    say "fetching $1"
    rm -rf "$work/deb" && mkdir "$work/deb"
    # The user that apt would fetch as cannot write to our folder.
    if ! (cd "$work/deb" && apt-get download -q -o APT::Sandbox::User=root "$1") >/dev/null 2>"$work/why"; then
        say "    cannot be had, and is left out (apt-get update?): $(tail -n 1 "$work/why")"
        return 1
    fi
    dpkg-deb -x "$work/deb"/*.deb "$fetched/$1.part"
    mv "$fetched/$1.part" "$fetched/$1"
}

# Whether this file is still to be made; says so.
wanted() {
    [ -s "$dir/$1" ] && return 1
    say "making $1"
}

# keep FILE SOX-ARGUMENTS...: an 8 kHz file under its name when it is whole.
keep() {
    to=$1
    shift
    sox -V1 "$@" -r 8000 -c 1 -b 16 "$work/keep.wav" $effects
    mv "$work/keep.wav" "$dir/$to"
}

# The gain in dB that brings a file to -20 dBov.
gain() {
    sox -V1 "$1" -n stats 2>&1 | awk '/^RMS lev dB/ { printf "%.2f", -20 - $4 }'
}

# level FROM FILE EFFECTS...: at -20 dBov, its peaks limited.
level() {
    from=$1 to=$2
    shift 2
    effects="gain -l $(gain "$from") $*" keep "$to" "$from"
}

# Speech: a file a voice and speed.
voices=""
for package in asterisk-core-sounds-en-wav asterisk-core-sounds-es-wav asterisk-core-sounds-fr-wav \
    asterisk-core-sounds-it-wav asterisk-core-sounds-ru-wav asterisk-prompt-es-co \
    asterisk-prompt-fr-armelle asterisk-prompt-it-menardi-wav; do
    fetch $package || continue
    voice=$(echo $package | sed 's/^asterisk-//; s/core-sounds-//; s/prompt-//; s/-wav$//')
    voices="$voices $voice"
    raw=speech/$voice-raw.wav
    if wanted "$raw"; then
        # Every prompt with a short pause behind it; what cannot be decoded is left out.
        : >"$work/raw"
        find "$fetched/$package" -name '*.wav' -o -name '*.gsm' | sort | while read -r prompt; do
            sox -V1 "$prompt" -t raw -r 8000 -c 1 -b 16 -e signed - pad 0 0.2 >>"$work/raw" 2>/dev/null || true
        done
        effects="" keep "$raw" -t raw -r 8000 -c 1 -b 16 -e signed "$work/raw"
    fi
    for speed in 1.0 0.85 1.15 1.3; do
        # Pitch and formants move, too: it is another voice.
        if wanted "speech/$voice-$speed.wav"; then
            level "$dir/$raw" "speech/$voice-$speed.wav" speed $speed rate 8000
        fi
    done
done

# babble FILE VOICE...: several at once, each from elsewhere, for 20 minutes at most.
babble() {
    to=$1
    shift
    wanted "$to" || return 0
    inputs="" skip=0 n=0
    for voice in "$@"; do
        [ -s "$dir/$voice" ] || continue
        sox -V1 "$dir/$voice" "$work/babble$n.wav" trim $skip 1200
        inputs="$inputs $work/babble$n.wav"
        skip=$((skip + 17)) n=$((n + 1))
    done
    [ $n -ge 2 ] || return 0
    sox -V1 -m $inputs "$work/mix.wav"
    level "$work/mix.wav" "$to"
    rm -f "$work"/babble*.wav
}
babble speech/babble-2.wav speech/en-1.0.wav speech/it-1.0.wav
babble speech/babble-3.wav speech/fr-1.0.wav speech/ru-1.15.wav speech/es-0.85.wav
babble speech/babble-5.wav speech/en-1.3.wav speech/es-1.0.wav speech/fr-0.85.wav speech/ru-1.0.wav speech/it-menardi-1.0.wav

# Numbers and names, others for each seed: what telephones are told most.
numbers() {
    awk -v seed="$1" 'BEGIN {
        srand(seed)
        n = split("Anna Schmidt, Giovanni Rossi, Marie Dubois, Pedro Alvarez, Olga Ivanova, John Miller, " \
            "Aino Virtanen, Piotr Nowak, Fatma Yildiz, Priya Sharma, Jens Nielsen, Eva Horvath", names, ", ")
        for (i = 0; i < 14; i++) {
            line = names[1 + int(rand() * n)] ", "
            for (k = 0; k < 8; k++) line = line int(rand() * 10) (k % 2 ? ", " : " ")
            print line int(rand() * 10000) ". " int(rand() * 24) ":" 10 + int(rand() * 50) ". " rand() * 1000 "."
        }
    }'
}

# Synthetic voices: each language by three, which differ in timbre, speed and pitch.
if [ ! -s "$dir/tts/.done" ]; then
    set -- m1 f1 m3 klatt f2 m7 croak f4 klatt2 Andrea m5 f5 klatt4 Mario m2 whisper f3 Gene klatt3 Linda \
        m4 Alicia Ed m6 grandma Michel Steph klatt6 Henrique belinda
    count=0
    while read -r language text; do
        for third in 1 2 3; do
            eval "variant=\${$((count % $# + 1))}"
            speed=$((120 + count * 37 % 121)) pitch=$((10 + count * 29 % 81))
            name=$(printf '%02d' $((count % 6)))
            out=$work/tts-$name-$(printf '%03d' $count)
            say "speaking $language+$variant, $speed words a minute, pitch $pitch"
            { echo "$text"; numbers $count; } >"$work/text"
            espeak-ng -v "$language+$variant" -s $speed -p $pitch -f "$work/text" -w "$work/spoken.wav" 2>/dev/null ||
                espeak-ng -v "$language" -s $speed -p $pitch -f "$work/text" -w "$work/spoken.wav"
            sox -V1 "$work/spoken.wav" -r 8000 -c 1 -b 16 "$out-raw.wav"
            sox -V1 "$out-raw.wav" "$out-level.wav" gain -l "$(gain "$out-raw.wav")"
            count=$((count + 1))
        done
    done <"$here/dtmf-speech.txt"
    for name in 00 01 02 03 04 05; do
        for kind in raw level; do
            effects="" keep "tts/espeak-$name-$kind.wav" "$work"/tts-$name-*-$kind.wav
        done
    done
    rm -f "$work"/tts-*
    echo done >"$dir/tts/.done"
fi
babble tts/babble-3.wav tts/espeak-00-level.wav tts/espeak-02-level.wav tts/espeak-04-level.wav

# Voices made of recordings, in English.
if fetch flite && fetch libflite1; then
    flite=$(find "$fetched/flite" -type f -name flite)
    libraries=$(dirname "$(find "$fetched/libflite1" -name 'libflite.so.*' | head -n 1)")
    if wanted tts/flite.wav; then
        { grep '^en' "$here/dtmf-speech.txt" | cut -d ' ' -f 2-; numbers 99; numbers 98; } >"$work/text"
        for voice in kal awb rms slt; do
            LD_LIBRARY_PATH=$libraries "$flite" -voice $voice -f "$work/text" -o "$work/spoken.wav" || continue
            sox -V1 "$work/spoken.wav" -r 8000 -c 1 -b 16 "$work/flite-$voice.wav" gain -l "$(gain "$work/spoken.wav")"
        done
        effects="" keep tts/flite.wav "$work"/flite-*.wav || rm -f "$dir/tts/flite.wav"
    fi
fi

# Music: what people wait to, and what games have.
for package in asterisk-moh-opsound-wav asc-music drascula-music singularity-music; do
    fetch $package || continue
    wanted "music/$package.wav" || continue
    : >"$work/raw"
    find "$fetched/$package" -type f \( -name '*.wav' -o -name '*.ogg' -o -name '*.mp3' -o -name '*.flac' \) | sort |
        while read -r piece; do
            ffmpeg -nostdin -v error -i "$piece" -t 400 -f s16le -ac 1 -ar 8000 - >>"$work/raw" 2>/dev/null || true
        done
    sox -V1 -t raw -r 8000 -c 1 -b 16 -e signed "$work/raw" "$work/music.wav" trim 0 1800
    level "$work/music.wav" "music/$package.wav"
done

# Bars of two seconds: an arpeggio that becomes a chord, and a melody above it, each from a root of
# the twelve, in one of five scales.
bars() {
    awk -v timbre="$1" -v seed="$2" 'BEGIN {
        srand(seed)
        scales[0] = "0 2 4 5 7 9 11"; scales[1] = "0 2 3 5 7 8 10"; scales[2] = "0 2 3 5 7 8 11"
        scales[3] = "0 2 4 7 9 12 14"; scales[4] = "0 2 4 6 8 10 12"
        for (bar = 0; bar < 120; bar++) {
            split(scales[int(bar / 12) % 5], scale, " ")
            root = bar % 12 - 21; first = int(rand() * 7); synth = ""; delays = ""
            for (note = 0; note < 4; note++) {
                degree = first + 2 * note
                synth = synth sprintf(" %s %%%d", timbre, root + scale[degree % 7 + 1] + 12 * int(degree / 7))
                delays = delays " " note * 0.1
            }
            for (note = 0; note < 4; note++) {
                synth = synth sprintf(" %s %%%d", timbre, root + 24 + scale[int(rand() * 7) + 1])
                delays = delays " " note * 0.5
            }
            printf "synth 2%s delay%s remix - trim 0 2 fade 0.01 2 0.05\n", synth, delays
        }
    }'
}
for timbre in pluck sine triangle square sawtooth; do
    wanted "music/synthetic-$timbre.wav" || continue
    : >"$work/raw"
    bars $timbre ${#timbre} | while read -r bar; do
        case $timbre in # a flute is nearly a sine; strings and reeds are not as sharp as theirs
        sine) more="tremolo 5 25 overdrive 3" ;;
        square | sawtooth) more="lowpass 2500" ;;
        *) more="" ;;
        esac
        # shellcheck disable=SC2086
        sox -V1 -n -t raw -r 8000 -c 1 -b 16 -e signed - $bar norm -6 $more </dev/null >>"$work/raw"
    done
    sox -V1 -t raw -r 8000 -c 1 -b 16 -e signed "$work/raw" "$work/music.wav"
    level "$work/music.wav" "music/synthetic-$timbre.wav"
done

for set in speech tts music; do
    soxi -D "$dir/$set"/*.wav | awk -v set=$set '{ s += $1 } END { printf "%-7s %3d files, %.2f h\n", set, NR, s / 3600 }'
done
