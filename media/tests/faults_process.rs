//! What goes wrong with a whole process: it is stopped for a while, or may write no larger files. The
//! engine runs in a child, which is this test binary again; the parties are here.
#![cfg(target_os = "linux")]

mod common {
    pub mod hall;
    pub mod phones;
    pub mod room;
}

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use common::hall::{Hall, leg, until};
use common::phones::{Heard, Late, Phones, hz_of, socket, unexplained};
use stasis_bus::{Bus, Settings, Stamp};
use stasis_media::event::TickMissed;
use stasis_media::io::{
    BridgeSettings, Media, MediaSettings, RecordEnd, RecordSettings, RecordState, Recorder,
    RecordingChanged,
};
use stasis_media::schedule::{CATCH_UP, PERIOD};
use stasis_media::wav::WavFormat;

/// The child that is stopped: an engine with a leg for each address that it reads from its input. It
/// says where those listen, and, when there is no more input, what it has counted.
#[test]
fn a_child_runs_an_engine_when_it_is_asked_to() {
    if std::env::var_os("STASIS_TEST_ENGINE").is_none() {
        return;
    }
    let bus = Bus::new(Settings::default()).unwrap();
    let threads = bus.topic("media");
    let mut missed = threads.subscribe().capacity(1 << 12).accept::<TickMissed>().pull().unwrap();
    let media = Media::start(&bus, MediaSettings::default()).unwrap();
    let topic = bus.topic("child");
    let bridge = media.add_bridge(BridgeSettings::default(), &topic).unwrap();
    for line in std::io::stdin().lines() {
        let remote: SocketAddr = line.unwrap().parse().unwrap();
        let (leg, local) = leg(&media, &topic, remote);
        media.join(leg, bridge).unwrap();
        println!("\nlistens {local}");
    }
    let counters = media.counters();
    let mut told = 0;
    while let Ok(delivery) = missed.try_recv() {
        told += u64::from(delivery.downcast_ref::<TickMissed>().is_some());
    }
    println!("\ncounted {} {} {told}", counters.skipped, counters.missed);
    media.clear();
}

/// A child with an engine, and its parties here.
struct Elsewhere {
    bus: Bus,
    child: Child,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
    phones: Phones,
    tones: Vec<f64>,
}

impl Elsewhere {
    fn start() -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "a_child_runs_an_engine_when_it_is_asked_to", "--nocapture"])
            .env("STASIS_TEST_ENGINE", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let bus = Bus::new(Settings::default()).unwrap();
        let phones = Phones::start(bus.clock());
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let tones = vec![hz_of(0), hz_of(1)];
        let mut elsewhere = Elsewhere { bus, child, lines, phones, tones };
        for hz in elsewhere.tones.clone() {
            let (socket, address) = socket();
            writeln!(elsewhere.child.stdin.as_mut().unwrap(), "{address}").unwrap();
            let to = elsewhere.line("listens ").parse().unwrap();
            elsewhere.phones.add(socket, to, hz);
        }
        until("both hear each other", || {
            let recent = Stamp::from_ms(elsewhere.bus.now().ms().saturating_sub(300));
            let (heard, _) = elsewhere.phones.tell();
            heard.iter().all(|party| {
                party.since(recent).count() > 10
                    && party.faults(recent, &elsewhere.tones).is_empty()
            })
        });
        elsewhere
    }

    /// The rest of the next line that begins like this.
    fn line(&mut self, begin: &str) -> String {
        for line in self.lines.by_ref() {
            if let Some(rest) = line.unwrap().strip_prefix(begin) {
                return rest.to_string();
            }
        }
        panic!("the child has ended without {begin:?}");
    }

    fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
    }

    /// Stops the child for so long; says when it went on.
    fn stop_for(&self, time: Duration) -> Stamp {
        self.signal("-STOP");
        sleep(time);
        self.signal("-CONT");
        self.bus.now()
    }

    /// Ends it; gives what both have heard, when this side was late, and what the child has counted:
    /// ticks that it skipped, missed, and told of.
    fn end(mut self) -> (Vec<Heard>, Vec<Late>, [u64; 3]) {
        let (heard, late) = self.phones.tell();
        drop(self.child.stdin.take());
        let counted: Vec<u64> =
            self.line("counted ").split(' ').map(|count| count.parse().unwrap()).collect();
        assert!(self.child.wait().unwrap().success());
        (heard, late, counted.try_into().unwrap())
    }
}

impl Drop for Elsewhere {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The longest run of packets that came at once.
fn burst(heard: &Heard, from: Stamp) -> usize {
    let got: Vec<_> = heard.since(from).collect();
    let at_once = |first: usize| {
        let within = |n: &usize| got[*n].at.since(got[first].at) < PERIOD / 2;
        (first..got.len()).take_while(within).count()
    };
    (0..got.len()).map(at_once).max().unwrap_or(0)
}

#[test]
fn a_process_that_was_stopped_for_a_moment_goes_on_in_step_without_a_burst() {
    stop_for(Duration::from_millis(180));
}

#[test]
fn a_process_that_was_stopped_for_a_second_goes_on_in_step_without_a_burst() {
    stop_for(Duration::from_secs(1));
}

#[test]
fn a_process_that_was_stopped_for_longer_goes_on_in_step_without_a_burst() {
    stop_for(Duration::from_millis(2_500));
}

fn stop_for(time: Duration) {
    let elsewhere = Elsewhere::start();
    let began = elsewhere.bus.now();
    sleep(PERIOD * 5); // some come before it
    let resumed = elsewhere.stop_for(time);
    // Long enough for a jitter buffer that is out of step to do something about it.
    sleep(Duration::from_millis(2_200));
    let tones = elsewhere.tones.clone();
    let (heard, late, [skipped, missed, told]) = elsewhere.end();
    let stopped = (time.as_millis() / PERIOD.as_millis()) as u64;
    assert!(skipped + u64::from(CATCH_UP) + 3 >= stopped, "{skipped} skipped, and counted");
    assert_eq!(missed, told, "each tick that was missed is told");
    for party in &heard {
        assert_eq!(party.gaps(began), 0, "numbers go on");
        let left_out = party.skipped(began);
        assert!(left_out.abs_diff(skipped) <= 1, "timestamps leave out {left_out} of {skipped}");
        // Those that are caught up, the one that is due, and the next, which may be due as soon.
        let most = CATCH_UP as usize + 2;
        let came = burst(party, resumed);
        assert!(came <= most || !late.is_empty(), "{came} packets at once");
        let after = resumed + Duration::from_secs(1);
        let bad = unexplained(party.faults(after, &tones), &late);
        assert!(bad.is_empty(), "{bad:?}\nlate: {late:?}");
    }
}

/// The child that may write no large files: one recording comes to the limit, another ends before.
#[test]
fn a_child_records_to_files_that_may_not_grow_when_it_is_asked_to() {
    let Some(folder) = std::env::var_os("STASIS_TEST_SMALL_FILES").map(PathBuf::from) else {
        return;
    };
    let mut hall = Hall::open();
    let mut events =
        hall.topic.subscribe().capacity(1 << 12).accept::<RecordingChanged>().pull().unwrap();
    let recorder = Recorder::start().unwrap();
    let record = |name: &str, format, max_duration| {
        let path = folder.join(name);
        let settings = RecordSettings { format, max_duration, ..RecordSettings::to(path) };
        recorder.record(&hall.media, hall.bridge, settings, &hall.topic).unwrap()
    };
    let short = Some(Duration::from_millis(500));
    let large = record("large.wav", WavFormat::Pcm16, None);
    let small = record("small.wav", WavFormat::Ulaw, short);
    small.wait().unwrap();
    let reason = large.wait().unwrap_err().to_string();
    let next = record("next.wav", WavFormat::Ulaw, short);
    next.wait().unwrap();
    let mut ends = Vec::new();
    while let Ok(delivery) = events.try_recv() {
        let changed = delivery.downcast_ref::<RecordingChanged>().cloned();
        ends.extend(changed.filter(|changed| changed.state.is_end()));
    }
    let state =
        |name: &str| ends.iter().find(|end| end.path.ends_with(name)).unwrap().state.clone();
    for name in ["small.wav", "next.wav"] {
        assert_eq!(state(name), RecordState::Done(RecordEnd::MaxDuration));
    }
    assert_eq!(state("large.wav"), RecordState::Failed(reason));
    hall.judge();
    drop((recorder, events));
    hall.close();
    println!("\nrecorded");
}

#[test]
fn a_file_that_may_not_grow_ends_only_its_own_recording() {
    let folder = std::env::temp_dir().join(format!("stasis-small-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let output = Command::new("sh")
        // 16 or 32 KB, by the shell: a second or two of 16 bits. The signal would end it.
        .args(["-c", "trap '' XFSZ; ulimit -f 32; exec \"$0\" \"$@\""])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "a_child_records_to_files_that_may_not_grow_when_it_is_asked_to"])
        .arg("--nocapture")
        .env("STASIS_TEST_SMALL_FILES", &folder)
        .output()
        .unwrap();
    let large = std::fs::metadata(folder.join("large.wav")).map_or(0, |data| data.len());
    let _ = std::fs::remove_dir_all(&folder);
    let said = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("\nrecorded"), "{said}\n{complained}");
    assert!((8_000..=32 * 1_024).contains(&large), "{large} bytes");
}
