//! What each application of the dialplan does.

use std::sync::Arc;
use std::time::Duration;

use stasis_media::leg::LegSetting;

use super::Next;
use crate::cause::Cause;
use crate::channel::{ChannelKey, ChannelState, Position};
use crate::dialplan::{Application, ArgumentError, Call, PriorityOrLabel, Target};
use crate::exchange::Exchange;
use crate::exchange::channels::By;
use crate::exchange::operations::DigitsHow;
use crate::exchange::stays::STATUS;
use crate::execute::{Frame, Offer, Waiting};
use crate::media::MediaOrder;
use crate::message::UserEvent;
use crate::tech::Instruction;

/// How long is waited for a key where nothing is said.
pub(super) const KEY_TIMEOUT: Duration = Duration::from_secs(10);

/// Parts of the dialplan that may be called within each other.
const MOST_FRAMES: usize = 64;

impl Exchange {
    pub(super) fn execute(
        &mut self,
        key: ChannelKey,
        parsed: Result<Application, ArgumentError>,
    ) -> Next {
        match parsed {
            Ok(application) => self.perform(key, application),
            Err(problem) => {
                tracing::warn!(channel = %self.channels[key].id, %problem, "a step is left out");
                Next::Step
            }
        }
    }

    pub(super) fn perform(&mut self, key: ChannelKey, application: Application) -> Next {
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
                if apps.is_empty() {
                    self.channels[key].offered = false;
                    self.set_channel_variable(key, STATUS, "FAILED");
                    return Next::Step;
                }
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
                if !self.is_open(key, options.skip, options.no_answer) {
                    return Next::Step;
                }
                self.wait_for(key, Waiting::Sounds, None);
                match self.play_quietly(key, &sounds) {
                    true => Next::Over,
                    false => Next::Step,
                }
            }
            Application::Background { sounds, options, context, .. } => {
                if !self.is_open(key, options.skip, options.no_answer) {
                    return Next::Step;
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
                    Some(Call { app, args }) => self.execute(key, Application::parse(app, &args)),
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

    /// Answers a channel that is to hear or say something, if that is wanted. `false`: it is not up, and then
    /// the step is to be skipped.
    pub(super) fn is_open(&mut self, key: ChannelKey, skip: bool, no_answer: bool) -> bool {
        if skip && self.channels[key].state != ChannelState::Up {
            return false;
        }
        if !no_answer {
            self.answer_channel(key);
        }
        true
    }

    /// `Busy` and `Congestion`.
    pub(super) fn refuse(
        &mut self,
        key: ChannelKey,
        cause: Cause,
        timeout: Option<Duration>,
    ) -> Next {
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
    pub(super) fn set_echo(&mut self, key: ChannelKey, echo: bool) {
        if let Some(line) = self.channels.get(key).and_then(|channel| channel.line) {
            self.order(MediaOrder::Set(line, LegSetting::Echo(echo)));
        }
    }

    /// The step that a target names, from where a channel is.
    pub(super) fn place_of(&self, key: ChannelKey, target: &Target) -> Option<Position> {
        let here = &self.channels[key].position;
        let context = target.context.as_deref().unwrap_or(&here.context);
        let exten = target.exten.as_deref().unwrap_or(&here.exten);
        let priority = match &target.priority {
            PriorityOrLabel::Priority(priority) => *priority,
            PriorityOrLabel::Label(label) => self.dialplan.label(context, exten, label)?,
        };
        Some(Position::new(context, exten, priority))
    }

    pub(super) fn jump(&mut self, key: ChannelKey, target: Target) -> Next {
        let Some(place) = self.place_of(key, &target) else {
            tracing::warn!(channel = %self.channels[key].id, ?target, "there is no such label");
            self.hang_up(key, Cause::NORMAL, By::Dialplan);
            return Next::Over;
        };
        Arc::make_mut(&mut self.channels[key].position).go_to(&place);
        Next::Jumped
    }

    /// `Gosub`.
    pub(super) fn call_part(&mut self, key: ChannelKey, target: Target, args: &[String]) -> Next {
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
    pub(super) fn return_from_part(&mut self, key: ChannelKey, value: &str) -> Next {
        let Some(frame) = self.run_mut(key).and_then(|run| run.stack.pop()) else {
            tracing::warn!(channel = %self.channels[key].id, "Return without Gosub");
            return Next::Step;
        };
        for number in 1..=frame.args {
            self.set_channel_variable(key, &format!("ARG{number}"), "");
        }
        self.set_channel_variable(key, "GOSUB_RETVAL", value);
        Arc::make_mut(&mut self.channels[key].position).go_to(&frame.place);
        Next::Step
    }

    pub(super) fn publish_user_event(
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

    /// An application has taken a call that was offered: gives the arguments for it.
    pub(in crate::exchange) fn claimed_in_dialplan(&mut self, key: ChannelKey) -> Option<Offer> {
        let run = self.run_mut(key)?;
        let waiting = std::mem::replace(&mut run.waiting, Waiting::Application);
        match waiting {
            Waiting::Offer(offer) => Some(*offer),
            _ => None,
        }
    }
}

/// The class of music that a text names; nothing names the default one.
pub(super) fn or_default(class: &str) -> String {
    if class.is_empty() { "default".into() } else { class.into() }
}
