//! The keeper: a thread that does what nobody orders. It drops what has come back from the media
//! threads, takes the mixers of bridges that are empty, and has a thread with much to do give a bridge
//! to one with little.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::error::{ControlError, StartError};
use super::{Media, balance};
use crate::schedule::PERIOD;

/// How often it looks.
pub(super) const PAUSE: Duration = Duration::from_millis(100);
/// Looks between two comparisons of the threads: a second.
pub(super) const COMPARES: u32 = 10;

/// The thread; dropping it ends it.
pub(super) struct Keeper {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Keeper {
    /// Keeps this.
    pub(super) fn start(media: Media) -> Result<Self, StartError> {
        let stop = Arc::<AtomicBool>::default();
        let stopped = stop.clone();
        let name = "media-keeper".into();
        let thread = thread::Builder::new().name(name).spawn(move || keep(&media, &stopped))?;
        Ok(Keeper { stop, thread: Some(thread) })
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.stop.store(true, Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            let _ = thread.join();
        }
    }
}

fn keep(media: &Media, stop: &AtomicBool) {
    let mut work = Work::of(media);
    let mut looks = 0;
    while !stop.load(Relaxed) {
        thread::park_timeout(PAUSE);
        looks += 1;
        let compares = looks % COMPARES == 0;
        media.look(compares);
        if compares {
            let loads = work.loads(media);
            // What cannot be ordered now is thought about again in a second.
            let _ = media.even_out(&loads);
        }
    }
}

/// What each thread has worked so far: ticks that were due, and time spent.
struct Work(Vec<(u64, u64)>);

impl Work {
    fn of(media: &Media) -> Self {
        let of = |thread| media.counters_of(thread).unwrap_or_default();
        let counters = (0..media.threads()).map(of);
        Work(counters.map(|now| (now.ticks + now.skipped, now.busy_us)).collect())
    }

    /// The share of its time that each thread has worked since the last call.
    fn loads(&mut self, media: &Media) -> Vec<f64> {
        let now = Work::of(media);
        let load = |(before, now): (&(u64, u64), &(u64, u64))| {
            let ticks = (now.0 - before.0).max(1);
            (now.1 - before.1) as f64 / (ticks as f64 * PERIOD.as_micros() as f64)
        };
        let loads = self.0.iter().zip(&now.0).map(load).collect();
        *self = now;
        loads
    }
}

impl Media {
    /// Drops what has come back, and now and then takes the mixers of bridges that are empty.
    pub(super) fn look(&self, takes_mixers: bool) {
        self.reap();
        if takes_mixers {
            self.take_mixers();
        }
    }

    /// Moves one bridge, if that makes the `loads` of the threads more even.
    fn even_out(&self, loads: &[f64]) -> Result<(), ControlError> {
        let Some((most, least)) = balance::uneven(loads) else { return Ok(()) };
        let desk = self.desk();
        let (legs, load) = (desk.legs_of(most), loads[most]);
        let difference = load - loads[least];
        let best = balance::best_to_move(desk.bridges_of(most), (legs, load), difference);
        drop(desk);
        match best {
            Some(bridge) => self.move_bridge(bridge, least),
            None => Ok(()),
        }
    }
}
