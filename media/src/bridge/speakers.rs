//! Who speaks in a bridge, for those who show it: the active speaker first.
//!
//! As in Volfin and Cohen's identification of the dominant speaker, three spans of time decide. A tick: how
//! loud is it. A few syllables ([`WORTH_MS`]): is it speech at all; a cough is over by then. And a
//! phrase ([`RIVALRY`]): who speaks keeps the floor until he has paused, or until another has been
//! louder by a clear margin for that long. So two who are equally loud do not take turns with every word.
//!
//! The order behind the active speaker is that in which they had the floor, the latest first. Who has not had it
//! yet, but speaks, comes in as the second. So the order changes when somebody takes the floor, and
//! hardly otherwise. What counts is the same [`Claim`] that the limit on talkers goes by.

use super::talkers::HYSTERESIS;
use crate::event::Speakers;
use crate::id::{Arena, BridgeId, LegId};
use crate::leg::{Claim, Leg};

/// How long somebody must have talked to be a speaker, in milliseconds.
const WORTH_MS: u32 = 300;
/// For how many ticks in a row a rival must be louder than who has the floor, and talks: 600 ms.
const RIVALRY: u32 = 30;

/// Who speaks in a bridge.
pub(super) struct Ranking {
    order: Speakers,
    /// Of this tick: the claim of who has the floor, the loudest other, and the loudest of those who
    /// are not in the order.
    holder: Option<Claim>,
    best: Option<Claim>,
    newcomer: Option<Claim>,
    /// Who is louder than who has the floor, and for how many ticks.
    rival: Option<(LegId, u32)>,
}

impl Ranking {
    /// Nobody has spoken yet.
    pub(super) fn new() -> Self {
        let order = Speakers::default();
        Ranking { order, holder: None, best: None, newcomer: None, rival: None }
    }

    /// Hears of a member, once a tick.
    pub(super) fn consider(&mut self, leg: &Leg) {
        if leg.talk_ms() >= WORTH_MS
            && let Some(claim) = leg.claim()
        {
            self.weigh(claim);
        }
    }

    fn weigh(&mut self, claim: Claim) {
        let is_louder = |than: Option<Claim>| than.is_none_or(|t| t.loudness < claim.loudness);
        if self.order.first() == Some(claim.leg) {
            self.holder = Some(claim);
        } else if is_louder(self.best) {
            self.best = Some(claim);
        }
        if is_louder(self.newcomer) && !self.order.contains(claim.leg) {
            self.newcomer = Some(claim);
        }
    }

    /// All members of `bridge` were heard of. Gives the order if it is another.
    pub(super) fn end_tick(&mut self, bridge: BridgeId, legs: &Arena<Leg>) -> Option<Speakers> {
        let claim_of = |leg: LegId| {
            let leg = legs.get(leg.0).filter(|leg| leg.bridge() == Some(bridge));
            leg.and_then(Leg::claim)
        };
        self.settle(claim_of)
    }

    /// `claim_of`: what a leg has to say for being heard, if it is still there and may be heard.
    fn settle(&mut self, claim_of: impl Fn(LegId) -> Option<Claim>) -> Option<Speakers> {
        let before = self.order;
        self.order.retain(|leg| claim_of(leg).is_some());
        if let Some(newcomer) = self.newcomer.take() {
            // Who still talks is not pushed out: were there more than have room, they would take turns.
            let talks = |leg: LegId| claim_of(leg).is_some_and(|claim| claim.talk_ms > 0);
            if self.order.last().is_none_or(|last| !talks(last)) {
                self.order.insert(1, newcomer.leg);
            }
        }
        let (holder, best) = (self.holder.take(), self.best.take());
        if let Some(best) = best.filter(|best| self.takes_the_floor(*best, holder)) {
            self.rival = None;
            self.order.retain(|leg| leg != best.leg);
            self.order.insert(0, best.leg);
        } else if best.is_none() {
            self.rival = None;
        }
        (self.order != before).then_some(self.order)
    }

    fn takes_the_floor(&mut self, best: Claim, holder: Option<Claim>) -> bool {
        let Some(holder) = holder else { return true };
        if best.loudness < holder.loudness + HYSTERESIS {
            self.rival = None;
            return false;
        }
        let ticks = match self.rival {
            Some((leg, ticks)) if leg == best.leg => ticks + 1,
            _ => 1,
        };
        self.rival = Some((best.leg, ticks));
        ticks >= RIVALRY
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::MOST_SPEAKERS;

    fn leg(n: u32) -> LegId {
        LegId::new(n, n)
    }

    /// Ticks in which these legs talk for so long already, at these levels; the orders that were told.
    fn run(ranking: &mut Ranking, ticks: u32, talks: &[(u32, f32)]) -> Vec<Vec<u32>> {
        let mut told = Vec::new();
        for tick in 0..ticks {
            let claim = |n: u32| {
                let talks = talks.iter().find(|(leg, _)| *leg == n);
                let (loudness, talk_ms) =
                    talks.map_or((-90.0, 0), |(_, level)| (*level, 1_000 + tick * 20));
                Claim { leg: leg(n), loudness, talk_ms }
            };
            talks.iter().for_each(|(n, _)| ranking.weigh(claim(*n)));
            let order = ranking.settle(|leg| Some(claim(leg.serial())));
            told.extend(order.map(|order| order.iter().map(|leg| leg.serial()).collect()));
        }
        told
    }

    #[test]
    fn who_speaks_last_comes_first_and_who_was_before_is_behind() {
        let mut ranking = Ranking::new();
        assert_eq!(run(&mut ranking, 50, &[(1, -30.0)]), [[1]]);
        assert_eq!(run(&mut ranking, 50, &[]), Vec::<Vec<u32>>::new(), "silence changes nothing");
        assert_eq!(run(&mut ranking, 50, &[(2, -40.0)]), [[2, 1]]);
        assert_eq!(run(&mut ranking, 50, &[(3, -30.0)]), [[3, 2, 1]]);
        assert_eq!(run(&mut ranking, 50, &[(1, -30.0)]), [[1, 3, 2]]);
    }

    #[test]
    fn a_second_voice_is_second_until_it_is_clearly_louder_for_a_while() {
        let mut ranking = Ranking::new();
        run(&mut ranking, 10, &[(1, -30.0)]);
        assert_eq!(run(&mut ranking, 500, &[(1, -30.0), (2, -26.0)]), [[1, 2]]);
        let (short, long) = (RIVALRY - 1, RIVALRY);
        assert!(run(&mut ranking, short, &[(1, -30.0), (2, -20.0)]).is_empty());
        assert!(run(&mut ranking, 1, &[(1, -30.0), (2, -26.0)]).is_empty());
        assert!(run(&mut ranking, short, &[(1, -30.0), (2, -20.0)]).is_empty());
        assert!(run(&mut ranking, 1, &[(1, -30.0)]).is_empty(), "and then it was not there");
        assert_eq!(run(&mut ranking, long, &[(1, -30.0), (2, -20.0)]), [[2, 1]]);
    }

    #[test]
    fn more_talkers_than_there_is_room_for_do_not_take_turns() {
        let mut ranking = Ranking::new();
        let all: Vec<(u32, f32)> = (0..2 * MOST_SPEAKERS as u32).map(|n| (n, -30.0)).collect();
        let told = run(&mut ranking, 1_000, &all);
        assert_eq!(told.len(), MOST_SPEAKERS);
        assert_eq!(told.last().map(Vec::len), Some(MOST_SPEAKERS));
    }

    #[test]
    fn who_is_gone_is_gone_from_the_order() {
        let mut ranking = Ranking::new();
        run(&mut ranking, 10, &[(1, -30.0)]);
        run(&mut ranking, 10, &[(2, -30.0)]);
        let order = ranking.settle(|leg| {
            (leg.serial() != 2).then_some(Claim { leg, loudness: -90.0, talk_ms: 0 })
        });
        assert_eq!(order.and_then(|order| order.first()), Some(leg(1)));
        assert_eq!(ranking.settle(|_| None), Some(Speakers::default()));
        assert_eq!(ranking.settle(|_| None), None);
    }
}
