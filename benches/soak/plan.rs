//! Who is in which room and does what there: made from the arguments alone, so that both processes
//! have the same.

use super::args::Args;

/// Legs whose audio is looked at, if there are so many.
pub const SAMPLED: u32 = 8;
/// Rooms that these are in, if there are so many.
const SAMPLED_ROOMS: u32 = 4;
/// Legs of a room that send digits, if so many speak and are not looked at.
const SINGERS: u32 = 4;
/// The pilots' frequencies in Hz: above the speech, which is cut off for them, and half a turn off in
/// a tick, so that a tick too many or too few is seen.
const PILOT_HZ: u32 = 2_625;
const PILOT_STEP_HZ: u32 = 100;

/// Ticks of warming up, which nothing is said of.
pub const WARM_UP_TICKS: u64 = 100;
/// Ticks that are sent after the last one that counts, so that the end of the load disturbs nothing.
pub const TAIL_TICKS: u64 = 25;
/// Ticks from one digit to the next, and of one digit.
pub const DIGIT_EVERY_TICKS: u64 = 50;
pub const DIGIT_TICKS: u64 = 5;
/// What the singers of a room are apart, so that no two sing at a time.
const SINGERS_APART_TICKS: u64 = 12;

/// Ticks that the load is sent for.
pub fn total_ticks(seconds: u64) -> u64 {
    WARM_UP_TICKS + 50 * seconds + TAIL_TICKS
}

/// Ticks after which a singer begins.
pub fn singer_begins(singer: u32) -> u64 {
    SINGERS_APART_TICKS * u64::from(singer)
}

/// How many digits a singer sends; the last early enough to be told of before the end.
pub fn digits_of(singer: u32, seconds: u64) -> u64 {
    total_ticks(seconds).saturating_sub(singer_begins(singer) + TAIL_TICKS) / DIGIT_EVERY_TICKS
}

/// What one leg does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Part {
    /// Its room.
    pub room: u32,
    /// Its place there.
    pub place: u32,
    /// It sends speech, or digits.
    pub talks: bool,
    /// What it hears is looked at.
    pub sampled: bool,
    /// The tone that it sends beside its speech, in Hz.
    pub pilot: Option<u32>,
    /// It sends digits, and is so-manieth of those of its room.
    pub singer: Option<u32>,
}

/// What all legs do.
pub fn plan(args: &Args) -> Vec<Part> {
    // Nobody is in no room, but that is no number to divide by.
    let (rooms, talkers) = (args.rooms().max(1), args.talkers());
    let sampled_rooms = rooms.min(SAMPLED_ROOMS);
    let share = SAMPLED / sampled_rooms;
    (0..args.legs)
        .map(|leg| {
            let (room, place) = (leg % rooms, leg / rooms);
            let size = args.legs / rooms + u32::from(room < args.legs % rooms);
            let talkers = talkers.min(size);
            // Half of those that are looked at listen, where there are listeners.
            let listeners = (size - talkers).min(share / 2);
            // Somebody is to send digits.
            let speakers = if args.dtmf && talkers > 1 { talkers - 1 } else { talkers };
            let pilots = speakers.min(share - listeners);
            let talks = place < talkers;
            // The rooms that are looked at are spread over all.
            let every = rooms / sampled_rooms;
            let looked_at = room % every == 0 && room / every < sampled_rooms;
            let pilot = (looked_at && place < pilots).then(|| PILOT_HZ + PILOT_STEP_HZ * place);
            let listens = looked_at && (talkers..talkers + listeners).contains(&place);
            let first = if looked_at { pilots } else { 0 };
            let singers = first..talkers.min(first + SINGERS);
            Part {
                room,
                place,
                talks,
                sampled: pilot.is_some() || listens,
                pilot,
                singer: (args.dtmf && singers.contains(&place)).then(|| place - first),
            }
        })
        .collect()
}

#[cfg(test)]
#[allow(unused)] // a bench has no harness, and so no tests
mod tests {
    use super::*;
    use clap::Parser;
    use std::collections::HashSet;

    fn planned(line: &str) -> Vec<Part> {
        plan(&Args::parse_from(line.split(' ')))
    }

    #[test]
    fn every_leg_has_a_place_of_its_own_and_pilots_of_a_room_differ() {
        for legs in [1, 2, 7, 8, 9, 50, 500] {
            for rooms in [1, 2, 3, 5, 9, 50] {
                for talkers in [0, 1, 3, 100] {
                    let line =
                        format!("soak --dtmf --legs {legs} --rooms {rooms} --talkers {talkers}");
                    let parts = planned(&line);
                    let places: HashSet<_> = parts.iter().map(|p| (p.room, p.place)).collect();
                    assert_eq!(places.len(), legs, "{line}");
                    let pilots: Vec<_> =
                        parts.iter().filter_map(|p| Some((p.room, p.pilot?))).collect();
                    assert_eq!(pilots.iter().collect::<HashSet<_>>().len(), pilots.len());
                    for part in &parts {
                        assert!(part.pilot.is_none_or(|hz| hz < 3_400 && hz % 50 == 25));
                        assert!(part.talks || (part.pilot.is_none() && part.singer.is_none()));
                        assert!(part.pilot.is_none() || part.singer.is_none());
                    }
                    let can_sing = parts.iter().filter(|p| p.talks).count() > rooms.min(legs);
                    let sings = parts.iter().any(|p| p.singer.is_some());
                    assert!(sings || !can_sing, "{line}");
                    let sampled = parts.iter().filter(|p| p.sampled).count();
                    assert!((1..=SAMPLED as usize).contains(&sampled), "{line}: {sampled}");
                }
            }
        }
    }

    #[test]
    fn singers_take_turns_and_end_before_the_load_does() {
        for seconds in [1, 2, 10, 3_600] {
            for singer in 0..SINGERS {
                let last = singer_begins(singer) + DIGIT_EVERY_TICKS * digits_of(singer, seconds);
                assert!(last + TAIL_TICKS <= total_ticks(seconds));
                assert!(digits_of(singer, seconds) > seconds);
            }
        }
        let begins: Vec<_> = (0..=SINGERS).map(singer_begins).collect();
        assert!(begins.windows(2).all(|pair| pair[1] - pair[0] > DIGIT_TICKS));
        assert!(singer_begins(SINGERS) <= DIGIT_EVERY_TICKS);
    }

    #[test]
    fn talkers_and_listeners_are_looked_at_in_rooms_that_lie_apart() {
        let parts = planned("soak --legs 400 --rooms 40 --talkers 3");
        let sampled: Vec<_> = parts.iter().filter(|p| p.sampled).collect();
        let rooms: HashSet<_> = sampled.iter().map(|p| p.room).collect();
        assert_eq!((sampled.len(), rooms), (8, HashSet::from([0, 10, 20, 30])));
        assert_eq!(sampled.iter().filter(|p| p.talks).count(), 4);
        assert_eq!(parts.iter().filter(|p| p.talks).count(), 120);
        assert_eq!(planned("soak --legs 0 --idle-rooms 3"), []);
        let all = planned("soak --legs 20 --rooms 1");
        assert!(all[..8].iter().all(|p| p.pilot.is_some()) && all[8].pilot.is_none());
    }
}
