//! Stimuli for a DTMF detector, with the truth about them, and a scorer.
//!
//! A [`Case`] is a recording of 8 to 64 stimuli, one after the other: a plan that says what is sung
//! and what the line does to it. [`Case::record`] carries it out, the same each time: all that is
//! random comes from a generator seeded with the case's name. [`score`] compares what a detector
//! heard with the truth.

pub mod figures;
pub mod goal_accept;
pub mod goal_reject;
pub mod hear;
pub mod keys;
pub mod line;
pub mod must_accept;
pub mod must_reject;
pub mod program;
pub mod score;
pub mod sound;
pub mod table;
pub mod voices;

use fastrand::Rng;
use stasis_media::dtmf::Digit;

use keys::Keys;
use line::{Effect, Reference, Tape};
use sound::Sound;

/// What a detector owes to the stimuli of a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// The standards require that they be heard.
    MustAccept,
    /// The standards require that they not be.
    MustReject,
    /// Beyond the standards.
    GoalAccept,
    GoalReject,
}

impl Class {
    pub const ALL: [Class; 4] =
        [Class::MustAccept, Class::MustReject, Class::GoalAccept, Class::GoalReject];

    pub fn name(self) -> &'static str {
        match self {
            Class::MustAccept => "must-accept",
            Class::MustReject => "must-reject",
            Class::GoalAccept => "goal-accept",
            Class::GoalReject => "goal-reject",
        }
    }

    pub fn accepts(self) -> bool {
        matches!(self, Class::MustAccept | Class::GoalAccept)
    }
}

/// One recording's plan.
pub struct Case {
    pub class: Class,
    /// What is special about it, with the class in front: `must-accept/twist-normal-8dB`.
    pub category: String,
    /// Which one of its category, from 0.
    pub number: usize,
    pub take: Take,
}

/// What is sung, what the line does to it, and how it is kept.
pub struct Take {
    pub sounds: Vec<Sound>,
    pub line: Vec<Effect>,
    pub hz: u32,
    /// 32-bit float in place of 16-bit integers.
    pub float: bool,
}

/// What effects draw upon.
#[derive(Default)]
pub struct Material {
    /// At 8 kHz.
    pub speech: Vec<f32>,
}

/// The truth about one stimulus.
#[derive(Clone, Debug)]
pub struct Stimulus {
    pub digit: Option<char>,
    pub start_ms: f64,
    pub duration_ms: f64,
    /// Of the two tones, where it has two.
    pub levels: Option<[f64; 2]>,
    /// It need not be found: all of it was lost.
    pub optional: bool,
}

/// A case carried out.
pub struct Recording {
    pub hz: u32,
    /// In 16 bits, clipped.
    pub samples: Vec<i16>,
    pub stimuli: Vec<Stimulus>,
}

/// All cases, those of a program that is not installed left out.
pub fn cases() -> Vec<Case> {
    let mut plan = Plan { class: Class::MustAccept, cases: Vec::new() };
    must_accept::plan(&mut plan);
    plan.class = Class::MustReject;
    must_reject::plan(&mut plan);
    plan.class = Class::GoalAccept;
    goal_accept::plan(&mut plan);
    plan.class = Class::GoalReject;
    goal_reject::plan(&mut plan);
    let installed = program::is_installed();
    plan.cases.retain(|case| installed || !case.needs_program());
    plan.cases
}

/// Collects cases.
pub struct Plan {
    /// Of those that come next.
    class: Class,
    cases: Vec<Case>,
}

impl Plan {
    /// Adds `files` cases of a category, each made by `take` with a random generator of its own.
    pub fn add(
        &mut self,
        category: impl AsRef<str>,
        files: usize,
        take: impl Fn(&mut Rng) -> Take,
    ) {
        let class = self.class;
        let category = format!("{}/{}", class.name(), category.as_ref());
        for number in 0..files {
            let take = take(&mut seeded(&format!("{category} plan {number}")));
            self.cases.push(Case { class, category: category.clone(), number, take });
        }
    }

    /// Adds a category of keys, pressed plainly but for what `keys` makes of them.
    pub fn add_keys(
        &mut self,
        category: impl AsRef<str>,
        files: usize,
        line: &[Effect],
        keys: impl Fn(Keys, &mut Rng) -> Keys,
    ) {
        let press = |rng: &mut Rng| {
            let nominal = Keys::new(rng);
            keys(nominal, rng).press(rng)
        };
        self.add(category, files, |rng| Take::new(press(rng)).through(line));
    }

    /// Adds a category of sounds, on a line without effect.
    pub fn add_sounds(
        &mut self,
        category: impl AsRef<str>,
        files: usize,
        sounds: impl Fn(&mut Rng) -> Vec<Sound>,
    ) {
        self.add(category, files, |rng| Take::new(sounds(rng)));
    }
}

impl Take {
    pub fn new(sounds: Vec<Sound>) -> Take {
        Take { sounds, line: Vec::new(), hz: 8_000, float: false }
    }

    pub fn through(mut self, line: impl Into<Vec<Effect>>) -> Take {
        self.line = line.into();
        self
    }
}

impl Case {
    /// The name of its file.
    pub fn file(&self) -> String {
        format!("{}-{:02}.wav", self.category.replace('/', "-"), self.number)
    }

    /// How its samples are kept.
    pub fn format(&self) -> String {
        let float = if self.take.float { " float" } else { "" };
        format!("{} Hz{float}", self.take.hz)
    }

    /// Whether a codec of 8 kHz has a part in it.
    pub fn is_coded(&self) -> bool {
        let coded = |effect: &Effect| matches!(effect, Effect::MuLaw | Effect::ALaw);
        self.needs_program() || self.take.line.iter().any(coded)
    }

    pub fn needs_program(&self) -> bool {
        self.take.line.iter().any(|effect| matches!(effect, Effect::Through(_)))
    }

    /// Makes the recording: a lead-in of 250 to 300 ms, the stimuli, and 300 ms more.
    pub fn record(&self, material: &Material) -> Recording {
        let rate = f64::from(self.take.hz);
        let rng = &mut seeded(&self.file());
        let samples = vec![0.0; ((0.25 + 0.05 * rng.f64()) * rate) as usize];
        let mut tape = Tape { samples, rate, lost: Vec::new() };
        let mut spans = Vec::new();
        for sound in &self.take.sounds {
            let from = tape.samples.len();
            let to = from + (sound.ms / 1_000.0 * rate).round() as usize;
            tape.samples.resize(to, 0.0);
            sound.sing(&mut tape.samples[from..], rate, rng);
            tape.samples.resize(to + (sound.pause_ms / 1_000.0 * rate).round() as usize, 0.0);
            spans.push(from..to);
        }
        tape.samples.extend(vec![0.0; (0.3 * rate) as usize]);
        let reference = Reference::of(self.take.sounds.first());
        for effect in &self.take.line {
            effect.apply(&mut tape, reference, material, rng);
        }
        let stimuli = self.take.sounds.iter().zip(spans);
        let stimuli = stimuli.map(|(sound, span)| truth(sound, span, &tape)).collect();
        Recording { hz: self.take.hz, samples: tape.rounded(), stimuli }
    }
}

fn truth(sound: &Sound, span: std::ops::Range<usize>, tape: &Tape) -> Stimulus {
    let ms = 1_000.0 / tape.rate;
    let lost = tape
        .lost
        .iter()
        .map(|lost| lost.end.min(span.end).saturating_sub(lost.start.max(span.start)));
    let levels = match sound.sines() {
        [low, high] => Some([low.dbm0, high.dbm0]),
        _ => None,
    };
    Stimulus {
        digit: sound.digit.map(Digit::as_char),
        start_ms: span.start as f64 * ms,
        duration_ms: span.len() as f64 * ms,
        levels,
        optional: lost.sum::<usize>() == span.len(),
    }
}

/// A generator whose seed is the name (FNV-1a), so that a new case leaves the others as they are.
pub fn seeded(name: &str) -> Rng {
    Rng::with_seed(name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    }))
}

/// `count` digits: each of the 16 equally often, in random order.
pub fn shuffled(count: usize, rng: &mut Rng) -> Vec<Digit> {
    let mut digits: Vec<Digit> = Digit::ALL.into_iter().cycle().take(count).collect();
    rng.shuffle(&mut digits);
    digits
}

/// A random number between the two.
pub fn between(low: f64, high: f64, rng: &mut Rng) -> f64 {
    low + (high - low) * rng.f64()
}
