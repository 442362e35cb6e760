//! Talk detection against speech, noise and breath whose truth is known, and beside fixed thresholds.
//!
//! `cargo test --release -p stasis-media --test talk -- --nocapture` prints the table. More speech (WAV
//! files at 8 kHz, one a talker, of which the first minutes are taken) by `STASIS_TALK_SPEECH=FILE:FILE`.

use fastrand::Rng;
use stasis_media::frame::SampleRate;
use stasis_media::talk::{Dbov, TalkChange, TalkDetector, TalkSettings};
use stasis_media::wav::Pcm;

const RATE: SampleRate = SampleRate::Hz8000;
const TICK: usize = 160;
const TICKS_A_SECOND: usize = 50;
/// Speech that is so much softer than speech on average is not counted as speech, in dB.
const SOFT: f64 = 15.0;
/// Ticks without speech between two sentences.
const PAUSE: usize = 20;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Noise {
    Silence,
    White,
    Pink,
    Hum,
    /// Soft noise that comes and goes: 300 to 500 ms at this level, every 3 s.
    Breath,
    /// Pink noise that becomes louder by 15 dB after each 20 s, and soft again 20 s later.
    Fan,
    /// Two samples of full scale, every 700 ms.
    Clicks,
}

/// So many samples of noise at this level.
fn noise(kind: Noise, level: f64, samples: usize) -> Vec<f64> {
    let mut random = Rng::with_seed(samples as u64);
    let mut white = move || random.f64() * 2.0 - 1.0;
    let mut pink = [0.0; 5];
    let mut breath = [0.0; 2];
    let rms = 32_768.0 * 10f64.powf(level / 20.0);
    let mut made: Vec<f64> = (0..samples)
        .map(|n| match kind {
            Noise::Silence | Noise::Clicks => 0.0,
            Noise::White => white(),
            Noise::Pink | Noise::Fan => {
                // One pole an octave and a half, each with the same power: 1/f between them.
                pink.iter_mut()
                    .zip([0.99, 0.97, 0.9, 0.7, 0.2])
                    .map(|(state, pole): (_, f64)| {
                        *state = pole * *state + (1.0 - pole * pole).sqrt() * white();
                        *state
                    })
                    .sum()
            }
            Noise::Hum => {
                let phase = n as f64 * 50.0 * std::f64::consts::TAU / 8_000.0;
                phase.sin() + 0.5 * (3.0 * phase).sin() + 0.25 * (5.0 * phase).sin()
            }
            Noise::Breath => {
                // Noise around 1,200 Hz, an octave or two wide.
                let [a, b] = breath;
                breath = [white() + 1.0 * a - 0.6 * b, a];
                breath[0] - breath[1] * 0.3
            }
        })
        .collect();
    let power = made.iter().map(|x| x * x).sum::<f64>() / samples.max(1) as f64;
    let scale = if power > 0.0 { rms / power.sqrt() } else { 0.0 };
    for (n, x) in made.iter_mut().enumerate() {
        let second = n as f64 / 8_000.0;
        *x *= scale
            * match kind {
                Noise::Breath => {
                    let (at, length) =
                        (second % 3.0, 0.3 + 0.1 * ((second / 3.0) as usize % 3) as f64);
                    if at < length { (at / length * std::f64::consts::PI).sin() * 1.4 } else { 0.0 }
                }
                Noise::Fan if second % 40.0 >= 20.0 => 10f64.powf(15.0 / 20.0),
                _ => 1.0,
            };
        if kind == Noise::Clicks && n % 5_600 < 2 {
            *x = 20_000.0;
        }
    }
    made
}

/// A talker: sentences with pauses between them, and which ticks are speech.
struct Speech {
    samples: Vec<f64>,
    /// The level of its speech in dBov.
    level: f64,
    is_speech: Vec<bool>,
    /// From the first to the last tick that is speech.
    sentences: Vec<(usize, usize)>,
}

impl Speech {
    fn of(samples: Vec<i16>) -> Speech {
        let ticks = samples.chunks_exact(TICK).map(|tick| f64::from(Dbov::of(tick).0));
        let levels: Vec<f64> = ticks.collect();
        let mut sorted = levels.clone();
        sorted.sort_by(f64::total_cmp);
        let loud = sorted[sorted.len() * 95 / 100] - 25.0;
        let powers: Vec<f64> = sorted
            .iter()
            .filter(|level| **level > loud)
            .map(|level| 10f64.powf(level / 10.0))
            .collect();
        let level = 10.0 * (powers.iter().sum::<f64>() / powers.len() as f64).log10();
        let is_speech: Vec<bool> = levels.iter().map(|tick| *tick > level - SOFT).collect();
        let mut sentences: Vec<(usize, usize)> = Vec::new();
        for tick in (0..is_speech.len()).filter(|tick| is_speech[*tick]) {
            match sentences.last_mut() {
                Some((_, last)) if tick - *last <= PAUSE => *last = tick,
                _ => sentences.push((tick, tick)),
            }
        }
        sentences.retain(|(first, last)| last - first >= 10);
        Speech {
            samples: samples.into_iter().map(f64::from).collect(),
            level,
            is_speech,
            sentences,
        }
    }

    /// The demo's voices with pauses of 1.5 s, and whatever else is asked for.
    fn all() -> Vec<Speech> {
        let pause = vec![0; 12_000];
        let mut all: Vec<Speech> = ["alice", "bob", "you"]
            .into_iter()
            .map(|name| {
                let path = format!("{}/../examples/assets/{name}.wav", env!("CARGO_MANIFEST_DIR"));
                let voice = Pcm::load(path, RATE).expect("the voices are in the repository");
                Speech::of([&pause[..], voice.samples(), &pause[..]].concat())
            })
            .collect();
        let more = std::env::var("STASIS_TALK_SPEECH").unwrap_or_default();
        for path in more.split(':').filter(|path| !path.is_empty()) {
            let pcm = Pcm::load(path, RATE).expect("a WAV file");
            let most = pcm.samples().len().min(300 * 8_000);
            all.push(Speech::of(pcm.samples()[..most].to_vec()));
        }
        all
    }

    /// At this level, with noise.
    fn with(&self, level: f64, noise: &[f64]) -> Vec<i16> {
        let gain = 10f64.powf((level - self.level) / 20.0);
        let sum = self.samples.iter().zip(noise).map(|(x, noise)| x * gain + noise);
        sum.map(|x| x.round() as i16).collect()
    }
}

/// In which ticks a detector says that somebody talks, and how often it says that it begins.
fn detect(settings: TalkSettings, samples: &[i16]) -> (Vec<bool>, Vec<usize>) {
    let (mut detector, mut starts) = (TalkDetector::new(settings), Vec::new());
    let talks = samples.chunks_exact(TICK).enumerate().map(|(tick, samples)| {
        if detector.feed(samples, RATE) == Some(TalkChange::Started) {
            starts.push(tick);
        }
        detector.is_talking()
    });
    (talks.collect(), starts)
}

/// How well speech was found.
#[derive(Clone, Debug, Default)]
struct Found {
    speech: usize,
    inside: usize,
    sentences: usize,
    missed: usize,
    starts: usize,
    /// Of each sentence that was found, in milliseconds.
    delays: Vec<usize>,
}

impl Found {
    fn add(&mut self, speech: &Speech, talks: &[bool], starts: &[usize]) {
        for (is_speech, talks) in speech.is_speech.iter().zip(talks) {
            self.speech += usize::from(*is_speech);
            self.inside += usize::from(*is_speech && *talks);
        }
        self.sentences += speech.sentences.len();
        for &(first, last) in &speech.sentences {
            match (first..=last).find(|tick| talks[*tick]) {
                Some(tick) => self.delays.push((tick - first + 1) * 20),
                None => self.missed += 1,
            }
            self.starts += starts.iter().filter(|start| (first..=last).contains(start)).count();
        }
    }

    fn share(&self) -> f64 {
        100.0 * self.inside as f64 / self.speech.max(1) as f64
    }

    fn delay(&mut self, percent: usize) -> usize {
        self.delays.sort_unstable();
        let last = self.delays.len().saturating_sub(1);
        self.delays.get(last * percent / 100).copied().unwrap_or(usize::MAX)
    }

    fn flaps(&self) -> f64 {
        self.starts as f64 / self.sentences.max(1) as f64
    }
}

const FLOORS: [(Noise, f64); 11] = [
    (Noise::Silence, -127.0),
    (Noise::White, -70.0),
    (Noise::White, -60.0),
    (Noise::White, -50.0),
    (Noise::White, -45.0),
    (Noise::Pink, -60.0),
    (Noise::Pink, -50.0),
    (Noise::Pink, -45.0),
    (Noise::Hum, -60.0),
    (Noise::Hum, -50.0),
    (Noise::Hum, -45.0),
];

const ALONE: [(Noise, f64); 10] = [
    (Noise::White, -60.0),
    (Noise::White, -45.0),
    (Noise::White, -35.0),
    (Noise::Pink, -50.0),
    (Noise::Pink, -45.0),
    (Noise::Pink, -35.0),
    (Noise::Hum, -40.0),
    (Noise::Breath, -45.0),
    (Noise::Fan, -60.0),
    (Noise::Clicks, -127.0),
];

fn fixed() -> TalkSettings {
    TalkSettings::fixed(Dbov(-42.0), Dbov(-48.0))
}

#[test]
fn speech_of_any_level_is_found_over_the_noise() {
    let (all, mut faults) = (Speech::all(), Vec::new());
    println!(
        "speech  noise            inside talk %   onset p50/p95 ms    missed %   starts a sentence"
    );
    println!(
        "                         fixed  adapt    fixed     adapt     fixed adapt  fixed adapt"
    );
    for level in [-16.0, -26.0, -36.0, -46.0] {
        for (kind, floor) in FLOORS {
            let mut found = [Found::default(), Found::default()];
            for speech in &all {
                let noise = noise(kind, floor, speech.samples.len());
                let samples = speech.with(level, &noise);
                for (found, settings) in found.iter_mut().zip([fixed(), TalkSettings::default()]) {
                    let (talks, starts) = detect(settings, &samples);
                    found.add(speech, &talks, &starts);
                }
            }
            let [mut old, mut new] = found;
            let missed = |found: &Found| 100.0 * found.missed as f64 / found.sentences as f64;
            let delay = |found: &mut Found| match found.delays.is_empty() {
                true => "—".to_string(),
                false => format!("{}/{}", found.delay(50), found.delay(95)),
            };
            println!(
                "{level:>6}  {:<8} {floor:>5}  {:>6.1} {:>6.1}  {:>8}  {:>8}   {:>6.1} {:>5.1}  {:>5.2} {:>5.2}",
                format!("{kind:?}"),
                old.share(),
                new.share(),
                delay(&mut old),
                delay(&mut new),
                missed(&old),
                missed(&new),
                old.flaps(),
                new.flaps(),
            );
            let (margin, what) = (level - floor, format!("{level} over {kind:?} {floor}"));
            let least = match margin {
                20.0.. => 90.0,
                10.0.. => 75.0,
                _ => 0.0,
            };
            if new.share() < least {
                faults.push(format!("{what}: {:.1} % found", new.share()));
            }
            let late = new.delay(95) > 300 || new.missed > 0;
            if margin >= 20.0 && (late || new.flaps() > 2.5) {
                faults.push(format!("{what}: {new:?}"));
            }
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn noise_alone_is_no_talk() {
    let minutes: u32 = if std::env::var_os("STASIS_TALK_SPEECH").is_some() { 60 } else { 4 };
    let mut faults = Vec::new();
    println!("alone               starts an hour    talk %");
    for (kind, level) in ALONE {
        let noise = noise(kind, level, minutes as usize * 60 * 8_000);
        let samples: Vec<i16> = noise.iter().map(|x| x.round() as i16).collect();
        let [old, new] = [fixed(), TalkSettings::default()].map(|settings| {
            let (talks, starts) = detect(settings, &samples);
            let share = talks.iter().filter(|talks| **talks).count() as f64 / talks.len() as f64;
            (starts.len() as f64 * 60.0 / f64::from(minutes), 100.0 * share)
        });
        println!(
            "{:<8} {level:>5}    {:>6.0} {:>6.0}    {:>6.1} {:>6.1}",
            format!("{kind:?}"),
            old.0,
            new.0,
            old.1,
            new.1
        );
        let is_right = match kind {
            // Each time that it goes on, and not for long: 90 times an hour.
            Noise::Fan => new.0 <= 90.0 && new.1 <= 5.0,
            _ => new.0 * f64::from(minutes) / 60.0 <= 1.0,
        };
        if !is_right {
            faults.push(format!("{kind:?} {level}: {new:?}"));
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn a_fan_is_no_talk_after_two_seconds_at_most() {
    let samples = noise(Noise::Fan, -60.0, 40 * 8_000);
    let samples: Vec<i16> = samples.iter().map(|x| x.round() as i16).collect();
    let (talks, _) = detect(TalkSettings::default(), &samples);
    let after = 22 * TICKS_A_SECOND;
    assert!(talks[after..].iter().all(|talks| !talks));
}
