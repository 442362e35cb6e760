//! A voice application as a test plays it: it hears what is told, line by line, and answers with what an
//! exchange can do. And phones for it, with what is heard at them.

use std::collections::BTreeMap;
use std::time::Duration;

use stasis_control::bridge::{BridgeSnapshot, BridgeType};
use stasis_control::cause::Cause;
use stasis_control::channel::ChannelSnapshot;
use stasis_control::id::{BridgeId, ChannelId};
use stasis_control::media::{RecordControl, RecordHow, Way};
use stasis_control::party::Party;
use stasis_control::tech::{Answers, PhoneSettings};
use stasis_control::{
    AddOptions, Exchange, NewBridge, NewCall, NewSnoop, Originate, PlayHow, Refusal, Then,
};
use stasis_media::dtmf::Digit;
use stasis_media::sound::Item;
use stasis_media::wav::Pcm;

use super::{Leftover, Listener, RATE, Stage, level, tone};

/// The application through which a test hears what phones hear.
const EARS: &str = "ears";
/// For how long something is waited for, in ticks of 20 ms.
const PATIENCE: u32 = 3_000;
/// A tone that is heard is at least as loud as this; one that is not, at most as the other.
const HEARD: f64 = 800.0;
const UNHEARD: f64 = 250.0;

/// An application, on a stage of its own.
pub struct App {
    pub stage: Stage,
    pub name: String,
    listener: Listener,
    _ears: Listener,
    /// All that was told so far.
    pub log: Vec<String>,
    /// What was not looked at yet.
    unread: Vec<String>,
    next: u32,
}

impl App {
    /// With this name, dialplan and phones.
    pub fn new(name: &str, dialplan: &str, phones: &[(&str, PhoneSettings)]) -> Self {
        let phones = phones.iter().map(|(name, phone)| ((*name).to_owned(), phone.clone()));
        let mut stage = Stage::with(dialplan, phones.collect::<BTreeMap<_, _>>());
        let (listener, ears) = (stage.listen(name), stage.listen(EARS));
        let (log, unread, name) = (Vec::new(), Vec::new(), name.to_owned());
        App { stage, name, listener, _ears: ears, log, unread, next: 0 }
    }

    /// One that hears of everything there is, not only of what is its own.
    pub fn of_all(name: &str, dialplan: &str, phones: &[(&str, PhoneSettings)]) -> Self {
        let mut app = App::new(name, dialplan, phones);
        let all = ["channel:", "bridge:", "deviceState:"].map(|source| source.parse().unwrap());
        app.stage.exchange.subscribe(name, &all).unwrap();
        app
    }

    pub fn exchange(&mut self) -> &mut Exchange {
        &mut self.stage.exchange
    }

    /// Time passes.
    pub fn run(&mut self, ms: u64) {
        self.stage.run(ms);
        self.listen();
    }

    /// Takes in what was told.
    pub fn listen(&mut self) {
        let told = self.listener.told();
        self.log.extend(told.iter().cloned());
        self.unread.extend(told);
    }

    /// Time passes until something is told that begins like this, and was not waited for before; gives what
    /// follows on it.
    pub fn until(&mut self, event: &str) -> String {
        for _ in 0..PATIENCE {
            self.listen();
            if let Some(rest) = self.has_heard(event) {
                return rest;
            }
            self.stage.run(20);
        }
        panic!("{event} never came, but: {:#?}", self.log);
    }

    /// Whether something was told that begins like this, and was not looked at before: what follows on it.
    pub fn has_heard(&mut self, event: &str) -> Option<String> {
        self.listen();
        let is_it = |line: &str| {
            line.strip_prefix(event).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
        };
        let at = self.unread.iter().position(|line| is_it(line))?;
        Some(self.unread.remove(at)[event.len()..].trim_start().to_owned())
    }

    /// All that was told and not looked at yet.
    pub fn news(&mut self) -> Vec<String> {
        self.listen();
        std::mem::take(&mut self.unread)
    }

    /// How many lines begin like this.
    pub fn count(&self, event: &str) -> usize {
        self.log.iter().filter(|line| line.starts_with(event)).count()
    }

    /// These were told, in this order; other things may have been told between them.
    pub fn was_told(&mut self, lines: &[&str]) {
        self.listen();
        let mut left = self.log.iter();
        for line in lines {
            let found = left.any(|told| told == line);
            assert!(found, "{line} was not told in its place: {:#?}", self.log);
        }
    }

    /// What was told of one channel, without its id.
    pub fn log_of(&self, id: &str) -> Vec<String> {
        self.log.iter().filter_map(|line| super::about(line, id)).collect()
    }

    /// A channel as everybody sees it; none: it is gone.
    pub fn channel(&self, id: &str) -> Option<std::sync::Arc<ChannelSnapshot>> {
        self.stage.exchange.state().channel(&ChannelId::new(id).unwrap())
    }

    /// A bridge as everybody sees it; none: it is gone.
    pub fn bridge(&self, id: &str) -> Option<std::sync::Arc<BridgeSnapshot>> {
        self.stage.exchange.state().bridge(&BridgeId::new(id).unwrap())
    }

    /// Who is in a bridge.
    pub fn members(&self, bridge: &str) -> Vec<String> {
        let bridge = self.bridge(bridge).expect("the bridge is there");
        bridge.channels.iter().map(ToString::to_string).collect()
    }

    /// What a device does, by its name.
    pub fn device(&self, name: &str) -> &'static str {
        self.stage.exchange.state().device(name).unwrap_or_default().name()
    }

    /// A call comes in from a phone, for an extension.
    pub fn comes_in(&mut self, phone: &str, id: &str, (context, exten): (&str, &str)) {
        let call = new_call(&format!("Test/{phone}"), id);
        let caller = Some(Party { name: String::new(), number: phone.to_owned() });
        self.exchange().incoming(call, caller, context, exten).unwrap();
        self.listen();
    }

    /// A call comes in from a phone, straight to the application.
    pub fn is_called(&mut self, phone: &str, id: &str) {
        let context = format!("stasis-{}", self.name);
        self.comes_in(phone, id, (&context, "100"));
    }

    /// Calls somebody, for the application.
    pub fn calls(&mut self, endpoint: &str, id: &str, timeout: Duration) {
        let then = Then::Application(self.name.clone(), vec!["called".into()]);
        let (call, timeout) = (new_call(endpoint, id), Some(timeout));
        self.exchange().originate(Originate { call, caller: None, timeout, then }).unwrap();
        self.listen();
    }

    /// Makes a bridge of these types, with these in it.
    pub fn opens(&mut self, bridge: &str, kind: &str, channels: &[&str]) {
        let (kind, id) = (BridgeType::parse(kind).unwrap(), Some(bridge.to_owned()));
        self.exchange().create_bridge(NewBridge { id, kind, ..NewBridge::default() }).unwrap();
        self.adds(bridge, channels);
    }

    pub fn adds(&mut self, bridge: &str, channels: &[&str]) {
        self.exchange().add_channels(bridge, channels, &AddOptions::default()).unwrap();
        self.listen();
    }

    /// Plays to a channel; gives the playback's id.
    pub fn plays(&mut self, channel: &str, media: &[&str]) -> String {
        let how = self.how(media);
        let id = how.id.clone().unwrap();
        self.exchange().play(channel, how).unwrap();
        id
    }

    /// How media are to be played, under a new id: `p1`, `p2`, …
    pub fn how(&mut self, media: &[&str]) -> PlayHow {
        self.next += 1;
        let media = media.iter().map(|uri| (*uri).to_owned()).collect();
        PlayHow { id: Some(format!("p{}", self.next)), media, ..PlayHow::default() }
    }

    /// Plays to a channel, and waits until that is over.
    pub fn plays_all(&mut self, channel: &str, media: &[&str]) {
        let id = self.plays(channel, media);
        self.until(&format!("PlaybackFinished {id}"));
    }

    pub fn hangs_up(&mut self, channel: &str) {
        self.exchange().hangup(channel, Cause::NORMAL).unwrap();
        self.listen();
    }

    /// Hangs up who is still there.
    pub fn hangs_up_if_there(&mut self, channel: &str) {
        match self.exchange().hangup(channel, Cause::NORMAL) {
            Ok(()) | Err(Refusal::NoChannel(_)) => self.listen(),
            Err(other) => panic!("{channel}: {other}"),
        }
    }

    /// What the parties of these channels hear in the next milliseconds.
    pub fn heard_by(&mut self, channels: &[&str], ms: u64) -> Vec<Vec<i16>> {
        self.overheard(channels, Way::Out, ms)
    }

    /// What the parties of these channels say in the next milliseconds.
    pub fn said_by(&mut self, channels: &[&str], ms: u64) -> Vec<Vec<i16>> {
        self.overheard(channels, Way::In, ms)
    }

    fn overheard(&mut self, channels: &[&str], spy: Way, ms: u64) -> Vec<Vec<i16>> {
        let mut names = Vec::new();
        for channel in channels {
            self.next += 1;
            let name = format!("ear{}", self.next);
            let (id, app) = (Some(name.clone()), EARS.to_owned());
            let snoop = NewSnoop { id, spy, app, ..NewSnoop::default() };
            self.exchange().snoop(channel, snoop).unwrap();
            let how = RecordHow { name: name.clone(), ..RecordHow::default() };
            self.exchange().record(&name, how).unwrap();
            names.push(name);
        }
        self.run(ms);
        for name in &names {
            // The one whom it belongs to may be gone, and it with that one.
            let _ = self.exchange().control_recording(name, RecordControl::Stop);
        }
        self.run(200);
        names.iter().for_each(|name| self.hangs_up_if_there(name));
        self.run(20);
        names.iter().map(|name| self.stage.recording(name).samples().to_vec()).collect()
    }

    /// Each of these hears these tones, and none of the others in the list.
    pub fn hear(&mut self, expected: &[(&str, &[f64])], of: &[f64]) {
        let channels: Vec<_> = expected.iter().map(|(channel, _)| *channel).collect();
        let heard = self.heard_by(&channels, 600);
        for ((channel, tones), heard) in expected.iter().zip(heard) {
            let found = heard_of(&heard, of);
            assert_eq!(&found, tones, "heard by {channel}");
        }
    }

    /// Everything has ended by itself, each who came to the application has left it once, and nothing is
    /// left.
    pub fn end(mut self) {
        self.run(1_000);
        assert_eq!(self.stage.goes_on(), Default::default(), "before anything is cleared away");
        let state = self.stage.exchange.state();
        assert!(state.channels().is_empty() && state.bridges().is_empty());
        assert!(state.devices().iter().all(|device| device.name.starts_with("Stasis:")));
        let mut stays: BTreeMap<&str, bool> = BTreeMap::new();
        for line in &self.log {
            let mut words = line.split(' ');
            let (event, Some(id)) = (words.next().unwrap_or_default(), words.next()) else {
                continue;
            };
            match event {
                "StasisStart" => assert_ne!(stays.insert(id, true), Some(true), "{id} came twice"),
                "StasisEnd" => {
                    assert_eq!(stays.insert(id, false), Some(true), "{id} was not there")
                }
                _ => {}
            }
        }
        let left: Vec<_> = stays.iter().filter(|(_, is_there)| **is_there).collect();
        assert!(left.is_empty(), "{left:?} never left: {:#?}", self.log);
        assert_eq!(self.stage.close(), Leftover::default());
    }
}

/// Which of these tones are in some sound. Each is either loud or not there at all.
pub fn heard_of(samples: &[i16], tones: &[f64]) -> Vec<f64> {
    // The first moment, before all is in place, does not count.
    let samples = samples.get(800..).unwrap_or_default();
    assert!(samples.len() > 1_600, "only {} samples were recorded", samples.len());
    let levels: Vec<_> = tones.iter().map(|hz| (*hz, level(samples, *hz))).collect();
    for (hz, level) in &levels {
        assert!(*level >= HEARD || *level <= UNHEARD, "{hz} Hz is neither: {levels:?}");
    }
    levels.into_iter().filter(|(_, level)| *level >= HEARD).map(|(hz, _)| hz).collect()
}

/// A channel that is to be made, by its endpoint and id.
pub fn new_call(endpoint: &str, id: &str) -> NewCall {
    NewCall { endpoint: endpoint.into(), id: Some(id.into()), ..NewCall::default() }
}

/// Keys, as they are written.
pub fn keys(text: &str) -> Vec<Digit> {
    text.chars().map(|c| Digit::from_char(c).unwrap()).collect()
}

/// A phone that answers at once, and says nothing.
pub fn quiet() -> PhoneSettings {
    PhoneSettings::default()
}

/// A phone that is never answered, or not as it should be.
pub fn that(answers: Answers) -> PhoneSettings {
    PhoneSettings { answers, ..PhoneSettings::default() }
}

/// What a phone does beside that, one after the other.
pub trait PhoneWords {
    /// It says one tone, for as long as the call is up.
    fn says(self, hz: f64) -> Self;
    /// It says one tone for a while, and then nothing for a while, again and again.
    fn says_in_turns(self, hz: f64, on_ms: usize, off_ms: u64) -> Self;
    /// It presses these keys, so long after the call is up.
    fn presses(self, after_ms: u64, text: &str) -> Self;
    /// It answers after a while.
    fn answers_after(self, ms: u64) -> Self;
    /// It hangs up so long after the call is up.
    fn hangs_up_after(self, ms: u64) -> Self;
}

impl PhoneWords for PhoneSettings {
    fn says(mut self, hz: f64) -> Self {
        (self.says, self.repeats) = (vec![Item::Pcm(Pcm::new(RATE, tone(hz, 1_000)))], true);
        self
    }

    fn says_in_turns(mut self, hz: f64, on_ms: usize, off_ms: u64) -> Self {
        let said = Item::Pcm(Pcm::new(RATE, tone(hz, on_ms)));
        (self.says, self.repeats) = (vec![said, Item::Silence(super::ms(off_ms))], true);
        self
    }

    fn presses(mut self, after_ms: u64, text: &str) -> Self {
        self.presses.push((super::ms(after_ms), keys(text)));
        self
    }

    fn answers_after(mut self, ms: u64) -> Self {
        self.answers = Answers::After(super::ms(ms));
        self
    }

    fn hangs_up_after(mut self, ms: u64) -> Self {
        self.hangs_up_after = Some(super::ms(ms));
        self
    }
}
