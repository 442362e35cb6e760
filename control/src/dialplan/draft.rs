//! A dialplan while its text is read: what is whole, and what was wrong.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::context::{Context, Place};
use super::error::{DialplanError, DialplanWarning, Problem, nearest};
use super::{Dialplan, Plan};

/// Collects what a text says.
#[derive(Default)]
pub(super) struct Draft {
    contexts: BTreeMap<String, Context>,
    includes: Vec<(usize, String)>,
    globals: Vec<(String, String)>,
    warnings: Vec<DialplanWarning>,
    errors: Vec<DialplanError>,
}

impl Draft {
    pub fn error(&mut self, line: usize, problem: Problem) {
        self.errors.push(DialplanError { line, problem });
    }

    pub fn warn(&mut self, line: usize, text: impl Into<String>) {
        self.warnings.push(DialplanWarning { line, text: text.into() });
    }

    /// Sets a variable for all calls; a later one of the same name wins.
    pub fn global(&mut self, name: &str, value: &str) {
        self.globals.retain(|(known, _)| known != name);
        self.globals.push((name.into(), value.into()));
    }

    /// The context of that name, made if it is missing.
    pub fn context(&mut self, name: &str) -> &mut Context {
        self.contexts.entry(name.into()).or_insert_with(|| Context::new(name))
    }

    pub fn include(&mut self, context: &str, target: &str, line: usize) {
        self.context(context).includes.push(target.into());
        self.includes.push((line, target.into()));
    }

    /// Puts a step into an extension.
    pub fn step(
        &mut self,
        (context, exten): (&str, &str),
        place: Place,
        label: Option<&str>,
        call: &str,
        line: usize,
    ) {
        let put = self.context(context).extension_mut(exten).and_then(|(extension, warning)| {
            extension.put(place, label, call, line).map(|()| warning)
        });
        match put {
            Ok(None) => {}
            Ok(Some(warning)) => self.warn(line, format!("`{exten}` {warning}")),
            Err(problem) => self.error(line, problem),
        }
    }

    /// The dialplan, or all that is wrong with it, by line.
    pub fn finish(mut self) -> Result<Dialplan, Vec<DialplanError>> {
        for (line, name) in std::mem::take(&mut self.includes) {
            if !self.contexts.contains_key(&name) {
                let nearest = nearest(&name, self.contexts.keys().map(String::as_str));
                let nearest = nearest.map(str::to_owned);
                self.error(line, Problem::Include { name, nearest });
            }
        }
        if !self.errors.is_empty() {
            self.errors.sort_by_key(|error| error.line);
            return Err(self.errors);
        }
        self.warnings.sort_by_key(|warning| warning.line);
        let contexts = self.contexts.into_iter().map(|(name, it)| (name, Arc::new(it))).collect();
        let (globals, warnings) = (self.globals, self.warnings);
        Ok(Dialplan { plan: Arc::new(Plan { contexts, globals, warnings }) })
    }
}
