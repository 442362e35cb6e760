//! Recordings of all rooms, in a folder that goes away with them.

use std::error::Error;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use stasis_bus::Topic;
use stasis_media::BridgeId;
use stasis_media::io::{Media, RecordFigures, RecordSettings, Recorder, Recording};

/// Every room, recorded.
pub struct Recordings {
    folder: PathBuf,
    _recorder: Recorder,
    recordings: Vec<Recording>,
}

impl Recordings {
    /// Begins with all rooms.
    ///
    /// # Errors
    /// When the temporary folder cannot be written, or a recording does not begin.
    pub fn start(
        media: &Arc<Media>,
        rooms: &[BridgeId],
        topic: &Topic,
    ) -> Result<Self, Box<dyn Error>> {
        let folder = std::env::temp_dir().join(format!("stasis-soak-{}", std::process::id()));
        fs::create_dir_all(&folder)?;
        let recorder = Recorder::start()?;
        let mut recordings = Vec::new();
        for (number, room) in rooms.iter().enumerate() {
            let settings = RecordSettings::to(folder.join(format!("room-{number}.wav")));
            let start = || recorder.record(media, *room, settings.clone(), topic);
            recordings.push(super::engine::patiently(start)?);
        }
        Ok(Recordings { folder, _recorder: recorder, recordings })
    }

    /// Ends them all; says how many have failed, or are shorter than `seconds`.
    pub fn finish(mut self, seconds: u64) -> u64 {
        let finished = self.recordings.drain(..).map(Recording::finish);
        let is_whole = |figures: &RecordFigures| figures.duration.as_secs() >= seconds;
        finished.filter(|figures| !figures.as_ref().is_ok_and(is_whole)).count() as u64
    }
}

impl Drop for Recordings {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}
