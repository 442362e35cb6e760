//! Slots: the memory of the jitter buffer, one packet in each, all of it allocated at the start.
//!
//! What is known of the packets lies close together, and short payloads, which is most of them, too:
//! thousands of legs are looked at in each tick, and what they cost is to bring their memory into the
//! processor's cache. A longer payload takes one of a few long places.

use super::packet::MAX_PAYLOAD;
use stasis_bus::ring::prefetch;

/// Packets that one buffer can hold: 1.28 s of 20 ms packets. A power of two.
pub(crate) const SLOTS: u64 = 64;
/// Bytes of a short payload.
const SHORT: usize = 256;
/// Long payloads that one buffer can hold, where most are short.
const FEW: usize = 24;

/// One packet that waits for its time.
pub(crate) struct Slot {
    index: u64,
    /// Media time of its first sample.
    pub(crate) media: i64,
    /// Samples it holds; zero for a packet that only says the sender is silent.
    samples: u32,
    len: u16,
    full: bool,
    /// What the payload is.
    pub(crate) payload_type: u8,
    /// Its place among the long ones.
    long: Option<u8>,
}

impl Slot {
    /// Samples it holds; zero for a packet that only says the sender is silent.
    pub(crate) fn samples(&self) -> i64 {
        self.samples.into()
    }
}

/// A ring of slots by packet index.
pub(crate) struct Slots {
    slots: Box<[Slot]>,
    short: Box<[[u8; SHORT]]>,
    long: Box<[[u8; MAX_PAYLOAD]]>,
    /// Which long places are taken, by their bits.
    taken: u64,
}

impl Slots {
    /// Allocates all slots, empty, for packets that have about `usual` bytes each.
    pub(crate) fn new(usual: usize) -> Self {
        let empty = || Slot {
            index: 0,
            media: 0,
            samples: 0,
            len: 0,
            full: false,
            payload_type: 0,
            long: None,
        };
        let long = if usual <= SHORT { FEW } else { SLOTS as usize };
        Slots {
            slots: (0..SLOTS).map(|_| empty()).collect(),
            short: (0..SLOTS).map(|_| [0; SHORT]).collect(),
            long: (0..long).map(|_| [0; MAX_PAYLOAD]).collect(),
            taken: 0,
        }
    }

    /// The packet with `index`, if it is here.
    pub(crate) fn packet(&self, index: u64) -> Option<&Slot> {
        Some(&self.slots[at(index)]).filter(|slot| slot.full && slot.index == index)
    }

    /// The payload of a packet that is here.
    pub(crate) fn payload(&self, slot: &Slot) -> &[u8] {
        let bytes = match slot.long {
            Some(place) => self.long.get(usize::from(place)).map_or(&[][..], |bytes| bytes),
            None => &self.short[at(slot.index)],
        };
        bytes.get(..slot.len.into()).unwrap_or_default()
    }

    /// Copies a packet in. False when its slot is taken, the payload too long, or there are too many
    /// long ones.
    pub(crate) fn put(
        &mut self,
        index: u64,
        (media, samples): (i64, i64),
        payload_type: u8,
        payload: &[u8],
    ) -> bool {
        if self.slots[at(index)].full || payload.len() > MAX_PAYLOAD {
            return false;
        }
        let long = if payload.len() > SHORT {
            let Some(place) = self.take_long() else { return false };
            self.long[usize::from(place)][..payload.len()].copy_from_slice(payload);
            Some(place)
        } else {
            self.short[at(index)][..payload.len()].copy_from_slice(payload);
            None
        };
        let (len, samples) = (payload.len() as u16, samples.clamp(0, u32::MAX.into()) as u32);
        self.slots[at(index)] = Slot { index, media, samples, len, full: true, payload_type, long };
        true
    }

    /// Brings the slots of these near: one that is to be filled, and one that is to be read.
    pub(crate) fn prefetch(&self, fills: u64, reads: u64) {
        for index in [fills, reads] {
            prefetch(&self.slots[at(index)], 1);
            prefetch(&self.short[at(index)], 3);
        }
    }

    /// Empties the slot of `index`.
    pub(crate) fn free(&mut self, index: u64) {
        let slot = &mut self.slots[at(index)];
        slot.full = false;
        if let Some(place) = slot.long.take() {
            self.taken &= !(1 << place);
        }
    }

    fn take_long(&mut self) -> Option<u8> {
        let place = self.taken.trailing_ones() as usize;
        if place >= self.long.len() {
            return None;
        }
        self.taken |= 1 << place;
        Some(place as u8)
    }
}

fn at(index: u64) -> usize {
    (index % SLOTS) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(slots: &mut Slots, index: u64, bytes: usize) -> bool {
        slots.put(index, (index as i64, bytes as i64), 7, &vec![index as u8; bytes])
    }

    fn payload(slots: &Slots, index: u64) -> Option<Vec<u8>> {
        slots.packet(index).map(|slot| slots.payload(slot).to_vec())
    }

    #[test]
    fn payloads_of_any_length_come_back_as_they_went_in() {
        let mut slots = Slots::new(160);
        for (index, bytes) in [0, 1, 160, SHORT, SHORT + 1, MAX_PAYLOAD].into_iter().enumerate() {
            assert!(put(&mut slots, index as u64, bytes));
            assert_eq!(payload(&slots, index as u64), Some(vec![index as u8; bytes]));
        }
        assert!(!put(&mut slots, 9, MAX_PAYLOAD + 1), "too long");
        assert!(!put(&mut slots, SLOTS, 1), "its slot is taken");
        assert_eq!(payload(&slots, SLOTS), None);
    }

    #[test]
    fn long_places_are_given_back() {
        for (usual, many) in [(160, FEW as u64), (640, SLOTS)] {
            let mut slots = Slots::new(usual);
            assert!((0..many).all(|index| put(&mut slots, index, 1_000)));
            if many < SLOTS {
                assert!(!put(&mut slots, many, 1_000), "there are no more");
                assert!(put(&mut slots, many, 100), "a short one needs none");
            }
            for round in 1..100 {
                let index = round * SLOTS + round % many;
                slots.free(index);
                assert!(put(&mut slots, index, 1_500), "round {round}");
                assert_eq!(payload(&slots, index), Some(vec![index as u8; 1_500]));
            }
        }
    }
}
