//! A channel's variables: those that are told of with it, and the others.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// The variables of a channel or a bridge.
#[derive(Clone, Debug, Default)]
pub(crate) struct Variables {
    /// By name, without the `_` of those that are inherited.
    values: HashMap<String, Value>,
    /// Names that are told of with it, once they are set.
    reported: BTreeSet<String>,
    last_number: u64,
    told: Arc<BTreeMap<String, String>>,
}

#[derive(Clone, Debug)]
struct Value {
    text: String,
    /// Larger than that of those that were set before.
    number: u64,
    /// For how many generations of called channels it is handed on.
    inherited: Inherited,
}

/// Whether channels that are called by a channel have a variable, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Inherited {
    /// Not.
    No,
    /// Those that it calls (`_NAME`).
    Once,
    /// Those, and those that they call, and so on (`__NAME`).
    Always,
}

/// A name, as it is written, without what says whether it is inherited.
pub(crate) fn split(name: &str) -> (Inherited, &str) {
    match (name.strip_prefix("__"), name.strip_prefix('_')) {
        (Some(name), _) => (Inherited::Always, name),
        (None, Some(name)) => (Inherited::Once, name),
        (None, None) => (Inherited::No, name),
    }
}

impl Variables {
    /// None yet; these names are told of.
    pub(crate) fn telling(names: &[String]) -> Self {
        // What is told of is told of from the beginning, as nothing.
        let told = names.iter().map(|name| (name.clone(), String::new())).collect();
        let reported = names.iter().cloned().collect();
        Variables { reported, told: Arc::new(told), ..Variables::default() }
    }

    /// Sets one, or takes it away when the value is empty.
    pub(crate) fn set(&mut self, name: &str, text: &str) {
        let (inherited, name) = split(name);
        self.last_number += 1;
        match text {
            "" => self.values.remove(name),
            _ => {
                let value = Value { text: text.into(), number: self.last_number, inherited };
                self.values.insert(name.into(), value)
            }
        };
        if self.reported.contains(name) {
            Arc::make_mut(&mut self.told).insert(name.into(), text.into());
        }
    }

    /// From here on this one is told of, too.
    pub(crate) fn report(&mut self, name: &str) {
        self.reported.insert(split(name).1.into());
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(|value| value.text.as_str())
    }

    /// Those that are told of.
    pub(crate) fn told(&self) -> Arc<BTreeMap<String, String>> {
        self.told.clone()
    }

    /// All, as they are written, the latest first.
    pub(crate) fn all(&self) -> Vec<(String, String)> {
        let mut all: Vec<_> = self.values.iter().collect();
        all.sort_by_key(|(_, value)| std::cmp::Reverse(value.number));
        let written = |(name, value): (&String, &Value)| {
            let mark = match value.inherited {
                Inherited::No => "",
                Inherited::Once => "_",
                Inherited::Always => "__",
            };
            (format!("{mark}{name}"), value.text.clone())
        };
        all.into_iter().map(written).collect()
    }

    /// What a channel that is called inherits, as it is written.
    pub(crate) fn inherited(&self) -> Vec<(String, String)> {
        let inherits = |(name, value): (&String, &Value)| {
            let name = match value.inherited {
                Inherited::No => return None,
                Inherited::Once => name.clone(),
                Inherited::Always => format!("__{name}"),
            };
            Some((name, value.text.clone()))
        };
        let mut inherited: Vec<_> = self.values.iter().filter_map(inherits).collect();
        inherited.sort();
        inherited
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_called_channel_inherits_what_is_marked_so_and_as_far_as_it_is() {
        let mut variables = Variables::default();
        for (name, value) in [("A", "1"), ("_B", "2"), ("__C", "3")] {
            variables.set(name, value);
        }
        assert_eq!((variables.get("B"), variables.get("_B")), (Some("2"), None));
        let mut called = Variables::default();
        for (name, value) in variables.inherited() {
            called.set(&name, &value);
        }
        assert_eq!(
            (called.get("A"), called.get("B"), called.get("C")),
            (None, Some("2"), Some("3"))
        );
        assert_eq!(called.inherited(), [("__C".to_owned(), "3".to_owned())]);
    }

    #[test]
    fn only_what_is_reported_is_told_and_shared_as_long_as_it_stays() {
        let mut variables = Variables::telling(&["GOLD".into()]);
        let before = variables.told();
        variables.set("OTHER", "x");
        assert!(Arc::ptr_eq(&before, &variables.told()));
        variables.set("GOLD", "1");
        assert_eq!(variables.told().get("GOLD").map(String::as_str), Some("1"));
        variables.report("NEW");
        variables.set("NEW", "n");
        assert_eq!(variables.told().len(), 2);
        variables.set("GOLD", "");
        assert_eq!(variables.get("GOLD"), None);
    }
}
