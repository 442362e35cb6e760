//! Technologies: what stands behind a channel. The model knows calls; a technology knows how to make one.
//!
//! A technology is told what to do ([`Instruction`]), and says by [signals](Signal) what has come of it. Both
//! are values: it never reaches into the model, which is free to ask it anything while it works. One that
//! needs sockets (SIP) has them elsewhere, and signals by [`Exchange::signal`](crate::Exchange::signal).

mod echo;
mod local;
mod phone;
mod rtp;
mod snoop;

use std::collections::VecDeque;
use std::time::Duration;

use stasis_bus::Stamp;

pub use phone::{Answers, PhoneSettings};

pub(crate) use echo::Echo;
pub(crate) use local::Local;
pub(crate) use phone::Phones;
pub(crate) use rtp::Rtp;
pub(crate) use snoop::Snoop;

use crate::cause::Cause;
use crate::channel::{ChannelKey, ChannelState};
use crate::media::{Line, MediaEvent, MediaOrder, Play};
use crate::party::{Caller, Party};
use crate::timers::{Timer, Timers};

/// What stands behind channels.
pub trait Technology: Send {
    /// The names by which it is dialed: `Local`.
    fn names(&self) -> &'static [&'static str];

    /// Says what a call to `resource` would be made of; the channels are made then, and handed to
    /// [`begin`](Self::begin).
    ///
    /// # Errors
    /// What is wrong with it, and what to do about it.
    fn request(&mut self, request: &Request<'_>) -> Result<Vec<Half>, RequestError>;

    /// These are the channels that were made for `request`, in the order of the halves.
    fn begin(&mut self, channels: &[ChannelKey], request: &Request<'_>, context: &mut Context<'_>);

    /// Does as it is told.
    fn instruct(&mut self, channel: ChannelKey, what: Instruction<'_>, context: &mut Context<'_>);

    /// A time that it has asked for has come.
    fn timer(&mut self, channel: ChannelKey, number: u32, context: &mut Context<'_>) {
        let _ = (channel, number, context);
    }

    /// Something has happened on a line of its own, or to what it plays there.
    fn media(&mut self, channel: ChannelKey, event: &MediaEvent, context: &mut Context<'_>) {
        let _ = (channel, event, context);
    }

    /// The other half of a pair that may be left out when both halves are in bridges.
    fn other_half(&self, channel: ChannelKey) -> Option<ChannelKey> {
        let _ = channel;
        None
    }

    /// Whether somebody is there who can be called by this name, for those that know beforehand.
    fn endpoints(&self) -> Vec<String> {
        Vec::new()
    }
}

/// A call that is to be made.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// By which of its names the technology was asked for.
    pub technology: &'a str,
    /// What was asked for there: `s@default/n`.
    pub resource: &'a str,
    /// Codecs that are wanted, the preferred one first; none: any.
    pub formats: &'a [String],
    /// The channel that is overheard, and how, of a snooping one.
    pub snoop: Option<SnoopRequest>,
}

/// What a snooping channel is to do.
#[derive(Clone, Copy, Debug)]
pub struct SnoopRequest {
    /// The line that it overhears.
    pub of: Line,
    /// What it overhears.
    pub spy: crate::media::Way,
    /// Who hears it.
    pub whisper: crate::media::Way,
}

/// A channel that a call is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Half {
    /// What its name begins with: the technology and the resource.
    pub name: String,
    /// What its name ends with, behind what makes it unique: `;1`.
    pub suffix: &'static str,
    /// The state that it begins in.
    pub state: ChannelState,
    /// Where in the dialplan it is.
    pub exten: String,
    /// Where in the dialplan it is.
    pub context: Option<String>,
    /// The endpoint that it belongs to, if it does to one.
    pub endpoint: Option<String>,
}

/// A call cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// Not written as it is to be.
    #[error("{technology}/{resource} cannot be dialed: {hint}")]
    Malformed {
        /// The technology.
        technology: String,
        /// What was asked for there.
        resource: String,
        /// How it is to be written.
        hint: &'static str,
    },
    /// Nobody of that name.
    #[error("there is nobody called {technology}/{resource}: {hint}")]
    Unknown {
        /// The technology.
        technology: String,
        /// What was asked for there.
        resource: String,
        /// What to do about it.
        hint: &'static str,
    },
}

/// What a technology is told to do with a channel.
#[derive(Clone, Debug)]
pub enum Instruction<'a> {
    /// Calls the other end.
    Call {
        /// Who calls, as the channel knows it.
        caller: &'a Caller,
        /// Who is at this end, as the channel knows it.
        connected: &'a Party,
    },
    /// Tells the other end that it rings here, or no longer.
    Ring(bool),
    /// Tells the other end that there is something to hear.
    Progress,
    /// Tells the other end that it is busy here.
    Busy,
    /// Tells the other end that there is no way on from here.
    Congestion,
    /// Answers.
    Answer,
    /// Puts the other end on hold, or no longer.
    Hold(bool),
    /// Tells the other end who it is talking to.
    Connected(&'a Party),
    /// Sends the other end elsewhere.
    Redirect(&'a str),
    /// Hangs up. Nothing follows.
    Hangup(Cause),
}

/// What a technology has to say of a channel.
#[derive(Clone, Debug, PartialEq)]
pub enum Signal {
    /// Its audio comes and goes by this line.
    Line(Line),
    /// The other end rings.
    Ringing,
    /// There is something to hear.
    Progress,
    /// The other end has answered.
    Answered,
    /// The other end is busy.
    Busy,
    /// There is no way to the other end.
    Congestion,
    /// The other end has hung up, or never was there.
    HungUp {
        /// Why.
        cause: Cause,
        /// The technology's own code.
        tech_cause: Option<u32>,
    },
    /// The other end has put us on hold, or no longer.
    Hold(bool),
    /// Who calls, and who is at the other end.
    Parties(Caller, Party),
    /// Who calls, from now on.
    Caller(Party),
    /// It has come in: the dialplan is to have it.
    Start,
    /// A variable of its own.
    Variable(&'static str, String),
    /// It has the variables, the account and the language of this channel.
    Inherit(ChannelKey),
}

/// With what a technology works.
pub struct Context<'a> {
    /// The time.
    pub now: Stamp,
    pub(crate) numbers: &'a mut Numbers,
    pub(crate) orders: &'a mut VecDeque<MediaOrder>,
    pub(crate) signals: &'a mut VecDeque<(ChannelKey, Signal)>,
    pub(crate) timers: &'a mut Timers,
    pub(crate) owned: &'a mut VecDeque<(Owned, ChannelKey)>,
}

/// The numbers that were given last.
#[derive(Debug, Default)]
pub(crate) struct Numbers {
    last: u64,
}

impl Numbers {
    /// One that was never given before.
    pub(crate) fn next(&mut self) -> u64 {
        self.last += 1;
        self.last
    }
}

/// What belongs to a technology, rather than to a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owned {
    /// A line: what happens there is the technology's.
    Line(Line),
    /// What it plays.
    Play(Play),
}

impl Context<'_> {
    /// Says something of a channel.
    pub fn signal(&mut self, channel: ChannelKey, signal: Signal) {
        self.signals.push_back((channel, signal));
    }

    /// Tells the media engine what to do.
    pub fn order(&mut self, order: MediaOrder) {
        self.orders.push_back(order);
    }

    /// A number for a line, or for something that is played.
    pub fn number(&mut self) -> u64 {
        self.numbers.next()
    }

    /// Asks for [`Technology::timer`] after a while. It comes also when the channel is gone.
    pub fn after(&mut self, time: Duration, channel: ChannelKey, number: u32) {
        self.timers.set(self.now + time, Timer::Technology(channel, number));
    }

    /// A line of the technology's own: what happens there goes to [`Technology::media`], for this
    /// channel.
    pub fn own_line(&mut self, line: Line, channel: ChannelKey) {
        self.owned.push_back((Owned::Line(line), channel));
    }

    /// Something that is played on a line of the technology's own.
    pub fn own_play(&mut self, play: Play, channel: ChannelKey) {
        self.owned.push_back((Owned::Play(play), channel));
    }
}
