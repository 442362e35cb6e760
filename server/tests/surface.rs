//! What clients can ask for, and what documentation says of it.
//!
//! `operations.txt` has all operations with their parameters: `STASIS_GOLDEN=write` writes it again.
//! Where the recordings of a live Asterisk are (`STASIS_ARI=FOLDER`, or `../shared/ari` beside this repository),
//! nothing that it has may be missing: no operation, parameter or model, in none of both documentations.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::PathBuf;

use serde_json::Value;
use stasis_server::ari::parameters::Place;
use stasis_server::ari::router::Router;
use stasis_server::ari::schema::models;
use stasis_server::ari::{openapi, swagger};

/// All operations, as a text.
fn listed(router: &Router) -> String {
    let mut text = String::new();
    for operation in router.operations() {
        let (method, path) = (operation.method.name(), operation.path);
        let status = operation.status;
        let errors: Vec<_> = operation.errors.iter().map(|(code, _)| code.to_string()).collect();
        let _ = writeln!(
            text,
            "{method} {path} {} {status} {:?} {}",
            operation.nickname,
            operation.returns,
            errors.join(",")
        );
        for parameter in &operation.parameters {
            let required = if parameter.is_required { " required" } else { "" };
            let list = if parameter.is_list { " list" } else { "" };
            let default = parameter.default.map(|d| format!(" = {d}")).unwrap_or_default();
            let _ = writeln!(
                text,
                "    {:?} {} {:?}{list}{required}{default}",
                parameter.place, parameter.name, parameter.kind
            );
        }
    }
    text
}

#[test]
fn the_operations_are_those_that_clients_know() {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/operations.txt");
    let now = listed(&Router::new());
    if std::env::var("STASIS_GOLDEN").is_ok_and(|wish| wish == "write") {
        std::fs::write(&file, &now).unwrap();
    }
    let known = std::fs::read_to_string(&file).unwrap();
    for (number, (now, known)) in now.lines().zip(known.lines()).enumerate() {
        assert_eq!(now, known, "line {}", number + 1);
    }
    assert_eq!(now.lines().count(), known.lines().count());
}

#[test]
fn each_operation_has_its_own_name_and_says_what_it_does() {
    let router = Router::new();
    let mut names = BTreeSet::new();
    for operation in router.operations() {
        assert!(names.insert((operation.resource(), operation.nickname)), "{}", operation.nickname);
        assert!(operation.summary.ends_with('.'), "{}", operation.nickname);
        for parameter in &operation.parameters {
            let description = parameter.description();
            assert!(description.ends_with('.'), "{}: {description}", operation.nickname);
        }
        let in_path = operation.path.matches('{').count();
        let placed = operation.parameters.iter().filter(|p| p.place == Place::Path).count();
        assert_eq!(in_path, placed, "{}", operation.path);
    }
    assert_eq!(names.len(), 109);
}

#[test]
fn both_documentations_name_no_model_that_is_not_there() {
    let (router, models) = (Router::new(), models());
    let api = openapi::document(router.operations(), &models, "http://localhost/ari");
    let mut missing = BTreeSet::new();
    walk(&api, &mut |key, value| {
        if key == "$ref" {
            let name = value.as_str().unwrap().rsplit('/').next().unwrap();
            if api["components"]["schemas"].get(name).is_none() {
                missing.insert(name.to_owned());
            }
        }
    });
    assert!(missing.is_empty(), "OpenAPI: {missing:?}");
    for resource in resources(&router) {
        let told = swagger::declaration(router.operations(), &models, resource, "x").unwrap();
        walk(&told["models"], &mut |key, value| {
            let kind = value.as_str().unwrap_or_default();
            let kind = kind.strip_prefix("List[").map_or(kind, |of| of.trim_end_matches(']'));
            let is_plain = kind.chars().next().is_none_or(char::is_lowercase) || kind == "Date";
            if key == "type" && !is_plain && told["models"].get(kind).is_none() {
                missing.insert(format!("{resource}: {kind}"));
            }
        });
    }
    assert!(missing.is_empty(), "Swagger: {missing:?}");
}

fn resources(router: &Router) -> BTreeSet<&'static str> {
    router.operations().iter().map(|operation| operation.resource()).collect()
}

fn walk(value: &Value, look: &mut dyn FnMut(&str, &Value)) {
    match value {
        Value::Object(fields) => fields.iter().for_each(|(key, value)| {
            look(key, value);
            walk(value, look);
        }),
        Value::Array(all) => all.iter().for_each(|value| walk(value, look)),
        _ => {}
    }
}

/// The recorded surface; none: it is not there.
fn recorded(file: &str) -> Option<Value> {
    let text = std::fs::read_to_string(common::recordings()?.join(file)).unwrap();
    Some(serde_json::from_str(&text).unwrap())
}

#[test]
fn swagger_has_every_operation_that_asterisk_has() {
    let Some(theirs) = recorded("operations.json") else { return };
    let (router, models) = (Router::new(), models());
    let mut ours = BTreeMap::new();
    for resource in resources(&router) {
        let told = swagger::declaration(router.operations(), &models, resource, "x").unwrap();
        for api in told["apis"].as_array().unwrap() {
            for operation in api["operations"].as_array().unwrap() {
                let name = format!("{} {}", operation["httpMethod"], api["path"]);
                ours.insert(name, operation.clone());
            }
        }
    }
    let mut wrong = Vec::new();
    for theirs in theirs.as_array().unwrap() {
        let name = format!("{} {}", theirs["httpMethod"], theirs["path"]);
        let Some(ours) = ours.get(&name) else {
            wrong.push(format!("{name} is missing"));
            continue;
        };
        for field in ["nickname", "responseClass"] {
            if ours[field] != theirs[field] {
                wrong.push(format!("{name}: {field} {} is not {}", ours[field], theirs[field]));
            }
        }
        let codes: BTreeSet<_> = ours["errorResponses"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|error| error["code"].as_u64())
            .collect();
        for code in theirs["errorCodes"].as_array().unwrap() {
            if !codes.contains(&code.as_u64().unwrap()) {
                wrong.push(format!("{name}: no {code}"));
            }
        }
        for parameter in theirs["parameters"].as_array().unwrap() {
            wrong.extend(parameter_is_wrong(&name, ours, parameter));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Our parameters of an object in a body are those in it.
fn parameter_is_wrong(operation: &str, ours: &Value, theirs: &Value) -> Option<String> {
    let name = &theirs["name"];
    let all = ours["parameters"].as_array().unwrap();
    let Some(ours) = all.iter().find(|parameter| parameter["name"] == *name) else {
        let is_whole_body = theirs["in"] == "body" && all.iter().any(|p| p["paramType"] == "body");
        return (!is_whole_body).then(|| format!("{operation}: no parameter {name}"));
    };
    let told = |ours: &str, theirs: &str| format!("{operation}: {name} is {ours}, not {theirs}");
    if ours["paramType"] != theirs["in"] {
        return Some(told(&ours["paramType"].to_string(), &theirs["in"].to_string()));
    }
    if ours["allowMultiple"] != theirs["allowMultiple"] {
        return Some(format!("{operation}: {name}: allowMultiple"));
    }
    // Nobody is asked for more than Asterisk asks for, which does ask for a direction; for less they may be.
    let is_asked = theirs["required"] == true || theirs["in"] == "path" || *name == "direction";
    if ours["required"] == true && !is_asked {
        return Some(format!("{operation}: {name} is required"));
    }
    let (kind, known) = (ours["dataType"].as_str()?, theirs["dataType"].as_str()?);
    let is_same = kind == known || (kind == "int" && known == "long") || known == "object";
    (!is_same).then(|| told(kind, known))
}

#[test]
fn openapi_has_every_operation_that_asterisk_has() {
    let Some(theirs) = recorded("operations.json") else { return };
    let (router, models) = (Router::new(), models());
    let api = openapi::document(router.operations(), &models, "http://localhost/ari");
    for theirs in theirs.as_array().unwrap() {
        let path = theirs["path"].as_str().unwrap();
        let method = theirs["httpMethod"].as_str().unwrap().to_lowercase();
        let ours = &api["paths"][path][&method];
        assert!(ours.is_object(), "{method} {path}");
        for code in theirs["errorCodes"].as_array().unwrap() {
            assert!(ours["responses"].get(code.to_string()).is_some(), "{method} {path}: {code}");
        }
    }
}

#[test]
fn no_model_and_no_field_of_asterisk_is_missing() {
    let Some(theirs) = recorded("models.json") else { return };
    let ours = models();
    let mut wrong = Vec::new();
    for (name, theirs) in theirs.as_object().unwrap() {
        let Some(ours) = ours.get(name) else {
            wrong.push(format!("{name} is missing"));
            continue;
        };
        for (field, theirs) in theirs["properties"].as_object().unwrap() {
            match ours.properties.get(field) {
                None => wrong.push(format!("{name}.{field} is missing")),
                Some(ours) => {
                    let (kind, known) = (ours.kind.swagger(), theirs["type"].as_str().unwrap());
                    let is_same = kind == known || (kind == "Date" && known == "string");
                    if !is_same {
                        wrong.push(format!("{name}.{field} is {kind}, not {known}"));
                    }
                    if theirs["required"] == true && !ours.is_required {
                        wrong.push(format!("{name}.{field} is not required"));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
