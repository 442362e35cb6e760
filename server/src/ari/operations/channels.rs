//! `/channels`: calls, and what is done with them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use stasis_control::cause::Cause;
use stasis_control::channel::{ChannelSnapshot, Position};
use stasis_control::dialplan::arguments;
use stasis_control::media::{RtpFigures, Way, codec};
use stasis_control::{
    DigitsHow, Exchange, ExternalMedia, NewCall, NewSnoop, Originate, Refusal, Then,
};

use super::media::{
    FORMATS, Played, Recorded, milliseconds, play_how, playback, record_how, recording,
};
use super::{MUSIC, find_channel};
use crate::ari::Ari;
use crate::ari::model::{Channel, RtpStat, Variable as VariableModel, Variables as VariablesModel};
use crate::ari::operation::{
    Operation, Outcome, Returns, Step, Work, command, delete, done, exchange, get, post,
};
use crate::ari::parameters::{ID, Later, Variables, parameters};
use crate::ari::reply::Reply;

parameters! {
    struct One {
        /// Which.
        Path "channelId" id: String;
    }

    struct OriginateCall {
        /// Who is called: TECHNOLOGY/RESOURCE.
        Query "endpoint" endpoint: String, like "^[^/]+/.+$", missing "Endpoint must be specified";
        /// The extension that the call goes to when it is answered; without an application.
        Query "extension" extension: Option<String>;
        /// Its context; default if there is none.
        Query "context" context: Option<String>;
        /// The step there; 1 if there is none.
        Query "priority" priority: Option<i64>, from 1;
        /// The label of the step there, in the place of a priority.
        Query "label" label: Option<String>;
        /// The application that the call goes to when it is answered; without an extension.
        Query "app" app: Option<String>;
        /// With these arguments, divided by commas.
        Query "appArgs" app_args: Option<String>;
        /// Who calls: a number, or "NAME" <NUMBER>.
        Query "callerId" caller_id: Option<String>;
        /// How long it may ring, in seconds; -1: for ever.
        Query "timeout" timeout: i64, default "30";
        /// Its variables, set before it is called.
        Body "variables" variables: Option<Variables>;
        /// Its id; one is made if there is none.
        Query "channelId" id: Option<String>, like ID;
        /// The id of the second channel of a pair.
        Query "otherChannelId" other_id: Option<String>, like ID;
        /// The channel that it is made for.
        Query "originator" originator: Option<String>;
        /// Codecs, the preferred one first, divided by commas.
        Query "formats" formats: Option<String>;
    }

    struct Create {
        /// Who is to be called: TECHNOLOGY/RESOURCE.
        Query "endpoint" endpoint: String, like "^[^/]+/.+$", missing "Endpoint must be specified";
        /// The application that it goes to.
        Query "app" app: String, missing "Application must be specified";
        /// With these arguments, divided by commas.
        Query "appArgs" app_args: Option<String>;
        /// Its id; one is made if there is none.
        Query "channelId" id: Option<String>, like ID;
        /// The id of the second channel of a pair.
        Query "otherChannelId" other_id: Option<String>, like ID;
        /// The channel that it is made for.
        Query "originator" originator: Option<String>;
        /// Codecs, the preferred one first, divided by commas.
        Query "formats" formats: Option<String>;
        /// Its variables.
        Body "variables" variables: Option<Variables>;
    }

    struct Hangup {
        /// Which.
        Path "channelId" id: String;
        /// Why: a number of ITU-T Q.850.
        Query "reason_code" reason_code: Option<String>;
        /// Why, in a word.
        Query "reason" reason: Option<String>,
            in ["normal", "busy", "congestion", "no_answer", "timeout", "rejected", "unallocated",
                "normal_unspecified", "number_incomplete", "codec_mismatch", "interworking",
                "failure", "answered_elsewhere"];
    }

    struct Continue {
        /// Which.
        Path "channelId" id: String;
        /// The context; the one where it was if there is none.
        Query "context" context: Option<String>;
        /// The extension; the one where it was if there is none.
        Query "extension" extension: Option<String>;
        /// The step; the one where it was if there is none.
        Query "priority" priority: Option<i64>, from 1;
        /// The label of the step, in the place of a priority.
        Query "label" label: Option<String>;
    }

    struct Move {
        /// Which.
        Path "channelId" id: String;
        /// The application that it goes to.
        Query "app" app: Later<String>;
        /// With these arguments, divided by commas.
        Query "appArgs" app_args: Option<String>;
    }

    struct Redirect {
        /// Which.
        Path "channelId" id: String;
        /// Where the other end is to go, with its own technology.
        Query "endpoint" endpoint: String, missing "Required parameter 'endpoint' not provided.";
    }

    struct Dtmf {
        /// Which.
        Path "channelId" id: String;
        /// The keys: 0 to 9, A to D, *, #; w is a pause of half a second.
        Query "dtmf" dtmf: Option<String>;
        /// How long it is silent before, in milliseconds.
        Query "before" before: i64, default "0";
        /// How long it is from one key to the next, in milliseconds.
        Query "between" between: i64, default "100";
        /// How long each is held, in milliseconds.
        Query "duration" duration: i64, default "100";
        /// How long it is silent after, in milliseconds.
        Query "after" after: i64, default "0";
    }

    struct Direction {
        /// Which.
        Path "channelId" id: String;
        /// What is kept back: in is what its party says, out what it hears.
        Query "direction" direction: String, in ["both", "in", "out"], missing "Direction is required";
    }

    struct Music {
        /// Which.
        Path "channelId" id: String;
        /// The class of the music.
        Query "mohClass" class: Option<String>;
    }

    struct Play {
        /// Which.
        Path "channelId" id: String;
        /// What is played, one after the other: sound:NAME, recording:NAME, number:N, digits:N, characters:TEXT,
        /// tone:NAME.
        Query "media" media: Later<Vec<String>>;
        /// In which language; the channel's if there is none.
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
        Path "channelId" id: String;
        /// The recording's name.
        Query "name" name: Later<String>;
        /// How it is written down: wav, wav16, wav48, ulaw, alaw.
        Query "format" format: Later<String>, in FORMATS;
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

    struct ReadVariable {
        /// Which.
        Path "channelId" id: String;
        /// The variable's name, or a function: CALLERID(num).
        Query "variable" variable: String, missing "Variable name is required";
    }

    struct SetVariable {
        /// Which.
        Path "channelId" id: String;
        /// The variable's name, or a function: CALLERID(num).
        Query "variable" variable: String, missing "Variable name is required";
        /// Its value; nothing takes it away.
        Query "value" value: Option<String>;
        /// Whether it is told of with the channel from here on.
        Query "report_events" report: bool, default "false";
    }

    struct ReadVariables {
        /// Which.
        Path "channelId" id: String;
        /// The variables' names.
        Query "variables" variables: Vec<String>, missing "At least one variable name is required";
    }

    struct SetVariables {
        /// Which.
        Path "channelId" id: String;
        /// Names and values: texts, or objects with `value` and maybe `report_events`.
        Body "variables" variables: Variables, missing "The 'variables' field is required";
    }

    struct Snoop {
        /// Which.
        Path "channelId" id: String;
        /// What is overheard: in is what its party says, out what it hears.
        Query "spy" spy: String, in ["none", "both", "out", "in"], default "none";
        /// Who hears what is said to the new channel: out is its party, in the others.
        Query "whisper" whisper: String, in ["none", "both", "out", "in"], default "none";
        /// The application that the new channel goes to.
        Query "app" app: String, missing "Application name is required";
        /// With these arguments, divided by commas.
        Query "appArgs" app_args: Option<String>;
        /// The id of the new channel; one is made if there is none.
        Query "snoopId" snoop: Option<String>, like ID;
    }

    struct Dial {
        /// Which: one that was created.
        Path "channelId" id: String;
        /// Who calls: the called one is shown its number.
        Query "caller" caller: Option<String>;
        /// How long it may ring, in seconds; 0: for ever.
        Query "timeout" timeout: i64, default "0";
    }

    struct Medium {
        /// The id of the new channel; one is made if there is none.
        Query "channelId" id: Option<String>, like ID;
        /// The application that it goes to.
        Query "app" app: String, missing "app cannot be empty";
        /// Its variables.
        Body "variables" variables: Option<Variables>;
        /// The peer: an address and a port, HOST:PORT.
        Query "external_host" host: Option<String>, like "^[^:]+:[0-9]{1,5}$";
        /// How the audio is packed: rtp.
        Query "encapsulation" encapsulation: String, in ["rtp"], default "rtp";
        /// How the packets go: udp.
        Query "transport" transport: String, in ["udp"], default "udp";
        /// Without effect: RTP has no connections.
        Query "connection_type" connection_type: Option<String>;
        /// The codec: ulaw, alaw, g722, slin, slin16, slin48, opus.
        Query "format" format: Later<String>,
            in ["ulaw", "alaw", "g722", "slin", "slin16", "slin48", "opus"];
        /// Which way the audio goes.
        Query "direction" direction: String, in ["both", "in", "out"], default "both";
        /// Without effect with RTP.
        Query "data" data: Option<String>;
        /// Without effect with RTP.
        Query "transport_data" transport_data: Option<String>;
    }

    struct Progress {
        /// Which.
        Path "channelId" id: String;
        /// How the transfer stands.
        Query "states" states: String, in STATES;
    }
}

/// How a transfer can stand.
const STATES: [&str; 4] =
    ["channel_progress", "channel_answered", "channel_unavailable", "channel_declined"];

const NO_CHANNEL: (u16, &str) = (404, "There is no such channel.");
const NOT_IN_APPLICATION: (u16, &str) = (409, "The channel is in no application.");
const BAD_STATE: (u16, &str) = (412, "The channel is in a state in which this cannot be done.");
const BAD: (u16, &str) = (400, "A parameter is missing or cannot be.");
const EXISTS: (u16, &str) = (409, "There is a channel of this id.");

/// An operation that has no answer but that it was done, and no parameter but the channel.
fn plain(
    operation: impl Fn(&'static str, &'static str, fn(&Ari, One) -> Outcome) -> Operation,
    path: &'static str,
    nickname: &'static str,
    run: fn(&Ari, One) -> Outcome,
) -> Operation {
    operation(path, nickname, run).fails(&[NO_CHANNEL, NOT_IN_APPLICATION, BAD_STATE])
}

pub(super) fn operations() -> Vec<Operation> {
    let mut all = calls();
    all.extend(commands());
    all.extend(media());
    all.extend(values());
    all
}

/// How channels come about, and how they end.
fn calls() -> Vec<Operation> {
    vec![
        get("/channels", "list", list).says("All channels.").returns(Returns::List("Channel")),
        post("/channels", "originate", originate)
            .says("Calls somebody; when they answer, the channel goes to an application or an extension.")
            .returns(Returns::Object("Channel"))
            .fails(&[BAD, EXISTS]),
        post("/channels/create", "create", create)
            .says("Makes a channel that goes to an application at once, to be dialed from there.")
            .returns(Returns::Object("Channel"))
            .fails(&[BAD, (404, "There is no such application."), EXISTS]),
        get("/channels/{channelId}", "get", read)
            .says("A channel.")
            .returns(Returns::Object("Channel"))
            .fails(&[NO_CHANNEL]),
        post("/channels/{channelId}", "originateWithId", originate)
            .says("Calls somebody; when they answer, the channel goes to an application or an extension.")
            .returns(Returns::Object("Channel"))
            .fails(&[BAD, EXISTS]),
        delete("/channels/{channelId}", "hangup", hangup)
            .says("Hangs a channel up.")
            .fails(&[BAD, NO_CHANNEL]),
        post("/channels/{channelId}/dial", "dial", dial)
            .says("Dials a channel that was created.")
            .fails(&[BAD, NO_CHANNEL, (409, "It is in no application, or is being dialed.")])
            .fails(&[BAD_STATE]),
        post("/channels/externalMedia", "externalMedia", external_media)
            .says("Makes a channel of an RTP peer. Where it listens is in the channel's variables \
                   UNICASTRTP_LOCAL_ADDRESS and UNICASTRTP_LOCAL_PORT.")
            .returns(Returns::Object("Channel"))
            .fails(&[BAD, EXISTS]),
        post("/channels/{channelId}/snoop", "snoopChannel", snoop)
            .says("Makes a channel that overhears another one, and may speak to it.")
            .returns(Returns::Object("Channel"))
            .fails(&[BAD, NO_CHANNEL, EXISTS, BAD_STATE]),
        post("/channels/{channelId}/snoop/{snoopId}", "snoopChannelWithId", snoop)
            .says("Makes a channel that overhears another one, and may speak to it.")
            .returns(Returns::Object("Channel"))
            .fails(&[BAD, NO_CHANNEL, EXISTS, BAD_STATE]),
    ]
}

/// What is asked of a channel that an application has.
fn commands() -> Vec<Operation> {
    vec![
        post("/channels/{channelId}/continue", "continueInDialplan", go_on)
            .says("Sends a channel from its application to the dialplan.")
            .fails(&[BAD, NO_CHANNEL, NOT_IN_APPLICATION, BAD_STATE]),
        post("/channels/{channelId}/move", "move", go_to)
            .says("Sends a channel to another application.")
            .fails(&[BAD, NO_CHANNEL, NOT_IN_APPLICATION]),
        post("/channels/{channelId}/redirect", "redirect", redirect)
            .says("Sends the other end elsewhere, if its technology can do that.")
            .fails(&[BAD, NO_CHANNEL, NOT_IN_APPLICATION, BAD_STATE])
            .fails(&[(422, "The endpoint is of another technology.")]),
        plain(post, "/channels/{channelId}/answer", "answer", |_, One { id }| {
            command(move |exchange| exchange.answer(&id))
        })
        .says("Answers a channel."),
        plain(post, "/channels/{channelId}/ring", "ring", |_, One { id }| {
            command(move |exchange| exchange.ring(&id, true))
        })
        .says("Tells the other end that it rings."),
        plain(delete, "/channels/{channelId}/ring", "ringStop", |_, One { id }| {
            command(move |exchange| exchange.ring(&id, false))
        })
        .says("Tells the other end that it rings no longer."),
        plain(post, "/channels/{channelId}/progress", "progress", |_, One { id }| {
            command(move |exchange| exchange.progress(&id))
        })
        .says("Tells the other end that there is something to hear."),
        post("/channels/{channelId}/dtmf", "sendDTMF", send_dtmf)
            .says("Sends keys to a channel's party.")
            .fails(&[BAD, NO_CHANNEL, NOT_IN_APPLICATION, BAD_STATE]),
        post("/channels/{channelId}/mute", "mute", |_, mute: Direction| set_mute(mute, true))
            .says("Keeps back what its party says, what it hears, or both.")
            .fails(&[BAD, NO_CHANNEL, NOT_IN_APPLICATION, BAD_STATE]),
        delete("/channels/{channelId}/mute", "unmute", |_, mute: Direction| set_mute(mute, false))
            .says("Keeps it back no longer.")
            .fails(&[BAD, NO_CHANNEL, NOT_IN_APPLICATION, BAD_STATE]),
        plain(post, "/channels/{channelId}/hold", "hold", |_, One { id }| {
            command(move |exchange| exchange.hold(&id, true))
        })
        .says("Puts the other end on hold."),
        plain(delete, "/channels/{channelId}/hold", "unhold", |_, One { id }| {
            command(move |exchange| exchange.hold(&id, false))
        })
        .says("Puts the other end on hold no longer."),
        post("/channels/{channelId}/moh", "startMoh", |_, Music { id, class }: Music| {
            let class = class.unwrap_or_else(|| MUSIC.into());
            command(move |exchange| exchange.music(&id, Some(&class)))
        })
        .says("Gives a channel music while nothing is played to it.")
        .fails(&[NO_CHANNEL, NOT_IN_APPLICATION, BAD_STATE]),
        plain(delete, "/channels/{channelId}/moh", "stopMoh", |_, One { id }| {
            command(move |exchange| exchange.music(&id, None))
        })
        .says("Takes the music away."),
        plain(post, "/channels/{channelId}/silence", "startSilence", in_application)
            .says("Gives a channel silence while nothing is played to it, as it always has."),
        plain(delete, "/channels/{channelId}/silence", "stopSilence", in_application)
            .says("Takes the silence away; nothing else takes its place."),
        post("/channels/{channelId}/transfer_progress", "transfer_progress", transfer_progress)
            .says(
                "Tells who has asked for a transfer how it stands. No channel here can be in one.",
            )
            .fails(&[BAD, NO_CHANNEL, (409, "The channel is in no transfer."), BAD_STATE]),
    ]
}

/// What a channel hears, and what is kept of it.
fn media() -> Vec<Operation> {
    vec![
        post("/channels/{channelId}/play", "play", play)
            .says("Plays to a channel, when what was to be played to it before is over.")
            .returns(Returns::Object("Playback"))
            .with_status(201)
            .fails(&[BAD, NO_CHANNEL, NOT_IN_APPLICATION, BAD_STATE]),
        post("/channels/{channelId}/play/{playbackId}", "playWithId", play)
            .says("Plays to a channel, when what was to be played to it before is over.")
            .returns(Returns::Object("Playback"))
            .with_status(201)
            .fails(&[BAD, NO_CHANNEL, NOT_IN_APPLICATION, BAD_STATE]),
        post("/channels/{channelId}/record", "record", record)
            .says("Records what a channel's party says.")
            .returns(Returns::Object("LiveRecording"))
            .with_status(201)
            .fails(&[BAD, NO_CHANNEL])
            .fails(&[(409, "It is in no application, or there is a recording of this name.")])
            .fails(&[BAD_STATE, (422, "There is no such format.")]),
        get("/channels/{channelId}/rtp_statistics", "rtpstatistics", rtp_statistics)
            .says("What a channel's RTP stream has sent and received.")
            .returns(Returns::Object("RTPstat"))
            .fails(&[(403, "The channel has no RTP."), NO_CHANNEL]),
    ]
}

/// Variables.
fn values() -> Vec<Operation> {
    let not_set = (404, "There is no such channel, or the variable is not set.");
    vec![
        get("/channels/{channelId}/variable", "getChannelVar", variable)
            .says("What a variable of a channel is, or a function.")
            .returns(Returns::Object("Variable"))
            .fails(&[BAD, not_set, NOT_IN_APPLICATION]),
        post("/channels/{channelId}/variable", "setChannelVar", set_variable)
            .says("Sets a variable of a channel, or what a function stands for.")
            .fails(&[BAD, NO_CHANNEL, NOT_IN_APPLICATION]),
        get("/channels/{channelId}/variables", "getChannelVars", variables)
            .says("What several variables of a channel are.")
            .returns(Returns::Object("Variables"))
            .fails(&[BAD, not_set, NOT_IN_APPLICATION]),
        post("/channels/{channelId}/variables", "setChannelVars", set_variables)
            .says("Sets several variables of a channel.")
            .fails(&[BAD, NO_CHANNEL, NOT_IN_APPLICATION]),
    ]
}

fn list(ari: &Ari, _: ()) -> Outcome {
    let all = ari.state.channels();
    done(Reply::ok(&all.iter().map(|channel| Channel::from(&**channel)).collect::<Vec<_>>()))
}

fn read(ari: &Ari, One { id }: One) -> Outcome {
    done(Reply::ok(&Channel::from(&*find_channel(ari, &id)?)))
}

fn channel(made: &ChannelSnapshot) -> Reply {
    Reply::ok(&Channel::from(made))
}

/// A call could not be made.
fn of_call(refusal: Refusal) -> Reply {
    match refusal {
        Refusal::Endpoint(_) => Reply::error(400, "Invalid endpoint specified"),
        Refusal::Exists(_) => Reply::error(409, "Channel with given unique ID already exists"),
        Refusal::NoChannel(_) => Reply::error(404, "Provided channel was not found"),
        other => other.into(),
    }
}

/// Codecs by their names.
fn codecs(list: Option<String>) -> Vec<String> {
    let names = list.unwrap_or_default();
    names.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

fn split(args: Option<String>) -> Vec<String> {
    args.map(|args| arguments(&args)).unwrap_or_default()
}

fn originate(_: &Ari, call: OriginateCall) -> Outcome {
    let (app, extension) = (call.app.clone(), call.extension.clone());
    // Who names both means the application.
    if let Some(app) = app {
        let then = Then::Application(app, split(call.app_args.clone()));
        return exchange(move |exchange| begin(exchange, call, then));
    }
    let exten =
        extension.ok_or_else(|| Reply::error(400, "Application or extension must be specified"))?;
    let context = call.context.clone().unwrap_or_else(|| "default".into());
    let step = call.priority.map(step).transpose()?;
    exchange(move |exchange| {
        let position = position(exchange, &context, &exten, step, call.label.as_deref())?;
        begin(exchange, call, Then::Dialplan(position))
    })
}

/// A step: a number from 1.
fn step(number: i64) -> Result<u32, Reply> {
    let step = u32::try_from(number).ok().filter(|step| *step > 0);
    step.ok_or_else(|| Reply::error(400, "priority must be a number from 1"))
}

/// A place in the dialplan.
fn position(
    exchange: &Exchange,
    context: &str,
    exten: &str,
    step: Option<u32>,
    label: Option<&str>,
) -> Result<Position, Reply> {
    let step = match label {
        Some(label) => {
            let found = exchange.dialplan().label(context, exten, label);
            found.ok_or_else(|| Reply::error(400, &format!("there is no label {label:?} there")))?
        }
        None => step.unwrap_or(1),
    };
    Ok(Position::new(context, exten, step))
}

fn begin(exchange: &mut Exchange, call: OriginateCall, then: Then) -> Result<Reply, Reply> {
    let timeout = match u64::try_from(call.timeout) {
        Ok(0) => None,
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => Some(Duration::ZERO), // for ever
    };
    let new = NewCall {
        endpoint: call.endpoint,
        id: call.id,
        other_id: call.other_id,
        originator: call.originator,
        formats: codecs(call.formats),
        variables: call.variables.unwrap_or_default().pairs(),
    };
    let caller = call.caller_id.map(|text| text.parse().unwrap_or_default());
    let call = Originate { call: new, caller, timeout, then };
    Ok(channel(&*exchange.originate(call).map_err(of_call)?))
}

fn create(_: &Ari, create: Create) -> Outcome {
    exchange(move |exchange| {
        let call = NewCall {
            endpoint: create.endpoint,
            id: create.id,
            other_id: create.other_id,
            originator: create.originator,
            formats: codecs(create.formats),
            variables: create.variables.unwrap_or_default().pairs(),
        };
        let made = exchange.create(call, &create.app, split(create.app_args)).map_err(of_call)?;
        Ok(channel(&made))
    })
}

fn hangup(_: &Ari, Hangup { id, reason_code, reason }: Hangup) -> Outcome {
    let invalid = || Reply::error(400, "Invalid reason for hangup reason provided");
    let cause = match (reason_code, reason) {
        (Some(code), None) => code.parse().map(Cause).map_err(|_| invalid())?,
        (None, Some(word)) => Cause::of_reason(&word).ok_or_else(invalid)?,
        (None, None) => Cause::NORMAL,
        (Some(_), Some(_)) => {
            return Err(Reply::error(400, "The reason and reason_code can't both be specified"));
        }
    };
    command(move |exchange| exchange.hangup(&id, cause))
}

fn dial(_: &Ari, Dial { id, caller, timeout }: Dial) -> Outcome {
    let timeout = u64::try_from(timeout).ok().map(Duration::from_secs);
    command(move |exchange| exchange.dial_channel(&id, caller.as_deref(), timeout))
}

/// What is said of an external medium that cannot be made.
fn check_medium(medium: &Medium) -> Result<(String, String), Reply> {
    let bad = |message: &str| Err(Reply::error(400, message));
    if medium.encapsulation != "rtp" {
        return bad(&format!(
            "encapsulation '{}' is not supported: use rtp",
            medium.encapsulation.escape_debug()
        ));
    }
    if medium.transport != "udp" {
        return bad("transport must be 'udp' for rtp encapsulation");
    }
    let Some(host) = &medium.host else {
        return bad("external_host is required for all but websocket server connections");
    };
    let Some(format) = &medium.format.0 else { return bad("format cannot be empty") };
    let has_port = host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    if !has_port {
        return bad("external_host must be <host>:<port> for all transports other than websocket");
    }
    for name in format.split(',') {
        codec(name).map_err(|problem| Reply::error(400, &problem))?;
    }
    Ok((host.clone(), format.clone()))
}

/// The variables that say where an external medium listens.
const LOCAL: [&str; 2] = ["UNICASTRTP_LOCAL_ADDRESS", "UNICASTRTP_LOCAL_PORT"];

fn external_media(_: &Ari, medium: Medium) -> Outcome {
    let (host, format) = check_medium(&medium)?;
    let direction = Way::parse(&medium.direction).filter(|way| *way != Way::None);
    let direction = direction.ok_or_else(|| Reply::error(400, "Invalid direction specified"))?;
    let variables = medium.variables.unwrap_or_default().pairs();
    let new = ExternalMedia {
        id: medium.id,
        app: medium.app,
        host,
        format,
        direction,
        variables: variables.clone(),
    };
    Ok(Work::Exchange(Box::new(move |exchange| match exchange.external_media(new) {
        Ok(made) => Step::Look(Box::new(move |exchange, is_last| {
            told_where(exchange, &made, &variables, is_last)
        })),
        Err(refusal) => Step::Done(of_call(refusal)),
    })))
}

/// The new channel, as soon as it is known where it listens, which is told with it.
fn told_where(
    exchange: &mut Exchange,
    made: &Arc<ChannelSnapshot>,
    variables: &[(String, String)],
    is_last: bool,
) -> Option<Reply> {
    let known: BTreeMap<_, _> = LOCAL
        .iter()
        .filter_map(|name| Some(((*name).to_owned(), exchange.variable(made.id(), name).ok()?)))
        .collect();
    if known.len() < LOCAL.len() && !is_last && exchange.state().channel(made.id()).is_some() {
        return None;
    }
    let mut told = ChannelSnapshot::clone(made);
    told.variables = Arc::new(variables.iter().cloned().chain(known).collect());
    Some(channel(&told))
}

fn snoop(_: &Ari, snoop: Snoop) -> Outcome {
    let way = |text: &str, of: &str| {
        let bad = || Reply::error(400, &format!("Invalid direction specified for {of}"));
        Way::parse(text).ok_or_else(bad)
    };
    let (spy, whisper) = (way(&snoop.spy, "spy")?, way(&snoop.whisper, "whisper")?);
    if spy == Way::None && whisper == Way::None {
        let message = "Direction must be specified for at least spy or whisper";
        return Err(Reply::error(400, message));
    }
    exchange(move |exchange| {
        let (app, args) = (snoop.app, split(snoop.app_args));
        let new = NewSnoop { id: snoop.snoop, spy, whisper, app, args };
        Ok(channel(&*exchange.snoop(&snoop.id, new).map_err(of_call)?))
    })
}

fn go_on(_: &Ari, go_on: Continue) -> Outcome {
    let step = go_on.priority.map(step).transpose()?;
    command(move |exchange| {
        let (context, exten) = (go_on.context.as_deref(), go_on.extension.as_deref());
        exchange.continue_in_dialplan(&go_on.id, context, exten, step, go_on.label.as_deref())
    })
}

fn go_to(ari: &Ari, Move { id, app, app_args }: Move) -> Outcome {
    find_channel(ari, &id)?;
    let app = app.or("Missing parameter app")?;
    command(move |exchange| exchange.move_to(&id, &app, split(app_args)))
}

fn redirect(_: &Ari, Redirect { id, endpoint }: Redirect) -> Outcome {
    exchange(move |exchange| {
        exchange.redirect(&id, &endpoint).map_err(|refusal| match refusal {
            Refusal::Endpoint(endpoint) => Reply::error(
                422,
                &format!("Endpoint parameter '{endpoint}' does not contain tech/resource"),
            ),
            other => other.into(),
        })?;
        Ok(Reply::no_content())
    })
}

fn send_dtmf(ari: &Ari, dtmf: Dtmf) -> Outcome {
    find_channel(ari, &dtmf.id)?;
    let digits = dtmf.dtmf.ok_or_else(|| Reply::error(400, "DTMF is required"))?;
    let usual = |number: i64| milliseconds(if number < 0 { 100 } else { number });
    let how = DigitsHow {
        digits,
        duration: usual(dtmf.duration),
        between: usual(dtmf.between),
        before: milliseconds(dtmf.before),
        after: milliseconds(dtmf.after),
    };
    command(move |exchange| exchange.send_digits(&dtmf.id, &how))
}

fn set_mute(Direction { id, direction }: Direction, muted: bool) -> Outcome {
    let way = Way::parse(&direction).filter(|way| *way != Way::None);
    let way = way.ok_or_else(|| Reply::error(400, "Invalid direction specified"))?;
    command(move |exchange| exchange.mute(&id, way, muted))
}

/// There is nothing to do, but only a channel of an application is told so.
fn in_application(_: &Ari, One { id }: One) -> Outcome {
    command(move |exchange| exchange.is_in_application(&id))
}

fn transfer_progress(ari: &Ari, Progress { id, states }: Progress) -> Outcome {
    find_channel(ari, &id)?;
    if !STATES.contains(&states.as_str()) {
        return Err(Reply::error(400, &format!("states must be one of {}", STATES.join(", "))));
    }
    exchange(move |exchange| {
        exchange.is_in_application(&id)?;
        Err(Reply::error(409, "Channel is in no transfer"))
    })
}

fn play(_: &Ari, play: Play) -> Outcome {
    let played = Played {
        id: play.playback,
        media: play.media,
        language: play.language,
        offset: play.offset,
        skip: play.skip,
    };
    exchange(move |exchange| Ok(playback(&*exchange.play(&play.id, play_how(played))?)))
}

fn record(ari: &Ari, record: Record) -> Outcome {
    find_channel(ari, &record.id)?;
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
    recording(ari, how, move |exchange, how| exchange.record(&id, how))
}

fn rtp_statistics(ari: &Ari, One { id }: One) -> Outcome {
    let channel = find_channel(ari, &id)?;
    let technology = channel.base.name.split('/').next().unwrap_or_default();
    if !["RTP", "UnicastRTP"].contains(&technology) {
        return Err(Reply::error(403, "Unsupported channel type"));
    }
    exchange(move |exchange| {
        let figures: Option<RtpFigures> = exchange.rtp_figures(&id)?;
        let figures = figures.ok_or_else(|| Reply::error(404, "RTP info not found"))?;
        Ok(Reply::ok(&RtpStat::of(&figures, &id)))
    })
}

/// A variable could not be read or set.
fn of_variable(refusal: Refusal) -> Reply {
    match refusal {
        Refusal::NoChannel(_) => Reply::error(404, "Provided channel was not found"),
        other => other.into(),
    }
}

fn variable(_: &Ari, ReadVariable { id, variable }: ReadVariable) -> Outcome {
    exchange(move |exchange| {
        let value = exchange.variable(&id, &variable).map_err(of_variable)?;
        Ok(Reply::ok(&VariableModel { value: &value }))
    })
}

fn set_variable(_: &Ari, set: SetVariable) -> Outcome {
    command(move |exchange| {
        let value = set.value.unwrap_or_default();
        exchange.set_variable(&set.id, &set.variable, &value, set.report)
    })
}

fn variables(_: &Ari, ReadVariables { id, variables }: ReadVariables) -> Outcome {
    exchange(move |exchange| {
        let names: Vec<&str> = variables.iter().map(String::as_str).collect();
        let all = exchange.variables(&id, &names).map_err(of_variable)?;
        Ok(Reply::ok(&VariablesModel { variables: &all }))
    })
}

fn set_variables(_: &Ari, SetVariables { id, variables }: SetVariables) -> Outcome {
    command(move |exchange| {
        variables.0.iter().try_for_each(|variable| {
            exchange.set_variable(&id, &variable.name, &variable.value, variable.report)
        })
    })
}
