//! A context: extensions, each with its steps by priority, and the contexts that it includes.

use std::collections::BTreeMap;

use super::application::{Application, ArgumentError, Call};
use super::error::Problem;
use super::pattern::Pattern;

/// A context, as a program makes one; those of a text are made by the same means.
///
/// ```
/// use stasis_control::dialplan::{Context, Dialplan};
/// let context = Context::new("stasis-sales")
///     .extension("_.", &["Stasis(sales)"])?
///     .extension("h", &["NoOp"])?;
/// let dialplan = Dialplan::default().with_context(context);
/// assert_eq!(dialplan.step("stasis-sales", "200", 1).unwrap().args, "sales");
/// # Ok::<(), stasis_control::dialplan::Problem>(())
/// ```
#[derive(Clone, Debug)]
pub struct Context {
    pub(super) name: String,
    pub(super) includes: Vec<String>,
    pub(super) extensions: BTreeMap<Pattern, Extension>,
}

/// The steps of one extension.
#[derive(Clone, Debug, Default)]
pub(super) struct Extension {
    pub name: String,
    pub steps: BTreeMap<u32, StoredStep>,
    /// The priority of the step that was put in last; 0 before the first.
    last: u32,
}

#[derive(Clone, Debug)]
pub(super) struct StoredStep {
    pub label: Option<String>,
    pub call: Call,
    line: usize,
}

/// Where a step goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// At this priority, from 1.
    At(u32),
    /// So many behind the step before.
    Behind(u32),
}

impl Context {
    /// An empty context.
    pub fn new(name: &str) -> Context {
        Context { name: name.into(), includes: Vec::new(), extensions: BTreeMap::new() }
    }

    /// Adds an extension (a name, or a pattern behind `_`) with its steps, `Name(arguments)` each,
    /// from priority 1.
    ///
    /// # Errors
    /// As in a file: a name that is no pattern, an application that does not exist, arguments that
    /// it does not take, an extension that is there already.
    pub fn extension(mut self, name: &str, steps: &[&str]) -> Result<Context, Problem> {
        let extension = self.extension_mut(name)?.0;
        for (priority, step) in (1..).zip(steps) {
            extension.put(Place::At(priority), None, step, 0)?;
        }
        Ok(self)
    }

    /// Looks into the context `name`, too, behind all that was included before. If there is none,
    /// nothing is found there.
    pub fn include(mut self, name: &str) -> Context {
        self.includes.push(name.into());
        self
    }

    /// The extension of that name, made if it is missing, and a warning about its pattern.
    pub(super) fn extension_mut(
        &mut self,
        name: &str,
    ) -> Result<(&mut Extension, Option<&'static str>), Problem> {
        let (pattern, warning) =
            Pattern::parse(name).map_err(|why| Problem::Extension { name: name.into(), why })?;
        let extension = self.extensions.entry(pattern).or_default();
        let warning = warning.filter(|_| extension.steps.is_empty());
        if extension.name.is_empty() {
            extension.name = name.into();
        }
        Ok((extension, warning))
    }
}

impl Extension {
    /// Puts a step in; `call` is `Name(arguments)` or `Name`.
    pub(super) fn put(
        &mut self,
        place: Place,
        label: Option<&str>,
        call: &str,
        line: usize,
    ) -> Result<(), Problem> {
        let priority = match place {
            Place::At(priority) => priority,
            Place::Behind(_) if self.last == 0 => {
                return Err(Problem::NothingBefore(self.name.clone()));
            }
            Place::Behind(by) => self.last.saturating_add(by),
        };
        // Taken also if the step is refused, so that those behind are not refused for it.
        self.last = priority;
        let exten = || self.name.clone();
        if let Some(first) = self.steps.get(&priority) {
            return Err(Problem::Twice { exten: exten(), priority, line: first.line });
        }
        let label = label.map(str::to_owned);
        if label.is_some() && self.steps.values().any(|step| step.label == label) {
            return Err(Problem::Label { exten: exten(), label: label.unwrap_or_default() });
        }
        let call = parse_call(call)?;
        self.steps.insert(priority, StoredStep { label, call, line });
        Ok(())
    }

    /// The priority of a label.
    pub(super) fn label(&self, label: &str) -> Option<u32> {
        let mut steps = self.steps.iter();
        steps.find(|(_, step)| step.label.as_deref() == Some(label)).map(|(&priority, _)| priority)
    }
}

/// Reads `Name(arguments)`. Arguments without a `$` are what the application will be given, so they
/// are tried at once.
fn parse_call(text: &str) -> Result<Call, Problem> {
    let no_call = || Problem::Call(text.into());
    let text = text.trim();
    let (name, args) = match text.split_once('(') {
        None => (text, ""),
        Some((name, rest)) => (name.trim_end(), rest.strip_suffix(')').ok_or_else(no_call)?),
    };
    if name.is_empty() || name.contains(|other: char| !other.is_alphanumeric() && other != '_') {
        return Err(no_call());
    }
    let app = Application::canonical(name).ok_or_else(|| ArgumentError::unknown(name))?;
    if !args.contains('$') {
        Application::parse(app, args)?;
    }
    Ok(Call { app, args: args.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_a_name_and_arguments_to_the_last_parenthesis() {
        let call = |text| parse_call(text).map(|call| (call.app, call.args));
        assert_eq!(call(" answer "), Ok(("Answer", "".into())));
        assert_eq!(call("NoOp(a (b) c)"), Ok(("NoOp", "a (b) c".into())));
        assert_eq!(call("Hangup(${CAUSE})"), Ok(("Hangup", "${CAUSE}".into())));
        for wrong in ["", "(x)", "NoOp(x", "NoOp(x) y", "No Op(x)", "Wiat(1)", "Wait(soon)"] {
            assert!(call(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_refused_step_does_not_make_those_behind_it_wrong() {
        let mut extension = Extension::default();
        assert!(extension.put(Place::At(1), None, "Anwser", 1).is_err());
        assert_eq!(extension.put(Place::Behind(1), None, "Hangup", 2), Ok(()));
        assert!(extension.steps.contains_key(&2));
    }
}
