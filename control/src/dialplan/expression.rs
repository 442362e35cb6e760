//! What stands in `$[ … ]`: operators over texts and numbers.
//!
//! From the loosest binding to the tightest: `? ::`, `|`, `&`, comparisons, `+ -`, `* / %`,
//! `: =~ ~~`, and `! -` before a value. (Source: "Operators", docs.asterisk.org.) All that is there
//! is evaluated, nothing is skipped: variables were put in before, so nothing can happen by it.
//!
//! Quotes around a text belong to its value; they are taken off to match, to join and to compare
//! with something unquoted. An operand that is missing (an empty variable) is an empty text, and a
//! text that is no number counts as 0 in sums.

use super::number::truth;
use super::operator::{apply, call, flag};
use super::substitute::{MAX_DEPTH, MAX_LENGTH};

/// Why an expression has no value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExpressionError {
    /// More than [`MAX_LENGTH`] bytes. Shorten it.
    #[error("an expression of more than {MAX_LENGTH} bytes")]
    TooLong,
    /// Parentheses more than [`MAX_DEPTH`] deep. Take it apart, with Set.
    #[error("more than {MAX_DEPTH} parentheses in each other")]
    TooDeep,
    /// Something is left over. Values with blanks or operators in them need quotes.
    #[error("`{0}` is not expected here: put texts in quotes")]
    Unexpected(String),
    /// A quote or parenthesis without its other half, or `?` without `::`.
    #[error("`{0}` is missing")]
    Missing(&'static str),
    /// A function that expressions do not have; `${NAME(…)}` has others.
    #[error("there is no function `{0}` in expressions")]
    Function(String),
    /// A division by zero, or a result that is too large.
    #[error("the result of `{0}` is no number")]
    NoNumber(&'static str),
    /// Not a regular expression, or a very large one.
    #[error("`{0}` is no regular expression, or too large")]
    Regex(String),
}

/// Evaluates the text between `$[` and `]`, in which variables were put in already.
///
/// # Errors
/// See [`ExpressionError`]; there is no value then.
pub fn evaluate(text: &str) -> Result<String, ExpressionError> {
    if text.len() > MAX_LENGTH {
        return Err(ExpressionError::TooLong);
    }
    let mut parser = Parser { rest: text.trim(), depth: 0 };
    let value = parser.conditional()?;
    match parser.rest {
        "" => Ok(value),
        left => Err(ExpressionError::Unexpected(left.chars().take(40).collect())),
    }
}

/// The operators between two values, loosest first; longer ones before those that begin them.
const LEVELS: [&[&str]; 6] = [
    &["|"],
    &["&"],
    &["==", "=", "!=", "<=", "<", ">=", ">"],
    &["+", "-"],
    &["*", "/", "%"],
    &["=~", "~~", ":"],
];

/// What ends a text without quotes.
const SPECIAL: &str = "|&=!<>+-*/%:?()\"~";

/// What an operand or an operation is worth.
pub(super) type Value = Result<String, ExpressionError>;

struct Parser<'a> {
    /// What is not read yet, without blanks before it.
    rest: &'a str,
    depth: usize,
}

impl<'a> Parser<'a> {
    fn conditional(&mut self) -> Value {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(ExpressionError::TooDeep);
        }
        let condition = self.binary(0)?;
        let mut value = condition;
        if self.take("?") {
            let then = self.conditional()?;
            if !self.take("::") {
                return Err(ExpressionError::Missing("::"));
            }
            let otherwise = self.conditional()?;
            value = if truth(&value) { then } else { otherwise };
        }
        self.depth -= 1;
        Ok(value)
    }

    fn binary(&mut self, level: usize) -> Value {
        let Some(operators) = LEVELS.get(level) else { return self.unary() };
        let mut value = self.binary(level + 1)?;
        while let Some(operator) = self.operator(operators) {
            let right = match operator {
                ":" | "=~" => self.pattern()?,
                _ => self.binary(level + 1)?,
            };
            value = apply(value, operator, right)?;
        }
        Ok(value)
    }

    fn unary(&mut self) -> Value {
        let mut signs = Vec::new();
        while let Some(sign) = self.operator(&["!", "-"]) {
            signs.push(sign);
        }
        let value = self.primary()?;
        signs.into_iter().rev().try_fold(value, |value, sign| match sign {
            "!" => Ok(flag(!truth(&value))),
            _ => apply("0".into(), "-", value),
        })
    }

    fn primary(&mut self) -> Value {
        if self.take("(") {
            let value = self.conditional()?;
            return if self.take(")") { Ok(value) } else { Err(ExpressionError::Missing(")")) };
        }
        if self.rest.starts_with('"') {
            return self.quoted().map(str::to_owned);
        }
        let end = self.rest.find(|it: char| it.is_whitespace() || SPECIAL.contains(it));
        let text = self.advance(end.unwrap_or(self.rest.len()));
        if !text.is_empty() && self.take("(") {
            let value = self.conditional()?;
            return if self.take(")") {
                call(text, &value)
            } else {
                Err(ExpressionError::Missing(")"))
            };
        }
        Ok(text.into())
    }

    /// The right side of a match. Without quotes it ends at a blank or a parenthesis too many.
    fn pattern(&mut self) -> Value {
        if self.rest.starts_with('"') {
            return self.quoted().map(str::to_owned);
        }
        let mut open = 0_usize;
        let end = self.rest.find(|character: char| {
            match character {
                '(' => open += 1,
                ')' if open == 0 => return true,
                ')' => open -= 1,
                _ => {}
            }
            character.is_whitespace()
        });
        Ok(self.advance(end.unwrap_or(self.rest.len())).into())
    }

    /// A text in quotes, with them. A `\` keeps a quote from ending it.
    fn quoted(&mut self) -> Result<&'a str, ExpressionError> {
        let mut escaped = true; // the first quote begins
        let end = self.rest.find(|character| {
            let ends = character == '"' && !escaped;
            escaped = character == '\\' && !escaped;
            ends
        });
        let end = end.ok_or(ExpressionError::Missing("\""))?;
        Ok(self.advance(end + 1))
    }

    /// Takes one of these operators, if it is next. `::` belongs to `?` alone, and the two of `=~`
    /// and `~~` are one.
    fn operator(&mut self, operators: &[&'static str]) -> Option<&'static str> {
        let operator = operators.iter().copied().find(|it| self.rest.starts_with(it))?;
        let longer = match operator {
            ":" => self.rest.starts_with("::"),
            "=" => self.rest.starts_with("=~"),
            "!" => self.rest.starts_with("!="),
            _ => false,
        };
        (!longer && self.take(operator)).then_some(operator)
    }

    fn take(&mut self, token: &str) -> bool {
        let found = self.rest.starts_with(token);
        if found {
            self.advance(token.len());
        }
        found
    }

    /// Takes so many bytes, and the blanks behind them.
    fn advance(&mut self, length: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at(length);
        self.rest = rest.trim_start();
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> String {
        evaluate(text).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn the_examples_of_the_documentation_hold() {
        for (text, expected) in [
            ("1 + 2", "3"),
            (r#""One Thousand Five Hundred" =~ "(T[^ ]+)""#, "Thousand"),
            (r#""One Thousand Five Hundred" =~ "T[^ ]+""#, "8"),
            (r#""One Thousand Five Hundred" : "T[^ ]+""#, "0"),
            (r#""8015551212" : "(...)""#, "801"),
            (r#""3075551212":"...(...)""#, "555"),
            (r#"! "One Thousand Five Hundred" =~ "T[^ ]+""#, "0"),
            (r#"!( "One Thousand Five Hundred" : "T[^ ]+" )"#, "1"),
            ("2 + 8 / 2", "6"),
            ("2+8/2", "6"),
            ("(2+8)/2", "5"),
            ("(3+8)/2", "5.5"),
            ("TRUNC((3+8)/2)", "5"),
            ("FLOOR(-2.5)", "-3"),
            ("CEIL(-2.5)", "-2"),
            ("ROUND(-2.5)", "-3"),
            ("RINT(2.5)", "2"),
            ("RINT(-3.5)", "-4"),
            ("3+ -4", "-1"),
        ] {
            assert_eq!(value(text), expected, "{text}");
        }
    }

    #[test]
    fn operators_bind_as_they_should() {
        for (text, expected) in [
            ("1 | 0 & 0", "1"),
            ("0 | abc", "abc"),
            ("5 & 3", "5"),
            ("5 & 0", "0"),
            ("1 + 1 = 2", "1"),
            ("1 + 2 * 3 - 4 % 3", "6"),
            ("10 - 3 - 2", "5"),
            ("!1 = 0", "1"),
            ("- - 3", "3"),
            ("1 < 2 & 3 >= 3", "1"),
            ("1 ? yes :: no", "yes"),
            ("0 ? a :: 0 ? b :: c", "c"),
            (r#""" ? a :: b"#, "b"),
            (r#""a" ~~ "b""#, "ab"),
            ("abc =~ ^[a-c]+$", "3"),
            ("(abc =~ (b))", "b"),
            ("9223372036854775807 + 1", "9223372036854780000"),
        ] {
            assert_eq!(value(text), expected, "{text}");
        }
    }

    #[test]
    fn texts_and_numbers_are_compared_each_in_its_way() {
        for (text, expected) in [
            ("9 < 10", "1"),
            (r#""9" < "10""#, "0"),
            (r#""5" = 5.0"#, "1"),
            (r#""BUSY" = "BUSY""#, "1"),
            (r#""BUSY"=BUSY"#, "1"),
            (r#""a b" != "a b""#, "0"),
            ("123456789012345678 = 123456789012345679", "0"),
            ("abc == abc", "1"),
        ] {
            assert_eq!(value(text), expected, "{text}");
        }
    }

    #[test]
    fn a_missing_operand_is_an_empty_text() {
        for (text, expected) in [
            ("", ""),
            (" = 5", "0"),
            ("= ", "1"),
            (" + 5", "5"),
            ("5 > ", "1"),
            ("abc + 1", "1"),
            ("!", "1"),
            (" =~ x", "0"),
        ] {
            assert_eq!(value(text), expected, "{text}");
        }
    }

    #[test]
    fn what_has_no_value_says_why() {
        use ExpressionError::*;
        assert_eq!(evaluate("1 / 0"), Err(NoNumber("/")));
        assert_eq!(evaluate("a b"), Err(Unexpected("b".into())));
        assert_eq!(evaluate("(1"), Err(Missing(")")));
        assert_eq!(evaluate("1)"), Err(Unexpected(")".into())));
        assert_eq!(evaluate("\"a"), Err(Missing("\"")));
        assert_eq!(evaluate("1 ? 2"), Err(Missing("::")));
        assert_eq!(evaluate("a =~ \"(\""), Err(Regex("(".into())));
        assert_eq!(evaluate("SIN(1)"), Err(Function("SIN".into())));
        assert_eq!(evaluate(&"(".repeat(60_000)), Err(TooDeep));
        assert_eq!(evaluate(&" ".repeat(70_000)), Err(TooLong));
        assert_eq!(evaluate(&"!".repeat(60_001)).as_deref(), Ok("1"));
    }
}
