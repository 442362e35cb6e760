//! Sounds: what is played to legs and bridges.
//!
//! On the media thread: a [`Playback`] goes through a [`Playlist`] and brings it to the rate of who
//! hears it (`converters`); `sounds` has all that is played to one leg or bridge, in order.
//!
//! Elsewhere: an [`Item`] is what is to be played, by its [`SoundName`], as digits or a number
//! ([`say`]), as a tone of a country ([`tone`]) or any other ([`Cadence`]). [`Prompts`] makes a playlist
//! of them.
//!
//! [`Prompts`]: crate::io::Prompts

mod cadence;
mod converters;
mod item;
mod name;
mod playback;
mod playlist;
mod render;
pub mod say;
mod sounds;
mod stage;
mod tones;

use stasis_bus::{RtPublisher, Stamp, Topic};

use crate::event::{PlaybackChanged, PlaybackState};
use crate::id::{PlaybackId, Target};

pub use cadence::{Cadence, CadenceError, Part, Sound};
pub(crate) use converters::Converters;
pub use item::{Item, ItemError, MOST_CHARACTERS, MOST_SILENCE, Paths};
pub use name::{Language, NameError, SoundName};
pub use playback::{Playback, PlaybackControl};
pub use playlist::{Delivery, Playlist};
pub use render::TONE_LEVEL;
pub(crate) use sounds::Sounds;
pub use sounds::{MOST_PIPES, MOST_QUEUED};
pub(crate) use stage::Stage;
pub use tones::{DEFAULT_COUNTRY, ToneError, tone};

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
