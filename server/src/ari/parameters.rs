//! Parameters: what an operation takes, where it may stand in a request, and how it is read.
//!
//! A client may write a parameter in the query, in a form, or in a JSON object in the body, which is the
//! one that counts where there are several. [`Values`] has what was given, from wherever it came;
//! `parameters!` makes a type that reads what it needs of that, and the [list](Parameters::LIST) that
//! the documentation shows. Both come from one declaration, so neither can have what the other has not.

use serde_json::{Map, Value};

use super::reply::Reply;

/// Where a parameter stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In the path.
    Path,
    /// In the query, or with its name in the body.
    Query,
    /// In the body only, with its name.
    Body,
    /// It is the body: those in the body are its parts, and have no place of their own for clients that know
    /// no parts of bodies (Swagger).
    Whole,
}

/// What a parameter is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A text.
    Text,
    /// A whole number.
    Integer,
    /// `true` or `false`.
    Flag,
    /// A JSON object.
    Object,
    /// Variables, by name.
    Variables,
    /// A list of types of events.
    Types,
}

/// A parameter, as the documentation shows it.
#[derive(Clone, Copy, Debug)]
pub struct Parameter {
    /// Its name.
    pub name: &'static str,
    /// Where it stands.
    pub place: Place,
    /// What it is.
    pub kind: Kind,
    /// Whether it must be there.
    pub is_required: bool,
    /// Whether it may be several, divided by commas.
    pub is_list: bool,
    /// What it is if it is not there.
    pub default: Option<&'static str>,
    /// What it can be; empty: anything.
    pub values: &'static [&'static str],
    /// What a text, or each of several, looks like, as a regular expression.
    pub pattern: Option<&'static str>,
    /// The least that a number can be.
    pub least: Option<i64>,
    /// What it is for.
    pub text: &'static [&'static str],
    /// What is said when it is not there.
    pub missing: Option<&'static str>,
}

impl Parameter {
    /// What it is for.
    pub fn description(&self) -> String {
        self.text.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ")
    }

    /// As it is in an operation with this path: what the path has stands there, and nowhere else.
    pub fn in_path(mut self, path: &str) -> Self {
        if path.contains(&format!("{{{}}}", self.name)) {
            (self.place, self.is_required) = (Place::Path, true);
        }
        self
    }

    fn missing(&self) -> Reply {
        match self.missing {
            Some(message) => Reply::error(400, message),
            None => Reply::error(400, &format!("Missing parameter {}", self.name)),
        }
    }

    fn invalid(&self, found: &str, wanted: &str) -> Reply {
        let found: String = found.chars().take(80).collect();
        let message = format!("Invalid value {found:?} of parameter {}: {wanted}", self.name);
        Reply::error(400, &message)
    }
}

/// What was given: texts, or what a JSON body has.
#[derive(Clone, Debug, Default)]
pub struct Values {
    given: Vec<(String, Value)>,
}

/// Why a body cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadBody;

impl Values {
    /// What stands in a query, without the question mark.
    pub fn add_query(&mut self, query: &str) {
        self.add_texts(form_urlencoded::parse(query.as_bytes()).into_owned());
    }

    /// These, as if they stood in the query. Of several of a name all count.
    pub fn add_texts(&mut self, texts: impl IntoIterator<Item = (String, String)>) {
        for (name, text) in texts {
            match self.given.iter_mut().find(|(known, _)| *known == name) {
                Some((_, Value::Array(all))) => all.push(text.into()),
                Some((_, value)) => {
                    *value = Value::Array(vec![value.take(), text.into()]);
                }
                None => self.given.push((name, text.into())),
            }
        }
    }

    /// What a body has. It is JSON or a form if that is what it is said to be, or if it is not said; other
    /// bodies are left alone, as is JSON that is an array.
    ///
    /// # Errors
    /// [`BadBody`] for what is no JSON, or JSON that is neither an object nor an array.
    pub fn add_body(&mut self, content_type: Option<&str>, body: &[u8]) -> Result<(), BadBody> {
        let kind = content_type.unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        if body.iter().all(u8::is_ascii_whitespace) {
            return Ok(());
        }
        match kind.as_str() {
            "application/x-www-form-urlencoded" => {
                self.add_texts(form_urlencoded::parse(body).into_owned());
                Ok(())
            }
            "" | "application/json" => match serde_json::from_slice(body) {
                Ok(Value::Object(object)) => {
                    for (name, value) in object {
                        self.given.retain(|(known, _)| *known != name);
                        self.given.push((name, value));
                    }
                    Ok(())
                }
                Ok(Value::Array(_)) => Ok(()),
                _ => Err(BadBody),
            },
            _ => Ok(()),
        }
    }

    /// A part of the path.
    pub fn add_path(&mut self, name: &str, text: String) {
        self.given.retain(|(known, _)| known != name);
        self.given.push((name.into(), text.into()));
    }

    /// What was given of this name; that it is null is as if it was not.
    pub fn take(&mut self, name: &str) -> Option<Value> {
        let at = self.given.iter().position(|(known, _)| known == name)?;
        Some(self.given.swap_remove(at).1).filter(|value| !value.is_null())
    }
}

/// A type that a parameter can have.
pub trait Readable: Sized {
    /// What it is.
    const KIND: Kind;
    /// Whether it must be there.
    const IS_REQUIRED: bool = true;
    /// Whether it may be several.
    const IS_LIST: bool = false;

    /// Reads it.
    ///
    /// # Errors
    /// What the client is told.
    fn read(given: Option<Value>, parameter: &Parameter) -> Result<Self, Reply>;
}

/// A text; that it is empty is as if it was not there.
impl Readable for String {
    const KIND: Kind = Kind::Text;

    fn read(given: Option<Value>, parameter: &Parameter) -> Result<Self, Reply> {
        let text = match given.ok_or_else(|| parameter.missing())? {
            Value::String(text) => text,
            Value::Number(number) => number.to_string(),
            Value::Bool(flag) => flag.to_string(),
            // Who says it twice means the last.
            Value::Array(mut several) if matches!(several.last(), Some(Value::String(_))) => {
                return Self::read(several.pop(), parameter);
            }
            other => return Err(parameter.invalid(&other.to_string(), "it is a text")),
        };
        if text.is_empty() { Err(parameter.missing()) } else { Ok(text) }
    }
}

impl Readable for i64 {
    const KIND: Kind = Kind::Integer;

    fn read(given: Option<Value>, parameter: &Parameter) -> Result<Self, Reply> {
        let text = String::read(given, parameter)?;
        text.trim().parse().map_err(|_| parameter.invalid(&text, "it is a whole number"))
    }
}

impl Readable for bool {
    const KIND: Kind = Kind::Flag;

    fn read(given: Option<Value>, parameter: &Parameter) -> Result<Self, Reply> {
        let text = String::read(given, parameter)?;
        match text.to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" | "y" | "t" | "1" => Ok(true),
            "false" | "no" | "off" | "n" | "f" | "0" => Ok(false),
            _ => Err(parameter.invalid(&text, "it is true or false")),
        }
    }
}

/// Several, divided by commas, or a JSON array of texts.
impl Readable for Vec<String> {
    const KIND: Kind = Kind::Text;
    const IS_LIST: bool = true;

    fn read(given: Option<Value>, parameter: &Parameter) -> Result<Self, Reply> {
        let texts = match given.ok_or_else(|| parameter.missing())? {
            Value::Array(items) => items,
            one => vec![one],
        };
        let mut all = Vec::new();
        for text in texts {
            let text = match text {
                Value::String(text) if text.is_empty() => continue,
                text => String::read(Some(text), parameter)?,
            };
            all.extend(text.split(',').map(|part| part.trim().to_owned()));
        }
        if all.is_empty() && parameter.is_required {
            return Err(parameter.missing());
        }
        Ok(all)
    }
}

/// What may not be there; an empty text is not.
impl<T: Readable> Readable for Option<T> {
    const KIND: Kind = T::KIND;
    const IS_REQUIRED: bool = false;
    const IS_LIST: bool = T::IS_LIST;

    fn read(given: Option<Value>, parameter: &Parameter) -> Result<Self, Reply> {
        let given = given.filter(|value| value.as_str() != Some(""));
        given.map(|value| T::read(Some(value), parameter)).transpose()
    }
}

/// What must be there, but is asked for by the operation itself, when it has nothing to say that is more
/// important.
#[derive(Debug)]
pub struct Later<T>(pub Option<T>);

impl<T: Readable> Readable for Later<T> {
    const KIND: Kind = T::KIND;
    const IS_LIST: bool = T::IS_LIST;

    fn read(given: Option<Value>, parameter: &Parameter) -> Result<Self, Reply> {
        Option::read(given, parameter).map(Later)
    }
}

impl<T> Later<T> {
    /// It, or this error.
    ///
    /// # Errors
    /// With status 400.
    pub fn or(self, message: &str) -> Result<T, Reply> {
        self.0.ok_or_else(|| Reply::error(400, message))
    }
}

/// A JSON object.
impl Readable for Map<String, Value> {
    const KIND: Kind = Kind::Object;

    fn read(given: Option<Value>, parameter: &Parameter) -> Result<Self, Reply> {
        match given.ok_or_else(|| parameter.missing())? {
            Value::Object(object) => Ok(object),
            other => Err(parameter.invalid(&other.to_string(), "it is a JSON object")),
        }
    }
}

/// Any JSON.
impl Readable for Value {
    const KIND: Kind = Kind::Object;

    fn read(given: Option<Value>, parameter: &Parameter) -> Result<Self, Reply> {
        given.ok_or_else(|| parameter.missing())
    }
}

/// A list of types of events: objects, each with a `type`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Types(pub Vec<String>);

impl Readable for Types {
    const KIND: Kind = Kind::Types;

    fn read(given: Option<Value>, parameter: &Parameter) -> Result<Self, Reply> {
        let given = given.ok_or_else(|| parameter.missing())?;
        let bad = || Reply::error(400, "Invalid format definition");
        let list = given.as_array().ok_or_else(bad)?.iter();
        let types = list.map(|item| item["type"].as_str().map(str::to_owned).ok_or_else(bad));
        types.collect::<Result<_, _>>().map(Types)
    }
}

/// A variable that is to be set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
    /// Whether it is told of with the object from here on.
    pub report: bool,
}

/// Variables: an object of texts, or of objects with `value` and maybe `report_events`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Variables(pub Vec<Variable>);

impl Readable for Variables {
    const KIND: Kind = Kind::Variables;

    fn read(given: Option<Value>, parameter: &Parameter) -> Result<Self, Reply> {
        let object = Map::read(given, parameter)?;
        let read = |(name, value): (String, Value)| {
            let (value, report) = match value {
                Value::Object(mut fields) => {
                    let report = match fields.remove("report_events") {
                        None | Some(Value::Bool(false)) => false,
                        Some(Value::Bool(true)) => true,
                        Some(other) => {
                            let wanted = "report_events is true or false";
                            return Err(parameter.invalid(&format!("{name}: {other}"), wanted));
                        }
                    };
                    (fields.remove("value").unwrap_or_default(), report)
                }
                value => (value, false),
            };
            let value = match value {
                Value::String(text) => text,
                Value::Number(number) => number.to_string(),
                Value::Bool(flag) => flag.to_string(),
                other => {
                    let wanted = "a value is a text, or an object with a text `value`";
                    return Err(parameter.invalid(&format!("{name}: {other}"), wanted));
                }
            };
            Ok(Variable { name, value, report })
        };
        object.into_iter().map(read).collect::<Result<_, _>>().map(Variables)
    }
}

impl Variables {
    /// Names and values, in their order.
    pub fn pairs(self) -> Vec<(String, String)> {
        self.0.into_iter().map(|variable| (variable.name, variable.value)).collect()
    }
}

/// What an operation takes.
pub trait Parameters: Sized + 'static {
    /// All, in their order.
    const LIST: &'static [Parameter];

    /// Reads them.
    ///
    /// # Errors
    /// What the client is told of the first that is missing or cannot be read.
    fn read(values: &mut Values) -> Result<Self, Reply>;
}

/// Nothing.
impl Parameters for () {
    const LIST: &'static [Parameter] = &[];

    fn read(_values: &mut Values) -> Result<Self, Reply> {
        Ok(())
    }
}

/// Makes types that are [`Parameters`]. Of each parameter: what it is for, where it stands, its name, the
/// field and its type; then what it can be, what it is if it is not there, and what is said when it is
/// missing.
macro_rules! parameters {
    ($($(#[$meta:meta])* struct $type:ident {
        $(
            $(#[doc = $text:literal])+
            $place:ident $name:literal $field:ident: $kind:ty
            $(, in $values:expr)? $(, like $pattern:expr)? $(, from $least:literal)?
            $(, default $default:literal)? $(, missing $missing:literal)?;
        )*
    })*) => {$(
        $(#[$meta])*
        #[allow(dead_code)] // what has no effect here is read all the same
        pub(super) struct $type {
            $($(#[doc = $text])+ pub(super) $field: $kind,)*
        }

        impl $crate::ari::parameters::Parameters for $type {
            const LIST: &'static [$crate::ari::parameters::Parameter] = &[
                $($crate::ari::parameters::Parameter {
                    name: $name,
                    place: $crate::ari::parameters::Place::$place,
                    kind: <$kind as $crate::ari::parameters::Readable>::KIND,
                    is_required: <$kind as $crate::ari::parameters::Readable>::IS_REQUIRED
                        && $crate::ari::parameters::none(&[$($default)?]).is_none(),
                    is_list: <$kind as $crate::ari::parameters::Readable>::IS_LIST,
                    default: $crate::ari::parameters::none(&[$($default)?]),
                    values: $crate::ari::parameters::words(&[$(&$values)?]),
                    pattern: $crate::ari::parameters::none(&[$($pattern)?]),
                    least: $crate::ari::parameters::first(&[$($least)?]),
                    text: &[$($text),+],
                    missing: $crate::ari::parameters::none(&[$($missing)?]),
                },)*
            ];

            fn read(
                values: &mut $crate::ari::parameters::Values,
            ) -> Result<Self, $crate::ari::reply::Reply> {
                let mut list = <Self as $crate::ari::parameters::Parameters>::LIST.iter();
                $(let $field = {
                    let parameter = list.next().expect("a parameter for each field");
                    let given = values.take(parameter.name);
                    let given = given.filter(|value| {
                        parameter.default.is_none() || value.as_str() != Some("")
                    });
                    let given = given.or_else(|| parameter.default.map(Into::into));
                    <$kind as $crate::ari::parameters::Readable>::read(given, parameter)?
                };)*
                Ok($type { $($field,)* })
            }
        }
    )*};
}
pub(super) use parameters;

/// The one of none or one.
pub(super) const fn none(of: &[&'static str]) -> Option<&'static str> {
    match of {
        [one] => Some(one),
        _ => None,
    }
}

/// The words that may be given, if they are listed.
pub(super) const fn words(of: &[&'static [&'static str]]) -> &'static [&'static str] {
    match of {
        [one] => one,
        _ => &[],
    }
}

/// The first, if there is one.
pub(super) const fn first(of: &[i64]) -> Option<i64> {
    match of {
        [one, ..] => Some(*one),
        [] => None,
    }
}

/// An id that a client has chosen.
pub(super) const ID: &str = r"^[^\x00-\x1f\x7f-\x9f]{0,149}$";
/// A source of events.
pub(super) const SOURCE: &str = "^(channel|bridge|endpoint|deviceState):[^,]*$";

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    parameters! {
        struct Sample {
            /// Which.
            Path "id" id: String;
            /// What.
            Query "media" media: Vec<String>, missing "no media";
            /// How far.
            Query "skip" skip: i64, default "3000";
            /// Whether.
            Query "beep" beep: bool, default "false";
            /// With these.
            Body "variables" variables: Option<Variables>;
        }
    }

    fn read(query: &str, kind: Option<&str>, body: &str) -> Result<Sample, Reply> {
        let mut values = Values::default();
        values.add_query(query);
        values.add_body(kind, body.as_bytes()).map_err(|_| Reply::error(400, "body"))?;
        values.add_path("id", "7".into());
        Sample::read(&mut values)
    }

    fn message(outcome: Result<Sample, Reply>) -> String {
        String::from_utf8(outcome.err().unwrap().body.to_vec()).unwrap()
    }

    #[test]
    fn a_parameter_may_stand_in_the_query_a_form_or_json() {
        let form = Some("application/x-www-form-urlencoded");
        for (query, kind, body) in [
            ("media=sound%3Aa,sound:b&skip=5&beep=yes", None, ""),
            ("media=sound:a&media=sound:b", form, "skip=5&beep=1"),
            (
                "id=8&skip=1",
                Some("application/json; charset=utf-8"),
                r#"{"media":["sound:a","sound:b"],"skip":5,"beep":true}"#,
            ),
            ("", None, r#"{"media":"sound:a,sound:b","skip":"5","beep":"TRUE"}"#),
        ] {
            let sample = read(query, kind, body).unwrap_or_else(|reply| panic!("{reply:?}"));
            assert_eq!((sample.id.as_str(), sample.skip, sample.beep), ("7", 5, true), "{query}");
            assert_eq!(sample.media, ["sound:a", "sound:b"]);
        }
        let sample =
            read("media=x&skip=", Some("text/plain"), "beep=1").unwrap_or_else(|_| panic!());
        assert_eq!((sample.skip, sample.beep, sample.variables), (3000, false, None));
    }

    #[test]
    fn what_is_wrong_is_said() {
        assert!(message(read("", None, "")).contains("no media"));
        assert!(message(read("media=a&skip=abc", None, "")).contains("whole number"));
        assert!(message(read("media=a&beep=maybe", None, "")).contains("true or false"));
        assert!(message(read("media=a", None, r#"{"variables":[1]}"#)).contains("object"));
        assert!(message(read("media=a", None, r#"{"variables":{"a":[1]}}"#)).contains("value"));
        assert!(message(read("media=a", None, "{bad")).contains("body"));
        assert!(message(read("media=a", None, "\"x\"")).contains("body"));
        assert!(read("media=a", None, "[1]").is_ok());
    }

    #[test]
    fn variables_are_texts_or_objects() {
        let body =
            json!({"variables": {"A": "b", "N": 5, "R": {"value": "x", "report_events": true}}});
        let sample = read("media=a", None, &body.to_string()).unwrap_or_else(|_| panic!());
        let variables = sample.variables.unwrap().0;
        let told: Vec<_> =
            variables.iter().map(|v| (v.name.as_str(), v.value.as_str(), v.report)).collect();
        assert_eq!(told, [("A", "b", false), ("N", "5", false), ("R", "x", true)]);
    }

    #[test]
    fn the_list_says_what_is_read() {
        let list = Sample::LIST;
        let required: Vec<_> = list.iter().filter(|p| p.is_required).map(|p| p.name).collect();
        assert_eq!(required, ["id", "media"]);
        assert_eq!((list[2].kind, list[2].default), (Kind::Integer, Some("3000")));
        assert!(
            list[1].is_list && list[0].place == Place::Path && list[0].description() == "Which."
        );
    }
}
