//! A voice menu: played, interrupted by keys, read back, recorded, and left for the dialplan; and the same
//! one in the dialplan alone.

mod common;

use common::*;
use stasis_control::PlaybackOperation;
use stasis_control::channel::ChannelState;
use stasis_control::media::{Keys, RecordControl, RecordHow};
use stasis_control::tech::PhoneSettings;

/// Where callers come in, and are sent to.
const PLAN: &str = "
[in]
exten => menu,1,Answer
same => n,Stasis(ivr,first)
same => n,UserEvent(Back${STASISSTATUS})
same => n,Hangup
[desk]
exten => 200,1,Playback(goodbye)
same => n,Stasis(ivr,again,\"with, comma\")
same => n,UserEvent(Second)
same => n,Hangup
exten => 200,10(end),UserEvent(Labelled)
same => n,Hangup(17)
";

/// The caller, in the application.
fn caller(phone: PhoneSettings) -> App {
    let mut app = App::new("ivr", PLAN, &[("ann", phone)]);
    app.comes_in("ann", "a", ("in", "menu"));
    assert_eq!(app.until("StasisStart"), "a first");
    assert_eq!(app.channel("a").unwrap().state, ChannelState::Up);
    app
}

/// What the caller hears while this is played.
fn heard(app: &mut App, media: &[&str], ms: u64) -> Vec<i16> {
    app.plays("a", media);
    app.heard_by(&["a"], ms).remove(0)
}

/// Where a tone is heard in some sound: from when on, and for how long, in milliseconds.
fn span(samples: &[i16], hz: f64) -> (usize, usize) {
    let loud = |part: &[i16]| level(part, hz) > 3_000.0;
    let parts: Vec<_> = samples.chunks_exact(160).map(loud).collect();
    let from = parts.iter().position(|loud| *loud).unwrap_or(parts.len());
    (from * 20, parts.iter().filter(|loud| **loud).count() * 20)
}

#[test]
fn a_key_stops_the_menu_and_the_next_sound_follows_at_once() {
    let mut app = caller(quiet().presses(2_000, "1"));
    let menu = app.plays("a", &["sound:long", "sound:menu"]);
    assert_eq!(app.until(&format!("PlaybackStarted {menu}")), "sound:long");
    assert_eq!(app.until("ChannelDtmfReceived a"), "1 100");
    app.exchange().stop_playback(&menu).unwrap();
    assert_eq!(app.until(&format!("PlaybackFinished {menu}")), "sound:long");
    let samples = heard(&mut app, &["sound:goodbye"], 1_000);
    assert!(level(&samples[1_600..4_800], 450.0) < 250.0, "the menu is over");
    assert!(span(&samples, 400.0).1 > 400);
    assert!(app.exchange().stop_playback(&menu).is_err(), "there is no such playback any more");
    app.hangs_up("a");
    app.end();
}

#[test]
fn digits_are_collected_until_nothing_more_comes() {
    let mut app = caller(quiet().presses(1_000, "12").presses(3_000, "3"));
    let mut typed = String::new();
    // A time-out of a second and a half of the application's own, from key to key.
    let mut quiet_ms = 0;
    while quiet_ms < 1_500 {
        app.run(20);
        quiet_ms += 20;
        if let Some(key) = app.has_heard("ChannelDtmfReceived a") {
            typed.push_str(key.split(' ').next().unwrap());
            quiet_ms = 0;
        }
    }
    assert_eq!(typed, "12");
    let digits = format!("digits:{typed}");
    let samples = heard(&mut app, &[&digits, "sound:beep", "number:1"], 1_500);
    let spans = [550.0, 600.0, 1_000.0].map(|hz| span(&samples, hz));
    assert!(spans.is_sorted(), "in their order: {spans:?}");
    for ((_, length), expected) in spans.iter().zip([500, 250, 200]) {
        assert!(length.abs_diff(expected) <= 60, "{spans:?}");
    }
    app.hangs_up("a");
    app.end();
}

#[test]
fn a_sound_that_is_not_there_fails_and_what_follows_is_played() {
    let mut app = caller(quiet());
    let both = app.plays("a", &["sound:nothing", "sound:hello-world"]);
    app.until(&format!("PlaybackStarted {both} sound:nothing"));
    app.until(&format!("PlaybackContinuing {both} sound:nothing"));
    app.until(&format!("PlaybackStarted {both} sound:hello-world"));
    assert_eq!(app.until(&format!("PlaybackFinished {both}")), "sound:hello-world");
    for media in ["sound:nothing", "nonsense", "recording:nothing", "sound:../secret", "digits:x"] {
        let alone = app.plays("a", &[media]);
        assert_eq!(app.until(&format!("PlaybackFinished {alone}")), format!("{media} failed"));
    }
    let last = app.plays("a", &["sound:goodbye", "sound:nothing"]);
    assert_eq!(app.until(&format!("PlaybackFinished {last}")), "sound:nothing failed");
    app.hangs_up("a");
    app.end();
}

#[test]
fn a_playback_is_paused_and_wound_forward_and_back() {
    use PlaybackOperation::{Forward, Pause, Restart, Reverse, Unpause};
    // The sound of eight seconds; the goodbye behind it tells when it was over.
    let time = |operations: &[(u64, PlaybackOperation)]| {
        let mut app = caller(quiet());
        let mut how = app.how(&["sound:long"]);
        how.skip = Some(ms(2_000));
        let id = how.id.clone().unwrap();
        app.exchange().play("a", how).unwrap();
        app.until(&format!("PlaybackStarted {id}"));
        let begun = app.stage.now();
        for (after, operation) in operations {
            app.run(*after);
            app.exchange().control_playback(&id, *operation).unwrap();
        }
        app.until(&format!("PlaybackFinished {id} sound:long"));
        let took = app.stage.now().since(begun).as_millis() as u64;
        app.hangs_up("a");
        app.end();
        took
    };
    let plain = time(&[]);
    assert!(plain.abs_diff(8_000) <= 80, "{plain}");
    for (operations, expected) in [
        (&[(1_000, Pause), (3_000, Unpause)][..], 11_000),
        (&[(1_000, Forward)][..], 6_000),
        (&[(4_000, Reverse)][..], 10_000),
        (&[(5_000, Restart)][..], 13_000),
        (&[(1_000, Reverse)][..], 9_000),
        (&[(7_000, Forward)][..], 7_000),
    ] {
        let took = time(operations);
        assert!(took.abs_diff(expected) <= 120, "{operations:?}: {took}");
    }
}

#[test]
fn a_message_ends_by_its_key_by_silence_or_when_it_is_long_enough() {
    let record = |name: &str| RecordHow { name: name.into(), ..RecordHow::default() };
    let hash = Keys::Digit(keys("#")[0]);
    let by_key = RecordHow { end_keys: hash, beep: true, ..record("key") };
    let by_time = RecordHow { max_duration: Some(ms(2_000)), ..record("time") };
    let by_silence = RecordHow { max_silence: Some(ms(1_000)), ..record("silence") };
    let talks = || quiet().says(880.0);
    let cases = [
        (talks().presses(1_500, "12#"), by_key, 700..1_800),
        (talks(), by_time, 1_960..2_060),
        (quiet().says_in_turns(880.0, 1_500, 60_000), by_silence, 900..2_700),
    ];
    for (phone, how, expected) in cases {
        let mut app = caller(phone);
        let name = how.name.clone();
        app.exchange().record("a", how).unwrap();
        let snapshot = app.stage.exchange.state().recording(&name);
        assert!(snapshot.is_some(), "{name}");
        app.until(&format!("RecordingStarted {name}"));
        app.until(&format!("RecordingFinished {name}"));
        assert!(app.stage.exchange.state().recording(&name).is_none());
        let samples = app.stage.recording(&name).samples().to_vec();
        let (_, length) = span(&samples, 880.0);
        assert!(expected.contains(&length), "{name}: {length} ms of talk");
        // It is played back as any other sound.
        let heard = heard(&mut app, &[&format!("recording:{name}")], length as u64 + 500);
        assert!(span(&heard, 880.0).1.abs_diff(length) <= 60, "{name}");
        app.hangs_up("a");
        app.end();
    }
}

#[test]
fn a_recording_is_paused_muted_thrown_away_or_refused() {
    let mut app = caller(quiet().says(880.0));
    let record = |name: &str| RecordHow { name: name.into(), ..RecordHow::default() };
    app.exchange().record("a", record("one")).unwrap();
    assert!(app.exchange().record("a", record("one")).is_err(), "one of this name is under way");
    app.until("RecordingStarted one");
    app.run(1_000);
    app.exchange().control_recording("one", RecordControl::Pause(true)).unwrap();
    app.run(1_000);
    app.exchange().control_recording("one", RecordControl::Pause(false)).unwrap();
    app.run(500);
    app.exchange().control_recording("one", RecordControl::Mute(true)).unwrap();
    app.run(500);
    app.exchange().control_recording("one", RecordControl::Stop).unwrap();
    app.until("RecordingFinished one");
    let samples = app.stage.recording("one").samples().to_vec();
    assert!((samples.len() / 8).abs_diff(2_000) <= 200, "{} ms", samples.len() / 8);
    // What is ordered is done when the recorder looks the next time, a tenth of a second later at most.
    let (_, length) = span(&samples, 880.0);
    assert!(length.abs_diff(1_500) <= 300, "{length}");
    // There is a file of that name already.
    app.exchange().record("a", record("one")).unwrap();
    app.until("RecordingFailed one");
    app.exchange().record("a", record("gone")).unwrap();
    app.until("RecordingStarted gone");
    app.exchange().control_recording("gone", RecordControl::Discard).unwrap();
    app.until("RecordingFinished gone");
    assert!(!app.stage.has_recording("gone"));
    app.exchange().record("a", record("../out")).unwrap();
    app.until("RecordingFailed ../out");
    // A caller who hangs up leaves what was recorded so far.
    app.exchange().record("a", record("left")).unwrap();
    app.until("RecordingStarted left");
    app.run(1_000);
    app.hangs_up("a");
    app.until("RecordingFinished left");
    assert!(span(app.stage.recording("left").samples(), 880.0).1.abs_diff(1_000) <= 100);
    app.end();
}

#[test]
fn the_dialplan_has_a_caller_back_and_sends_them_to_the_application_once_more() {
    let mut app = caller(quiet());
    let (desk, exten) = (Some("desk"), Some("200"));
    assert!(app.exchange().continue_in_dialplan("a", desk, exten, None, Some("nowhere")).is_err());
    app.plays("a", &["sound:long"]);
    app.run(200);
    app.exchange().continue_in_dialplan("a", desk, exten, None, None).unwrap();
    assert_eq!(app.until("StasisEnd"), "a");
    assert_eq!(app.until("StasisStart"), "a again,with, comma");
    app.was_told(&[
        "PlaybackStarted p1 sound:long",
        "StasisEnd a",
        "StasisStart a again,with, comma",
    ]);
    let position = app.channel("a").unwrap().dialplan.clone();
    assert_eq!((position.context.as_str(), position.exten.as_str()), ("desk", "200"));
    assert_eq!(position.priority, 2);
    app.exchange().continue_in_dialplan("a", None, None, None, Some("end")).unwrap();
    app.run(100);
    assert!(app.channel("a").is_none());
    app.end();
}

#[test]
fn who_leaves_without_a_place_goes_on_behind_the_step_they_came_from() {
    let mut app = App::of_all("ivr", PLAN, &[("ann", quiet())]);
    app.comes_in("ann", "a", ("in", "menu"));
    app.until("StasisStart a first");
    app.exchange().continue_in_dialplan("a", None, None, None, None).unwrap();
    app.until("ChannelUserevent BackSUCCESS");
    app.until("ChannelDestroyed a");
    app.end();
}

/// The same menu, in the dialplan alone.
const ALONE: &str = "
[in]
exten => menu,1,Answer
same => n,Read(PIN,menu,2,,2,3)
same => n,UserEvent(Pin${PIN}${READSTATUS})
same => n,GotoIf($[\"${PIN}\" = \"42\"]?good:bad)
same => n(bad),Playback(goodbye)
same => n,Hangup(21)
same => n(good),Background(long)
same => n,WaitExten(2)
same => n,UserEvent(Nothing)
exten => 1,1,Record(talk:wav,0,5)
same => n,UserEvent(Recorded${RECORD_STATUS})
same => n,Playback(nothing&hello-world)
same => n,UserEvent(Played${PLAYBACKSTATUS})
same => n,Playback(nothing)
same => n,UserEvent(Played${PLAYBACKSTATUS})
same => n,Hangup
exten => 1234,1,UserEvent(Long)
exten => i,1,UserEvent(Invalid${INVALID_EXTEN})
same => n,Goto(menu,good)
exten => t,1,UserEvent(TooLate)
";

fn alone(phone: PhoneSettings) -> App {
    let mut app = App::of_all("all", ALONE, &[("ann", phone)]);
    app.comes_in("ann", "a", ("in", "menu"));
    app
}

fn user_events(app: &App) -> Vec<String> {
    let event = |line: &String| line.strip_prefix("ChannelUserevent ").map(str::to_owned);
    app.log.iter().filter_map(event).collect()
}

#[test]
fn the_dialplan_alone_reads_a_pin_and_records_who_chooses_that() {
    // The menu goes on a long time; a key interrupts it. 1 may be the begin of 1234, so it is waited for more.
    let phone = quiet().says(880.0).presses(1_500, "42").presses(4_000, "1").presses(17_000, "#");
    let mut app = alone(phone);
    app.until("ChannelUserevent Pin42OK");
    app.until("ChannelUserevent RecordedDTMF");
    app.until("ChannelDestroyed a");
    let events = user_events(&app);
    assert_eq!(events, ["Pin42OK", "RecordedDTMF", "PlayedSUCCESS", "PlayedFAILED"]);
    assert!(span(app.stage.recording("talk").samples(), 880.0).1 > 1_000);
    app.end();
}

#[test]
fn the_dialplan_alone_sends_away_whose_pin_is_wrong_and_asks_twice() {
    let mut app = alone(quiet().presses(1_500, "41"));
    app.until("ChannelUserevent Pin41OK");
    assert_eq!(app.until("ChannelDestroyed a"), "21");
    app.end();
    // Nothing at first: it asks once more. Then only one key: the time runs out with it.
    let mut app = alone(quiet().presses(5_000, "4"));
    app.until("ChannelUserevent Pin4TIMEOUT");
    app.until("ChannelDestroyed a");
    app.end();
}

#[test]
fn the_dialplan_alone_knows_invalid_choices_and_those_who_choose_nothing() {
    let phone = quiet().presses(1_500, "42").presses(4_000, "9").presses(6_000, "1234");
    let mut app = alone(phone);
    app.until("ChannelUserevent Invalid9");
    app.until("ChannelUserevent Long");
    app.until("ChannelDestroyed a");
    app.end();
    let mut app = alone(quiet().presses(1_500, "42"));
    app.until("ChannelUserevent TooLate");
    app.until("ChannelDestroyed a");
    assert_eq!(user_events(&app), ["Pin42OK", "TooLate"]);
    app.end();
}

#[test]
fn a_caller_may_hang_up_at_any_step_and_nothing_is_left() {
    for ms in (100..9_000).step_by(300) {
        let phone = quiet().says(880.0).presses(1_500, "42").presses(4_000, "1");
        let mut app = alone(phone.hangs_up_after(ms));
        app.until("ChannelDestroyed a");
        app.end();
    }
}

/// What a step has set when its caller hangs up, or nobody was there.
const STATUSES: &str = "
[in]
exten => read,1,Read(PIN,long,2)
exten => record,1,Record(talk:wav,0,60,k)
exten => background,1,Background(menu&long)
same => n,WaitExten(2)
exten => 7,1,Hangup
exten => broadcast,1,StasisBroadcast(60,^nobody)
same => n,Hangup
exten => h,1,UserEvent(${READSTATUS}${RECORD_STATUS}${BACKGROUNDSTATUS}${STASISSTATUS})
";

#[test]
fn a_step_says_how_it_ended_also_to_who_comes_behind_a_hangup() {
    for (exten, status) in [
        ("read", "HANGUP"),
        ("record", "HANGUP"),
        ("background", "SUCCESS"),
        ("broadcast", "FAILED"),
    ] {
        let phone = quiet().presses(1_000, if exten == "background" { "7" } else { "" });
        let mut app = App::of_all("all", STATUSES, &[("ann", phone.hangs_up_after(2_500))]);
        app.comes_in("ann", "a", ("in", exten));
        app.until("ChannelDestroyed a");
        assert_eq!(user_events(&app), [status], "{exten}");
        app.end();
    }
}
