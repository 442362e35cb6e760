//! The form of TOML: a table for each context, and in it a list of steps for each extension.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::context::Place;
use super::draft::Draft;
use super::error::Problem;

const TOP: &str = "write [globals] or [contexts.NAME]";
const CONTEXT: &str = "a context has `include` and [contexts.NAME.extensions]";
const STEPS: &str =
    "an extension is a list of steps: [\"Answer\", { label = \"here\", app = \"Wait(1)\" }]";
const STEP: &str = "a step is \"Name(arguments)\" or \
    { app = \"Name(arguments)\", label = \"name\", priority = 10 }";

/// Reads a whole document.
pub(super) fn parse(text: &str) -> Draft {
    let line_ends = text.match_indices('\n').map(|(at, _)| at).collect();
    let mut reader = Reader { line_ends, draft: Draft::default() };
    let (document, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        let line = error.span().map_or(1, |span| reader.line(span.start));
        reader.draft.error(line, Problem::Toml(error.message().into()));
    }
    for (key, value) in document.get_ref() {
        match key.get_ref().as_ref() {
            "globals" => reader.globals(key, value),
            "contexts" => reader.contexts(key, value),
            _ => reader.wrong(key, TOP),
        }
    }
    reader.draft
}

struct Reader {
    /// Where the line feeds are.
    line_ends: Vec<usize>,
    draft: Draft,
}

type Key<'i> = Spanned<std::borrow::Cow<'i, str>>;
type Value<'i> = Spanned<DeValue<'i>>;

impl Reader {
    fn globals(&mut self, key: &Key<'_>, value: &Value<'_>) {
        let Some(globals) = value.get_ref().as_table() else { return self.wrong(key, TOP) };
        for (name, value) in globals {
            match text_of(value.get_ref()) {
                Some(text) => self.draft.global(name.get_ref(), &text),
                None => self.wrong(name, "the value of a variable is a text or a number"),
            }
        }
    }

    fn contexts(&mut self, key: &Key<'_>, value: &Value<'_>) {
        let Some(contexts) = value.get_ref().as_table() else { return self.wrong(key, TOP) };
        for (name, value) in contexts {
            self.draft.context(name.get_ref());
            match value.get_ref().as_table() {
                Some(context) => self.context(name.get_ref(), context),
                None => self.wrong(name, CONTEXT),
            }
        }
    }

    fn context(&mut self, context: &str, entries: &DeTable<'_>) {
        for (key, value) in entries {
            match (key.get_ref().as_ref(), value.get_ref()) {
                ("include", DeValue::Array(targets)) => {
                    for target in targets {
                        self.include(context, key, target);
                    }
                }
                ("include", DeValue::String(_)) => self.include(context, key, value),
                ("extensions", DeValue::Table(extensions)) => {
                    for (exten, steps) in extensions {
                        self.extension(context, exten, steps);
                    }
                }
                _ => self.wrong(key, CONTEXT),
            }
        }
    }

    fn include(&mut self, context: &str, key: &Key<'_>, target: &Value<'_>) {
        match target.get_ref().as_str() {
            Some(name) => self.draft.include(context, name, self.line(target.span().start)),
            None => self.wrong(key, "include is a list of names of contexts"),
        }
    }

    fn extension(&mut self, context: &str, exten: &Key<'_>, steps: &Value<'_>) {
        let place = (context, exten.get_ref().as_ref());
        match steps.get_ref() {
            DeValue::String(_) => self.step(place, exten, steps, true),
            DeValue::Array(steps) => {
                for (index, step) in steps.iter().enumerate() {
                    self.step(place, exten, step, index == 0);
                }
            }
            _ => self.wrong(exten, STEPS),
        }
    }

    fn step(&mut self, place: (&str, &str), exten: &Key<'_>, step: &Value<'_>, first: bool) {
        let line = self.line(step.span().start);
        let next = if first { Place::At(1) } else { Place::Behind(1) };
        match step.get_ref() {
            DeValue::String(call) => self.draft.step(place, next, None, call, line),
            DeValue::Table(entries) => {
                if let Some(wrong) = entries
                    .keys()
                    .find(|key| !matches!(key.get_ref().as_ref(), "app" | "label" | "priority"))
                {
                    return self.wrong(wrong, STEP);
                }
                let entry = |name| entries.get(name).map(Spanned::get_ref);
                let at = match entry("priority").map(priority_of) {
                    None => next,
                    Some(Some(priority)) => Place::At(priority),
                    Some(None) => return self.wrong(exten, "a priority is a number from 1"),
                };
                let label = entry("label").map(|label| label.as_str().filter(|it| !it.is_empty()));
                match (entry("app").and_then(DeValue::as_str), label) {
                    (None, _) | (_, Some(None)) => self.wrong(exten, STEP),
                    (Some(call), label) => {
                        self.draft.step(place, at, label.flatten(), call, line);
                    }
                }
            }
            _ => self.wrong(exten, STEP),
        }
    }

    fn wrong(&mut self, key: &Key<'_>, advice: &'static str) {
        let line = self.line(key.span().start);
        self.draft.error(line, Problem::Key { key: key.get_ref().to_string(), advice });
    }

    /// The line, from 1, of a byte of the text.
    fn line(&self, at: usize) -> usize {
        1 + self.line_ends.partition_point(|&end| end < at)
    }
}

/// A text as it is, a number or truth as it is written.
fn text_of(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(number) => Some(number.to_string()),
        DeValue::Float(number) => Some(number.to_string()),
        DeValue::Boolean(truth) => Some(truth.to_string()),
        _ => None,
    }
}

fn priority_of(value: &DeValue<'_>) -> Option<u32> {
    let number = value.as_integer()?;
    u32::from_str_radix(number.as_str(), number.radix()).ok().filter(|&priority| priority > 0)
}
