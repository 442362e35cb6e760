//! Resampling, coding, playing, and listening for digits and talk never allocate nor free.

mod common {
    pub mod alloc;
}

use common::alloc::{NONE, counts_of};
use stasis_media::dtmf::{Detector, Digit, DtmfSettings, ToneGenerator};
use stasis_media::frame::{Ptime, SampleRate};
use stasis_media::resample::{DriftControl, DriftResampler, Resampler, Side};
use stasis_media::talk::TalkDetector;
use stasis_media::wav::{Pcm, Player, Repeat};

#[test]
fn resampling_a_tick_never_allocates() {
    let input = [1_000i16; 20_000];
    let mut out = [0i16; 20_000];
    for from in SampleRate::ALL {
        for to in SampleRate::ALL {
            let mut resampler = Resampler::new(from, to).unwrap();
            let tick = &input[..from.samples_in(Ptime::TICK)];
            let counts = counts_of(|| {
                for _ in 0..50 {
                    resampler.process(tick, &mut out).unwrap();
                }
                resampler.reset();
            });
            assert_eq!(counts, NONE, "{resampler:?}");
        }
    }
}

#[test]
fn following_a_device_never_allocates() {
    let input = [1_000i16; 20_000];
    let mut out = [0i16; 20_000];
    for device in [8_000, 44_100, 48_000, 192_000] {
        let capture = DriftResampler::capture(device, SampleRate::Hz8000).unwrap();
        let playback = DriftResampler::playback(SampleRate::Hz48000, device).unwrap();
        for (mut resampler, side) in [(capture, Side::Capture), (playback, Side::Playback)] {
            let mut control = DriftControl::new(side, device, 960);
            let counts = counts_of(|| {
                for tick in 0..200 {
                    resampler.set_drift(control.update(tick * 10));
                    let n = resampler.input_needed();
                    resampler.process(&input[..n], &mut out).unwrap();
                }
            });
            assert_eq!(counts, NONE, "{resampler:?}");
        }
    }
}

#[test]
fn digits_and_talk_are_sung_and_heard_without_allocating() {
    let mut tone = ToneGenerator::new(Digit::ALL[5], SampleRate::Hz8000, 200);
    let (mut digits, mut talk) =
        (Detector::new(SampleRate::Hz8000, DtmfSettings::DEFAULT), TalkDetector::default());
    let (mut frame, mut events) = ([0; 160], 0);
    let counts = counts_of(|| {
        for i in 0..50 {
            tone.fill(&mut frame);
            talk.feed(&frame, SampleRate::Hz8000);
            if i % 10 == 4 {
                digits.erased(160, &mut |_| events += 1);
            } else {
                digits.feed(&frame, &mut |_| events += 1);
            }
        }
    });
    assert_eq!((counts, events), (NONE, 2));
}

#[test]
fn a_sound_is_played_without_allocating() {
    let mut player = Player::new(Pcm::new(SampleRate::Hz8000, vec![5; 1_000]), Repeat::Forever);
    let mut frame = [0; 160];
    let counts = counts_of(|| {
        for _ in 0..50 {
            player.fill(&mut frame);
        }
    });
    assert_eq!(counts, NONE);
}
