//! `/bridges`: where channels hear each other.

use std::collections::BTreeMap;

use stasis_control::bridge::BridgeType;
use stasis_control::id::BridgeId;
use stasis_control::{AddOptions, Exchange, NewBridge, Refusal};

use super::media::{FORMATS, Played, Recorded, play_how, playback, record_how, recording};
use crate::ari::Ari;
use crate::ari::model::{Bridge, Variable as VariableModel, Variables as VariablesModel};
use crate::ari::operation::{
    Operation, Outcome, Returns, command, delete, done, exchange, get, post,
};
use crate::ari::parameters::{ID, Later, Variables, parameters};
use crate::ari::reply::Reply;

parameters! {
    struct Create {
        /// What it is for: mixing or holding, and dtmf_events, proxy_media, divided by commas.
        Query "type" kind: Option<String>, like KINDS;
        /// Its id; one is made if there is none.
        Query "bridgeId" id: Option<String>, like ID;
        /// Its name.
        Query "name" name: Option<String>;
        /// Its variables: texts, or objects with `value` and maybe `report_events`.
        Body "variables" variables: Option<Variables>;
    }

    struct One {
        /// Which.
        Path "bridgeId" id: String;
    }

    struct ReadVariable {
        /// Which.
        Path "bridgeId" id: String;
        /// The variable's name.
        Query "variable" variable: String, missing "Variable name is required";
    }

    struct SetVariable {
        /// Which.
        Path "bridgeId" id: String;
        /// The variable's name.
        Query "variable" variable: String, missing "Variable name is required";
        /// Its value; nothing takes it away.
        Query "value" value: Option<String>;
        /// Whether it is told of with the bridge from here on.
        Query "report_events" report: bool, default "false";
    }

    struct ReadVariables {
        /// Which.
        Path "bridgeId" id: String;
        /// The variables' names.
        Query "variables" variables: Vec<String>, missing "At least one variable name is required";
    }

    struct SetVariables {
        /// Which.
        Path "bridgeId" id: String;
        /// Names and values: texts, or objects with `value` and maybe `report_events`.
        Body "variables" variables: Variables, missing "The 'variables' field is required";
    }

    struct AddChannel {
        /// Which.
        Path "bridgeId" id: String;
        /// Who comes in.
        Query "channel" channels: Vec<String>;
        /// What they are there: announcer, in a bridge for waiting, or participant.
        Query "role" role: Option<String>;
        /// Whether their keys are kept from the others.
        Query "absorbDTMF" absorb_dtmf: bool, default "false";
        /// Whether the others do not hear them.
        Query "mute" mute: bool, default "false";
        /// Whether they are not to be told whom they are with.
        Query "inhibitConnectedLineUpdates" inhibit: bool, default "false";
    }

    struct RemoveChannel {
        /// Which.
        Path "bridgeId" id: String;
        /// Who leaves.
        Query "channel" channels: Vec<String>;
    }

    struct Source {
        /// Which.
        Path "bridgeId" id: String;
        /// Whose picture all are to see.
        Path "channelId" channel: String;
    }

    struct Music {
        /// Which.
        Path "bridgeId" id: String;
        /// The class of the music.
        Query "mohClass" class: Option<String>;
    }

    struct Play {
        /// Which.
        Path "bridgeId" id: String;
        /// What is played, one after the other: sound:NAME, recording:NAME, number:N, digits:N, characters:TEXT,
        /// tone:NAME.
        Query "media" media: Later<Vec<String>>;
        /// Without effect: each listener hears it in the format of its own.
        Query "announcer_format" format: Option<String>;
        /// In which language.
        Query "lang" language: Option<String>;
        /// From where on the first is heard, in milliseconds.
        Query "offsetms" offset: i64, default "0";
        /// How far a jump goes, in milliseconds.
        Query "skipms" skip: i64, default "3000";
        /// The playback's id; one is made if there is none.
        Query "playbackId" playback: Option<String>, like ID;
    }

    struct Record {
        /// Which.
        Path "bridgeId" id: String;
        /// The recording's name.
        Query "name" name: Later<String>;
        /// How it is written down: wav, wav16, wav48, ulaw, alaw.
        Query "format" format: Later<String>, in FORMATS;
        /// Without effect: what is heard is recorded at the rate of the bridge.
        Query "recorder_format" recorder: Option<String>;
        /// It ends after so many seconds; 0: it does not.
        Query "maxDurationSeconds" max_duration: i64, default "0";
        /// It ends after so many seconds of silence; 0: it does not.
        Query "maxSilenceSeconds" max_silence: i64, default "0";
        /// What happens when there is one of this name.
        Query "ifExists" if_exists: String, in ["fail", "overwrite", "append"], default "fail";
        /// Whether a beep is heard before.
        Query "beep" beep: bool, default "false";
        /// The key that ends it.
        Query "terminateOn" terminate_on: String, in ["none", "any", "*", "#"], default "none";
    }
}

/// A list of types of bridges.
const KINDS: &str =
    "^((mixing|holding|dtmf_events|proxy_media|video_sfu|video_single|sdp_label)(,|$))*$";
const NO_BRIDGE: (u16, &str) = (404, "There is no such bridge.");
const BAD_BRIDGE: (u16, &str) = (409, "The bridge cannot do that now.");
const NOT_IN_APPLICATION: (u16, &str) =
    (422, "A channel is in no application, or not in this bridge.");

pub(super) fn operations() -> Vec<Operation> {
    let exists = (409, "There is a bridge of this id.");
    let bad_type = (400, "There is no such type of bridge.");
    let no_variable = (404, "There is no such bridge, or no such variable.");
    let no_name = (400, "A parameter is missing.");
    vec![
        get("/bridges", "list", list).says("All bridges.").returns(Returns::List("Bridge")),
        post("/bridges", "create", create)
            .says("Makes a bridge.")
            .returns(Returns::Object("Bridge"))
            .fails(&[bad_type, exists]),
        post("/bridges/{bridgeId}", "createWithId", create)
            .says("Makes a bridge.")
            .returns(Returns::Object("Bridge"))
            .fails(&[bad_type, exists]),
        get("/bridges/{bridgeId}", "get", read)
            .says("A bridge.")
            .returns(Returns::Object("Bridge"))
            .fails(&[NO_BRIDGE]),
        delete("/bridges/{bridgeId}", "destroy", |_, One { id }: One| {
            command(move |exchange| exchange.destroy_bridge(&id))
        })
        .says("Destroys a bridge; all in it leave it first, and stay in their applications.")
        .fails(&[NO_BRIDGE]),
        get("/bridges/{bridgeId}/variable", "getBridgeVar", variable)
            .says("What a variable of a bridge is.")
            .returns(Returns::Object("Variable"))
            .fails(&[no_name, no_variable, BAD_BRIDGE]),
        post("/bridges/{bridgeId}/variable", "setBridgeVar", set_variable)
            .says("Sets a variable of a bridge.")
            .fails(&[no_name, NO_BRIDGE, BAD_BRIDGE]),
        get("/bridges/{bridgeId}/variables", "getBridgeVars", variables)
            .says("What several variables of a bridge are.")
            .returns(Returns::Object("Variables"))
            .fails(&[no_name, no_variable, BAD_BRIDGE]),
        post("/bridges/{bridgeId}/variables", "setBridgeVars", set_variables)
            .says("Sets several variables of a bridge.")
            .fails(&[no_name, NO_BRIDGE, BAD_BRIDGE]),
        post("/bridges/{bridgeId}/addChannel", "addChannel", add_channel)
            .says("Puts channels into a bridge, out of the one that each may be in.")
            .fails(&[(400, "There is no such channel."), NO_BRIDGE])
            .fails(&[BAD_BRIDGE, NOT_IN_APPLICATION]),
        post("/bridges/{bridgeId}/removeChannel", "removeChannel", remove_channel)
            .says("Takes channels out of a bridge; they stay in their applications.")
            .fails(&[(400, "There is no such channel."), NO_BRIDGE])
            .fails(&[BAD_BRIDGE, NOT_IN_APPLICATION]),
        post("/bridges/{bridgeId}/videoSource/{channelId}", "setVideoSource", set_source)
            .says("Whose picture all are to see. There is no video: this is always refused.")
            .fails(&[(404, "There is no such bridge or channel."), BAD_BRIDGE])
            .fails(&[(422, "The channel is not in the bridge, or has no video.")]),
        delete("/bridges/{bridgeId}/videoSource", "clearVideoSource", |ari, One { id }: One| {
            find(ari, &id)?;
            done(Reply::no_content())
        })
        .says("Nobody's picture is chosen any more, as is always so.")
        .fails(&[NO_BRIDGE]),
        post("/bridges/{bridgeId}/moh", "startMoh", |_, Music { id, class }: Music| {
            let class = class.unwrap_or_else(|| super::MUSIC.into());
            command(move |exchange| exchange.bridge_music(&id, Some(&class)))
        })
        .says("Has all in a bridge hear music.")
        .fails(&[NO_BRIDGE, BAD_BRIDGE]),
        delete("/bridges/{bridgeId}/moh", "stopMoh", |_, One { id }: One| {
            command(move |exchange| exchange.bridge_music(&id, None))
        })
        .says("Has them hear music no longer.")
        .fails(&[NO_BRIDGE, BAD_BRIDGE]),
        post("/bridges/{bridgeId}/play", "play", play)
            .says("Plays to all in a bridge, when what was to be played there before is over.")
            .returns(Returns::Object("Playback"))
            .with_status(201)
            .fails(&[no_name, NO_BRIDGE, BAD_BRIDGE, NOT_IN_APPLICATION]),
        post("/bridges/{bridgeId}/play/{playbackId}", "playWithId", play)
            .says("Plays to all in a bridge, when what was to be played there before is over.")
            .returns(Returns::Object("Playback"))
            .with_status(201)
            .fails(&[no_name, NO_BRIDGE, BAD_BRIDGE, NOT_IN_APPLICATION]),
        post("/bridges/{bridgeId}/record", "record", record)
            .says("Records what is heard in a bridge.")
            .returns(Returns::Object("LiveRecording"))
            .with_status(201)
            .fails(&[(400, "A parameter is missing or cannot be."), NO_BRIDGE])
            .fails(&[(409, "There is a recording of this name."), NOT_IN_APPLICATION]),
    ]
}

/// There is this bridge.
fn find(
    ari: &Ari,
    id: &str,
) -> Result<std::sync::Arc<stasis_control::bridge::BridgeSnapshot>, Reply> {
    let found = BridgeId::new(id).ok().and_then(|id| ari.state.bridge(&id));
    found.ok_or_else(|| Refusal::NoBridge(id.into()).into())
}

fn list(ari: &Ari, _: ()) -> Outcome {
    let all = ari.state.bridges();
    done(Reply::ok(&all.iter().map(|bridge| Bridge::from(&**bridge)).collect::<Vec<_>>()))
}

fn read(ari: &Ari, One { id }: One) -> Outcome {
    done(Reply::ok(&Bridge::from(&*find(ari, &id)?)))
}

fn create(_: &Ari, Create { kind, id, name, variables }: Create) -> Outcome {
    let kind = BridgeType::parse(&kind.unwrap_or_default())?;
    let name = name.unwrap_or_default();
    exchange(move |exchange| {
        let new = NewBridge { id: id.clone(), name, kind, variables: Vec::new() };
        let made = exchange.create_bridge(new).map_err(|refusal| match refusal {
            Refusal::Exists(_) => {
                let id = id.unwrap_or_default();
                Reply::error(409, &format!("Bridge with id '{id}' already exists"))
            }
            other => other.into(),
        })?;
        let variables = variables.unwrap_or_default();
        if variables.0.is_empty() {
            return Ok(Reply::ok(&Bridge::from(&*made)));
        }
        set(exchange, &made.id, &variables)?;
        let made = exchange.state().bridge(&made.id).unwrap_or(made);
        Ok(Reply::ok(&Bridge::from(&*made)))
    })
}

fn set(exchange: &mut Exchange, bridge: &str, variables: &Variables) -> Result<(), Refusal> {
    variables.0.iter().try_for_each(|variable| {
        exchange.set_bridge_variable(bridge, &variable.name, &variable.value, variable.report)
    })
}

fn variable(_: &Ari, ReadVariable { id, variable }: ReadVariable) -> Outcome {
    exchange(move |exchange| {
        let value = exchange.bridge_variable(&id, &variable)?;
        Ok(Reply::ok(&VariableModel { value: &value }))
    })
}

fn set_variable(_: &Ari, set: SetVariable) -> Outcome {
    command(move |exchange| {
        let value = set.value.unwrap_or_default();
        exchange.set_bridge_variable(&set.id, &set.variable, &value, set.report)
    })
}

fn variables(_: &Ari, ReadVariables { id, variables }: ReadVariables) -> Outcome {
    exchange(move |exchange| {
        let read = |name: String| Ok((name.clone(), exchange.bridge_variable(&id, &name)?));
        let all = variables.into_iter().map(read).collect::<Result<BTreeMap<_, _>, Refusal>>()?;
        Ok(Reply::ok(&VariablesModel { variables: &all }))
    })
}

fn set_variables(_: &Ari, SetVariables { id, variables }: SetVariables) -> Outcome {
    command(move |exchange| set(exchange, &id, &variables))
}

/// Why channels were not put in or taken out: the bridge is looked for first, and that a channel is not
/// there is a mistake of the request.
fn of_channels(refusal: Refusal) -> Reply {
    match refusal {
        Refusal::NoChannel(_) => Reply::error(400, "Channel not found"),
        Refusal::NotInApplication => Reply::error(422, "Channel not in Stasis application"),
        Refusal::InvalidState => Reply::error(409, "Channel in invalid state"),
        other => other.into(),
    }
}

fn add_channel(ari: &Ari, add: AddChannel) -> Outcome {
    find(ari, &add.id)?;
    exchange(move |exchange| {
        let options = AddOptions {
            role: add.role,
            absorb_dtmf: add.absorb_dtmf,
            mute: add.mute,
            inhibit_connected_line_updates: add.inhibit,
        };
        let channels: Vec<&str> = add.channels.iter().map(String::as_str).collect();
        exchange.add_channels(&add.id, &channels, &options).map_err(of_channels)?;
        Ok(Reply::no_content())
    })
}

fn remove_channel(ari: &Ari, RemoveChannel { id, channels }: RemoveChannel) -> Outcome {
    find(ari, &id)?;
    exchange(move |exchange| {
        let channels: Vec<&str> = channels.iter().map(String::as_str).collect();
        exchange.remove_channels(&id, &channels).map_err(of_channels)?;
        Ok(Reply::no_content())
    })
}

fn set_source(ari: &Ari, Source { id, channel }: Source) -> Outcome {
    let bridge = find(ari, &id)?;
    let found = super::find_channel(ari, &channel)?;
    match bridge.channels.contains(found.id()) {
        true => Err(Reply::error(422, "The channel has no video")),
        false => Err(Reply::error(422, "Channel not in this bridge")),
    }
}

fn play(_: &Ari, play: Play) -> Outcome {
    let played = Played {
        id: play.playback,
        media: play.media,
        language: play.language,
        offset: play.offset,
        skip: play.skip,
    };
    exchange(move |exchange| Ok(playback(&*exchange.play_to_bridge(&play.id, play_how(played))?)))
}

fn record(ari: &Ari, record: Record) -> Outcome {
    find(ari, &record.id)?;
    let id = record.id;
    let how = record_how(Recorded {
        name: record.name,
        format: record.format,
        max_duration: record.max_duration,
        max_silence: record.max_silence,
        if_exists: record.if_exists,
        beep: record.beep,
        terminate_on: record.terminate_on,
    })?;
    let record = move |exchange: &mut Exchange, how| exchange.record_bridge(&id, how);
    recording(ari, how, record)
}
