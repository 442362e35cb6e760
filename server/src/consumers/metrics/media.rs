//! What the media threads have done.

use stasis_media::io::Media;

use super::Meter;

/// Looks at what they have counted.
pub(super) fn look(media: &Media, meter: &Meter) {
    for thread in 0..media.threads() {
        let Some(counters) = media.counters_of(thread) else { continue };
        let name = format!("media-{thread}");
        let set = |metric, count| meter.counter(metric, &[("thread", &name)]).absolute(count);
        set("stasis_media_ticks_total", counters.ticks);
        set("stasis_media_ticks_missed_total", counters.missed);
        set("stasis_media_ticks_skipped_total", counters.skipped);
        set("stasis_media_busy_microseconds_total", counters.busy_us);
        set("stasis_media_send_errors_total", counters.send_errors);
    }
    let lateness = media.lateness();
    for (quantile, percent) in [("0.5", 50.0), ("0.99", 99.0), ("1", 100.0)] {
        let seconds = lateness.percentile_us(percent) as f64 / 1e6;
        let label = [("quantile", quantile)];
        meter.gauge_of("stasis_media_tick_lateness_seconds", &label).set(seconds);
    }
}
