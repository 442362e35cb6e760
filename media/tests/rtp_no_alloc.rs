//! A leg that runs neither allocates nor frees: every packet, tick and key is counted.

mod common {
    pub mod alloc;
}

use common::alloc::{NONE, counts_of};
use stasis_bus::Stamp;
use stasis_media::codec::Codec;
use stasis_media::dtmf::Digit;
use stasis_media::rtp::{FrameKind, Payloads, ReceiveSettings, RtpReceiver, RtpSender, RtpSeq};
use std::net::SocketAddr;
use std::time::Duration;

#[test]
fn a_leg_with_loss_keys_and_strangers_neither_allocates_nor_frees() {
    let home = SocketAddr::from(([127, 0, 0, 1], 4_000));
    let stranger = SocketAddr::from(([127, 0, 0, 1], 9));
    let mut leg = RtpReceiver::new(ReceiveSettings::default());
    let mut sender = RtpSender::new(&Payloads::default(), 7, RtpSeq(65_000), u32::MAX - 9);
    sender.set_codec(Codec::PCMA);
    let mut other = RtpSender::new(&Payloads::default(), 8, RtpSeq(1), 1);
    let five = Digit::from_event(5).expect("5 is a digit");
    let pcm: [i16; 160] = std::array::from_fn(|n| (n as i16 - 80) * 99);
    let (mut voice, mut concealed, mut events) = (0, 0, 0);
    let mut out = [0; 160];

    let counts = counts_of(|| {
        for tick in 0..5_000u64 {
            let now = Stamp::from_ms(tick * 20);
            let sender = if tick < 4_000 { &mut sender } else { &mut other };
            if tick % 100 == 0 {
                sender.press(five, Duration::from_millis(100)).expect("there is room");
            }
            sender.tick(&pcm, |packet| {
                let came = now + Duration::from_millis(tick % 7 * 10);
                if tick % 13 != 0 {
                    leg.receive(packet, home, came, &mut |_| events += 1);
                }
                if tick % 17 == 0 {
                    leg.receive(packet, home, came, &mut |_| events += 1);
                    leg.receive(packet, stranger, came, &mut |_| events += 1);
                    leg.receive(&packet[..9], home, came, &mut |_| events += 1);
                }
            });
            match leg.tick(now, &mut out, &mut |_| events += 1) {
                FrameKind::Voice => voice += 1,
                FrameKind::Concealed => concealed += 1,
                FrameKind::Silence => {}
            }
            std::hint::black_box(leg.stats());
        }
    });
    assert_eq!(counts, NONE);
    assert!(voice > 3_000 && concealed > 200 && events > 90, "{voice} {concealed} {events}");
}
