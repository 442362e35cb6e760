//! Operations: what a client can ask for, as values: what each is called, takes, returns, and does.
//!
//! One table has them all (`operations`); from it requests are routed, whichever way they
//! come, and both documentations are written. To run an operation is to read its parameters and to say
//! what is to be done ([`Work`]): nothing here waits, or knows of HTTP.

use stasis_control::Exchange;
use stasis_control::bridge::BridgeTypeError;

use super::Ari;
use super::parameters::{Parameter, Parameters, Values};
use super::reply::Reply;

/// What is to be done, and by whom.
pub enum Work {
    /// Nothing any more: this is the answer.
    Done(Reply),
    /// Something with the exchange, on its thread.
    Exchange(Box<dyn FnOnce(&mut Exchange) -> Step + Send>),
    /// Something with files, where waiting for them disturbs nobody.
    Files(Box<dyn FnOnce() -> Reply + Send>),
}

/// What has come of work with the exchange.
pub enum Step {
    /// This is the answer.
    Done(Reply),
    /// The answer is known a moment later: look again until there is one. `true`: it is the last time, and
    /// there is to be one.
    Look(Look),
}

/// A look for an answer.
pub type Look = Box<dyn FnMut(&mut Exchange, bool) -> Option<Reply> + Send>;

/// What is to be done, or why nothing is.
pub type Outcome = Result<Work, Reply>;

/// This is the answer.
pub(super) fn done(reply: Reply) -> Outcome {
    Ok(Work::Done(reply))
}

/// Something with the exchange.
pub(super) fn exchange(
    work: impl FnOnce(&mut Exchange) -> Result<Reply, Reply> + Send + 'static,
) -> Outcome {
    let work = |exchange: &mut Exchange| Step::Done(work(exchange).unwrap_or_else(|why| why));
    Ok(Work::Exchange(Box::new(work)))
}

/// Something with the exchange that has no answer but that it was done.
pub(super) fn command(
    work: impl FnOnce(&mut Exchange) -> Result<(), stasis_control::Refusal> + Send + 'static,
) -> Outcome {
    exchange(move |exchange| {
        work(exchange)?;
        Ok(Reply::no_content())
    })
}

/// Something with files.
pub(super) fn files(work: impl FnOnce() -> Result<Reply, Reply> + Send + 'static) -> Outcome {
    Ok(Work::Files(Box::new(move || work().unwrap_or_else(|why| why))))
}

/// A method of HTTP, in the order in which they are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Method {
    /// GET.
    Get,
    /// POST.
    Post,
    /// PUT.
    Put,
    /// DELETE.
    Delete,
}

impl Method {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Post => "POST",
            Method::Put => "PUT",
            Method::Delete => "DELETE",
        }
    }

    /// The one of this name, if it is one of these.
    pub fn of(name: &str) -> Option<Self> {
        [Method::Get, Method::Post, Method::Put, Method::Delete]
            .into_iter()
            .find(|method| method.name() == name)
    }
}

/// What an operation returns when it is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Returns {
    /// Nothing.
    Nothing,
    /// An object, by the name of its model.
    Object(&'static str),
    /// Several of these.
    List(&'static str),
    /// A file.
    File,
    /// Events, on a WebSocket.
    Events,
}

type Run = Box<dyn Fn(&Ari, &mut Values) -> Outcome + Send + Sync>;

/// What a client can ask for.
pub struct Operation {
    /// How.
    pub method: Method,
    /// Where, below `/ari`: names in braces are parameters.
    pub path: &'static str,
    /// What client libraries call it.
    pub nickname: &'static str,
    /// What it does.
    pub summary: &'static str,
    /// What it takes.
    pub parameters: Vec<Parameter>,
    /// What it returns.
    pub returns: Returns,
    /// With which status.
    pub status: u16,
    /// With which statuses it says that it was not done, and what each means.
    pub errors: Vec<(u16, &'static str)>,
    run: Run,
}

impl Operation {
    fn new<P: Parameters>(
        method: Method,
        path: &'static str,
        nickname: &'static str,
        run: impl Fn(&Ari, P) -> Outcome + Send + Sync + 'static,
    ) -> Self {
        Operation {
            method,
            path,
            nickname,
            summary: "",
            parameters: P::LIST.iter().map(|parameter| parameter.in_path(path)).collect(),
            returns: Returns::Nothing,
            status: 204,
            errors: Vec::new(),
            run: Box::new(move |ari, values| run(ari, P::read(values)?)),
        }
    }

    pub(super) fn says(mut self, summary: &'static str) -> Self {
        self.summary = summary;
        self
    }

    pub(super) fn returns(mut self, returns: Returns) -> Self {
        (self.returns, self.status) = (returns, 200);
        self
    }

    pub(super) fn with_status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    pub(super) fn fails(mut self, errors: &[(u16, &'static str)]) -> Self {
        self.errors.extend_from_slice(errors);
        self
    }

    /// The resource that it belongs to: the first part of its path.
    pub fn resource(&self) -> &'static str {
        self.path.trim_start_matches('/').split('/').next().unwrap_or_default()
    }

    /// What is to be done.
    ///
    /// # Errors
    /// What the client is told when it is not done.
    pub fn run(&self, ari: &Ari, values: &mut Values) -> Outcome {
        (self.run)(ari, values)
    }
}

macro_rules! method {
    ($($name:ident $method:ident),*) => {$(
        pub(super) fn $name<P: Parameters>(
            path: &'static str,
            nickname: &'static str,
            run: impl Fn(&Ari, P) -> Outcome + Send + Sync + 'static,
        ) -> Operation {
            Operation::new(Method::$method, path, nickname, run)
        }
    )*};
}
method!(get Get, post Post, put Put, delete Delete);

impl From<BridgeTypeError> for Reply {
    fn from(error: BridgeTypeError) -> Self {
        Reply::error(400, &error.to_string())
    }
}
