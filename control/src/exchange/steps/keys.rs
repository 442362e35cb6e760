//! Keys of the caller's: `Read`, `WaitExten` and `Background`.

use std::time::Duration;

use super::Next;
use super::applications::KEY_TIMEOUT;
use crate::channel::{ChannelKey, Position};
use crate::dialplan::ReadOptions;
use crate::exchange::Exchange;
use crate::execute::{Collect, CollectFor, Waiting};

/// Keys that one reads, at most.
const MOST_KEYS: usize = 255;

impl Exchange {
    /// `Read`.
    pub(super) fn read(
        &mut self,
        key: ChannelKey,
        variable: String,
        (prompts, max_digits): (Vec<String>, Option<u32>),
        options: ReadOptions,
        (attempts, timeout): (u32, Option<Duration>),
    ) -> Next {
        if !self.is_open(key, options.skip, options.no_answer) {
            self.set_channel_variable(key, "READSTATUS", "SKIPPED");
            return Next::Step;
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
    pub(super) fn collect_extension(
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
    pub(super) fn collect(&mut self, key: ChannelKey, collect: Collect) {
        let (prompts, timeout) = (collect.prompts.clone(), collect.timeout);
        let is_playing = !prompts.is_empty();
        let waiting = Waiting::Keys(Box::new(Collect { is_playing, ..collect }));
        self.wait_for(key, waiting, (!is_playing).then_some(timeout));
        if is_playing {
            self.play_quietly(key, &prompts);
        }
    }

    /// Waits for the next key.
    pub(super) fn wait_more(&mut self, key: ChannelKey, timeout: Duration) {
        let Some(run) = self.run_mut(key) else { return };
        let waiting = std::mem::take(&mut run.waiting);
        self.wait_for(key, waiting, Some(timeout));
    }

    /// A caller has pressed a key.
    pub(in crate::exchange) fn typed(&mut self, key: ChannelKey, digit: char) {
        let Some(run) = self.run_mut(key) else { return };
        match &mut run.waiting {
            Waiting::Keys(collect) => {
                let was_playing = std::mem::take(&mut collect.is_playing);
                let is_end = digit == '#' && matches!(collect.purpose, CollectFor::Variable(..));
                if !is_end {
                    collect.typed.push(digit);
                }
                let is_background = collect.is_background();
                if was_playing {
                    self.stop_quietly(key);
                    if is_background {
                        self.set_channel_variable(key, "BACKGROUNDSTATUS", "SUCCESS");
                    }
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
    pub(super) fn look_at_keys(&mut self, key: ChannelKey, is_end: bool) {
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
    pub(super) fn no_more_keys(&mut self, key: ChannelKey) {
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
    pub(super) fn keys_are_there(&mut self, key: ChannelKey) {
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
