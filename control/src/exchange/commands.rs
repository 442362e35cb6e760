//! What is asked of one channel: to answer, to ring, to be mute, to hang up.

use stasis_media::leg::LegSetting;

use super::Exchange;
use super::channels::By;
use crate::cause::Cause;
use crate::channel::ChannelKey;
use crate::media::{MediaOrder, Way};
use crate::refusal::Refusal;
use crate::tech::Instruction;

impl Exchange {
    /// Hangs a channel up.
    ///
    /// # Errors
    /// [`Refusal::NoChannel`].
    pub fn hangup(&mut self, channel: &str, cause: Cause) -> Result<(), Refusal> {
        let key = self.find_channel(channel)?;
        self.hang_up(key, cause, By::Command);
        self.settle();
        Ok(())
    }

    /// Whether an application has a channel.
    ///
    /// # Errors
    /// [`Refusal::NoChannel`] or [`Refusal::NotInApplication`].
    pub fn is_in_application(&self, channel: &str) -> Result<(), Refusal> {
        self.find_in_application(channel).map(drop)
    }

    /// Answers a channel that an application has.
    ///
    /// # Errors
    /// [`Refusal::NoChannel`] or [`Refusal::NotInApplication`].
    pub fn answer(&mut self, channel: &str) -> Result<(), Refusal> {
        let key = self.find_in_application(channel)?;
        self.answer_channel(key);
        self.settle();
        Ok(())
    }

    /// Tells the other end that it rings, or no longer.
    ///
    /// # Errors
    /// [`Refusal::NoChannel`] or [`Refusal::NotInApplication`].
    pub fn ring(&mut self, channel: &str, rings: bool) -> Result<(), Refusal> {
        let key = self.find_in_application(channel)?;
        self.instruct(key, Instruction::Ring(rings));
        self.settle();
        Ok(())
    }

    /// Tells the other end that there is something to hear.
    ///
    /// # Errors
    /// [`Refusal::NoChannel`] or [`Refusal::NotInApplication`].
    pub fn progress(&mut self, channel: &str) -> Result<(), Refusal> {
        let key = self.find_in_application(channel)?;
        self.instruct(key, Instruction::Progress);
        self.settle();
        Ok(())
    }

    /// Sends the other end elsewhere, if its technology can do that.
    ///
    /// # Errors
    /// [`Refusal::NoChannel`], [`Refusal::NotInApplication`], [`Refusal::Endpoint`] or
    /// [`Refusal::OtherTechnology`].
    pub fn redirect(&mut self, channel: &str, endpoint: &str) -> Result<(), Refusal> {
        let key = self.find_in_application(channel)?;
        let parts =
            endpoint.split_once('/').filter(|(tech, what)| !(tech.is_empty() || what.is_empty()));
        let (technology, resource) = parts.ok_or_else(|| Refusal::Endpoint(endpoint.into()))?;
        let own = self.channels[key].name().split('/').next().unwrap_or_default();
        if !own.eq_ignore_ascii_case(technology) {
            let (endpoint, channel) = (technology.into(), own.into());
            return Err(Refusal::OtherTechnology { endpoint, channel });
        }
        self.instruct(key, Instruction::Redirect(resource));
        self.settle();
        Ok(())
    }

    /// Puts the other end of a channel on hold, or no longer.
    ///
    /// # Errors
    /// [`Refusal::NoChannel`] or [`Refusal::NotInApplication`].
    pub fn hold(&mut self, channel: &str, held: bool) -> Result<(), Refusal> {
        let key = self.find_in_application(channel)?;
        self.channels[key].held = held;
        self.instruct(key, Instruction::Hold(held));
        self.note_device(key);
        self.settle();
        Ok(())
    }

    /// Mutes a channel in one direction or both, or no longer. In: what its party says. Out: what it
    /// hears.
    ///
    /// # Errors
    /// [`Refusal::NoChannel`] or [`Refusal::NotInApplication`].
    pub fn mute(&mut self, channel: &str, way: Way, muted: bool) -> Result<(), Refusal> {
        let key = self.find_in_application(channel)?;
        self.mute_channel(key, way, muted);
        self.settle();
        Ok(())
    }

    pub(super) fn mute_channel(&mut self, key: ChannelKey, way: Way, muted: bool) {
        use stasis_media::leg::Direction;
        let Some(channel) = self.channels.get_mut(key) else { return };
        if way.is_in() {
            channel.muted = muted;
        }
        let Some(line) = channel.line else { return };
        let is_unheard = muted || channel.muted_in_bridge;
        let ways =
            [(way.is_in(), Direction::In, is_unheard), (way.is_out(), Direction::Out, muted)];
        for (_, direction, muted) in ways.into_iter().filter(|(applies, ..)| *applies) {
            self.order(MediaOrder::Set(line, LegSetting::Mute(direction, muted)));
        }
    }

    /// A channel that is in an application.
    pub(super) fn find_in_application(&self, id: &str) -> Result<ChannelKey, Refusal> {
        let key = self.find_channel(id)?;
        let channel = &self.channels[key];
        match channel.stay.is_some() && !channel.is_ending {
            true => Ok(key),
            false => Err(Refusal::NotInApplication),
        }
    }
}
