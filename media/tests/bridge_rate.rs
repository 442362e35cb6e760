//! A bridge's rate, as the control side chooses it: on a running media thread.

use std::net::SocketAddr;
use std::time::Duration;

use stasis_bus::{Bus, Settings};
use stasis_media::codec::{Codec, EncodeSettings};
use stasis_media::event::BridgeRateChanged;
use stasis_media::frame::SampleRate;
use stasis_media::io::{BridgeRate, BridgeSettings, Media, MediaSettings, RtpLeg};
use stasis_media::rtp::{Payloads, ReceiveSettings};
use stasis_media::wav::{Pcm, Player, Repeat};

const NARROW: SampleRate = SampleRate::Hz8000;
const MIDDLE: SampleRate = SampleRate::Hz16000;
const WIDE: SampleRate = SampleRate::Hz48000;

#[test]
fn a_bridge_has_the_highest_rate_that_a_leg_in_it_can_use_and_everything_comes_back() {
    let bus = Bus::new(Settings::default()).unwrap();
    let topic = bus.topic("t");
    let mut events = topic.subscribe().accept::<BridgeRateChanged>().pull().unwrap();
    let media = Media::start(&bus, MediaSettings::default()).unwrap();
    let automatic = media.add_bridge(BridgeSettings::default(), &topic).unwrap();
    let rate = BridgeRate::Automatic { most: MIDDLE };
    let capped = media.add_bridge(BridgeSettings { rate, ..Default::default() }, &topic).unwrap();
    let fixed = media.add_bridge(NARROW, &topic).unwrap();
    let leg = |codec: Codec| {
        let payloads = Payloads::of(&[codec]).unwrap();
        let receive = ReceiveSettings { payloads, ..Default::default() };
        let local = SocketAddr::from(([127, 0, 0, 1], 0));
        let leg = RtpLeg { local, receive, encoding: EncodeSettings::default(), ssrc: 7 };
        media.add_rtp_leg(leg, &topic).unwrap().0
    };
    let legs = [Codec::PCMU, Codec::G722, Codec::L16.at(WIDE).unwrap()].map(leg);
    let sound = Pcm::new(NARROW, vec![100; 8_000]);
    media.play(automatic, Player::new(sound, Repeat::Forever)).unwrap();
    let _samples = media.tap(automatic, SampleRate::Hz48000, 1).unwrap();
    let rates = || [automatic, capped, fixed].map(|bridge| media.bridge_rate(bridge).unwrap());
    assert_eq!(rates(), [NARROW; 3]);
    // Who goes where, and what the three bridges mix at from then on.
    for (leg, bridge, wanted) in [
        (0, automatic, [NARROW, NARROW, NARROW]),
        (1, automatic, [MIDDLE, NARROW, NARROW]),
        (2, automatic, [WIDE, NARROW, NARROW]),
        (2, capped, [MIDDLE, MIDDLE, NARROW]),
        (1, fixed, [NARROW, MIDDLE, NARROW]),
    ] {
        media.join(legs[leg], bridge).unwrap();
        assert_eq!(rates(), wanted);
    }
    // The last change of the first bridge, by way of which it got there or not, is told of.
    let mut settled = false;
    while !settled {
        let told = events.recv_timeout(Duration::from_secs(10)).expect("it is told of");
        let change = told.downcast_ref::<BridgeRateChanged>();
        settled = change.is_some_and(|change| (change.bridge, change.to) == (automatic, NARROW));
    }
    media.clear();
    assert_eq!(media.reap(), 0, "nothing stays over there");
}
