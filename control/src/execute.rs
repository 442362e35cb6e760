//! A channel's run through the dialplan: what it waits for, and where it comes back to.

use std::time::Duration;

use stasis_bus::Stamp;

use crate::channel::Position;

/// A channel's run through the dialplan. Where it is, is its [`Position`].
#[derive(Debug, Default)]
pub(crate) struct Run {
    /// What it waits for.
    pub(crate) waiting: Waiting,
    /// A step that is queued, or a timer, counts only if it has this number.
    pub(crate) number: u64,
    /// Steps that were run at this time, also if it has waited between them: not all that is waited for
    /// takes time.
    pub(crate) steps: u32,
    pub(crate) stepped: Stamp,
    /// Where `Return` leads to, with the arguments that were there.
    pub(crate) stack: Vec<Frame>,
}

/// Where `Return` leads to.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) place: Position,
    /// How many arguments the called part has.
    pub(crate) args: usize,
}

/// What a run waits for.
#[derive(Debug, Default)]
pub(crate) enum Waiting {
    /// Its next step, which is queued.
    #[default]
    Step,
    /// That time has passed.
    Time,
    /// That time has passed, and then it is hung up.
    Refusal,
    /// Sounds that are played.
    Sounds,
    /// A recording.
    Recording,
    /// Keys that are sent.
    Sending,
    /// An application that has it.
    Application,
    /// Somebody who is called.
    Call,
    /// That an application takes it.
    Offer(Box<Offer>),
    /// Keys of the caller's.
    Keys(Box<Collect>),
    /// It hears itself.
    Echo,
}

/// A call that is offered.
#[derive(Debug)]
pub(crate) struct Offer {
    /// What the one who takes it is given.
    pub(crate) args: Vec<String>,
    /// Whether the others are told who has taken it.
    pub(crate) tells: bool,
    /// To whom it is offered.
    pub(crate) apps: Vec<crate::apps::AppKey>,
}

/// Keys that are collected.
#[derive(Debug)]
pub(crate) struct Collect {
    /// What they are for.
    pub(crate) purpose: CollectFor,
    /// What has come.
    pub(crate) typed: String,
    /// How long it is waited for each.
    pub(crate) timeout: Duration,
    /// What is played before, each time.
    pub(crate) prompts: Vec<String>,
    /// Whether that is being played.
    pub(crate) is_playing: bool,
    /// How often it may begin anew.
    pub(crate) attempts: u32,
}

impl Collect {
    /// Whether the dialplan goes on behind its sounds when no key comes: `Background`.
    pub(crate) fn is_background(&self) -> bool {
        matches!(self.purpose, CollectFor::Extension { goes_on: true, .. })
    }
}

/// What keys are collected for.
#[derive(Debug)]
pub(crate) enum CollectFor {
    /// A variable; at most so many.
    Variable(String, Option<usize>),
    /// An extension of this context. While sounds are played: whether it goes on behind them when nothing
    /// comes.
    Extension {
        /// Where it is looked for.
        context: String,
        /// Goes on when the sounds are over.
        goes_on: bool,
    },
}
