//! The arithmetic of mixing: 32-bit sums, and the way back to 16 bits.
//!
//! Sums are exact: 65,536 legs at full scale fit 32 bits. A sum that fits 16 bits with some room
//! goes out as it is; above [`KNEE`] it is bent, so that a loud moment is squeezed rather than
//! clipped, and never wraps.

/// Up to this magnitude (-0.9 dBFS) a sum is passed on exactly.
pub const KNEE: i32 = 29_491;

/// What is left above the knee.
const ROOM: i32 = i16::MAX as i32 - KNEE;

/// Adds one leg's samples to the sum. Both have the same length; what is longer is left alone.
#[inline]
pub fn add(total: &mut [i32], own: &[i16]) {
    for (total, &own) in total.iter_mut().zip(own) {
        *total += i32::from(own);
    }
}

/// Writes to `out` what one leg hears: the sum of all less its own (mix-minus). All three have the
/// same length.
#[inline]
pub fn mix_minus(total: &[i32], own: &[i16], out: &mut [i16]) {
    let mut peak = 0;
    for ((out, &total), &own) in out.iter_mut().zip(total).zip(own) {
        let sum = total - i32::from(own);
        peak = peak.max(sum.abs());
        *out = sum as i16; // right if the peak says so, else done again below
    }
    if peak > KNEE {
        for ((out, &total), &own) in out.iter_mut().zip(total).zip(own) {
            *out = soft_limit(total - i32::from(own));
        }
    }
}

/// Writes to `out` the sum of all legs.
#[inline]
pub fn mix_all(total: &[i32], out: &mut [i16]) {
    for (out, &total) in out.iter_mut().zip(total) {
        *out = soft_limit(total);
    }
}

/// Brings a sum to 16 bits: exact up to [`KNEE`], then ever flatter towards full scale, odd and
/// monotonic.
#[inline]
pub fn soft_limit(sum: i32) -> i16 {
    let magnitude = sum.unsigned_abs() as i64;
    let over = magnitude - i64::from(KNEE);
    if over <= 0 {
        return sum as i16;
    }
    let bent = i64::from(KNEE) + i64::from(ROOM) * over / (over + i64::from(ROOM));
    (if sum < 0 { -bent } else { bent }) as i16
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_limiter_is_exact_below_the_knee_monotonic_odd_and_never_wraps() {
        let mut last = i16::MIN;
        for sum in (-2_000_000..=2_000_000).step_by(7).chain([i32::MIN + 1, i32::MAX]) {
            let out = soft_limit(sum);
            assert_eq!(out, -soft_limit(-sum), "odd at {sum}");
            if sum.abs() <= KNEE {
                assert_eq!(i32::from(out), sum);
            }
            assert_eq!(out.signum() as i32, sum.signum());
            if (-2_000_000..=2_000_000).contains(&sum) {
                assert!(out >= last, "falls at {sum}");
                last = out;
            }
        }
    }

    proptest! {
        #[test]
        fn what_a_leg_hears_and_its_own_make_the_total(
            legs in prop::collection::vec(prop::collection::vec(-2_000i16..2_000, 160), 1..12)
        ) {
            let mut total = vec![0; 160];
            legs.iter().for_each(|leg| add(&mut total, leg));
            for own in &legs {
                let mut out = vec![0; 160];
                mix_minus(&total, own, &mut out);
                for ((out, own), total) in out.iter().zip(own).zip(&total) {
                    prop_assert_eq!(i32::from(*out) + i32::from(*own), *total);
                }
            }
        }

        #[test]
        fn loud_sums_are_limited_the_same_by_both_ways(
            total in prop::collection::vec(-200_000i32..200_000, 160)
        ) {
            let (mut minus, mut all) = (vec![0; 160], vec![0; 160]);
            mix_minus(&total, &[0; 160], &mut minus);
            mix_all(&total, &mut all);
            prop_assert_eq!(minus, all);
        }
    }
}
