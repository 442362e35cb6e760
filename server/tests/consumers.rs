//! The consumers beside a real exchange: what they write down of calls, what they count, and what becomes of
//! calls when they go, fail or crash.

use std::collections::BTreeMap;
use std::io;
use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use rusqlite::Connection;
use stasis_bus::{Bus, Delivery, Forward, PullSubscription, Stamp};
use stasis_control::application::Source;
use stasis_control::cause::Cause;
use stasis_control::dialplan::Dialplan;
use stasis_control::id::AppName;
use stasis_control::io::{Control, Driver, DriverSettings};
use stasis_control::message::ApplicationEvent;
use stasis_control::records::Input;
use stasis_control::records::cdr::{CdrSettings, Cdrs};
use stasis_control::records::cel::{CelEvent, CelSettings, Cels};
use stasis_control::tech::PhoneSettings;
use stasis_control::time::{Epoch, Timestamp};
use stasis_control::{AddOptions, Exchange, NewBridge, NewCall, Originate, Settings, Then};
use stasis_media::io::{Media, MediaSettings, PromptSettings, Prompts, Recorder};
use stasis_server::consumers::*;

const APP: &str = "desk";
/// 2026-11-21 07:14:10, UTC.
const START: Timestamp = Timestamp::from_micros(1_795_245_250_000_000);
const DIALPLAN: &str = "
[default]
exten => 100,1,UserEvent(Gold,Key: value)
 same => n,Hangup()
";

/// A folder that goes with its test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let name = format!("stasis-consumers-{}-{name}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    fn settings(&self) -> RecordSettings {
        RecordSettings {
            database: self.path("records.db"),
            csv: Some(self.0.clone()),
            batch_ms: 20,
            ..RecordSettings::default()
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A switch on virtual time, and what is told on its topics.
struct Hall {
    exchange: Exchange,
    bus: Bus,
    now: Stamp,
    told: PullSubscription,
    _app: PullSubscription,
    _forwards: Vec<Forward>,
    next: u32,
}

impl Hall {
    /// With an application that has asked for everything, so that there are copies of everything.
    fn new() -> Self {
        let bus = Bus::new(stasis_bus::Settings { workers: 1, ..Default::default() }).unwrap();
        let phones = ["alice", "bob"].map(|name| (name.to_owned(), PhoneSettings::default()));
        let settings = Settings { phones: BTreeMap::from(phones), ..Settings::default() };
        let dialplan = Dialplan::parse_conf(DIALPLAN).unwrap();
        let mut exchange = Exchange::new(&bus, settings, dialplan, Epoch::at(START)).unwrap();
        let app = AppName::new(APP).unwrap();
        let (_, events) = exchange.register(&app, |topic| topic.subscribe().pull().unwrap());
        let all = ["channel:", "bridge:", "endpoint:"].map(|source| source.parse().unwrap());
        exchange.subscribe(APP, &all).unwrap();
        let test = bus.topic("test");
        let topics = ["channel:all", "bridge:all", "stasis:all"];
        let forwards =
            topics.iter().map(|topic| bus.topic(topic).forward_to(&test).unwrap()).collect();
        let told = test.subscribe().capacity(1 << 14).pull().unwrap();
        let now = Stamp::ZERO;
        Hall { exchange, bus, now, told, _app: events, _forwards: forwards, next: 0 }
    }

    fn run(&mut self, ms: u64) {
        self.now = self.now + Duration::from_millis(ms);
        self.exchange.advance(self.now);
        while self.exchange.take_order().is_some() {}
    }

    fn calls(&mut self, phone: &str, id: &str) {
        let endpoint = format!("Test/{phone}");
        let call = NewCall { endpoint, id: Some(id.into()), ..NewCall::default() };
        let then = Then::Application(APP.into(), Vec::new());
        self.exchange.originate(Originate { call, caller: None, timeout: None, then }).unwrap();
    }

    /// Two are called, and are in a bridge. Gives the number of the call.
    fn begin(&mut self) -> u32 {
        self.next += 1;
        let [a, b, room] = names(self.next);
        self.calls("alice", &a);
        self.calls("bob", &b);
        self.run(1_000);
        let new = NewBridge { id: Some(room.clone()), ..NewBridge::default() };
        self.exchange.create_bridge(new).unwrap();
        self.exchange.add_channels(&room, &[&a, &b], &AddOptions::default()).unwrap();
        self.run(5_000);
        self.next
    }

    fn end(&mut self, number: u32) {
        let [a, b, room] = names(number);
        self.exchange.hangup(&a, Cause::NORMAL).unwrap();
        self.exchange.hangup(&b, Cause::NORMAL).unwrap();
        self.run(100);
        self.exchange.destroy_bridge(&room).unwrap();
    }

    fn call(&mut self) {
        let number = self.begin();
        self.end(number);
    }

    /// What is to be written of all that was told so far: rows of `cdr.csv`, and events with their channels.
    fn expected(&mut self, cel: CelSettings) -> (Vec<String>, Vec<(String, String)>) {
        let (mut cdrs, mut cels) = (Cdrs::new(CdrSettings::default()), Cels::new(cel));
        let (mut rows, mut events) = (Vec::new(), Vec::new());
        while let Ok(delivery) = self.told.try_recv() {
            let Delivery::Message(message) = &delivery else { panic!("{delivery:?}") };
            let is_copy = message.topic().name().starts_with("application:");
            if is_copy && !message.is::<ApplicationEvent>() {
                continue;
            }
            let Some(input) = Input::of(message) else { continue };
            rows.extend(cdrs.take(input).iter().map(|record| record.csv_row()));
            let taken = cels.take(input);
            events.extend(
                taken.iter().map(|event| (event.event.name().to_owned(), event.uniqueid.clone())),
            );
        }
        (rows, events)
    }
}

fn names(number: u32) -> [String; 3] {
    ["a", "b", "room"].map(|name| format!("{name}-{number}"))
}

/// Waits until something is so.
fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    for _ in 0..2_000 {
        if is_so() {
            return;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("in vain: {what}");
}

/// The events in a database, in the order that they were written.
fn events(database: &Path) -> Vec<(String, String)> {
    let connection = Connection::open(database).unwrap();
    let mut all = connection.prepare("SELECT eventtype, uniqueid FROM cel ORDER BY id").unwrap();
    let rows = all.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    rows.map(Result::unwrap).collect()
}

fn number(database: &Path, query: &str) -> i64 {
    Connection::open(database).unwrap().query_row(query, [], |row| row.get(0)).unwrap()
}

#[test]
fn records_are_in_the_database_and_in_csv_exactly_once() {
    let (folder, mut hall) = (Folder::new("once"), Hall::new());
    let settings = folder.settings();
    let records = Records::start(&hall.bus, &hall.exchange.state(), &settings).unwrap();
    (0..3).for_each(|_| hall.call());
    let (rows, expected) = hall.expected(CelSettings::default());
    assert!(rows.len() >= 3 && expected.len() >= 30, "{rows:?} {expected:?}");
    until("all is written", || records.stats().database.cel == expected.len() as u64);
    drop(records);

    assert_eq!(events(&settings.database), expected);
    assert_eq!(folder.text("cdr.csv").lines().collect::<Vec<_>>(), rows);
    let csv = folder.text("cel.csv");
    let mut csv = csv::ReaderBuilder::new().has_headers(false).from_reader(csv.as_bytes());
    let told = csv.records().map(Result::unwrap).map(|row| (row[0].into(), row[13].into()));
    assert_eq!(told.collect::<Vec<(String, String)>>(), expected);

    let database = Connection::open(&settings.database).unwrap();
    let query = "SELECT start, answer, \"end\", duration, billsec, disposition, linkedid \
        FROM cdr WHERE uniqueid = 'a-1' AND dstchannel != ''";
    let (start, answer, end, duration, billsec, disposition, linkedid) = database
        .query_row(query, [], |row| {
            Ok((
                row.get::<_, String>(0)?,
                row.get::<_, String>(1)?,
                row.get::<_, String>(2)?,
                row.get::<_, u32>(3)?,
                row.get::<_, u32>(4)?,
                row.get::<_, String>(5)?,
                row.get::<_, String>(6)?,
            ))
        })
        .unwrap();
    assert_eq!((start.as_str(), answer.as_str()), ("2026-11-21 07:14:10", "2026-11-21 07:14:11"));
    assert_eq!((end.as_str(), duration, billsec), ("2026-11-21 07:14:16", 6, 5));
    assert_eq!((disposition.as_str(), linkedid.as_str()), ("ANSWERED", "a-1"));
    let is_precise = "SELECT count(*) FROM cel WHERE eventtime LIKE '____-__-__ __:__:__.______'";
    assert_eq!(number(&settings.database, is_precise), expected.len() as i64);
    assert_eq!(number(&settings.database, "PRAGMA user_version"), 1);
    assert_eq!(number(&settings.database, "SELECT count(*) FROM cdr"), rows.len() as i64);
}

#[test]
fn events_of_users_are_told_once_whoever_has_asked_for_them() {
    let (folder, mut hall) = (Folder::new("user"), Hall::new());
    let mut settings = folder.settings();
    settings.cel.events = Choice::Only(vec!["user_defined".into()]);
    let records = Records::start(&hall.bus, &hall.exchange.state(), &settings).unwrap();
    let call =
        NewCall { endpoint: "Test/alice".into(), id: Some("u".into()), ..NewCall::default() };
    hall.exchange.incoming(call, None, "default", "100").unwrap();
    hall.run(1_000);
    hall.calls("bob", "v");
    let about: [Source; 1] = ["channel:v".parse().unwrap()];
    for _ in 0..2 {
        hall.exchange.user_event(APP, "Silver", serde_json::Map::new(), &about).unwrap();
    }
    drop(records);
    let told = ["u", "v", "v"].map(|id| ("USER_DEFINED".to_owned(), id.to_owned()));
    assert_eq!(events(&settings.database), told);
}

#[test]
fn a_batch_is_written_when_it_is_full_old_or_the_last() {
    let (folder, mut hall) = (Folder::new("batch"), Hall::new());
    let mut settings = folder.settings();
    (settings.batch_ms, settings.batch_records) = (3_600_000, 1_000_000);
    let start = |hall: &Hall, settings: &RecordSettings| {
        Records::start(&hall.bus, &hall.exchange.state(), settings).unwrap()
    };
    // Neither full nor old: the last.
    let records = start(&hall, &settings);
    hall.call();
    let count = hall.expected(CelSettings::default()).1.len() as i64;
    drop(records);
    assert_eq!(events(&settings.database).len() as i64, count);
    // Full.
    settings.batch_records = 1;
    let records = start(&hall, &settings);
    hall.call();
    until("it is full", || records.stats().database.cel == count as u64);
    drop(records);
    // Old; and what was written before is still there.
    (settings.batch_ms, settings.batch_records) = (1, 1_000_000);
    let records = start(&hall, &settings);
    hall.call();
    until("it is old", || records.stats().database.cel == count as u64);
    assert_eq!(number(&settings.database, "SELECT count(*) FROM cel"), 3 * count);
}

#[test]
fn a_crash_loses_less_than_a_batch() {
    let (folder, mut hall) = (Folder::new("crash"), Hall::new());
    let mut settings = folder.settings();
    (settings.batch_ms, settings.batch_records) = (3_600_000, 10);
    let records = Records::start(&hall.bus, &hall.exchange.state(), &settings).unwrap();
    (0..4).for_each(|_| hall.call());
    let (rows, expected) = hall.expected(CelSettings::default());
    let all = (rows.len() + expected.len()) as u64;
    until("all was taken", || {
        let database = records.stats().database;
        database.cdr + database.cel + database.pending == all
    });
    // What is on the disk at this moment is what a crash leaves: the file, and what is written ahead of it.
    let after = folder.path("after.db");
    std::fs::copy(&settings.database, &after).unwrap();
    std::fs::copy(folder.path("records.db-wal"), folder.path("after.db-wal")).unwrap();
    let pending = records.stats().database.pending;
    assert!(pending < 10, "{pending}");
    let kept = events(&after);
    assert_eq!(kept, expected[..kept.len()], "what is there is there in order, and once");
    let written = kept.len() as i64 + number(&after, "SELECT count(*) FROM cdr");
    assert_eq!(written as u64 + pending, all);
    // Another writer goes on where that one ended.
    drop(
        Records::start(
            &hall.bus,
            &hall.exchange.state(),
            &RecordSettings { database: after.clone(), csv: None, ..settings.clone() },
        )
        .unwrap(),
    );
    assert_eq!(events(&after), kept);
    drop(records);
    assert_eq!(events(&settings.database), expected);
}

#[test]
fn records_wait_for_a_database_that_is_locked_and_nothing_else_does() {
    let (folder, mut hall) = (Folder::new("locked"), Hall::new());
    let mut settings = folder.settings();
    settings.csv = None;
    let records = Records::start(&hall.bus, &hall.exchange.state(), &settings).unwrap();
    let other = Connection::open(&settings.database).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    hall.call();
    until("it is refused", || records.stats().database.failures > 0);
    hall.call(); // calls go on
    let expected = hall.expected(CelSettings::default()).1;
    assert_eq!(records.stats().database.cel, 0);
    other.execute_batch("COMMIT").unwrap();
    until("it is written", || records.stats().database.cel == expected.len() as u64);
    assert_eq!((records.stats().database.lost, records.stats().database.pending), (0, 0));
    drop(records);
    assert_eq!(events(&settings.database), expected);
}

#[test]
fn what_is_beyond_the_limit_is_counted_as_lost() {
    let (folder, mut hall) = (Folder::new("limit"), Hall::new());
    let mut settings = folder.settings();
    (settings.csv, settings.kept_records, settings.batch_records) = (None, 5, 1_000);
    settings.batch_ms = 3_600_000;
    let records = Records::start(&hall.bus, &hall.exchange.state(), &settings).unwrap();
    hall.call();
    let (rows, expected) = hall.expected(CelSettings::default());
    let all = (rows.len() + expected.len()) as u64;
    until("all was taken", || {
        let database = records.stats().database;
        database.pending + database.lost == all
    });
    assert_eq!(records.stats().database.pending, 5);
    drop(records);
    let count = "SELECT (SELECT count(*) FROM cdr) + (SELECT count(*) FROM cel)";
    assert_eq!(number(&settings.database, count), 5);
}

#[test]
fn old_records_are_deleted_if_that_is_wanted() {
    let (folder, mut hall) = (Folder::new("old"), Hall::new());
    let mut settings = folder.settings();
    drop(Records::start(&hall.bus, &hall.exchange.state(), &settings).unwrap());
    let database = Connection::open(&settings.database).unwrap();
    let copies = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2500) \
        INSERT INTO cel SELECT NULL, 'HANGUP', datetime('now', CASE i % 2 WHEN 0 THEN '-40 days' \
        ELSE '-20 days' END), '', '', '', '', '', '', '', '', '', '', '', '', '', '', '', '', '', '' FROM n";
    database.execute_batch(copies).unwrap();
    settings.retain_days = Some(30);
    let records = Records::start(&hall.bus, &hall.exchange.state(), &settings).unwrap();
    let count = || number(&settings.database, "SELECT count(*) FROM cel");
    until("they are deleted", || count() == 1_250);
    hall.call();
    drop(records);
    assert!(count() > 1_250);
}

#[test]
fn what_cannot_be_used_is_said_clearly() {
    let (folder, hall) = (Folder::new("errors"), Hall::new());
    let start = |settings: &RecordSettings| {
        let outcome = Records::start(&hall.bus, &hall.exchange.state(), settings);
        outcome.err().map(|error| error.to_string()).unwrap_or_default()
    };
    let settings = folder.settings();
    let database = folder.path("not-there").join("records.db");
    let error = start(&RecordSettings { database, ..settings.clone() });
    assert!(error.contains("there is no folder") && error.contains("make it"), "{error}");
    let csv = Some(folder.path("not-there"));
    let error = start(&RecordSettings { csv, ..settings.clone() });
    assert!(error.contains("there is no folder"), "{error}");
    let mut unknown = settings.clone();
    unknown.cel.events = Choice::Only(vec!["HANGUPS".into()]);
    assert!(start(&unknown).contains("\"HANGUPS\" is no event"));
    std::fs::write(folder.path("text"), "this is a text, and not a database at all").unwrap();
    let error = start(&RecordSettings { database: folder.path("text"), ..settings.clone() });
    assert!(error.contains("not a database"), "{error}");
    Connection::open(&settings.database).unwrap().execute_batch("PRAGMA user_version = 7").unwrap();
    let error = start(&settings);
    assert!(error.contains("version 7") && error.contains("newer server"), "{error}");
    assert_eq!(start(&RecordSettings { enabled: false, ..settings }), "");
    let statsd = StatsdSettings { enabled: true, address: "nowhere".into(), ..Default::default() };
    let error = Statsd::start(&hall.bus, &hall.exchange.state(), &statsd).err().unwrap();
    assert!(error.to_string().contains("write host:port"), "{error}");
}

#[test]
fn settings_are_read_as_they_are_written() {
    let text = toml::to_string(&RecordSettings::default()).unwrap();
    assert_eq!(toml::from_str::<RecordSettings>(&text).unwrap(), RecordSettings::default());
    let some = "database = 'x.db'\n[cel]\nevents = 'all'\napplications = ['Dial']";
    let some: RecordSettings = toml::from_str(some).unwrap();
    assert_eq!(some.cel.events, Choice::All);
    assert_eq!(some.cel.applications, Choice::Only(vec!["Dial".into()]));
    assert!(toml::from_str::<RecordSettings>("[cel]\nevents = 'some'").is_err());
    assert!(toml::from_str::<RecordSettings>("databse = 'x.db'").is_err());
    let names = &RecordSettings::default().cel.events;
    let Choice::Only(names) = names else { panic!("{names:?}") };
    assert_eq!(names.len(), CelEvent::ALL.len() - 1);
}

#[test]
fn statsd_is_told_the_names_that_asterisk_has() {
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    server.set_nonblocking(true).unwrap();
    let mut hall = Hall::new();
    let settings = StatsdSettings {
        enabled: true,
        address: server.local_addr().unwrap().to_string(),
        prefix: "pbx".into(),
        interval_ms: 3_600_000,
    };
    let statsd = Statsd::start(&hall.bus, &hall.exchange.state(), &settings).unwrap();
    let number = hall.begin();
    hall.end(number);
    drop(statsd); // what was counted is sent: all datagrams are there
    let mut sums = BTreeMap::<String, f64>::new();
    let mut datagram = [0; 1_500];
    let mut lines = Vec::new();
    while let Ok(length) = server.recv(&mut datagram) {
        for line in std::str::from_utf8(&datagram[..length]).unwrap().lines() {
            let (name, rest) = line.split_once(':').unwrap();
            let (value, kind) = rest.split_once('|').unwrap();
            let value: f64 = value.parse().unwrap();
            let sum = sums.entry(format!("{name}|{kind}")).or_default();
            *sum = if kind == "g" { value } else { *sum + value };
            lines.push(line.to_owned());
        }
    }
    let sum = |name: &str| sums.get(&format!("pbx.{name}")).copied();
    assert_eq!(sum("channels.count|g"), Some(0.0), "{lines:?}");
    assert!(lines.len() >= 9, "{lines:?}");
    assert_eq!(sum("stasis.message.ast_channel_entered_bridge_type|c"), Some(2.0), "{lines:?}");
    assert_eq!(sum("stasis.message.ast_channel_left_bridge_type|c"), Some(2.0));
    assert_eq!(sum("stasis.message.application_start|c"), Some(2.0));
    assert!(sum("stasis.message.ast_channel_snapshot_type|c") >= Some(6.0));
    assert!(sum("stasis.message.ast_channel_dial_type|c") >= Some(2.0));
    assert!(sum("stasis.message.ast_bridge_snapshot_type|c") >= Some(2.0));
    assert_eq!(sum("channels.calltime|ms"), Some(12_000.0));
    for line in &lines {
        let kind = line.split(['.', ':']).nth(3).filter(|_| line.contains(".message."));
        assert!(kind.is_none_or(|kind| KINDS.contains(&kind)), "{line}");
    }
}

#[test]
fn metrics_have_the_figures_of_calls() {
    let mut hall = Hall::new();
    let state = hall.exchange.state();
    let metrics = Metrics::start(&hall.bus, &state, &MetricsSettings::default()).unwrap();
    let again = Metrics::start(&hall.bus, &state, &MetricsSettings::default()).unwrap();
    let (media, mut ticker) = Media::by_hand(&hall.bus, MediaSettings::default());
    let media = Arc::new(media);
    metrics.watch_media(&media);
    for _ in 0..5 {
        ticker.tick();
    }
    hall.call();
    let _on = hall.begin();
    let has = |metrics: &Metrics, line: &str| metrics.render().lines().any(|told| told == line);
    until("it was counted", || has(&metrics, "stasis_calls_total 4"));
    for line in [
        "stasis_channels 2",
        "stasis_bridges 1",
        "stasis_applications 1",
        "stasis_endpoints 2",
        "stasis_channels_total 4",
        "stasis_calls_answered_total 4",
        "# TYPE stasis_call_seconds histogram",
        "stasis_call_seconds_count 2",
        "stasis_call_seconds_sum 12",
        "stasis_call_seconds_bucket{le=\"10\"} 2",
        "stasis_messages_total{type=\"ast_channel_entered_bridge_type\"} 4",
        "stasis_messages_total{type=\"application_start\"} 4",
        "stasis_bus_dropped_total{cause=\"full\"} 0",
        "stasis_media_ticks_total{thread=\"media-0\"} 5",
        "# HELP stasis_channels Channels there are",
    ] {
        assert!(has(&metrics, line), "{line} is not in {}", metrics.render());
    }
    let told = metrics.render();
    for name in [
        "process_start_time_seconds ",
        "stasis_bus_topic_published_total{topic=\"channel:all\"} ",
        "stasis_bus_topic_pending_messages{topic=\"consumer:metrics\"} ",
        "stasis_bus_delivered_total ",
        "stasis_media_tick_lateness_seconds{quantile=\"0.99\"} ",
    ] {
        assert!(told.lines().any(|line| line.starts_with(name)), "{name} is not in {told}");
    }
    // Each name has a text that says what it is, and no label names a call.
    for line in told.lines().filter(|line| line.starts_with("# TYPE ")) {
        let name = line.split(' ').nth(2).unwrap();
        assert!(told.contains(&format!("# HELP {name} ")), "{name}");
    }
    assert!(!told.contains("a-1") && !told.contains("room"), "{told}");
    // What others count by the macros comes to the first, whichever that was.
    until("the second counts as well", || has(&again, "stasis_calls_total 4"));
    drop(metrics);
    assert!(has(&again, "stasis_channels 2"));
    let off = MetricsSettings { enabled: false };
    assert_eq!(Metrics::start(&hall.bus, &state, &off).unwrap().render(), "");
}

#[test]
fn consumers_that_are_dropped_leave_calls_untouched() {
    let (folder, mut hall) = (Folder::new("dropped"), Hall::new());
    let (settings, state) = (folder.settings(), hall.exchange.state());
    let statsd = StatsdSettings { enabled: true, ..StatsdSettings::default() };
    let all = (
        Records::start(&hall.bus, &state, &settings).unwrap(),
        Statsd::start(&hall.bus, &state, &statsd).unwrap(),
        Metrics::start(&hall.bus, &state, &MetricsSettings::default()).unwrap(),
        CallLog::start(&hall.bus, &CallLogSettings::default()).unwrap(),
    );
    let number = hall.begin();
    let before = hall.bus.statistics().subscriptions.len();
    drop(all);
    assert_eq!(hall.bus.statistics().subscriptions.len(), before - 4);
    assert_eq!(hall.bus.panics(), 0);
    assert_eq!(state.channels().len(), 2);
    hall.end(number);
    hall.call();
    assert!(state.channels().is_empty() && state.bridges().is_empty());
    // What there was of the call when its records ended is written, once for each of the two.
    let query =
        "SELECT count(*) FROM cdr WHERE linkedid IN ('a-1', 'b-1') AND disposition = 'ANSWERED'";
    assert!(number >= 1 && self::number(&settings.database, query) >= 1);
    let ends = "SELECT count(*) FROM cel WHERE eventtype IN ('HANGUP', 'CHAN_END')";
    assert_eq!(self::number(&settings.database, ends), 0);
}

#[test]
fn the_log_has_one_id_a_call() {
    let mut hall = Hall::new();
    hall.next = 700; // of another name than in other tests
    let lines = logged();
    let log = CallLog::start(&hall.bus, &CallLogSettings::default());
    hall.call();
    drop(log);
    let lines = lines.lock().unwrap();
    let text = String::from_utf8_lossy(&lines);
    let of_a: Vec<_> = text.lines().filter(|line| line.contains("channel=\"a-701\"")).collect();
    let what = ["made", "answered", "bridged", "left bridge", "hung up"];
    assert_eq!(of_a.len(), what.len(), "{text}");
    for (line, what) in of_a.iter().zip(what) {
        assert!(line.contains("INFO stasis::calls: ") && line.contains(what), "{line}");
        assert!(line.contains("call=\"a-701\"") && line.contains("name=\"Test/alice-"), "{line}");
    }
    assert!(of_a[2].contains("bridge=\"room-701\""));
    assert!(of_a[4].contains("cause=16"), "{}", of_a[4]);
}

/// What this process logs.
fn logged() -> Arc<Mutex<Vec<u8>>> {
    static LINES: OnceLock<Arc<Mutex<Vec<u8>>>> = OnceLock::new();
    let lines = LINES.get_or_init(|| {
        let lines = Arc::<Mutex<Vec<u8>>>::default();
        let writer = lines.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_writer(move || Lines(writer.clone()))
            .finish();
        tracing::subscriber::set_global_default(subscriber).unwrap();
        lines
    });
    lines.clone()
}

struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_call_on_real_threads_is_written_down() {
    let folder = Folder::new("threads");
    let bus = Bus::new(stasis_bus::Settings::default()).unwrap();
    let media = Arc::new(Media::start(&bus, MediaSettings::default()).unwrap());
    let prompts = Prompts::new(PromptSettings::default()).unwrap();
    let recorder = Recorder::start().unwrap();
    let settings = DriverSettings::default();
    let driver = Driver::new(&bus, media.clone(), recorder, prompts, settings).unwrap();
    let hangs_up_after = Some(Duration::from_millis(100));
    let phone = PhoneSettings { hangs_up_after, ..PhoneSettings::default() };
    let phones = BTreeMap::from([("alice".to_owned(), phone)]);
    let settings = Settings { phones, ..Settings::default() };
    let exchange = Exchange::new(&bus, settings, Dialplan::default(), Epoch::at(START)).unwrap();
    let control = Control::start(&bus, exchange, driver).unwrap();
    let (handle, settings) = (control.handle(), folder.settings());
    let records = Records::start(&bus, handle.state(), &settings).unwrap();
    handle
        .call(|exchange| {
            let app = AppName::new(APP).unwrap();
            exchange.register(&app, |_| ());
            let (endpoint, id) = ("Test/alice".into(), Some("a".into()));
            let call = NewCall { endpoint, id, ..NewCall::default() };
            let then = Then::Application(APP.into(), Vec::new());
            exchange.originate(Originate { call, caller: None, timeout: None, then }).unwrap();
        })
        .unwrap();
    until("its record is written", || records.stats().database.cdr == 1);
    drop(records);
    let of_it: Vec<_> = events(&settings.database).into_iter().map(|(event, _)| event).collect();
    let expected =
        ["CHAN_START", "ANSWER", "APP_START", "APP_END", "HANGUP", "CHAN_END", "LINKEDID_END"];
    assert_eq!(of_it, expected);
    drop(control);
    media.clear();
}
