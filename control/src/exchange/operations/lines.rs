//! What the engine says of lines: keys, talk, tones, figures; and the music that a line has.

use super::recording::Told;
use crate::channel::ChannelKey;
use crate::exchange::channels::By;
use crate::exchange::{Exchange, Owner};
use crate::media::{Ear, MediaEvent, MediaOrder};
use crate::message::ChannelHappening;
use crate::refusal::Refusal;

impl Exchange {
    /// What the engine says.
    pub(in crate::exchange) fn take_media_event(&mut self, event: MediaEvent) {
        let line = match &event {
            MediaEvent::Played(play, state) => return self.played(*play, *state),
            MediaEvent::Recorded { record, state, duration, talking, ended_by, reason } => {
                let told = Told {
                    state: *state,
                    duration: *duration,
                    talking: *talking,
                    ended_by: *ended_by,
                    reason: reason.clone(),
                };
                return self.recorded(*record, told);
            }
            MediaEvent::Opened(line, _)
            | MediaEvent::Failed(line, _)
            | MediaEvent::DigitBegan(line, _)
            | MediaEvent::Digit { line, .. }
            | MediaEvent::TalkingStarted(line)
            | MediaEvent::TalkingStopped(line, _)
            | MediaEvent::Tone(line, _)
            | MediaEvent::Figures(line, _) => *line,
        };
        match self.lines.get(&line).copied() {
            Some(Owner::Channel(key)) => self.line_event(key, &event),
            Some(Owner::Technology(key)) => {
                self.with_technology_of(key, |technology, context| {
                    technology.media(key, &event, context);
                });
            }
            None => {}
        }
    }

    /// Something has happened on a channel's line.
    pub(super) fn line_event(&mut self, key: ChannelKey, event: &MediaEvent) {
        match *event {
            MediaEvent::DigitBegan(_, digit) => {
                self.tell_event(key, ChannelHappening::DtmfBegin { digit: digit.as_char() });
            }
            MediaEvent::Digit { digit, duration_ms, silent, .. } => {
                let event = ChannelHappening::DtmfEnd { digit: digit.as_char(), duration_ms };
                self.tell_event(key, event);
                self.end_recordings_by(key, digit);
                if silent {
                    self.pass_digit(key, digit, duration_ms);
                }
                self.typed(key, digit.as_char());
            }
            MediaEvent::TalkingStarted(_) => {
                self.tell_event(key, ChannelHappening::TalkingStarted);
            }
            MediaEvent::TalkingStopped(_, duration_ms) => {
                self.tell_event(key, ChannelHappening::TalkingFinished { duration_ms });
            }
            MediaEvent::Tone(_, ref tone) => {
                self.tell_event(key, ChannelHappening::ToneDetected { tone: tone.clone() });
            }
            MediaEvent::Figures(line, figures) => {
                self.figures.insert(line, figures);
            }
            MediaEvent::Failed(_, ref reason) => {
                tracing::warn!(channel = %self.channels[key].id, %reason, "no line");
                self.hang_up(key, crate::cause::Cause::CONGESTION, By::Remote);
            }
            MediaEvent::Opened(..) => self.with_technology_of(key, |technology, context| {
                technology.media(key, event, context);
            }),
            MediaEvent::Played(..) | MediaEvent::Recorded { .. } => {}
        }
    }

    /// What the line of a channel has received and was sent; none: it has no RTP, or nothing is known yet.
    ///
    /// # Errors
    /// [`Refusal::NoChannel`].
    pub fn rtp_figures(&self, channel: &str) -> Result<Option<crate::media::RtpFigures>, Refusal> {
        let key = self.find_channel(channel)?;
        Ok(self.channels[key].line.and_then(|line| self.figures.get(&line)).copied())
    }

    /// Gives a channel that an application has music of a class while nothing is played to it, or takes it
    /// away.
    ///
    /// # Errors
    /// [`Refusal::NoChannel`] or [`Refusal::NotInApplication`].
    pub fn music(&mut self, channel: &str, class: Option<&str>) -> Result<(), Refusal> {
        let key = self.find_in_application(channel)?;
        self.set_music(key, class);
        self.settle();
        Ok(())
    }

    pub(in crate::exchange) fn set_music(&mut self, key: ChannelKey, class: Option<&str>) {
        let Some(channel) = self.channels.get_mut(key) else { return };
        let class = class.map(str::to_owned);
        let Some(line) = channel.line.filter(|_| channel.music != class) else { return };
        channel.music = class.clone();
        self.order(MediaOrder::Music(Ear::Line(line), class.clone()));
        let event = match class {
            Some(music_class) => ChannelHappening::MusicStart { music_class },
            None => ChannelHappening::MusicStop,
        };
        self.tell_event(key, event);
    }
}
