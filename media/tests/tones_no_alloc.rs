//! Who listens for tones neither allocates nor frees, nor does a leg that is given a detector, another,
//! or none.

mod common {
    pub mod alloc;
    pub mod room;
}

use common::alloc::{NONE, counts_of};
use common::room::Room;
use stasis_media::codec::Codec;
use stasis_media::engine::Order;
use stasis_media::event::{ToneDetected, ToneEnded};
use stasis_media::frame::SampleRate;
use stasis_media::sound::tone;
use stasis_media::tone::{ToneDetector, ToneEvent, ToneName, ToneSpec};

fn specs() -> Vec<ToneSpec> {
    let busy = ToneSpec::of_country(ToneName::Busy, "us").unwrap();
    let ring = ToneSpec::of_country(ToneName::Ring, "au").unwrap();
    let info = ToneSpec::of_country(ToneName::Info, "fr").unwrap();
    vec![busy, ring, info, ToneSpec::fax_calling(), ToneSpec::fax_answer()]
}

#[test]
fn a_detector_allocates_nothing_at_any_rate() {
    for rate in SampleRate::ALL {
        let mut detector = ToneDetector::new(rate, &specs()).unwrap();
        let sounds = [("busy", "us"), ("ring", "au"), ("info", "fr")]
            .map(|(name, country)| tone(name, country).unwrap().render(rate));
        let mut began = 0;
        let counts = counts_of(|| {
            for pcm in &sounds {
                for frame in std::iter::repeat_n(pcm.samples(), 5).flat_map(|all| all.chunks(777)) {
                    detector.feed(frame, &mut |event| {
                        began += u32::from(matches!(event, ToneEvent::Began { .. }));
                    });
                }
            }
        });
        assert_eq!((counts, began), (NONE, 3), "at {rate}");
    }
}

#[test]
fn a_leg_is_given_detectors_and_gives_them_back_whole() {
    let mut room = Room::new();
    let mut events = room.topic.subscribe().capacity(64).pull().unwrap();
    let mut phone = room.add_phone(0, Codec::PCMA);
    let detector = || Some(Box::new(ToneDetector::new(SampleRate::Hz8000, &specs()).unwrap()));
    let mut orders = [detector(), detector(), None, detector()].map(Some);
    let busy = tone("busy", "us").unwrap().render(SampleRate::Hz8000);
    for order in &mut orders {
        let counts = counts_of(|| {
            room.order(Order::DetectTones(phone.id, order.take().unwrap()));
            for tick in std::iter::repeat_n(busy.samples(), 5).flat_map(|all| all.chunks_exact(160))
            {
                phone.say(tick, &mut room);
                room.tick([&mut phone]);
            }
        });
        assert_eq!(counts, NONE);
    }
    let leg = phone.id;
    assert_eq!(counts_of(|| room.order(Order::RemoveLeg(leg))), NONE);
    let (mut detected, mut ended) = (0, 0);
    while let Ok(event) = events.try_recv() {
        detected += u32::from(event.downcast_ref::<ToneDetected>().is_some());
        ended += u32::from(event.downcast_ref::<ToneEnded>().is_some());
    }
    assert_eq!((detected, ended), (3, 0), "a detector that is taken away says nothing more");
}
