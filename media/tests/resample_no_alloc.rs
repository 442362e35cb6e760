//! Resampling a tick, looking for digits and detecting talk never allocate nor free.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use stasis_media::dtmf::{Detector, Digit, ToneGenerator};
use stasis_media::frame::{Ptime, SampleRate};
use stasis_media::resample::{DriftControl, DriftResampler, Resampler, Side};
use stasis_media::talk::TalkDetector;

thread_local! {
    /// Calls to the allocator by this thread: the test harness allocates on others.
    static CALLS: Cell<u64> = const { Cell::new(0) };
}

struct Counting;

fn count() {
    CALLS.with(|calls| calls.set(calls.get() + 1));
}

// SAFETY: every call is handed to the system's allocator as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promise, passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count();
        // SAFETY: the caller's promise, passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How often `work` called the allocator.
fn calls_of(work: impl FnOnce()) -> u64 {
    let before = CALLS.with(Cell::get);
    work();
    CALLS.with(Cell::get) - before
}

#[test]
fn the_counter_counts() {
    assert_eq!(calls_of(|| drop(std::hint::black_box(Box::new(1)))), 2);
}

#[test]
fn resampling_a_tick_never_allocates() {
    let input = [1_000i16; 20_000];
    let mut out = [0i16; 20_000];
    for from in SampleRate::ALL {
        for to in SampleRate::ALL {
            let mut resampler = Resampler::new(from, to).unwrap();
            let tick = &input[..from.samples_in(Ptime::TICK)];
            let calls = calls_of(|| {
                for _ in 0..50 {
                    resampler.process(tick, &mut out).unwrap();
                }
                resampler.reset();
            });
            assert_eq!(calls, 0, "{resampler:?}");
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
            let calls = calls_of(|| {
                for tick in 0..200 {
                    resampler.set_drift(control.update(tick * 10));
                    let n = resampler.input_needed();
                    resampler.process(&input[..n], &mut out).unwrap();
                }
            });
            assert_eq!(calls, 0, "{resampler:?}");
        }
    }
}

#[test]
fn digits_and_talk_are_sung_and_heard_without_allocating() {
    let mut tone = ToneGenerator::new(Digit::ALL[5], SampleRate::Hz8000, 200);
    let (mut digits, mut talk) = (Detector::new(), TalkDetector::default());
    let (mut frame, mut events) = ([0; 160], 0);
    let calls = calls_of(|| {
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
    assert_eq!((calls, events), (0, 2));
}
