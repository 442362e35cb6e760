//! A network path that loses and delays packets, from a seed.

use std::time::Duration;

use stasis_bus::Stamp;

/// How bad a path is.
#[derive(Clone, Copy)]
pub struct Weather {
    /// The share of packets that never arrive.
    pub loss: f64,
    /// Each packet is delayed by up to this, at random.
    pub jitter: Duration,
    pub seed: u64,
}

impl Weather {
    /// Everything arrives at once.
    pub const FAIR: Weather = Weather { loss: 0.0, jitter: Duration::ZERO, seed: 0 };
}

/// One direction of a path.
pub struct Link {
    weather: Weather,
    random: fastrand::Rng,
    under_way: Vec<(Stamp, Vec<u8>)>,
}

impl Link {
    /// `direction` makes the two directions of one path differ.
    pub fn new(weather: Weather, direction: u64) -> Self {
        let seed = weather.seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(direction);
        Link { weather, random: fastrand::Rng::with_seed(seed), under_way: Vec::new() }
    }

    /// A packet enters at `now`.
    pub fn put(&mut self, now: Stamp, packet: &[u8]) {
        // Drawn in either case, so that one packet's fate does not move the next one's.
        let (lost, delay) = (self.random.f64() < self.weather.loss, self.random.f64());
        if !lost {
            self.under_way.push((now + self.weather.jitter.mul_f64(delay), packet.to_vec()));
        }
    }

    /// Hands over what has arrived by `now`, in order of arrival.
    pub fn take(&mut self, now: Stamp, mut take: impl FnMut(Stamp, &[u8])) {
        self.under_way.sort_by_key(|(arrival, _)| *arrival);
        let arrived = self.under_way.partition_point(|(arrival, _)| *arrival <= now);
        self.under_way.drain(..arrived).for_each(|(arrival, packet)| take(arrival, &packet));
    }

    /// When the next packet arrives.
    pub fn next(&self) -> Option<Stamp> {
        self.under_way.iter().map(|(arrival, _)| *arrival).min()
    }
}
