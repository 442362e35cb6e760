//! Payload types: what the numbers in a leg's packets mean, as both sides have agreed by SDP.
//!
//! Some codecs have a number of their own (RFC 3551 table 4). The others, and telephone events, get
//! one between 96 and 127 for this one call. A small table by value, so that both edges of a leg
//! have their copy.

use crate::codec::Codec;
use crate::frame::SampleRate;

/// Payload types that one leg can agree on.
pub const MAX_PAYLOADS: usize = 16;

/// The first of the numbers that are given out call by call (RFC 3551 section 6).
const DYNAMIC: u8 = 96;
/// The number that telephone events have by custom.
const EVENTS: u8 = 101;

/// What one payload type means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payload {
    /// Sound.
    Audio(Codec),
    /// Keys (RFC 4733), whose durations count at this clock.
    TelephoneEvent {
        /// In Hz, as `rtpmap` says.
        clock_hz: u32,
    },
}

/// The payload types of one leg. The codec that was added first is preferred: it is sent until the
/// other side has spoken.
///
/// ```
/// use stasis_media::codec::Codec;
/// use stasis_media::frame::SampleRate;
/// use stasis_media::rtp::Payloads;
///
/// // m=audio 4000 RTP/AVP 9 97 101, rtpmap:97 L16/8000, rtpmap:101 telephone-event/8000
/// let l16 = Codec::L16.at(SampleRate::Hz8000).expect("L16 has every rate");
/// let agreed = Payloads::none().with(9, Codec::G722)?.with(97, l16)?.with_events(101, 8_000)?;
/// assert_eq!(agreed.codec(97), Some(l16));
/// assert_eq!(agreed.rate(), SampleRate::Hz16000);
/// # Ok::<(), stasis_media::rtp::PayloadsError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Payloads {
    entries: [Option<(u8, Payload)>; MAX_PAYLOADS],
}

/// Why a payload type was not added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PayloadsError {
    /// Over 127, or one of those that RTCP's packet types look like (RFC 5761 section 4).
    #[error("{0} cannot be a payload type: use 0 to 63 or 96 to 127")]
    OutOfRange(u8),
    /// It means something else already.
    #[error("payload type {0} was given twice: give each its own")]
    Taken(u8),
    /// There are [`MAX_PAYLOADS`] already.
    #[error("a leg has at most {MAX_PAYLOADS} payload types: leave some out")]
    Full,
}

impl Payloads {
    /// Nothing agreed: nothing is heard and nothing is sent.
    pub const fn none() -> Self {
        Payloads { entries: [None; MAX_PAYLOADS] }
    }

    /// These codecs, the preferred one first, and telephone events at their clocks: with the static
    /// numbers where there are any, the events at 101, and the others from 96 on.
    ///
    /// # Errors
    /// [`PayloadsError::Full`], or [`PayloadsError::Taken`] when a codec with a static number is
    /// there twice.
    pub fn of(codecs: &[Codec]) -> Result<Self, PayloadsError> {
        let mut payloads = Payloads::none();
        if let Some(first) = codecs.first() {
            payloads = payloads.with_events(EVENTS, first.clock_hz())?;
        }
        for codec in codecs {
            let number = codec.payload_type().or_else(|| payloads.vacant());
            payloads = payloads.with(number.ok_or(PayloadsError::Full)?, *codec)?;
            if !payloads.events().any(|(_, clock_hz)| clock_hz == codec.clock_hz()) {
                let number = payloads.vacant().ok_or(PayloadsError::Full)?;
                payloads = payloads.with_events(number, codec.clock_hz())?;
            }
        }
        Ok(payloads)
    }

    /// These and `codec` as `payload_type`.
    ///
    /// # Errors
    /// When the number cannot be one, is taken, or there is no room.
    pub fn with(self, payload_type: u8, codec: Codec) -> Result<Self, PayloadsError> {
        self.and(payload_type, Payload::Audio(codec))
    }

    /// These and telephone events as `payload_type`, which count by a clock of `clock_hz`.
    ///
    /// # Errors
    /// When the number cannot be one, is taken, or there is no room.
    pub fn with_events(self, payload_type: u8, clock_hz: u32) -> Result<Self, PayloadsError> {
        // A clock below 1 kHz has no whole millisecond: no rtpmap says so.
        self.and(payload_type, Payload::TelephoneEvent { clock_hz: clock_hz.max(1_000) })
    }

    fn and(mut self, number: u8, payload: Payload) -> Result<Self, PayloadsError> {
        if !matches!(number, 0..=63 | DYNAMIC..=127) {
            return Err(PayloadsError::OutOfRange(number));
        }
        if self.get(number).is_some() {
            return Err(PayloadsError::Taken(number));
        }
        let place = self.entries.iter_mut().find(|entry| entry.is_none());
        *place.ok_or(PayloadsError::Full)? = Some((number, payload));
        Ok(self)
    }

    /// What a payload type means.
    pub fn get(&self, payload_type: u8) -> Option<Payload> {
        let found = self.entries.iter().flatten().find(|(number, _)| *number == payload_type);
        found.map(|(_, payload)| *payload)
    }

    /// The codec of a payload type; none when it is not agreed, or not sound.
    pub fn codec(&self, payload_type: u8) -> Option<Codec> {
        match self.get(payload_type) {
            Some(Payload::Audio(codec)) => Some(codec),
            _ => None,
        }
    }

    /// The codecs and their payload types, the preferred one first.
    pub fn codecs(&self) -> impl Iterator<Item = (u8, Codec)> + '_ {
        self.entries.iter().flatten().filter_map(|(number, payload)| match payload {
            Payload::Audio(codec) => Some((*number, *codec)),
            Payload::TelephoneEvent { .. } => None,
        })
    }

    /// The payload types of telephone events and their clocks in Hz, in order.
    pub fn events(&self) -> impl Iterator<Item = (u8, u32)> + '_ {
        self.entries.iter().flatten().filter_map(|(number, payload)| match payload {
            Payload::TelephoneEvent { clock_hz } => Some((*number, *clock_hz)),
            Payload::Audio(_) => None,
        })
    }

    /// The audio rate of a leg with these: the highest of its codecs, so that none loses by it.
    pub fn rate(&self) -> SampleRate {
        self.codecs().map(|(_, codec)| codec.rate()).max().unwrap_or(SampleRate::Hz8000)
    }

    /// A dynamic number that means nothing yet.
    fn vacant(&self) -> Option<u8> {
        (DYNAMIC..=127).find(|number| self.get(*number).is_none())
    }
}

impl Default for Payloads {
    /// PCMU, PCMA, and telephone events as 101.
    fn default() -> Self {
        Payloads::of(&[Codec::PCMU, Codec::PCMA]).expect("there is room for three")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn static_numbers_are_kept_and_the_others_are_given_out() {
        let l16 = |rate| Codec::L16.at(rate).unwrap();
        let wide = l16(SampleRate::Hz48000);
        let codecs = [Codec::G722, wide, Codec::PCMU, l16(SampleRate::Hz8000)];
        let payloads = Payloads::of(&codecs).unwrap();
        let given: Vec<_> = payloads.codecs().collect();
        assert_eq!(given, [(9, codecs[0]), (96, wide), (0, Codec::PCMU), (98, codecs[3])]);
        assert_eq!(payloads.events().collect::<Vec<_>>(), [(101, 8_000), (97, 48_000)]);
        assert_eq!(payloads.codec(101), None);
        assert_eq!(payloads.rate(), SampleRate::Hz48000);
        assert_eq!(Payloads::default().rate(), SampleRate::Hz8000);
        assert_eq!(Payloads::none().rate(), SampleRate::Hz8000);
    }

    #[test]
    fn numbers_that_rtcp_has_or_that_mean_something_already_are_refused() {
        for number in 0..=u8::MAX {
            let with = Payloads::none().with(number, Codec::PCMA);
            if matches!(number, 64..=95 | 128..) {
                assert_eq!(with, Err(PayloadsError::OutOfRange(number)));
                continue;
            }
            let with = with.unwrap();
            assert_eq!(with.codec(number), Some(Codec::PCMA));
            assert_eq!(with.with(number, Codec::PCMU), Err(PayloadsError::Taken(number)));
            assert_eq!(with.with_events(number, 8_000), Err(PayloadsError::Taken(number)));
        }
        assert_eq!(Payloads::of(&[Codec::PCMU; 2]), Err(PayloadsError::Taken(0)));
    }

    #[test]
    fn a_full_table_refuses() {
        let mut payloads = Payloads::none();
        for number in 0..MAX_PAYLOADS as u8 {
            payloads = payloads.with(number, Codec::PCMU).unwrap();
        }
        assert_eq!(payloads.with(96, Codec::PCMU), Err(PayloadsError::Full));
        assert_eq!(Payloads::of(&[Codec::L16; 17]), Err(PayloadsError::Full));
    }
}
