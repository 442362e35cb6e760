"""Brings what is spoken to one loudness, and makes all sounds that are not spoken.

    sounds.py LIST SPOKEN MADE

For each line of LIST there is SPOKEN/NAME.wav, or a text in brackets; MADE/en/NAME.wav is written, and
MADE/music. All is mono, 16 kHz, 16 bits. Run by sounds.sh; the same each time.
"""

import math
import random
import struct
import sys
import wave
from pathlib import Path

HZ = 16_000
# Of what is spoken, without its pauses; and what no sample is beyond. Both of full scale.
LOUDNESS = 0.10
MOST = 0.70
TAU = 2 * math.pi


def seconds(time):
    """Samples in a time."""
    return round(time * HZ)


def silence(time):
    return [0.0] * seconds(time)


# Files


def read(path):
    with wave.open(str(path)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (HZ, 1, 2), path
        data = file.readframes(file.getnframes())
    return [value / 32_768 for (value,) in struct.iter_unpack("<h", data)]


def write(path, samples):
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, HZ, 0, "NONE", ""))
        values = (max(-32_768, min(32_767, round(sample * 32_768))) for sample in samples)
        file.writeframes(b"".join(struct.pack("<h", value) for value in values))


# Levels


def loudness(samples):
    """The level of what is not a pause: of the blocks of 20 ms within 25 dB of the loudest."""
    size = seconds(0.02)
    blocks = [samples[at : at + size] for at in range(0, len(samples), size)]
    powers = [sum(sample * sample for sample in block) / len(block) for block in blocks]
    active = [power for power in powers if power > max(powers) / 316]
    return math.sqrt(sum(active) / len(active))


def levelled(samples):
    """At one loudness. The few peaks beyond are bent, not cut."""
    factor = LOUDNESS / loudness(samples)
    knee = 0.8 * MOST
    room = MOST - knee

    def bent(value):
        over = abs(value) - knee
        return value if over <= 0 else math.copysign(knee + room * math.tanh(over / room), value)

    return [bent(sample * factor) for sample in samples]


def faded(samples, time=0.005):
    """Without a click at either end."""
    size, count = min(seconds(time), len(samples) // 2), len(samples)
    slopes = (min(1.0, n / size, (count - 1 - n) / size) for n in range(count))
    return [sample * slope for sample, slope in zip(samples, slopes)]


def spoken(path):
    return silence(0.02) + faded(levelled(read(path))) + silence(0.06)


# Signals


def tone(time, *frequencies, level=0.25):
    each = level / len(frequencies)
    sums = (sum(math.sin(TAU * hz * n / HZ) for hz in frequencies) for n in range(seconds(time)))
    return faded([each * value for value in sums])


def bell(time, hz, level=0.3):
    """A note that is struck and dies away."""
    partials = [(1, 1.0, 3.0), (2, 0.35, 5.0), (3, 0.12, 8.0)]
    out = []
    for n in range(seconds(time)):
        t = n / HZ
        value = sum(a * math.exp(-d * t / time) * math.sin(TAU * m * hz * t) for m, a, d in partials)
        out.append(level * value)
    return faded(out, 0.004)


def monkeys():
    """Some five seconds of monkeys: each cry is a tone that jumps up, breaks and falls."""
    chance = random.Random(1912)
    out = silence(5.2)

    def cry(at, time, low, high, roughness, level):
        phase, wobble = 0.0, chance.uniform(22, 34)
        count = seconds(time)
        for n in range(count):
            x = n / count
            # Up fast, and down again more slowly.
            bow = math.sin(math.pi * x**0.6)
            hz = low + (high - low) * bow + roughness * 40 * math.sin(TAU * wobble * n / HZ)
            phase += hz / HZ
            voice = sum(
                a * math.sin(TAU * m * phase) for m, a in ((1, 0.7), (2, 1.0), (3, 0.6), (4, 0.35), (5, 0.2))
            )
            breath = roughness * chance.uniform(-0.6, 0.6)
            beat = 1 - 0.45 * roughness * (1 + math.sin(TAU * wobble * n / HZ))
            swell = min(1.0, 12 * x) * (1 - x) ** 0.7
            place = seconds(at) + n
            if place < len(out):
                out[place] += level * swell * beat * (voice + breath)

    def hoots(at, count, low, step, level):
        """Ook, ook, ook: faster and higher."""
        pause = 0.26
        for n in range(count):
            cry(at, 0.13, low + n * step, low * 1.7 + 2 * n * step, 0.15, level * (0.7 + 0.3 * n / count))
            at += pause
            pause = max(0.14, pause * 0.9)

    def chatter(at, until, low, level):
        """Short cries of one who is beside himself."""
        while at < until:
            time = chance.uniform(0.05, 0.11)
            cry(at, time, low * chance.uniform(0.8, 1.1), low * chance.uniform(1.3, 2.2), 0.7, level)
            at += time + chance.uniform(0.01, 0.07)

    hoots(0.0, 7, 260, 12, 0.16)
    chatter(0.9, 2.1, 620, 0.09)
    cry(1.7, 0.55, 500, 1_150, 0.5, 0.16)
    hoots(2.1, 8, 300, 15, 0.15)
    chatter(2.6, 4.3, 760, 0.08)
    cry(3.3, 0.4, 450, 980, 0.6, 0.15)
    cry(3.8, 0.7, 560, 1_350, 0.5, 0.17)
    hoots(4.0, 5, 240, 8, 0.16)
    chatter(4.4, 4.95, 680, 0.07)
    return faded(levelled(out))


SIGNALS = {
    "beep": lambda: tone(0.25, 1_000),
    "beeperr": lambda: tone(0.12, 330) + silence(0.06) + tone(0.12, 330) + silence(0.06) + tone(0.25, 330),
    "ascending-2tone": lambda: bell(0.18, 659.3) + bell(0.45, 880),
    "descending-2tone": lambda: bell(0.18, 880) + bell(0.45, 659.3),
    "confbridge-join": lambda: bell(0.14, 523.3) + bell(0.4, 784),
    "confbridge-leave": lambda: bell(0.14, 784) + bell(0.4, 523.3),
    "tt-monkeys": monkeys,
}


def signal(name):
    folder, _, time = name.rpartition("/")
    return silence(int(time)) if folder == "silence" else SIGNALS[name]()


# Music

# A bar of 3 s each: a bass, and the notes of its chord. Numbers are MIDI's.
BARS = [
    (41, (57, 60, 64, 67)),
    (40, (55, 59, 62, 67)),
    (38, (53, 57, 60, 64)),
    (43, (53, 57, 59, 62)),
    (36, (55, 59, 60, 64)),
    (45, (52, 57, 60, 67)),
    (38, (53, 57, 60, 65)),
    (43, (53, 59, 62, 65)),
]
# In which order a bar's notes are plucked, in eighths; none: a rest.
FIGURE = [0, 2, 1, 3, None, 2, 3, 1]
# A slow tune above: eighths from the beginning, how many it lasts, and the note.
TUNE = [(4, 6, 72), (12, 4, 74), (16, 6, 72), (24, 7, 71), (34, 6, 76), (42, 5, 74), (48, 7, 72), (57, 6, 74)]
BAR = 3.0
EIGHTH = BAR / 8


def music():
    """Something calm. What sounds beyond the end is written to the beginning, so the end leads there."""
    total = seconds(BAR * len(BARS))
    out = [0.0] * total

    def add(at, time, note, level, partials, attack, decay):
        hz = 440 * 2 ** ((note - 69) / 12)
        start, count = seconds(at), seconds(time)
        for n in range(count):
            t = n / HZ
            swell = min(1.0, t / attack) * min(1.0, (time - t) / 0.3) * math.exp(-decay * t)
            value = sum(a * math.sin(TAU * m * hz * t) for m, a in partials)
            out[(start + n) % total] += level * swell * value

    soft = ((1, 1.0), (2, 0.12), (1.004, 0.5))
    plucked = ((1, 1.0), (2, 0.4), (3, 0.18), (4, 0.07))
    flute = ((1, 1.0), (2, 0.25), (3, 0.08))
    for bar, (bass, chord) in enumerate(BARS):
        at = bar * BAR
        add(at, BAR + 0.6, bass, 0.06, ((1, 1.0), (2, 0.3)), 0.08, 0.4)
        for note in chord:
            add(at, BAR + 1.0, note, 0.025, soft, 0.9, 0.0)
        for step, which in enumerate(FIGURE):
            if which is not None:
                add(at + step * EIGHTH, 1.5, chord[which] + 12, 0.06, plucked, 0.006, 3.0)
    for step, length, note in TUNE:
        add(step * EIGHTH, length * EIGHTH + 0.3, note, 0.075, flute, 0.12, 0.25)

    # An echo, which goes round as the music does.
    delay = seconds(2 * EIGHTH)
    wet = list(out)
    for repeat, share in ((1, 0.28), (2, 0.1)):
        for n in range(total):
            wet[n] += share * out[(n - repeat * delay) % total]
    factor = 0.4 / max(abs(sample) for sample in wet)
    return [factor * sample for sample in wet]


def main(listed, folder, made):
    for line in Path(listed).read_text().splitlines():
        if line and not line.startswith("#"):
            name, text = line.split("\t")[:2]
            samples = signal(name) if text.startswith("[") else spoken(Path(folder, f"{name}.wav"))
            write(Path(made, "en", f"{name}.wav"), samples)
    write(Path(made, "music", "default", "calm.wav"), music())


main(*sys.argv[1:])
