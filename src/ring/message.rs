//! The message: immutable, shared without copying, of any Rust type.
//!
//! A [`Message`] is one pointer to a block: a header (shares, stamp, origin, topic), then the
//! payload. The publisher counts who will receive it *before* it hands out the first share, so the
//! count is written once ([`Shares`]); a clone per subscriber would fight with the subscribers that
//! are already dropping theirs. Who drops the last share releases the block: to the heap, or to the
//! pool that it came from (`pool`); the header's vtable knows which.

use core::any::{Any, TypeId, type_name};
use core::fmt;
use core::ptr::NonNull;

use super::lease::Lease;
use crate::stamp::Stamp;
use crate::sync::{AcqRel, AtomicU64, Relaxed, order};
use crate::topic::{EntityId, TopicInfo};

/// What every message carries beside its payload.
pub(crate) struct Meta {
    pub(crate) stamp: Stamp,
    pub(crate) origin: EntityId,
    /// The topic it was first published to; on loan, so that it outlives its handles.
    pub(crate) topic: Lease<TopicInfo>,
}

/// What depends on the payload's type and on where the block came from.
pub(super) struct VTable {
    pub(super) type_id: TypeId,
    pub(super) type_name: fn() -> &'static str,
    /// Where the payload is.
    ///
    /// # Safety
    /// The header is of a live block of this vtable.
    pub(super) payload: unsafe fn(NonNull<Header>) -> NonNull<()>,
    /// Ends payload and meta and gives the block back.
    ///
    /// # Safety
    /// As above, and the caller held the last share.
    pub(super) release: unsafe fn(NonNull<Header>),
}

/// The first part of every block.
pub(super) struct Header {
    pub(super) shares: AtomicU64,
    pub(super) vtable: &'static VTable,
    pub(super) meta: Meta,
}

/// A block on the heap.
#[repr(C)]
struct HeapBlock<T> {
    header: Header,
    payload: T,
}

impl<T: Any + Send + Sync> HeapBlock<T> {
    const VTABLE: VTable = VTable {
        type_id: TypeId::of::<T>(),
        type_name: type_name::<T>,
        payload: Self::payload,
        release: Self::release,
    };

    /// # Safety
    /// The header is of a live `HeapBlock<T>`.
    unsafe fn payload(header: NonNull<Header>) -> NonNull<()> {
        let block = header.cast::<Self>().as_ptr();
        // SAFETY: `repr(C)` puts the header first, so the pointer is the block's; the field is
        // inside it.
        let payload = unsafe { &raw mut (*block).payload };
        // SAFETY: a field of a live block is not at address zero.
        unsafe { NonNull::new_unchecked(payload.cast()) }
    }

    /// # Safety
    /// As above, and the caller held the last share.
    unsafe fn release(header: NonNull<Header>) {
        // SAFETY: made by `Box::leak` in `Shares::on_heap`; the last share is gone.
        drop(unsafe { Box::from_raw(header.cast::<Self>().as_ptr()) });
    }
}

/// A message on its way to `left` subscribers, before it is handed out.
pub(crate) struct Shares {
    header: NonNull<Header>,
    left: u64,
}

impl Shares {
    /// A message on the heap with `count` shares, at least one.
    pub(crate) fn on_heap<T: Any + Send + Sync>(meta: Meta, payload: T, count: u64) -> Self {
        let header = Header {
            shares: AtomicU64::new(count),
            vtable: const { &HeapBlock::<T>::VTABLE },
            meta,
        };
        let block = Box::leak(Box::new(HeapBlock { header, payload }));
        Shares { header: NonNull::from(block).cast(), left: count }
    }

    /// # Safety
    /// The header is of a live block whose `count` shares all belong to the caller.
    pub(super) unsafe fn from_header(header: NonNull<Header>, count: u64) -> Self {
        Shares { header, left: count }
    }

    /// How many are still to be handed out.
    #[inline]
    pub(crate) fn left(&self) -> u64 {
        self.left
    }

    /// One of the shares; `None` when all are out.
    #[inline]
    pub(crate) fn take(&mut self) -> Option<Message> {
        self.left = self.left.checked_sub(1)?;
        Some(Message { header: self.header })
    }

    /// Takes a share back that was refused; it must be one of these.
    #[inline]
    pub(crate) fn put_back(&mut self, message: Message) {
        debug_assert_eq!(message.header, self.header);
        core::mem::forget(message);
        self.left += 1;
    }
}

impl Drop for Shares {
    fn drop(&mut self) {
        if self.left > 0 {
            // SAFETY: the shares that are left are ours.
            unsafe { give_up(self.header, self.left) };
        }
    }
}

/// A message: a typed payload with the time, the origin and the topic of its publication.
///
/// Cheap to clone and to send; the payload is shared and never changes.
pub struct Message {
    header: NonNull<Header>,
}

// SAFETY: payloads are `Send + Sync` by the bounds of every constructor, and so is the meta.
unsafe impl Send for Message {}
// SAFETY: as above; a shared message gives out shared references alone.
unsafe impl Sync for Message {}

impl Message {
    fn header(&self) -> &Header {
        // SAFETY: our share keeps the block alive.
        unsafe { self.header.as_ref() }
    }

    /// The payload, if it is a `T`.
    pub fn downcast_ref<T: Any>(&self) -> Option<&T> {
        self.is::<T>().then(|| {
            let vtable = self.header().vtable;
            // SAFETY: our share keeps the block alive, and the vtable is its own.
            let payload = unsafe { (vtable.payload)(self.header) };
            // SAFETY: the payload is a `T`, written before the first share was handed out, and
            // is never written again while a share lives.
            unsafe { payload.cast::<T>().as_ref() }
        })
    }

    /// Whether the payload is a `T`.
    pub fn is<T: Any>(&self) -> bool {
        self.type_id() == TypeId::of::<T>()
    }

    /// The payload's type.
    pub fn type_id(&self) -> TypeId {
        self.header().vtable.type_id
    }

    /// The name of the payload's type, for people.
    pub fn type_name(&self) -> &'static str {
        (self.header().vtable.type_name)()
    }

    /// Whether both are the same message, not two with the same content.
    pub fn same(&self, other: &Message) -> bool {
        self.header == other.header
    }

    /// When it was published.
    pub fn stamp(&self) -> Stamp {
        self.header().meta.stamp
    }

    /// The node that it comes from.
    pub fn origin(&self) -> EntityId {
        self.header().meta.origin
    }

    /// The topic that it was first published to.
    pub fn topic(&self) -> &TopicInfo {
        &self.header().meta.topic
    }
}

impl Clone for Message {
    fn clone(&self) -> Self {
        // Relaxed: we hold a share, so the count cannot reach zero meanwhile.
        self.header().shares.fetch_add(1, Relaxed);
        Message { header: self.header }
    }
}

impl Drop for Message {
    fn drop(&mut self) {
        // SAFETY: this share is ours and goes now.
        unsafe { give_up(self.header, 1) };
    }
}

/// # Safety
/// `count` shares of the live block belong to the caller, who does not use them again.
unsafe fn give_up(header: NonNull<Header>, count: u64) {
    let (before, vtable) = {
        // SAFETY: our shares keep the block alive until the subtraction.
        let header = unsafe { header.as_ref() };
        let vtable = header.vtable;
        // Release: our reads of the payload come before its end. Acquire: whoever ends it comes
        // after everybody's reads. Each give-up pairs with the others.
        (header.shares.fetch_sub(count, order("message.give_up", AcqRel)), vtable)
    };
    if before == count {
        // SAFETY: no share is left; the vtable is the block's.
        unsafe { (vtable.release)(header) };
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("type", &self.type_name())
            .field("topic", &self.topic().name())
            .field("stamp", &self.stamp())
            .finish()
    }
}
