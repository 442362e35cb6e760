//! What channels and bridges have in common: what is played to them and recorded of them.

use std::time::Duration;

use stasis_control::media::{IfExists, Keys, RecordHow};
use stasis_control::playback::PlaybackSnapshot;
use stasis_control::recording::RecordingSnapshot;
use stasis_control::{Exchange, PlayHow, Refusal};

use crate::ari::Ari;
use crate::ari::model::{LiveRecording, Playback};
use crate::ari::operation::{Outcome, Step, Work};
use crate::ari::parameters::Later;
use crate::ari::reply::Reply;

/// What is to be played, as it was given.
pub(super) struct Played {
    pub(super) id: Option<String>,
    pub(super) media: Later<Vec<String>>,
    pub(super) language: Option<String>,
    pub(super) offset: i64,
    pub(super) skip: i64,
}

/// Milliseconds; less than none is none.
pub(super) fn milliseconds(number: i64) -> Duration {
    Duration::from_millis(u64::try_from(number).unwrap_or(0))
}

/// Seconds; less than one is no limit.
fn seconds(number: i64) -> Option<Duration> {
    u64::try_from(number).ok().filter(|number| *number > 0).map(Duration::from_secs)
}

/// A playback as the model wants it. What is not there to be played is said when it is known that there is
/// somebody to hear it.
pub(super) fn play_how(played: Played) -> PlayHow {
    PlayHow {
        id: played.id,
        media: played.media.0.unwrap_or_default(),
        language: played.language,
        offset: milliseconds(played.offset),
        skip: (played.skip > 0).then(|| milliseconds(played.skip)),
    }
}

/// A playback was made.
pub(super) fn playback(made: &PlaybackSnapshot) -> Reply {
    let location = format!("/playbacks/{}", made.id);
    Reply::created(&Playback::from(made), location)
}

/// What is to be recorded, as it was given.
pub(super) struct Recorded {
    pub(super) name: Later<String>,
    pub(super) format: Later<String>,
    pub(super) max_duration: i64,
    pub(super) max_silence: i64,
    pub(super) if_exists: String,
    pub(super) beep: bool,
    pub(super) terminate_on: String,
}

/// Formats that recordings can have.
pub(super) const FORMATS: [&str; 8] =
    ["wav", "wav16", "wav48", "sln16", "ulaw", "mulaw", "pcm", "alaw"];

/// A recording as the model wants it.
///
/// # Errors
/// What the client is told of what cannot be.
pub(super) fn record_how(recorded: Recorded) -> Result<RecordHow, Reply> {
    let name = recorded.name.or("Recording name is required")?;
    if !super::recordings::is_name(&name) {
        return Err(Reply::error(400, "Invalid recording name: it leads out of the folder"));
    }
    let format = recorded.format.or("Recording format is required")?;
    if !FORMATS.contains(&format.as_str()) {
        let message = format!("Format '{format}' is not known: use one of {}", FORMATS.join(", "));
        return Err(Reply::error(422, &message));
    }
    let if_exists = match recorded.if_exists.as_str() {
        "fail" => IfExists::Fail,
        "overwrite" => IfExists::Overwrite,
        "append" => IfExists::Append,
        _ => return Err(Reply::error(400, "ifExists must be fail, overwrite or append")),
    };
    let end_keys = match recorded.terminate_on.as_str() {
        "none" => Keys::None,
        "any" => Keys::Any,
        one => match one
            .parse::<char>()
            .ok()
            .and_then(|c| stasis_media::dtmf::Digit::from_char(c).ok())
        {
            Some(digit) => Keys::Digit(digit),
            None => return Err(Reply::error(400, "terminateOn must be none, any, * or #")),
        },
    };
    Ok(RecordHow {
        name,
        format,
        if_exists,
        max_duration: seconds(recorded.max_duration),
        max_silence: seconds(recorded.max_silence),
        end_keys,
        beep: recorded.beep,
    })
}

/// Begins a recording; one that must not take the place of another is refused when there is a file of its
/// name.
pub(super) fn recording(
    ari: &Ari,
    how: RecordHow,
    record: impl FnOnce(&mut Exchange, RecordHow) -> Result<std::sync::Arc<RecordingSnapshot>, Refusal>
    + Send
    + 'static,
) -> Outcome {
    let is_there = how.if_exists == IfExists::Fail && ari.recordings.has(&how.name);
    Ok(Work::Exchange(Box::new(move |exchange| {
        let begin = || {
            if is_there {
                return Err(Refusal::RecordingExists(how.name.clone()));
            }
            record(exchange, how)
        };
        Step::Done(match begin() {
            Ok(made) => {
                let location = format!("/recordings/live/{}", made.name);
                Reply::created(&LiveRecording::from(&*made), location)
            }
            Err(refusal) => refusal.into(),
        })
    })))
}
