//! Cross-origin requests: which web pages may ask.

use axum::body::Body;
use axum::http::header::{self, HeaderValue};
use axum::http::{Method, Response, request};

/// Origins of web pages that may ask: none by default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origins {
    allowed: Vec<String>,
}

impl Origins {
    /// These; `*` is all.
    pub fn new(allowed: impl IntoIterator<Item = String>) -> Self {
        Origins { allowed: allowed.into_iter().collect() }
    }

    /// The origin of a request, if it may ask.
    fn of<'a>(&self, parts: &'a request::Parts) -> Option<&'a HeaderValue> {
        let origin = parts.headers.get(header::ORIGIN)?;
        let is_it = |allowed: &String| allowed == "*" || allowed.as_bytes() == origin.as_bytes();
        self.allowed.iter().any(is_it).then_some(origin)
    }
}

/// Whether a browser asks what a page may ask for. It does so without credentials.
pub(super) fn is_preflight(origins: &Origins, parts: &request::Parts) -> bool {
    parts.method == Method::OPTIONS
        && parts.headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
        && origins.of(parts).is_some()
}

/// Tells a browser what its page may do: what is allowed there, if it has asked for that.
pub(super) fn add(origins: &Origins, parts: &request::Parts, response: &mut Response<Body>) {
    let Some(origin) = origins.of(parts) else { return };
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
    headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
    let wanted = parts.headers.get(header::ACCESS_CONTROL_REQUEST_METHOD);
    let allowed = headers.get(header::ALLOW).cloned();
    let (Some(wanted), Some(allowed)) = (wanted, allowed) else { return };
    if parts.method != Method::OPTIONS {
        return;
    }
    let is_there = allowed.to_str().is_ok_and(|methods| {
        methods.split(',').any(|method| method.as_bytes() == wanted.as_bytes())
    });
    if is_there {
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, allowed);
        if let Some(wanted) = parts.headers.get(header::ACCESS_CONTROL_REQUEST_HEADERS) {
            headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, wanted.clone());
        }
    }
}
