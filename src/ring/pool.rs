//! The pool: preallocated message cells for a publisher that may not allocate or free.
//!
//! Cells are taken by one thread, the publisher, and come back from any thread, the one that drops
//! a message's last share (`free_stack`).
//!
//! The pool lives until its last cell has come back, wherever the publisher is by then (`lease`).

use core::any::{Any, TypeId, type_name};
use core::mem::MaybeUninit;
use core::ptr::NonNull;

use super::free_stack::FreeStack;
use super::lease::{Lease, Lessor};
use super::message::{Header, Meta, Shares, VTable};
use crate::sync::{AtomicU64, PlainCell, UnsafeCell};

/// The largest payload that fits a pool cell, in bytes.
pub const CELL_PAYLOAD: usize = 96;

/// One preallocated block.
#[repr(C, align(64))]
struct Cell {
    /// Written at each publication; a live header while shares are out. Plain, so that its address is
    /// the header's under loom, too, which watches the payload instead.
    header: PlainCell<MaybeUninit<Header>>,
    /// Keeps the pool while the cell is out. On the header's line: both are written each time.
    pool: UnsafeCell<Option<Lease<Cells>>>,
    number: u32,
    payload: UnsafeCell<Payload>,
}

/// Room for any payload of the permitted size and alignment.
#[repr(C, align(16))]
struct Payload([MaybeUninit<u8>; CELL_PAYLOAD]);

struct Cells {
    cells: Box<[Cell]>,
    free: FreeStack,
}

// SAFETY: a cell is touched by the publisher while it is free and by its message's shares while it
// is out; the stack hands it over. Payloads are `Send + Sync` by the bound of `CellPool::fill`.
unsafe impl Send for Cells {}
// SAFETY: as above.
unsafe impl Sync for Cells {}

/// The publisher's side of the pool: takes cells, from one thread at a time.
pub(crate) struct CellPool {
    cells: Lessor<Cells>,
    /// The top of our own list of free cells.
    top: Option<u32>,
}

impl CellPool {
    /// A pool of `count` cells, at least one.
    pub(crate) fn new(count: u32) -> Self {
        let count = count.clamp(1, FreeStack::MOST);
        let free = FreeStack::new(count);
        (0..count).rev().for_each(|cell| free.put(cell));
        let cells = (0..count)
            .map(|number| Cell {
                header: PlainCell::new(MaybeUninit::uninit()),
                // Written, so that the memory is there before the first publication.
                payload: UnsafeCell::new(Payload([MaybeUninit::new(0); CELL_PAYLOAD])),
                number,
                pool: UnsafeCell::new(None),
            })
            .collect();
        CellPool { cells: Lessor::new(Cells { cells, free }), top: None }
    }

    /// A message in a free cell with `count` shares, at least one; `None` when every cell is out.
    /// Wait-free, no allocation.
    pub(crate) fn fill<T: Any + Copy + Send + Sync>(
        &mut self,
        meta: impl FnOnce() -> Meta,
        payload: T,
        count: u64,
    ) -> Option<Shares> {
        const { assert!(size_of::<T>() <= CELL_PAYLOAD, "the message is larger than a pool cell") };
        const { assert!(align_of::<T>() <= 16, "the message is aligned to more than 16 bytes") };
        let number = self.top.or_else(|| self.cells.free.take_all())?;
        self.top = self.cells.free.below(number);
        let lease = self.cells.lend_alone();
        let cell = &self.cells.cells[number as usize];
        cell.payload.with_mut(|place| {
            // SAFETY: the cell is ours, and size and alignment fit (asserted above).
            unsafe { place.cast::<T>().write(payload) };
        });
        cell.pool.with_mut(|place| {
            // SAFETY: the cell is ours; the place holds `None`.
            unsafe { place.write(Some(lease)) };
        });
        let header = Header {
            shares: AtomicU64::new(count),
            vtable: const { &CellOf::<T>::VTABLE },
            meta: meta(),
        };
        cell.header.with_mut(|place| {
            // SAFETY: the cell is ours, and what the last message left was moved out.
            unsafe { (*place).write(header) };
        });
        // SAFETY: the block is live, and its shares are all ours to hand out. The pointer is made
        // from the whole cell, so that the payload can be reached from it.
        Some(unsafe { Shares::from_header(NonNull::from(cell).cast(), count) })
    }
}

/// The vtable of a `T` in a cell.
struct CellOf<T>(core::marker::PhantomData<T>);

impl<T: Any + Copy + Send + Sync> CellOf<T> {
    const VTABLE: VTable = VTable {
        type_id: TypeId::of::<T>(),
        type_name: type_name::<T>,
        payload: Self::payload,
        release: Self::release,
    };

    /// # Safety
    /// The header is of a live block in a cell.
    unsafe fn payload(header: NonNull<Header>) -> NonNull<()> {
        // SAFETY: `repr(C)` puts the header first: the pointer is the cell's, and the cell lives.
        let cell = unsafe { header.cast::<Cell>().as_ref() };
        // SAFETY: a field of a live cell is not at address zero.
        cell.payload.with(|place| unsafe { NonNull::new_unchecked(place.cast_mut().cast()) })
    }

    /// # Safety
    /// As above, and the caller held the last share.
    unsafe fn release(header: NonNull<Header>) {
        // SAFETY: as in `payload`.
        let cell = unsafe { header.cast::<Cell>().as_ref() };
        let header = cell.header.with_mut(|place| {
            // SAFETY: the last share is gone, so the header is ours to move out, once.
            unsafe { place.cast::<Header>().read() }
        });
        drop(header); // returns the topic; the payload is `Copy` and needs no end
        let pool = cell.pool.with_mut(|place| {
            // SAFETY: as above.
            unsafe { (*place).take() }
        });
        if let Some(pool) = pool {
            let number = cell.number;
            pool.free.put(number);
            // From here on the cell is the publisher's; dropping the lease may free the pool.
        }
    }
}
