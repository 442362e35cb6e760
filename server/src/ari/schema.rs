//! What the models look like: of the types that are written, for both documentations.
//!
//! The types say it themselves ([`utoipa::ToSchema`]); here all are together, events as models of their own
//! with the fields that all events have.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use utoipa::{PartialSchema, ToSchema};

use super::declared::*;
use super::event::{AttendedTransferEvent, BlindTransferEvent, Event};
use super::model::*;
use super::reply::Problem;
use super::rest::{RESTQueryStringParameter, RESTRequest, RESTResponse};
use crate::sounds::{FormatLangPair, Sound};

/// A model: an object, and what it has.
#[derive(Clone, Debug, Default)]
pub struct Model {
    /// What it is.
    pub description: String,
    /// What it has, by name.
    pub properties: BTreeMap<String, Property>,
    /// Whether it is an event.
    pub is_event: bool,
}

/// What an object has.
#[derive(Clone, Debug)]
pub struct Property {
    /// What it is.
    pub description: String,
    /// Of which type.
    pub kind: Type,
    /// Whether it is always there.
    pub is_required: bool,
}

/// The type of something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Type {
    /// A text.
    Text,
    /// One of a single text.
    Exactly(String),
    /// A moment.
    Date,
    /// A whole number of 32 bits.
    Int,
    /// A whole number of 64 bits.
    Long,
    /// A number.
    Double,
    /// `true` or `false`.
    Boolean,
    /// Any JSON object.
    Object,
    /// Another model.
    Model(String),
    /// Several.
    List(Box<Type>),
}

impl Type {
    fn of(schema: &Value) -> Type {
        if let Some(reference) = schema["$ref"].as_str() {
            let name = reference.rsplit('/').next().unwrap_or_default();
            return Type::Model(name.into());
        }
        for several in ["oneOf", "allOf"] {
            let one = schema[several].as_array().and_then(|all| {
                all.iter().find(|one| one["type"] != "null" && one["$ref"].is_string())
            });
            if let Some(one) = one {
                return Type::of(one);
            }
        }
        let kind = match &schema["type"] {
            Value::Array(kinds) => {
                kinds.iter().filter_map(Value::as_str).find(|kind| *kind != "null")
            }
            kind => kind.as_str(),
        };
        match kind {
            Some("string") => match &schema["enum"][0] {
                Value::String(only) => Type::Exactly(only.clone()),
                _ if schema["format"] == DATE => Type::Date,
                _ => Type::Text,
            },
            Some("integer") if schema["format"] == "int64" => Type::Long,
            Some("integer") => Type::Int,
            Some("number") => Type::Double,
            Some("boolean") => Type::Boolean,
            Some("array") => Type::List(Box::new(Type::of(&schema["items"]))),
            _ => Type::Object,
        }
    }

    /// As a schema of JSON.
    pub fn json(&self) -> Value {
        match self {
            Type::Text => json!({ "type": "string" }),
            Type::Exactly(text) => json!({ "type": "string", "enum": [text] }),
            Type::Date => json!({ "type": "string", "format": DATE }),
            Type::Int => json!({ "type": "integer", "format": "int32" }),
            Type::Long => json!({ "type": "integer", "format": "int64" }),
            Type::Double => json!({ "type": "number", "format": "double" }),
            Type::Boolean => json!({ "type": "boolean" }),
            Type::Object => json!({ "type": "object" }),
            Type::Model(name) => json!({ "$ref": format!("#/components/schemas/{name}") }),
            Type::List(of) => json!({ "type": "array", "items": of.json() }),
        }
    }

    /// As Swagger 1.1 writes it.
    pub fn swagger(&self) -> String {
        match self {
            Type::Text | Type::Exactly(_) => "string".into(),
            Type::Date => "Date".into(),
            Type::Int => "int".into(),
            Type::Long => "long".into(),
            Type::Double => "double".into(),
            Type::Boolean => "boolean".into(),
            Type::Object => "object".into(),
            Type::Model(name) => name.clone(),
            Type::List(of) => format!("List[{}]", of.swagger()),
        }
    }
}

/// Moments: as RFC 3339 has them, but for the colon in the offset.
const DATE: &str = "date+0000";

/// Fields that there are, and that are never told here.
const NEVER: [(&str, &str, &str); 9] = [
    ("BridgeAttendedTransfer", "destination_application", "string"),
    ("BridgeAttendedTransfer", "destination_link_first_leg", "Channel"),
    ("BridgeAttendedTransfer", "destination_link_second_leg", "Channel"),
    ("BridgeAttendedTransfer", "destination_threeway_bridge", "Bridge"),
    ("BridgeAttendedTransfer", "destination_threeway_channel", "Channel"),
    ("BridgeAttendedTransfer", "replace_channel", "Channel"),
    ("BridgeBlindTransfer", "replace_channel", "Channel"),
    ("ConfigInfo", "max_load", "double"),
    ("Dial", "forwarded", "Channel"),
];

/// Figures of RTP that are not known here.
const NO_FIGURES: [&str; 22] = [
    "txjitter",
    "remote_maxjitter",
    "remote_minjitter",
    "remote_normdevjitter",
    "remote_stdevjitter",
    "local_maxjitter",
    "local_minjitter",
    "local_normdevjitter",
    "local_stdevjitter",
    "remote_maxrxploss",
    "remote_minrxploss",
    "remote_normdevrxploss",
    "remote_stdevrxploss",
    "local_maxrxploss",
    "local_minrxploss",
    "local_normdevrxploss",
    "local_stdevrxploss",
    "rtt",
    "maxrtt",
    "minrtt",
    "normdevrtt",
    "stdevrtt",
];

/// All models, by name.
pub fn models() -> BTreeMap<String, Model> {
    let mut models = BTreeMap::new();
    macro_rules! add {
        ($($type:ty),* $(,)?) => {$(
            let schema = <$type as PartialSchema>::schema();
            models.insert(<$type as ToSchema>::name().into_owned(), model(&as_json(&schema)));
        )*};
    }
    add!(Application, AsteriskInfo, AsteriskPing, Bridge, BuildInfo, CallerID, Channel, ConfigInfo);
    add!(ConfigTuple, DeviceState, Dialed, DialplanCEP, Endpoint, FormatLangPair, LiveRecording);
    add!(LogChannel, Mailbox, Module, Playback, RtpStat, SetId, Sound, StatusInfo, StoredRecording);
    add!(SystemInfo, TextMessage, Variable, Variables, Problem);
    add!(AdditionalParam, ContactInfo, Message, MissingParams, Peer, ReferTo, ReferredBy);
    add!(RequiredDestination, RESTHeader, RESTQueryStringParameter, RESTRequest);
    add_events(&mut models);
    for (of, name, kind) in NEVER {
        let kind = match kind {
            "string" => Type::Text,
            "double" => Type::Double,
            model => Type::Model(model.into()),
        };
        never(&mut models, of, name, kind);
    }
    for name in NO_FIGURES {
        never(&mut models, "RTPstat", name, Type::Double);
    }
    models
}

fn never(models: &mut BTreeMap<String, Model>, of: &str, name: &str, kind: Type) {
    let description = "Never told here.".into();
    let property = Property { description, kind, is_required: false };
    models.entry(of.into()).or_default().properties.entry(name.into()).or_insert(property);
}

fn as_json(schema: &impl serde::Serialize) -> Value {
    serde_json::to_value(schema).unwrap_or_default()
}

fn model(schema: &Value) -> Model {
    let required = schema["required"].as_array().cloned().unwrap_or_default();
    let none = Map::new();
    let properties = schema["properties"].as_object().unwrap_or(&none);
    let property = |(name, schema): (&String, &Value)| {
        let property = Property {
            description: text(&schema["description"]),
            kind: Type::of(schema),
            is_required: required.iter().any(|required| required.as_str() == Some(name)),
        };
        (name.clone(), property)
    };
    Model {
        description: text(&schema["description"]),
        properties: properties.iter().map(property).collect(),
        is_event: false,
    }
}

fn text(of: &Value) -> String {
    of.as_str().unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Events: each form of [`Event`] is one, and what is only declared.
fn add_events(models: &mut BTreeMap<String, Model>) {
    let parts = BTreeMap::from([
        (AttendedTransferEvent::name(), model(&as_json(&AttendedTransferEvent::schema()))),
        (BlindTransferEvent::name(), model(&as_json(&BlindTransferEvent::schema()))),
    ]);
    let forms = as_json(&Event::schema());
    for form in forms["oneOf"].as_array().into_iter().flatten() {
        let mut event = Model::default();
        let all = form["allOf"].as_array().map_or(std::slice::from_ref(form), Vec::as_slice);
        for part in all {
            let part = match Type::of(part) {
                Type::Model(name) => parts.get(&*name).cloned().unwrap_or_default(),
                _ => model(part),
            };
            event.properties.extend(part.properties);
        }
        event.description = text(&form["description"]);
        let Some(Type::Exactly(name)) = event.properties.get("type").map(|p| p.kind.clone()) else {
            continue;
        };
        add_event(models, &name, event);
    }
    macro_rules! declared {
        ($($type:ty),*) => {$(
            let event = model(&as_json(&<$type as PartialSchema>::schema()));
            add_event(models, &<$type as ToSchema>::name(), event);
        )*};
    }
    declared!(BridgeVideoSourceChanged, ChannelTransfer, ContactStatusChange, PeerStatusChange);
    declared!(RESTResponse);
    let mut any = Model { description: "Something that has happened.".into(), ..Model::default() };
    add_common(&mut any, Type::Text);
    models.insert("Event".into(), any);
}

fn add_event(models: &mut BTreeMap<String, Model>, name: &str, mut event: Model) {
    add_common(&mut event, Type::Exactly(name.into()));
    event.is_event = true;
    models.insert(name.into(), event);
}

/// What all events have.
fn add_common(event: &mut Model, kind: Type) {
    for (name, description, kind, is_required) in [
        ("type", "What has happened.", kind, true),
        ("timestamp", "When.", Type::Date, true),
        ("application", "Which application is told.", Type::Text, true),
        ("asterisk_id", "The server that it comes from.", Type::Text, false),
    ] {
        let property = Property { description: description.into(), kind, is_required };
        event.properties.insert(name.into(), property);
    }
}
