//! Calls that were recorded of a live switch: the same happens here, and the records are the same.

use std::sync::Arc;

use stasis_control::channel::ChannelState::{Busy, Down, Ring, Ringing, Up};
use stasis_control::id::ChannelId;
use stasis_control::message::{
    AttendedTransfer, BlindTransfer, BridgeHappening, ChannelHappening, DialStatus, TransferResult,
};
use stasis_control::playback::PlaybackState::{Continuing, Done, Failed, Paused, Playing, Queued};
use stasis_control::records::cdr::CdrSettings;
use stasis_control::records::cel::{CelEvent, CelSettings, Watched};

use crate::kit::{World, everything};

/// All events; no applications, of which the live switch told none.
fn world() -> World {
    let applications = Watched::Only(Vec::new());
    World::new(everything(), CelSettings { applications, ..CelSettings::default() })
}

const OUT: &str = "(Outgoing Line)";

/// A pair is made, and called by nobody; `;2` runs the extension.
fn originate(w: &mut World, id: &str, exten: &str, number: u32, caller: (&str, &str)) {
    let (two, name) = (format!("{id};2"), format!("Local/{exten}@golden-{number:08x}"));
    w.make(id, &format!("{name};1"), id, Down, exten);
    w.make(&two, &format!("{name};2"), id, Ring, exten);
    w.step(id, "AppDial2", OUT);
    if !caller.1.is_empty() {
        w.caller(id, caller.0, caller.1);
        w.caller(&two, caller.0, caller.1);
    }
    w.dial(None, id, DialStatus::Begun);
}

/// A pair is made, and called by a channel.
fn call(w: &mut World, by: &str, ids: (&str, &str), exten: &str, number: u32) {
    w.step(by, "Dial", &format!("Local/{exten}@golden/n,5"));
    w.set(by, "DIALSTATUS", "");
    let linked = w.channels[by].linked_id().to_string();
    let name = format!("Local/{exten}@golden-{number:08x}");
    w.make(ids.0, &format!("{name};1"), &linked, Down, exten);
    w.make(ids.1, &format!("{name};2"), &linked, Ring, exten);
    w.step(ids.0, "AppDial", OUT);
    let (from, caller) = (Arc::clone(&w.channels[by].dialplan), w.channels[by].caller.id.clone());
    w.change(ids.0, |channel| Arc::make_mut(&mut channel.dialplan).exten = from.exten.clone());
    w.caller(ids.0, &caller.name, &from.exten);
    w.caller(ids.1, &caller.name, &caller.number);
    w.dial(Some(by), ids.0, DialStatus::Begun);
}

fn end_of_dial(w: &mut World, by: &str, peer: &str, status: DialStatus) {
    w.set(by, "DIALSTATUS", status.name());
    w.dial(Some(by), peer, status);
}

#[test]
fn a_call_that_was_answered_has_the_records_of_a_live_one() {
    let mut w = world();
    originate(&mut w, "g-a", "dialshort", 1, ("Rec", "700"));
    call(&mut w, "g-a;2", ("c1", "c2"), "short", 2);
    w.step("c2", "Answer", "");
    w.state("c2", Up);
    w.state("c1", Up);
    end_of_dial(&mut w, "g-a;2", "c1", DialStatus::Answer);
    w.state("g-a;2", Up);
    w.state("g-a", Up);
    w.dial(None, "g-a", DialStatus::Answer);
    w.goto("g-a", "wait");
    w.step("g-a", "Answer", "");
    w.change("c1", |channel| Arc::make_mut(&mut channel.dialplan).exten.clear());
    w.step("g-a", "Wait", "60");
    w.enter("br", "c1");
    w.enter("br", "g-a;2");
    w.step("c2", "Wait", "2");
    w.wait(2_100);
    w.step("c2", "Hangup", "");
    w.gone("c2", 16, "dialplan/builtin");
    w.leave("br", "c1");
    w.gone("c1", 16, "");
    w.leave("br", "g-a;2");
    w.destroy("br");
    w.gone("g-a;2", 16, "");
    w.change("g-a", |channel| {
        let place = Arc::make_mut(&mut channel.dialplan);
        (place.app_name, place.app_data) = ("AppDial2".into(), OUT.into());
    });
    w.gone("g-a", 16, "");

    assert_eq!(
        w.cdr_lines(),
        [
            r#""Rec" <700>|short|Local/short@golden-00000002;2||Hangup||2|2|ANSWERED"#,
            r#""Rec" <700>|dialshort|Local/dialshort@golden-00000001;2|Local/short@golden-00000002;1|Dial|Local/short@golden/n,5|2|2|ANSWERED"#,
            r#""Rec" <700>|wait|Local/dialshort@golden-00000001;1||Wait|60|2|2|ANSWERED"#,
        ]
    );
    assert!(w.cdr.iter().all(|record| record.src == "700" && record.dcontext == "golden"));
    assert_eq!(
        w.cdr[0].csv_row(),
        r#""","700","short","golden","""Rec"" <700>","Local/short@golden-00000002;2","","Hangup","","2026-11-21 07:14:10","2026-11-21 07:14:10","2026-11-21 07:14:12",2,2,"ANSWERED","DOCUMENTATION""#
    );
    let bridge = r#"{"bridge_id":"br","bridge_technology":"simple_bridge"}"#;
    assert_eq!(
        w.cel_lines("g-a;2"),
        [
            "CHAN_START||dialshort||||".into(),
            "ANSWER|700|dialshort|Dial|Local/short@golden/n,5||".into(),
            format!(
                "BRIDGE_ENTER|700|dialshort|Dial|Local/short@golden/n,5|Local/short@golden-00000002;1|{bridge}"
            ),
            format!("BRIDGE_EXIT|700|dialshort|Dial|Local/short@golden/n,5||{bridge}"),
            r#"HANGUP|700|dialshort||||{"hangupcause":16,"hangupsource":"","dialstatus":"ANSWER"}"#
                .into(),
            "CHAN_END|700|dialshort||||".into(),
        ]
    );
    assert_eq!(
        w.cel_lines("c1"),
        [
            "CHAN_START||short||||".into(),
            "ANSWER|dialshort|dialshort|AppDial|(Outgoing Line)||".into(),
            format!("BRIDGE_ENTER|dialshort||AppDial|(Outgoing Line)||{bridge}"),
            format!("BRIDGE_EXIT|dialshort||AppDial|(Outgoing Line)|Local/dialshort@golden-00000001;2|{bridge}"),
            r#"HANGUP|dialshort||AppDial|(Outgoing Line)||{"hangupcause":16,"hangupsource":"","dialstatus":""}"#.into(),
            "CHAN_END|dialshort||AppDial|(Outgoing Line)||".into(),
        ]
    );
    assert_eq!(
        w.cel_lines("c2"),
        [
            "CHAN_START||short||||",
            "ANSWER|700|short|Answer|||",
            r#"HANGUP|700|short||||{"hangupcause":16,"hangupsource":"dialplan/builtin","dialstatus":""}"#,
            "CHAN_END|700|short||||",
        ]
    );
    assert_eq!(
        w.cel_lines("g-a"),
        [
            "CHAN_START||dialshort||||",
            "ANSWER|700|dialshort|AppDial2|(Outgoing Line)||",
            r#"HANGUP|700|wait|AppDial2|(Outgoing Line)||{"hangupcause":16,"hangupsource":"","dialstatus":""}"#,
            "CHAN_END|700|wait|AppDial2|(Outgoing Line)||",
            "LINKEDID_END|700|wait|AppDial2|(Outgoing Line)||",
        ]
    );
    w.assert_nothing_is_kept();
}

/// Nobody answers: the caller goes on in the dialplan.
fn no_answer(w: &mut World) {
    originate(w, "g-0", "dialnoans", 1, ("", "700"));
    call(w, "g-0;2", ("c1", "c2"), "ring", 2);
    w.step("c2", "Ringing", "");
    w.state("c1", Ringing);
    w.step("c2", "Wait", "60");
    w.state("g-0", Ringing);
    w.dial(Some("g-0;2"), "c1", DialStatus::Ringing);
    w.dial(None, "g-0", DialStatus::Ringing);
    w.wait(2_050);
    end_of_dial(w, "g-0;2", "c1", DialStatus::NoAnswer);
    w.gone("c1", 0, "");
    w.gone("c2", 0, "");
    w.step("g-0;2", "NoOp", "NOANSWER");
    w.step("g-0;2", "Hangup", "");
    w.gone("g-0;2", 16, "dialplan/builtin");
    w.dial(None, "g-0", DialStatus::NoAnswer);
    w.gone("g-0", 16, "");
}

#[test]
fn a_call_that_nobody_answered_has_the_records_of_a_live_one() {
    let mut w = world();
    no_answer(&mut w);
    assert_eq!(
        w.cdr_lines(),
        [
            r#""" <700>|dialnoans|Local/dialnoans@golden-00000001;2|Local/ring@golden-00000002;1|Dial|Local/ring@golden/n,5|2|0|NO ANSWER"#,
            r#""" <700>|ring|Local/ring@golden-00000002;2||Wait|60|2|0|FAILED"#,
            r#""" <700>|dialnoans|Local/dialnoans@golden-00000001;2||Hangup||0|0|NO ANSWER"#,
            r#""" <700>|dialnoans|Local/dialnoans@golden-00000001;1||AppDial2|(Outgoing Line)|2|0|NO ANSWER"#,
        ]
    );
    assert!(w.cdr.iter().all(|record| record.answer.is_none()));
    assert_eq!(
        w.cel_lines("g-0;2"),
        [
            "CHAN_START||dialnoans||||",
            r#"HANGUP|700|dialnoans||||{"hangupcause":16,"hangupsource":"dialplan/builtin","dialstatus":"NOANSWER"}"#,
            "CHAN_END|700|dialnoans||||",
        ]
    );
    assert_eq!(
        w.cel_lines("c1"),
        [
            "CHAN_START||ring||||",
            r#"HANGUP|dialnoans|dialnoans|AppDial|(Outgoing Line)||{"hangupcause":0,"hangupsource":"","dialstatus":""}"#,
            "CHAN_END|dialnoans|dialnoans|AppDial|(Outgoing Line)||",
        ]
    );
    let ends = w.cel.iter().filter(|record| record.event == CelEvent::LinkedIdEnd);
    assert_eq!(ends.map(|record| &*record.uniqueid).collect::<Vec<_>>(), ["g-0"]);
    w.assert_nothing_is_kept();
}

#[test]
fn a_busy_call_has_the_records_of_a_live_one() {
    let mut w = world();
    originate(&mut w, "g-1", "dialbusy", 3, ("", "701"));
    call(&mut w, "g-1;2", ("c3", "c4"), "busy", 4);
    w.step("c4", "Busy", "3");
    w.state("c4", Busy);
    w.dial(Some("g-1;2"), "c3", DialStatus::Busy);
    w.gone("c3", 0, "");
    w.set("g-1;2", "DIALSTATUS", "BUSY");
    w.state("g-1;2", Busy);
    w.gone("c4", 17, "");
    w.dial(None, "g-1", DialStatus::Busy);
    w.gone("g-1", 0, "");
    w.gone("g-1;2", 17, "");
    assert_eq!(
        w.cdr_lines(),
        [
            r#""" <701>|dialbusy|Local/dialbusy@golden-00000003;2|Local/busy@golden-00000004;1|Dial|Local/busy@golden/n,5|0|0|BUSY"#,
            r#""" <701>|busy|Local/busy@golden-00000004;2||Busy|3|0|0|BUSY"#,
            r#""" <701>|dialbusy|Local/dialbusy@golden-00000003;1||AppDial2|(Outgoing Line)|0|0|BUSY"#,
        ]
    );
    let hangup = w.cel_lines("g-1;2").remove(1);
    let end = r#"{"hangupcause":17,"hangupsource":"","dialstatus":"BUSY"}"#;
    assert_eq!(hangup, format!("HANGUP|701|dialbusy||||{end}"));
    w.assert_nothing_is_kept();
}

/// A channel is called without a caller, which comes to that, and both halves are hung up so.
fn unanswered(w: &mut World, app: &str, status: Option<DialStatus>, causes: (u16, u16)) {
    originate(w, "g-7", "x", 5, ("", ""));
    if !app.is_empty() {
        w.step("g-7;2", app, "3");
    }
    if let Some(status) = status {
        w.dial(None, "g-7", status);
    }
    w.gone("g-7;2", causes.1, "");
    w.gone("g-7", causes.0, "");
}

#[test]
fn what_came_of_an_unanswered_call_is_as_of_live_ones() {
    let dispositions = |app, status, causes| {
        let mut w = world();
        unanswered(&mut w, app, status, causes);
        w.assert_nothing_is_kept();
        assert_eq!(w.cdr[1].lastapp, "AppDial2");
        assert_eq!(w.cdr[0].lastapp, app);
        [w.cdr[1].disposition.name(), w.cdr[0].disposition.name()]
    };
    let congestion = dispositions("Congestion", Some(DialStatus::Congestion), (0, 34));
    assert_eq!(congestion, ["CONGESTION"; 2]);
    let cancelled = dispositions("Wait", Some(DialStatus::NoAnswer), (16, 16));
    assert_eq!(cancelled, ["NO ANSWER"; 2]);
    let timed_out = dispositions("Wait", Some(DialStatus::Ringing), (19, 19));
    assert_eq!(timed_out, ["NO ANSWER"; 2]);
    let rejected = dispositions("Hangup", Some(DialStatus::NoAnswer), (21, 21));
    assert_eq!(rejected, ["NO ANSWER"; 2]);
    assert_eq!(dispositions("", None, (0, 0)), ["FAILED"; 2]);
}

#[test]
fn what_is_not_to_be_told_of_is_not() {
    let quiet = || World::new(CdrSettings::default(), CelSettings::default());
    let mut w = quiet();
    unanswered(&mut w, "Congestion", Some(DialStatus::Congestion), (0, 34));
    assert!(w.cdr.is_empty()); // nobody was met, and nobody has answered
    let mut w = quiet();
    no_answer(&mut w);
    assert_eq!(w.cdr.len(), 1);
    assert_eq!(w.cdr[0].dstchannel, "Local/ring@golden-00000002;1");
    let settings = CdrSettings { unanswered: true, ..CdrSettings::default() };
    let mut w = World::new(settings, CelSettings::default());
    unanswered(&mut w, "Congestion", Some(DialStatus::Congestion), (0, 34));
    assert_eq!(w.cdr[0].disposition.name(), "FAILED");
    let settings = CdrSettings { channel_default_enabled: false, ..everything() };
    let mut w = World::new(settings, CelSettings::default());
    originate(&mut w, "g-a", "x", 1, ("", ""));
    w.set("g-a", "CDR_PROP(disable)", "0");
    w.set("g-a", "CDR(userfield)", "mine");
    w.gone("g-a;2", 16, "");
    w.gone("g-a", 16, "");
    assert_eq!((w.cdr.len(), &*w.cdr[0].userfield), (1, "mine"));
}

/// Channels that were answered, in an application.
fn in_stasis(w: &mut World, ids: &[&str]) {
    for (number, id) in ids.iter().enumerate() {
        w.make(id, &format!("Local/wait@golden-{number:08x};1"), id, Down, "wait");
        w.step(id, "AppDial2", OUT);
        w.dial(None, id, DialStatus::Begun);
        w.state(id, Up);
        w.dial(None, id, DialStatus::Answer);
        w.step(id, "Stasis", "golden");
    }
}

/// Who with whom, in the order that the records were yielded.
fn pairs(w: &World) -> Vec<(char, char)> {
    let half = |name: &str| name.chars().rev().nth(2).unwrap_or('-');
    w.cdr.iter().map(|record| (half(&record.channel), half(&record.dstchannel))).collect()
}

#[test]
fn of_two_in_a_bridge_the_first_made_tells_of_each_of_its_stays() {
    let mut w = world();
    in_stasis(&mut w, &["g-a", "g-b"]);
    w.enter("br", "g-a");
    w.enter("br", "g-b");
    w.leave("br", "g-a");
    w.enter("br", "g-a");
    w.leave("br", "g-a");
    w.gone("g-a", 16, "");
    w.leave("br", "g-b");
    w.gone("g-b", 16, "");
    assert_eq!(pairs(&w), [('0', '1'), ('0', '1'), ('1', '-')]);
    assert!(w.cdr.iter().all(|record| record.disposition.name() == "ANSWERED"));
    w.assert_nothing_is_kept();
}

#[test]
fn of_three_in_a_bridge_there_is_a_record_for_each_pair() {
    let mut w = world();
    let all = ["g-a", "g-b", "g-c"];
    in_stasis(&mut w, &all);
    w.enter("br", "g-a");
    for id in ["g-b", "g-c"] {
        w.enter("br", id);
        w.change(id, |channel| {
            Arc::make_mut(&mut channel.base).linked_id = ChannelId::new("g-a").unwrap();
        });
    }
    w.wait(600);
    w.leave("br", "g-b");
    w.enter("br", "g-b");
    w.wait(500);
    for id in ["g-b", "g-c", "g-a"] {
        w.leave("br", id);
    }
    all.into_iter().for_each(|id| w.gone(id, 16, ""));
    assert_eq!(pairs(&w), [('1', '2'), ('1', '2'), ('2', '-'), ('0', '1'), ('0', '2')]);
    let exit = w.cel_lines("g-b").into_iter().find(|line| line.starts_with("BRIDGE_EXIT"));
    assert_eq!(
        exit.unwrap(),
        "BRIDGE_EXIT||wait|Stasis|golden|Local/wait@golden-00000000;1,Local/wait@golden-00000002;1|{\"bridge_id\":\"br\",\"bridge_technology\":\"simple_bridge\"}"
    );
    // The linked ids of those who came in were given up then, and the first's with the last channel.
    let ends = w.cel.iter().filter(|record| record.event == CelEvent::LinkedIdEnd);
    let ends: Vec<_> = ends.map(|end| (&*end.uniqueid, &*end.linkedid)).collect();
    assert_eq!(ends, [("g-b", "g-b"), ("g-c", "g-c"), ("g-c", "g-a")]);
    w.assert_nothing_is_kept();
}

#[test]
fn one_made_first_who_comes_last_has_a_record_of_the_time_before() {
    let mut w = world();
    in_stasis(&mut w, &["g-x", "g-a"]);
    w.enter("br", "g-a");
    w.enter("br", "g-x");
    w.leave("br", "g-x");
    w.gone("g-x", 16, "");
    w.leave("br", "g-a");
    w.gone("g-a", 16, "");
    assert_eq!(pairs(&w), [('0', '-'), ('0', '1'), ('1', '-')]);
    w.assert_nothing_is_kept();
}

#[test]
fn stays_in_applications_are_told_of_also_when_it_moves() {
    let mut w = World::new(everything(), CelSettings::default());
    in_stasis(&mut w, &["g-a"]);
    w.stasis("g-a", "golden", true);
    w.stasis("g-a", "golden", false);
    w.stasis("g-a", "golden-two", true);
    w.stasis("g-a", "golden", false); // late: it is not there any more
    w.happens("g-a", ChannelHappening::DtmfEnd { digit: '5', duration_ms: 100 });
    w.happens("g-a", ChannelHappening::MusicStart { music_class: "default".into() });
    w.happens("g-a", ChannelHappening::MusicStop);
    w.gone("g-a", 16, "");
    let events: Vec<_> = w.cel.iter().map(|r| (r.event.name(), &*r.appdata)).skip(2).collect();
    assert_eq!(
        events,
        [
            ("APP_START", "golden"),
            ("APP_END", "golden"),
            ("APP_START", "golden-two"),
            ("DTMF", "golden"),
            ("STREAM_BEGIN", "golden"),
            ("STREAM_END", "golden"),
            ("APP_END", "golden-two"),
            ("HANGUP", ""),
            ("CHAN_END", ""),
            ("LINKEDID_END", ""),
        ]
    );
    let extra = |at: usize| w.cel[at].extra.as_ref().map(ToString::to_string).unwrap();
    assert_eq!(extra(5), r#"{"digit":"5","duration_ms":100}"#);
    assert_eq!(extra(6), r#"{"class":"default"}"#);
    w.assert_nothing_is_kept();
}

#[test]
fn steps_of_the_dialplan_are_told_of_when_they_are_watched() {
    let settings = CelSettings { applications: Watched::All, ..CelSettings::default() };
    let mut w = World::new(everything(), settings);
    w.make("g-a", "Local/x@golden-00000000;2", "g-a", Ring, "x");
    w.step("g-a", "Answer", "");
    w.step("g-a", "Wait", "60");
    w.gone("g-a", 16, "");
    let events: Vec<_> = w.cel.iter().map(|r| (r.event.name(), &*r.appname)).collect();
    assert_eq!(
        events[..5],
        [
            ("CHAN_START", ""),
            ("APP_START", "Answer"),
            ("APP_END", "Answer"),
            ("APP_START", "Wait"),
            ("APP_END", "Wait"),
        ]
    );
    let json = serde_json::to_value(&w.cel[3]).unwrap();
    assert_eq!(
        (&json["eventtype"], &json["channame"]),
        (&"APP_START".into(), &"Local/x@golden-00000000;2".into())
    );
    assert_eq!(json["eventtime"], "2026-11-21 07:14:10.000002");
}

#[test]
fn of_several_who_are_called_at_once_each_has_a_record() {
    let mut w = world();
    w.make("g-a", "Local/x@golden-00000009;2", "g-a", Ring, "x");
    w.step("g-a", "Dial", "Local/1&Local/2");
    for (id, number) in [("p1", 1), ("p2", 2)] {
        w.make(id, &format!("Local/y@golden-{number:08x};1"), "g-a", Down, "y");
        w.dial(Some("g-a"), id, DialStatus::Begun);
    }
    w.wait(1_000);
    w.state("p2", Up);
    w.dial(Some("g-a"), "p2", DialStatus::Answer);
    w.state("g-a", Up);
    w.dial(Some("g-a"), "p1", DialStatus::Cancel);
    w.gone("p1", 26, "");
    w.enter("br", "g-a");
    w.enter("br", "p2");
    w.wait(3_500);
    w.leave("br", "p2");
    w.leave("br", "g-a");
    w.gone("p2", 16, "");
    w.gone("g-a", 16, "");
    assert_eq!(
        w.cdr_lines(),
        [
            r#""" <>|x|Local/x@golden-00000009;2|Local/y@golden-00000001;1|Dial|Local/1&Local/2|1|0|NO ANSWER"#,
            r#""" <>|x|Local/x@golden-00000009;2|Local/y@golden-00000002;1|Dial|Local/1&Local/2|4|3|ANSWERED"#,
        ]
    );
    w.assert_nothing_is_kept();
}

#[test]
fn channels_whose_end_was_lost_are_forgotten_when_that_is_found_out() {
    let mut w = world();
    in_stasis(&mut w, &["g-a", "g-b"]);
    w.enter("br", "g-a");
    w.enter("br", "g-b");
    w.wait(5_000);
    let (at, is_there) = (w.at(), |id: &ChannelId| id.as_str() == "g-a");
    w.cdr = w.cdrs.forget_lost(is_there, at);
    w.cel = w.cels.forget_lost(is_there, at);
    assert_eq!((pairs(&w), w.cdr[0].billsec), (vec![('1', '-')], 5));
    let events: Vec<_> = w.cel.iter().map(|record| record.event.name()).collect();
    assert_eq!(events, ["HANGUP", "CHAN_END", "LINKEDID_END"]);
    w.gone("g-a", 16, "");
    assert_eq!(pairs(&w), [('1', '-'), ('0', '1')]);
    w.assert_nothing_is_kept();
}

#[test]
fn each_sound_that_a_channel_hears_begins_and_ends() {
    let mut w = world();
    in_stasis(&mut w, &["g-a"]);
    w.cel.clear();
    let (beep, bye) = ("sound:beep", "sound:goodbye");
    let states = [(beep, Queued), (beep, Playing), (beep, Paused), (beep, Playing)];
    let states = states.into_iter().chain([(beep, Continuing), (bye, Playing), (bye, Done)]);
    let states = states.chain([("sound:none", Failed), ("digits:12", Playing), (beep, Playing)]);
    states.for_each(|(media, state)| w.plays("g-a", media, state));
    w.gone("g-a", 16, "");
    let lines = w.cel_lines("g-a");
    let begin = |sound| {
        format!(
            "STREAM_BEGIN||wait|Stasis|golden||{{\"sound\":\"{sound}\",\"format\":\"slin\",\"language\":\"en\"}}"
        )
    };
    let end = "STREAM_END||wait|Stasis|golden||".to_owned();
    let heard = [begin("beep"), end.clone(), begin("goodbye"), end, begin("beep")];
    assert_eq!(lines[..5], heard);
    assert!(lines[5].starts_with("STREAM_END") && lines[6].starts_with("HANGUP"));
}

#[test]
fn transfers_are_told_of_when_they_have_come_about() {
    let mut w = world();
    in_stasis(&mut w, &["g-a", "g-b"]);
    w.cel.clear();
    let (one, two) = (Arc::clone(&w.channels["g-a"]), Arc::clone(&w.channels["g-b"]));
    for result in [TransferResult::Invalid, TransferResult::Success] {
        let blind = BlindTransfer {
            channel: Arc::clone(&one),
            transferee: Some(Arc::clone(&two)),
            context: "golden".into(),
            exten: "wait".into(),
            result,
        };
        w.bridge_event("br", BridgeHappening::BlindTransfer(Box::new(blind)));
        let attended = AttendedTransfer {
            first_leg: Arc::clone(&one),
            second_leg: Arc::clone(&two),
            second_bridge: None,
            transferee: None,
            target: Some(Arc::clone(&two)),
            result,
            destination: None,
        };
        w.bridge_event("br", BridgeHappening::AttendedTransfer(Box::new(attended)));
    }
    w.happens("g-a", ChannelHappening::LocalOptimized { other: two });
    let extras: Vec<_> = w.cel.iter().map(|r| r.extra.as_ref().unwrap().to_string()).collect();
    let (name, none) = ("Local/wait@golden-00000001;1", "N/A");
    assert_eq!(
        extras,
        [
            format!(
                r#"{{"extension":"wait","context":"golden","bridge_id":"br","transferee_channel_name":"{name}","transferee_channel_uniqueid":"g-b"}}"#
            ),
            format!(
                r#"{{"bridge1_id":"br","channel2_name":"{name}","channel2_uniqueid":"g-b","bridge2_id":"{none}","transferee_channel_name":"{none}","transferee_channel_uniqueid":"{none}","transfer_target_channel_name":"{name}","transfer_target_channel_uniqueid":"g-b"}}"#
            ),
            format!(r#"{{"local_two":"{name}","local_two_uniqueid":"g-b"}}"#),
        ]
    );
}
