//! Variables, and the functions by which the dialplan and clients read and change a channel.

use std::collections::BTreeMap;
use std::sync::Arc;

use stasis_media::leg::LegSetting;
use stasis_media::talk::TalkSettings;

use super::{BridgeKey, Exchange};
use crate::channel::{ChannelKey, Position};
use crate::device::DeviceState;
use crate::dialplan::{Dialplan, Environment, FunctionError, SubstituteError, substitute};
use crate::media::MediaOrder;
use crate::message::{BridgeHappening, VariableSet};
use crate::party::Party;
use crate::refusal::Refusal;
use crate::tech::Instruction;

/// Talk is louder than this, and silence shorter than that, where nothing is said.
const TALK_MAGNITUDE: u16 = 256;
const TALK_SILENCE_MS: u32 = 2_500;

/// Where the values come from that are put into the arguments of a step.
struct Values<'a> {
    exchange: &'a Exchange,
    channel: Option<ChannelKey>,
    /// Something had no value.
    has_failed: bool,
}

/// `NAME(args)`, if a text is that.
fn as_function(text: &str) -> Option<(&str, &str)> {
    text.strip_suffix(')')?.split_once('(')
}

impl Environment for Values<'_> {
    fn variable(&self, name: &str) -> Option<String> {
        let set = self.channel.and_then(|key| self.exchange.channel_value(key, name));
        set.or_else(|| self.exchange.globals.get(name).cloned())
    }

    fn function(&mut self, name: &str, args: &str) -> Result<String, FunctionError> {
        let value = self.exchange.function_value(self.channel, name, args);
        value.ok_or_else(|| FunctionError::Unknown(name.into()))
    }

    fn dialplan(&self) -> Option<&Dialplan> {
        Some(&self.exchange.dialplan)
    }

    fn failed(&mut self, problem: SubstituteError) {
        self.has_failed = true;
        tracing::debug!(%problem, "a text of the dialplan had no value");
    }
}

impl Exchange {
    /// Puts values into a text of the dialplan.
    pub(super) fn substituted(&self, key: ChannelKey, text: &str) -> String {
        if !text.contains('$') {
            return text.to_owned();
        }
        substitute(text, &mut Values { exchange: self, channel: Some(key), has_failed: false })
    }

    /// A variable of a channel: one that was set, or one that every channel has.
    fn channel_value(&self, key: ChannelKey, name: &str) -> Option<String> {
        let channel = self.channels.get(key)?;
        if let Some(value) = channel.variables.get(name) {
            return Some(value.to_owned());
        }
        let position: &Position = &channel.position;
        let value = match name {
            "EXTEN" => position.exten.clone(),
            "CONTEXT" => position.context.clone(),
            "PRIORITY" => position.priority.to_string(),
            "CHANNEL" => channel.name().to_owned(),
            "UNIQUEID" => channel.id.to_string(),
            "LINKEDID" => channel.base.linked_id.to_string(),
            "ACCOUNTCODE" => channel.base.accountcode.clone(),
            "HANGUPCAUSE" => channel.hangup.cause.0.to_string(),
            "EPOCH" => self.time().seconds().to_string(),
            _ => return None,
        };
        Some(value)
    }

    /// What a function of a channel is; none: there is no such function.
    fn function_value(&self, key: Option<ChannelKey>, name: &str, args: &str) -> Option<String> {
        match name.to_ascii_uppercase().as_str() {
            "GLOBAL" => return Some(self.globals.get(args).cloned().unwrap_or_default()),
            "DEVICE_STATE" => return Some(self.device_state(args).name().to_owned()),
            _ => {}
        }
        let channel = self.channels.get(key?)?;
        let field = args.split(',').next().unwrap_or_default().trim().to_ascii_lowercase();
        let party = |party: &Party| match field.as_str() {
            "num" | "number" => Some(party.number.clone()),
            "name" => Some(party.name.clone()),
            "all" => Some(party.to_string()),
            _ => None,
        };
        match name.to_ascii_uppercase().as_str() {
            "CALLERID" => match field.as_str() {
                "ani" => Some(channel.caller.ani.clone()),
                "dnid" => Some(channel.caller.dnid.clone()),
                "rdnis" => Some(channel.caller.rdnis.clone()),
                "pres" => Some(channel.caller.presentation.to_string()),
                _ => party(&channel.caller.id),
            },
            "CONNECTEDLINE" => party(&channel.connected),
            "CHANNEL" => match field.as_str() {
                "name" => Some(channel.name().to_owned()),
                "state" => Some(channel.state.name().to_owned()),
                "language" => Some(channel.base.language.clone()),
                "accountcode" => Some(channel.base.accountcode.clone()),
                "uniqueid" => Some(channel.id.to_string()),
                "linkedid" => Some(channel.base.linked_id.to_string()),
                "context" => Some(channel.position.context.clone()),
                "exten" => Some(channel.position.exten.clone()),
                "channeltype" => channel.name().split('/').next().map(str::to_owned),
                _ => None,
            },
            _ => None,
        }
    }

    /// Sets a variable of a channel, or what a function stands for (`CALLERID(num)`). A function that is not
    /// there changes nothing.
    pub(super) fn set_value(&mut self, key: ChannelKey, name: &str, value: &str) {
        let Some((function, args)) = as_function(name) else {
            return self.set_channel_variable(key, name, value);
        };
        let field = args.split(',').next().unwrap_or_default().trim().to_ascii_lowercase();
        match function.to_ascii_uppercase().as_str() {
            "CALLERID" => self.set_caller(key, &field, value),
            "CONNECTEDLINE" => self.set_connected(key, &field, value),
            "CHANNEL" => self.change(key, |channel| {
                let base = Arc::make_mut(&mut channel.base);
                match field.as_str() {
                    "language" => base.language = value.into(),
                    "accountcode" => base.accountcode = value.into(),
                    _ => {}
                }
            }),
            "GLOBAL" => self.set_global(args, value),
            // For the records, which read what is told.
            "CDR" | "CDR_PROP" => self.set_channel_variable(key, name, value),
            "TALK_DETECT" => self.set_talk_detection(key, &field, value),
            _ => tracing::debug!(%function, "there is no such function to be set"),
        }
    }

    fn set_caller(&mut self, key: ChannelKey, field: &str, value: &str) {
        self.change(key, |channel| {
            let caller = Arc::make_mut(&mut channel.caller);
            match field {
                "num" | "number" => caller.id.number = value.into(),
                "name" => caller.id.name = value.into(),
                "all" => caller.id = value.parse().unwrap_or_default(),
                "ani" => caller.ani = value.into(),
                "dnid" => caller.dnid = value.into(),
                "rdnis" => caller.rdnis = value.into(),
                "pres" => caller.presentation = value.parse().unwrap_or(caller.presentation),
                _ => {}
            }
        });
    }

    fn set_connected(&mut self, key: ChannelKey, field: &str, value: &str) {
        let Some(channel) = self.channels.get(key) else { return };
        let mut party = Party::clone(&channel.connected);
        match field {
            "num" | "number" => party.number = value.into(),
            "name" => party.name = value.into(),
            "all" => party = value.parse().unwrap_or_default(),
            _ => return,
        }
        self.change(key, |channel| channel.connected = Arc::new(party.clone()));
        self.instruct(key, Instruction::Connected(&party));
    }

    /// `TALK_DETECT(set)=silence in ms,magnitude`, and `TALK_DETECT(remove)=`.
    fn set_talk_detection(&mut self, key: ChannelKey, what: &str, value: &str) {
        let Some(line) = self.channels.get(key).and_then(|channel| channel.line) else { return };
        let settings = (what == "set").then(|| {
            let mut parts = value.split(',').map(str::trim);
            let silence = parts.next().and_then(|part| part.parse().ok());
            let talk = parts.next().and_then(|part| part.parse().ok());
            let (talk, silence) =
                (talk.unwrap_or(TALK_MAGNITUDE), silence.unwrap_or(TALK_SILENCE_MS));
            TalkSettings::of_magnitude(talk, silence)
        });
        self.order(MediaOrder::Set(line, LegSetting::DetectTalk(settings)));
    }

    /// What a variable of a channel is, or a function of it: `CALLERID(num)`.
    ///
    /// # Errors
    /// [`Refusal::NoChannel`], [`Refusal::NoVariable`] when it is not set, or [`Refusal::NoFunction`].
    pub fn variable(&self, channel: &str, name: &str) -> Result<String, Refusal> {
        let key = self.find_channel(channel)?;
        if as_function(name).is_some() {
            let mut values = Values { exchange: self, channel: Some(key), has_failed: false };
            let value = substitute(&format!("${{{name}}}"), &mut values);
            return match values.has_failed {
                true => Err(Refusal::NoFunction(name.into())),
                false => Ok(value),
            };
        }
        self.channel_value(key, name).ok_or_else(|| Refusal::NoVariable(name.into()))
    }

    /// What several variables of a channel are.
    ///
    /// # Errors
    /// As [`variable`](Self::variable), for any of them.
    pub fn variables(
        &self,
        channel: &str,
        names: &[&str],
    ) -> Result<BTreeMap<String, String>, Refusal> {
        let value = |name: &&str| Ok(((*name).to_owned(), self.variable(channel, name)?));
        names.iter().map(value).collect()
    }

    /// Sets a variable of a channel that an application has, or what a function stands for; nothing takes it
    /// away. `report`: it is told of with the channel from here on.
    ///
    /// # Errors
    /// [`Refusal::NoChannel`] or [`Refusal::NotInApplication`].
    pub fn set_variable(
        &mut self,
        channel: &str,
        name: &str,
        value: &str,
        report: bool,
    ) -> Result<(), Refusal> {
        let key = self.find_in_application(channel)?;
        if report {
            self.channels[key].variables.report(name);
        }
        self.set_value(key, name, value);
        self.settle();
        Ok(())
    }

    /// What a variable for all is; nothing when it is not set.
    pub fn global(&self, name: &str) -> String {
        match as_function(name) {
            Some((function, args)) => self.function_value(None, function, args).unwrap_or_default(),
            None => self.globals.get(name).cloned().unwrap_or_default(),
        }
    }

    /// Sets a variable for all; nothing takes it away.
    pub fn set_global(&mut self, name: &str, value: &str) {
        match value {
            "" => self.globals.remove(name),
            _ => self.globals.insert(name.into(), value.into()),
        };
        let (variable, value) = (name.to_owned(), value.to_owned());
        let set = VariableSet { channel: None, variable, value, at: self.time() };
        self.topics.variables.publish(set);
    }

    /// What a variable of a bridge is.
    ///
    /// # Errors
    /// [`Refusal::NoBridge`] or [`Refusal::NoVariable`].
    pub fn bridge_variable(&self, bridge: &str, name: &str) -> Result<String, Refusal> {
        let key = self.find_bridge(bridge)?;
        let value = self.bridges[key].variables.get(name).map(str::to_owned);
        value.ok_or_else(|| Refusal::NoVariable(name.into()))
    }

    /// Sets a variable of a bridge; nothing takes it away. `report`: it is told of with the bridge from here
    /// on.
    ///
    /// # Errors
    /// [`Refusal::NoBridge`].
    pub fn set_bridge_variable(
        &mut self,
        bridge: &str,
        name: &str,
        value: &str,
        report: bool,
    ) -> Result<(), Refusal> {
        let key = self.find_bridge(bridge)?;
        self.set_bridge_value(key, name, value, report);
        Ok(())
    }

    pub(super) fn set_bridge_value(
        &mut self,
        key: BridgeKey,
        name: &str,
        value: &str,
        report: bool,
    ) {
        let variables = &mut self.bridges[key].variables;
        if report {
            variables.report(name);
        }
        variables.set(name, value);
        self.publish_bridge(key);
        let event = BridgeHappening::VariableSet { variable: name.into(), value: value.into() };
        self.tell_bridge_event(key, event, &[]);
    }

    /// What a device does, also one that nobody has ever heard of.
    pub(super) fn device_state(&self, name: &str) -> DeviceState {
        self.topics.state().device(name).unwrap_or_default()
    }
}
