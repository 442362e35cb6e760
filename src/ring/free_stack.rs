//! The stack of free cells: one thread takes, any thread gives back.
//!
//! Giving back pushes the cell's number (a compare-and-swap loop); taking never loops: the taker
//! swaps the whole stack out in one step and then walks its own list. Since nobody pops single
//! cells, there is no ABA problem, and a thread preempted while giving back holds up no other.
//!
//! Giving back retries only when another cell has come back meanwhile. On the taker's own thread,
//! where no cell can go out meanwhile, that is at most once a cell: bounded.

use crate::sync::{Acquire, AtomicU32, Relaxed, Release, order, spin_loop};

/// The stack of returned cells, by number; `NIL` ends a list.
pub struct FreeStack {
    head: AtomicU32,
    next: Box<[AtomicU32]>,
}

const NIL: u32 = u32::MAX;

impl FreeStack {
    /// The most cells that a stack can hold.
    pub const MOST: u32 = NIL - 1;

    /// An empty stack for cells `0..cells`.
    pub fn new(cells: u32) -> Self {
        FreeStack {
            head: AtomicU32::new(NIL),
            next: (0..cells).map(|_| AtomicU32::new(NIL)).collect(),
        }
    }

    /// Puts `cell` on the stack. Lock-free; from any thread that owns the cell.
    pub fn put(&self, cell: u32) {
        let mut head = self.head.load(Relaxed);
        loop {
            self.next[cell as usize].store(head, Relaxed); // published by the exchange
            // Pairs with the swap in `take_all`: who takes the list sees the links and the end of
            // whatever was in the cells.
            let release = order("pool.put.release", Release);
            match self.head.compare_exchange_weak(head, cell, release, Relaxed) {
                Ok(_) => return,
                Err(now) => head = now,
            }
            spin_loop();
        }
    }

    /// Takes the whole stack, in one step; `None` when it is empty. Wait-free.
    pub fn take_all(&self) -> Option<u32> {
        // Pairs with the exchanges in `put`, all of them: they form one release sequence.
        let head = self.head.swap(NIL, order("pool.take.acquire", Acquire));
        (head != NIL).then_some(head)
    }

    /// The cell below `cell` in a list that was taken.
    pub fn below(&self, cell: u32) -> Option<u32> {
        let next = self.next[cell as usize].load(Relaxed); // ours since `take_all`
        (next != NIL).then_some(next)
    }
}
