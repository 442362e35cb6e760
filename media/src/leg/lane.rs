//! A lane: a leg's way into one mix and back.
//!
//! A leg has one where it is. While it goes from one mix to another (to another bridge, out of its
//! bridge, or to another rate of the same bridge) it has two for a moment, and what it hears passes
//! over from one to the other.

use crate::frame::{Frame, SampleRate};
use crate::gain::{Fader, fade_in, fade_out};
use crate::id::BridgeId;
use crate::resample::Resampler;

/// Conversion between a leg's rate and its bridge's. Made where allocation is allowed.
pub struct Rates {
    bridge: SampleRate,
    to_bridge: Resampler,
    from_bridge: Resampler,
}

impl Rates {
    /// Between a leg at `leg` and a bridge at `bridge`.
    pub fn new(leg: SampleRate, bridge: SampleRate) -> Self {
        Rates { bridge, to_bridge: between(leg, bridge), from_bridge: between(bridge, leg) }
    }

    /// Whether there is nothing to convert.
    fn are_same(&self) -> bool {
        self.to_bridge.from() == self.bridge
    }

    /// The rate on the bridge's side.
    pub fn bridge(&self) -> SampleRate {
        self.bridge
    }
}

/// A converter of ticks between two rates of the engine.
pub(crate) fn between(from: SampleRate, to: SampleRate) -> Resampler {
    Resampler::new(from, to).expect("every two rates of the engine have a converter")
}

/// One tick from one rate to the other.
pub(crate) fn convert(resampler: &mut Resampler, from: &Frame, to: &mut Frame) {
    // The frames have the rates that the converter was made for; if not, rather silence.
    if resampler.process(from.samples(), to.samples_mut()).is_err() {
        to.samples_mut().fill(0);
    }
}

/// Which of a leg's lanes is meant, and which of a bridge's mixes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Era {
    /// What is being left.
    Past,
    /// What stays.
    Present,
}

/// How a tick that comes by a lane goes into what the leg hears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Blend {
    /// As it is.
    Whole,
    /// Fading in.
    Rising,
    /// Fading out.
    Falling,
    /// Not yet: the converter only gets to know the sound.
    Unheard,
}

/// Ticks for which who has come in silence is new: 200 ms.
const FRESH: u8 = 10;

/// A leg's way into one mix and back. What each tick looks at comes first, in one line of the cache.
#[repr(C)]
pub(crate) struct Lane {
    pub(crate) bridge: BridgeId,
    /// What of the leg's voice goes to the others.
    gate: Fader,
    /// The same for what the leg hears.
    ear: Fader,
    /// Whether anybody has heard anything by it.
    pub(crate) used: bool,
    /// The leg is going: its last tick.
    pub(crate) leaving: bool,
    /// Whether nothing is said in this tick.
    silent: bool,
    /// Ticks of silence in a row that its converter has taken.
    quiet: u8,
    /// Whether anything was said by it, and for how many ticks it has been there.
    spoke: bool,
    age: u8,
    /// The leg and the bridge have the same rate.
    same_rate: bool,
    /// What the leg says goes to the bridge as it comes.
    as_it_comes: bool,
    pub(crate) rates: Box<Rates>,
    /// What the leg says in this tick, at the bridge's rate, unless it is as it comes.
    said: Frame,
}

impl Lane {
    /// A lane by which nothing has come yet.
    pub(crate) fn new(bridge: BridgeId, rates: Box<Rates>) -> Self {
        let said = Frame::silence(rates.bridge);
        let mut ear = Fader::CLOSED;
        ear.set(1.0);
        Lane {
            bridge,
            gate: Fader::CLOSED,
            ear,
            used: false,
            leaving: false,
            silent: true,
            quiet: 0,
            spoke: false,
            age: 0,
            same_rate: rates.are_same(),
            as_it_comes: false,
            rates,
            said,
        }
    }

    /// A lane that is to take the place of this one, in the same state, by other converters.
    pub(crate) fn next(&self, rates: Box<Rates>) -> Self {
        let Lane { bridge, gate, ear, quiet, spoke, age, .. } = *self;
        Lane { gate, ear, quiet, spoke, age, ..Lane::new(bridge, rates) }
    }

    /// Brings what the leg says to the bridge. `allowed`: whether the others may hear it.
    pub(crate) fn say(&mut self, voice: &Frame, silent: bool, allowed: bool) {
        self.used = true;
        if !self.leaving {
            self.gate.set(if allowed { 1.0 } else { 0.0 });
        }
        let silent = silent || self.gate.is_closed();
        self.quiet = if silent { self.quiet.saturating_add(1) } else { 0 };
        let is_whole = self.gate.is_open() && !self.leaving;
        self.as_it_comes = is_whole && self.same_rate && !silent;
        self.spoke |= !silent;
        self.age = self.age.saturating_add(1);
        // A converter holds back a part of one tick.
        self.silent = self.quiet > 1 || !self.spoke;
        if self.silent {
            if self.quiet == 2 {
                self.said.samples_mut().fill(0);
            }
            self.gate.apply(&mut []);
            return;
        }
        if self.as_it_comes {
            return;
        }
        if self.gate.is_open() {
            convert(&mut self.rates.to_bridge, voice, &mut self.said);
        } else {
            let mut voice = voice.clone();
            self.gate.apply(voice.samples_mut());
            convert(&mut self.rates.to_bridge, &voice, &mut self.said);
        }
        if self.leaving {
            fade_out(self.said.samples_mut());
        }
    }

    /// What the leg says in this tick, of which the voice is `voice`; none when it is silent.
    pub(crate) fn said<'a>(&'a self, voice: &'a Frame) -> Option<&'a Frame> {
        let said = if self.as_it_comes { voice } else { &self.said };
        (!self.silent).then_some(said)
    }

    /// Whether it has only just been entered, and nothing was said by it.
    pub(crate) fn is_fresh(&self) -> bool {
        !self.spoke && self.age <= FRESH
    }

    /// Whether sound goes both ways as it is.
    pub(crate) fn passes(&self) -> bool {
        self.gate.is_open() && self.hears_as_it_comes()
    }

    /// Whether what it hears comes through as it is.
    pub(crate) fn hears_as_it_comes(&self) -> bool {
        self.ear.is_open() && !self.leaving && self.same_rate
    }

    /// Whether what it hears comes through as it is, as all that listen hear it.
    pub(crate) fn hears_all(&self) -> bool {
        self.silent && self.ear.is_open() && !self.leaving
    }

    /// Whether the leg is on hold: then it hears nothing of the bridge.
    pub(crate) fn hold(&mut self, held: bool) {
        self.ear.set(if held { 0.0 } else { 1.0 });
    }

    /// Brings a tick of the bridge to the leg, into `out`: in the place of what is there, or, with
    /// `more`, on top of it. `mix` is used up.
    pub(crate) fn hear(&mut self, mix: &mut Frame, blend: Blend, more: bool, out: &mut Frame) {
        self.ear.apply(mix.samples_mut());
        if blend == Blend::Whole && !more {
            return convert(&mut self.rates.from_bridge, mix, out);
        }
        let mut part = Frame::silence(out.rate());
        convert(&mut self.rates.from_bridge, mix, &mut part);
        match blend {
            Blend::Whole => {}
            Blend::Rising => fade_in(part.samples_mut()),
            Blend::Falling => fade_out(part.samples_mut()),
            Blend::Unheard => part.samples_mut().fill(0),
        }
        if !more {
            out.samples_mut().copy_from_slice(part.samples());
            return;
        }
        for (out, &part) in out.samples_mut().iter_mut().zip(part.samples()) {
            *out = out.saturating_add(part);
        }
    }

    /// The converter that has rested takes the tick before, so that it goes on as one that has
    /// worked: of the past it holds back a part of one tick, and nothing else.
    pub(crate) fn wake(&mut self, before: &Frame, scratch: &mut Frame) {
        convert(&mut self.rates.from_bridge, before, scratch);
    }
}
