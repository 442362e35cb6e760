//! Why something was not done.

use crate::application::SourceError;
use crate::bridge::BridgeTypeError;
use crate::id::IdError;
use crate::tech::RequestError;

/// Why something was not done. Nothing has changed then, but where it says so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is no such channel, or not any more.
    #[error("Channel not found")]
    NoChannel(String),
    /// The channel is there, but not in an application, which this is for.
    #[error("Channel not in Stasis application")]
    NotInApplication,
    /// The channel is not in a state in which this can be done: answer it first.
    #[error("Channel in invalid state")]
    InvalidState,
    /// There is no such bridge, or not any more.
    #[error("Bridge not found")]
    NoBridge(String),
    /// The channel is not in this bridge.
    #[error("Channel not in this bridge")]
    NotInBridge,
    /// There is no such application: connect one of that name first.
    #[error("Application not found")]
    NoApplication(String),
    /// There is no such source of events.
    #[error("Event source does not exist")]
    NoSource(String),
    /// It was not asked for.
    #[error("Event source was not subscribed to")]
    NotSubscribed(String),
    /// Who has asked for all of a kind cannot let go of that.
    #[error("Method not implemented")]
    AllOfAKind,
    /// The text names no source of events.
    #[error("Invalid event source URI scheme")]
    Source(#[from] SourceError),
    /// The id is taken.
    #[error("{0} with given unique ID already exists")]
    Exists(&'static str),
    /// The text cannot be an id.
    #[error(transparent)]
    Id(#[from] IdError),
    /// The endpoint is not written as a technology and a resource.
    #[error("Endpoint {0:?} does not have the form technology/resource")]
    Endpoint(String),
    /// There is no such technology.
    #[error("there is no technology called {0:?}: use one of {1}")]
    NoTechnology(String, String),
    /// The technology cannot make the call.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// There is no such place in the dialplan.
    #[error("there is no {0} in the dialplan")]
    NoExtension(String),
    /// The list of types of a bridge has something else in it.
    #[error(transparent)]
    BridgeType(#[from] BridgeTypeError),
    /// There is no such playback, or not any more.
    #[error("Playback not found")]
    NoPlayback(String),
    /// There is no such recording under way.
    #[error("Recording not found")]
    NoRecording(String),
    /// There is a recording of this name under way.
    #[error("Recording '{0}' already exists and can not be overwritten")]
    RecordingExists(String),
    /// There is no such variable, or it is not set.
    #[error("Provided variable was not found")]
    NoVariable(String),
    /// There is no such function, or it cannot be read.
    #[error("Unable to read provided function")]
    NoFunction(String),
    /// The device's state is not for us to set: only those that begin with `Stasis:` are.
    #[error("Uncontrolled device specified")]
    NotOurDevice(String),
    /// There is no such mailbox.
    #[error("Mailbox does not exist")]
    NoMailbox(String),
    /// There is no such endpoint.
    #[error("Endpoint not found")]
    NoEndpoint(String),
    /// The channel is being called already.
    #[error("Channel is being dialed already")]
    BeingDialed,
    /// The channel cannot be sent elsewhere: its technology is another.
    #[error("Endpoint technology '{endpoint}' does not match channel technology '{channel}'")]
    OtherTechnology {
        /// That of the endpoint.
        endpoint: String,
        /// That of the channel.
        channel: String,
    },
    /// The call was not offered, or is offered no longer.
    #[error("Channel not found or not in broadcast state")]
    NotOffered,
    /// Another application has taken the call.
    #[error("Channel has already been claimed by another application")]
    Claimed,
    /// A transfer that cannot be.
    #[error("the transfer cannot be made: {0}")]
    Transfer(&'static str),
    /// The same bridge twice, bridges of different kinds, or one of a call of the dialplan.
    #[error("the bridges cannot be merged: {0}")]
    Merge(&'static str),
    /// Nothing was given to be played.
    #[error("there is nothing to play: give a media URI such as sound:hello-world")]
    NothingToPlay,
}
