//! What a leg says, on its way from its edge to its bridge: keys taken out, muted, louder or softer.

use crate::frame::{Frame, SampleRate};
use crate::gain::{Fader, Gain, fade_in, fade_out};

/// Ticks by which a leg is delayed while its keys are absorbed: a key is known some 25 to 40 ms
/// after it began, and then it must not have gone out yet.
const DELAY: usize = 2;

/// The settings of one direction, and where the level is on its way to them.
pub(super) struct Level {
    muted: bool,
    gain: Gain,
    pub(super) fader: Fader,
}

impl Level {
    /// Not muted, at 0 dB.
    pub(super) fn new() -> Self {
        Level { muted: false, gain: Gain::UNITY, fader: Fader::OPEN }
    }

    /// `false` when it is as it was.
    pub(super) fn mute(&mut self, muted: bool) -> bool {
        let changed = std::mem::replace(&mut self.muted, muted) != muted;
        self.aim();
        changed
    }

    /// `false` when it is as it was.
    pub(super) fn gain(&mut self, gain: Gain) -> bool {
        let changed = std::mem::replace(&mut self.gain, gain) != gain;
        self.aim();
        changed
    }

    pub(super) fn is_muted(&self) -> bool {
        self.muted
    }

    fn aim(&mut self) {
        self.fader.set(if self.muted { 0.0 } else { self.gain.factor() });
    }
}

/// What a leg says.
#[repr(C)]
pub(super) struct Voice {
    pub(super) level: Level,
    /// It says what was heard, as it is.
    as_heard: bool,
    silent: bool,
    absorber: Absorber,
    /// This tick's, at the leg's rate, unless it is as it was heard.
    frame: Frame,
}

impl Voice {
    pub(super) fn new(rate: SampleRate) -> Self {
        Voice {
            frame: Frame::silence(rate),
            as_heard: true,
            silent: true,
            level: Level::new(),
            absorber: Absorber {
                wanted: false,
                delayed: false,
                past: [const { Frame::silence(SampleRate::Hz8000) }; DELAY]
                    .map(|_| Frame::silence(rate)),
                at: 0,
                passes: Fader::OPEN,
                key_ago: usize::MAX,
            },
        }
    }

    /// Takes what the leg's edge has heard; `silence`: nothing but zeros; `key`: a digit is in it.
    pub(super) fn take(&mut self, heard: &Frame, silence: bool, key: bool) {
        self.as_heard = self.level.fader.is_open() && self.absorber.is_idle();
        if self.as_heard {
            self.silent = silence;
            return;
        }
        self.frame.samples_mut().copy_from_slice(heard.samples());
        let held = self.absorber.tick(&mut self.frame, key);
        self.silent = (silence && !held) || self.level.fader.is_closed();
        self.level.fader.apply(self.frame.samples_mut());
    }

    /// Says more, whatever else it says.
    pub(super) fn add(&mut self, heard: &Frame, said: &[i16]) {
        if std::mem::take(&mut self.as_heard) {
            self.frame.samples_mut().copy_from_slice(heard.samples());
        }
        super::add(self.frame.samples_mut(), said);
        self.silent = false;
    }

    /// This tick's, made of what was heard.
    pub(super) fn frame<'a>(&'a self, heard: &'a Frame) -> &'a Frame {
        if self.as_heard { heard } else { &self.frame }
    }

    /// Whether this tick is silence.
    pub(super) fn is_silent(&self) -> bool {
        self.silent
    }

    /// `false` when it is as it was.
    pub(super) fn absorb(&mut self, wanted: bool) -> bool {
        std::mem::replace(&mut self.absorber.wanted, wanted) != wanted
    }

    pub(super) fn absorbs(&self) -> bool {
        self.absorber.wanted
    }
}

/// Keeps keys from going through: it holds the sound back until it is known whether one has begun.
#[repr(C)]
struct Absorber {
    wanted: bool,
    /// Whether what goes out is the delayed sound.
    delayed: bool,
    passes: Fader,
    at: usize,
    /// Ticks since a key was heard.
    key_ago: usize,
    past: [Frame; DELAY],
}

impl Absorber {
    /// Whether what comes goes out as it is, at once.
    fn is_idle(&self) -> bool {
        !self.wanted && !self.delayed
    }

    /// One tick; gives back whether there may be sound in it by the delay.
    fn tick(&mut self, frame: &mut Frame, key: bool) -> bool {
        if self.is_idle() {
            return false;
        }
        let late = &mut self.past[self.at % DELAY];
        self.at = (self.at + 1) % DELAY;
        match (self.delayed, self.wanted) {
            (true, true) => swap(frame, late),
            (false, _) => {
                // From the sound as it comes to the delayed one, which is silence at first.
                let mut now = frame.clone();
                swap(frame, late);
                fade_in(frame.samples_mut());
                fade_out(now.samples_mut());
                super::add(frame.samples_mut(), now.samples());
                self.delayed = true;
            }
            (true, false) => {
                fade_out(late.samples_mut());
                fade_in(frame.samples_mut());
                super::add(frame.samples_mut(), late.samples());
                self.past.iter_mut().for_each(|past| past.samples_mut().fill(0));
                self.delayed = false;
            }
        }
        self.key_ago = if key { 0 } else { self.key_ago.saturating_add(1) };
        // What comes out now is so old that a key may still be in it.
        self.passes.set(if self.delayed && self.key_ago < DELAY { 0.0 } else { 1.0 });
        self.passes.apply(frame.samples_mut());
        true
    }
}

fn swap(frame: &mut Frame, late: &mut Frame) {
    frame.samples_mut().swap_with_slice(late.samples_mut());
}
