//! A conference of three on your sound devices: you, and two simulated phones.
//!
//!     make demo            or: cargo run --release --example conference -- --help
//!
//! You are the default microphone and speaker; where there is none, a virtual device takes its
//! place (a looped WAV as the microphone, a WAV file as the speaker). alice and bob are phones, each
//! with a UDP socket and a clock of its own; they speak in turn and sometimes together. alice
//! presses 1 2 3 as telephone events (RFC 4733), bob 4 5 6 as tones over a link that loses 2 % of
//! the packets and delays each by up to 20 ms.
//!
//! You will see a line per event of the bus, and in the end a summary: who sent what, what was
//! lost, which digits were heard, whether everybody heard everybody but themselves, and whether a
//! tick was ever late.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc;
use std::time::Duration;

use clap::Parser;
use stasis_bus::{Bus, Delivery, Settings, Topic};
use stasis_media::codec::{Codec, EncodeSettings};
use stasis_media::device::DeviceEdge;
use stasis_media::event::{SourceLearned, TickMissed};
use stasis_media::frame::SampleRate;
use stasis_media::io::{
    DefaultDevice, DeviceWatch, IfExists, Media, MediaSettings, OpenDevice, RecordSettings,
    Recorder, RtpLeg, VirtualDevice, open_default_device,
};
use stasis_media::rtp::{Payloads, ReceiveSettings};
use stasis_media::wav::Pcm;
use stasis_media::{BridgeId, LegId};

#[path = "conference/hearing.rs"]
mod hearing;
#[path = "conference/link.rs"]
mod link;
#[path = "conference/phone.rs"]
mod phone;
#[path = "conference/report.rs"]
mod report;
#[path = "conference/voice.rs"]
mod voice;

use link::Weather;
use phone::Phone;
use report::{Reporter, Summary};

type Error = Box<dyn std::error::Error>;

/// The rate that the bridge mixes at: that of most sound cards.
const BRIDGE_RATE: SampleRate = SampleRate::Hz48000;

/// A conference of three: you, and two simulated phones, alice and bob.
#[derive(Parser)]
#[command(name = "conference")]
struct Args {
    /// End after so many seconds [default: 30, or on a terminal not before Ctrl-C]
    #[arg(long, value_name = "N")]
    seconds: Option<f64>,
    /// One JSON object a line for each event, and a summary at the end
    #[arg(long)]
    json: bool,
    /// Record the whole room to this WAV file
    #[arg(long, value_name = "FILE.wav")]
    record: Option<PathBuf>,
    /// Use the virtual sound device, even if there is a real one
    #[arg(long = "virtual")]
    force_virtual: bool,
    /// What the virtual device's microphone hears, over and over [default: a bundled voice]
    #[arg(long, value_name = "FILE.wav")]
    microphone: Option<PathBuf>,
    /// Where the virtual device's speaker is written to [default: conference-speaker.wav, in the
    /// build folder if there is one]
    #[arg(long, value_name = "FILE.wav")]
    speaker: Option<PathBuf>,
    /// Chooses what bob's link loses and delays
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Let one more participant in: any RTP sender in PCMU or PCMA that sends there
    #[arg(long, value_name = "IP:PORT")]
    listen: Option<SocketAddr>,
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("conference: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<(), Error> {
    let stop = Arc::new(AtomicBool::new(false));
    let asked = stop.clone();
    ctrlc::set_handler(move || asked.store(true, Relaxed))?;

    let bus = Bus::new(Settings::default())?;
    let topic = bus.topic("conference");
    let start = bus.now();
    let reporter = Arc::new(Reporter::new(args.json, start));
    let (callers, caller_came) = mpsc::channel();
    let subscription = {
        let reporter = reporter.clone();
        topic.subscribe().capacity(4_096).callback(move |delivery: Delivery| {
            reporter.deliver(&delivery);
            if let Some(SourceLearned { leg, .. }) = delivery.downcast_ref() {
                let _ = callers.send(*leg); // nobody waits for it at the end
            }
        })?
    };

    let late = {
        let reporter = reporter.clone();
        let handler = move |delivery: Delivery| {
            if delivery.downcast_ref::<TickMissed>().is_some() {
                reporter.deliver(&delivery);
            }
        };
        bus.topic("media").subscribe().accept::<TickMissed>().callback(handler)?
    };

    let media = Arc::new(Media::start(&bus, MediaSettings::default())?);
    let room = Room { media, topic, reporter };
    let bridge = room.media.add_bridge(BRIDGE_RATE, &room.topic)?;
    let recorder = Recorder::start()?;
    let record = |path: &PathBuf| {
        let settings =
            RecordSettings { if_exists: IfExists::Overwrite, ..RecordSettings::to(path) };
        recorder.record(&room.media, bridge, settings, &room.topic)
    };
    let recording = args.record.as_ref().map(record).transpose()?;
    let (you, sound) = room.open_sound(args, bus.clock())?;
    let you = room.media.add_device_leg(you, &room.topic)?;
    room.enter(you, "you", bridge)?;
    let sound = sound.watch(you, &room.topic)?;
    let phones = room.start_phones(args.seed, bridge, bus.clock())?;
    let caller = args.listen.map(|address| room.listen(address)).transpose()?;

    let ends = args.seconds.or((!std::io::stdout().is_terminal()).then_some(30.0));
    let ends = ends.map(|seconds| start + Duration::from_secs_f64(seconds.clamp(0.0, 1e9)));
    while !stop.load(Relaxed) && ends.is_none_or(|ends| bus.now() < ends) {
        if let Ok(leg) = caller_came.recv_timeout(Duration::from_millis(20))
            && Some(leg) == caller
        {
            room.media.join(leg, bridge)?;
        }
        room.media.reap();
    }

    // Everybody leaves, the files are closed, then the last event is delivered.
    let seconds = bus.now().since(start).as_secs_f64();
    let recorded = recording.map(|recording| recording.finish());
    room.media.clear();
    let spoken = sound.stop();
    let heard = listen_to(phones);
    let Room { media, topic, reporter } = room;
    subscription.join()?;
    late.join()?;
    let counters = media.counters();
    let (published, subscription) = (topic.published(), subscription.stats());
    reporter.summary(&Summary { seconds, counters, published, subscription, heard });
    // The media thread ends with the process: its end alone would free its stack and wait for
    // locks, which nobody should see it do.
    std::mem::forget(media);
    recorded.transpose()?;
    spoken
}

/// A place where the speaker's file is in nobody's way.
fn default_speaker() -> PathBuf {
    let build = Path::new(env!("CARGO_MANIFEST_DIR")).join("target");
    let folder = if build.is_dir() { build } else { PathBuf::new() };
    folder.join("conference-speaker.wav")
}

/// The conference, as those who set it up need it.
struct Room {
    media: Arc<Media>,
    topic: Topic,
    reporter: Arc<Reporter>,
}

/// Whatever has to live as long as the sound.
enum Sound {
    Device(Box<OpenDevice<DefaultDevice>>),
    Watched(#[allow(dead_code, reason = "it plays until it is dropped")] DeviceWatch),
    Virtual(VirtualDevice),
}

impl Sound {
    /// Has what is lost opened again, and told.
    fn watch(self, leg: LegId, topic: &Topic) -> Result<Self, Error> {
        match self {
            Sound::Device(device) => Ok(Sound::Watched(device.watch(leg, topic)?)),
            sound => Ok(sound),
        }
    }

    fn stop(self) -> Result<(), Error> {
        match self {
            Sound::Device(_) | Sound::Watched(_) => Ok(()),
            Sound::Virtual(device) => Ok(device.stop().written.map(drop)?),
        }
    }
}

impl Room {
    /// Opens the sound device, or takes the virtual one and says so.
    fn open_sound(
        &self,
        args: &Args,
        clock: stasis_bus::Clock,
    ) -> Result<(DeviceEdge, Sound), Error> {
        let reason = if args.force_virtual {
            "as asked".to_string()
        } else {
            match open_default_device(BRIDGE_RATE) {
                Ok((edge, device)) => {
                    self.reporter.say(&format!("You are on {}.", device.name()));
                    return Ok((edge, Sound::Device(Box::new(device))));
                }
                Err(error) => error.to_string(),
            }
        };
        let speaker = args.speaker.clone().unwrap_or_else(default_speaker);
        let microphone = match &args.microphone {
            Some(path) => Pcm::load(path, VirtualDevice::RATE)?,
            None => voice::your_microphone(&voice::YOU.load(VirtualDevice::RATE)?),
        };
        self.reporter.say(&format!(
            "No sound device ({reason}): you are a virtual one, with a looped WAV as microphone \
             and {} as speaker.",
            speaker.display()
        ));
        let (edge, device) = VirtualDevice::start(clock, microphone, &speaker)?;
        Ok((edge, Sound::Virtual(device)))
    }

    /// Names a leg and puts it into the room.
    fn enter(&self, leg: LegId, name: &str, bridge: BridgeId) -> Result<(), Error> {
        self.reporter.name(leg, name);
        self.media.join(leg, bridge)?;
        Ok(())
    }

    fn start_phones(
        &self,
        seed: u64,
        bridge: BridgeId,
        clock: stasis_bus::Clock,
    ) -> Result<Vec<Phone>, Error> {
        let says = |voice: &voice::Voice| voice.load(SampleRate::Hz8000);
        let rough = Weather { loss: 0.02, jitter: Duration::from_millis(20), seed };
        let alice = (Codec::PCMU, 40.0, Weather::FAIR, voice::alice(&says(&voice::ALICE)?));
        let bob = (Codec::PCMA, -60.0, rough, voice::bob(&says(&voice::BOB)?));
        let start = clock.now();
        let mut phones = Vec::new();
        for (name, (codec, clock_ppm, weather, script)) in [("alice", alice), ("bob", bob)] {
            let (leg, to) = self.add_rtp_leg("127.0.0.1:0".parse()?, codec)?;
            self.enter(leg, name, bridge)?;
            let settings = phone::Settings { name, to, codec, clock_ppm, weather, script };
            phones.push(Phone::start(settings, clock, start)?);
        }
        Ok(phones)
    }

    /// Lets one more participant in, as soon as it sends.
    fn listen(&self, address: SocketAddr) -> Result<LegId, Error> {
        let (leg, address) = self.add_rtp_leg(address, Codec::PCMU)?;
        self.reporter.name(leg, "caller");
        let sdp = sdp(address);
        self.reporter.listening(leg, address, &sdp);
        Ok(leg)
    }

    fn add_rtp_leg(&self, local: SocketAddr, codec: Codec) -> Result<(LegId, SocketAddr), Error> {
        // The party's codec first: it is what we send until we have heard from it.
        let other = if codec == Codec::PCMU { Codec::PCMA } else { Codec::PCMU };
        let payloads = Payloads::of(&[codec, other])?;
        let receive = ReceiveSettings { payloads, ..ReceiveSettings::default() };
        let encoding = EncodeSettings::default();
        let ssrc = 0x5741_0000 | u32::from(local.port());
        Ok(self.media.add_rtp_leg(RtpLeg { local, receive, encoding, ssrc }, &self.topic)?)
    }
}

/// Hangs the phones up and compares what each heard with what each said.
fn listen_to(phones: Vec<Phone>) -> BTreeMap<&'static str, BTreeMap<&'static str, f64>> {
    let reports: Vec<_> = phones.into_iter().map(|phone| (phone.name, phone.stop())).collect();
    let listener = |(listener, ears): &(&'static str, phone::Report)| {
        let heard = reports.iter().filter_map(|(speaker, mouth)| {
            let gain = hearing::presence(&mouth.said, &ears.heard)?;
            Some((*speaker, (gain * 100.0).round() / 100.0))
        });
        (*listener, heard.collect())
    };
    reports.iter().map(listener).collect()
}

/// Describes, for a player, the stream that is sent back to a sender on the port above ours.
fn sdp(address: SocketAddr) -> String {
    let version = if address.is_ipv4() { "IP4" } else { "IP6" };
    let (ip, port) = (address.ip(), address.port().wrapping_add(2));
    format!(
        "v=0\no=- 0 0 IN {version} {ip}\ns=Stasis conference\nc=IN {version} {ip}\nt=0 0\n\
         m=audio {port} RTP/AVP 0 8 101\na=rtpmap:0 PCMU/8000\na=rtpmap:8 PCMA/8000\n\
         a=rtpmap:101 telephone-event/8000\na=fmtp:101 0-15\na=ptime:20\n"
    )
}
