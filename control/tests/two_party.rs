//! Two who talk to each other: put together by an application, or by the dialplan alone.

mod common;

use common::*;
use stasis_control::bridge::BridgeTechnology;
use stasis_control::channel::ChannelState;
use stasis_control::media::Way;
use stasis_control::message::{ChannelEvent, ChannelHappening};
use stasis_control::tech::{Answers, PhoneSettings};
use stasis_control::{DigitsHow, Exchange};

/// What Alice and Bob say.
const ALICE: f64 = 300.0;
const BOB: f64 = 900.0;
const BOTH: [f64; 2] = [ALICE, BOB];

fn alice() -> PhoneSettings {
    quiet().says(ALICE)
}

fn bob() -> PhoneSettings {
    quiet().says(BOB)
}

/// The application: who calls in is put through to Bob.
struct Switchboard(App);

impl Switchboard {
    fn new(alice: PhoneSettings, bob: PhoneSettings) -> Self {
        Switchboard(App::new("switch", "", &[("alice", alice), ("bob", bob)]))
    }

    /// Alice calls, Bob answers, and they are in one bridge.
    fn put_through(mut self) -> App {
        let app = &mut self.0;
        app.is_called("alice", "a");
        assert_eq!(app.until("StasisStart"), "a");
        app.exchange().ring("a", true).unwrap();
        app.calls("Test/bob", "b", ms(10_000));
        assert_eq!(app.until("StasisStart"), "b called");
        app.opens("talk", "mixing", &["a", "b"]);
        self.0
    }
}

#[test]
fn an_application_puts_one_through_to_another_and_both_hear_each_other() {
    let mut app = Switchboard::new(alice(), bob().answers_after(2_000)).put_through();
    let (a, b) = (app.channel("a").unwrap(), app.channel("b").unwrap());
    assert_eq!((a.state, b.state), (ChannelState::Up, ChannelState::Up));
    assert_eq!(a.bridge.as_ref().map(ToString::to_string).as_deref(), Some("talk"));
    assert_eq!(app.members("talk"), ["a", "b"]);
    assert_eq!(app.bridge("talk").unwrap().technology, BridgeTechnology::Simple);
    assert_eq!(b.connected.number, "alice");
    assert_eq!((app.device("Test/alice"), app.device("Test/bob")), ("INUSE", "INUSE"));
    app.hear(&[("a", &[BOB]), ("b", &[ALICE])], &BOTH);
    app.hangs_up("a");
    assert_eq!(app.until("StasisEnd"), "a");
    app.hangs_up("b");
    app.exchange().destroy_bridge("talk").unwrap();
    app.run(20);
    app.was_told(&[
        "StasisStart a",
        "Dial b",
        "ChannelStateChange b Ringing",
        "Dial b RINGING",
        "ChannelStateChange b Up",
        "Dial b ANSWER",
        "StasisStart b called",
        "ChannelStateChange a Up",
        "ChannelEnteredBridge a talk",
        "ChannelEnteredBridge b talk",
        "ChannelHangupRequest a 32 soft",
        "ChannelLeftBridge a talk",
        "StasisEnd a",
        "ChannelHangupRequest b 32 soft",
        "ChannelLeftBridge b talk",
        "StasisEnd b",
        "BridgeDestroyed talk",
    ]);
    app.end();
}

#[test]
fn who_hangs_up_leaves_the_other_to_the_application() {
    let mut app = Switchboard::new(alice().hangs_up_after(3_000), bob()).put_through();
    assert_eq!(app.until("ChannelHangupRequest"), "a 16");
    assert_eq!(app.until("StasisEnd"), "a");
    assert!(app.channel("a").is_none());
    assert_eq!(app.members("talk"), ["b"], "it is not hung up by itself");
    app.run(5_000);
    assert_eq!(app.members("talk"), ["b"]);
    app.hangs_up("b");
    app.exchange().destroy_bridge("talk").unwrap();
    app.end();
}

/// A party that the application plays, too: what comes to the channel `l` is told of `l;2`.
fn with_far_end(phones: &[(&str, PhoneSettings)]) -> App {
    let plan = "[wait]\nexten => s,1,Answer\nsame => n,Stasis(switch,far)\n";
    let mut app = App::new("switch", plan, phones);
    app.calls("Local/s@wait/n", "l", ms(5_000));
    app.until("StasisStart l;2 far");
    app.until("StasisStart l called");
    app
}

#[test]
fn keys_of_one_reach_the_application_and_the_other_party() {
    let mut app = with_far_end(&[("alice", quiet().presses(1_000, "5"))]);
    app.is_called("alice", "a");
    app.until("StasisStart a");
    app.opens("talk", "mixing", &["a", "l"]);
    assert_eq!(app.until("ChannelDtmfReceived a"), "5 100");
    assert_eq!(app.until("ChannelDtmfReceived l;2"), "5 100");
    // What the application sends is for the party of that channel only.
    let (before, between, after) = (ms(300), ms(100), ms(0));
    let (digits, duration) = ("1w#".into(), ms(400));
    let how = DigitsHow { digits, duration, between, before, after };
    app.exchange().send_digits("l", &how).unwrap();
    assert_eq!(app.until("ChannelDtmfReceived l;2"), "1 400");
    assert_eq!(app.until("ChannelDtmfReceived l;2"), "# 400");
    assert_eq!(app.count("ChannelDtmfReceived a"), 1);
    app.hangs_up("a");
    app.hangs_up("l");
    app.exchange().destroy_bridge("talk").unwrap();
    app.end();
}

#[test]
fn one_who_is_muted_is_not_heard_and_one_who_is_shut_out_hears_nothing() {
    let mut app = Switchboard::new(alice(), bob()).put_through();
    app.exchange().mute("a", Way::In, true).unwrap();
    app.hear(&[("a", &[BOB]), ("b", &[])], &BOTH);
    app.exchange().mute("a", Way::In, false).unwrap();
    app.exchange().mute("a", Way::Out, true).unwrap();
    app.hear(&[("a", &[]), ("b", &[ALICE])], &BOTH);
    app.exchange().mute("a", Way::Both, true).unwrap();
    app.hear(&[("a", &[]), ("b", &[])], &BOTH);
    app.exchange().mute("a", Way::Both, false).unwrap();
    app.hear(&[("a", &[BOB]), ("b", &[ALICE])], &BOTH);
    app.hangs_up("a");
    app.hangs_up("b");
    app.exchange().destroy_bridge("talk").unwrap();
    app.end();
}

#[test]
fn hold_is_told_by_the_device_and_by_the_other_half_of_a_pair() {
    let mut app = with_far_end(&[("bob", bob())]);
    app.calls("Test/bob", "b", ms(5_000));
    app.until("StasisStart b");
    app.opens("one", "mixing", &["l;2"]);
    app.opens("other", "mixing", &["l", "b"]);
    for (held, event, state) in
        [(true, "ChannelHold l;2", "ONHOLD"), (false, "ChannelUnhold l;2", "INUSE")]
    {
        app.exchange().hold("l", held).unwrap();
        app.exchange().hold("b", held).unwrap();
        app.until(event);
        assert_eq!(app.device("Test/bob"), state);
    }
    app.hangs_up("l");
    assert_eq!(app.until("ChannelDestroyed l;2"), "16");
    app.hangs_up("b");
    app.exchange().destroy_bridge("one").unwrap();
    app.exchange().destroy_bridge("other").unwrap();
    app.end();
}

/// What a dialplan has to say of a call.
const DIAL: &str = "
[in]
exten => bob,1,Dial(Test/bob,5,g)
same => n,UserEvent(After${DIALSTATUS})
same => n,Hangup
exten => strict,1,Dial(Test/bob,5)
same => n,UserEvent(After${DIALSTATUS})
same => n,Hangup
exten => h,1,UserEvent(Gone${DIALSTATUS})
exten => two,1,Dial(Test/bob&Test/carol,5)
exten => nobody,1,Dial(Test/nobody,5)
same => n,UserEvent(After${DIALSTATUS})
exten => pair,1,Dial(Local/bob@far)
exten => keep,1,Dial(Local/bob@far/n)
exten => pairs,1,Dial(Local/pair@in)
[far]
exten => bob,1,Dial(Test/bob)
";

fn dialed(exten: &str, phones: &[(&str, PhoneSettings)]) -> App {
    let mut app = App::of_all("all", DIAL, phones);
    app.comes_in("alice", "a", ("in", exten));
    app
}

#[test]
fn a_channel_that_is_called_may_call_by_the_dialplan_and_end_before_its_own_time_is_up() {
    let plan = format!("{DIAL}\n[wait]\nexten => s,1,Stasis(all,far)\n");
    let mut app = App::new("all", &plan, &[("bob", bob().hangs_up_after(500))]);
    app.exchange().create(new_call("Local/s@wait/n", "l"), "all", Vec::new()).unwrap();
    app.exchange().dial_channel("l", None, Some(ms(3_000))).unwrap();
    app.until("StasisStart l;2 far");
    let place = (Some("in"), Some("strict"));
    app.exchange().continue_in_dialplan("l", place.0, place.1, None, None).unwrap();
    app.until("ChannelDestroyed l");
    app.run(5_000);
    app.end();
}

/// The id of the last channel that was made for a phone.
fn channel_of(app: &App, phone: &str) -> String {
    let channels = app.stage.exchange.state().channels();
    let is_its = |name: &str| name.starts_with(&format!("Test/{phone}-"));
    let found = channels.iter().find(|channel| is_its(&channel.base.name));
    found.unwrap_or_else(|| panic!("{phone} is in no call")).id().to_string()
}

#[test]
fn the_dialplan_puts_through_who_answers_and_goes_on_when_they_hang_up() {
    let bob = bob().answers_after(1_000).hangs_up_after(4_000);
    let mut app = dialed("bob", &[("alice", alice()), ("bob", bob)]);
    app.run(500);
    let bob = channel_of(&app, "bob");
    assert_eq!(app.channel(&bob).unwrap().state, ChannelState::Ringing);
    assert_eq!((app.device("Test/bob"), app.device("Test/alice")), ("RINGING", "UNKNOWN"));
    app.until(&format!("Dial {bob} ANSWER"));
    app.run(20);
    app.hear(&[("a", &[BOB]), (&bob, &[ALICE])], &BOTH);
    let bridge = app.channel("a").unwrap().bridge.clone().unwrap();
    assert_eq!(app.bridge(&bridge).unwrap().class, "basic");
    app.until("ChannelUserevent AfterANSWER");
    app.until("ChannelDestroyed a");
    let answered = |line: &String| line.starts_with("ChannelVarset a ANSWEREDTIME=4");
    assert!(app.log.iter().any(answered), "{:#?}", app.log);
    let (dial, ring) = (format!("Dial {bob}"), format!("Dial {bob} RINGING"));
    let request = format!("ChannelHangupRequest {bob} 16");
    app.was_told(&[&dial, &ring, "ChannelVarset a DIALSTATUS=ANSWER", &request]);
    assert_eq!(app.count("BridgeDestroyed"), 1);
    app.end();
}

#[test]
fn who_called_by_the_dialplan_ends_with_the_call_where_it_is_not_to_go_on() {
    let bob = bob().hangs_up_after(1_000);
    let mut app = dialed("strict", &[("alice", alice()), ("bob", bob)]);
    app.until("ChannelUserevent GoneANSWER");
    assert_eq!(app.until("ChannelDestroyed a"), "16");
    assert_eq!(app.count("ChannelUserevent After"), 0);
    app.end();
}

#[test]
fn a_caller_who_hangs_up_ends_the_call_of_the_dialplan() {
    let mut app = dialed("bob", &[("alice", alice().hangs_up_after(1_000)), ("bob", bob())]);
    app.run(500);
    let bob = channel_of(&app, "bob");
    assert_eq!(app.until(&format!("ChannelDestroyed {bob}")), "16");
    assert_eq!(app.count("ChannelUserevent After"), 0);
    app.until("ChannelUserevent GoneANSWER");
    app.end();
}

#[test]
fn whoever_does_not_answer_is_told_by_the_status() {
    use Answers::{Busy, Congestion, Never, Rejects};
    let cases = [(Busy, "BUSY"), (Never, "NOANSWER"), (Congestion, "CONGESTION")];
    for (answers, status) in cases.into_iter().chain([(Rejects, "NOANSWER")]) {
        let mut app = dialed("bob", &[("alice", alice()), ("bob", that(answers))]);
        app.until(&format!("ChannelUserevent After{status}"));
        app.until("ChannelDestroyed a");
        let mut told = app.log.iter().filter(|line| line.starts_with("Dial "));
        let last = told.next_back().unwrap();
        assert!(last.ends_with(status), "{answers:?}: {last}");
        assert_eq!(app.count("BridgeCreated"), 0);
        assert!(app.count("ChannelStateChange a Up") == 0, "the caller was never answered");
        app.end();
    }
    let mut app = dialed("nobody", &[("alice", alice())]);
    app.until("ChannelUserevent AfterCHANUNAVAIL");
    app.end();
}

#[test]
fn a_caller_who_gives_up_while_it_rings_cancels_the_call() {
    let mut app = dialed("bob", &[("alice", alice()), ("bob", that(Answers::Never))]);
    app.run(1_000);
    let bob = channel_of(&app, "bob");
    app.hangs_up("a");
    app.until(&format!("Dial {bob} CANCEL"));
    app.until(&format!("ChannelDestroyed {bob}"));
    app.until("ChannelDestroyed a");
    assert_eq!(app.count("ChannelUserevent After"), 0);
    app.end();
}

#[test]
fn of_two_who_are_called_at_once_the_first_has_the_call_and_the_other_stops_ringing() {
    let phones = [
        ("alice", alice()),
        ("bob", that(Answers::Never)),
        ("carol", bob().answers_after(1_000).hangs_up_after(2_000)),
    ];
    let mut app = dialed("two", &phones);
    app.run(500);
    let (bob, carol) = (channel_of(&app, "bob"), channel_of(&app, "carol"));
    assert_eq!((app.device("Test/bob"), app.device("Test/carol")), ("RINGING", "RINGING"));
    app.until(&format!("Dial {carol} ANSWER"));
    app.until(&format!("Dial {bob} CANCEL"));
    assert_eq!(app.until(&format!("ChannelDestroyed {bob}")), "26", "answered elsewhere");
    app.run(20);
    app.hear(&[("a", &[BOB]), (&carol, &[ALICE])], &BOTH);
    app.until("ChannelDestroyed a");
    app.end();
}

/// Alice has called Bob through Local channels, by this extension.
fn through_pairs(exten: &str, alice: PhoneSettings, bob: PhoneSettings) -> (App, String) {
    let mut app = dialed(exten, &[("alice", alice), ("bob", bob.answers_after(500))]);
    app.run(1_000);
    let bob = channel_of(&app, "bob");
    (app, bob)
}

fn locals(exchange: &Exchange) -> usize {
    let channels = exchange.state().channels();
    channels.iter().filter(|channel| channel.base.name.starts_with("Local/")).count()
}

#[test]
fn pairs_that_may_be_left_out_are_and_the_two_hear_each_other() {
    for exten in ["pair", "pairs"] {
        let (mut app, bob) = through_pairs(exten, alice(), bob());
        assert_eq!(locals(&app.stage.exchange), 0, "{exten}: {:#?}", app.log);
        let bridges = app.stage.exchange.state().bridges();
        assert_eq!(bridges.len(), 1, "{exten}");
        assert_eq!(bridges[0].channels.len(), 2);
        app.hear(&[("a", &[BOB]), (&bob, &[ALICE])], &BOTH);
        app.hangs_up("a");
        app.until(&format!("ChannelDestroyed {bob}"));
        app.end();
        // The same, and Bob hangs up.
        let (mut app, bob) = through_pairs(exten, alice(), self::bob());
        app.hangs_up(&bob);
        app.until("ChannelDestroyed a");
        app.end();
    }
}

#[test]
fn that_a_pair_is_left_out_is_told_once() {
    let mut app = App::new("all", DIAL, &[("alice", alice()), ("bob", bob())]);
    let mut all = app.stage.listen_to_all("watch");
    app.comes_in("alice", "a", ("in", "pair"));
    app.run(1_000);
    let deliveries = all.deliveries();
    let events = deliveries.iter().filter_map(|delivery| delivery.downcast_ref::<ChannelEvent>());
    let left_out: Vec<_> = events
        .filter_map(|event| match &event.event {
            ChannelHappening::LocalOptimized { other } => Some((event.channel.clone(), other)),
            _ => None,
        })
        .collect();
    let [(one, other)] = &left_out[..] else { panic!("{left_out:?}") };
    let mut names = [one.base.name.clone(), other.base.name.clone()];
    names.sort();
    assert!(one.base.name.starts_with("Local/bob@far-"));
    assert!(names[0].ends_with(";1") && names[1].ends_with(";2"), "{names:?}");
    app.hangs_up("a");
    app.end();
}

#[test]
fn a_pair_that_is_to_stay_stays() {
    let (mut app, bob) = through_pairs("keep", alice(), bob().hangs_up_after(4_000));
    assert_eq!(locals(&app.stage.exchange), 2);
    assert_eq!(app.stage.exchange.state().bridges().len(), 2);
    app.hear(&[("a", &[BOB]), (&bob, &[ALICE])], &BOTH);
    app.until("ChannelDestroyed a");
    assert_eq!(locals(&app.stage.exchange), 0);
    app.end();
}
