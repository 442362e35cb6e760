//! What a leg says, on its way from its edge to its bridge: muted, louder or softer.

use crate::frame::{Frame, SampleRate};
use crate::gain::{Fader, Gain};

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
    /// This tick's, at the leg's rate, unless it is as it was heard.
    frame: Frame,
}

impl Voice {
    pub(super) fn new(rate: SampleRate) -> Self {
        Voice { frame: Frame::silence(rate), as_heard: true, silent: true, level: Level::new() }
    }

    /// Takes what the leg's edge has heard; `silence`: nothing but zeros.
    pub(super) fn take(&mut self, heard: &Frame, silence: bool) {
        self.as_heard = self.passes();
        if self.as_heard {
            self.silent = silence;
            return;
        }
        self.frame.samples_mut().copy_from_slice(heard.samples());
        self.silent = silence || self.level.fader.is_closed();
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

    /// Whether it says what is heard, as it is.
    pub(super) fn passes(&self) -> bool {
        self.level.fader.is_open()
    }

    /// This tick's, made of what was heard.
    pub(super) fn frame<'a>(&'a self, heard: &'a Frame) -> &'a Frame {
        if self.as_heard { heard } else { &self.frame }
    }

    /// Whether this tick is silence.
    pub(super) fn is_silent(&self) -> bool {
        self.silent
    }
}
