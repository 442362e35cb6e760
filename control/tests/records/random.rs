//! Whatever happens, in whatever order it is told, and whatever of it is lost.

use std::collections::BTreeSet;
use std::sync::Arc;

use proptest::prelude::*;
use stasis_control::channel::ChannelState;
use stasis_control::id::ChannelId;
use stasis_control::message::{ChannelHappening, DialStatus};
use stasis_control::records::cel::{CelEvent, CelSettings, Watched};

use crate::kit::{World, everything};

const CHANNELS: [&str; 5] = ["a", "b", "c", "d", "e"];
const BRIDGES: [&str; 2] = ["br1", "br2"];
const STATUSES: [DialStatus; 6] = [
    DialStatus::Begun,
    DialStatus::Ringing,
    DialStatus::Answer,
    DialStatus::Busy,
    DialStatus::NoAnswer,
    DialStatus::Unavailable,
];

/// What happens, to whom, and with what.
type Step = (u8, usize, usize, usize);

fn steps() -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec((0..15_u8, 0..5_usize, 0..5_usize, 0..6_usize), 0..60)
}

fn world() -> World {
    World::new(everything(), CelSettings { applications: Watched::All, ..CelSettings::default() })
}

/// Something happens, whether the channel is there or not.
fn happen(w: &mut World, (what, who, whom, how): Step) {
    let (id, other, bridge) = (CHANNELS[who], CHANNELS[whom], BRIDGES[how % 2]);
    w.wait(300);
    match what {
        0 => w.make(id, &format!("T/{id}"), id, ChannelState::Ring, "x"),
        1 => w.state(id, [ChannelState::Down, ChannelState::Ringing, ChannelState::Up][how % 3]),
        2 => w.step(id, ["", "Dial", "Wait", "Stasis", "AppDial", "AppDial2"][how], "1"),
        3 => w.gone(id, [0, 16, 17, 19, 34, 127][how], ""),
        4 => w.dial(Some(id), other, STATUSES[how]),
        5 => w.dial(None, id, STATUSES[how]),
        6 | 7 => w.enter(bridge, id),
        8 => w.leave(bridge, id),
        9 => w.destroy(bridge),
        10 => w.stasis(id, other, how % 2 == 0),
        11 => w.set(id, "DIALSTATUS", "X"),
        12 => w.goto(id, ["", "h", "1"][how % 3]),
        13 => w.happens(id, ChannelHappening::DtmfEnd { digit: '1', duration_ms: 1 }),
        _ => w.change(id, |channel| {
            Arc::make_mut(&mut channel.base).linked_id = ChannelId::new(other).unwrap();
        }),
    }
}

fn count(w: &World, id: &str, event: CelEvent) -> usize {
    w.cel.iter().filter(|record| record.event == event && record.uniqueid == id).count()
}

fn all_gone(w: &mut World) {
    let there: Vec<_> = w.channels.keys().cloned().collect();
    there.iter().for_each(|id| w.gone(id, 16, ""));
}

proptest! {
    #[test]
    fn nothing_is_kept_of_channels_that_are_gone_whatever_was_told(steps in steps()) {
        let mut w = world();
        steps.into_iter().for_each(|step| happen(&mut w, step));
        all_gone(&mut w);
        w.assert_nothing_is_kept();
        for id in CHANNELS {
            // Each life has its beginning and its end, in turn.
            let ends = |event: CelEvent| matches!(event, CelEvent::ChanStart | CelEvent::ChanEnd);
            let of_it = w.cel.iter().filter(|r| r.uniqueid == id && ends(r.event));
            let lives: Vec<_> = of_it.map(|record| record.event).collect();
            for life in lives.chunks(2) {
                prop_assert_eq!(life, &[CelEvent::ChanStart, CelEvent::ChanEnd]);
            }
        }
        let starts = w.cel.iter().filter(|r| r.event == CelEvent::AppStart).count();
        prop_assert_eq!(starts, w.cel.iter().filter(|r| r.event == CelEvent::AppEnd).count());
        for record in &w.cdr {
            prop_assert!(record.start <= record.end && record.billsec <= record.duration);
            prop_assert_eq!(record.answer.is_some(), record.disposition.name() == "ANSWERED");
        }
        let sequences: BTreeSet<_> = w.cdr.iter().map(|record| record.sequence).collect();
        prop_assert_eq!(sequences.len(), w.cdr.len());
    }

    #[test]
    fn channels_that_come_and_go_once_are_told_of_once(steps in steps()) {
        let mut w = world();
        let (mut met, mut answered) = (BTreeSet::new(), BTreeSet::new());
        for id in CHANNELS {
            w.make(id, &format!("T/{id}"), id, ChannelState::Ring, "x");
        }
        for step in steps {
            let (what, who, whom, how) = step;
            let (id, other) = (CHANNELS[who], CHANNELS[whom]);
            let is_there = |id: &str| w.channels.contains_key(id);
            if what == 0 || !is_there(id) || (what == 4 && !is_there(other)) {
                continue;
            }
            match what {
                1 if how % 3 == 2 => answered.extend([id]),
                5 if STATUSES[how] == DialStatus::Answer => answered.extend([id]),
                4 => met.extend([id, other]),
                6 | 7 => met.extend([id]),
                _ => {}
            }
            happen(&mut w, step);
        }
        all_gone(&mut w);
        w.assert_nothing_is_kept();
        for id in CHANNELS {
            for event in [CelEvent::ChanStart, CelEvent::Hangup, CelEvent::ChanEnd] {
                prop_assert_eq!(count(&w, id, event), 1);
            }
            let of_it: Vec<_> = w.cdr.iter().filter(|record| record.uniqueid == id).collect();
            if !met.contains(id) {
                prop_assert_eq!(of_it.len(), 1);
                prop_assert_eq!(of_it[0].answer.is_some(), answered.contains(id));
            }
        }
        let ends = w.cel.iter().filter(|record| record.event == CelEvent::LinkedIdEnd);
        prop_assert!(ends.count() >= 1);
    }
}
