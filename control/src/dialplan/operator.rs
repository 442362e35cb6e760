//! What the operators and functions of expressions do with their operands.

use regex_lite::{Regex, RegexBuilder};

use super::arguments::unquoted;
use super::expression::{ExpressionError, Value};
use super::number::{Number, truth};

/// Compiles a regular expression. Matching takes time by its size and the text's, whatever they are;
/// so its size is limited: the largest needs about 10 µs for each byte of the text.
pub(super) fn regex(pattern: &str) -> Result<Regex, ExpressionError> {
    let built = RegexBuilder::new(pattern).size_limit(1 << 16).build();
    built.map_err(|_| ExpressionError::Regex(pattern.chars().take(80).collect()))
}

/// `1` or `0`.
pub(super) fn flag(holds: bool) -> String {
    if holds { "1".into() } else { "0".into() }
}

/// The value of two operands and the operator between them.
pub(super) fn apply(left: String, operator: &'static str, right: String) -> Value {
    match operator {
        "|" => Ok(if truth(&left) { left } else { right }),
        "&" => Ok(if truth(&left) && truth(&right) { left } else { "0".into() }),
        ":" | "=~" => matched(unquoted(&left), unquoted(&right), operator == ":"),
        "~~" => Ok(format!("{}{}", unquoted(&left), unquoted(&right))),
        "+" | "-" | "*" | "/" | "%" => calculate(&left, operator, &right),
        _ => Ok(flag(compare(&left, operator, &right))),
    }
}

fn compare(left: &str, operator: &str, right: &str) -> bool {
    let both_quoted = left.starts_with('"') && right.starts_with('"');
    let (left, right) = (unquoted(left), unquoted(right));
    let order = match (Number::parse(left), Number::parse(right)) {
        (Some(left), Some(right)) if !both_quoted => left.partial_cmp(&right),
        _ => Some(left.cmp(right)),
    };
    order.is_some_and(|order| match operator {
        "!=" => order.is_ne(),
        "<" => order.is_lt(),
        "<=" => order.is_le(),
        ">" => order.is_gt(),
        ">=" => order.is_ge(),
        _ => order.is_eq(),
    })
}

fn calculate(left: &str, operator: &'static str, right: &str) -> Value {
    let number = |text| Number::parse(unquoted(text)).unwrap_or(Number::Whole(0));
    let (left, right) = (number(left), number(right));
    let exact = |a: i64, b: i64| a.checked_rem(b).filter(|&rest| rest == 0).map(|_| a / b);
    let result = match operator {
        "+" => left.calculate(right, i64::checked_add, |a, b| a + b),
        "-" => left.calculate(right, i64::checked_sub, |a, b| a - b),
        "*" => left.calculate(right, i64::checked_mul, |a, b| a * b),
        "/" => left.calculate(right, exact, |a, b| a / b),
        _ => left.calculate(right, i64::checked_rem, |a, b| a % b),
    };
    result.map(Number::text).ok_or(ExpressionError::NoNumber(operator))
}

/// The first group of a match or the number of its characters; without one, nothing or 0.
fn matched(text: &str, pattern: &str, from_start: bool) -> Value {
    let anchored = if from_start { format!("^(?:{pattern})") } else { pattern.into() };
    let regex = regex(&anchored)?;
    let groups = regex.captures(text);
    if regex.captures_len() > 1 {
        let group = groups.as_ref().and_then(|groups| groups.get(1));
        return Ok(group.map_or("", |group| group.as_str()).into());
    }
    let whole = groups.as_ref().and_then(|groups| groups.get(0));
    Ok(whole.map_or(0, |whole| whole.as_str().chars().count()).to_string())
}

/// The functions on numbers (source: "Expr2 Built-in Functions", docs.asterisk.org).
pub(super) fn call(name: &str, value: &str) -> Value {
    let round: fn(f64) -> f64 = match name {
        "TRUNC" => f64::trunc,
        "FLOOR" => f64::floor,
        "CEIL" => f64::ceil,
        "ROUND" => f64::round,
        "RINT" => f64::round_ties_even,
        _ => return Err(ExpressionError::Function(name.into())),
    };
    let value = Number::parse(unquoted(value)).unwrap_or(Number::Whole(0));
    let rounded = match value {
        Number::Whole(_) => value,
        Number::Decimal(value) => Number::Decimal(round(value)),
    };
    Ok(rounded.text())
}
