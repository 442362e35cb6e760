//! Any text: nothing panics, bounds hold, and matching is what a plain reading of the rules says.

use std::cmp::Reverse;

use proptest::prelude::*;
use stasis_control::dialplan::{
    Application, Dialplan, Environment, FunctionError, MAX_LENGTH, arguments, evaluate, substitute,
};

/// Each variable's value is its name; each function's its arguments.
struct Mirror;

impl Environment for Mirror {
    fn variable(&self, name: &str) -> Option<String> {
        Some(name.repeat(3))
    }

    fn function(&mut self, name: &str, args: &str) -> Result<String, FunctionError> {
        if name == "BAD" { Err(FunctionError::Unknown(name.into())) } else { Ok(args.into()) }
    }
}

/// Texts of pieces that mean something, so that they get far.
fn language() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        prop::sample::select(vec![
            "${",
            "$[",
            "}",
            "]",
            "[",
            "(",
            ")",
            "\"",
            "\\",
            ",",
            ":",
            "::",
            "?",
            "=~",
            "=",
            "!",
            "-",
            "+",
            "/",
            "%",
            "*",
            "|",
            "&",
            "<",
            " ",
            ";",
            ";--",
            "--;",
            "\n",
            "exten => ",
            "same => ",
            "include => ",
            "[a]",
            "[globals]",
            "[general]",
            "n",
            "n(x)",
            "1",
            "_X.",
            "CUT(",
            "IF(",
            "MATH(",
            "REGEX(",
            "FILTER(",
            "FIELDQTY(",
            "QUOTE(",
            "NoOp",
            "Goto(",
            "Dial(",
            "9223372036854775807",
            "0.1",
            "é",
            "ROUND(",
            "-9223372036854775808",
            "[contexts.a.extensions]",
            "'1' = [",
            "{ app = ",
            "label = ",
        ])
        .prop_map(str::to_owned),
        any::<String>(),
    ];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

/// The characters of a pattern's elements, as the rules are written, slowly.
fn sets(pattern: &str) -> Vec<Vec<char>> {
    let digits = |from: char| (from..='9').collect::<Vec<_>>();
    let mut sets = Vec::new();
    let mut rest = pattern.chars();
    while let Some(character) = rest.next() {
        sets.push(match character {
            '-' => continue,
            'X' => digits('0'),
            'Z' => digits('1'),
            'N' => digits('2'),
            '[' => {
                let mut set: Vec<_> = rest.by_ref().take_while(|it| *it != ']').collect();
                set.sort_unstable();
                set.dedup();
                set
            }
            other => vec![other],
        });
    }
    sets
}

/// Whether a pattern without its `_` matches.
fn naive_match(pattern: &str, exten: &str) -> bool {
    let exten: Vec<char> = exten.chars().filter(|it| *it != '-').collect();
    let sets = sets(pattern);
    let fits = |count: usize| {
        exten.len() >= count
            && sets.iter().zip(&exten).take(count).all(|(set, it)| set.contains(it))
    };
    match sets.last().map(Vec::as_slice) {
        Some(['.']) => fits(sets.len() - 1) && exten.len() >= sets.len(),
        Some(['!']) => fits(sets.len() - 1),
        _ => fits(sets.len()) && exten.len() == sets.len(),
    }
}

/// A key by which the better pattern is the smaller.
fn naive_rank(pattern: &str) -> Vec<(Reverse<bool>, Reverse<bool>, usize, String)> {
    let rank = |set: &Vec<char>| {
        let set: String = set.iter().collect();
        (Reverse(set != "!"), Reverse(set != "."), set.len(), set)
    };
    sets(pattern).iter().map(rank).collect()
}

fn pattern() -> impl Strategy<Value = String> {
    // The second sort is narrow, so that several match one extension.
    prop_oneof!["([XZN0-3#*-]|\\[[0-4]{1,3}\\]){0,4}[XN1][.!]?", "([XZ1]|\\[[0-3]{2}\\]){1,2}[.!]?",]
}

proptest! {
    #[test]
    fn no_text_breaks_the_readers(text in language()) {
        let _ = Dialplan::parse_conf(&text);
        let _ = Dialplan::parse_conf(&format!("[a]\nexten => {text}"));
        let _ = Dialplan::parse_conf(&format!("[a]\nexten => 1,1,{text}"));
        let _ = Dialplan::parse_toml(&text);
        let _ = Dialplan::parse_toml(&format!("[contexts.a.extensions]\n{text}"));
    }

    #[test]
    fn no_text_breaks_substitution_or_expressions(text in language()) {
        prop_assert!(substitute(&text, &mut Mirror).len() <= MAX_LENGTH);
        substitute(&format!("${{{text}}}"), &mut Mirror);
        substitute(&format!("$[{text}]"), &mut Mirror);
        let _ = evaluate(&text);
    }

    #[test]
    fn no_text_breaks_an_application(text in language(), name in 0..Application::NAMES.len()) {
        let name = Application::NAMES[name];
        if let Ok(application) = Application::parse(name, &text) {
            prop_assert_eq!(application.name(), name);
        }
        let _ = Application::parse(&text, &text);
    }

    #[test]
    fn no_text_breaks_the_matcher(name in any::<String>(), exten in any::<String>()) {
        let text = format!("[contexts.a.extensions]\n{name:?} = 'NoOp'\n'_X.' = 'NoOp'");
        if let Ok(dialplan) = Dialplan::parse_toml(&text) {
            dialplan.matches("a", &exten);
            dialplan.could_match_longer("a", &exten);
            dialplan.label("a", &exten, &name);
        }
    }

    #[test]
    fn a_name_wins_over_every_pattern(
        patterns in prop::collection::vec(pattern(), 0..6), exten in "[0-9]{1,5}",
    ) {
        let mut text = String::from("[a]\n");
        for pattern in &patterns {
            text += &format!("exten => _{pattern},1,NoOp\n");
        }
        text += &format!("exten => {exten},1,Answer\n");
        // The same pattern twice is refused; then there is nothing to see.
        if let Ok(dialplan) = Dialplan::parse_conf(&text) {
            prop_assert_eq!(dialplan.step("a", &exten, 1).unwrap().app, "Answer");
        }
    }

    #[test]
    fn matching_agrees_with_a_plain_reading_of_the_rules(
        patterns in prop::collection::vec(pattern(), 1..12),
        exten in prop_oneof!["[0-4#*]{0,3}-?[0-4]{0,3}", "[0-3]{1,3}"],
    ) {
        // Two that match the same are one extension, in which a priority cannot be twice.
        let mut patterns = patterns;
        patterns.sort_by_key(|pattern| naive_rank(pattern));
        patterns.dedup_by_key(|pattern| naive_rank(pattern));
        let steps = patterns.iter().map(|pattern| format!("exten => _{pattern},1,NoOp\n"));
        let text = String::from("[a]\n") + &steps.collect::<String>();
        let dialplan = Dialplan::parse_conf(&text).unwrap();
        let best = patterns.iter().find(|pattern| naive_match(pattern, &exten));
        let best = best.map(|pattern| format!("_{pattern}"));
        let found = dialplan.step("a", &exten, 1).map(|step| step.exten.to_owned());
        prop_assert_eq!(found, best);
    }

    #[test]
    fn longer_matches_are_promised_only_where_one_digit_more_keeps_the_hope(
        pattern in pattern(), prefix in "[0-4]{0,4}",
    ) {
        let dialplan = Dialplan::parse_conf(&format!("[a]\nexten => _{pattern},1,NoOp\n")).unwrap();
        let hopeful = |text: &str| {
            dialplan.matches("a", text) || dialplan.could_match_longer("a", text)
        };
        let kept = "0123456789#*".chars().any(|digit| hopeful(&format!("{prefix}{digit}")));
        if dialplan.could_match_longer("a", &prefix) {
            prop_assert!(kept);
        } else if !pattern.ends_with('!') {
            prop_assert!(!kept);
        }
    }

    #[test]
    fn what_is_quoted_comes_back_as_one_argument(texts in prop::collection::vec("[^\\\\\"]*", 1..5)) {
        let quoted: Vec<_> = texts.iter().map(|text| format!("\"{text}\"")).collect();
        prop_assert_eq!(arguments(&quoted.join(",")), texts);
    }

    #[test]
    fn sums_are_those_of_the_machine(a in -1_000_000_i64..1_000_000, b in 1_i64..1_000_000) {
        for (operator, expected) in [("+", a + b), ("-", a - b), ("*", a * b), ("%", a % b)] {
            let text = format!("{a} {operator} {b}");
            prop_assert_eq!(evaluate(&text), Ok(expected.to_string()), "{}", text);
        }
    }
}
