//! The tracks of a bridge's recording: what each leg says, in a file of its own.
//!
//! Each track follows the first file: it is never longer, and as long at the end. So all of them
//! can be laid on top of each other.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};

use stasis_bus::{PullSubscription, Topic};

use super::file::RecordFile;
use super::{IfExists, RING_SECONDS, RecordError, RecordSettings, RecordingTrack};
use crate::bridge::{TapDirection, TapReader};
use crate::event::{Joined, Left};
use crate::frame::SampleRate;
use crate::id::{BridgeId, LegId, RecordingId};
use crate::io::{ControlError, Media};
use crate::wav::WavError;

/// Samples that are written at once.
const CHUNK: usize = 4_096;

/// All tracks of one recording.
pub(super) struct Tracks {
    media: Weak<Media>,
    bridge: BridgeId,
    comings: PullSubscription,
    path: PathBuf,
    settings: RecordSettings,
    rate: SampleRate,
    tracks: Vec<Track>,
}

/// What one leg says.
struct Track {
    leg: LegId,
    /// None while it is not in the bridge.
    source: Option<TapReader>,
    file: RecordFile,
    written: u64,
}

impl Tracks {
    /// Of all who come to the bridge from here on; see [`Tracks::add_present`].
    pub(super) fn new(
        media: &Arc<Media>,
        bridge: BridgeId,
        settings: &RecordSettings,
        rate: SampleRate,
        topic: &Topic,
    ) -> Result<Self, RecordError> {
        let comings = topic.subscribe().accept::<Joined>().accept::<Left>().pull()?;
        Ok(Tracks {
            media: Arc::downgrade(media),
            bridge,
            comings,
            path: settings.path.clone(),
            settings: settings.clone(),
            rate,
            tracks: Vec::new(),
        })
    }

    /// Of those, too, who are there.
    pub(super) fn add_present(&mut self) -> Result<(), RecordError> {
        let Some(media) = self.media.upgrade() else { return Ok(()) };
        for leg in media.legs_in(self.bridge)? {
            self.open(leg, &media)?;
        }
        Ok(())
    }

    fn open(&mut self, leg: LegId, media: &Media) -> Result<(), RecordError> {
        if self.tracks.iter().any(|track| track.leg == leg && track.source.is_some()) {
            return Ok(());
        }
        let source = match media.tap_leg(leg, TapDirection::Voice, self.rate, RING_SECONDS) {
            Err(ControlError::NoLeg(_)) => return Ok(()), // gone again
            source => Some(source?),
        };
        if let Some(track) = self.tracks.iter_mut().find(|track| track.leg == leg) {
            track.source = source;
            return Ok(());
        }
        let if_exists = match self.settings.if_exists {
            IfExists::Fail => IfExists::Fail,
            IfExists::Overwrite | IfExists::Append => IfExists::Overwrite,
        };
        let path = track_path(&self.path, leg);
        let file = RecordFile::create(&path, self.settings.format, self.rate, if_exists)?;
        self.tracks.push(Track { leg, source, file, written: 0 });
        Ok(())
    }

    /// Tells of the files that there are.
    pub(super) fn tell(&self, recording: RecordingId, topic: &Topic) {
        for track in &self.tracks {
            tell(track, recording, topic);
        }
    }

    /// Takes in who has come and gone.
    pub(super) fn look(
        &mut self,
        recording: RecordingId,
        topic: &Topic,
    ) -> Result<(), RecordError> {
        while let Ok(delivery) = self.comings.try_recv() {
            if let Some(Joined { leg, bridge }) = delivery.downcast_ref()
                && *bridge == self.bridge
            {
                let Some(media) = self.media.upgrade() else { continue };
                let before = self.tracks.len();
                self.open(*leg, &media)?;
                if let Some(track) = self.tracks.get(before) {
                    tell(track, recording, topic);
                }
            }
            if let Some(Left { leg, bridge }) = delivery.downcast_ref()
                && *bridge == self.bridge
                && let Some(track) = self.tracks.iter_mut().find(|track| track.leg == *leg)
            {
                track.source = None;
            }
        }
        Ok(())
    }

    /// Leaves out what was said.
    pub(super) fn skip(&mut self) {
        for source in self.tracks.iter_mut().filter_map(|track| track.source.as_mut()) {
            while source.read(&mut [0; CHUNK]) > 0 {}
        }
    }

    /// Brings all to the length of the first file; what was said is left out if it is `muted`. Who
    /// has said less was not there at first, or says nothing any more.
    pub(super) fn follow(&mut self, length: u64, muted: bool) -> Result<(), WavError> {
        self.tracks.iter_mut().try_for_each(|track| track.follow(length, muted))
    }

    /// Completes all files; tells of the first error.
    pub(super) fn finish(self) -> Result<(), WavError> {
        let outcomes: Vec<_> = self.tracks.into_iter().map(|track| track.file.finish()).collect();
        outcomes.into_iter().collect()
    }

    /// Takes all files back.
    pub(super) fn discard(self) -> std::io::Result<()> {
        let outcomes: Vec<_> = self.tracks.into_iter().map(|track| track.file.discard()).collect();
        outcomes.into_iter().collect()
    }
}

impl Track {
    fn follow(&mut self, length: u64, muted: bool) -> Result<(), WavError> {
        let due = length.saturating_sub(self.written);
        // What has come since the first file was written is for the next time.
        let mut heard = self.read(due);
        if muted {
            heard.fill(0);
        }
        // What was heard is the newest: what is missing is missing before it.
        self.silence(due - heard.len() as u64)?;
        self.written += heard.len() as u64;
        self.file.writer.write(&heard)
    }

    /// Not more than `most` samples of what was said.
    fn read(&mut self, most: u64) -> Vec<i16> {
        let mut heard = Vec::new();
        let Some(source) = &mut self.source else { return heard };
        let mut chunk = [0; CHUNK];
        loop {
            let left = most - heard.len() as u64;
            let room = chunk.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            match source.read(&mut chunk[..room]) {
                0 => return heard,
                n => heard.extend_from_slice(&chunk[..n]),
            }
        }
    }

    fn silence(&mut self, mut samples: u64) -> Result<(), WavError> {
        while samples > 0 {
            let n = samples.min(CHUNK as u64);
            self.file.writer.write(&[0; CHUNK][..n as usize])?;
            self.written += n;
            samples -= n;
        }
        Ok(())
    }
}

fn tell(track: &Track, recording: RecordingId, topic: &Topic) {
    let (leg, path) = (track.leg, track.file.path().to_owned());
    topic.publish(RecordingTrack { recording, leg, path });
}

/// `room.wav` and leg 7: `room-leg-7.wav`.
fn track_path(path: &Path, leg: LegId) -> PathBuf {
    let mut name = path.file_stem().unwrap_or_default().to_owned();
    name.push(format!("-{leg}"));
    if let Some(ending) = path.extension() {
        name.push(".");
        name.push(ending);
    }
    path.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_track_has_the_legs_name_before_the_ending() {
        let of = |path: &str| track_path(Path::new(path), LegId::new(3, 7));
        assert_eq!(of("/a/room.wav"), Path::new("/a/room-leg-7.wav"));
        assert_eq!(of("a.b/room"), Path::new("a.b/room-leg-7"));
        assert_eq!(of("x.y.wav"), Path::new("x.y-leg-7.wav"));
    }
}
