//! Numbers as texts, and which texts are true.

/// A number in a text. Whole ones stay whole, so that long ones keep all their digits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Number {
    Whole(i64),
    Decimal(f64),
}

/// Whether a condition holds: everything does, but an empty text (also as `""`) and a zero.
pub fn truth(text: &str) -> bool {
    let text = text.trim();
    let zero = Number::parse(text).is_some_and(|number| number.decimal() == 0.0);
    !(zero || text.is_empty() || text == "\"\"" || text == "\"0\"")
}

impl Number {
    /// Reads digits, with a minus before and a fraction behind, if they are there.
    pub fn parse(text: &str) -> Option<Number> {
        let text = text.trim();
        let digits = text.strip_prefix('-').unwrap_or(text);
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|it| it.is_ascii_digit());
        if !digits(whole) || !digits(fraction) {
            return None;
        }
        let decimal = || text.parse().ok().filter(|it: &f64| it.is_finite()).map(Number::Decimal);
        text.parse().ok().map(Number::Whole).or_else(decimal)
    }

    pub fn decimal(self) -> f64 {
        match self {
            Number::Whole(number) => number as f64,
            Number::Decimal(number) => number,
        }
    }

    /// The number as a text, a decimal with up to 15 digits that count.
    pub fn text(self) -> String {
        match self {
            Number::Whole(number) => number.to_string(),
            Number::Decimal(number) => {
                let rounded = format!("{number:.14e}").parse().unwrap_or(number);
                if rounded == 0.0 { "0".into() } else { rounded.to_string() }
            }
        }
    }

    /// Applies the whole numbers' operation, or, if there is none or it overflows, the decimals'.
    /// `None` if the result is no number.
    pub fn calculate(
        self,
        other: Number,
        whole: impl Fn(i64, i64) -> Option<i64>,
        decimal: impl Fn(f64, f64) -> f64,
    ) -> Option<Number> {
        if let (Number::Whole(a), Number::Whole(b)) = (self, other)
            && let Some(result) = whole(a, b)
        {
            return Some(Number::Whole(result));
        }
        let result = decimal(self.decimal(), other.decimal());
        result.is_finite().then_some(Number::Decimal(result))
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        match (self, other) {
            (Number::Whole(a), Number::Whole(b)) => a.partial_cmp(b),
            _ => self.decimal().partial_cmp(&other.decimal()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_and_nothing_are_false_and_all_else_is_true() {
        for text in ["", " ", "0", "00", "0.0", "-0", "\"\"", "\"0\""] {
            assert!(!truth(text), "{text}");
        }
        for text in ["1", "-1", "0.1", "no", "false", "\"a\"", "0a", "."] {
            assert!(truth(text), "{text}");
        }
    }

    #[test]
    fn numbers_are_written_without_the_noise_of_binary_fractions() {
        let text = |text: &str| Number::parse(text).map(Number::text);
        assert_eq!(text("007").as_deref(), Some("7"));
        assert_eq!(Number::Decimal(0.1 + 0.2).text(), "0.3");
        assert_eq!(Number::Decimal(-0.0).text(), "0");
        assert_eq!(Number::Decimal(5.0).text(), "5");
        for none in ["", "-", ".1", "1.", "1e5", "inf", "+1", "0x1", "1.2.3", "--1"] {
            assert_eq!(text(none), None, "{none}");
        }
    }
}
