//! The dialplan: what becomes of a call, by the extension that it is for.
//!
//! This is its language, and nothing but that: texts become values, nothing is done. A [`Dialplan`]
//! is read from either of two forms and asked for one [`Step`] after the other. A step's arguments
//! are first put through [`substitute`], then become a typed [`Application`], which somebody else
//! performs. `docs/dialplan.md` tells all of it from the author's side.
//!
//! ```
//! use stasis_control::dialplan::{Application, Dialplan, Environment, substitute};
//!
//! struct Call;
//! impl Environment for Call {
//!     fn variable(&self, name: &str) -> Option<String> {
//!         (name == "EXTEN").then(|| "101".into())
//!     }
//! }
//!
//! let dialplan = Dialplan::parse_conf("
//!     [default]
//!     exten => _1XX,1,Answer()
//!      same => n,Stasis(sales,${EXTEN})
//! ").unwrap();
//! let step = dialplan.step("default", "101", 2).unwrap();
//! let args = substitute(step.args, &mut Call);
//! let Ok(Application::Stasis { app, args }) = Application::parse(step.app, &args) else { panic!() };
//! assert_eq!((app.as_str(), args.as_slice()), ("sales", ["101".to_string()].as_slice()));
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

mod application;
mod arguments;
mod conf;
mod context;
mod draft;
mod error;
mod expression;
mod function;
mod math;
mod number;
mod operator;
mod pattern;
mod substitute;
mod tables;

pub use application::{
    Application, ArgumentError, BackgroundOptions, Call, DialOptions, LogLevel, PlaybackOptions,
    PriorityOrLabel, ReadOptions, RecordOptions, RecordTerminator, Target,
};
pub use arguments::arguments;
pub use context::Context;
pub use error::{DialplanError, DialplanWarning, Problem, nearest};
pub use expression::{ExpressionError, evaluate};
pub use function::FunctionError;
pub use number::truth;
pub use substitute::{Environment, MAX_DEPTH, MAX_LENGTH, SubstituteError, substitute};

use context::Extension;
use pattern::Pattern;

/// A whole dialplan. It never changes, so a copy costs a reference count, and a call can keep the
/// one that it began with.
#[derive(Clone, Debug, Default)]
pub struct Dialplan {
    plan: Arc<Plan>,
}

#[derive(Clone, Debug, Default)]
struct Plan {
    contexts: BTreeMap<String, Arc<Context>>,
    globals: Vec<(String, String)>,
    warnings: Vec<DialplanWarning>,
}

/// One step of an extension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step<'a> {
    /// The name of the extension that matched, as it was written: `_1XX`.
    pub exten: &'a str,
    /// Its priority, the one asked for.
    pub priority: u32,
    /// Its label, if it has one.
    pub label: Option<&'a str>,
    /// The application, in its canonical spelling.
    pub app: &'static str,
    /// The arguments as they were written, before substitution.
    pub args: &'a str,
}

impl Dialplan {
    /// Reads the form of `extensions.conf`.
    ///
    /// # Errors
    /// All that is wrong with it, by line; each says what to do.
    pub fn parse_conf(text: &str) -> Result<Dialplan, Vec<DialplanError>> {
        conf::parse(text).finish()
    }

    /// Reads the form of TOML: `[globals]`, and `[contexts.NAME]` with `include` and `extensions`.
    ///
    /// # Errors
    /// All that is wrong with it, by line; each says what to do.
    pub fn parse_toml(text: &str) -> Result<Dialplan, Vec<DialplanError>> {
        tables::parse(text).finish()
    }

    /// The step of an extension at a priority: of the best match that has this priority. So a more
    /// special extension that ends is continued by a more general one that goes on.
    pub fn step(&self, context: &str, exten: &str, priority: u32) -> Option<Step<'_>> {
        self.find(context, exten, |extension| {
            let step = extension.steps.get(&priority)?;
            let (label, call) = (step.label.as_deref(), &step.call);
            Some(Step { exten: &extension.name, priority, label, app: call.app, args: &call.args })
        })
    }

    /// The priority of a label of an extension, in the best match that has this label.
    pub fn label(&self, context: &str, exten: &str, label: &str) -> Option<u32> {
        self.find(context, exten, |extension| extension.label(label))
    }

    /// Whether a call to this extension has where to begin: a match with a priority 1.
    pub fn matches(&self, context: &str, exten: &str) -> bool {
        self.step(context, exten, 1).is_some()
    }

    /// Whether more digits behind `prefix` could make a match, so that it is worth waiting for
    /// them. What begins with `!` matches at once, and waits for none.
    pub fn could_match_longer(&self, context: &str, prefix: &str) -> bool {
        let prefix = pattern::without_dashes(prefix);
        let mut searched = self.search(context);
        searched.any(|it| it.extensions.keys().any(|pattern| pattern.could_match_longer(&prefix)))
    }

    /// The names of all contexts, in the order of the alphabet.
    pub fn contexts(&self) -> impl Iterator<Item = &str> {
        self.plan.contexts.keys().map(String::as_str)
    }

    /// The variables of `[globals]`, name and value, not substituted.
    pub fn globals(&self) -> impl Iterator<Item = (&str, &str)> {
        self.plan.globals.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// What was allowed, but hardly meant, by line.
    pub fn warnings(&self) -> &[DialplanWarning] {
        &self.plan.warnings
    }

    /// This dialplan with one context more, in place of the one that had its name.
    pub fn with_context(&self, context: Context) -> Dialplan {
        let mut plan = (*self.plan).clone();
        plan.contexts.insert(context.name.clone(), Arc::new(context));
        Dialplan { plan: Arc::new(plan) }
    }

    /// This dialplan without a context.
    pub fn without_context(&self, name: &str) -> Dialplan {
        let mut plan = (*self.plan).clone();
        plan.contexts.remove(name);
        Dialplan { plan: Arc::new(plan) }
    }

    /// The first answer that a matching extension gives, best match first.
    fn find<'a, T>(
        &'a self,
        context: &str,
        exten: &str,
        mut answer: impl FnMut(&'a Extension) -> Option<T>,
    ) -> Option<T> {
        let literal = Pattern::literal(exten);
        let exten = pattern::without_dashes(exten);
        self.search(context).find_map(|context| {
            // A name is found by looking it up; all patterns stand behind all names.
            let named = context.extensions.get(&literal).and_then(&mut answer);
            let patterns = context.extensions.range(Pattern::Elements(Vec::new())..);
            let mut matching = patterns.filter(|(pattern, _)| pattern.matches(&exten));
            named.or_else(|| matching.find_map(|(_, extension)| answer(extension)))
        })
    }

    /// A context and all that it includes, depth first, each once.
    fn search(&self, context: &str) -> impl Iterator<Item = &Context> {
        let mut seen = BTreeSet::new();
        let mut waiting: Vec<&Context> = self.context(context).into_iter().collect();
        std::iter::from_fn(move || {
            let next = loop {
                let next = waiting.pop()?;
                if seen.insert(next.name.as_str()) {
                    break next;
                }
            };
            waiting.extend(next.includes.iter().rev().filter_map(|name| self.context(name)));
            Some(next)
        })
    }

    fn context(&self, name: &str) -> Option<&Context> {
        self.plan.contexts.get(name).map(Arc::as_ref)
    }
}
