//! What the dialplan waits for: calls, sounds, recordings and keys that are sent.

use std::time::Duration;

use super::Next;
use super::applications::or_default;
use crate::cause::Cause;
use crate::channel::ChannelKey;
use crate::dialplan::{DialOptions, RecordOptions, RecordTerminator};
use crate::exchange::Exchange;
use crate::exchange::calls::DialPlan;
use crate::exchange::channels::By;
use crate::execute::Waiting;
use crate::media::{EndedBy, IfExists, Keys, RecordHow};
use crate::message::DialStatus;
use crate::recording::RecordingState;
use crate::tech::Instruction;

impl Exchange {
    /// `Dial`.
    pub(super) fn begin_dial(
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
    pub(in crate::exchange) fn dial_has_failed(&mut self, key: ChannelKey, status: DialStatus) {
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
    pub(in crate::exchange) fn dial_is_over(
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

    /// `Record`.
    pub(super) fn record_file(
        &mut self,
        key: ChannelKey,
        (file, format): (String, String),
        (silence, max_duration): (Option<Duration>, Option<Duration>),
        options: RecordOptions,
    ) -> Next {
        if !self.is_open(key, options.skip, options.no_answer) {
            self.set_channel_variable(key, "RECORD_STATUS", "SKIP");
            return Next::Step;
        }
        self.set_channel_variable(key, "RECORDED_FILE", &file);
        let hash = stasis_media::dtmf::Digit::from_char('#').ok();
        let star = stasis_media::dtmf::Digit::from_char('*').ok();
        let end_keys = match options.terminator {
            RecordTerminator::Hash => hash.map_or(Keys::Any, Keys::Digit),
            RecordTerminator::Star => star.map_or(Keys::Any, Keys::Digit),
            RecordTerminator::Any => Keys::Any,
            RecordTerminator::None => Keys::None,
        };
        let if_exists = if options.append { IfExists::Append } else { IfExists::Overwrite };
        let how = RecordHow {
            name: file,
            format,
            if_exists,
            max_duration,
            max_silence: silence,
            end_keys,
            beep: !options.quiet,
        };
        self.wait_for(key, Waiting::Recording, None);
        if !self.record_quietly(key, how) {
            self.set_channel_variable(key, "RECORD_STATUS", "ERROR");
            return Next::Step;
        }
        Next::Over
    }

    /// Sounds that the dialplan plays are over.
    pub(in crate::exchange) fn sounds_are_over(&mut self, key: ChannelKey, were_heard: bool) {
        // What becomes of a step that a hangup has ended is said when the channel ends.
        if self.channels.get(key).is_some_and(|channel| channel.is_ending) {
            return;
        }
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
                let is_background = collect.is_background();
                let goes_on = is_background && collect.typed.is_empty();
                if is_background {
                    let status = if were_heard { "SUCCESS" } else { "FAILED" };
                    self.set_channel_variable(key, "BACKGROUNDSTATUS", status);
                }
                match goes_on {
                    true => self.next_step(key),
                    false => self.wait_more(key, timeout),
                }
            }
            _ => {}
        }
    }

    /// A recording of the dialplan is over.
    pub(in crate::exchange) fn recording_is_over(
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
    pub(in crate::exchange) fn digits_are_sent(&mut self, key: ChannelKey) {
        if self.run_mut(key).is_some_and(|run| matches!(run.waiting, Waiting::Sending)) {
            self.next_step(key);
        }
    }
}
