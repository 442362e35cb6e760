//! The latch: whose packets a leg takes (symmetric RTP, RFC 4961; latching as in RFC 7362).
//!
//! The remote address is given by signalling, or learned from the first source that passes
//! probation; then it is locked. Nobody else is heard before that source has been silent for
//! [`TAKEOVER`]: one spoofed packet moves nothing. From the locked address another SSRC is a new
//! stream once two of its packets follow each other with none of the old stream between.

use super::packet::{Header, MAX_PAYLOAD, Packet};
use super::source::{Arrival, Source};
use stasis_bus::Stamp;
use std::net::SocketAddr;
use std::time::Duration;

/// Silence of the locked source after which another address may take its place.
pub const TAKEOVER: Duration = Duration::from_secs(3);

/// Sources on probation at a time; of more the longest unheard is forgotten.
const CANDIDATES: usize = 4;

/// What a packet is to the leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// From another source than the one that is locked.
    Stranger,
    /// From a source on probation; kept until the next decides.
    Held,
    /// The second packet of a source that is now locked; the first is [`Latch::held`].
    Begins(Begins),
    /// A packet of the locked stream.
    Stream(Arrival),
}

/// A stream begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Begins {
    /// The extended number of the packet that was just heard.
    pub(crate) seq: u64,
    /// Where it comes from, when the leg did not know.
    pub(crate) learned: Option<SocketAddr>,
    /// There was a stream with another SSRC before.
    pub(crate) ssrc_changed: bool,
    /// What the stream before has lost.
    pub(crate) lost_before: u64,
    candidate: usize,
}

/// A source on probation and its first packet.
struct Candidate {
    source: Option<(SocketAddr, Source)>,
    header: Header,
    arrival: Stamp,
    len: usize,
    payload: [u8; MAX_PAYLOAD],
}

/// Decides whose packets are taken.
pub(crate) struct Latch {
    remote: Option<SocketAddr>,
    source: Option<Source>,
    /// When the locked source was last heard, or when its silence began.
    heard: Option<Stamp>,
    candidates: Box<[Candidate]>,
    /// There is a source on probation; usually there is none, and nothing to forget.
    trying: bool,
}

impl Latch {
    /// Locked on `remote` if that is known. Allocates all it will ever need.
    pub(crate) fn new(remote: Option<SocketAddr>) -> Self {
        let empty = || Candidate {
            source: None,
            header: Header::default(),
            arrival: Stamp::ZERO,
            len: 0,
            payload: [0; MAX_PAYLOAD],
        };
        let candidates = (0..CANDIDATES).map(|_| empty()).collect();
        Latch { remote, source: None, heard: None, candidates, trying: false }
    }

    /// The address that is locked.
    pub(crate) fn remote(&self) -> Option<SocketAddr> {
        self.remote
    }

    /// Locks on `remote`. What is heard of the stream before stays known until a new one begins.
    pub(crate) fn set_remote(&mut self, remote: SocketAddr) {
        if self.remote != Some(remote) {
            self.remote = Some(remote);
            self.heard = None;
            self.forget_candidates();
        }
    }

    /// The locked stream.
    pub(crate) fn source(&self) -> Option<&Source> {
        self.source.as_ref()
    }

    /// The locked stream, to be measured.
    pub(crate) fn source_mut(&mut self) -> Option<&mut Source> {
        self.source.as_mut()
    }

    /// Takes a packet's headers.
    pub(crate) fn hear(&mut self, packet: &Packet, from: SocketAddr, arrival: Stamp) -> Heard {
        let locked = self.remote == Some(from);
        if let Some(source) = self.source.as_mut()
            && locked
            && source.ssrc() == packet.header.ssrc
        {
            let kind = source.update(packet.header.seq);
            self.heard = Some(arrival);
            self.forget_candidates();
            return Heard::Stream(kind);
        }
        if locked || self.remote.is_none() || self.is_silent(arrival) {
            self.try_out(packet, from, arrival)
        } else {
            Heard::Stranger
        }
    }

    /// The first packet of the stream that `begins`.
    pub(crate) fn held(&self, begins: &Begins) -> (Packet<'_>, Stamp) {
        let held = &self.candidates[begins.candidate];
        (Packet { header: held.header, payload: &held.payload[..held.len] }, held.arrival)
    }

    fn is_silent(&mut self, now: Stamp) -> bool {
        now.since(*self.heard.get_or_insert(now)) >= TAKEOVER
    }

    fn try_out(&mut self, packet: &Packet, from: SocketAddr, arrival: Stamp) -> Heard {
        let ssrc = packet.header.ssrc;
        let known = |c: &Candidate| c.source.is_some_and(|(f, s)| f == from && s.ssrc() == ssrc);
        let Some(at) = self.candidates.iter().position(known) else {
            self.enlist(packet, from, arrival);
            return Heard::Held;
        };
        let candidate = &mut self.candidates[at];
        let Some((_, source)) = &mut candidate.source else { return Heard::Held };
        match source.update(packet.header.seq) {
            Arrival::Passed(seq) => {
                let source = *source;
                Heard::Begins(self.lock(at, source, seq, from, arrival))
            }
            _ => {
                candidate.hold(packet, arrival);
                Heard::Held
            }
        }
    }

    fn enlist(&mut self, packet: &Packet, from: SocketAddr, arrival: Stamp) {
        self.trying = true;
        let longest_unheard = |c: &&mut Candidate| (c.source.is_some(), c.arrival);
        if let Some(candidate) = self.candidates.iter_mut().min_by_key(longest_unheard) {
            candidate.source = Some((from, Source::new(&packet.header)));
            candidate.hold(packet, arrival);
        }
    }

    fn lock(
        &mut self,
        candidate: usize,
        source: Source,
        seq: u64,
        from: SocketAddr,
        arrival: Stamp,
    ) -> Begins {
        let before = self.source.replace(source);
        let learned = (self.remote.replace(from) != Some(from)).then_some(from);
        self.heard = Some(arrival);
        self.forget_candidates();
        Begins {
            seq,
            learned,
            ssrc_changed: before.is_some_and(|before| before.ssrc() != source.ssrc()),
            lost_before: before.map_or(0, |before| before.lost()),
            candidate,
        }
    }

    fn forget_candidates(&mut self) {
        if std::mem::take(&mut self.trying) {
            self.candidates.iter_mut().for_each(|candidate| candidate.source = None);
        }
    }
}

impl Candidate {
    fn hold(&mut self, packet: &Packet, arrival: Stamp) {
        (self.header, self.arrival) = (packet.header, arrival);
        self.len = packet.payload.len().min(MAX_PAYLOAD);
        self.payload[..self.len].copy_from_slice(&packet.payload[..self.len]);
    }
}

#[cfg(test)]
mod tests {
    use super::super::packet::RtpSeq;
    use super::*;

    fn at(port: u16) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], port))
    }

    fn hear(latch: &mut Latch, port: u16, ssrc: u32, seq: u16, ms: u64) -> Heard {
        let header = Header { ssrc, seq: RtpSeq(seq), ..Header::default() };
        latch.hear(&Packet { header, payload: &[1, 2] }, at(port), Stamp::from_ms(ms))
    }

    fn begins(heard: Heard) -> Option<Begins> {
        if let Heard::Begins(begins) = heard { Some(begins) } else { None }
    }

    #[test]
    fn the_first_source_that_passes_probation_is_locked_even_among_strangers() {
        let mut latch = Latch::new(None);
        for n in 0..4 {
            assert_eq!(hear(&mut latch, 900 + n, 9, 500 * n, 0), Heard::Held);
            if n == 1 {
                assert_eq!(hear(&mut latch, 4_000, 7, 10, 5), Heard::Held);
            }
        }
        let begun = begins(hear(&mut latch, 4_000, 7, 11, 20)).unwrap();
        assert_eq!((begun.learned, begun.ssrc_changed), (Some(at(4_000)), false));
        let (held, arrival) = latch.held(&begun);
        assert_eq!((held.header.seq, held.payload), (RtpSeq(10), &[1, 2][..]));
        assert_eq!(arrival, Stamp::from_ms(5));
        assert_eq!(hear(&mut latch, 900, 9, 1, 30), Heard::Stranger);
    }

    #[test]
    fn a_given_address_is_locked_from_the_start_until_it_stays_silent() {
        let mut latch = Latch::new(Some(at(1)));
        assert_eq!(hear(&mut latch, 2, 7, 0, 0), Heard::Stranger);
        assert_eq!(hear(&mut latch, 2, 7, 1, 2_999), Heard::Stranger);
        assert_eq!(hear(&mut latch, 2, 7, 2, 3_000), Heard::Held);
        let begun = begins(hear(&mut latch, 2, 7, 3, 3_020)).unwrap();
        assert_eq!(begun.learned, Some(at(2)));
    }

    #[test]
    fn a_takeover_waits_for_three_seconds_of_silence() {
        let mut latch = Latch::new(Some(at(1)));
        hear(&mut latch, 1, 7, 0, 0);
        assert_eq!(begins(hear(&mut latch, 1, 7, 1, 20)).unwrap().learned, None);
        for n in 0..100u16 {
            let ms = 40 + u64::from(n) * 20;
            assert_eq!(hear(&mut latch, 2, 7, n, ms), Heard::Stranger);
            assert!(matches!(hear(&mut latch, 1, 7, n + 2, ms), Heard::Stream(_)));
        }
        assert_eq!(hear(&mut latch, 2, 7, 200, 5_019), Heard::Stranger);
        assert_eq!(hear(&mut latch, 2, 7, 201, 5_020), Heard::Held);
        assert!(begins(hear(&mut latch, 2, 7, 202, 5_040)).is_some());
    }

    #[test]
    fn another_ssrc_is_a_new_stream_only_when_the_old_has_stopped() {
        let mut latch = Latch::new(Some(at(1)));
        hear(&mut latch, 1, 7, 0, 0);
        hear(&mut latch, 1, 7, 1, 20);
        for n in 0..20u16 {
            assert_eq!(hear(&mut latch, 1, 8, n, 40), Heard::Held, "interleaved");
            assert!(matches!(hear(&mut latch, 1, 7, n + 2, 40), Heard::Stream(_)));
        }
        hear(&mut latch, 1, 8, 20, 500);
        let begun = begins(hear(&mut latch, 1, 8, 21, 520)).unwrap();
        assert!(begun.ssrc_changed && begun.learned.is_none());
    }
}
