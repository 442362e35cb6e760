//! Slots: the memory of the jitter buffer, one packet in each, all of it allocated at the start.

use super::packet::MAX_PAYLOAD;

/// Packets that one buffer can hold: 1.28 s of 20 ms packets. A power of two.
pub(crate) const SLOTS: u64 = 64;

/// One packet that waits for its time.
pub(crate) struct Slot {
    index: u64,
    full: bool,
    /// Media time of its first sample.
    pub(crate) media: i64,
    /// Samples it holds; zero for a packet that only says the sender is silent.
    pub(crate) samples: i64,
    /// What the payload is.
    pub(crate) payload_type: u8,
    len: usize,
    bytes: [u8; MAX_PAYLOAD],
}

impl Slot {
    /// The payload.
    pub(crate) fn payload(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// A ring of slots by packet index.
pub(crate) struct Slots(Box<[Slot]>);

impl Slots {
    /// Allocates all slots, empty.
    pub(crate) fn new() -> Self {
        let empty = || Slot {
            index: 0,
            full: false,
            media: 0,
            samples: 0,
            payload_type: 0,
            len: 0,
            bytes: [0; MAX_PAYLOAD],
        };
        Slots((0..SLOTS).map(|_| empty()).collect())
    }

    /// The packet with `index`, if it is here.
    pub(crate) fn packet(&self, index: u64) -> Option<&Slot> {
        Some(&self.0[at(index)]).filter(|slot| slot.full && slot.index == index)
    }

    /// Copies a packet in. False when its slot is taken or the payload is too long.
    pub(crate) fn put(
        &mut self,
        index: u64,
        (media, samples): (i64, i64),
        payload_type: u8,
        payload: &[u8],
    ) -> bool {
        let slot = &mut self.0[at(index)];
        if slot.full || payload.len() > MAX_PAYLOAD {
            return false;
        }
        (slot.index, slot.full) = (index, true);
        (slot.media, slot.samples, slot.payload_type) = (media, samples, payload_type);
        slot.len = payload.len();
        slot.bytes[..payload.len()].copy_from_slice(payload);
        true
    }

    /// Empties the slot of `index`.
    pub(crate) fn free(&mut self, index: u64) {
        self.0[at(index)].full = false;
    }
}

fn at(index: u64) -> usize {
    (index % SLOTS) as usize
}
