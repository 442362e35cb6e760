//! A conference: who calls in says a PIN by keys, hears the others, and has a menu of keys of their own.

mod common;

use std::collections::{BTreeMap, BTreeSet};

use common::*;
use stasis_control::bridge::BridgeTechnology;
use stasis_control::media::{RecordControl, RecordHow, Way};
use stasis_control::tech::PhoneSettings;
use stasis_control::{AddOptions, DigitsHow};

/// What the five say, and what the music is.
const VOICES: [f64; 5] = [250.0, 850.0, 1_150.0, 1_300.0, 1_450.0];
const MUSIC: f64 = 700.0;
const NAMES: [&str; 5] = ["ann", "ben", "cat", "dan", "eve"];
const ROOM: &str = "room";

/// The application.
struct Conference {
    app: App,
    typed: BTreeMap<String, String>,
    inside: BTreeSet<String>,
    muted: BTreeSet<String>,
}

impl Conference {
    fn new(phones: &[(&str, PhoneSettings)]) -> Self {
        let mut app = App::new("conf", "", phones);
        app.opens(ROOM, "mixing", &[]);
        let (typed, inside, muted) = Default::default();
        Conference { app, typed, inside, muted }
    }

    /// Five phones, which all know the PIN, and say it one after the other.
    fn of_five() -> Self {
        let phone = |(n, (name, hz)): (u64, (&&'static str, f64))| {
            (*name, quiet().says(hz).presses(600 + n * 600, "42#"))
        };
        let phones: Vec<_> = (0..).zip(NAMES.iter().zip(VOICES)).map(phone).collect();
        let mut conference = Conference::new(&phones);
        NAMES.iter().for_each(|name| conference.app.is_called(name, name));
        conference
    }

    /// Time passes, and the application does its work.
    fn serve(&mut self, ms: u64) {
        for _ in 0..ms / 20 {
            self.app.run(20);
            for line in self.app.news() {
                let words: Vec<_> = line.split(' ').collect();
                match words[..] {
                    ["StasisStart", id, ..] => self.welcomes(id),
                    ["ChannelDtmfReceived", id, key, _] => self.typed(id, key),
                    ["PlaybackFinished", _, "sound:goodbye"] => self.sends_away(),
                    ["ChannelEnteredBridge" | "ChannelLeftBridge", _, _] => self.counts(),
                    _ => {}
                }
            }
        }
    }

    fn welcomes(&mut self, id: &str) {
        self.app.exchange().answer(id).unwrap();
        self.app.exchange().set_variable(id, "TALK_DETECT(set)", "300,256", false).unwrap();
        self.typed.insert(id.into(), String::new());
        self.app.plays(id, &["sound:menu"]);
    }

    fn typed(&mut self, id: &str, key: &str) {
        let typed = self.typed.entry(id.into()).or_default();
        typed.push_str(key);
        match (self.inside.contains(id), typed.as_str()) {
            (false, "42#") => self.lets_in(id),
            (false, typed) if typed.ends_with('#') => {
                self.app.plays(id, &["sound:goodbye"]);
            }
            (true, "*1") => self.mutes(id),
            (true, typed) if typed.len() == 2 => {}
            _ => return,
        }
        self.typed.insert(id.into(), String::new());
    }

    fn lets_in(&mut self, id: &str) {
        let options = AddOptions { absorb_dtmf: true, ..AddOptions::default() };
        self.app.exchange().add_channels(ROOM, &[id], &options).unwrap();
        self.inside.insert(id.into());
        let how = self.app.how(&["sound:beep"]);
        self.app.exchange().play_to_bridge(ROOM, how).unwrap();
    }

    fn mutes(&mut self, id: &str) {
        let is_muted = !self.muted.remove(id);
        if is_muted {
            self.muted.insert(id.into());
        }
        self.app.exchange().mute(id, Way::In, is_muted).unwrap();
    }

    fn sends_away(&mut self) {
        let outside: Vec<_> =
            self.typed.keys().filter(|id| !self.inside.contains(*id)).cloned().collect();
        outside.iter().for_each(|id| self.app.hangs_up_if_there(id));
    }

    /// Who is alone hears music.
    fn counts(&mut self) {
        if self.app.bridge(ROOM).is_some() {
            let is_alone = self.app.members(ROOM).len() == 1;
            self.app.exchange().bridge_music(ROOM, is_alone.then_some("default")).unwrap();
        }
    }

    fn technology(&self) -> BridgeTechnology {
        self.app.bridge(ROOM).unwrap().technology
    }

    fn kicks(&mut self, id: &str) {
        self.app.exchange().remove_channels(ROOM, &[id]).unwrap();
        self.inside.remove(id);
    }

    fn close(mut self) {
        self.serve(100);
        NAMES.iter().for_each(|id| self.app.hangs_up_if_there(id));
        if self.app.bridge(ROOM).is_some() {
            self.app.exchange().destroy_bridge(ROOM).unwrap();
        }
        self.app.end();
    }
}

/// Voices but these.
fn voices_but(out: &[usize]) -> Vec<f64> {
    let is_in = |(n, _): &(usize, &f64)| !out.contains(n);
    VOICES.iter().enumerate().filter(is_in).map(|(_, hz)| *hz).collect()
}

#[test]
fn five_come_in_one_after_the_other_and_each_hears_all_others() {
    let mut conference = Conference::of_five();
    let mut technologies = Vec::new();
    for _ in 0..5 {
        conference.serve(600);
        technologies.push((conference.inside.len(), conference.technology().name()));
    }
    conference.serve(1_000);
    technologies.push((conference.inside.len(), conference.technology().name()));
    technologies.dedup();
    let expected = [
        (0, "simple_bridge"),
        (1, "simple_bridge"),
        (2, "simple_bridge"),
        (3, "softmix"),
        (4, "softmix"),
        (5, "softmix"),
    ];
    assert_eq!(technologies, expected);
    assert_eq!(conference.app.members(ROOM), NAMES);
    let others: Vec<_> = (0..5).map(|n| voices_but(&[n])).collect();
    let expected: Vec<_> = NAMES.iter().zip(&others).map(|(id, hz)| (*id, &hz[..])).collect();
    conference.app.hear(&expected, &VOICES);
    for name in NAMES {
        let log = conference.app.log_of(name);
        let at = |event: &str| log.iter().position(|line| line.starts_with(event));
        assert!(at("StasisStart") < at("ChannelDtmfReceived 4"), "{log:?}");
        assert!(at("ChannelDtmfReceived #") < at("ChannelEnteredBridge"), "{log:?}");
    }
    let beeps = |line: &&String| line.contains("sound:beep");
    assert_eq!(conference.app.log.iter().filter(beeps).count(), 10, "five began and ended");
    conference.close();
}

#[test]
fn a_bridge_is_simple_again_when_only_two_are_left_and_the_last_one_hears_music() {
    let mut conference = Conference::of_five();
    conference.serve(5_000);
    for id in ["ann", "ben"] {
        conference.kicks(id);
        conference.serve(40);
        assert_eq!(conference.technology(), BridgeTechnology::Softmix);
    }
    conference.app.hear(&[("ann", &[]), ("cat", &voices_but(&[0, 1, 2]))], &VOICES);
    conference.kicks("cat");
    conference.serve(40);
    assert_eq!(conference.technology(), BridgeTechnology::Simple);
    conference.app.hear(&[("dan", &[VOICES[4]]), ("eve", &[VOICES[3]])], &VOICES);
    conference.app.hangs_up("dan");
    conference.serve(40);
    conference.app.hear(&[("eve", &[MUSIC])], &[MUSIC, VOICES[3]]);
    // Who was kicked may come back, and the music ends.
    conference.lets_in("ann");
    conference.serve(400);
    conference
        .app
        .hear(&[("eve", &[VOICES[0]]), ("ann", &[VOICES[4]])], &[MUSIC, VOICES[0], VOICES[4]]);
    conference.close();
}

#[test]
fn a_wrong_pin_leads_out_again() {
    let phones = [("ann", quiet().presses(500, "13#")), ("ben", quiet().presses(500, "42#"))];
    let mut conference = Conference::new(&phones);
    conference.app.is_called("ann", "ann");
    conference.app.is_called("ben", "ben");
    conference.serve(4_000);
    assert_eq!(conference.app.members(ROOM), ["ben"]);
    let told = conference.app.log_of("ann");
    assert!(!told.iter().any(|line| line.starts_with("ChannelEnteredBridge")), "{told:?}");
    assert!(conference.app.channel("ann").is_none());
    conference.close();
}

#[test]
fn who_presses_star_one_is_muted_and_by_the_same_keys_heard_again() {
    let ann = quiet().says(VOICES[0]).presses(500, "42#").presses(4_000, "*1").presses(7_000, "*1");
    let phones = [("ann", ann), ("ben", quiet().says(VOICES[1]).presses(500, "42#"))];
    let mut conference = Conference::new(&phones);
    conference.app.is_called("ann", "ann");
    conference.app.is_called("ben", "ben");
    conference.serve(2_500);
    conference.app.hear(&[("ben", &[VOICES[0]]), ("ann", &[VOICES[1]])], &VOICES);
    conference.serve(1_500);
    assert_eq!(conference.muted.len(), 1);
    conference.app.hear(&[("ben", &[]), ("ann", &[VOICES[1]])], &VOICES);
    conference.serve(4_000);
    assert!(conference.muted.is_empty());
    conference.app.hear(&[("ben", &[VOICES[0]]), ("ann", &[VOICES[1]])], &VOICES);
    conference.close();
}

#[test]
fn who_was_muted_before_stays_so_in_a_bridge_and_who_is_muted_there_is_not_outside() {
    let phones = [("ann", quiet().says(VOICES[0])), ("ben", quiet().says(VOICES[1]))];
    let mut app = App::new("conf", "", &phones);
    for id in ["ann", "ben"] {
        app.is_called(id, id);
        app.until("StasisStart");
        app.exchange().answer(id).unwrap();
    }
    app.run(100);
    app.exchange().mute("ann", Way::In, true).unwrap();
    app.opens(ROOM, "mixing", &["ann"]);
    let muted = AddOptions { mute: true, ..AddOptions::default() };
    app.exchange().add_channels(ROOM, &["ben"], &muted).unwrap();
    app.hear(&[("ann", &[]), ("ben", &[])], &VOICES);
    // Each is lifted where it was set.
    app.exchange().mute("ann", Way::In, false).unwrap();
    app.exchange().mute("ben", Way::In, false).unwrap();
    app.hear(&[("ann", &[]), ("ben", &[VOICES[0]])], &VOICES);
    app.exchange().remove_channels(ROOM, &["ben"]).unwrap();
    let said = app.said_by(&["ben"], 500);
    assert_eq!(heard_of(&said[0], &VOICES), [VOICES[1]]);
    app.adds(ROOM, &["ben"]);
    app.hear(&[("ann", &[VOICES[1]]), ("ben", &[VOICES[0]])], &VOICES);
    app.hangs_up("ann");
    app.hangs_up("ben");
    app.exchange().destroy_bridge(ROOM).unwrap();
    app.end();
}

#[test]
fn it_is_told_who_begins_to_talk_and_who_stops() {
    let ann = quiet().says_in_turns(VOICES[0], 800, 1_200).presses(500, "42#");
    let phones = [("ann", ann), ("ben", quiet().presses(500, "42#"))];
    let mut conference = Conference::new(&phones);
    conference.app.is_called("ann", "ann");
    conference.app.is_called("ben", "ben");
    conference.serve(6_500);
    let told: Vec<_> =
        conference.app.log.iter().filter(|line| line.contains("Talking")).cloned().collect();
    let turn = ["ChannelTalkingStarted ann", "ChannelTalkingFinished ann"];
    assert!(told.len() >= 6, "{told:?}");
    assert!(told.iter().zip(turn.iter().cycle()).all(|(told, turn)| told == turn), "{told:?}");
    // Nobody is told any more when it is not asked for any more.
    conference.app.exchange().set_variable("ann", "TALK_DETECT(remove)", "", false).unwrap();
    conference.serve(100);
    let before = conference.app.count("ChannelTalkingStarted");
    conference.serve(4_000);
    assert_eq!(conference.app.count("ChannelTalkingStarted"), before);
    conference.close();
}

#[test]
fn a_recording_of_the_bridge_has_all_voices() {
    let mut conference = Conference::of_five();
    conference.serve(5_000);
    let how = RecordHow { name: "all".into(), ..RecordHow::default() };
    conference.app.exchange().record_bridge(ROOM, how).unwrap();
    conference.serve(1_000);
    let app = &mut conference.app;
    let told = |state| format!("Recording{state} all");
    app.exchange().control_recording("all", RecordControl::Stop).unwrap();
    app.run(300);
    app.was_told(&[&told("Started"), &told("Finished")]);
    assert_eq!(heard_of(app.stage.recording("all").samples(), &VOICES), VOICES);
    conference.close();
}

#[test]
fn keys_of_those_whose_keys_are_absorbed_do_not_reach_the_others() {
    let plan = "[far]\nexten => s,1,Answer\nsame => n,Stasis(conf,far)\n";
    let phones = [("ann", quiet().presses(1_000, "7")), ("ben", quiet().presses(1_000, "8"))];
    let mut app = App::new("conf", plan, &phones);
    app.calls("Local/s@far/n", "l", ms(1_000));
    app.until("StasisStart l;2 far");
    app.until("StasisStart l called");
    for id in ["ann", "ben"] {
        app.is_called(id, id);
        app.until(&format!("StasisStart {id}"));
    }
    app.opens(ROOM, "mixing", &["l", "ben"]);
    let absorbed = AddOptions { absorb_dtmf: true, ..AddOptions::default() };
    app.exchange().add_channels(ROOM, &["ann"], &absorbed).unwrap();
    app.run(3_000);
    let log = &app.log;
    let keys: Vec<_> = log.iter().filter(|line| line.contains("DtmfReceived")).collect();
    assert_eq!(app.count("ChannelDtmfReceived ann 7"), 1, "the application hears it: {keys:?}");
    assert_eq!(app.count("ChannelDtmfReceived ben 8"), 1);
    assert_eq!(app.count("ChannelDtmfReceived l;2 8"), 1);
    assert_eq!(app.count("ChannelDtmfReceived l;2 7"), 0);
    assert_eq!(keys.len(), 3, "{keys:?}");
    // What an application sends to one is for that one.
    let (between, before, after) = Default::default();
    let how = DigitsHow { digits: "1".into(), duration: ms(100), between, before, after };
    app.exchange().send_digits("l", &how).unwrap();
    app.until("ChannelDtmfReceived l;2 1");
    ["ann", "ben", "l"].iter().for_each(|id| app.hangs_up(id));
    app.exchange().destroy_bridge(ROOM).unwrap();
    app.end();
}

#[test]
fn a_bridge_that_is_destroyed_while_they_talk_lets_them_go_unharmed() {
    let mut conference = Conference::of_five();
    conference.serve(5_000);
    let how = RecordHow { name: "cut".into(), ..RecordHow::default() };
    conference.app.exchange().record_bridge(ROOM, how).unwrap();
    let long = conference.app.how(&["sound:long"]);
    conference.app.exchange().play_to_bridge(ROOM, long).unwrap();
    conference.serve(500);
    conference.app.exchange().destroy_bridge(ROOM).unwrap();
    conference.serve(500);
    let app = &mut conference.app;
    let left: Vec<_> = NAMES.iter().map(|id| format!("ChannelLeftBridge {id} {ROOM}")).collect();
    assert!(left.iter().all(|line| app.count(line) == 1), "{:#?}", app.log);
    assert!(app.bridge(ROOM).is_none());
    app.was_told(&["RecordingStarted cut", "RecordingFinished cut"]);
    let long = |line: &&String| line.starts_with("PlaybackFinished") && line.contains("long");
    assert_eq!(app.log.iter().filter(long).count(), 1, "{:#?}", app.log);
    for id in NAMES {
        assert!(app.channel(id).unwrap().bridge.is_none());
    }
    app.hear(&[("ann", &[]), ("eve", &[])], &VOICES);
    // They are still the application's.
    app.plays_all("ann", &["sound:goodbye"]);
    conference.close();
}

#[test]
fn those_who_wait_hear_music_and_who_announces_but_not_each_other() {
    let phones: Vec<_> =
        NAMES.iter().zip(VOICES).map(|(name, hz)| (*name, quiet().says(hz))).collect();
    let mut app = App::new("conf", "", &phones);
    for id in NAMES {
        app.is_called(id, id);
        app.until(&format!("StasisStart {id}"));
    }
    app.opens("lobby", "holding", &["ann", "ben"]);
    app.exchange().bridge_music("lobby", Some("default")).unwrap();
    app.run(100);
    assert_eq!(app.bridge("lobby").unwrap().technology, BridgeTechnology::Holding);
    let tones = [&VOICES[..], &[MUSIC]].concat();
    app.hear(&[("ann", &[MUSIC]), ("ben", &[MUSIC])], &tones);
    let announcer = AddOptions { role: Some("announcer".into()), ..AddOptions::default() };
    app.exchange().add_channels("lobby", &["cat"], &announcer).unwrap();
    app.run(100);
    let heard = app.heard_by(&["ann", "cat"], 600);
    assert!(heard_of(&heard[0], &VOICES) == [VOICES[2]], "who announces is heard");
    assert!(heard_of(&heard[1], &VOICES).is_empty(), "and hears nobody");
    app.exchange().remove_channels("lobby", &["cat"]).unwrap();
    app.exchange().bridge_music("lobby", None).unwrap();
    app.run(100);
    app.hear(&[("ann", &[]), ("ben", &[])], &tones);
    // Music for one channel alone.
    app.exchange().music("dan", Some("default")).unwrap();
    app.run(100);
    app.hear(&[("dan", &[]), ("ben", &[])], &VOICES);
    app.hear(&[("dan", &[MUSIC]), ("ben", &[])], &[MUSIC]);
    NAMES.iter().for_each(|id| app.hangs_up(id));
    app.exchange().destroy_bridge("lobby").unwrap();
    app.end();
}
