//! The beep before a recording. Until it is over nothing is recorded, so it is not in the file.

use std::sync::{Arc, Weak};

use super::RecordTarget;
use crate::id::{PlaybackId, Target};
use crate::io::media::{ControlError, Media};
use crate::sound::{DEFAULT_COUNTRY, PlaybackControl, Playlist, tone};
use crate::wav::Repeat;

/// A beep that is heard, or waits to be. Dropped before its end, it is stopped.
pub(super) struct Beep {
    media: Weak<Media>,
    playback: PlaybackId,
}

impl Beep {
    /// Plays one to who is to be recorded, when what is played to it before is over.
    pub(super) fn play(media: &Arc<Media>, target: RecordTarget) -> Result<Self, ControlError> {
        let (target, rate) = match target {
            RecordTarget::Leg(leg, _) => (Target::Leg(leg), media.leg_rate(leg)?),
            RecordTarget::Bridge(bridge) => (Target::Bridge(bridge), media.bridge_rate(bridge)?),
        };
        let beep = tone("beep", DEFAULT_COUNTRY).expect("it is the same in every country");
        let list = Playlist::new(rate, vec![beep.render(rate)], Repeat::Once);
        let playback = media.play(target, list)?;
        Ok(Beep { media: Arc::downgrade(media), playback })
    }

    /// Whether no more of it is to be heard, for whatever reason: it has come back from the engine.
    pub(super) fn is_over(&self) -> bool {
        self.media.upgrade().is_none_or(|media| !media.has_playback(self.playback))
    }
}

impl Drop for Beep {
    fn drop(&mut self) {
        if let Some(media) = self.media.upgrade() {
            // It may be over; and if the engine is busy, it is heard to its end.
            let _ = media.control(self.playback, PlaybackControl::Stop);
        }
    }
}
