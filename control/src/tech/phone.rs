//! `Test/name`: simulated phones, for tests and demos. Each is an endpoint with settings that say what it
//! does when it is called, or calls: answers after a while, says something, presses keys, hangs up.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use stasis_media::dtmf::Digit;
use stasis_media::sound::{Item, PlaybackControl};

use super::{Context, Half, Instruction, Request, RequestError, Signal, Technology};
use crate::cause::Cause;
use crate::channel::{ChannelKey, ChannelState};
use crate::media::{Ear, Line, MediaEvent, MediaOrder, Play, Sound};
use crate::playback::PlaybackState;

/// How long a phone holds a key down, and how long it takes to the next.
const KEY: Duration = Duration::from_millis(100);
const KEY_STEP: Duration = Duration::from_millis(200);

/// What a simulated phone does.
#[derive(Clone, Debug)]
pub struct PhoneSettings {
    /// What becomes of a call to it.
    pub answers: Answers,
    /// Whether it says that it rings.
    pub rings: bool,
    /// What it says when the call is up, one after the other.
    pub says: Vec<Item>,
    /// Whether it says that again and again.
    pub repeats: bool,
    /// Keys that it presses, each group so long after the call is up.
    pub presses: Vec<(Duration, Vec<Digit>)>,
    /// It hangs up so long after the call is up; none: it waits for the other end.
    pub hangs_up_after: Option<Duration>,
}

/// What becomes of a call to a simulated phone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answers {
    /// It is answered after a while.
    After(Duration),
    /// Nobody answers.
    Never,
    /// It is busy.
    Busy,
    /// There is no way to it.
    Congestion,
    /// It does not want the call.
    Rejects,
}

/// One that rings, answers at once, and says nothing.
impl Default for PhoneSettings {
    fn default() -> Self {
        PhoneSettings {
            answers: Answers::After(Duration::ZERO),
            rings: true,
            says: Vec::new(),
            repeats: false,
            presses: Vec::new(),
            hangs_up_after: None,
        }
    }
}

/// All simulated phones, and their calls.
#[derive(Default)]
pub(crate) struct Phones {
    phones: BTreeMap<String, PhoneSettings>,
    calls: HashMap<ChannelKey, PhoneCall>,
}

struct PhoneCall {
    phone: String,
    near: Line,
    /// The phone's own end.
    far: Line,
    is_up: bool,
    saying: Option<(Play, usize)>,
}

/// What a timer is for; keys are counted from here on.
const ANSWER: u32 = 0;
const HANG_UP: u32 = 1;
const FIRST_KEY: u32 = 2;

impl Phones {
    /// With these.
    pub(crate) fn new(phones: BTreeMap<String, PhoneSettings>) -> Self {
        Phones { phones, calls: HashMap::new() }
    }

    /// The call is up: the phone does what it is to do.
    fn go(&mut self, channel: ChannelKey, context: &mut Context<'_>) {
        let Some(call) = self.calls.get_mut(&channel).filter(|call| !call.is_up) else { return };
        let Some(phone) = self.phones.get(&call.phone) else { return };
        call.is_up = true;
        call.say(phone, 0, channel, context);
        let mut number = FIRST_KEY;
        for (after, keys) in &phone.presses {
            let mut at = *after;
            for _ in keys {
                context.after(at, channel, number);
                (at, number) = (at + KEY_STEP, number + 1);
            }
        }
        if let Some(after) = phone.hangs_up_after {
            context.after(after, channel, HANG_UP);
        }
    }
}

impl PhoneCall {
    /// Says the item of this number, if there is one.
    fn say(
        &mut self,
        phone: &PhoneSettings,
        number: usize,
        channel: ChannelKey,
        context: &mut Context<'_>,
    ) {
        self.saying = None;
        let number = if phone.repeats && number == phone.says.len() { 0 } else { number };
        let Some(item) = phone.says.get(number) else { return };
        let play = Play(context.number());
        self.saying = Some((play, number));
        context.own_play(play, channel);
        context.order(MediaOrder::Play {
            play,
            ear: Ear::Line(self.far),
            sound: Sound::Item(item.clone()),
            language: None,
            offset: Duration::ZERO,
            repeats: phone.repeats && phone.says.len() == 1,
        });
    }
}

impl Technology for Phones {
    fn names(&self) -> &'static [&'static str] {
        &["Test"]
    }

    fn request(&mut self, request: &Request<'_>) -> Result<Vec<Half>, RequestError> {
        if !self.phones.contains_key(request.resource) {
            return Err(RequestError::Unknown {
                technology: request.technology.into(),
                resource: request.resource.into(),
                hint: "name it among the simulated phones in the settings",
            });
        }
        let name = format!("Test/{}", request.resource);
        let endpoint = Some(name.clone());
        let (state, exten) = (ChannelState::Down, String::from("s"));
        Ok(vec![Half { name, suffix: "", state, exten, context: None, endpoint }])
    }

    fn begin(&mut self, channels: &[ChannelKey], request: &Request<'_>, context: &mut Context<'_>) {
        let &[channel] = channels else { return };
        let [near, far] = [Line(context.number()), Line(context.number())];
        context.order(MediaOrder::OpenPair([near, far]));
        let phone = request.resource.into();
        self.calls.insert(channel, PhoneCall { phone, near, far, is_up: false, saying: None });
        context.own_line(far, channel);
        context.signal(channel, Signal::Line(near));
    }

    fn instruct(&mut self, channel: ChannelKey, what: Instruction<'_>, context: &mut Context<'_>) {
        let Some(call) = self.calls.get(&channel) else { return };
        match what {
            Instruction::Call { .. } => {
                let Some(phone) = self.phones.get(&call.phone) else { return };
                let refusal = |cause| Signal::HungUp { cause, tech_cause: None };
                match phone.answers {
                    Answers::Busy => return context.signal(channel, refusal(Cause::BUSY)),
                    Answers::Congestion => {
                        return context.signal(channel, refusal(Cause::CONGESTION));
                    }
                    Answers::Rejects => return context.signal(channel, refusal(Cause::REJECTED)),
                    Answers::After(time) => context.after(time, channel, ANSWER),
                    Answers::Never => {}
                }
                if phone.rings {
                    context.signal(channel, Signal::Ringing);
                }
            }
            Instruction::Answer => self.go(channel, context),
            Instruction::Hangup(_) => {
                if let Some((play, _)) = call.saying {
                    context.order(MediaOrder::ControlPlay(play, PlaybackControl::Stop));
                }
                let lines = [call.near, call.far];
                self.calls.remove(&channel);
                lines.into_iter().for_each(|line| context.order(MediaOrder::CloseLine(line)));
            }
            _ => {}
        }
    }

    fn timer(&mut self, channel: ChannelKey, number: u32, context: &mut Context<'_>) {
        let Some(call) = self.calls.get(&channel) else { return };
        match number {
            ANSWER => {
                context.signal(channel, Signal::Answered);
                self.go(channel, context);
            }
            HANG_UP => {
                let cause = Cause::NORMAL;
                context.signal(channel, Signal::HungUp { cause, tech_cause: None });
            }
            key => {
                let keys = self.phones.get(&call.phone).into_iter().flat_map(|p| &p.presses);
                let mut keys = keys.flat_map(|(_, keys)| keys);
                if let Some(key) = keys.nth((key - FIRST_KEY) as usize) {
                    context.order(MediaOrder::Press(call.far, *key, KEY));
                }
            }
        }
    }

    fn media(&mut self, channel: ChannelKey, event: &MediaEvent, context: &mut Context<'_>) {
        let Some(call) = self.calls.get_mut(&channel) else { return };
        let MediaEvent::Played(play, state) = event else { return };
        let Some((_, number)) = call.saying.filter(|(saying, _)| saying == play) else { return };
        match state {
            PlaybackState::Done => {
                if let Some(phone) = self.phones.get(&call.phone) {
                    call.say(phone, number + 1, channel, context);
                }
            }
            // It has lost its voice: what cannot be had once is not tried for ever.
            PlaybackState::Failed => call.saying = None,
            _ => {}
        }
    }

    fn endpoints(&self) -> Vec<String> {
        self.phones.keys().map(|name| format!("Test/{name}")).collect()
    }
}
