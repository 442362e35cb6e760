//! `MATH(a+b,type)`: one operation on two numbers.

use super::number::Number;

const ADVICE: &str = "write MATH(1+2,int): two numbers, one of + - * / % ^ << >> AND OR XOR < <= > \
    >= ==, and int, float, hex or char";

/// Longer operators before those that begin them.
const OPERATORS: [&str; 15] =
    ["<<", ">>", "<=", ">=", "==", "AND", "XOR", "OR", "<", ">", "+", "-", "*", "/", "%"];

/// The value of `MATH`'s arguments; the error says what to write.
pub(super) fn calculate(args: &str) -> Result<String, &'static str> {
    let (text, kind) = args.split_once(',').unwrap_or((args, "float"));
    let (left, operator, right) = parse(text).ok_or(ADVICE)?;
    let (a, b) = (left.decimal(), right.decimal());
    let truth = |holds: bool| Ok(if holds { "TRUE".into() } else { "FALSE".into() });
    let whole = |result: i64| Some(Number::Whole(result));
    let (i, j) = (a as i64, b as i64); // saturates
    let result = match operator {
        "<" => return truth(left < right),
        "<=" => return truth(left <= right),
        ">" => return truth(left > right),
        ">=" => return truth(left >= right),
        "==" => return truth(left == right),
        "AND" => whole(i & j),
        "OR" => whole(i | j),
        "XOR" => whole(i ^ j),
        "<<" => u32::try_from(j).ok().and_then(|by| i.checked_shl(by)).and_then(whole),
        ">>" => u32::try_from(j).ok().and_then(|by| i.checked_shr(by)).and_then(whole),
        "+" => left.calculate(right, i64::checked_add, |a, b| a + b),
        "-" => left.calculate(right, i64::checked_sub, |a, b| a - b),
        "*" => left.calculate(right, i64::checked_mul, |a, b| a * b),
        "/" => left.calculate(right, |_, _| None, |a, b| a / b),
        "^" => left.calculate(right, |_, _| None, f64::powf),
        _ => left.calculate(right, i64::checked_rem, |a, b| a % b),
    };
    write(result.ok_or("the result is no number")?, kind.trim())
}

/// Reads `a operator b`.
fn parse(text: &str) -> Option<(Number, &'static str, Number)> {
    let text = text.trim();
    let end = text.bytes().skip(1).position(|it| !it.is_ascii_digit() && it != b'.');
    let (left, rest) = text.split_at_checked(end? + 1)?;
    let rest = rest.trim_start();
    let mut operators = OPERATORS.into_iter().chain(["^"]);
    let operator = operators.find(|operator| {
        rest.get(..operator.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(operator))
    })?;
    Some((Number::parse(left)?, operator, Number::parse(rest.get(operator.len()..)?)?))
}

fn write(number: Number, kind: &str) -> Result<String, &'static str> {
    let whole = || match number {
        Number::Whole(number) => number,
        Number::Decimal(number) => number as i64, // saturates
    };
    match kind {
        "" | "f" | "float" => Ok(format!("{:.6}", number.decimal())),
        "i" | "int" => Ok(whole().to_string()),
        "h" | "hex" => Ok(format!("{:x}", whole())),
        "c" | "char" => {
            let character = u32::try_from(whole()).ok().and_then(char::from_u32);
            Ok(character.ok_or("the result is no character")?.to_string())
        }
        _ => Err(ADVICE),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_have_their_results_in_each_type() {
        for (args, expected) in [
            ("123%16,int", "11"),
            ("1+2", "3.000000"),
            ("7/2", "3.500000"),
            ("7/2,i", "3"),
            (" -3 * -4 , int", "12"),
            ("2^10,int", "1024"),
            ("255+0,hex", "ff"),
            ("64+1,char", "A"),
            ("1<<4,int", "16"),
            ("6 AND 3,int", "2"),
            ("6xor3,int", "5"),
            ("2<3", "TRUE"),
            ("2>=3", "FALSE"),
        ] {
            assert_eq!(calculate(args).as_deref(), Ok(expected), "{args}");
        }
        for wrong in ["", "1", "1+", "+", "a+b", "1/0", "1+2,x", "1<<64", "é+1", "1é"] {
            assert!(calculate(wrong).is_err(), "{wrong}");
        }
    }
}
