//! Stays: how channels come to applications, go from one to another, and leave them.

use std::sync::Arc;

use super::Exchange;
use super::channels::By;
use crate::apps::AppKey;
use crate::cause::Cause;
use crate::channel::{Activity, ChannelKey, ChannelSnapshot, Position, Stay};
use crate::message::ApplicationHappening;
use crate::refusal::Refusal;

/// The variable that says what became of a stay in an application.
pub(super) const STATUS: &str = "STASISSTATUS";

/// A call that was offered was taken by this application.
pub type Claim = Arc<ChannelSnapshot>;

/// Coming and leaving.
impl Exchange {
    /// A channel that is not in the dialplan comes to an application; if nobody listens there, it is hung
    /// up.
    pub(super) fn enter_directly(&mut self, key: ChannelKey, app: &str, args: Vec<String>) {
        self.channels[key].activity = Activity::Application;
        if !self.enter(key, app, args) {
            self.hang_up(key, Cause::NORMAL, By::Nobody);
        }
    }

    /// A channel comes to an application. `false`: nobody listens there.
    pub(super) fn enter(&mut self, key: ChannelKey, app: &str, args: Vec<String>) -> bool {
        let before = self.channels[key].position.clone();
        if !self.channels[key].is_in_dialplan() {
            self.set_application(key, "Stasis", &written(app, &args));
        }
        self.set_channel_variable(key, STATUS, "");
        let Some(app) = self.apps.find_active(app) else {
            self.channels[key].position = before;
            self.set_channel_variable(key, STATUS, "FAILED");
            return false;
        };
        self.channels[key].came_from = Some(before);
        self.begin_stay(key, app, args);
        true
    }

    fn begin_stay(&mut self, key: ChannelKey, app: AppKey, args: Vec<String>) {
        self.listen(app, key);
        if let Some(app) = self.apps.get_mut(app) {
            app.stays += 1;
        }
        self.channels[key].stay = Some(Stay { app });
        let channel = self.channels[key].snapshot.clone();
        self.tell_app(app, ApplicationHappening::StasisStart { channel, args, replaces: None });
        self.publish_app(app);
    }

    /// A channel leaves the application that it is in, if it is in one. `goes_on`: it has something to do
    /// after that.
    pub(super) fn end_stay(&mut self, key: ChannelKey, goes_on: bool) {
        if !self.finish_stay(key) {
            return;
        }
        self.set_channel_variable(key, STATUS, "SUCCESS");
        let before = self.channels[key].came_from.take();
        if let Some(before) = before.filter(|_| !goes_on && !self.channels[key].is_in_dialplan()) {
            self.set_application(key, &before.app_name, &before.app_data);
        }
    }

    /// Tells that a channel leaves the application that it is in. `false`: it is in none.
    fn finish_stay(&mut self, key: ChannelKey) -> bool {
        let Some(stay) = self.channels[key].stay.take() else { return false };
        let channel = self.channels[key].snapshot.clone();
        self.tell_app(stay.app, ApplicationHappening::StasisEnd { channel });
        let channel = &mut self.channels[key];
        if let Some(app) = self.apps.get_mut(stay.app) {
            app.stays -= 1;
            if app.channels.remove(&channel.id) == Some(true) {
                channel.listeners.remove(&stay.app);
            }
        }
        self.publish_app(stay.app);
        true
    }

    /// Sends a channel from its application to another, with these arguments. If nobody listens there, it
    /// stays where it is, and its application is told.
    ///
    /// # Errors
    /// [`Refusal::NoChannel`] or [`Refusal::NotInApplication`].
    pub fn move_to(&mut self, channel: &str, app: &str, args: Vec<String>) -> Result<(), Refusal> {
        let key = self.find_in_application(channel)?;
        match self.apps.find_active(app) {
            Some(app) => {
                let came_from = self.channels[key].came_from.take();
                self.finish_stay(key);
                self.channels[key].came_from = came_from;
                self.begin_stay(key, app, args);
            }
            None => {
                let (channel, destination) = (self.channels[key].snapshot.clone(), app.into());
                let failed = ApplicationHappening::MoveFailed { channel, destination, args };
                if let Some(stay) = &self.channels[key].stay {
                    self.tell_app(stay.app, failed);
                }
            }
        }
        self.settle();
        Ok(())
    }

    /// Sends a channel from its application back to the dialplan: to this place, or where nothing is said,
    /// behind the step that it came from. One that was never in the dialplan begins where it is.
    ///
    /// # Errors
    /// [`Refusal::NoChannel`], [`Refusal::NotInApplication`], or [`Refusal::NoExtension`] for a label that
    /// is not there.
    pub fn continue_in_dialplan(
        &mut self,
        channel: &str,
        context: Option<&str>,
        exten: Option<&str>,
        priority: Option<u32>,
        label: Option<&str>,
    ) -> Result<(), Refusal> {
        let key = self.find_in_application(channel)?;
        let position = self.channels[key].position.clone();
        let (context, exten) =
            (context.unwrap_or(&position.context), exten.unwrap_or(&position.exten));
        let is_elsewhere = (context, exten) != (&position.context, &position.exten);
        let labelled = match label {
            Some(label) => {
                let found = self.dialplan.label(context, exten, label);
                Some(found.ok_or_else(|| Refusal::NoExtension(format!("label {label}")))?)
            }
            None => None,
        };
        let chosen = labelled.or(priority).or(is_elsewhere.then_some(1));
        let place = chosen.map(|priority| Position::new(context, exten, priority));
        self.part(key, true);
        self.end_stay(key, true);
        self.stop_operations(key);
        match place {
            Some(place) => self.go_to_step(key, &place),
            None if self.channels[key].is_in_dialplan() => self.next_step(key),
            None => self.go_to_step(key, &position),
        }
        self.settle();
        Ok(())
    }

    /// Offers a channel to all applications whose name fits.
    pub(super) fn offer(&mut self, key: ChannelKey, fits: impl Fn(&str) -> bool) -> Vec<AppKey> {
        (self.channels[key].offered, self.channels[key].claimed) = (true, false);
        let channel = self.channels[key].snapshot.clone();
        let (caller, called) = (channel.caller.id.number.clone(), channel.dialplan.exten.clone());
        let active = self.apps.iter().filter(|(_, app)| app.listener.is_some() && fits(&app.name));
        let apps: Vec<_> = active.map(|(key, _)| key).collect();
        for &app in &apps {
            let (channel, caller, called) = (channel.clone(), caller.clone(), called.clone());
            self.tell_app(app, ApplicationHappening::CallBroadcast { channel, caller, called });
        }
        apps
    }

    /// An application takes a call that was offered: the first one has it.
    ///
    /// # Errors
    /// [`Refusal::NotOffered`], [`Refusal::Claimed`], or [`Refusal::NoApplication`] when nobody listens
    /// there.
    pub fn claim(&mut self, channel: &str, app: &str) -> Result<Claim, Refusal> {
        let key = self.find_channel(channel).map_err(|_| Refusal::NotOffered)?;
        if self.channels[key].claimed {
            return Err(Refusal::Claimed);
        }
        if !self.channels[key].offered {
            return Err(Refusal::NotOffered);
        }
        let winner = self.apps.find_active(app);
        let winner = winner.ok_or_else(|| Refusal::NoApplication(app.into()))?;
        (self.channels[key].offered, self.channels[key].claimed) = (false, true);
        let claimed = self.channels[key].snapshot.clone();
        let offer = self.claimed_in_dialplan(key);
        self.set_channel_variable(key, STATUS, "");
        if let Some(offer) = offer.as_ref().filter(|offer| offer.tells)
            && let Some(name) = self.apps.get(winner).map(|app| app.name.clone())
        {
            for &app in offer.apps.iter().filter(|app| **app != winner) {
                let (channel, winner) = (claimed.clone(), name.clone());
                self.tell_app(app, ApplicationHappening::CallClaimed { channel, winner });
            }
        }
        self.begin_stay(key, winner, offer.map(|offer| offer.args).unwrap_or_default());
        self.settle();
        Ok(claimed)
    }
}

/// An application and its arguments, as the dialplan writes them.
pub(super) fn written(app: &str, args: &[String]) -> String {
    let quoted = |arg: &String| match arg.contains(',') {
        true => format!("\"{arg}\""),
        false => arg.clone(),
    };
    std::iter::once(app.to_owned()).chain(args.iter().map(quoted)).collect::<Vec<_>>().join(",")
}
