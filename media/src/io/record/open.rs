//! What a recording needs before it begins: its ring, its files, its keys, its beep. What cannot be had
//! leaves nothing behind.

use std::sync::Arc;

use stasis_bus::Topic;

use super::beep::Beep;
use super::file::RecordFile;
use super::job::KeyWatch;
use super::tracks::Tracks;
use super::{IfExists, Keys, RING_SECONDS, RecordError, RecordSettings, RecordTarget};
use crate::bridge::TapReader;
use crate::event::DtmfReceived;
use crate::frame::SampleRate;
use crate::io::media::Media;
use crate::wav::WavFormat;

/// Listens for the keys that end it.
pub(super) fn watch(
    settings: &RecordSettings,
    topic: &Topic,
) -> Result<Option<KeyWatch>, RecordError> {
    if settings.keys == Keys::None {
        return Ok(None);
    }
    let topic = settings.keys_from.as_ref().unwrap_or(topic);
    let pressed = topic.subscribe().accept::<DtmfReceived>().pull()?;
    Ok(Some(KeyWatch { keys: settings.keys, pressed }))
}

/// Opens the ring and the file.
pub(super) fn open(
    media: &Media,
    target: RecordTarget,
    settings: &RecordSettings,
) -> Result<(TapReader, RecordFile, SampleRate), RecordError> {
    let RecordSettings { path, format, if_exists, .. } = settings;
    let own = match target {
        RecordTarget::Bridge(bridge) => media.most_bridge_rate(bridge)?,
        RecordTarget::Leg(leg, _) => media.leg_rate(leg)?,
    };
    let tap = |rate| match target {
        RecordTarget::Bridge(bridge) => media.tap(bridge, rate, RING_SECONDS),
        RecordTarget::Leg(leg, direction) => media.tap_leg(leg, direction, rate, RING_SECONDS),
    };
    if *if_exists == IfExists::Append
        && let Some(file) = RecordFile::append(path, *format)?
    {
        let rate = file.rate().unwrap_or(own);
        return Ok((tap(rate)?, file, rate));
    }
    let rate = settings.rate.unwrap_or(match format {
        WavFormat::Pcm16 => own,
        WavFormat::Ulaw | WavFormat::Alaw => SampleRate::Hz8000,
    });
    // First, so that no file is left behind when it cannot be had.
    let source = tap(rate)?;
    Ok((source, RecordFile::create(path, *format, rate, *if_exists)?, rate))
}

/// Opens the files of the legs of a bridge, if there are to be some.
pub(super) fn open_tracks(
    media: &Arc<Media>,
    target: RecordTarget,
    settings: &RecordSettings,
    rate: SampleRate,
    topic: &Topic,
) -> Result<Option<Tracks>, RecordError> {
    let RecordTarget::Bridge(bridge) = target else { return Ok(None) };
    if !settings.tracks {
        return Ok(None);
    }
    let mut tracks = Tracks::new(media, bridge, settings, rate, topic)?;
    match tracks.add_present() {
        Ok(()) => Ok(Some(tracks)),
        Err(error) => {
            let _ = tracks.discard(); // they are empty
            Err(error)
        }
    }
}

/// Plays a beep, if there is to be one, now that everything else is ready.
pub(super) fn play_beep(
    media: &Arc<Media>,
    target: RecordTarget,
    settings: &RecordSettings,
    tracks: Option<Tracks>,
) -> Result<(Option<Tracks>, Option<Beep>), RecordError> {
    match settings.beep.then(|| Beep::play(media, target)).transpose() {
        Ok(beep) => Ok((tracks, beep)),
        Err(error) => {
            let _ = tracks.map_or(Ok(()), Tracks::discard); // they are empty
            Err(error.into())
        }
    }
}
