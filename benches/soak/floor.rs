//! What the kernel alone costs: one datagram in and one out for each leg, and nothing done with them.
//!
//! A shared machine is half as fast again in one minute as in the next. Measured in the same run, on
//! the same processor, with as many sockets, this is what a leg's time can be compared with.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use stasis_bus::{Bus, Clock, Settings};
use stasis_media::io::{ReceiveBuffer, RtpSocket};

use super::machine;

/// Sockets, at most: that it is not another measurement than of the legs, and files are left.
pub const MOST_SOCKETS: usize = 2_000;
/// A packet of G.711: 160 bytes, and RTP's header.
const BYTES: usize = 172;
/// Time to be spent on the processor.
const SPEND_NS: u64 = 500_000_000;
/// Datagrams that are timed at a time, at least.
const LEAST: usize = 200;

/// Microseconds of this thread that it takes to receive a datagram, with the kernel's time of its
/// arrival, and to send one: the median, for so many legs.
///
/// # Errors
/// The operating system's; and when it loses datagrams.
pub fn measure_us(legs: usize) -> io::Result<f64> {
    // Only for its clock.
    let bus = Bus::new(Settings { workers: 1, ..Settings::default() });
    let clock = bus.map_err(io::Error::other)?.clock();
    let circle = Circle::open(legs.clamp(1, MOST_SOCKETS))?;
    let mut buffer = ReceiveBuffer::new();
    let turns = LEAST.div_ceil(circle.sockets.len());
    circle.send()?;
    let begin = machine::this_thread_cpu_ns();
    let (mut before, mut samples) = (begin, Vec::new());
    while before - begin < SPEND_NS {
        for _ in 0..turns {
            circle.receive(&mut buffer, &clock)?;
            circle.send()?;
        }
        let now = machine::this_thread_cpu_ns();
        samples.push((now - before) as f64 / (turns * circle.sockets.len()) as f64 / 1e3);
        before = now;
    }
    samples.sort_by(f64::total_cmp);
    Ok(samples[samples.len() / 2])
}

/// Sockets each of which sends to the next.
struct Circle {
    sockets: Vec<RtpSocket>,
    next: Vec<SocketAddr>,
}

impl Circle {
    fn open(sockets: usize) -> io::Result<Self> {
        let bind = |_| RtpSocket::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
        let sockets = (0..sockets).map(bind).collect::<io::Result<Vec<_>>>()?;
        let mut next = sockets.iter().map(RtpSocket::local_addr).collect::<io::Result<Vec<_>>>()?;
        next.rotate_left(1);
        Ok(Circle { sockets, next })
    }

    /// A datagram from each, which waits in the next one's queue.
    fn send(&self) -> io::Result<()> {
        let packet = [0x80; BYTES];
        self.sockets
            .iter()
            .zip(&self.next)
            .try_for_each(|(socket, to)| socket.send_to(&packet, *to))
    }

    /// Takes them all out again.
    fn receive(&self, buffer: &mut ReceiveBuffer, clock: &Clock) -> io::Result<()> {
        let mut taken = 0;
        for socket in &self.sockets {
            socket.receive(buffer, clock, 1, |datagram| {
                taken += usize::from(datagram.bytes.len() == BYTES);
            });
        }
        if taken < self.sockets.len() {
            return Err(io::Error::other("datagrams were lost on the loopback interface"));
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(unused)] // a bench has no harness, and so no tests
mod tests {
    use super::*;

    #[test]
    fn a_datagram_goes_round_from_each_socket_to_the_next() {
        let clock = Bus::new(Settings::default()).unwrap().clock();
        let mut buffer = ReceiveBuffer::new();
        for sockets in [1, 2, 5] {
            let circle = Circle::open(sockets).unwrap();
            for _ in 0..3 {
                circle.send().unwrap();
                circle.receive(&mut buffer, &clock).unwrap();
            }
            assert!(circle.receive(&mut buffer, &clock).is_err(), "nothing was sent");
        }
        assert!(measure_us(3).is_ok_and(|us| us > 0.0));
    }
}
