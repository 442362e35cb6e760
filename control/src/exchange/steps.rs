//! The dialplan: what a channel does there, step by step.

use std::time::Duration;

use stasis_media::leg::LegSetting;

use super::calls::DialPlan;
use super::channels::By;
use super::operations::DigitsHow;
use super::stays::written;
use super::{Exchange, Work};
use crate::cause::Cause;
use crate::channel::{Activity, ChannelKey, ChannelState, Position};
use crate::dialplan::{
    Application, Call, DialOptions, PriorityOrLabel, ReadOptions, RecordOptions, RecordTerminator,
    Target,
};
use crate::execute::{Collect, CollectFor, Frame, Offer, Run, Waiting};
use crate::media::{EndKey, EndedBy, IfExists, MediaOrder, RecordHow};
use crate::message::{DialStatus, UserEvent};
use crate::recording::RecordingState;
use crate::tech::Instruction;
use crate::timers::Timer;

/// What a channel that was called shows as its application while nobody executes anything for it.
const OUTGOING: (&str, &str) = ("AppDial2", "(Outgoing Line)");
/// After so many steps that have taken no time others have their turn.
const BREATH: Duration = Duration::from_millis(20);
/// How long is waited for a key where nothing is said.
const KEY_TIMEOUT: Duration = Duration::from_secs(10);
/// Steps of the extension `h`, at most.
const MOST_HANGUP_STEPS: u32 = 256;
/// Parts of the dialplan that may be called within each other.
const MOST_FRAMES: usize = 64;
/// Keys that one reads, at most.
const MOST_KEYS: usize = 255;

/// What a step comes to.
enum Next {
    /// The next one follows at once.
    Step,
    /// It is somewhere else already, and that follows.
    Jumped,
    /// It waits for this.
    Wait(Waiting),
    /// As long as this.
    WaitFor(Waiting, Duration),
    /// It was hung up.
    Over,
}

/// Coming in, going on, and leaving.
impl Exchange {
    /// Whether there is such an extension.
    pub(super) fn has_step(&self, context: &str, exten: &str) -> bool {
        self.dialplan.matches(context, exten) || self.dialplan.matches(context, "i")
    }

    /// The dialplan has a channel, from where it is.
    pub(super) fn start_dialplan(&mut self, key: ChannelKey) {
        let Some(channel) = self.channels.get(key) else { return };
        let position = channel.position.clone();
        if !self.has_step(&position.context, &position.exten) {
            return self.hang_up(key, Cause::UNALLOCATED, By::Nobody);
        }
        self.go_to_step(key, &position);
    }

    /// The dialplan has a channel, from this step on.
    pub(super) fn go_to_step(&mut self, key: ChannelKey, place: &Position) {
        let known = self.dialplan.matches(&place.context, &place.exten);
        let Some(channel) = self.channels.get_mut(key) else { return };
        let is_invalid = !known && place.exten != "i";
        if !channel.is_in_dialplan() {
            channel.activity = Activity::Dialplan(Box::default());
        }
        let position = std::sync::Arc::make_mut(&mut channel.position);
        (position.context, position.exten) = (place.context.clone(), place.exten.clone());
        position.priority = place.priority;
        if is_invalid && self.dialplan.matches(&place.context, "i") {
            let position = std::sync::Arc::make_mut(&mut self.channels[key].position);
            let tried = std::mem::replace(&mut position.exten, "i".into());
            position.priority = 1;
            self.set_channel_variable(key, "INVALID_EXTEN", &tried);
        }
        self.queue_step(key);
    }

    /// A channel goes on with the step behind the one that it is at.
    pub(super) fn next_step(&mut self, key: ChannelKey) {
        let Some(channel) = self.channels.get_mut(key).filter(|c| c.is_in_dialplan()) else {
            return;
        };
        let position = std::sync::Arc::make_mut(&mut channel.position);
        position.priority = position.priority.saturating_add(1);
        self.queue_step(key);
    }

    fn run_mut(&mut self, key: ChannelKey) -> Option<&mut Run> {
        match &mut self.channels.get_mut(key)?.activity {
            Activity::Dialplan(run) => Some(run),
            _ => None,
        }
    }

    fn queue_step(&mut self, key: ChannelKey) {
        let most = self.settings.most_steps;
        let (now, number) = (self.now, self.numbers.next());
        let Some(run) = self.run_mut(key) else { return };
        (run.waiting, run.number) = (Waiting::Step, number);
        if run.stepped != now {
            (run.stepped, run.steps) = (now, 0);
        }
        run.steps += 1;
        if run.steps > most {
            self.timers.set(now + BREATH, Timer::Step(key, number));
        } else {
            self.work.push_back(Work::Step(key, number));
        }
    }

    /// A channel waits for something, and maybe not for longer than this.
    fn wait_for(&mut self, key: ChannelKey, waiting: Waiting, time: Option<Duration>) {
        let (now, number) = (self.now, self.numbers.next());
        let Some(run) = self.run_mut(key) else { return };
        (run.waiting, run.number) = (waiting, number);
        if let Some(time) = time {
            self.timers.set(now + time, Timer::Step(key, number));
        }
    }

    /// A step that was queued is due, or a time has passed.
    pub(super) fn step(&mut self, key: ChannelKey, number: u64) {
        if self.channels.get(key).is_none_or(|channel| channel.is_ending) {
            return;
        }
        let Some(run) = self.run_mut(key).filter(|run| run.number == number) else { return };
        match &run.waiting {
            Waiting::Step => self.run_step(key),
            Waiting::Time => {
                self.set_music(key, None);
                self.next_step(key);
            }
            Waiting::Refusal => {
                let cause = self.channels[key].hangup.cause;
                self.hang_up(key, cause, By::Dialplan);
            }
            Waiting::Offer(_) => {
                self.channels[key].offered = false;
                self.set_channel_variable(key, "STASISSTATUS", "FAILED");
                self.next_step(key);
            }
            Waiting::Keys(_) => self.no_more_keys(key),
            _ => {}
        }
    }

    /// Runs the step that a channel is at.
    fn run_step(&mut self, key: ChannelKey) {
        let position = self.channels[key].position.clone();
        let step = self.dialplan.step(&position.context, &position.exten, position.priority);
        let Some((name, args)) = step.map(|step| (step.app, step.args.to_owned())) else {
            return self.hang_up(key, Cause::NORMAL, By::Dialplan);
        };
        let args = self.substituted(key, &args);
        let shown = match Application::parse(name, &args) {
            Ok(Application::Stasis { app, args }) => written(&app, &args),
            _ => args.clone(),
        };
        self.set_application(key, name, &shown);
        let next = self.execute(key, name, &args);
        self.follow(key, next);
    }

    fn follow(&mut self, key: ChannelKey, next: Next) {
        match next {
            Next::Step => self.next_step(key),
            Next::Jumped => self.queue_step(key),
            Next::Wait(waiting) => self.wait_for(key, waiting, None),
            Next::WaitFor(waiting, time) => self.wait_for(key, waiting, Some(time)),
            Next::Over => {}
        }
    }

    /// A channel is hung up amid a step: what that sets at its end is set.
    pub(super) fn end_step(&mut self, key: ChannelKey) {
        let Some(run) = self.run_mut(key) else { return };
        if let Waiting::Sounds = std::mem::take(&mut run.waiting) {
            self.set_channel_variable(key, "PLAYBACKSTATUS", "SUCCESS");
        }
    }

    /// The steps of the extension `h` that need no time, for a channel that is hung up.
    pub(super) fn run_hangup_steps(&mut self, key: ChannelKey) {
        let Some(channel) = self.channels.get(key).filter(|c| c.is_in_dialplan()) else { return };
        let context = channel.position.context.clone();
        if channel.position.exten == "h" || !self.dialplan.matches(&context, "h") {
            return;
        }
        let place = Position::new(&context, "h", 1);
        self.change(key, |channel| channel.position = place.into());
        for _ in 0..MOST_HANGUP_STEPS {
            let position = self.channels[key].position.clone();
            let step = self.dialplan.step(&position.context, &position.exten, position.priority);
            let Some((name, args)) = step.map(|step| (step.app, step.args.to_owned())) else {
                return;
            };
            let args = self.substituted(key, &args);
            self.set_application(key, name, &args);
            let next = match without_time(name, &args) {
                Some(application) => self.perform(key, application),
                None => Next::Step,
            };
            if let Next::Step = next {
                let position = &mut self.channels[key].position;
                std::sync::Arc::make_mut(position).priority += 1;
            }
        }
    }

    /// The dialplan has a channel no longer.
    pub(super) fn leave_dialplan(&mut self, key: ChannelKey) {
        let Some(channel) = self.channels.get_mut(key).filter(|c| c.is_in_dialplan()) else {
            return;
        };
        channel.activity = Activity::Over;
        let (name, data) = if channel.is_outgoing { OUTGOING } else { ("", "") };
        self.set_application(key, name, data);
    }
}

/// An application that is over at once, or what it chooses to be done if that is; none: it takes time.
fn without_time(name: &str, args: &str) -> Option<Application> {
    match Application::parse(name, args).ok()? {
        Application::ExecIf { condition, then, otherwise } => {
            let chosen = if condition { Some(then) } else { otherwise };
            chosen.and_then(|Call { app, args }| without_time(app, &args))
        }
        application @ (Application::NoOp { .. }
        | Application::Set { .. }
        | Application::MSet { .. }
        | Application::Verbose { .. }
        | Application::Log { .. }
        | Application::UserEvent { .. }
        | Application::Goto { .. }
        | Application::GotoIf { .. }) => Some(application),
        _ => None,
    }
}

/// The applications.
impl Exchange {
    fn execute(&mut self, key: ChannelKey, name: &str, args: &str) -> Next {
        match Application::parse(name, args) {
            Ok(application) => self.perform(key, application),
            Err(problem) => {
                tracing::warn!(channel = %self.channels[key].id, %problem, "a step is left out");
                Next::Step
            }
        }
    }

    fn perform(&mut self, key: ChannelKey, application: Application) -> Next {
        match application {
            Application::NoOp { .. } => Next::Step,
            Application::Verbose { level, text } => {
                tracing::info!(channel = %self.channels[key].id, level, %text, "the dialplan says");
                Next::Step
            }
            Application::Log { text, .. } => {
                tracing::info!(channel = %self.channels[key].id, %text, "the dialplan says");
                Next::Step
            }
            Application::Answer { delay } => {
                let is_up = self.channels[key].state == ChannelState::Up;
                let wait = if is_up { Duration::ZERO } else { self.settings.answer_wait };
                self.answer_channel(key);
                let delay = delay.max(wait);
                match delay.is_zero() {
                    true => Next::Step,
                    false => Next::WaitFor(Waiting::Time, delay),
                }
            }
            Application::Ringing => {
                self.instruct(key, Instruction::Ring(true));
                Next::Step
            }
            Application::Progress => {
                self.instruct(key, Instruction::Progress);
                Next::Step
            }
            Application::Busy { timeout } => self.refuse(key, Cause::BUSY, timeout),
            Application::Congestion { timeout } => self.refuse(key, Cause::CONGESTION, timeout),
            Application::Hangup { cause } => {
                let known = Some(self.channels[key].hangup.cause).filter(|c| *c != Cause::UNKNOWN);
                let cause = cause.map(Cause).or(known).unwrap_or(Cause::NORMAL);
                self.hang_up(key, cause, By::Dialplan);
                Next::Over
            }
            Application::Stasis { app, args } => match self.enter(key, &app, args) {
                true => Next::Wait(Waiting::Application),
                false => Next::Step,
            },
            Application::StasisBroadcast { timeout, filter, args, notify_claimed } => {
                let filter = filter.and_then(|filter| regex_lite::Regex::new(&filter).ok());
                let fits = |name: &str| filter.as_ref().is_none_or(|filter| filter.is_match(name));
                let apps = self.offer(key, fits);
                let offer = Offer { args, tells: notify_claimed, apps };
                Next::WaitFor(Waiting::Offer(Box::new(offer)), timeout)
            }
            Application::Echo => {
                self.set_echo(key, true);
                Next::Wait(Waiting::Echo)
            }
            Application::Wait { duration } => Next::WaitFor(Waiting::Time, duration),
            Application::WaitExten { duration, music } => {
                if let Some(class) = music {
                    self.set_music(key, Some(&or_default(&class)));
                }
                self.collect_extension(key, &[], None, duration.unwrap_or(KEY_TIMEOUT))
            }
            Application::Playback { sounds, options } => {
                let is_up = self.channels[key].state == ChannelState::Up;
                if options.skip && !is_up {
                    return Next::Step;
                }
                if !options.no_answer {
                    self.answer_channel(key);
                }
                self.wait_for(key, Waiting::Sounds, None);
                match self.play_quietly(key, &sounds) {
                    true => Next::Over,
                    false => Next::Step,
                }
            }
            Application::Background { sounds, options, context, .. } => {
                let is_up = self.channels[key].state == ChannelState::Up;
                if options.skip && !is_up {
                    return Next::Step;
                }
                if !options.no_answer {
                    self.answer_channel(key);
                }
                self.collect_extension(key, &sounds, context, KEY_TIMEOUT)
            }
            Application::SendDtmf { digits, between, duration } => {
                let duration = duration.unwrap_or(Duration::from_millis(100));
                let (before, after) = (Duration::ZERO, Duration::ZERO);
                self.wait_for(key, Waiting::Sending, None);
                self.queue_digits(key, &DigitsHow { digits, duration, between, before, after });
                Next::Over
            }
            Application::Dial { destinations, timeout, options, .. } => {
                self.begin_dial(key, destinations, timeout, &options);
                Next::Over
            }
            Application::UserEvent { name, headers } => {
                self.publish_user_event(key, name, headers);
                Next::Step
            }
            Application::ExecIf { condition, then, otherwise } => {
                let chosen = if condition { Some(then) } else { otherwise };
                match chosen {
                    Some(Call { app, args }) => self.execute(key, app, &args),
                    None => Next::Step,
                }
            }
            Application::GotoIf { condition, then, otherwise } => {
                match if condition { then } else { otherwise } {
                    Some(target) => self.jump(key, target),
                    None => Next::Step,
                }
            }
            Application::Goto { target } => self.jump(key, target),
            Application::Gosub { target, args } => self.call_part(key, target, &args),
            Application::Return { value } => self.return_from_part(key, &value),
            Application::Set { assignments } | Application::MSet { assignments } => {
                for (name, value) in assignments {
                    self.set_value(key, &name, &value);
                }
                Next::Step
            }
            Application::Record { file, format, silence, max_duration, options } => {
                self.record_file(key, (file, format), (silence, max_duration), options)
            }
            Application::Read { variable, prompts, max_digits, options, attempts, timeout } => {
                self.read(key, variable, (prompts, max_digits), options, (attempts, timeout))
            }
            Application::MusicOnHold { class, duration } => {
                self.set_music(key, Some(&class.unwrap_or_else(|| "default".into())));
                match duration {
                    Some(duration) => Next::WaitFor(Waiting::Time, duration),
                    None => Next::Wait(Waiting::Time),
                }
            }
            Application::StartMusicOnHold { class } => {
                self.set_music(key, Some(&class.unwrap_or_else(|| "default".into())));
                Next::Step
            }
            Application::StopMusicOnHold => {
                self.set_music(key, None);
                Next::Step
            }
        }
    }

    /// `Busy` and `Congestion`.
    fn refuse(&mut self, key: ChannelKey, cause: Cause, timeout: Option<Duration>) -> Next {
        self.channels[key].set_cause(cause, None);
        let instruction = match cause {
            Cause::BUSY => Instruction::Busy,
            _ => Instruction::Congestion,
        };
        if self.channels[key].state != ChannelState::Up {
            self.change(key, |channel| channel.state = ChannelState::Busy);
        }
        self.instruct(key, instruction);
        match timeout {
            Some(timeout) => Next::WaitFor(Waiting::Refusal, timeout),
            None => Next::Wait(Waiting::Refusal),
        }
    }

    /// A channel hears itself, or no longer.
    fn set_echo(&mut self, key: ChannelKey, echo: bool) {
        if let Some(line) = self.channels.get(key).and_then(|channel| channel.line) {
            self.order(MediaOrder::Set(line, LegSetting::Echo(echo)));
        }
    }

    /// The step that a target names, from where a channel is.
    fn place_of(&self, key: ChannelKey, target: &Target) -> Option<Position> {
        let here = &self.channels[key].position;
        let context = target.context.as_deref().unwrap_or(&here.context);
        let exten = target.exten.as_deref().unwrap_or(&here.exten);
        let priority = match &target.priority {
            PriorityOrLabel::Priority(priority) => *priority,
            PriorityOrLabel::Label(label) => self.dialplan.label(context, exten, label)?,
        };
        Some(Position::new(context, exten, priority))
    }

    fn jump(&mut self, key: ChannelKey, target: Target) -> Next {
        let Some(place) = self.place_of(key, &target) else {
            tracing::warn!(channel = %self.channels[key].id, ?target, "there is no such label");
            self.hang_up(key, Cause::NORMAL, By::Dialplan);
            return Next::Over;
        };
        let position = std::sync::Arc::make_mut(&mut self.channels[key].position);
        (position.context, position.exten) = (place.context, place.exten);
        position.priority = place.priority;
        Next::Jumped
    }

    /// `Gosub`.
    fn call_part(&mut self, key: ChannelKey, target: Target, args: &[String]) -> Next {
        let back = Position::clone(&self.channels[key].position);
        let Some(run) = self.run_mut(key) else { return Next::Step };
        if run.stack.len() >= MOST_FRAMES {
            tracing::warn!(channel = %self.channels[key].id, "too many parts within each other");
            self.hang_up(key, Cause::NORMAL, By::Dialplan);
            return Next::Over;
        }
        run.stack.push(Frame { place: back, args: args.len() });
        for (number, arg) in args.iter().enumerate() {
            self.set_channel_variable(key, &format!("ARG{}", number + 1), arg);
        }
        self.jump(key, target)
    }

    /// `Return`.
    fn return_from_part(&mut self, key: ChannelKey, value: &str) -> Next {
        let Some(frame) = self.run_mut(key).and_then(|run| run.stack.pop()) else {
            tracing::warn!(channel = %self.channels[key].id, "Return without Gosub");
            return Next::Step;
        };
        for number in 1..=frame.args {
            self.set_channel_variable(key, &format!("ARG{number}"), "");
        }
        self.set_channel_variable(key, "GOSUB_RETVAL", value);
        let position = std::sync::Arc::make_mut(&mut self.channels[key].position);
        (position.context, position.exten) = (frame.place.context, frame.place.exten);
        position.priority = frame.place.priority;
        Next::Step
    }

    fn publish_user_event(
        &mut self,
        key: ChannelKey,
        name: String,
        headers: Vec<(String, String)>,
    ) {
        let body = headers.into_iter().map(|(name, value)| (name, value.into())).collect();
        let (channel, at) = (self.snapshot_of(key), self.time());
        let event = UserEvent { name, body, channel, bridge: None, endpoint: None, at };
        self.tell_channel(key, &event);
    }

    /// `Dial`.
    fn begin_dial(
        &mut self,
        key: ChannelKey,
        destinations: Vec<String>,
        timeout: Option<Duration>,
        options: &DialOptions,
    ) {
        if let Some(class) = &options.music {
            self.set_music(key, Some(&or_default(class)));
        }
        if options.ring.is_some() {
            self.instruct(key, Instruction::Ring(true));
        }
        self.wait_for(key, Waiting::Call, None);
        let goes_on = options.go_on;
        self.dial(key, DialPlan { destinations, timeout, goes_on });
    }

    /// Nobody who was called for a channel has answered.
    pub(super) fn dial_has_failed(&mut self, key: ChannelKey, status: DialStatus) {
        self.set_channel_variable(key, "DIALSTATUS", status.name());
        self.set_music(key, None);
        if self.channels.get(key).is_some_and(|channel| !channel.is_ending) {
            let cause = match status {
                DialStatus::Busy => Cause::BUSY,
                DialStatus::Congestion => Cause::CONGESTION,
                _ => self.channels[key].hangup.cause,
            };
            self.channels[key].set_cause(cause, None);
            self.next_step(key);
        }
    }

    /// One who was called for a channel has hung up after talking for so long.
    pub(super) fn dial_is_over(
        &mut self,
        key: ChannelKey,
        talked: Duration,
        all: Duration,
        goes_on: bool,
    ) {
        if self.channels.get(key).is_none_or(|channel| channel.is_ending) {
            return;
        }
        for (name, time) in [("ANSWEREDTIME", talked), ("DIALEDTIME", all)] {
            self.set_channel_variable(key, name, &time.as_secs().to_string());
            let millis = time.as_millis().to_string();
            self.set_channel_variable(key, &format!("{name}_MS"), &millis);
        }
        self.set_channel_variable(key, "DIALSTATUS", DialStatus::Answer.name());
        let waits = self.run_mut(key).is_some_and(|run| matches!(run.waiting, Waiting::Call));
        if waits && goes_on {
            self.next_step(key);
        } else if waits {
            self.hang_up(key, Cause::NORMAL, By::Dialplan);
        }
    }

    /// An application has taken a call that was offered: gives the arguments for it.
    pub(super) fn claimed_in_dialplan(&mut self, key: ChannelKey) -> Option<Offer> {
        let run = self.run_mut(key)?;
        let waiting = std::mem::replace(&mut run.waiting, Waiting::Application);
        match waiting {
            Waiting::Offer(offer) => Some(*offer),
            _ => None,
        }
    }
}

/// What ends by itself.
impl Exchange {
    /// Sounds that the dialplan plays are over.
    pub(super) fn sounds_are_over(&mut self, key: ChannelKey, were_heard: bool) {
        let Some(run) = self.run_mut(key) else { return };
        match &mut run.waiting {
            Waiting::Sounds => {
                let status = if were_heard { "SUCCESS" } else { "FAILED" };
                self.set_channel_variable(key, "PLAYBACKSTATUS", status);
                self.next_step(key);
            }
            Waiting::Keys(collect) if collect.is_playing => {
                collect.is_playing = false;
                let timeout = collect.timeout;
                if let CollectFor::Extension { goes_on: true, .. } = collect.purpose
                    && collect.typed.is_empty()
                {
                    return self.next_step(key);
                }
                self.wait_more(key, timeout);
            }
            _ => {}
        }
    }

    /// A recording of the dialplan is over.
    pub(super) fn recording_is_over(
        &mut self,
        key: ChannelKey,
        state: RecordingState,
        by: Option<EndedBy>,
    ) {
        if !self.run_mut(key).is_some_and(|run| matches!(run.waiting, Waiting::Recording)) {
            return;
        }
        let status = match (state, by) {
            (RecordingState::Failed | RecordingState::Canceled, _) => "ERROR",
            (_, Some(EndedBy::Key(_))) => "DTMF",
            (_, Some(EndedBy::Silence)) => "SILENCE",
            (_, Some(EndedBy::Time)) => "TIMEOUT",
            (_, Some(EndedBy::Gone)) => "HANGUP",
            (_, None) => "OPERATOR",
        };
        self.set_channel_variable(key, "RECORD_STATUS", status);
        self.next_step(key);
    }

    /// All keys were sent.
    pub(super) fn digits_are_sent(&mut self, key: ChannelKey) {
        if self.run_mut(key).is_some_and(|run| matches!(run.waiting, Waiting::Sending)) {
            self.next_step(key);
        }
    }

    /// `Record`.
    fn record_file(
        &mut self,
        key: ChannelKey,
        (file, format): (String, String),
        (silence, max_duration): (Option<Duration>, Option<Duration>),
        options: RecordOptions,
    ) -> Next {
        if options.skip && self.channels[key].state != ChannelState::Up {
            self.set_channel_variable(key, "RECORD_STATUS", "SKIP");
            return Next::Step;
        }
        if !options.no_answer {
            self.answer_channel(key);
        }
        self.set_channel_variable(key, "RECORDED_FILE", &file);
        let hash = stasis_media::dtmf::Digit::from_char('#').ok();
        let star = stasis_media::dtmf::Digit::from_char('*').ok();
        let end_key = match options.terminator {
            RecordTerminator::Hash => hash.map_or(EndKey::Any, EndKey::Digit),
            RecordTerminator::Star => star.map_or(EndKey::Any, EndKey::Digit),
            RecordTerminator::Any => EndKey::Any,
            RecordTerminator::None => EndKey::None,
        };
        let if_exists = if options.append { IfExists::Append } else { IfExists::Overwrite };
        let how = RecordHow {
            name: file,
            format,
            if_exists,
            max_duration,
            max_silence: silence,
            end_key,
            beep: !options.quiet,
        };
        self.wait_for(key, Waiting::Recording, None);
        if !self.record_quietly(key, how) {
            self.set_channel_variable(key, "RECORD_STATUS", "ERROR");
            return Next::Step;
        }
        Next::Over
    }
}

/// Keys of the caller's.
impl Exchange {
    /// `Read`.
    fn read(
        &mut self,
        key: ChannelKey,
        variable: String,
        (prompts, max_digits): (Vec<String>, Option<u32>),
        options: ReadOptions,
        (attempts, timeout): (u32, Option<Duration>),
    ) -> Next {
        let is_up = self.channels[key].state == ChannelState::Up;
        if options.skip && !is_up {
            self.set_channel_variable(key, "READSTATUS", "SKIPPED");
            return Next::Step;
        }
        if !options.no_answer {
            self.answer_channel(key);
        }
        let most = max_digits.map(|most| (most as usize).clamp(1, MOST_KEYS));
        let prompts = match options.tone {
            true => prompts.iter().map(|tone| format!("tone:{tone}")).collect(),
            false => prompts,
        };
        self.collect(
            key,
            Collect {
                purpose: CollectFor::Variable(variable, most),
                typed: String::new(),
                timeout: timeout.unwrap_or(KEY_TIMEOUT),
                prompts,
                is_playing: false,
                attempts: attempts.max(1),
            },
        );
        Next::Over
    }

    /// `WaitExten` and `Background`.
    fn collect_extension(
        &mut self,
        key: ChannelKey,
        sounds: &[String],
        context: Option<String>,
        timeout: Duration,
    ) -> Next {
        let context = context.unwrap_or_else(|| self.channels[key].position.context.clone());
        let goes_on = !sounds.is_empty();
        self.collect(
            key,
            Collect {
                purpose: CollectFor::Extension { context, goes_on },
                typed: String::new(),
                timeout,
                prompts: sounds.to_vec(),
                is_playing: false,
                attempts: 1,
            },
        );
        Next::Over
    }

    /// Begins to collect keys, with the prompts.
    fn collect(&mut self, key: ChannelKey, collect: Collect) {
        let (prompts, timeout) = (collect.prompts.clone(), collect.timeout);
        let is_playing = !prompts.is_empty();
        let waiting = Waiting::Keys(Box::new(Collect { is_playing, ..collect }));
        self.wait_for(key, waiting, (!is_playing).then_some(timeout));
        if is_playing {
            self.play_quietly(key, &prompts);
        }
    }

    /// Waits for the next key.
    fn wait_more(&mut self, key: ChannelKey, timeout: Duration) {
        let Some(run) = self.run_mut(key) else { return };
        let waiting = std::mem::take(&mut run.waiting);
        self.wait_for(key, waiting, Some(timeout));
    }

    /// A caller has pressed a key.
    pub(super) fn typed(&mut self, key: ChannelKey, digit: char) {
        let Some(run) = self.run_mut(key) else { return };
        match &mut run.waiting {
            Waiting::Keys(collect) => {
                let was_playing = std::mem::take(&mut collect.is_playing);
                let is_end = digit == '#' && matches!(collect.purpose, CollectFor::Variable(..));
                if !is_end {
                    collect.typed.push(digit);
                }
                if was_playing {
                    self.stop_quietly(key);
                }
                self.look_at_keys(key, is_end);
            }
            Waiting::Echo if digit == '#' => {
                self.set_echo(key, false);
                self.next_step(key);
            }
            _ => {}
        }
    }

    /// Whether the keys that have come are enough.
    fn look_at_keys(&mut self, key: ChannelKey, is_end: bool) {
        let Some(Waiting::Keys(collect)) = self.run_mut(key).map(|run| &run.waiting) else {
            return;
        };
        let timeout = collect.timeout;
        let is_enough = match &collect.purpose {
            CollectFor::Variable(_, most) => {
                is_end || collect.typed.len() >= most.unwrap_or(MOST_KEYS)
            }
            CollectFor::Extension { context, .. } => {
                let (context, typed) = (context.clone(), collect.typed.clone());
                typed.len() >= MOST_KEYS || !self.dialplan.could_match_longer(&context, &typed)
            }
        };
        match is_enough {
            true => self.keys_are_there(key),
            false => self.wait_more(key, timeout),
        }
    }

    /// No key has come in time.
    fn no_more_keys(&mut self, key: ChannelKey) {
        let Some(run) = self.run_mut(key) else { return };
        let Waiting::Keys(collect) = &mut run.waiting else { return };
        let is_variable = matches!(collect.purpose, CollectFor::Variable(..));
        if !collect.typed.is_empty() && !is_variable {
            return self.keys_are_there(key);
        }
        if collect.typed.is_empty() && collect.attempts > 1 {
            collect.attempts -= 1;
            let Waiting::Keys(collect) = std::mem::take(&mut run.waiting) else { return };
            return self.collect(key, *collect);
        }
        let Waiting::Keys(collect) = std::mem::take(&mut run.waiting) else { return };
        match collect.purpose {
            CollectFor::Variable(variable, _) => {
                self.set_value(key, &variable, &collect.typed);
                self.set_channel_variable(key, "READSTATUS", "TIMEOUT");
                self.next_step(key);
            }
            CollectFor::Extension { context, .. } => {
                self.set_music(key, None);
                match self.dialplan.matches(&context, "t") {
                    true => self.go_to_step(key, &Position::new(&context, "t", 1)),
                    false => self.next_step(key),
                }
            }
        }
    }

    /// The keys that were waited for are there.
    fn keys_are_there(&mut self, key: ChannelKey) {
        let Some(run) = self.run_mut(key) else { return };
        let Waiting::Keys(collect) = std::mem::take(&mut run.waiting) else { return };
        match collect.purpose {
            CollectFor::Variable(variable, _) => {
                self.set_value(key, &variable, &collect.typed);
                self.set_channel_variable(key, "READSTATUS", "OK");
                self.next_step(key);
            }
            CollectFor::Extension { context, .. } => {
                self.set_music(key, None);
                self.go_to_step(key, &Position::new(&context, &collect.typed, 1));
            }
        }
    }
}

/// The class of music that a text names; nothing names the default one.
fn or_default(class: &str) -> String {
    if class.is_empty() { "default".into() } else { class.into() }
}
