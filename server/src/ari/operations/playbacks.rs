//! `/playbacks`: what is played.

use stasis_control::id::PlaybackId;
use stasis_control::{PlaybackOperation, Refusal};

use crate::ari::Ari;
use crate::ari::model::Playback;
use crate::ari::operation::{Operation, Outcome, Returns, command, delete, done, get, post};
use crate::ari::parameters::parameters;
use crate::ari::reply::Reply;

parameters! {
    struct One {
        /// Which.
        Path "playbackId" id: String;
    }

    struct Control {
        /// Which.
        Path "playbackId" id: String;
        /// What is done to it.
        Query "operation" operation: String,
            in ["restart", "pause", "unpause", "reverse", "forward"], missing "Missing operation";
    }
}

pub(super) fn operations() -> Vec<Operation> {
    let unknown = (404, "There is no such playback, or it is over.");
    vec![
        get("/playbacks/{playbackId}", "get", read)
            .says("A playback, as long as it is not over.")
            .returns(Returns::Object("Playback"))
            .fails(&[unknown]),
        delete("/playbacks/{playbackId}", "stop", |_, One { id }: One| {
            command(move |exchange| exchange.stop_playback(&id))
        })
        .says("Stops a playback.")
        .fails(&[unknown]),
        post("/playbacks/{playbackId}/control", "control", control)
            .says("Does something to a playback.")
            .fails(&[(400, "There is no such operation."), unknown])
            .fails(&[(409, "It cannot be done now.")]),
    ]
}

fn read(ari: &Ari, One { id }: One) -> Outcome {
    let found = PlaybackId::new(&id).ok().and_then(|id| ari.state.playback(&id));
    let found = found.ok_or(Refusal::NoPlayback(id))?;
    done(Reply::ok(&Playback::from(&*found)))
}

fn control(_: &Ari, Control { id, operation }: Control) -> Outcome {
    let bad = || Reply::error(400, &format!("Invalid operation {operation}"));
    let operation = PlaybackOperation::parse(&operation).ok_or_else(bad)?;
    command(move |exchange| exchange.control_playback(&id, operation))
}
