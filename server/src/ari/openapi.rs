//! OpenAPI 3.1 of the operations and models, at `/openapi.json`.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::operation::{Operation, Returns};
use super::parameters::{Kind, Parameter, Place};
use super::schema::{Model, Type};

/// What clients are told besides, of every operation.
const ALWAYS: [(u16, &str); 6] = [
    (400, "The request cannot be read."),
    (401, "Who asks is not known."),
    (403, "Who asks may only look."),
    (404, "There is no such path."),
    (413, "The body is too large."),
    (503, "The server is about to stop."),
];

/// The document. `server` is where the operations are: `http://localhost:8088/ari`.
pub fn document(operations: &[Operation], models: &BTreeMap<String, Model>, server: &str) -> Value {
    let mut paths: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    for operation in operations {
        let method = operation.method.name().to_ascii_lowercase();
        paths.entry(operation.path).or_default().insert(method, describe(operation));
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "ARI",
            "description": "The Asterisk REST Interface, as Stasis has it.",
            "version": env!("CARGO_PKG_VERSION"),
            "license": { "name": env!("CARGO_PKG_LICENSE") },
        },
        "servers": [{ "url": server }],
        "security": [{ "basic": [] }, { "api_key": [] }],
        "paths": paths,
        "components": {
            "schemas": models.iter().map(|(name, of)| (name.clone(), schema(of))).collect::<Map<_, _>>(),
            "securitySchemes": {
                "basic": { "type": "http", "scheme": "basic" },
                "api_key": {
                    "type": "apiKey", "in": "query", "name": "api_key",
                    "description": "NAME:PASSWORD",
                },
            },
        },
    })
}

fn describe(operation: &Operation) -> Value {
    let id = format!("{}_{}", operation.resource(), operation.nickname);
    let parameters = operation.parameters.iter();
    let parameters = parameters.filter(|p| ![Place::Body, Place::Whole].contains(&p.place));
    let mut told = json!({
        "tags": [operation.resource()],
        "operationId": id,
        "summary": operation.summary,
        "parameters": parameters.map(parameter).collect::<Vec<_>>(),
        "responses": responses(operation),
    });
    let of_body: Vec<_> = operation.parameters.iter().filter(|p| p.place == Place::Body).collect();
    if !of_body.is_empty() {
        let property = |p: &&Parameter| {
            let mut schema = kind(p);
            schema["description"] = p.description().into();
            (p.name.to_owned(), schema)
        };
        let required: Vec<_> = of_body.iter().filter(|p| p.is_required).map(|p| p.name).collect();
        told["requestBody"] = json!({
            "required": !required.is_empty(),
            "content": { "application/json": { "schema": {
                "type": "object",
                "properties": of_body.iter().map(property).collect::<Map<_, _>>(),
                "required": required,
            } } },
        });
    }
    told
}

fn parameter(of: &Parameter) -> Value {
    let mut told = json!({
        "name": of.name,
        "in": if of.place == Place::Path { "path" } else { "query" },
        "required": of.is_required,
        "description": of.description(),
        "schema": kind(of),
    });
    if of.is_list {
        told["style"] = "form".into();
        told["explode"] = false.into();
    }
    told
}

fn kind(of: &Parameter) -> Value {
    let mut one = match of.kind {
        Kind::Text => json!({ "type": "string" }),
        Kind::Integer => json!({ "type": "integer", "format": "int64" }),
        Kind::Flag => json!({ "type": "boolean" }),
        Kind::Object => json!({ "type": "object" }),
        Kind::Variables => json!({
            "type": "object",
            "additionalProperties": { "oneOf": [
                { "type": ["string", "number", "boolean"] },
                {
                    "type": "object",
                    "properties": {
                        "value": { "type": ["string", "number", "boolean"] },
                        "report_events": { "type": "boolean" },
                    },
                    "required": ["value"],
                },
            ] },
        }),
        Kind::Types => json!({
            "type": "array",
            "items": {
                "type": "object",
                "properties": { "type": { "type": "string" } },
                "required": ["type"],
            },
        }),
    };
    if of.kind == Kind::Text && of.is_required {
        one["minLength"] = 1.into();
    }
    if let Some(pattern) = of.pattern {
        one["pattern"] = pattern.into();
    }
    if let Some(least) = of.least {
        one["minimum"] = least.into();
    }
    if !of.values.is_empty() && !of.is_list {
        one["enum"] = of.values.into();
    }
    if let Some(default) = of.default {
        one["default"] = match of.kind {
            Kind::Integer => default.parse::<i64>().unwrap_or_default().into(),
            Kind::Flag => (default == "true").into(),
            _ => default.into(),
        };
    }
    match (of.is_list, of.is_required) {
        (true, true) => json!({ "type": "array", "items": one, "minItems": 1 }),
        (true, false) => json!({ "type": "array", "items": one }),
        (false, _) => one,
    }
}

fn responses(operation: &Operation) -> Value {
    let body = |schema: Value| json!({ "application/json": { "schema": schema } });
    let of = |name: &str| Type::Model(name.into());
    let mut done = json!({ "description": "Done." });
    match operation.returns {
        Returns::Nothing => {}
        Returns::Object(model) => done["content"] = body(of(model).json()),
        Returns::List(model) => done["content"] = body(Type::List(Box::new(of(model))).json()),
        Returns::File => {
            done["content"] =
                json!({ "audio/x-wav": { "schema": { "type": "string", "format": "binary" } } });
        }
        Returns::Events => done["description"] = "Events follow.".into(),
    }
    let status = if operation.returns == Returns::Events { 101 } else { operation.status };
    let mut all = Map::from_iter([(status.to_string(), done)]);
    for (status, meaning) in operation.errors.iter().copied().chain(ALWAYS) {
        let name = status.to_string();
        let said = all.get_mut(&name).and_then(|told| told.get_mut("description"));
        match said {
            Some(Value::String(said)) if !said.contains(meaning) => {
                *said = format!("{said} {meaning}");
            }
            Some(_) => {}
            None => {
                // Where no JSON is expected, a page for people is sent.
                let is_page = operation.returns == Returns::Events && [400, 426].contains(&status);
                let content = match is_page {
                    true => json!({ "text/html": {} }),
                    false => body(of("Problem").json()),
                };
                all.insert(name, json!({ "description": meaning, "content": content }));
            }
        }
    }
    all.into()
}

fn schema(of: &Model) -> Value {
    let property = |(name, property): (&String, &super::schema::Property)| {
        let mut schema = property.kind.json();
        schema["description"] = property.description.as_str().into();
        (name.clone(), schema)
    };
    let required = of.properties.iter().filter(|(_, p)| p.is_required).map(|(name, _)| name);
    json!({
        "type": "object",
        "description": of.description,
        "properties": of.properties.iter().map(property).collect::<Map<_, _>>(),
        "required": required.collect::<Vec<_>>(),
    })
}
