//! Requests on a WebSocket: a message that is a request, and one that is its answer.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use stasis_control::time::Timestamp;
use utoipa::ToSchema;

use super::model::Date;
use super::parameters::Values;
use super::reply::{Reply, reason};
use super::router::{Request, RouteError};

/// A request, as a client sends it.
#[derive(Clone, Debug, Default, Deserialize, Serialize, ToSchema)]
#[serde(default)]
pub struct RESTRequest {
    /// Always `RESTRequest`.
    #[serde(rename = "type")]
    #[schema(required = true)]
    kind: String,
    /// What the client calls a group of requests; told back.
    #[schema(required = true)]
    transaction_id: String,
    /// What the client calls this one; told back.
    #[schema(required = true)]
    request_id: String,
    /// The method of HTTP.
    #[schema(required = true)]
    method: String,
    /// The path below `/ari`, maybe with a query.
    #[schema(required = true)]
    uri: String,
    /// The media type of the body.
    #[schema(required = false)]
    content_type: String,
    /// The query, in parts.
    #[schema(required = false)]
    query_strings: Vec<RESTQueryStringParameter>,
    /// The body.
    #[schema(required = false)]
    message_body: String,
}

/// A part of a query.
#[derive(Clone, Debug, Default, Deserialize, Serialize, ToSchema)]
#[serde(default)]
pub struct RESTQueryStringParameter {
    /// Its name.
    #[schema(required = true)]
    name: String,
    /// Its value.
    #[schema(required = true)]
    value: String,
}

/// The answer to a request.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct RESTResponse<'a> {
    /// As in the request.
    transaction_id: &'a str,
    /// As in the request.
    request_id: &'a str,
    /// The status of HTTP.
    #[schema(value_type = i32)]
    status_code: u16,
    /// What it means.
    reason_phrase: &'a str,
    /// As in the request, without a query.
    uri: &'a str,
    /// The media type of the body.
    #[serde(skip_serializing_if = "str::is_empty")]
    #[schema(required = false)]
    content_type: &'a str,
    /// The body.
    #[serde(skip_serializing_if = "str::is_empty")]
    #[schema(required = false)]
    message_body: &'a str,
}

#[derive(Serialize)]
struct Envelope<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(flatten)]
    response: RESTResponse<'a>,
    application: &'a str,
    timestamp: Date,
    asterisk_id: &'a str,
}

/// Who is told, when, and by whom.
#[derive(Clone, Copy, Debug)]
pub struct Sender<'a> {
    /// The application that the WebSocket was opened for.
    pub application: &'a str,
    /// When.
    pub at: Timestamp,
    /// The server's id.
    pub id: &'a str,
}

/// A message that cannot be taken as a request: its answer.
#[derive(Debug)]
pub struct Refused {
    request: RESTRequest,
    reason: &'static str,
    message: &'static str,
}

impl RESTRequest {
    /// Reads a message.
    ///
    /// # Errors
    /// [`Refused`] when it is no request.
    pub fn parse(text: &str) -> Result<Self, Box<Refused>> {
        let refused = |request, reason, message| Box::new(Refused { request, reason, message });
        let bad = |request, message| refused(request, "Bad request", message);
        let value: Value = serde_json::from_str(text).map_err(|_| {
            refused(RESTRequest::default(), "Failed to parse request message JSON", "")
        })?;
        match value.get("type").and_then(Value::as_str) {
            None => return Err(bad(RESTRequest::default(), "No 'type' property.")),
            Some("RESTRequest") => {}
            Some(_) => return Err(bad(RESTRequest::default(), "Unknown request type.")),
        }
        let request: RESTRequest = serde_json::from_value(value).map_err(|_| {
            bad(RESTRequest::default(), "A property is not of the type that it must have.")
        })?;
        if request.uri.is_empty() {
            return Err(bad(request, "Empty or missing 'uri' property."));
        }
        if !["GET", "POST", "PUT", "DELETE", "OPTIONS"].contains(&request.method.as_str()) {
            return Err(bad(request, "Unknown or missing 'method' property."));
        }
        Ok(request)
    }

    /// What is asked for.
    ///
    /// # Errors
    /// A body that cannot be read.
    pub fn request(&self) -> Result<Request<'_>, RouteError> {
        let (path, query) = self.uri.split_once('?').unwrap_or((&self.uri, ""));
        let mut values = Values::default();
        values.add_query(query);
        let parts = self.query_strings.iter();
        values.add_texts(parts.map(|part| (part.name.clone(), part.value.clone())));
        let kind = Some(self.content_type.as_str()).filter(|kind| !kind.is_empty());
        values.add_body(kind, self.message_body.as_bytes()).map_err(|_| RouteError::BadBody)?;
        Ok(Request { method: &self.method, path, values })
    }

    /// Its answer, as it is sent.
    pub fn answer(&self, reply: &Reply, to: Sender<'_>) -> String {
        let body = std::str::from_utf8(&reply.body).unwrap_or_default();
        self.write(reply.status, reason(reply.status), reply.content_type, body, to)
    }

    fn write(&self, status: u16, reason: &str, kind: &str, body: &str, to: Sender<'_>) -> String {
        let response = RESTResponse {
            transaction_id: &self.transaction_id,
            request_id: &self.request_id,
            status_code: status,
            reason_phrase: reason,
            uri: self.uri.split('?').next().unwrap_or_default(),
            content_type: if body.is_empty() { "" } else { kind },
            message_body: body,
        };
        let envelope = Envelope {
            kind: "RESTResponse",
            response,
            application: to.application,
            timestamp: Date(to.at),
            asterisk_id: to.id,
        };
        serde_json::to_string(&envelope).unwrap_or_default()
    }
}

impl Refused {
    /// The answer, as it is sent.
    pub fn answer(&self, to: Sender<'_>) -> String {
        let reply = Reply::error(400, self.message);
        let body = match self.message {
            "" => "",
            _ => std::str::from_utf8(&reply.body).unwrap_or_default(),
        };
        self.request.write(400, self.reason, reply.content_type, body, to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const TO: Sender<'_> =
        Sender { application: "golden", at: Timestamp::from_micros(0), id: "00:00:00:00:00:01" };

    fn answer(text: &str) -> Value {
        let answer = RESTRequest::parse(text).unwrap_err().answer(TO);
        serde_json::from_str(&answer).unwrap()
    }

    #[test]
    fn what_is_no_request_is_answered_as_such() {
        let told = answer("not json");
        assert_eq!(told["reason_phrase"], "Failed to parse request message JSON");
        assert_eq!((&told["status_code"], told.get("message_body")), (&json!(400), None));
        for (text, message) in [
            (json!({"type": "Bogus"}), "Unknown request type."),
            (json!([1]), "No 'type' property."),
            (json!({"type": "RESTRequest", "method": "GET"}), "Empty or missing 'uri' property."),
            (
                json!({"type": "RESTRequest", "method": "PATCH", "uri": "channels"}),
                "Unknown or missing 'method' property.",
            ),
        ] {
            let told = answer(&text.to_string());
            assert_eq!(told["message_body"], json!({ "message": message }).to_string());
            assert_eq!(told["reason_phrase"], "Bad request");
        }
    }

    #[test]
    fn an_answer_has_what_the_request_had() {
        let text = json!({"type": "RESTRequest", "transaction_id": "t", "request_id": "r",
            "method": "POST", "uri": "channels/a/variable?variable=X", "query_strings":
            [{"name": "value", "value": "y"}]});
        let request = RESTRequest::parse(&text.to_string()).unwrap();
        let mut asked = request.request().unwrap_or_else(|_| panic!());
        assert_eq!((asked.method, asked.path), ("POST", "channels/a/variable"));
        assert_eq!(asked.values.take("value"), Some("y".into()));
        let told: Value = serde_json::from_str(&request.answer(&Reply::no_content(), TO)).unwrap();
        assert_eq!(
            told,
            json!({"type": "RESTResponse", "transaction_id": "t", "request_id": "r",
            "status_code": 204, "reason_phrase": "No Content", "uri": "channels/a/variable",
            "application": "golden", "timestamp": "1970-01-01T00:00:00.000+0000",
            "asterisk_id": "00:00:00:00:00:01"})
        );
    }
}
