//! A sound, frame by frame.

use super::Pcm;

/// What happens at the end of a sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeat {
    /// It is over.
    Once,
    /// It starts again, without a gap: music on hold.
    Forever,
}

/// Streams a [`Pcm`]. Never allocates; whoever drops the last clone of the sound frees it, so the
/// media thread hands a finished player back.
#[derive(Clone, Debug)]
pub struct Player {
    pcm: Pcm,
    repeat: Repeat,
    position: usize,
}

impl Player {
    /// A player at the start of `pcm`.
    pub fn new(pcm: Pcm, repeat: Repeat) -> Self {
        Player { pcm, repeat, position: 0 }
    }

    /// Writes what comes next to `out`, at the sound's rate, and returns how many samples of it
    /// are sound: less than its length once the sound is over. The rest is silence.
    pub fn fill(&mut self, out: &mut [i16]) -> usize {
        let samples = self.pcm.samples();
        let mut written = 0;
        while written < out.len() {
            if self.position == samples.len() {
                if self.repeat == Repeat::Once || samples.is_empty() {
                    break;
                }
                self.position = 0;
            }
            let n = (out.len() - written).min(samples.len() - self.position);
            out[written..][..n].copy_from_slice(&samples[self.position..][..n]);
            written += n;
            self.position += n;
        }
        out[written..].fill(0);
        written
    }

    /// The sound.
    pub fn pcm(&self) -> &Pcm {
        &self.pcm
    }

    /// What happens at its end.
    pub fn repeat(&self) -> Repeat {
        self.repeat
    }

    /// The next sample's place in the sound.
    pub fn position(&self) -> usize {
        self.position
    }

    /// Goes on at sample `position`, or at the end when the sound is shorter.
    pub fn seek(&mut self, position: usize) {
        self.position = position.min(self.pcm.samples().len());
    }

    /// Whether there is nothing more to come.
    pub fn is_done(&self) -> bool {
        let at_end = self.position == self.pcm.samples().len();
        at_end && (self.repeat == Repeat::Once || self.pcm.samples().is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::SampleRate;

    fn player(length: i16, repeat: Repeat) -> Player {
        let samples: Vec<i16> = (1..=length).collect();
        Player::new(Pcm::new(SampleRate::Hz8000, samples), repeat)
    }

    #[test]
    fn once_ends_in_silence() {
        let mut player = player(5, Repeat::Once);
        let mut out = [9; 3];
        assert_eq!((player.fill(&mut out), out), (3, [1, 2, 3]));
        assert!(!player.is_done());
        assert_eq!((player.fill(&mut out), out), (2, [4, 5, 0]));
        assert!(player.is_done());
        assert_eq!((player.fill(&mut out), out), (0, [0, 0, 0]));
    }

    #[test]
    fn forever_goes_round_without_a_gap_even_several_times_a_frame() {
        let mut player = player(3, Repeat::Forever);
        let mut out = [0; 8];
        assert_eq!((player.fill(&mut out), out), (8, [1, 2, 3, 1, 2, 3, 1, 2]));
        assert_eq!((player.fill(&mut out), out), (8, [3, 1, 2, 3, 1, 2, 3, 1]));
        assert!(!player.is_done());
    }

    #[test]
    fn an_empty_sound_is_silence_either_way() {
        for repeat in [Repeat::Once, Repeat::Forever] {
            let mut player = player(0, repeat);
            let mut out = [7; 4];
            assert_eq!((player.fill(&mut out), out), (0, [0; 4]));
            assert!(player.is_done());
        }
    }

    #[test]
    fn seeking_stays_within_the_sound() {
        let mut player = player(5, Repeat::Once);
        player.seek(3);
        assert_eq!(player.position(), 3);
        let mut out = [0; 2];
        assert_eq!((player.fill(&mut out), out), (2, [4, 5]));
        player.seek(99);
        assert!(player.is_done());
        player.seek(0);
        assert_eq!((player.fill(&mut out), out), (2, [1, 2]));
    }
}
