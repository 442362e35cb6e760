//! A playlist: sounds one after the other, the later of which may still be on their way.
//!
//! Who loads them pushes them into a ring, and the media thread takes each when it gets there. It
//! never lets go of one: sounds are dropped with the playlist, elsewhere.

use crate::frame::SampleRate;
use crate::wav::{Pcm, Player, Repeat};

/// Sounds of one rate, one after the other. Never allocates once it was made.
#[derive(Debug)]
pub struct Playlist {
    rate: SampleRate,
    items: Vec<Pcm>,
    /// How many there will be, and where the others come from.
    expected: usize,
    incoming: Option<rtrb::Consumer<Pcm>>,
    repeat: Repeat,
    /// The item, and its sample, that it goes back to from its end.
    again: (usize, usize),
    at: usize,
    /// The next sample of this item.
    position: usize,
    /// Whether that item was begun.
    begun: bool,
}

/// Where the sounds of a [`Playlist`] go to. Dropped before it has taken all, the playback fails.
pub type Delivery = rtrb::Producer<Pcm>;

/// A jump within the item that is heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seek {
    /// To its beginning.
    Start,
    /// By so many milliseconds, forward or back. Not before its beginning; at its end it is over.
    By(i32),
}

/// What has come of a tick.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Step {
    /// The last item that has begun in it.
    pub(super) began: Option<usize>,
    /// There is nothing after it.
    pub(super) over: bool,
    /// What should come next does not come.
    pub(super) failed: bool,
}

impl Playlist {
    /// These, which have one rate. Others are left out.
    pub fn new(rate: SampleRate, items: Vec<Pcm>, repeat: Repeat) -> Self {
        let items: Vec<_> = items.into_iter().filter(|item| item.rate() == rate).collect();
        let (expected, incoming) = (items.len(), None);
        let (again, at, position, begun) = ((0, 0), 0, 0, false);
        Playlist { rate, items, expected, incoming, repeat, again, at, position, begun }
    }

    /// So many, which are delivered while it plays. While the next has not come, it is silent.
    pub fn awaiting(rate: SampleRate, expected: usize, repeat: Repeat) -> (Self, Delivery) {
        let (delivery, incoming) = rtrb::RingBuffer::new(expected);
        let mut list = Playlist::new(rate, Vec::with_capacity(expected), repeat);
        (list.expected, list.incoming) = (expected, Some(incoming));
        list.items.reserve_exact(expected);
        (list, delivery)
    }

    /// From this sample of the first item on.
    pub fn starting_at(mut self, sample: usize) -> Self {
        self.position = sample;
        self
    }

    /// Without an end: from the end it goes back to this sample of this item, and not to the first.
    pub fn repeating_from(mut self, item: usize, sample: usize) -> Self {
        (self.repeat, self.again) = (Repeat::Forever, (item, sample));
        self
    }

    /// The rate of its sounds.
    pub fn rate(&self) -> SampleRate {
        self.rate
    }

    /// Writes what comes next to `out`; what is missing is silence.
    pub(super) fn fill(&mut self, out: &mut [i16]) -> Step {
        let mut step = Step::default();
        let mut written = 0;
        // Of a list of nothing but empty sounds each is looked at once.
        let mut empty = 0;
        while written < out.len() {
            if !self.has_item() {
                let (over, failed) = self.end();
                (step.over, step.failed) = (over, failed);
                break;
            }
            let samples = self.items[self.at].samples();
            if !std::mem::replace(&mut self.begun, true) {
                step.began = Some(self.at);
            }
            let from = self.position.min(samples.len());
            let n = (out.len() - written).min(samples.len() - from);
            out[written..][..n].copy_from_slice(&samples[from..][..n]);
            written += n;
            self.position = from + n;
            if self.position == samples.len() {
                empty = if n == 0 { empty + 1 } else { 0 };
                if empty > self.expected {
                    step.over = true;
                    break;
                }
                self.next_item();
            }
        }
        out[written..].fill(0);
        step
    }

    /// Jumps within the item that is heard.
    pub(super) fn seek(&mut self, seek: Seek) {
        let length = self.items.get(self.at).map_or(0, |item| item.samples().len()) as i64;
        let samples = |ms: i32| i64::from(ms) * i64::from(self.rate.hz()) / 1_000;
        let position = match seek {
            Seek::Start => 0,
            Seek::By(ms) => (self.position as i64 + samples(ms)).clamp(0, length),
        };
        self.position = position as usize;
    }

    /// Whether the item that comes next is here.
    fn has_item(&mut self) -> bool {
        while self.at >= self.items.len()
            && self.items.len() < self.items.capacity()
            && let Some(incoming) = &mut self.incoming
            && let Ok(item) = incoming.pop()
        {
            self.items.push(item);
        }
        self.at < self.items.len()
    }

    fn next_item(&mut self) {
        (self.at, self.position, self.begun) = (self.at + 1, 0, false);
        if self.at == self.expected && self.repeat == Repeat::Forever {
            (self.at, self.position) = self.again;
            // One sound that repeats is told of once.
            self.begun = self.at + 1 == self.expected;
        }
    }

    /// Whether it is over, and whether it has failed, when there is no next item.
    fn end(&self) -> (bool, bool) {
        let gone = self.incoming.as_ref().is_none_or(|incoming| incoming.is_abandoned());
        let failed = self.at < self.expected && gone;
        (self.at >= self.expected || failed, failed)
    }
}

/// What `player` has still to play.
impl From<Player> for Playlist {
    fn from(player: Player) -> Self {
        let (pcm, repeat, position) = (player.pcm(), player.repeat(), player.position());
        Playlist::new(pcm.rate(), vec![pcm.clone()], repeat).starting_at(position)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: SampleRate = SampleRate::Hz8000;

    fn pcm(first: i16, length: i16) -> Pcm {
        Pcm::new(RATE, (first..first + length).collect::<Vec<_>>())
    }

    fn fill(list: &mut Playlist, samples: usize) -> (Vec<i16>, Step) {
        let mut out = vec![9; samples];
        let step = list.fill(&mut out);
        (out, step)
    }

    fn step(began: Option<usize>, over: bool, failed: bool) -> Step {
        Step { began, over, failed }
    }

    #[test]
    fn items_follow_one_another_without_a_gap_and_end_in_silence() {
        let mut list = Playlist::new(RATE, vec![pcm(1, 3), pcm(11, 2)], Repeat::Once);
        assert_eq!(fill(&mut list, 2), (vec![1, 2], step(Some(0), false, false)));
        assert_eq!(fill(&mut list, 2), (vec![3, 11], step(Some(1), false, false)));
        assert_eq!(fill(&mut list, 2), (vec![12, 0], step(None, true, false)));
        assert_eq!(fill(&mut list, 2), (vec![0, 0], step(None, true, false)));
    }

    #[test]
    fn forever_goes_round_the_whole_list_also_several_times_a_tick() {
        let mut list = Playlist::new(RATE, vec![pcm(1, 2), pcm(11, 1)], Repeat::Forever);
        let (heard, told) = fill(&mut list, 8);
        assert_eq!((heard, told.over), (vec![1, 2, 11, 1, 2, 11, 1, 2], false));
    }

    #[test]
    fn nothing_but_empty_sounds_is_over_at_once() {
        for repeat in [Repeat::Once, Repeat::Forever] {
            for items in [vec![], vec![pcm(1, 0)], vec![pcm(1, 0), pcm(1, 0)]] {
                let mut list = Playlist::new(RATE, items, repeat);
                let (heard, told) = fill(&mut list, 4);
                assert_eq!((heard, told.over, told.failed), (vec![0; 4], true, false));
            }
        }
    }

    #[test]
    fn who_waits_for_the_next_item_is_silent_and_goes_on_when_it_has_come() {
        let (mut list, mut delivery) = Playlist::awaiting(RATE, 2, Repeat::Once);
        assert_eq!(fill(&mut list, 2), (vec![0, 0], Step::default()));
        delivery.push(pcm(1, 3)).unwrap();
        assert_eq!(fill(&mut list, 5), (vec![1, 2, 3, 0, 0], step(Some(0), false, false)));
        delivery.push(pcm(11, 1)).unwrap();
        drop(delivery);
        assert_eq!(fill(&mut list, 2), (vec![11, 0], step(Some(1), true, false)));
    }

    #[test]
    fn what_will_never_come_fails_after_what_has_come() {
        let (mut list, mut delivery) = Playlist::awaiting(RATE, 2, Repeat::Forever);
        delivery.push(pcm(1, 3)).unwrap();
        drop(delivery);
        assert_eq!(fill(&mut list, 4), (vec![1, 2, 3, 0], step(Some(0), true, true)));
    }

    #[test]
    fn a_list_may_go_back_to_within_its_last_item_which_is_not_told_again() {
        let items = vec![pcm(1, 2), pcm(11, 3)];
        let mut list = Playlist::new(RATE, items, Repeat::Once).repeating_from(1, 1);
        let heard = [1, 2, 11, 12, 13, 12, 13, 12].to_vec();
        assert_eq!(fill(&mut list, 8), (heard, step(Some(1), false, false)));
        assert_eq!(fill(&mut list, 3), (vec![13, 12, 13], Step::default()));
        let mut nothing = Playlist::new(RATE, vec![pcm(1, 2)], Repeat::Once).repeating_from(0, 2);
        assert_eq!(fill(&mut nothing, 4), (vec![1, 2, 0, 0], step(Some(0), true, false)));
    }

    #[test]
    fn jumps_stay_within_the_item() {
        let mut list = Playlist::new(RATE, vec![pcm(0, 80), pcm(100, 9)], Repeat::Once);
        fill(&mut list, 10);
        list.seek(Seek::By(5)); // 40 samples
        assert_eq!(fill(&mut list, 1).0, [50]);
        list.seek(Seek::By(-3));
        assert_eq!(fill(&mut list, 1).0, [27]);
        list.seek(Seek::By(i32::MIN));
        assert_eq!(fill(&mut list, 1).0, [0]);
        list.seek(Seek::By(i32::MAX));
        assert_eq!(fill(&mut list, 1).0, [100], "beyond its end is the next item");
        list.seek(Seek::Start);
        assert_eq!(fill(&mut list, 1).0, [100]);
        let mut late =
            Playlist::new(RATE, vec![pcm(0, 8), pcm(50, 8)], Repeat::Once).starting_at(99);
        assert_eq!(fill(&mut late, 1).0, [50]);
    }

    #[test]
    fn sounds_of_another_rate_are_left_out() {
        let wide = Pcm::new(SampleRate::Hz16000, vec![5; 4]);
        let mut list = Playlist::new(RATE, vec![wide, pcm(1, 2)], Repeat::Once);
        assert_eq!(fill(&mut list, 2).0, [1, 2]);
    }
}
