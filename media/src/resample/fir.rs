//! What the short filters share.

use std::f64::consts::PI;

/// The sum of the products of two rows of one length. In eight lanes, so that it vectorises: floats
/// are not added in another order by themselves.
pub(crate) fn dot(a: &[f32], b: &[f32]) -> f32 {
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    let mut lanes = [0.0f32; 8];
    for (a, b) in a.iter().zip(b) {
        for lane in 0..8 {
            lanes[lane] += a[lane] * b[lane];
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    lanes.iter().sum::<f32>() + rest
}

/// A sinc under a Blackman window, not yet scaled: `x` from its middle, in samples of the lower rate,
/// of which it reaches over `half` on either side. The pass band ends at `cutoff` of half that rate.
pub(super) fn windowed_sinc(x: f64, half: f64, cutoff: f64) -> f64 {
    let (turn, angle) = (PI * x * cutoff, PI * x / half);
    let sinc = if turn == 0.0 { 1.0 } else { turn.sin() / turn };
    sinc * (0.42 + 0.5 * angle.cos() + 0.08 * (2.0 * angle).cos())
}
