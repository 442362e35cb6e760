//! The dialplan: what a channel does there, step by step.
//!
//! Here is how it gets from one step to the next; `applications` is what each does, `keys` those that wait for the
//! caller's keys, `waits` what becomes of a channel when what it has waited for is over.

mod applications;
mod keys;
mod waits;

use std::sync::Arc;
use std::time::Duration;

use super::channels::By;
use super::originate::OUTGOING;
use super::stays::{STATUS, written};
use super::{Exchange, Work};
use crate::cause::Cause;
use crate::channel::{Activity, ChannelKey, Position};
use crate::dialplan::{Application, Call};
use crate::execute::{CollectFor, Run, Waiting};
use crate::timers::Timer;

/// After so many steps that have taken no time others have their turn.
const BREATH: Duration = Duration::from_millis(20);
/// Steps of the extension `h`, at most.
const MOST_HANGUP_STEPS: u32 = 256;

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
        Arc::make_mut(&mut channel.position).go_to(place);
        if is_invalid && self.dialplan.matches(&place.context, "i") {
            let position = Arc::make_mut(&mut self.channels[key].position);
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
        let position = Arc::make_mut(&mut channel.position);
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
                self.set_channel_variable(key, STATUS, "TIMEOUT");
                self.next_step(key);
            }
            Waiting::Keys(_) => self.no_more_keys(key),
            _ => {}
        }
    }

    /// Runs the step that a channel is at.
    fn run_step(&mut self, key: ChannelKey) {
        let Some((name, args)) = self.step_here(key) else {
            return self.hang_up(key, Cause::NORMAL, By::Dialplan);
        };
        let parsed = Application::parse(name, &args);
        let shown = match &parsed {
            Ok(Application::Stasis { app, args }) => written(app, args),
            _ => args,
        };
        self.set_application(key, name, &shown);
        let next = self.execute(key, parsed);
        self.follow(key, next);
    }

    /// The application of the step that a channel is at, and its arguments with their values.
    fn step_here(&self, key: ChannelKey) -> Option<(&'static str, String)> {
        let position = &self.channels[key].position;
        let step = self.dialplan.step(&position.context, &position.exten, position.priority)?;
        Some((step.app, self.substituted(key, step.args)))
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
        let (name, value) = match std::mem::take(&mut run.waiting) {
            Waiting::Sounds => ("PLAYBACKSTATUS", "SUCCESS"),
            Waiting::Recording => ("RECORD_STATUS", "HANGUP"),
            Waiting::Keys(collect) => match collect.purpose {
                CollectFor::Variable(..) => ("READSTATUS", "HANGUP"),
                CollectFor::Extension { .. } => return,
            },
            _ => return,
        };
        self.set_channel_variable(key, name, value);
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
            let Some((name, args)) = self.step_here(key) else { return };
            self.set_application(key, name, &args);
            let next = match without_time(name, &args) {
                Some(application) => self.perform(key, application),
                None => Next::Step,
            };
            if let Next::Step = next {
                let position = &mut self.channels[key].position;
                Arc::make_mut(position).priority += 1;
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
