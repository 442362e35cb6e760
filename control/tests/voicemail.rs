//! Voice mail: a message is left, counted, heard, skipped, deleted.

mod common;

use common::*;
use stasis_control::PlaybackOperation;
use stasis_control::media::{Keys, RecordHow};
use stasis_control::message::MailboxUpdate;
use stasis_control::tech::PhoneSettings;

const BOX: &str = "1000@default";
/// What callers say.
const ANN: f64 = 850.0;
const BEN: f64 = 1_250.0;
const INTRO: f64 = 670.0;
const BEEP: f64 = 1_000.0;

/// The application: `leave` is called to leave a message, `hear` to hear them.
struct VoiceMail {
    app: App,
    /// Messages that were left, by the names of their recordings, and whether they were heard.
    messages: Vec<(String, bool)>,
    /// How many messages were ever left.
    left: usize,
    /// Who hears the messages: which one, and by which playback.
    at: usize,
    playing: Option<String>,
}

impl VoiceMail {
    fn new(phones: &[(&str, PhoneSettings)]) -> Self {
        let mut mail = VoiceMail {
            app: App::new("mail", "", phones),
            messages: Vec::new(),
            left: 0,
            at: 0,
            playing: None,
        };
        mail.counts();
        mail
    }

    fn serve(&mut self, ms: u64) {
        for _ in 0..ms.div_ceil(20) {
            self.app.run(20);
            for line in self.app.news() {
                let words: Vec<_> = line.split(' ').collect();
                match words[..] {
                    ["StasisStart", "owner"] => self.welcomes(),
                    ["StasisStart", id] => self.takes_message(id),
                    ["RecordingFinished", name] => self.keeps(name),
                    ["ChannelDtmfReceived", "owner", key, _] => self.typed(key),
                    ["PlaybackFinished", id, _, ..] if self.playing.as_deref() == Some(id) => {
                        self.was_heard();
                    }
                    ["PlaybackFinished", _, "sound:vm-goodbye"] => {
                        self.app.hangs_up_if_there("owner");
                    }
                    _ => {}
                }
            }
        }
    }

    /// Serves until somebody has left.
    fn serve_until_gone(&mut self, id: &str) {
        for _ in 0..1_500 {
            self.serve(20);
            if self.app.channel(id).is_none() {
                return self.serve(300);
            }
        }
        panic!("{id} never left: {:#?}", self.app.log);
    }

    /// All that is to be done with a caller is ordered at once: each waits for what was before.
    fn takes_message(&mut self, id: &str) {
        self.app.exchange().answer(id).unwrap();
        self.app.plays(id, &["sound:vm-intro"]);
        self.left += 1;
        let how = RecordHow {
            name: format!("1000/msg{}", self.left),
            max_duration: Some(ms(10_000)),
            end_keys: Keys::Digit(keys("#")[0]),
            beep: true,
            ..RecordHow::default()
        };
        self.app.exchange().record(id, how).unwrap();
        self.app.plays(id, &["sound:goodbye"]);
    }

    fn keeps(&mut self, name: &str) {
        self.messages.push((name.into(), false));
        self.counts();
    }

    fn counts(&mut self) {
        let old = self.messages.iter().filter(|(_, was_heard)| *was_heard).count() as i64;
        let new = self.messages.len() as i64 - old;
        self.app.exchange().set_mailbox(BOX, old, new);
    }

    fn welcomes(&mut self) {
        self.app.exchange().answer("owner").unwrap();
        let count = format!("number:{}", self.messages.len());
        self.app.plays("owner", &[&count]);
        self.at = 0;
        self.plays_message();
    }

    fn plays_message(&mut self) {
        let Some((name, _)) = self.messages.get(self.at) else {
            self.app.plays("owner", &["sound:vm-goodbye"]);
            return;
        };
        let mut how = self.app.how(&[&format!("recording:{name}")]);
        how.skip = Some(ms(1_000));
        self.playing = how.id.clone();
        self.app.exchange().play("owner", how).unwrap();
    }

    fn was_heard(&mut self) {
        self.playing = None;
        if let Some((_, was_heard)) = self.messages.get_mut(self.at) {
            *was_heard = true;
        }
        self.counts();
        self.at += 1;
        self.plays_message();
    }

    fn typed(&mut self, key: &str) {
        let playing = self.playing.clone();
        match (key, playing) {
            ("6", Some(id)) => {
                self.app.exchange().control_playback(&id, PlaybackOperation::Forward).unwrap();
            }
            ("4", Some(id)) => {
                self.app.exchange().control_playback(&id, PlaybackOperation::Reverse).unwrap();
            }
            ("9", Some(id)) => self.app.exchange().stop_playback(&id).unwrap(),
            ("7", Some(id)) => {
                self.playing = None;
                self.app.exchange().stop_playback(&id).unwrap();
                let (name, _) = self.messages.remove(self.at);
                std::fs::remove_file(self.file(&name)).unwrap();
                self.counts();
                self.plays_message();
            }
            ("#", playing) => {
                self.playing = None;
                if let Some(id) = playing {
                    self.app.exchange().stop_playback(&id).unwrap();
                }
                self.app.plays("owner", &["sound:vm-goodbye"]);
            }
            _ => {}
        }
    }

    fn file(&self, name: &str) -> std::path::PathBuf {
        self.app.stage.folder.join("recordings").join(format!("{name}.wav"))
    }

    /// Old and new messages, as everybody sees them.
    fn mailbox(&self) -> (i64, i64) {
        let found = self.app.stage.exchange.state().mailbox(BOX);
        found.map_or((-1, -1), |found| (found.old_messages, found.new_messages))
    }

    /// A caller leaves a message, and hangs up.
    fn is_left(&mut self, phone: &str) {
        let id = format!("from-{phone}");
        self.app.is_called(phone, &id);
        self.serve_until_gone(&id);
    }

    /// Milliseconds of a tone in a recording.
    fn length(&self, name: &str, hz: f64) -> usize {
        let recorded = self.app.stage.recording(name);
        let loud = |part: &&[i16]| level(part, hz) > 3_000.0;
        recorded.samples().chunks_exact(160).filter(loud).count() * 20
    }

    fn close(mut self) {
        self.serve(100);
        assert!(self.app.exchange().delete_mailbox(BOX).is_ok());
        assert!(self.app.exchange().delete_mailbox(BOX).is_err());
        assert_eq!(self.mailbox(), (-1, -1));
        self.app.end();
    }
}

/// Ann says something, and ends it by `#`; Ben hangs up in the middle.
fn callers() -> [(&'static str, PhoneSettings); 2] {
    // The intro takes a second, the beep a moment.
    let ann = quiet().says(ANN).presses(4_500, "#").hangs_up_after(6_000);
    [("ann", ann), ("ben", quiet().says(BEN).hangs_up_after(3_000))]
}

fn with_owner(owner: PhoneSettings) -> VoiceMail {
    let mut phones = callers().to_vec();
    phones.push(("olga", owner));
    let mut mail = VoiceMail::new(&phones);
    mail.is_left("ann");
    mail.is_left("ben");
    assert_eq!(mail.mailbox(), (0, 2));
    mail.app.is_called("olga", "owner");
    mail
}

/// What was played to the owner, in its order.
fn played(mail: &VoiceMail) -> Vec<String> {
    let from = mail.app.log.iter().position(|line| line == "StasisStart owner").unwrap();
    let begun = |line: &String| {
        let (event, rest) = line.split_once(' ')?;
        (event == "PlaybackStarted").then(|| rest.split(' ').nth(1).map(str::to_owned))?
    };
    mail.app.log[from..].iter().filter_map(begun).collect()
}

#[test]
fn a_message_is_left_after_the_beep_and_ended_by_its_key() {
    let mut mail = VoiceMail::new(&callers());
    let mut updates = mail.app.stage.bus.topic("mwi:all").subscribe().capacity(64).pull().unwrap();
    assert_eq!(mail.mailbox(), (0, 0));
    mail.app.is_called("ann", "from-ann");
    mail.serve(100);
    let heard = mail.app.heard_by(&["from-ann"], 1_500).remove(0);
    let loud = |part: &[i16], hz| level(part, hz) > 3_000.0;
    let first = |hz| heard.chunks_exact(160).position(|part| loud(part, hz));
    assert!(first(INTRO).is_some() && first(INTRO) < first(BEEP), "the intro, then the beep");
    mail.serve_until_gone("from-ann");
    mail.app.was_told(&[
        "StasisStart from-ann",
        "PlaybackStarted p1 sound:vm-intro",
        "PlaybackFinished p1 sound:vm-intro",
        "RecordingStarted 1000/msg1",
        "ChannelDtmfReceived from-ann # 100",
        "RecordingFinished 1000/msg1",
        "PlaybackStarted p2 sound:goodbye",
        "PlaybackFinished p2 sound:goodbye",
        "StasisEnd from-ann",
    ]);
    let length = mail.length("1000/msg1", ANN);
    assert!((2_800..3_500).contains(&length), "{length}");
    assert_eq!(mail.length("1000/msg1", BEEP) + mail.length("1000/msg1", INTRO), 0);
    assert_eq!(mail.mailbox(), (0, 1));
    let counted: Vec<_> = std::iter::from_fn(|| updates.try_recv().ok())
        .filter_map(|told| told.downcast_ref::<MailboxUpdate>().map(|it| it.new_messages))
        .collect();
    assert_eq!(counted, [1], "told once");
    mail.close();
}

#[test]
fn a_message_of_who_hangs_up_in_the_middle_is_kept() {
    let mut mail = VoiceMail::new(&callers());
    mail.is_left("ben");
    assert_eq!(mail.mailbox(), (0, 1));
    let length = mail.length("1000/msg1", BEN);
    assert!((1_500..2_000).contains(&length), "{length}");
    mail.close();
}

#[test]
fn who_hangs_up_before_the_beep_is_over_leaves_no_file() {
    let mut in_the_beep = 0;
    for after in (900..1_600).step_by(40) {
        let mut mail = VoiceMail::new(&[("ben", quiet().says(BEN).hangs_up_after(after))]);
        mail.app.is_called("ben", "from-ben");
        mail.serve_until_gone("from-ben");
        let has_begun = mail.app.log.iter().any(|line| line == "RecordingStarted 1000/msg1");
        let its_turn_came =
            mail.app.log.iter().any(|line| line == "PlaybackFinished p1 sound:vm-intro");
        in_the_beep += u32::from(its_turn_came && !has_begun);
        assert_eq!(mail.file("1000/msg1").exists(), has_begun, "hung up after {after} ms");
        mail.close();
    }
    assert!(in_the_beep > 0, "nobody was that quick");
}

#[test]
fn the_owner_hears_all_messages_and_they_are_old_then() {
    let mut mail = with_owner(quiet());
    mail.serve_until_gone("owner");
    let expected = ["number:2", "recording:1000/msg1", "recording:1000/msg2", "sound:vm-goodbye"];
    assert_eq!(played(&mail), expected);
    assert_eq!(mail.mailbox(), (2, 0));
    mail.close();
}

#[test]
fn the_owner_hears_what_was_said() {
    let mut mail = with_owner(quiet());
    mail.serve(1_000);
    let heard = mail.app.heard_by(&["owner"], 1_000).remove(0);
    assert_eq!(heard_of(&heard, &[ANN, BEN]), [ANN]);
    // The first takes a bit more than three seconds.
    mail.serve(2_200);
    let heard = mail.app.heard_by(&["owner"], 600).remove(0);
    assert_eq!(heard_of(&heard, &[ANN, BEN]), [BEN]);
    mail.serve_until_gone("owner");
    mail.close();
}

#[test]
fn keys_skip_go_to_the_next_message_delete_and_leave() {
    // Forward twice in the first, which is then nearly over; delete the second.
    let mut mail = with_owner(quiet().presses(600, "66").presses(2_600, "7"));
    let begun = mail.app.stage.now();
    mail.serve_until_gone("owner");
    let took = mail.app.stage.now().since(begun);
    assert!(took < ms(5_000), "{took:?}");
    assert!(
        !mail.app.stage.has_recording("1000/msg2") && mail.app.stage.has_recording("1000/msg1")
    );
    assert_eq!(mail.mailbox(), (1, 0));
    mail.close();
    // The next one by 9, and out by #, while it is played.
    let mut mail = with_owner(quiet().presses(600, "9").presses(1_600, "#"));
    mail.serve_until_gone("owner");
    let expected = ["number:2", "recording:1000/msg1", "recording:1000/msg2", "sound:vm-goodbye"];
    assert_eq!(played(&mail), expected);
    assert_eq!(mail.mailbox(), (1, 1));
    mail.close();
}

#[test]
fn a_message_whose_file_is_gone_is_passed_over() {
    let mut mail = with_owner(quiet());
    std::fs::remove_file(mail.file("1000/msg1")).unwrap();
    mail.serve_until_gone("owner");
    let failed = |line: &&String| line.ends_with("recording:1000/msg1 failed");
    assert_eq!(mail.app.log.iter().filter(failed).count(), 1);
    assert_eq!(mail.mailbox(), (2, 0));
    mail.close();
}
