//! Swagger 1.1 of the operations and models, at `/ari/api-docs/`: what client libraries are made of at run
//! time.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::operation::{Operation, Returns};
use super::parameters::{Kind, Parameter, Place};
use super::schema::{Model, Type};

/// The list of resources. `base` is where operations are: `http://localhost:8088/ari`.
pub fn listing(operations: &[Operation], base: &str) -> Value {
    let resources: BTreeSet<_> = operations.iter().map(Operation::resource).collect();
    let api = |resource: &&str| {
        json!({
            "path": format!("/api-docs/{resource}.{{format}}"),
            "description": format!("All about {resource}."),
        })
    };
    json!({
        "apiVersion": env!("CARGO_PKG_VERSION"),
        "swaggerVersion": "1.1",
        "basePath": base,
        "apis": resources.iter().map(api).collect::<Vec<_>>(),
    })
}

/// The operations and models of a resource; none: there is no such resource.
pub fn declaration(
    operations: &[Operation],
    models: &BTreeMap<String, Model>,
    resource: &str,
    base: &str,
) -> Option<Value> {
    let ours: Vec<_> = operations.iter().filter(|o| o.resource() == resource).collect();
    if ours.is_empty() {
        return None;
    }
    let mut apis: Vec<Value> = Vec::new();
    for operation in &ours {
        let told = describe(operation);
        match apis.iter_mut().find(|api| api["path"] == operation.path) {
            Some(api) => api["operations"].as_array_mut()?.push(told),
            None => apis.push(json!({
                "path": operation.path,
                "description": operation.summary,
                "operations": [told],
            })),
        }
    }
    let used = used(&ours, models);
    let told = used.iter().filter_map(|name| Some((name.clone(), model(name, models)?)));
    Some(json!({
        "apiVersion": env!("CARGO_PKG_VERSION"),
        "swaggerVersion": "1.1",
        "basePath": base,
        "resourcePath": format!("/api-docs/{resource}.{{format}}"),
        "requiresPermissions": [],
        "apis": apis,
        "models": told.collect::<Map<_, _>>(),
    }))
}

fn describe(operation: &Operation) -> Value {
    let class = match operation.returns {
        Returns::Nothing => "void".to_owned(),
        Returns::Object(model) => model.to_owned(),
        Returns::List(model) => format!("List[{model}]"),
        Returns::File => "binary".to_owned(),
        Returns::Events => "Message".to_owned(),
    };
    let error = |(code, reason): &(u16, &str)| json!({ "code": code, "reason": reason });
    let mut told = json!({
        "httpMethod": operation.method.name(),
        "nickname": operation.nickname,
        "summary": operation.summary,
        "responseClass": class,
        "parameters": parameters(&operation.parameters),
        "errorResponses": operation.errors.iter().map(error).collect::<Vec<_>>(),
    });
    if operation.returns == Returns::Events {
        told["upgrade"] = "websocket".into();
        told["websocketProtocol"] = "ari".into();
    }
    told
}

/// Clients write the parameter that is the body as it is, and other ones of the body with their names.
fn parameters(of: &[Parameter]) -> Vec<Value> {
    let has_whole = of.iter().any(|parameter| parameter.place == Place::Whole);
    let told = of.iter().filter(|parameter| !has_whole || parameter.place != Place::Body);
    told.map(parameter).collect()
}

fn parameter(of: &Parameter) -> Value {
    let kind = match of.kind {
        Kind::Text => "string",
        Kind::Integer => "int",
        Kind::Flag => "boolean",
        // What client libraries know as an object of names and values.
        Kind::Object | Kind::Variables => "containers",
        Kind::Types => "object",
    };
    let place = match of.place {
        Place::Path => "path",
        Place::Query => "query",
        Place::Body | Place::Whole => "body",
    };
    let mut told = json!({
        "name": of.name,
        "description": of.description(),
        "paramType": place,
        "required": of.is_required,
        "allowMultiple": of.is_list,
        "dataType": kind,
    });
    if let Some(default) = of.default {
        told["defaultValue"] = match of.kind {
            Kind::Integer => default.parse::<i64>().unwrap_or_default().into(),
            Kind::Flag => (default == "true").into(),
            _ => default.into(),
        };
    }
    if !of.values.is_empty() {
        told["allowableValues"] = json!({ "valueType": "LIST", "values": of.values });
    }
    told
}

/// The models that these operations return, and those that are parts of them. Where events are, all that can
/// come is told.
fn used(operations: &[&Operation], models: &BTreeMap<String, Model>) -> BTreeSet<String> {
    let mut wanted: Vec<String> = Vec::new();
    for operation in operations {
        match operation.returns {
            Returns::Object(model) | Returns::List(model) => wanted.push(model.into()),
            Returns::Events => {
                let all = models.iter().filter(|(_, model)| model.is_event);
                wanted.extend(all.map(|(name, _)| name.clone()));
                let others = ["Message", "MissingParams", "Event", "RESTRequest", "RESTHeader"];
                wanted.extend(others.map(str::to_owned));
            }
            Returns::Nothing | Returns::File => {}
        }
    }
    wanted.extend(operations.iter().filter(|o| o.nickname == "dial").map(|_| "Dialed".to_owned()));
    let mut used = BTreeSet::new();
    while let Some(name) = wanted.pop() {
        let Some(model) = models.get(&name) else { continue };
        if used.insert(name) {
            wanted.extend(model.properties.values().filter_map(|p| named(&p.kind)));
        }
    }
    used
}

/// The model that a type is of.
fn named(kind: &Type) -> Option<String> {
    match kind {
        Type::Model(name) => Some(name.clone()),
        Type::List(of) => named(of),
        _ => None,
    }
}

fn model(name: &str, models: &BTreeMap<String, Model>) -> Option<Value> {
    let model = models.get(name)?;
    let property = |(name, property): (&String, &super::schema::Property)| {
        let told = json!({
            "type": property.kind.swagger(),
            "description": property.description,
            "required": property.is_required,
        });
        (name.clone(), told)
    };
    let properties: Map<_, _> = model.properties.iter().map(property).collect();
    let mut told =
        json!({ "id": name, "description": model.description, "properties": properties });
    if ["Message", "Event"].contains(&name) {
        let all = models.iter().filter(|(_, model)| model.is_event).map(|(name, _)| name);
        told["subTypes"] = all.cloned().collect::<Vec<String>>().into();
        told["discriminator"] = "type".into();
    }
    Some(told)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ari::operations;
    use crate::ari::schema::models;

    #[test]
    fn a_parameter_that_is_the_body_is_told_and_its_parts_are_not() {
        let all = operations::all();
        let told = declaration(&all, &models(), "applications", "http://localhost/ari").unwrap();
        let apis = told["apis"].as_array().unwrap().iter();
        let mut operations = apis.flat_map(|api| api["operations"].as_array().unwrap());
        let filter = operations.find(|operation| operation["nickname"] == "filter").unwrap();
        let parameters = filter["parameters"].as_array().unwrap().iter();
        let told: Vec<_> = parameters
            .map(|parameter| (parameter["name"].as_str(), parameter["paramType"].as_str()))
            .collect();
        assert_eq!(told, [(Some("applicationName"), Some("path")), (Some("filter"), Some("body"))]);
    }
}
