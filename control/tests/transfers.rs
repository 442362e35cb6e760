//! Transfers: who is in a call puts the other through, to an extension or to somebody who was asked
//! before; and bridges that become one. Nobody is lost by it.

mod common;

use common::*;
use stasis_control::Refusal;
use stasis_control::channel::ChannelState;
use stasis_control::message::{
    AttendedTransfer, BlindTransfer, BridgeEvent, BridgeHappening, TransferResult,
};
use stasis_control::tech::PhoneSettings;

const ANN: f64 = 250.0;
const BOB: f64 = 850.0;
const CAT: f64 = 1_150.0;
const DAN: f64 = 1_450.0;
const ALL: [f64; 4] = [ANN, BOB, CAT, DAN];

const PLAN: &str = "
[desk]
exten => 200,1,Playback(goodbye)
same => n,UserEvent(Through${BLINDTRANSFER:0:8})
same => n,Hangup
exten => bob,1,Dial(Test/bob,5)
same => n,UserEvent(After${DIALSTATUS})
exten => cat,1,Dial(Test/cat,5,g)
same => n,UserEvent(After${DIALSTATUS})
exten => dan,1,Dial(Test/dan,5,g)
same => n,UserEvent(After${DIALSTATUS})
[closed]
exten => i,1,UserEvent(Invalid${INVALID_EXTEN})
same => n,Hangup
";

fn phones() -> [(&'static str, PhoneSettings); 4] {
    let says = |hz| quiet().says(hz);
    [("ann", says(ANN)), ("bob", says(BOB)), ("cat", says(CAT)), ("dan", says(DAN))]
}

/// An application that puts calls together, and hears of everything.
struct Office {
    app: App,
    watch: Listener,
}

impl Office {
    fn new() -> Self {
        let mut app = App::of_all("office", PLAN, &phones());
        let watch = app.stage.listen_to_all("watch");
        Office { app, watch }
    }

    /// Two are in a bridge of the application's: each a phone and the id of its channel.
    fn together(&mut self, bridge: &str, parties: [(&str, &str); 2]) {
        for (phone, id) in parties {
            self.app.is_called(phone, id);
            self.app.until(&format!("StasisStart {id}"));
        }
        self.app.opens(bridge, "mixing", &parties.map(|(_, id)| id));
        self.app.run(100);
    }

    /// One has dialed another by the dialplan; gives the id of the one who was called.
    fn dialed(&mut self, phone: &str, id: &str, exten: &str) -> String {
        self.app.comes_in(phone, id, ("desk", exten));
        self.app.run(200);
        let channels = self.app.stage.exchange.state().channels();
        let called = format!("Test/{exten}-");
        let is_it = |name: &str| name.starts_with(&called);
        // Names are numbered in the order in which channels are made.
        let called = channels.iter().filter(|channel| is_it(&channel.base.name));
        let found = called.max_by_key(|channel| &channel.base.name).unwrap();
        assert_eq!(found.state, ChannelState::Up);
        found.id().to_string()
    }

    /// What became known of transfers and merges, as it was published.
    fn bridge_events(&mut self) -> Vec<BridgeEvent> {
        let deliveries = self.watch.deliveries();
        let events = deliveries.iter().filter_map(|told| told.downcast_ref::<BridgeEvent>());
        events.cloned().collect()
    }

    fn blind(&mut self) -> Vec<(BridgeEvent, BlindTransfer)> {
        let transfer = |event: BridgeEvent| match event.event.clone() {
            BridgeHappening::BlindTransfer(it) => Some((event, *it)),
            _ => None,
        };
        self.bridge_events().into_iter().filter_map(transfer).collect()
    }

    fn attended(&mut self) -> Vec<(BridgeEvent, AttendedTransfer)> {
        let transfer = |event: BridgeEvent| match event.event.clone() {
            BridgeHappening::AttendedTransfer(it) => Some((event, *it)),
            _ => None,
        };
        self.bridge_events().into_iter().filter_map(transfer).collect()
    }

    fn close(mut self, bridges: &[&str]) {
        let channels = self.app.stage.exchange.state().channels();
        channels.iter().for_each(|channel| self.app.hangs_up_if_there(channel.id()));
        for bridge in bridges {
            self.app.exchange().destroy_bridge(bridge).unwrap();
        }
        self.app.end();
    }
}

#[test]
fn a_blind_transfer_leads_the_other_to_the_extension_at_once() {
    let mut office = Office::new();
    office.together("talk", [("ann", "a"), ("bob", "b")]);
    // What the application plays to her is over, too.
    office.app.plays("a", &["sound:long"]);
    office.app.run(100);
    let result = office.app.exchange().blind_transfer("b", "desk", "200").unwrap();
    assert_eq!(result, TransferResult::Success);
    let heard = office.app.heard_by(&["a"], 400).remove(0);
    assert_eq!(heard_of(&heard, &[450.0, 400.0, BOB]), [400.0]);
    let log = office.app.log.clone();
    for line in ["BridgeBlindTransfer b Success", "StasisEnd a", "StasisEnd b"] {
        assert!(log.iter().any(|told| told == line), "{line}: {log:#?}");
    }
    office.app.until("ChannelUserevent ThroughTest/bob");
    office.app.until("ChannelDestroyed a");
    assert_eq!(office.app.members("talk"), Vec::<String>::new());
    let [(event, it)] = &office.blind()[..] else { panic!("told once") };
    assert_eq!(event.bridge.id.to_string(), "talk");
    assert_eq!((it.context.as_str(), it.exten.as_str()), ("desk", "200"));
    assert_eq!(it.channel.id().to_string(), "b");
    assert_eq!(it.transferee.as_ref().unwrap().id().to_string(), "a");
    office.close(&["talk"]);
}

#[test]
fn a_blind_transfer_to_nowhere_is_told_and_leaves_them_together() {
    let mut office = Office::new();
    office.together("talk", [("ann", "a"), ("bob", "b")]);
    for (context, exten) in [("desk", "999"), ("nowhere", "200")] {
        let result = office.app.exchange().blind_transfer("b", context, exten).unwrap();
        assert_eq!(result, TransferResult::Invalid);
    }
    office.app.run(100);
    office.app.hear(&[("a", &[BOB]), ("b", &[ANN])], &ALL);
    let told = office.blind();
    assert_eq!(told.len(), 2);
    assert!(told.iter().all(|(_, it)| it.result == TransferResult::Invalid));
    // One that goes to where the dialplan has an answer for what is invalid.
    let result = office.app.exchange().blind_transfer("b", "closed", "999").unwrap();
    assert_eq!(result, TransferResult::Success);
    office.app.until("ChannelUserevent Invalid999");
    office.close(&["talk"]);
}

#[test]
fn only_one_of_two_can_transfer_the_other() {
    let mut office = Office::new();
    office.together("talk", [("ann", "a"), ("bob", "b")]);
    office.app.is_called("cat", "c");
    office.app.until("StasisStart c");
    let exchange = office.app.exchange();
    assert_eq!(exchange.blind_transfer("c", "desk", "200"), Err(Refusal::NotInBridge));
    assert_eq!(exchange.blind_transfer("x", "desk", "200"), Err(Refusal::NoChannel("x".into())));
    assert_eq!(exchange.attended_transfer("a", "c"), Err(Refusal::NotInBridge));
    assert!(matches!(exchange.attended_transfer("a", "b"), Err(Refusal::Transfer(_))));
    office.app.adds("talk", &["c"]);
    let three = office.app.exchange().blind_transfer("c", "desk", "200");
    assert!(matches!(three, Err(Refusal::Transfer(_))));
    assert_eq!(office.app.members("talk"), ["a", "b", "c"]);
    office.close(&["talk"]);
}

#[test]
fn who_was_dialed_puts_the_caller_through_and_the_other_way_round() {
    let mut office = Office::new();
    let bob = office.dialed("ann", "a", "bob");
    office.app.exchange().blind_transfer(&bob, "desk", "cat").unwrap();
    office.app.run(300);
    assert!(office.app.channel(&bob).is_none());
    let cat = office.app.stage.exchange.state().channels();
    let cat = cat.iter().find(|channel| channel.base.name.starts_with("Test/cat")).unwrap();
    let cat = cat.id().to_string();
    office.app.hear(&[("a", &[CAT]), (&cat, &[ANN])], &ALL);
    office.app.hangs_up(&cat);
    office.app.until("ChannelUserevent AfterANSWER");
    office.app.until("ChannelDestroyed a");
    // The caller sends who was called elsewhere.
    let bob = office.dialed("ann", "a2", "bob");
    office.app.exchange().blind_transfer("a2", "desk", "200").unwrap();
    office.app.run(100);
    assert!(office.app.channel("a2").is_none());
    assert!(office.app.channel(&bob).is_some());
    office.app.until("ChannelUserevent ThroughTest/ann");
    office.app.until(&format!("ChannelDestroyed {bob}"));
    office.close(&[]);
}

#[test]
fn an_attended_transfer_puts_two_calls_together_and_the_one_between_is_out() {
    let mut office = Office::new();
    office.together("one", [("ann", "a"), ("bob", "b1")]);
    office.together("two", [("bob", "b2"), ("cat", "c")]);
    office.app.exchange().attended_transfer("b1", "b2").unwrap();
    office.app.run(100);
    assert!(office.app.channel("b1").is_none() && office.app.channel("b2").is_none());
    assert_eq!(office.app.members("two"), ["a", "c"]);
    assert!(office.app.members("one").is_empty());
    office.app.hear(&[("a", &[CAT]), ("c", &[ANN])], &ALL);
    office.app.was_told(&[
        "BridgeAttendedTransfer b1 Success",
        "ChannelLeftBridge a one",
        "ChannelEnteredBridge a two",
        "StasisEnd b1",
        "StasisEnd b2",
    ]);
    assert_eq!(office.app.count("StasisEnd a"), 0, "she is still the application's");
    let [(event, it)] = &office.attended()[..] else { panic!("told once") };
    assert_eq!(event.bridge.id.to_string(), "one");
    let id = |channel: &stasis_control::channel::ChannelSnapshot| channel.id().to_string();
    assert_eq!((id(&it.first_leg), id(&it.second_leg)), ("b1".into(), "b2".into()));
    assert_eq!(it.transferee.as_deref().map(id).as_deref(), Some("a"));
    assert_eq!(it.target.as_deref().map(id).as_deref(), Some("c"));
    let bridges =
        [&it.second_bridge, &it.destination].map(|it| it.as_ref().unwrap().id.to_string());
    assert_eq!(bridges, ["two", "two"]);
    office.close(&["one", "two"]);
}

#[test]
fn whoever_has_asked_for_the_one_who_was_asked_hears_of_the_transfer() {
    let mut office = Office::new();
    office.together("one", [("ann", "a"), ("bob", "b1")]);
    office.together("two", [("bob", "b2"), ("cat", "c")]);
    let mut other = office.app.stage.listen("other");
    let source = "channel:c".parse().unwrap();
    office.app.exchange().subscribe("other", &[source]).unwrap();
    office.app.exchange().attended_transfer("b1", "b2").unwrap();
    office.app.run(100);
    let told = other.told();
    assert!(told.contains(&"BridgeAttendedTransfer b1 Success".to_owned()), "{told:#?}");
    office.close(&["one", "two"]);
}

#[test]
fn two_calls_of_the_dialplan_are_put_together_whoever_has_dialed() {
    // Bob was called by Ann, or has called her; and was called by Cat, or has called her.
    for (first, second) in [(true, false), (true, true), (false, false), (false, true)] {
        for hangs_up in ["ann", "cat"] {
            let mut office = Office::new();
            let (ann, b1) = match first {
                true => ("a".to_owned(), office.dialed("ann", "a", "bob")),
                false => {
                    let cat = office.dialed("bob", "b1", "dan");
                    (cat, "b1".to_owned())
                }
            };
            let (cat, b2) = match second {
                true => ("c".to_owned(), office.dialed("cat", "c", "bob")),
                false => {
                    let cat = office.dialed("bob", "b2", "cat");
                    (cat, "b2".to_owned())
                }
            };
            office.app.exchange().attended_transfer(&b1, &b2).unwrap();
            office.app.run(100);
            assert!(office.app.channel(&b1).is_none() && office.app.channel(&b2).is_none());
            let hz = if first { ANN } else { DAN };
            office.app.hear(&[(&ann, &[CAT]), (&cat, &[hz])], &ALL);
            assert_eq!(office.app.stage.exchange.state().bridges().len(), 1);
            office.app.hangs_up(if hangs_up == "ann" { &ann } else { &cat });
            office.app.run(1_000);
            let left = office.app.stage.exchange.state().channels();
            assert!(left.is_empty(), "{first} {second} {hangs_up}: {left:#?}");
            office.close(&[]);
        }
    }
}

#[test]
fn of_two_bridges_that_are_merged_one_is_left_and_all_are_in_it() {
    let mut office = Office::new();
    office.together("one", [("ann", "a"), ("bob", "b")]);
    office.together("two", [("cat", "c"), ("dan", "d")]);
    let how = office.app.how(&["sound:long"]);
    office.app.exchange().play_to_bridge("one", how).unwrap();
    office.app.run(200);
    office.app.exchange().merge_bridges("one", "two").unwrap();
    office.app.run(100);
    assert!(office.app.bridge("one").is_none());
    assert_eq!(office.app.members("two"), ["a", "b", "c", "d"]);
    assert_eq!(office.app.bridge("two").unwrap().technology.name(), "softmix");
    office.app.hear(&[("a", &[BOB, CAT, DAN]), ("d", &[ANN, BOB, CAT])], &ALL);
    office.app.was_told(&[
        "BridgeMerged two one",
        "ChannelLeftBridge a one",
        "ChannelEnteredBridge a two",
        "ChannelLeftBridge b one",
        "ChannelEnteredBridge b two",
        "BridgeDestroyed one",
    ]);
    assert_eq!(office.app.count("StasisEnd"), 0);
    assert_eq!(office.app.count("PlaybackFinished"), 1);
    office.app.opens("wait", "holding", &[]);
    let exchange = office.app.exchange();
    assert!(matches!(exchange.merge_bridges("two", "two"), Err(Refusal::Merge(_))));
    assert!(matches!(exchange.merge_bridges("two", "wait"), Err(Refusal::Merge(_))));
    assert_eq!(exchange.merge_bridges("two", "x"), Err(Refusal::NoBridge("x".into())));
    office.close(&["two", "wait"]);
}

#[test]
fn a_bridge_of_the_dialplan_that_is_destroyed_ends_its_call() {
    let mut office = Office::new();
    let cat = office.dialed("ann", "a", "cat");
    let bridge = office.app.channel("a").unwrap().bridge.clone().unwrap();
    office.app.exchange().destroy_bridge(&bridge).unwrap();
    office.app.until(&format!("ChannelDestroyed {cat}"));
    office.app.until("ChannelUserevent AfterANSWER");
    office.app.until("ChannelDestroyed a");
    office.close(&[]);
}

#[test]
fn a_bridge_of_the_dialplan_is_not_merged() {
    let mut office = Office::new();
    let cat = office.dialed("ann", "a", "cat");
    let bridge = office.app.channel("a").unwrap().bridge.clone().unwrap();
    office.together("two", [("bob", "b"), ("dan", "d")]);
    let exchange = office.app.exchange();
    assert!(matches!(exchange.merge_bridges(&bridge, "two"), Err(Refusal::Merge(_))));
    assert!(matches!(exchange.merge_bridges("two", &bridge), Err(Refusal::Merge(_))));
    office.app.hear(&[("a", &[CAT]), (&cat, &[ANN]), ("b", &[DAN])], &ALL);
    office.app.hangs_up("a");
    office.app.until(&format!("ChannelDestroyed {cat}"));
    office.close(&["two"]);
}

#[test]
fn who_was_put_into_a_call_of_the_dialplan_outlasts_it() {
    let mut office = Office::new();
    let cat = office.dialed("ann", "a", "cat");
    let bridge = office.app.channel("a").unwrap().bridge.clone().unwrap();
    office.app.is_called("dan", "d");
    office.app.until("StasisStart d");
    office.app.adds(&bridge, &["d"]);
    office.app.run(100);
    office.app.hear(&[("d", &[ANN, CAT]), ("a", &[CAT, DAN])], &ALL);
    office.app.hangs_up("a");
    office.app.hear(&[("d", &[CAT]), (&cat, &[DAN])], &ALL);
    office.app.hangs_up(&cat);
    office.app.run(100);
    assert!(office.app.bridge(&bridge).is_none());
    assert_eq!(office.app.channel("d").unwrap().bridge, None);
    office.app.plays_all("d", &["sound:goodbye"]);
    office.close(&[]);
}

#[test]
fn whoever_a_transfer_has_left_alone_in_an_applications_bridge_ends_with_it() {
    // Ann has dialed Bob, or was called by him; he puts her through to Cat, whom an application has.
    for ann_dials in [true, false] {
        let mut office = Office::new();
        let (ann, bob) = match ann_dials {
            true => ("a".to_owned(), office.dialed("ann", "a", "bob")),
            false => (office.dialed("bob", "b1", "dan"), "b1".to_owned()),
        };
        office.together("two", [("bob", "b2"), ("cat", "c")]);
        office.app.exchange().attended_transfer(&bob, "b2").unwrap();
        office.app.run(100);
        assert_eq!(office.app.members("two").len(), 2);
        // The application takes Cat out, and closes the bridge: Ann has nobody who sees to her.
        office.app.exchange().destroy_bridge("two").unwrap();
        office.app.until(&format!("ChannelDestroyed {ann}"));
        assert!(office.app.channel("c").is_some(), "the application has Cat still");
        office.close(&[]);
    }
}
