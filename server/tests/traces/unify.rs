//! Whether something is as it was recorded, where ids that were made then have other names now.

use std::collections::BTreeMap;

use serde_json::Value;

/// What placeholders stand for: `<channel:1>` is the same all over a scenario.
#[derive(Debug, Default)]
pub struct Names {
    known: BTreeMap<String, String>,
}

impl Names {
    /// A recorded text with what its placeholders stand for; none: one of them is not known.
    pub fn resolve(&self, text: &str) -> Option<String> {
        let mut resolved = String::new();
        for piece in pieces(text) {
            match piece {
                Piece::Plain(text) => resolved.push_str(text),
                Piece::Placeholder(name) => resolved.push_str(self.known.get(name)?),
            }
        }
        Some(resolved)
    }

    /// Whether a text is as recorded; what placeholders stand for is learned from it.
    fn text(&mut self, recorded: &str, text: &str) -> bool {
        let pieces = pieces(recorded);
        let mut rest = text;
        let mut learned = Vec::new();
        for (at, piece) in pieces.iter().enumerate() {
            match piece {
                Piece::Plain(plain) => match rest.strip_prefix(plain) {
                    Some(left) => rest = left,
                    None => return false,
                },
                Piece::Placeholder(name) => {
                    let end = match pieces.get(at + 1) {
                        Some(Piece::Plain(plain)) => match rest.find(plain) {
                            Some(end) => end,
                            None => return false,
                        },
                        _ => rest.len(),
                    };
                    let (found, left) = rest.split_at(end);
                    rest = left;
                    // Only those with a number are the same thing each time.
                    if name.contains(':') {
                        match self.known.get(*name) {
                            Some(known) if known != found => return false,
                            Some(_) => {}
                            None => learned.push(((*name).to_owned(), found.to_owned())),
                        }
                    }
                }
            }
        }
        self.known.extend(learned);
        rest.is_empty()
    }

    /// Whether a value is as recorded: else where it is not, and how.
    pub fn value(
        &mut self,
        recorded: &Value,
        value: &Value,
        path: &str,
        loose: &Loose,
    ) -> Option<String> {
        if loose.varies(path) {
            return None;
        }
        let differs = || Some(format!("{path} is {value}, not {recorded}"));
        match (recorded, value) {
            (Value::Object(recorded), Value::Object(fields)) => {
                for (name, recorded) in recorded {
                    let below = join(path, name);
                    let Some(value) = fields.get(name) else {
                        if loose.varies(&below) {
                            continue;
                        }
                        return Some(format!("{below} is missing"));
                    };
                    if let Some(difference) = self.value(recorded, value, &below, loose) {
                        return Some(difference);
                    }
                }
                let more = fields
                    .keys()
                    .find(|name| !recorded.contains_key(*name) && !loose.varies(&join(path, name)));
                more.map(|name| format!("{} was not there", join(path, name)))
            }
            (Value::Array(recorded), Value::Array(values)) if loose.is_shape => {
                let (first, all) = (recorded.first()?, values.iter());
                all.map(|value| self.value(first, value, path, loose)).find_map(|found| found)
            }
            (Value::Array(recorded), Value::Array(values)) if has_ids(recorded) => {
                self.list(recorded, values, path, loose)
            }
            (Value::Array(recorded), Value::Array(values)) => {
                if recorded.len() != values.len() {
                    return differs();
                }
                let pairs = recorded.iter().zip(values).enumerate();
                pairs
                    .map(|(at, (recorded, value))| {
                        self.value(recorded, value, &format!("{path}[{at}]"), loose)
                    })
                    .find_map(|found| found)
            }
            (Value::String(recorded), Value::String(text)) => {
                let is_same = loose.is_shape || self.text(recorded, text);
                if is_same { None } else { differs() }
            }
            (Value::String(recorded), _) if recorded == "<num>" && value.is_number() => None,
            (Value::Number(_), Value::Number(_)) if loose.is_shape => None,
            (recorded, value) if recorded == value => None,
            _ => differs(),
        }
    }
}

impl Names {
    /// Objects with ids have no order of their own: each is to be as one of those that were recorded.
    fn list(
        &mut self,
        recorded: &[Value],
        values: &[Value],
        path: &str,
        loose: &Loose,
    ) -> Option<String> {
        let mut left: Vec<&Value> = values.iter().collect();
        let mut last = None;
        for (number, recorded) in recorded.iter().enumerate() {
            let path = &format!("{path}[{number}]");
            let at = left.iter().position(|value| {
                let mut trial = Names { known: self.known.clone() };
                let found = trial.value(recorded, value, path, loose);
                match found {
                    None => *self = trial,
                    Some(ref difference) => last = Some(difference.clone()),
                }
                found.is_none()
            });
            match at {
                Some(at) => drop(left.swap_remove(at)),
                None => return Some(last.unwrap_or_else(|| format!("{path} has no {recorded}"))),
            }
        }
        left.first().map(|more| format!("{path} has {more}, too"))
    }
}

fn has_ids(list: &[Value]) -> bool {
    list.first().is_some_and(|first| first.get("id").is_some())
}

/// What need not be as recorded.
#[derive(Clone, Debug, Default)]
pub struct Loose {
    /// Only types and fields count.
    pub is_shape: bool,
    /// Fields that differed from one recording to the next.
    pub varies: Vec<String>,
}

impl Loose {
    pub fn of(step: &Value) -> Self {
        let varies = step["varies"].as_array().into_iter().flatten();
        Loose {
            is_shape: step["compare"] == "shape",
            varies: varies.filter_map(Value::as_str).map(str::to_owned).collect(),
        }
    }

    fn varies(&self, path: &str) -> bool {
        self.varies.iter().any(|varies| varies == path)
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

enum Piece<'a> {
    Plain(&'a str),
    Placeholder(&'a str),
}

/// A recorded text, divided at its placeholders: `<channel:1>`, `<ts>`, …
fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((start, end)) = placeholder(rest) {
        if start > 0 {
            pieces.push(Piece::Plain(&rest[..start]));
        }
        pieces.push(Piece::Placeholder(&rest[start..end]));
        rest = &rest[end..];
    }
    if !rest.is_empty() {
        pieces.push(Piece::Plain(rest));
    }
    pieces
}

fn placeholder(text: &str) -> Option<(usize, usize)> {
    let mut from = 0;
    while let Some(start) = text[from..].find('<').map(|at| from + at) {
        let end = start + text[start..].find('>')?;
        let inner = &text[start + 1..end];
        let is_one = !inner.is_empty()
            && inner
                .chars()
                .all(|c| c.is_ascii_lowercase() || c == '_' || c == ':' || c.is_ascii_digit())
            && inner.chars().next().is_some_and(|c| c.is_ascii_lowercase());
        if is_one {
            return Some((start, end + 1));
        }
        from = start + 1;
    }
    None
}
