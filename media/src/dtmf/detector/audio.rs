//! The last 128 ms of audio at 8 kHz, and the looks taken at it.

use super::super::bank::{Bank, HOP};
use super::super::history::History;
use super::super::spectrum::{Analyser, LENGTH, Spectrum};

/// Hops whose samples are kept: eight of a pair of tones, and as many from before they began.
pub(super) const KEPT: usize = 32;

/// Samples in, hop by hop; looks and spectra out. Hops and looks are counted back from the newest.
#[derive(Clone)]
pub(super) struct Audio {
    pub(super) bank: &'static Bank,
    analyser: &'static Analyser,
    /// The last hops, one after the other around a ring; `newest` has `filled` of its samples.
    hops: [[i16; HOP]; KEPT],
    newest: usize,
    filled: usize,
    /// Whether the newest hop, and the one before, had losses.
    lossy: [bool; 2],
    pub(super) history: History,
    /// Samples so far, lost ones included.
    pub(super) now: u64,
}

impl Audio {
    /// Silence.
    pub(super) fn new() -> Self {
        Audio {
            bank: Bank::shared(),
            analyser: Analyser::shared(),
            hops: [[0; HOP]; KEPT],
            newest: 0,
            filled: 0,
            lossy: [false; 2],
            history: History::new(),
            now: 0,
        }
    }

    /// Forgets everything, and that `lost` samples were lost.
    pub(super) fn forget(&mut self, lost: usize) {
        let now = self.now.saturating_add(lost as u64);
        *self = Audio { now, lossy: [false, true], ..Audio::new() };
        self.history.push(false);
    }

    /// Takes in samples up to the end of the hop, and gives back the rest. A hop that is full is to
    /// be looked at, and [`Audio::turn_over`] is to follow.
    pub(super) fn take<'a>(&mut self, samples: &'a [i16]) -> &'a [i16] {
        let room = &mut self.hops[self.newest][self.filled..];
        let (chunk, rest) = samples.split_at(samples.len().min(room.len()));
        room[..chunk.len()].copy_from_slice(chunk);
        self.filled += chunk.len();
        self.now = self.now.saturating_add(chunk.len() as u64);
        rest
    }

    /// What comes next in this hop was lost.
    pub(super) fn lose(&mut self) {
        self.lossy[1] = true;
    }

    /// How many samples the hop has still room for.
    pub(super) fn room(&self) -> usize {
        HOP - self.filled
    }

    /// The next hop.
    pub(super) fn turn_over(&mut self) {
        self.newest = (self.newest + 1) % KEPT;
        self.filled = 0;
        self.lossy = [self.lossy[1], false];
    }

    /// It is time for a look at this hop and the one before; whether there can be one.
    pub(super) fn push_look(&mut self) -> bool {
        let is_known = self.lossy == [false; 2];
        self.history.push(is_known);
        is_known
    }

    /// Takes the looks up to `most` hops ago that are still to be taken.
    pub(super) fn take_looks(&mut self, most: usize) {
        while let Some(back) = self.history.due(most) {
            let look = self.bank.look(self.hop(back + 1), self.hop(back));
            self.history.put(back, look);
        }
    }

    /// Where the middle of the look `back` hops ago was, in samples.
    pub(super) fn middle(&self, back: usize) -> f64 {
        self.now as f64 - ((1 + back) * HOP) as f64
    }

    /// Whether all of `hops` hops came, of which the newest is `back` hops ago.
    pub(super) fn is_known(&self, back: usize, hops: usize) -> bool {
        let all_came = (back..back + hops).all(|back| self.history.look(back).is_some());
        self.now >= ((back + hops) * HOP) as u64 && all_came
    }

    /// The spectrum of four to eight hops, of which the newest is `back` hops ago. None if they are
    /// no longer kept.
    pub(super) fn spectrum(&self, back: usize, hops: usize) -> Option<Spectrum> {
        if back + hops > KEPT {
            return None;
        }
        let mut samples = [0.0f32; LENGTH];
        let places = samples.as_chunks_mut::<HOP>().0.iter_mut();
        for (place, older) in places.zip((0..hops).rev()) {
            for (to, &sample) in place.iter_mut().zip(self.hop(back + older)) {
                *to = f32::from(sample);
            }
        }
        self.analyser.analyse(&samples[..hops * HOP])
    }

    fn hop(&self, back: usize) -> &[i16; HOP] {
        &self.hops[(self.newest + KEPT - back % KEPT) % KEPT]
    }
}
