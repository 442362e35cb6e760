//! The writer: makes records of messages, and has them written in batches.
//!
//! **After a loss** on the bus, channels may be gone whose end nobody has told. The writer looks up which
//! there are, and publishes a note to its own topic. Whatever was published before the look comes before the
//! note; so when that comes, a channel is gone that was not there at the look, and was not made since.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use stasis_bus::{Clock, Delivery, Message, Stamp, Topic};
use stasis_control::State;
use stasis_control::channel::ChannelUpdate;
use stasis_control::id::ChannelId;
use stasis_control::records::Input;
use stasis_control::records::cdr::Cdrs;
use stasis_control::records::cel::Cels;
use stasis_control::time::Timestamp;

use super::backlog::Backlog;
use super::csv_files::CsvFiles;
use super::database::Database;
use super::row::Record;
use super::settings::RecordSettings;
use super::{AllCounts, RecordsError};
use crate::consumers::feed::Work;

/// How often it is looked for what is too old, and how soon again when there was much of it.
const PRUNE_EVERY: Duration = Duration::from_secs(3_600);
const PRUNE_MORE: Duration = Duration::from_millis(100);

/// What was looked up after a loss, the number says when: all that was published before has come.
pub(super) struct LookedUp(u64);

/// What was looked up after a loss.
struct Doubt {
    number: u64,
    there: HashSet<ChannelId>,
    /// Those that were made since.
    made: HashSet<ChannelId>,
}

pub(super) struct Writer {
    clock: Clock,
    state: State,
    topic: Topic,
    cdrs: Option<Cdrs>,
    cels: Option<Cels>,
    database: Backlog<Database>,
    csv: Option<Backlog<CsvFiles>>,
    counts: Arc<AllCounts>,
    /// Records since the last batch, and when that is to be written.
    batched: usize,
    flush_at: Option<Stamp>,
    batch_records: usize,
    batch_time: Duration,
    retain_days: Option<u32>,
    prune_at: Option<Stamp>,
    /// The time of day of the last message, and when that was.
    last: (Timestamp, Stamp),
    losses: u64,
    doubt: Option<Doubt>,
}

impl Writer {
    pub(super) fn new(
        (clock, state, topic): (Clock, State, Topic),
        settings: &RecordSettings,
        (database, csv): (Database, Option<CsvFiles>),
        counts: Arc<AllCounts>,
    ) -> Result<Self, RecordsError> {
        let kept = settings.kept_records;
        let cels = settings.cel.settings()?;
        Ok(Writer {
            clock,
            state,
            topic,
            cdrs: settings.cdr.enabled.then(|| Cdrs::new(settings.cdr.settings())),
            cels: settings.cel.enabled.then(|| Cels::new(cels)),
            database: Backlog::new(database, kept, counts.database.clone()),
            csv: csv.map(|csv| Backlog::new(csv, kept, counts.csv.clone())),
            counts,
            batched: 0,
            flush_at: None,
            batch_records: settings.batch_records.max(1),
            batch_time: settings.batch_time(),
            retain_days: settings.retain_days,
            prune_at: settings.retain_days.map(|_| clock.now()),
            last: (Timestamp::default(), clock.now()),
            losses: 0,
            doubt: None,
        })
    }

    fn message(&mut self, message: &Message) {
        if let Some(LookedUp(number)) = message.downcast_ref() {
            return self.forget_lost(*number);
        }
        let Some(input) = Input::of(message) else { return };
        self.last = (time_of(input), message.stamp());
        if let (Some(doubt), Input::Channel(update)) = (&mut self.doubt, input) {
            doubt.note(update);
        }
        let cdr = self.cdrs.as_mut().map(|cdrs| cdrs.take(input)).unwrap_or_default();
        let cel = self.cels.as_mut().map(|cels| cels.take(input)).unwrap_or_default();
        self.add(cdr.into_iter().map(Arc::new).map(Record::Cdr));
        self.add(cel.into_iter().map(Arc::new).map(Record::Cel));
    }

    fn add(&mut self, records: impl Iterator<Item = Record>) {
        for record in records {
            if let Some(csv) = &mut self.csv {
                csv.push(record.clone());
            }
            self.database.push(record);
            self.batched += 1;
        }
        if self.batched >= self.batch_records {
            self.flush(self.clock.now());
        } else if self.batched > 0 && self.flush_at.is_none() {
            self.flush_at = Some(self.clock.now() + self.batch_time);
        }
    }

    fn flush(&mut self, now: Stamp) {
        (self.batched, self.flush_at) = (0, None);
        self.database.flush(now);
        if let Some(csv) = &mut self.csv {
            csv.flush(now);
        }
    }

    /// Some messages were lost: records may be poorer, and ends may be missing.
    fn lost(&mut self, lost: u64) {
        self.counts.missed.fetch_add(lost, Relaxed);
        metrics::counter!("stasis_records_missed_messages_total").increment(lost);
        tracing::warn!(
            lost,
            "messages were lost before they were written down; call records may be poorer"
        );
        self.losses += 1;
        let there = self.state.channels().iter().map(|channel| channel.id().clone()).collect();
        self.doubt = Some(Doubt { number: self.losses, there, made: HashSet::new() });
        self.topic.publish(LookedUp(self.losses)); // lost as well: then there is another loss to be told
    }

    /// What was published before channels were looked up has come.
    fn forget_lost(&mut self, number: u64) {
        let Some(doubt) = self.doubt.take_if(|doubt| doubt.number == number) else { return };
        let at = self.time();
        let is_there = |id: &ChannelId| doubt.there.contains(id) || doubt.made.contains(id);
        let cdr = self.cdrs.as_mut().map(|cdrs| cdrs.forget_lost(is_there, at)).unwrap_or_default();
        let cel = self.cels.as_mut().map(|cels| cels.forget_lost(is_there, at)).unwrap_or_default();
        self.add(cdr.into_iter().map(Arc::new).map(Record::Cdr));
        self.add(cel.into_iter().map(Arc::new).map(Record::Cel));
    }

    /// The time of day, by that of the last message.
    fn time(&self) -> Timestamp {
        let (at, stamp) = self.last;
        let since = self.clock.now().since(stamp).as_micros();
        Timestamp::from_micros(at.micros().saturating_add(since as u64))
    }

    fn prune(&mut self, now: Stamp) {
        let Some(days) = self.retain_days else { return };
        let is_more = self.database.store().prune(days).unwrap_or_else(|error| {
            tracing::warn!(%error, "old call records cannot be deleted; tried again in an hour");
            false
        });
        self.prune_at = Some(now + if is_more { PRUNE_MORE } else { PRUNE_EVERY });
    }

    /// When what could not be written is to be tried again.
    fn retry_at(&self) -> Option<Stamp> {
        let csv = self.csv.as_ref().and_then(Backlog::retry_at);
        self.database.retry_at().into_iter().chain(csv).min()
    }
}

impl Doubt {
    fn note(&mut self, update: &ChannelUpdate) {
        if update.old.is_none() {
            self.made.insert(update.new.id().clone());
        }
    }
}

impl Work for Writer {
    const NAME: &'static str = "records";

    fn take(&mut self, delivery: Delivery) {
        match delivery {
            Delivery::Message(message) => self.message(&message),
            Delivery::Lagged(lost) => self.lost(lost),
        }
    }

    fn due(&self) -> Option<Stamp> {
        self.flush_at.into_iter().chain(self.retry_at()).chain(self.prune_at).min()
    }

    fn work(&mut self, now: Stamp) {
        if self.prune_at.is_some_and(|at| at <= now) {
            self.prune(now);
        }
        if self.flush_at.into_iter().chain(self.retry_at()).any(|at| at <= now) {
            self.flush(now);
        }
    }

    /// Calls that are still on have call detail records, too; the event log has no end of them.
    fn finish(mut self) {
        let at = self.time();
        let cdr = self.cdrs.as_mut().map(|cdrs| cdrs.forget_lost(|_| false, at));
        self.add(cdr.unwrap_or_default().into_iter().map(Arc::new).map(Record::Cdr));
        let now = self.clock.now();
        self.database.finish(now);
        if let Some(csv) = &mut self.csv {
            csv.finish(now);
        }
    }
}

/// When what a message tells of has happened.
fn time_of(input: Input<'_>) -> Timestamp {
    match input {
        Input::Channel(update) => update.at,
        Input::ChannelEvent(event) => event.at,
        Input::Dial(dial) => dial.at,
        Input::Bridge(update) => update.at,
        Input::BridgeEvent(event) => event.at,
        Input::Application(event) => event.at,
        Input::Playback(event) => event.at,
        Input::User(event) => event.at,
        Input::Variable(set) => set.at,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use stasis_bus::{Bus, PullSubscription};
    use stasis_control::cause::Cause;
    use stasis_control::dialplan::Dialplan;
    use stasis_control::id::AppName;
    use stasis_control::{Exchange, NewCall, Originate, Then};

    use super::*;
    use crate::consumers::feed::Feed;

    /// An exchange, and a writer that is told what the test wants it to be told.
    struct Desk {
        exchange: Exchange,
        writer: Writer,
        events: PullSubscription,
        _feed: Feed,
    }

    impl Desk {
        fn new() -> Self {
            let bus = Bus::new(stasis_bus::Settings { workers: 1, ..Default::default() }).unwrap();
            let (settings, dialplan) = (Default::default(), Dialplan::default());
            let mut exchange = Exchange::new(&bus, settings, dialplan, Default::default()).unwrap();
            exchange.register(&AppName::new("app").unwrap(), |_| ());
            let topics = ["channel:all", "bridge:all", "stasis:all"];
            let feed = Feed::new(&bus, Writer::NAME, &topics).unwrap();
            let events = feed.topic().subscribe().filter(super::super::filter()).pull().unwrap();
            let database = Database::open(Path::new(":memory:")).unwrap();
            let from = (bus.clock(), exchange.state(), feed.topic().clone());
            let (settings, counts) = (RecordSettings::default(), Arc::default());
            let writer = Writer::new(from, &settings, (database, None), counts).unwrap();
            Desk { exchange, writer, events, _feed: feed }
        }

        fn calls(&mut self, id: &str) {
            let id = Some(id.to_owned());
            let call = NewCall { endpoint: "Echo/test".into(), id, ..NewCall::default() };
            let then = Then::Application("app".into(), Vec::new());
            self.exchange.originate(Originate { call, caller: None, timeout: None, then }).unwrap();
        }

        fn hangs_up(&mut self, id: &str) {
            self.exchange.hangup(id, Cause::NORMAL).unwrap();
        }

        /// The writer is told what there is to tell.
        fn listens(&mut self) {
            while let Ok(delivery) = self.events.try_recv() {
                self.writer.take(delivery);
            }
        }

        /// What there is to tell is lost, and the writer is told that.
        fn loses(&mut self) {
            let mut lost = 0;
            while self.events.try_recv().is_ok() {
                lost += 1;
            }
            self.writer.take(Delivery::Lagged(lost));
        }

        fn kept(&self) -> usize {
            self.writer.cdrs.as_ref().map_or(0, Cdrs::kept)
        }

        fn made(&self) -> u64 {
            self.writer.counts.database.read().pending
        }
    }

    #[test]
    fn after_a_loss_only_channels_that_are_gone_are_forgotten() {
        let mut desk = Desk::new();
        ["stays", "lost", "ends"].into_iter().for_each(|id| desk.calls(id));
        desk.listens();
        assert_eq!(desk.kept(), 3);
        desk.hangs_up("lost");
        desk.loses();
        // Before the writer hears of what it has looked up, one ends and one comes.
        desk.hangs_up("ends");
        desk.calls("comes");
        assert_eq!(desk.kept(), 3);
        desk.listens();
        assert_eq!(desk.kept(), 2);
        let written = desk.made();
        desk.hangs_up("stays");
        desk.hangs_up("comes");
        desk.listens();
        assert_eq!(desk.kept(), 0);
        assert!(desk.made() > written);
        assert!(desk.writer.counts.missed.load(Relaxed) > 0);
    }

    #[test]
    fn a_loss_in_the_midst_of_another_is_looked_up_anew() {
        let mut desk = Desk::new();
        ["one", "two"].into_iter().for_each(|id| desk.calls(id));
        desk.listens();
        desk.hangs_up("one");
        desk.loses();
        desk.hangs_up("two");
        desk.loses(); // also what was looked up
        desk.listens();
        assert_eq!(desk.kept(), 0);
        assert!(desk.writer.doubt.is_none());
    }
}
