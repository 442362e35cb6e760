//! Sounds: what is played to legs and bridges.
//!
//! On the media thread: a [`Playback`] goes through a [`Playlist`] and brings it to the rate of who
//! hears it (`converters`); `sounds` has all that is played to one leg or bridge, in order. What is
//! played is made elsewhere, before: files, tones, digits and numbers.

mod converters;
mod playback;
mod playlist;
mod sounds;

use stasis_bus::{RtPublisher, Stamp, Topic};

use crate::event::{PlaybackChanged, PlaybackState};
use crate::id::{PlaybackId, Target};

pub(crate) use converters::Converters;
pub use playback::{Playback, PlaybackControl};
pub use playlist::{Delivery, Playlist};
pub(crate) use sounds::Sounds;
pub use sounds::{MOST_PIPES, MOST_QUEUED};

/// Publishes what becomes of playbacks.
pub(crate) fn tell<'a>(
    target: Target,
    topic: &'a Topic,
    now: Stamp,
    publisher: &'a mut RtPublisher,
) -> impl FnMut(PlaybackId, PlaybackState) + 'a {
    move |playback, state| {
        publisher.publish(topic, now, PlaybackChanged { playback, target, state });
    }
}
