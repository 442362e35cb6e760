//! What is summed up of a tick: its level, and whether it sounds like a voice.

use super::Dbov;

/// How alike neighbouring samples are in a voice: at least, and at most.
///
/// The measure is the correlation of samples 125 µs apart, the neighbours at 8 kHz. Voices have most of
/// their power well below 1 kHz and are above 0.7; white noise is at 0, breath and the hissing sounds are
/// mostly at 0.6 and below; a hum or a rumble is above 0.99.
const LIKE_A_VOICE: (f64, f64) = (0.65, 0.992);

/// So many pairs in a row are compared.
const STRIPE: usize = 40;

/// Sums over some samples; whole numbers, so nothing is lost.
#[derive(Clone, Debug, Default)]
pub(super) struct Sums {
    /// In microseconds; whoever adds samples adds that.
    pub(super) time: u64,
    samples: u32,
    pairs: u32,
    sum: i64,
    squares: i64,
    products: i64,
}

impl Sums {
    /// Adds samples; `apart`: so many of them are 125 µs.
    pub(super) fn add(&mut self, samples: &[i16], apart: usize) {
        let later = samples.get(apart..).unwrap_or_default();
        for &sample in samples {
            self.sum += i64::from(sample);
            self.squares += i64::from(i32::from(sample) * i32::from(sample));
        }
        // Of higher rates not every pair is needed: as many as at 8 kHz say as much.
        let stripes = STRIPE * apart.max(1);
        for (samples, later) in samples.chunks(stripes).zip(later.chunks(stripes)) {
            let mut products = 0;
            for (&sample, &later) in samples.iter().zip(later).take(STRIPE) {
                products += i64::from(i32::from(sample) * i32::from(later));
            }
            self.products += products;
            self.pairs = self.pairs.saturating_add(later.len().min(STRIPE) as u32);
        }
        let count = u32::try_from(samples.len()).unwrap_or(u32::MAX);
        self.samples = self.samples.saturating_add(count);
    }

    /// The mean power without that of the mean.
    fn power(&self) -> f64 {
        let n = f64::from(self.samples.max(1));
        self.squares as f64 / n - self.mean() * self.mean()
    }

    fn mean(&self) -> f64 {
        self.sum as f64 / f64::from(self.samples.max(1))
    }

    pub(super) fn level(&self) -> Dbov {
        let power = (self.power() / (32_768.0 * 32_768.0)) as f32;
        Dbov(10.0 * power.max(1e-13).log10()).max(Dbov::SILENCE)
    }

    /// Whether most of it is where voices have most of their power.
    pub(super) fn is_like_a_voice(&self) -> bool {
        let product = self.products as f64 / f64::from(self.pairs.max(1));
        let (covariance, power) = (product - self.mean() * self.mean(), self.power());
        covariance >= LIKE_A_VOICE.0 * power && covariance <= LIKE_A_VOICE.1 * power
    }
}
