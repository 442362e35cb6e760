//! What came of measuring how soon who joins is heard.

/// Legs that it takes, beside those that are asked for.
pub const LEGS: u32 = 2;
/// Who joins must be heard by then.
const MOST_TICKS: f64 = 2.0;

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct JoinFigures {
    /// From `join` to the arrival of the first packet with the tone in it, in ticks; in order.
    pub ticks: Vec<f64>,
    /// Joins after which nothing was heard.
    pub unheard: u64,
}

impl JoinFigures {
    /// The median, in ticks.
    pub fn median(&self) -> Option<f64> {
        self.ticks.get(self.ticks.len() / 2).copied()
    }

    /// The longest, in ticks.
    pub fn max(&self) -> Option<f64> {
        self.ticks.last().copied()
    }

    /// Joins that took more than two ticks.
    pub fn late(&self) -> u64 {
        self.unheard + self.ticks.iter().filter(|ticks| **ticks > MOST_TICKS).count() as u64
    }
}

#[cfg(test)]
#[allow(unused)] // a bench has no harness, and so no tests
mod tests {
    use super::*;

    #[test]
    fn who_is_not_heard_is_late_too() {
        let figures = JoinFigures { ticks: vec![0.2, 0.9, 2.0, 2.1], unheard: 3 };
        assert_eq!((figures.late(), figures.median(), figures.max()), (4, Some(2.0), Some(2.1)));
        let none = JoinFigures::default();
        assert_eq!((none.late(), none.median(), none.max()), (0, None, None));
    }
}
