//! Recordings of all rooms, in a folder that goes away with them.

use std::error::Error;
use std::fs;
use std::path::PathBuf;

use stasis_bus::Topic;
use stasis_media::BridgeId;
use stasis_media::io::{Media, Recording};

/// Every room, recorded.
pub struct Recordings {
    folder: PathBuf,
    recordings: Vec<Recording>,
}

impl Recordings {
    /// Begins with all rooms.
    ///
    /// # Errors
    /// When the temporary folder cannot be written, or a recording does not begin.
    pub fn start(media: &Media, rooms: &[BridgeId], topic: &Topic) -> Result<Self, Box<dyn Error>> {
        let folder = std::env::temp_dir().join(format!("stasis-soak-{}", std::process::id()));
        fs::create_dir_all(&folder)?;
        let mut all = Recordings { folder, recordings: Vec::new() };
        for (number, room) in rooms.iter().enumerate() {
            let path = all.folder.join(format!("room-{number}.wav"));
            let start = || Recording::start(media, *room, &path, topic);
            all.recordings.push(super::engine::patiently(start)?);
        }
        Ok(all)
    }

    /// Ends them all; says how many have failed, or are shorter than `seconds`.
    pub fn finish(mut self, media: &Media, seconds: u64) -> u64 {
        // The lowest rate that there is.
        let least = 8_000 * seconds;
        let finished = self.recordings.drain(..).map(|recording| recording.finish(media));
        finished.filter(|samples| !matches!(samples, Ok(samples) if *samples >= least)).count()
            as u64
    }
}

impl Drop for Recordings {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}
