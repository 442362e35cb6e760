//! Plays recorded scenarios of a live Asterisk again, over HTTP and WebSocket: what was answered then is
//! answered now, and what was told of each object is told now, in the same order, with the same fields.
//!
//! The recordings are not a part of this repository: they are looked for in `../shared/ari/traces` beside it, or
//! in `STASIS_ARI=FOLDER` with a folder `traces`. `ONLY=27 cargo test -p stasis-server --test traces --
//! --nocapture` plays one of them and says what it does.
//!
//! Where ours is meant to differ, [`MEANT`] says so, with the reason.

mod common;
#[path = "traces/player.rs"]
mod player;
#[path = "traces/told.rs"]
mod told;
#[path = "traces/unify.rs"]
mod unify;

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;

/// How many are played at a time: they mostly wait.
const AT_A_TIME: usize = 8;

/// A difference that is meant: in which scenario, what is said of it (its beginning), and why.
const MEANT: &[(&str, &str, &str)] = &[
    ("08", "ChannelVarset of channel g-a;2", "a variable is told as it is when it is set"),
    ("02", "POST /channels {\"endpoint\":\"None/x\"", "a client's mistake is no 500"),
    ("02", "PUT /deviceStates/Stasis:x : 400", "a client's mistake is no 500"),
    (
        "05",
        "POST /applications/golden/subscription {\"eventSource\":\"\"}: message",
        "says that nothing was given",
    ),
    ("05", "told w1 golden of channel g-a;2", "who asks in two ways is told once"),
    ("27", "POST /channels/g-a/play : 400", "a client's mistake is no 500"),
    (
        "34",
        "POST /bridges {\"type\":\"mixing\",\"bridgeId\":\"g-b5\"",
        "variables may be plain texts",
    ),
    ("34", "POST /bridges {\"type\":\"bogus\"", "a client's mistake is no 500"),
    (
        "34",
        "POST /bridges {\"type\":\"mixing\",\"bridgeId\":\"g-b7\"",
        "a bridge may be made with variables",
    ),
    ("34", "GET /bridges", "a bridge may be made with variables"),
    ("36", "told w1 golden of channel g-c", "who is in a bridge is named latest first, always"),
    ("39", "told w1 golden of channel g-a", "nothing that is played or recorded is in the bridge"),
    (
        "37",
        "told w1 golden of channel g-a;2",
        "a key is passed on when it is over, so it may come too late",
    ),
    ("40", "told w1 golden of channel g-b", "that somebody talks no longer is told"),
    (
        "41",
        "GET /channels/g-a/variable {\"variable\":\"NOSUCHFUNC(x)\"}: 400",
        "a client's mistake is no 500",
    ),
    ("43", "GET /channels", "the other half knows at once whom it is connected to"),
    (
        "43",
        "told w1 golden of channel g-a;2",
        "the other half knows at once whom it is connected to",
    ),
    ("43", "told w1 golden of device", "a device's state is told once"),
    ("44", "told w1 golden of channel g-a;2", "an answer waits its half second out"),
    ("46", "POST /channels/externalMedia", "a client's mistake is no 500 or 501"),
    ("48", "PUT /deviceStates/Stasis:g1", "a client's mistake is no 500"),
    ("49", "GET /mailboxes", "in other words; and what is no number is refused"),
    ("49", "PUT /mailboxes/g1@ctx {\"oldMessages\":\"x\"", "what is no number is refused"),
    ("50", "GET /sounds", "what sounds say is told, too"),
    ("51", "GET /asterisk/modules/app_echo.so", "there are no modules"),
    ("51", "POST /asterisk/modules/app_echo.so", "there are no modules"),
    ("51", "DELETE /asterisk/logging/g-log", "what was added can be deleted by its name"),
    ("55", "told w1 golden of device", "a device's state is told once"),
    ("60", "told w1 golden of channel g-c;2", "an answer waits its half second out"),
];

/// Whether somebody did something by AMI there.
fn is_by_ami(scenario: &Value) -> bool {
    let steps = scenario["steps"].as_array().into_iter().flatten();
    steps.into_iter().any(|step| step["ami"]["do"].is_string())
}

#[test]
fn recorded_scenarios_are_answered_and_told_as_they_were() {
    let Some(folder) = common::recordings() else { return };
    let only = std::env::var("ONLY").unwrap_or_default();
    let mut files: Vec<_> = std::fs::read_dir(folder.join("traces"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "json"))
        .filter(|path| path.file_name().unwrap().to_string_lossy().contains(&only))
        .collect();
    files.sort();
    let (next, differences) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let needed = Mutex::new(BTreeSet::new());
    std::thread::scope(|scope| {
        for _ in 0..AT_A_TIME {
            scope.spawn(|| {
                while let Some(file) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let name = file.file_stem().unwrap().to_string_lossy().into_owned();
                    let text = std::fs::read_to_string(file).unwrap();
                    let scenario: Value = serde_json::from_str(&text).unwrap();
                    if is_by_ami(&scenario) {
                        println!("{name}: not played, it is about AMI");
                        continue;
                    }
                    let found = player::play(&scenario);
                    let meant = |difference: &String| {
                        let mut meant = MEANT.iter().enumerate();
                        let found = meant.find(|(_, (scenario, beginning, _))| {
                            name.starts_with(scenario) && difference.starts_with(beginning)
                        });
                        if let Some((number, _)) = found {
                            needed.lock().unwrap().insert(number);
                        }
                        found.is_some()
                    };
                    let found: Vec<_> = found.into_iter().filter(|one| !meant(one)).collect();
                    let verdict = if found.is_empty() { "as recorded" } else { "differs" };
                    println!("{name}: {verdict}");
                    let told = found.into_iter().map(|difference| format!("{name}: {difference}"));
                    differences.lock().unwrap().extend(told);
                }
            });
        }
    });
    // Those that depend on the moment are not needed each time.
    let needed = needed.into_inner().unwrap();
    for (_, meant) in MEANT.iter().enumerate().filter(|(number, _)| !needed.contains(number)) {
        println!("{}: {:?} is as recorded this time", meant.0, meant.1);
    }
    let mut differences = differences.into_inner().unwrap();
    differences.sort();
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}
