//! The limit on talkers: of many who make noise, the loudest few are heard.

use crate::id::{Arena, LegId};
use crate::leg::{Claim, Leg};

/// The most talkers that a limit can leave.
pub const MOST_TALKERS: usize = 64;

/// Who is heard stays so until another is louder by this much, in dB.
pub(super) const HYSTERESIS: f32 = 6.0;
/// Who talks is as if louder by this much, in dB: however loud a steady noise is, a voice goes first.
const TALK: f32 = 100.0;
/// Who is softer than this is not there, in dBov.
const FLOOR: f32 = -70.0;

/// Who is heard in this tick.
pub(super) struct Talkers {
    /// The loudest first.
    chosen: Vec<(f32, LegId)>,
    next: Vec<(f32, LegId)>,
}

impl Talkers {
    /// Everybody.
    pub(super) fn new() -> Self {
        let room = || Vec::with_capacity(MOST_TALKERS + 1);
        Talkers { chosen: room(), next: room() }
    }

    /// Chooses for this tick; `most`: at most so many, not more than [`MOST_TALKERS`]. Every member's
    /// loudness falls slowly, so that who has spoken is heard through the pauses of his sentence
    /// unless others want to be.
    pub(super) fn choose(&mut self, most: Option<usize>, members: &[LegId], legs: &Arena<Leg>) {
        let Some(most) = most else { return };
        self.next.clear();
        for member in members {
            let Some(claim) = legs.get(member.0).and_then(Leg::claim) else { continue };
            if claim.loudness > FLOOR {
                let weight = self.weight(claim);
                insert(&mut self.next, most, (weight, *member));
            }
        }
        std::mem::swap(&mut self.chosen, &mut self.next);
    }

    /// Who talks comes before who makes noise, then the louder, and who was heard up to now has a lead.
    fn weight(&self, claim: Claim) -> f32 {
        let lead = if self.is_chosen(claim.leg) { HYSTERESIS } else { 0.0 };
        let talk = if claim.talk_ms > 0 { TALK } else { 0.0 };
        claim.loudness + lead + talk
    }

    /// Whether this one is heard.
    pub(super) fn allows(&self, most: Option<usize>, leg: LegId) -> bool {
        most.is_none() || self.is_chosen(leg)
    }

    fn is_chosen(&self, leg: LegId) -> bool {
        self.chosen.iter().any(|(_, chosen)| *chosen == leg)
    }
}

/// Puts `new` where it belongs among the `most` loudest. Of two alike the first stays ahead.
fn insert(loudest: &mut Vec<(f32, LegId)>, most: usize, new: (f32, LegId)) {
    let place = loudest.iter().position(|(loudness, _)| *loudness < new.0).unwrap_or(loudest.len());
    if place < most {
        loudest.truncate(most - 1);
        loudest.insert(place, new);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loudest_few_are_kept_in_order() {
        let leg = |n| LegId::new(n, n);
        let mut loudest = Vec::with_capacity(4);
        for (n, loudness) in [-30.0, -10.0, -20.0, -40.0, -10.0, -5.0].into_iter().enumerate() {
            insert(&mut loudest, 3, (loudness, leg(n as u32)));
        }
        assert_eq!(loudest, [(-5.0, leg(5)), (-10.0, leg(1)), (-10.0, leg(4))]);
        insert(&mut loudest, 0, (0.0, leg(9)));
        assert_eq!(loudest.len(), 3, "none is to be heard");
    }
}
