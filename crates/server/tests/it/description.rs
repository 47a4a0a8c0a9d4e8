//! Holds answers against `openapi.json`: path, method, status, media type, required headers, and JSON bodies by their
//! schema, in which no field may appear that is not described.

use std::collections::HashMap;
use std::sync::{Mutex, OnceLock};

use axum::http::{HeaderMap, Method, StatusCode, header};
use serde_json::{Value, json};

pub(crate) fn description() -> &'static Value {
    static DESCRIPTION: OnceLock<Value> = OnceLock::new();
    DESCRIPTION.get_or_init(|| {
        let mut description = serde_json::from_str(include_str!("../../src/openapi.json")).unwrap();
        forbid_more(&mut description);
        description
    })
}

/// Objects are open for clients, since fields may be added; in a test, a field that is not described is a mistake.
fn forbid_more(value: &mut Value) {
    match value {
        Value::Object(object) => {
            if object.get("type") == Some(&json!("object")) && object.contains_key("properties") {
                object.entry("additionalProperties").or_insert(json!(false));
            }
            object.values_mut().for_each(forbid_more);
        }
        Value::Array(array) => array.iter_mut().for_each(forbid_more),
        _ => {}
    }
}

/// Panics if an answer is not one that the description promises. Pages are not described.
pub(crate) fn check(
    method: &Method,
    path: &str,
    status: StatusCode,
    headers: &HeaderMap,
    body: Option<&[u8]>,
) {
    let what = format!("{method} {path} answered {status}");
    let is_described = path.starts_with("/api/") || *method == Method::POST;
    if !is_described {
        return;
    }
    let own = response_of(method, path, status);
    // What every path can answer, whatever the description says of its own answers.
    let shared = matches!(status.as_u16(), 405 | 421 | 429)
        || (status == StatusCode::NOT_FOUND && template_of(path).is_none());
    let response = match own {
        Some(response) => response,
        None if shared => &description()["components"]["responses"][status.as_str()],
        // The sign-in page instead of what was asked for.
        None => panic!("{what}, which is not described"),
    };
    if let Some(expected) = response.get("headers").and_then(Value::as_object) {
        for (name, facts) in expected {
            let is_required = facts["required"] == json!(true);
            assert!(
                !is_required || headers.contains_key(name.as_str()),
                "{what} without {name}"
            );
        }
    }
    let content_type = headers
        .get(header::CONTENT_TYPE)
        .map_or("", |value| value.to_str().unwrap());
    let essence = content_type.split(';').next().unwrap();
    let is_sign_in_page = status == StatusCode::UNAUTHORIZED && essence == "text/html";
    let Some(content) = response.get("content").and_then(Value::as_object) else {
        return;
    };
    if is_sign_in_page || *method == Method::HEAD {
        return;
    }
    let Some(media) = content.get(essence).or_else(|| content.get("*/*")) else {
        panic!("{what} with {content_type}, which is not described");
    };
    if let (Some(schema), Some(body), "application/json") = (media.get("schema"), body, essence) {
        let body: Value =
            serde_json::from_slice(body).unwrap_or_else(|error| panic!("{what}: {error}"));
        validate(schema, &body, &what);
    }
}

fn response_of(method: &Method, path: &str, status: StatusCode) -> Option<&'static Value> {
    let method = if *method == Method::HEAD {
        "get"
    } else {
        &method.as_str().to_lowercase()
    };
    let operation = template_of(path)?.get(method)?;
    let response = operation["responses"].get(status.as_str())?;
    Some(match response.get("$ref") {
        Some(reference) => {
            let pointer = reference.as_str().unwrap().strip_prefix('#').unwrap();
            description()
                .pointer(pointer)
                .expect("a reference to a response")
        }
        None => response,
    })
}

fn template_of(path: &str) -> Option<&'static Value> {
    let fits = |template: &str| {
        template.split('/').count() == path.split('/').count()
            && template
                .split('/')
                .zip(path.split('/'))
                .all(|(a, b)| a.starts_with('{') || a == b)
    };
    let paths = description()["paths"].as_object().unwrap();
    let exact = paths.get(path);
    exact.or_else(|| {
        paths
            .iter()
            .find(|(template, _)| fits(template))
            .map(|(_, item)| item)
    })
}

fn validate(schema: &Value, body: &Value, what: &str) {
    static VALIDATORS: OnceLock<Mutex<HashMap<String, jsonschema::Validator>>> = OnceLock::new();
    let mut validators = VALIDATORS
        .get_or_init(Mutex::default)
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    let validator = validators.entry(schema.to_string()).or_insert_with(|| {
        let schema = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "allOf": [schema],
            "components": description()["components"],
        });
        jsonschema::validator_for(&schema).expect("a valid schema")
    });
    let errors: Vec<_> = validator
        .iter_errors(body)
        .map(|error| format!("{} at {}", error, error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{what}: {errors:#?}\n{body:#}");
}

#[test]
fn the_description_is_openapi_with_references_that_lead_somewhere() {
    fn visit(value: &Value, depth: usize) {
        assert!(depth < 64);
        if let Some(reference) = value.get("$ref").and_then(Value::as_str) {
            let pointer = reference
                .strip_prefix('#')
                .expect("references stay in the description");
            assert!(description().pointer(pointer).is_some(), "{reference}");
        }
        match value {
            Value::Object(object) => object.values().for_each(|value| visit(value, depth + 1)),
            Value::Array(array) => array.iter().for_each(|value| visit(value, depth + 1)),
            _ => {}
        }
    }
    visit(description(), 0);
    assert!(
        description()["openapi"]
            .as_str()
            .unwrap()
            .starts_with("3.1.")
    );
    for (name, schema) in description()["components"]["schemas"].as_object().unwrap() {
        let schema = json!({ "allOf": [schema], "components": description()["components"] });
        assert!(jsonschema::meta::is_valid(&schema), "{name}");
    }
}

#[test]
#[should_panic(expected = "not described")]
fn an_answer_that_is_not_described_is_noticed() {
    check(
        &Method::GET,
        "/api/status",
        StatusCode::IM_A_TEAPOT,
        &HeaderMap::new(),
        None,
    );
}

#[test]
#[should_panic(expected = "surprise")]
fn a_field_that_is_not_described_is_noticed() {
    let mut headers = HeaderMap::new();
    headers.insert("content-type", "application/json".parse().unwrap());
    let body = br#"{"message": "x", "surprise": 1}"#;
    check(
        &Method::POST,
        "/api/select_db",
        StatusCode::OK,
        &headers,
        Some(body),
    );
}
