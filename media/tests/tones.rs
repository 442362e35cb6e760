//! Tones of networks and fax machines are told by frequency, level and rhythm, and nothing else is
//! taken for one.

mod common {
    pub mod room;
}

use std::net::SocketAddr;

use common::room::{Room, SILENCE};
use stasis_bus::{Bus, Settings};
use stasis_media::codec::{Codec, EncodeSettings};
use stasis_media::dtmf::{Dbm0, Digit, ToneGenerator};
use stasis_media::engine::{Order, Retired};
use stasis_media::event::{ToneDetected, ToneEnded};
use stasis_media::frame::SampleRate;
use stasis_media::io::{ControlError, Media, MediaSettings, RtpLeg};
use stasis_media::rtp::ReceiveSettings;
use stasis_media::sound::{Cadence, tone};
use stasis_media::tone::{ToneDetector, ToneEvent, ToneName, ToneSpec, ToneSpecError};
use stasis_media::wav::Pcm;

const RATE: SampleRate = SampleRate::Hz8000;
const COUNTRIES: [&str; 14] =
    ["au", "br", "ch", "cn", "de", "es", "fr", "gb", "in", "it", "jp", "nl", "se", "us"];
const PROGRESS: [ToneName; 5] =
    [ToneName::Dial, ToneName::Busy, ToneName::Ring, ToneName::Congestion, ToneName::Info];
/// What [`Cadence::render`] makes.
const LEVEL: f32 = -14.0;

/// A cadence for so long, and a little silence before and behind it.
fn played(cadence: &Cadence, rate: SampleRate, ms: u32) -> Vec<i16> {
    let (pcm, from) = (cadence.render(rate), cadence.repeats_at(rate));
    let samples = pcm.samples();
    let again = samples[from.unwrap_or(samples.len())..].iter().cycle();
    let wanted = (ms * (rate.hz() / 1_000)) as usize;
    let silence = std::iter::repeat_n(&0, rate.hz() as usize / 5);
    let ends = std::iter::repeat_n(&0, if from.is_some() { wanted } else { 0 });
    let sound = samples.iter().chain(again).chain(ends).take(wanted);
    silence.clone().chain(sound).chain(silence).copied().collect()
}

fn scaled(samples: &[i16], db: f32) -> Vec<i16> {
    let gain = 10f32.powf(db / 20.0);
    samples.iter().map(|&s| (f32::from(s) * gain) as i16).collect()
}

/// The same noise every time, whose power is so many dB below that of the tone.
fn noisy(samples: &[i16], snr_db: f32) -> Vec<i16> {
    let peak = Dbm0(LEVEL - snr_db).peak() * 1.5f32.sqrt(); // of an even distribution
    let mut state = 1u32;
    let mut noise = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    samples.iter().map(|&s| (f32::from(s) + peak * noise()) as i16).collect()
}

/// Once through a codec.
fn coded(samples: &[i16], codec: Codec) -> Vec<i16> {
    let mut encoder = codec.encoder(&EncodeSettings::default());
    let mut decoder = codec.decoder();
    let (mut payload, mut all) = ([0; 160], Vec::new());
    for tick in samples.chunks_exact(160) {
        let length = encoder.encode(tick, &mut payload);
        let mut out = SILENCE;
        decoder.decode(&payload[..length], &mut out);
        all.extend_from_slice(&out);
    }
    all
}

fn heard(specs: &[ToneSpec], samples: &[i16], rate: SampleRate) -> Vec<ToneEvent> {
    let mut detector = ToneDetector::new(rate, specs).unwrap();
    let mut events = Vec::new();
    for frame in samples.chunks(163) {
        detector.feed(frame, &mut |event| events.push(event));
    }
    events
}

fn began(events: &[ToneEvent]) -> Vec<ToneName> {
    let name = |event: &ToneEvent| match event {
        ToneEvent::Began { tone, .. } => Some(*tone),
        ToneEvent::Ended { .. } => None,
    };
    events.iter().filter_map(name).collect()
}

fn plan(country: &str) -> Vec<ToneSpec> {
    PROGRESS.map(|name| ToneSpec::of_country(name, country).unwrap()).to_vec()
}

#[test]
fn each_tone_of_a_network_is_told_from_its_others() {
    for country in COUNTRIES {
        for name in PROGRESS {
            let cadence = tone(&name.to_string(), country).unwrap();
            // Japan and Australia have the same tone for both.
            let alike = |other: &ToneName| tone(&other.to_string(), country).unwrap() == cadence;
            let expected: Vec<ToneName> = PROGRESS.into_iter().filter(alike).collect();
            let clean = played(&cadence, RATE, 15_000);
            for (what, samples) in [
                ("clean", clean.clone()),
                ("in noise", noisy(&clean, 15.0)),
                ("softly", scaled(&clean, -26.0)),
                ("loudly", scaled(&clean, 13.9)),
                ("softly in µ-law", coded(&scaled(&clean, -26.0), Codec::PCMU)),
                ("softly in A-law", coded(&scaled(&clean, -26.0), Codec::PCMA)),
                ("loudly in A-law", coded(&scaled(&clean, 13.9), Codec::PCMA)),
            ] {
                assert_eq!(
                    began(&heard(&plan(country), &samples, RATE)),
                    expected,
                    "{country} {name} {what}"
                );
            }
        }
    }
}

#[test]
fn a_network_is_heard_at_every_rate_and_in_frames_of_any_length() {
    for rate in SampleRate::ALL {
        for name in PROGRESS {
            let samples = played(&tone(&name.to_string(), "us").unwrap(), rate, 15_000);
            let events = heard(&plan("us"), &samples, rate);
            assert_eq!(began(&events), [name], "at {rate}");
            let mut detector = ToneDetector::new(rate, &plan("us")).unwrap();
            let mut again = Vec::new();
            for frame in
                samples.chunks(1).take(samples.len() / 2).chain([&samples[samples.len() / 2..]])
            {
                detector.feed(frame, &mut |event| again.push(event));
            }
            assert_eq!(again, events, "at {rate}");
        }
    }
}

#[test]
fn a_tone_has_its_place_its_length_and_its_level() {
    let busy = [ToneSpec::of_country(ToneName::Busy, "us").unwrap()];
    let samples = played(&tone("busy", "us").unwrap(), RATE, 10_000);
    let quiet = [samples, vec![0; 16_000]].concat();
    for (db, level) in [(0.0, LEVEL), (-20.0, LEVEL - 20.0), (10.0, LEVEL + 10.0)] {
        let events = heard(&busy, &scaled(&quiet, db), RATE);
        let [
            ToneEvent::Began { at, level: first, .. },
            ToneEvent::Ended { at: same, samples, level: last, .. },
        ] = events[..]
        else {
            panic!("{events:?}")
        };
        assert!(at.abs_diff(1_600) <= 120 && at == same, "{at}");
        assert!(samples.abs_diff(9_500 * 8) <= 160, "{samples}"); // without the last silence
        assert!(
            (first.0 - level).abs() < 0.5 && (last.0 - level).abs() < 0.5,
            "{first:?} {last:?}"
        );
    }
    assert_eq!(heard(&busy, &scaled(&quiet, -32.0), RATE), [], "too soft");
}

#[test]
fn fax_machines_are_heard_when_they_call_and_when_they_answer() {
    let fax = [ToneSpec::fax_calling(), ToneSpec::fax_answer()];
    for (hz, is_cng) in
        [(1_062, true), (1_075, true), (1_100, true), (1_138, true), (1_050, false), (1_150, false)]
    {
        let samples = played(&format!("{hz}/500,0/3000").parse().unwrap(), RATE, 3_500);
        let expected = if is_cng { vec![ToneName::FaxCalling] } else { vec![] };
        assert_eq!(began(&heard(&fax, &samples, RATE)), expected, "{hz} Hz");
        assert_eq!(began(&heard(&fax, &noisy(&samples, 15.0), RATE)), expected, "{hz} Hz in noise");
    }
    for (ms, is_cng) in [(380, false), (430, true), (500, true), (570, true), (620, false)] {
        let samples = played(&format!("1100/{ms},0/3000").parse().unwrap(), RATE, 3_500);
        assert_eq!(!heard(&fax, &samples, RATE).is_empty(), is_cng, "for {ms} ms");
    }
    for (hz, is_ced) in
        [(2_085, true), (2_100, true), (2_115, true), (2_075, false), (2_125, false)]
    {
        let mut samples = played(&format!("{hz}").parse().unwrap(), RATE, 3_300);
        for reversed in [false, true] {
            let events = heard(&fax, &samples, RATE);
            if !is_ced {
                assert_eq!(events, [], "{hz} Hz");
                continue;
            }
            let Some(ToneEvent::Began { tone: ToneName::FaxAnswer, .. }) = events.first() else {
                panic!("{hz} Hz, {reversed}: {events:?}")
            };
            // The phase is reversed every 450 ms, from now on.
            for (at, sample) in samples.iter_mut().enumerate() {
                *sample *= if (at / 3_600) % 2 == 1 { -1 } else { 1 };
            }
        }
    }
}

#[test]
fn the_length_of_an_answer_tone_is_told_although_its_phase_is_reversed() {
    let mut samples = played(&"2100".parse().unwrap(), RATE, 3_300);
    for (at, sample) in samples.iter_mut().enumerate() {
        *sample *= if (at / 3_600) % 2 == 1 { -1 } else { 1 };
    }
    let events = heard(&[ToneSpec::fax_answer()], &samples, RATE);
    let [ToneEvent::Began { .. }, ToneEvent::Ended { samples, .. }] = events[..] else {
        panic!("{events:?}")
    };
    assert!(samples.abs_diff(3_300 * 8) <= 160, "{samples}");
}

#[test]
fn the_special_information_tones_of_north_america_are_some() {
    let info = [ToneSpec::of_country(ToneName::Info, "us").unwrap()];
    // Telcordia GR-1162: low or high, short or long.
    for text in [
        "!914/274,!1371/274,!1777/380",
        "!985/380,!1429/380,!1777/380",
        "!914/274,!1429/380,!1777/380",
        "!985/380,!1371/274,!1777/380",
        "!950/330,!0/30,!1400/330,!0/30,!1800/330",
    ] {
        let samples = played(&text.parse().unwrap(), RATE, 2_000);
        assert_eq!(began(&heard(&info, &samples, RATE)), [ToneName::Info], "{text}");
    }
    for text in
        ["!1400/330,!950/330,!1800/330", "!950/330,!1400/330", "!950/330,!1400/330,!2000/330"]
    {
        let samples = played(&text.parse().unwrap(), RATE, 2_000);
        assert_eq!(heard(&info, &samples, RATE), [], "{text}");
    }
}

#[test]
fn a_tone_goes_on_over_a_lost_packet() {
    let dial = [ToneSpec::of_country(ToneName::Dial, "us").unwrap()];
    let mut samples = played(&tone("dial", "us").unwrap(), RATE, 6_000);
    for lost in samples.chunks_mut(160).step_by(40) {
        lost.fill(0);
    }
    let events = heard(&dial, &samples, RATE);
    assert_eq!(events.len(), 2, "{events:?}");
}

#[test]
fn voices_and_digits_are_no_tones() {
    let fax = [ToneSpec::fax_calling(), ToneSpec::fax_answer()];
    let mut sounds: Vec<Vec<i16>> = ["alice", "bob", "you"]
        .map(|name| format!("{}/../examples/assets/{name}.wav", env!("CARGO_MANIFEST_DIR")))
        .map(|path| Pcm::load(path, RATE).unwrap().samples().to_vec())
        .to_vec();
    for digit in Digit::ALL {
        let mut all = vec![0; 8_000];
        ToneGenerator::new(digit, RATE, 500).fill(&mut all);
        sounds.push(all);
    }
    for samples in &sounds {
        for country in COUNTRIES {
            let specs = [plan(country), fax.to_vec()].concat();
            assert_eq!(heard(&specs, samples, RATE), [], "{country}");
        }
    }
}

#[test]
fn what_cannot_be_listened_for_is_refused() {
    let refused = |text: &str| {
        let spec = ToneSpec::new(ToneName::Other(7), text.parse().unwrap());
        ToneDetector::new(RATE, &[spec]).err()
    };
    for text in
        ["0", "425/60,0/500", "425/100,425/200", "425/200,0/60", "425/200,0/30,425/200,0/500"]
    {
        assert!(matches!(refused(text), Some(ToneSpecError::Cadence(_))), "{text}");
    }
    for text in ["425", "!425/100", "!950/330,!0/30,425", "950/300,0/30,1400/300,0/1000"] {
        assert_eq!(refused(text), None, "{text}");
    }
    let many = vec![ToneSpec::fax_answer(); 17];
    assert_eq!(ToneDetector::new(RATE, &many).err(), Some(ToneSpecError::TooMany(17)));
}

#[test]
fn a_leg_tells_of_the_tones_that_its_party_sends() {
    let mut room = Room::new();
    let mut events = room.topic.subscribe().capacity(256).pull().unwrap();
    let mut phone = room.add_phone(0, Codec::PCMU);
    let leg = phone.id;
    let detector =
        |rate| Some(Box::new(ToneDetector::new(rate, &[ToneSpec::fax_calling()]).unwrap()));
    room.order(Order::DetectTones(leg, detector(RATE)));
    let cng = played(&"1100/500,0/3000".parse().unwrap(), RATE, 10_500);
    let say = |room: &mut Room, phone: &mut common::room::Phone| {
        for tick in cng.chunks_exact(160).chain([&SILENCE[..]; 250]) {
            phone.say(tick, room);
            room.tick([&mut *phone]);
        }
    };
    say(&mut room, &mut phone);
    let (mut detected, mut ended) = (Vec::new(), Vec::new());
    while let Ok(event) = events.try_recv() {
        detected.extend(event.downcast_ref::<ToneDetected>().copied());
        ended.extend(event.downcast_ref::<ToneEnded>().copied());
    }
    let ([detected], [ended]) = (&detected[..], &ended[..]) else {
        panic!("{detected:?} {ended:?}")
    };
    assert_eq!((detected.leg, detected.tone), (leg, ToneName::FaxCalling));
    assert!((detected.level.0 - LEVEL).abs() < 1.0, "{detected:?}");
    assert_eq!((ended.leg, ended.tone), (leg, ToneName::FaxCalling));
    assert!(ended.duration_ms.abs_diff(7_500) <= 20, "{ended:?}");

    room.order(Order::DetectTones(leg, detector(SampleRate::Hz16000)));
    assert!(matches!(room.wire.retired.pop(), Some(Retired::Refused(_))), "of another rate");
    room.order(Order::DetectTones(leg, None));
    assert!(
        matches!(room.wire.retired.pop(), Some(Retired::ToneDetector(_))),
        "not needed any more"
    );
    say(&mut room, &mut phone);
    while let Ok(event) = events.try_recv() {
        assert!(event.downcast_ref::<ToneDetected>().is_none(), "nobody listens");
    }
    room.order(Order::DetectTones(leg, detector(RATE)));
    room.order(Order::RemoveLeg(leg));
    assert!(room.wire.retired.iter().any(|object| matches!(object, Retired::ToneDetector(_))));
}

#[test]
fn detectors_are_given_to_a_leg_by_name_and_come_back() {
    let bus = Bus::new(Settings::default()).unwrap();
    let media = Media::start(&bus, MediaSettings::default()).unwrap();
    let local = SocketAddr::from(([127, 0, 0, 1], 0));
    let (receive, encoding) = (ReceiveSettings::default(), EncodeSettings::default());
    let leg = RtpLeg { local, receive, encoding, ssrc: 7 };
    let (leg, _) = media.add_rtp_leg(leg, &bus.topic("leg")).unwrap();
    for tones in [&plan("us")[..], &[ToneSpec::fax_answer()], &[], &plan("jp")] {
        media.detect_tones(leg, tones).unwrap();
    }
    let many = vec![ToneSpec::fax_answer(); 17];
    assert!(matches!(media.detect_tones(leg, &many), Err(ControlError::Tones(_))));
    media.clear();
    assert!(matches!(media.detect_tones(leg, &plan("us")), Err(ControlError::NoLeg(_))));
    assert_eq!(media.reap(), 0, "nothing stays over there");
}
