//! The sum of one tick: what all say, and what each hears of it.

use crate::frame::{Frame, MAX_FRAME, Ptime, SampleRate};
use crate::mix;

/// Below this peak nobody hears a seam: -45 dBFS.
const QUIET: u16 = 184;

/// One tick at one rate.
pub(super) struct Sum {
    rate: SampleRate,
    total: [i32; MAX_FRAME],
    /// What those who are gone leave for the next tick: their fading out.
    tail: [i32; MAX_FRAME],
    has_tail: bool,
    /// What a leg hears that says nothing, and what it has heard in the tick before.
    all: Frame,
    before: Frame,
    /// Ticks in a row in which there was next to nothing to be heard.
    quiet: u32,
    /// What one leg hears.
    one: Frame,
}

impl Sum {
    /// Silence.
    pub(super) fn new(rate: SampleRate) -> Self {
        Sum {
            rate,
            total: [0; MAX_FRAME],
            tail: [0; MAX_FRAME],
            has_tail: false,
            all: Frame::silence(rate),
            before: Frame::silence(rate),
            quiet: 0,
            one: Frame::silence(rate),
        }
    }

    pub(super) fn rate(&self) -> SampleRate {
        self.rate
    }

    fn samples(&self) -> usize {
        self.rate.samples_in(Ptime::TICK)
    }

    /// Begins the next tick, with what was left for it.
    pub(super) fn begin(&mut self) {
        std::mem::swap(&mut self.all, &mut self.before);
        let samples = self.samples();
        if std::mem::take(&mut self.has_tail) {
            self.total[..samples].copy_from_slice(&self.tail[..samples]);
            self.tail[..samples].fill(0);
        } else {
            self.total[..samples].fill(0);
        }
    }

    /// Adds what one says.
    pub(super) fn add(&mut self, said: &[i16]) {
        let samples = self.samples();
        mix::add(&mut self.total[..samples], said);
    }

    /// Leaves something for the next tick.
    pub(super) fn leave(&mut self, said: &[i16]) {
        let samples = self.samples();
        mix::add(&mut self.tail[..samples], said);
        self.has_tail = true;
    }

    /// Whether something was left for the next tick.
    pub(super) fn has_tail(&self) -> bool {
        self.has_tail
    }

    /// There was silence.
    pub(super) fn clear(&mut self) {
        *self = Sum::new(self.rate);
    }

    /// All have been added.
    pub(super) fn end(&mut self) {
        let samples = self.samples();
        mix::mix_all(&self.total[..samples], self.all.samples_mut());
        let peak = self.all.samples().iter().fold(0, |peak, s| s.unsigned_abs().max(peak));
        self.quiet = if peak < QUIET { self.quiet.saturating_add(1) } else { 0 };
    }

    /// Whether there is next to nothing to be heard, and was in the tick before.
    pub(super) fn is_quiet(&self) -> bool {
        self.quiet > 1
    }

    /// What all say.
    pub(super) fn all(&self) -> &Frame {
        &self.all
    }

    /// What all have said in the tick before.
    pub(super) fn before(&self) -> &Frame {
        &self.before
    }

    /// What who has said `own` hears; to be used up.
    pub(super) fn less(&mut self, own: Option<&Frame>) -> &mut Frame {
        match own {
            Some(own) => {
                let total = &self.total[..self.rate.samples_in(Ptime::TICK)];
                mix::mix_minus(total, own.samples(), self.one.samples_mut());
            }
            None => self.one.samples_mut().copy_from_slice(self.all.samples()),
        }
        &mut self.one
    }
}
