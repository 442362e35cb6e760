//! What is accepted against what is falsely heard, over the settings.
//!
//! One thing is moved: how much else may be heard with two tones (`max_background` and
//! `max_company`), by a factor. The named profiles, which differ in more, are points beside it.

use rayon::prelude::*;
use stasis_media::dtmf::DtmfSettings;

use super::dtmf_suite::figures::VOICES;
use super::dtmf_suite::hear::hear;
use super::dtmf_suite::score::score;
use super::dtmf_suite::table::Table;
use super::dtmf_suite::{Case, Class, Recording};

const FACTORS: [f32; 9] = [0.25, 0.35, 0.5, 0.7, 1.0, 1.4, 2.0, 2.8, 4.0];

/// What is drawn: each has a line.
pub const LINES: [&str; 3] =
    ["required by the standards", "beyond the standards", "under speech 6 dB below"];

/// What some settings come to.
pub struct Point {
    /// The factor, or the name of the profile.
    pub name: String,
    /// False digits in an hour of voices; where there was none, half of one.
    pub false_per_hour: f64,
    /// Percent of the digits accepted, for each of [`LINES`].
    pub accepted: [f64; LINES.len()],
}

/// The points of the curve, and those of the profiles.
pub struct Curve {
    pub swept: Vec<Point>,
    pub profiles: Vec<Point>,
    /// Hours of voices.
    pub hours: f64,
}

/// What is listened to.
pub struct Material {
    pub recordings: Vec<(Case, Recording)>,
    /// At 8 kHz.
    pub voices: Vec<Vec<i16>>,
}

/// Listens to all of it with each of the settings, and says how far it is.
pub fn measure(material: &Material) -> Curve {
    let default = DtmfSettings::DEFAULT;
    let swept = FACTORS.map(|factor| {
        let settings = DtmfSettings {
            max_background: default.max_background * factor,
            max_company: default.max_company * factor,
            ..default
        };
        listen(material, &format!("{factor}"), settings)
    });
    let profiles = DtmfSettings::PROFILES.map(|(name, settings)| listen(material, name, settings));
    let samples = material.voices.iter().map(Vec::len).sum::<usize>();
    let hours = samples as f64 / 8_000.0 / 3_600.0;
    Curve { swept: swept.into(), profiles: profiles.into(), hours }
}

fn listen(material: &Material, name: &str, settings: DtmfSettings) -> Point {
    let scores: Vec<_> = material
        .recordings
        .par_iter()
        .map(|(case, Recording { hz, samples, stimuli })| {
            score(case.class, stimuli, &hear(samples, *hz, settings)).0
        })
        .collect();
    let mut table = Table::default();
    for ((case, _), score) in material.recordings.iter().zip(&scores) {
        table.add(case.class, &case.category, &case.format(), score);
    }
    let voices = material.voices.par_iter();
    let false_digits: usize = voices.map(|voice| hear(voice, 8_000, settings).len()).sum();
    let samples = material.voices.iter().map(Vec::len).sum::<usize>();
    let hours = samples as f64 / 8_000.0 / 3_600.0;
    table.add_silent(VOICES, hours, false_digits);
    let speech = table.category(Class::GoalAccept, "goal-accept/speech-6dB");
    let point = Point {
        name: name.to_owned(),
        false_per_hour: (false_digits as f64).max(0.5) / hours.max(1e-9),
        accepted: [
            table.class(Class::MustAccept).percent(),
            table.class(Class::GoalAccept).percent(),
            speech.map_or(f64::NAN, |score| score.percent()),
        ],
    };
    let [must, goal, speech] = point.accepted;
    let rate = point.false_per_hour;
    println!("{name:>8}: {rate:>8.2} false an hour; {must:.2} %, {goal:.2} %, {speech:.2} %");
    point
}
