//! A series of keys, all pressed alike.

use fastrand::Rng;

use super::sound::{Envelope, Sound};
use super::{between, shuffled};

#[derive(Clone, Copy)]
pub struct Keys {
    pub count: usize,
    /// The levels of the low and of the high tone, in dBm0.
    pub levels: [f64; 2],
    pub ms: f64,
    /// Pauses are random, between these.
    pub pause_ms: [f64; 2],
    /// Of the low and of the high tone, in percent.
    pub detune: [f64; 2],
    pub ramp_ms: f64,
}

impl Keys {
    /// 32 keys of 70 ms, both tones at the same random level, otherwise nominal.
    pub fn new(rng: &mut Rng) -> Keys {
        Keys {
            count: 32,
            levels: [between(-18.0, -7.0, rng); 2],
            ms: 70.0,
            pause_ms: [60.0, 120.0],
            detune: [0.0; 2],
            ramp_ms: rng.u32(..3).into(),
        }
    }

    /// With a twist in dB, positive when the low tone is louder. The louder one has −14 to −4 dBm0.
    pub fn twisted(self, db: f64, rng: &mut Rng) -> Keys {
        let loud = between(-14.0, -4.0, rng);
        Keys { levels: [loud + db.min(0.0), loud - db.max(0.0)], ..self }
    }

    pub fn at(self, dbm0: f64) -> Keys {
        Keys { levels: [dbm0; 2], ..self }
    }

    pub fn lasting(self, ms: f64) -> Keys {
        Keys { ms, ..self }
    }

    pub fn detuned(self, low: f64, high: f64) -> Keys {
        Keys { detune: [low, high], ..self }
    }

    /// With pauses of `ms`, and up to 5 ms more.
    pub fn spaced(self, ms: f64) -> Keys {
        Keys { pause_ms: [ms, ms + 5.0], ..self }
    }

    pub fn press(self, rng: &mut Rng) -> Vec<Sound> {
        let digits = shuffled(self.count, rng);
        let press = |digit| {
            let pause = between(self.pause_ms[0], self.pause_ms[1], rng);
            let [low, high] = self.levels;
            Sound::digit(digit, low, high, self.ms, pause).detuned(self.detune).ramped(self.ramp_ms)
        };
        digits.into_iter().map(press).collect()
    }

    /// Four in a row of each key.
    pub fn press_repeatedly(self, rng: &mut Rng) -> Vec<Sound> {
        let mut sounds = self.press(rng);
        let digits: Vec<_> = sounds.iter().map(|sound| sound.digit).collect();
        for (i, sound) in sounds.iter_mut().enumerate() {
            if let Some(digit) = digits[i / 4] {
                let same =
                    Sound::digit(digit, self.levels[0], self.levels[1], self.ms, sound.pause_ms);
                *sound = same.detuned(self.detune).ramped(self.ramp_ms);
            }
        }
        sounds
    }

    /// Each interrupted once for 10 ms, with at least 25 ms before it and 15 ms after it.
    pub fn press_interrupted(self, rng: &mut Rng) -> Vec<Sound> {
        let sounds = self.press(rng).into_iter();
        let interrupted = |sound: Sound| {
            let at_ms = between(25.0, self.ms - 25.0, rng);
            sound.with(Envelope::Gap { at_ms, ms: 10.0 })
        };
        sounds.map(interrupted).collect()
    }
}
