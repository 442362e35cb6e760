//! Comparing what one party said with what another heard.

/// Samples of 4 kHz in a second: enough to tell voices apart, and a quarter of the work.
const SECOND: usize = 4_000;
/// The longest way from mouth to ear that is looked for: 600 ms.
const LONGEST_WAY: usize = SECOND * 6 / 10;
/// Below this level (of 32,767) a second of speech counts as silence.
const SILENT: f64 = 150.0;

/// How loud what was `said` is in what was `heard`, both at 8 kHz from the same moment: 1 is as
/// loud as it was said, 0 is not there at all. `None` when nothing was said.
///
/// Each second of speech is looked for at every delay up to 600 ms, and measured where it fits
/// best; the result is the middle one of all seconds.
pub fn presence(said: &[i16], heard: &[i16]) -> Option<f64> {
    let (said, heard) = (halve(said), halve(heard));
    let mut gains: Vec<f64> = said
        .chunks_exact(SECOND)
        .enumerate()
        .filter(|(_, second)| energy(second) > SILENT * SILENT * SECOND as f64)
        .filter_map(|(n, second)| {
            let ear = heard.get(n * SECOND..n * SECOND + LONGEST_WAY + SECOND)?;
            Some(best_gain(second, ear))
        })
        .collect();
    gains.sort_by(f64::total_cmp);
    gains.get(gains.len() / 2).copied()
}

/// The largest share of `second` in any part of `ear`.
fn best_gain(second: &[f32], ear: &[f32]) -> f64 {
    let best = ear.windows(second.len()).map(|window| dot(second, window)).fold(0.0, f32::max);
    f64::from(best) / energy(second)
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    // Eight sums at a time, so that the compiler can use the machine's vectors.
    let mut sums = [0.0f32; 8];
    for (a, b) in a.chunks_exact(8).zip(b.chunks_exact(8)) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += a * b;
        }
    }
    sums.iter().sum()
}

fn energy(samples: &[f32]) -> f64 {
    samples.iter().map(|&sample| f64::from(sample) * f64::from(sample)).sum()
}

fn halve(samples: &[i16]) -> Vec<f32> {
    samples.chunks_exact(2).map(|pair| (f32::from(pair[0]) + f32::from(pair[1])) / 2.0).collect()
}
