//! A leg: one party's connection to the engine.
//!
//! Its edge brings in audio and takes out audio, at the edge's own rate: an RTP stream, or a sound
//! device. The leg listens to what comes in (talk, digits) and converts between the edge's rate
//! and the bridge's.

use std::time::Duration;

use stasis_bus::{RtPublisher, Stamp, Topic};

use crate::device::DeviceEdge;
use crate::dtmf::{Detector, Digit, DtmfEvent};
use crate::engine::Outside;
use crate::event::{
    DeviceSlipped, DtmfBegan, DtmfNotSent, DtmfReceived, DtmfSource, RtpReceived, RtpSent,
    SourceLearned, TalkingStarted, TalkingStopped,
};
use crate::frame::{Frame, SampleRate};
use crate::id::{BridgeId, LegId};
use crate::resample::Resampler;
use crate::rtp::{FrameKind, RtpEvent, RtpReceiver, RtpSender};
use crate::talk::{TalkChange, TalkDetector, TalkSettings};

/// Ticks between two reports of a leg's figures: 5 s.
const REPORT_TICKS: u32 = 250;

/// Where a leg's audio comes from and goes to.
pub enum Edge {
    /// An RTP stream each way.
    Rtp(Box<RtpEdge>),
    /// A sound device, or what behaves like one.
    Device(Box<DeviceEdge>),
}

/// The RTP streams of a leg.
pub struct RtpEdge {
    receiver: RtpReceiver,
    sender: RtpSender,
}

impl RtpEdge {
    /// The two halves, as one leg's edge. They are to have the same rate, as they have when they were
    /// made of the same [`Payloads`](crate::rtp::Payloads).
    pub fn new(receiver: RtpReceiver, sender: RtpSender) -> Self {
        RtpEdge { receiver, sender }
    }
}

/// Conversion between a leg's rate and its bridge's. Made where allocation is allowed.
pub struct Rates {
    bridge: SampleRate,
    to_bridge: Resampler,
    from_bridge: Resampler,
}

impl Rates {
    /// Between a leg at `leg` and a bridge at `bridge`.
    pub fn new(leg: SampleRate, bridge: SampleRate) -> Self {
        Rates { bridge, to_bridge: between(leg, bridge), from_bridge: between(bridge, leg) }
    }

    /// The rate on the bridge's side.
    pub fn bridge(&self) -> SampleRate {
        self.bridge
    }
}

fn between(from: SampleRate, to: SampleRate) -> Resampler {
    Resampler::new(from, to).expect("every two rates of the engine have a converter")
}

/// Where a leg is, and how it gets there and back.
struct Place {
    bridge: BridgeId,
    rates: Box<Rates>,
}

/// One party's connection to the engine.
pub struct Leg {
    id: LegId,
    topic: Topic,
    edge: Edge,
    place: Option<Place>,
    /// What it said this tick: at the edge's rate, and at the bridge's.
    heard: Frame,
    said: Frame,
    /// What it is to hear, at the edge's rate.
    out: Frame,
    talk: TalkDetector,
    digits: InBandDigits,
    muted: bool,
    report_in: u32,
    slips: (u64, u64),
}

impl Leg {
    /// A leg with this edge, in no bridge, which publishes to `topic`.
    pub fn new(id: LegId, edge: Edge, topic: Topic) -> Self {
        let rate = edge.rate();
        Leg {
            id,
            topic,
            place: None,
            heard: Frame::silence(rate),
            said: Frame::silence(rate),
            out: Frame::silence(rate),
            talk: TalkDetector::new(TalkSettings::default()),
            digits: InBandDigits::new(&edge),
            edge,
            muted: false,
            // Not all legs report in the same tick.
            report_in: 1 + id.serial().wrapping_mul(37) % REPORT_TICKS,
            slips: (0, 0),
        }
    }

    /// Its name.
    pub fn id(&self) -> LegId {
        self.id
    }

    /// The rate of its edge.
    pub fn rate(&self) -> SampleRate {
        self.edge.rate()
    }

    pub(crate) fn bridge(&self) -> Option<BridgeId> {
        self.place.as_ref().map(|place| place.bridge)
    }

    /// Puts it into a bridge, or takes it out; gives back the converters that it had.
    pub(crate) fn set_place(
        &mut self,
        place: Option<(BridgeId, Box<Rates>)>,
    ) -> Option<Box<Rates>> {
        if let Some((_, rates)) = &place {
            self.said = Frame::silence(rates.bridge);
        }
        let place = place.map(|(bridge, rates)| Place { bridge, rates });
        std::mem::replace(&mut self.place, place).map(|place| place.rates)
    }

    pub(crate) fn set_muted(&mut self, muted: bool) {
        self.muted = muted;
    }

    /// Sends a digit to the party, as telephone events, or says that it cannot be sent.
    pub(crate) fn press(
        &mut self,
        digit: Digit,
        duration: Duration,
        now: Stamp,
        publisher: &mut RtPublisher,
    ) {
        let pressed = match &mut self.edge {
            Edge::Rtp(rtp) => rtp.sender.press(digit, duration).is_ok(),
            Edge::Device(_) => false,
        };
        if !pressed {
            publisher.publish(&self.topic, now, DtmfNotSent { leg: self.id, digit });
        }
    }

    /// A tick is left out: time passes for what is sent.
    pub(crate) fn skip_tick(&mut self) {
        if let Edge::Rtp(rtp) = &mut self.edge {
            rtp.sender.skip_tick();
        }
    }

    /// A datagram has come for it at `arrival`.
    pub(crate) fn receive(
        &mut self,
        datagram: &[u8],
        from: std::net::SocketAddr,
        arrival: Stamp,
        publisher: &mut RtPublisher,
    ) {
        if let Edge::Rtp(rtp) = &mut self.edge {
            let mut on = report_rtp(self.id, &self.topic, arrival, &mut self.digits, publisher);
            rtp.receiver.receive(datagram, from, arrival, &mut on);
        }
    }

    /// Takes this tick's audio in, and listens to it.
    pub(crate) fn listen(&mut self, now: Stamp, publisher: &mut RtPublisher) {
        let erased = self.take_in(now, publisher);
        self.digits.listen(&self.heard, erased, self.id, &self.topic, now, publisher);
        match self.talk.feed(self.heard.samples(), self.heard.rate()) {
            Some(TalkChange::Started) => {
                publisher.publish(&self.topic, now, TalkingStarted { leg: self.id });
            }
            Some(TalkChange::Stopped { duration_ms }) => {
                let stopped = TalkingStopped { leg: self.id, duration_ms };
                publisher.publish(&self.topic, now, stopped);
            }
            None => {}
        }
        if let Some(place) = &mut self.place {
            if self.muted {
                self.said.samples_mut().fill(0);
            } else {
                convert(&mut place.rates.to_bridge, &self.heard, &mut self.said);
            }
        }
        self.report_in -= 1;
        if self.report_in == 0 {
            self.report_in = REPORT_TICKS;
            self.report(now, publisher);
        }
    }

    /// Fills `heard`; `true` when what is in it was made up.
    fn take_in(&mut self, now: Stamp, publisher: &mut RtPublisher) -> bool {
        match &mut self.edge {
            Edge::Rtp(rtp) => {
                let mut on = report_rtp(self.id, &self.topic, now, &mut self.digits, publisher);
                let kind = rtp.receiver.tick(now, self.heard.samples_mut(), &mut on);
                if let Some(codec) = rtp.receiver.codec() {
                    rtp.sender.set_codec(codec); // answered in what it speaks
                }
                kind == FrameKind::Concealed
            }
            Edge::Device(device) => {
                device.capture(self.heard.samples_mut());
                false
            }
        }
    }

    /// What it said this tick, at its bridge's rate.
    pub(crate) fn said(&self) -> &Frame {
        &self.said
    }

    /// Sends out what it is to hear this tick, at its bridge's rate.
    pub(crate) fn hear(&mut self, frame: &Frame, outside: &mut impl Outside) {
        if let Some(place) = &mut self.place {
            convert(&mut place.rates.from_bridge, frame, &mut self.out);
        }
        self.send_out(outside);
    }

    /// As [`hear`](Self::hear), for a leg that is in no bridge: silence.
    pub(crate) fn hear_nothing(&mut self, outside: &mut impl Outside) {
        self.out.samples_mut().fill(0);
        self.send_out(outside);
    }

    fn send_out(&mut self, outside: &mut impl Outside) {
        let id = self.id;
        match &mut self.edge {
            Edge::Rtp(rtp) => match rtp.receiver.remote() {
                Some(to) => {
                    rtp.sender.tick(self.out.samples(), |packet| outside.send(id, to, packet))
                }
                None => rtp.sender.skip_tick(),
            },
            Edge::Device(device) => device.play(self.out.samples()),
        }
    }

    /// Publishes its figures.
    pub(crate) fn report(&mut self, now: Stamp, publisher: &mut RtPublisher) {
        let leg = self.id;
        match &self.edge {
            Edge::Rtp(rtp) => {
                let received = RtpReceived { leg, stats: rtp.receiver.stats().into() };
                publisher.publish(&self.topic, now, received);
                publisher.publish(&self.topic, now, RtpSent { leg, stats: rtp.sender.stats() });
            }
            Edge::Device(device) => {
                let slips = device.slips();
                if slips != self.slips {
                    self.slips = slips;
                    let (underruns, overruns) = slips;
                    publisher.publish(&self.topic, now, DeviceSlipped { leg, underruns, overruns });
                }
            }
        }
    }
}

/// One tick from one rate to the other.
fn convert(resampler: &mut Resampler, from: &Frame, to: &mut Frame) {
    // The frames have the rates that the converter was made for; if not, rather silence.
    if resampler.process(from.samples(), to.samples_mut()).is_err() {
        to.samples_mut().fill(0);
    }
}

impl Edge {
    /// The rate of the audio at this edge.
    pub fn rate(&self) -> SampleRate {
        match self {
            Edge::Rtp(rtp) => rtp.receiver.rate(),
            Edge::Device(device) => device.rate(),
        }
    }
}

/// Digits in the audio. A party that sends telephone events is heard by those alone, so that one
/// key never gives two digits.
struct InBandDigits {
    /// `None` where there is nothing to listen to: a microphone has no keys.
    detector: Option<Detector>,
    /// To the detector's 8 kHz, where the leg has another rate.
    narrow: Option<Narrow>,
}

impl InBandDigits {
    fn new(edge: &Edge) -> Self {
        InBandDigits {
            detector: matches!(edge, Edge::Rtp(_)).then(Detector::new),
            narrow: Narrow::from(edge.rate()),
        }
    }

    fn give_way(&mut self) {
        self.detector = None;
    }

    fn listen(
        &mut self,
        frame: &Frame,
        erased: bool,
        leg: LegId,
        topic: &Topic,
        now: Stamp,
        publisher: &mut RtPublisher,
    ) {
        let Some(detector) = &mut self.detector else { return };
        let frame = self.narrow.as_mut().map_or(frame, |narrow| narrow.tick(frame));
        let source = DtmfSource::InBand;
        let mut on = |event: DtmfEvent| match event {
            DtmfEvent::Begin { digit, .. } => {
                publisher.publish(topic, now, DtmfBegan { leg, digit, source });
            }
            DtmfEvent::End { digit, samples, .. } => {
                let duration_ms = (samples * 1_000 / u64::from(frame.rate().hz())) as u32;
                publisher.publish(topic, now, DtmfReceived { leg, digit, source, duration_ms });
            }
        };
        if erased {
            detector.erased(frame.samples().len(), &mut on);
        } else {
            detector.feed(frame.samples(), &mut on);
        }
    }
}

/// A leg's audio at 8 kHz.
struct Narrow {
    resampler: Resampler,
    frame: Frame,
}

impl Narrow {
    /// From audio at `rate`; `None` when it has 8 kHz already.
    fn from(rate: SampleRate) -> Option<Self> {
        let narrow = SampleRate::Hz8000;
        let resampler = (rate != narrow).then(|| between(rate, narrow))?;
        Some(Narrow { resampler, frame: Frame::silence(narrow) })
    }

    fn tick(&mut self, frame: &Frame) -> &Frame {
        convert(&mut self.resampler, frame, &mut self.frame);
        &self.frame
    }
}

/// Publishes what an RTP stream reveals.
fn report_rtp<'a>(
    leg: LegId,
    topic: &'a Topic,
    now: Stamp,
    digits: &'a mut InBandDigits,
    publisher: &'a mut RtPublisher,
) -> impl FnMut(RtpEvent) + 'a {
    let source = DtmfSource::TelephoneEvent;
    move |event| match event {
        RtpEvent::DigitBegin(digit) => {
            digits.give_way();
            publisher.publish(topic, now, DtmfBegan { leg, digit, source });
        }
        RtpEvent::DigitEnd { digit, duration_ms } => {
            publisher.publish(topic, now, DtmfReceived { leg, digit, source, duration_ms });
        }
        RtpEvent::SourceLearned(address) => {
            publisher.publish(topic, now, SourceLearned { leg, address });
        }
        _ => {}
    }
}
