//! Calls that are made by command: originated, created and dialed later, to an external medium, snooping,
//! and those that come in.

use std::sync::Arc;
use std::time::Duration;

use super::Exchange;
use super::channels::{Making, split_endpoint};
use crate::channel::{Activity, ChannelKey, ChannelSnapshot, Position};
use crate::dialing::{Purpose, Then};
use crate::media::Way;
use crate::party::Party;
use crate::refusal::Refusal;
use crate::tech::SnoopRequest;

/// A channel that is to be made.
#[derive(Clone, Debug, Default)]
pub struct NewCall {
    /// As it is dialed: `Test/alice`.
    pub endpoint: String,
    /// Its id, and that of the second half of a pair, where the client has chosen them.
    pub id: Option<String>,
    /// The id of the second half.
    pub other_id: Option<String>,
    /// The channel that it is made for: they are linked.
    pub originator: Option<String>,
    /// Codecs, the preferred one first; none: any.
    pub formats: Vec<String>,
    /// Variables, in the order in which they are to be set.
    pub variables: Vec<(String, String)>,
}

/// A call that is to be made, and what is to become of it when it is answered.
#[derive(Clone, Debug)]
pub struct Originate {
    /// The channel.
    pub call: NewCall,
    /// Who calls, for whom is called.
    pub caller: Option<Party>,
    /// How long it may ring; none: as long as is usual; zero: for ever.
    pub timeout: Option<Duration>,
    /// What is to become of it.
    pub then: Then,
}

/// An RTP peer that is to be there like any other party.
#[derive(Clone, Debug, Default)]
pub struct ExternalMedia {
    /// Its id, where the client has chosen it.
    pub id: Option<String>,
    /// The application that it goes to.
    pub app: String,
    /// The peer: `host:port`.
    pub host: String,
    /// The codec.
    pub format: String,
    /// Which way it goes.
    pub direction: Way,
    /// Variables, in the order in which they are to be set.
    pub variables: Vec<(String, String)>,
}

/// A channel that overhears another one.
#[derive(Clone, Debug, Default)]
pub struct NewSnoop {
    /// Its id, where the client has chosen it.
    pub id: Option<String>,
    /// What it overhears.
    pub spy: Way,
    /// Who hears it.
    pub whisper: Way,
    /// The application that it goes to.
    pub app: String,
    /// With these arguments.
    pub args: Vec<String>,
}

/// What was made: as it was just after that.
pub type Created = Arc<ChannelSnapshot>;

/// What a channel that was called shows as its application while nobody executes anything for it.
pub(super) const OUTGOING: (&str, &str) = ("AppDial2", "(Outgoing Line)");

impl Exchange {
    /// Calls somebody; when they answer, the channel goes to an application or to the dialplan.
    ///
    /// # Errors
    /// [`Refusal`] when the call cannot be made at all, or there is no such place in the dialplan. That
    /// nobody answers is told by events.
    pub fn originate(&mut self, originate: Originate) -> Result<Created, Refusal> {
        let Originate { call, caller, timeout, then } = originate;
        if let Then::Dialplan(position) = &then
            && !self.has_step(&position.context, &position.exten)
        {
            let place = format!("{}@{}", position.exten, position.context);
            return Err(Refusal::NoExtension(place));
        }
        let keys = self.make(&call, &caller)?;
        if let Then::Application(app, _) = &then {
            keys.iter().for_each(|key| self.listen_to_channel(app, *key));
        }
        let timeout = timeout.unwrap_or(self.settings.ring_time);
        let timeout = (!timeout.is_zero()).then_some(timeout);
        let created = self.snapshot_of(keys[0]).expect("it was just made");
        if self.leads_somewhere(&keys) {
            let purpose = Purpose::Originate(then);
            let key = self.begin_call(purpose, None, &keys[..1], timeout);
            let (_, resource) = split_endpoint(&call.endpoint)?;
            self.call_out(key, keys[0], resource);
        } else {
            self.undo(&keys);
        }
        self.settle();
        Ok(created)
    }

    /// Makes a channel and its variables, ready to be called.
    fn make(&mut self, call: &NewCall, caller: &Option<Party>) -> Result<Vec<ChannelKey>, Refusal> {
        let keys = self.make_channels(&self.making(call)?)?;
        let key = keys[0];
        self.set_application(key, OUTGOING.0, OUTGOING.1);
        self.channels[key].activity = Activity::Outgoing;
        self.channels[key].is_outgoing = true;
        self.set_first_variables(key, &call.variables);
        if let Some(caller) = caller {
            self.change(key, |channel| Arc::make_mut(&mut channel.caller).id = caller.clone());
            self.change(key, |channel| channel.connected = Arc::new(caller.clone()));
        }
        Ok(keys)
    }

    fn making<'a>(&self, call: &'a NewCall) -> Result<Making<'a>, Refusal> {
        let originator = call.originator.as_deref().filter(|id| !id.is_empty());
        // One that is gone by now has nothing to say any more.
        let originator = originator.and_then(|id| self.channel_ids.get(id).copied());
        Ok(Making {
            endpoint: &call.endpoint,
            id: call.id.as_deref(),
            other_id: call.other_id.as_deref(),
            formats: &call.formats,
            originator,
            ..Making::default()
        })
    }

    fn set_first_variables(&mut self, key: ChannelKey, variables: &[(String, String)]) {
        for (name, value) in variables {
            self.set_value(key, name, value);
        }
    }

    /// Makes a channel that goes to an application at once, to be [dialed](Self::dial_channel) from there.
    ///
    /// # Errors
    /// [`Refusal`] when the channel cannot be made, or there is no such application.
    pub fn create(
        &mut self,
        call: NewCall,
        app: &str,
        args: Vec<String>,
    ) -> Result<Created, Refusal> {
        if self.apps.find_active(app).is_none() {
            return Err(Refusal::NoApplication(app.into()));
        }
        let keys = self.make_channels(&self.making(&call)?)?;
        self.set_first_variables(keys[0], &call.variables);
        self.listen_to_channel(app, keys[0]);
        let created = self.snapshot_of(keys[0]).expect("it was just made");
        self.enter_directly(keys[0], app, args);
        self.settle();
        Ok(created)
    }

    /// Dials a channel that was [created](Self::create).
    ///
    /// # Errors
    /// [`Refusal::NoChannel`], [`Refusal::NotInApplication`], [`Refusal::BeingDialed`], or
    /// [`Refusal::InvalidState`] when it is up already.
    pub fn dial_channel(
        &mut self,
        channel: &str,
        caller: Option<&str>,
        timeout: Option<Duration>,
    ) -> Result<(), Refusal> {
        let key = self.find_in_application(channel)?;
        if self.channels[key].call.is_some() {
            return Err(Refusal::BeingDialed);
        }
        if self.channels[key].state != crate::channel::ChannelState::Down {
            return Err(Refusal::InvalidState);
        }
        // Who calls is shown to whom is called; one that is gone by now is nobody.
        if let Some(caller) = caller.and_then(|id| self.channel_ids.get(id).copied()) {
            let (id, linked) = {
                let caller = &self.channels[caller];
                (caller.caller.id.clone(), caller.base.linked_id.clone())
            };
            self.change(key, |channel| {
                if !id.is_unknown() {
                    channel.connected = Arc::new(id);
                }
                if channel.base.linked_id != linked {
                    Arc::make_mut(&mut channel.base).linked_id = linked;
                }
            });
        }
        let timeout = timeout.filter(|timeout| !timeout.is_zero());
        let call = self.begin_call(Purpose::Command, None, &[key], timeout);
        let dialstring = self.channels[key].resource.clone();
        self.call_out(call, key, &dialstring);
        self.settle();
        Ok(())
    }

    /// Makes a channel of an RTP peer, which goes to an application as soon as it is open.
    ///
    /// # Errors
    /// [`Refusal`] when its address cannot be read, or the id is taken.
    pub fn external_media(&mut self, medium: ExternalMedia) -> Result<Created, Refusal> {
        let call = NewCall {
            endpoint: format!("UnicastRTP/{}/c({})", medium.host, medium.format),
            id: medium.id,
            formats: vec![medium.format],
            variables: medium.variables,
            ..NewCall::default()
        };
        let then = Then::Application(medium.app, Vec::new());
        let timeout = Some(Duration::ZERO);
        let created = self.originate(Originate { call, caller: None, timeout, then })?;
        let key = self.find_channel(created.id());
        let shut = match medium.direction {
            Way::In => Way::Out,
            Way::Out => Way::In,
            Way::None | Way::Both => Way::None,
        };
        if let Ok(key) = key {
            self.mute_channel(key, shut, true);
        }
        Ok(created)
    }

    /// Makes a channel that overhears another one, and goes to an application.
    ///
    /// # Errors
    /// [`Refusal::NoChannel`], [`Refusal::InvalidState`] when nothing can be heard there, or [`Refusal`]
    /// when the id is taken.
    pub fn snoop(&mut self, channel: &str, snoop: NewSnoop) -> Result<Created, Refusal> {
        let of_key = self.find_channel(channel)?;
        let of = self.channels[of_key].line.ok_or(Refusal::InvalidState)?;
        let endpoint = format!("Snoop/{channel}");
        let making = Making {
            endpoint: &endpoint,
            id: snoop.id.as_deref(),
            snoop: Some(SnoopRequest { of, spy: snoop.spy, whisper: snoop.whisper }),
            ..Making::default()
        };
        let keys = self.make_channels(&making)?;
        self.channels[of_key].snoops.push(keys[0]);
        self.channels[keys[0]].overhears = Some(of_key);
        self.enter_directly(keys[0], &snoop.app, snoop.args);
        let created = self.snapshot_of(keys[0]).expect("it was just made");
        self.settle();
        Ok(created)
    }

    /// A call comes in from an endpoint, for an extension.
    ///
    /// # Errors
    /// [`Refusal`] when there is no such endpoint or the id is taken. Where there is no such extension, the
    /// call is refused, which is told by events.
    pub fn incoming(
        &mut self,
        call: NewCall,
        caller: Option<Party>,
        context: &str,
        exten: &str,
    ) -> Result<Created, Refusal> {
        let making = Making { is_incoming: true, ..self.making(&call)? };
        let key = self.make_channels(&making)?[0];
        self.set_first_variables(key, &call.variables);
        self.change(key, |channel| {
            channel.position = Arc::new(Position::new(context, exten, 1));
            let own = Arc::make_mut(&mut channel.caller);
            own.dnid = exten.into();
            own.id = caller.unwrap_or_default();
        });
        let created = self.snapshot_of(key).expect("it was just made");
        self.start_dialplan(key);
        self.settle();
        Ok(created)
    }
}
