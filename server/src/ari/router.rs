//! The router: which operation a request is for, by its path and method.

use percent_encoding::percent_decode_str;

use super::Ari;
use super::operation::{Method, Operation, Outcome};
use super::operations;
use super::parameters::Values;
use super::reply::Reply;

/// What a client asks for.
#[derive(Debug)]
pub struct Request<'a> {
    /// The method of HTTP.
    pub method: &'a str,
    /// The path below `/ari`, percent-encoded, with a slash before it or without.
    pub path: &'a str,
    /// What was given with it.
    pub values: Values,
}

/// Why no operation was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RouteError {
    /// There is nothing at this path.
    NotFound,
    /// There is something at this path, but not by this method: those are allowed.
    NotAllowed(String),
    /// The body cannot be read.
    BadBody,
}

impl From<RouteError> for Reply {
    fn from(error: RouteError) -> Self {
        match error {
            RouteError::NotFound => Reply::error(404, "Resource not found"),
            RouteError::NotAllowed(methods) => {
                Reply { allow: Some(methods), ..Reply::error(405, "Invalid method") }
            }
            RouteError::BadBody => Reply::error(400, "Error parsing request body"),
        }
    }
}

/// Finds operations.
pub struct Router {
    operations: Vec<Operation>,
    /// By path: the operations there, in the order of their methods.
    paths: matchit::Router<Vec<usize>>,
}

impl Router {
    /// Of all operations.
    ///
    /// # Panics
    /// When two paths of the table cannot be told apart, which a test would have seen.
    pub fn new() -> Self {
        let operations = operations::all();
        let mut by_path: std::collections::BTreeMap<&str, Vec<usize>> = Default::default();
        for (number, operation) in operations.iter().enumerate() {
            by_path.entry(operation.path).or_default().push(number);
        }
        let mut paths = matchit::Router::new();
        for (path, mut there) in by_path {
            there.sort_by_key(|number| operations[*number].method);
            paths.insert(path, there).expect("the paths of the table can be told apart");
        }
        Router { operations, paths }
    }

    /// All operations.
    pub fn operations(&self) -> &[Operation] {
        &self.operations
    }

    /// The methods that there are at a path, as they are listed; none: there is nothing at this path.
    pub fn methods(&self, path: &str) -> Option<String> {
        let path = path.trim_matches('/');
        if path.is_empty() {
            return Some("OPTIONS".into());
        }
        let there = self.paths.at(&format!("/{path}")).ok()?.value;
        Some(self.listed(there))
    }

    /// Events need a WebSocket, so their method is not listed.
    fn listed(&self, there: &[usize]) -> String {
        let operations = there.iter().map(|number| &self.operations[*number]);
        let listed = operations.filter(|operation| operation.nickname != "eventWebsocket");
        listed
            .fold("OPTIONS".into(), |list, operation| format!("{list},{}", operation.method.name()))
    }

    /// What a request asks to be done.
    ///
    /// # Errors
    /// What the client is told when it is not done.
    pub fn run(&self, ari: &Ari, request: Request<'_>) -> Outcome {
        let Request { method, path, mut values } = request;
        let path = path.trim_start_matches('/');
        if path.is_empty() {
            return Err(RouteError::NotAllowed("OPTIONS".into()).into());
        }
        if let Some(path) = path.strip_suffix('/') {
            let message = format!("ARI URLs do not end with a slash. Try /ari/{path}");
            return Err(Reply::error(404, &message));
        }
        let path = format!("/{path}");
        let found = self.paths.at(&path).map_err(|_| RouteError::NotFound)?;
        if method == "OPTIONS" {
            let allow = Some(self.listed(found.value));
            return Err(Reply { allow, ..Reply::no_content() });
        }
        let operation = Method::of(method)
            .and_then(|method| {
                let mut there = found.value.iter().map(|number| &self.operations[*number]);
                there.find(|operation| operation.method == method)
            })
            .ok_or_else(|| RouteError::NotAllowed(self.listed(found.value)))?;
        for (name, text) in found.params.iter() {
            let text = percent_decode_str(text).decode_utf8();
            let text = text.map_err(|_| Reply::error(400, "The path is not UTF-8"))?;
            values.add_path(name, text.into_owned());
        }
        operation.run(ari, &mut values)
    }
}

impl Default for Router {
    fn default() -> Self {
        Router::new()
    }
}
