//! Seats: who is in a bridge, in memory that is made elsewhere.

use crate::id::LegId;

/// Who is in a bridge. It never grows by itself: more seats come with who needs them.
pub struct Seats {
    members: Vec<LegId>,
    /// Who left since the last tick.
    leavers: Vec<LegId>,
}

impl Seats {
    /// So many seats. Allocates: not for the media thread.
    pub fn new(capacity: usize) -> Self {
        Seats { members: Vec::with_capacity(capacity), leavers: Vec::with_capacity(capacity) }
    }

    /// How many there are.
    pub fn capacity(&self) -> usize {
        self.members.capacity()
    }

    pub(super) fn members(&self) -> &[LegId] {
        &self.members
    }

    pub(super) fn leavers(&self) -> &[LegId] {
        &self.leavers
    }

    pub(super) fn is_empty(&self) -> bool {
        self.members.is_empty() && self.leavers.is_empty()
    }

    pub(super) fn has_room(&self) -> bool {
        self.members.len() < self.members.capacity()
    }

    pub(super) fn add(&mut self, leg: LegId) {
        debug_assert!(self.has_room(), "asked before");
        if self.has_room() {
            self.members.push(leg);
        }
    }

    /// Where it sits.
    pub(super) fn position(&self, leg: LegId) -> Option<usize> {
        self.members.iter().rposition(|member| *member == leg)
    }

    pub(super) fn remove(&mut self, at: usize) {
        self.members.swap_remove(at);
    }

    /// Has left, and is still heard in the next tick. Without room it is not.
    pub(super) fn leave(&mut self, leg: LegId) {
        if self.leavers.len() < self.leavers.capacity() {
            self.leavers.push(leg);
        }
    }

    pub(super) fn forget_leaver(&mut self, leg: LegId) {
        self.leavers.retain(|leaver| *leaver != leg);
    }

    pub(super) fn forget_leavers(&mut self) {
        self.leavers.clear();
    }

    /// All who sit in `other` sit here from now on, if there is room; then it is empty.
    pub(super) fn take_over(&mut self, other: &mut Seats) -> bool {
        let fits = other.members.len() <= self.members.capacity()
            && other.leavers.len() <= self.leavers.capacity();
        if fits {
            self.members.append(&mut other.members);
            self.leavers.append(&mut other.leavers);
        }
        fits
    }
}
