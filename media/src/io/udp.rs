//! A UDP socket for one RTP stream, with the kernel's time of arrival.

use std::cell::Cell;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use stasis_bus::{Clock, Stamp};

/// The largest datagram that is read whole; RTP packets are smaller.
const LARGEST: usize = 2_048;

/// A datagram that has come.
#[derive(Debug)]
pub struct Datagram<'a> {
    /// Its content; empty when it was too large to be RTP.
    pub bytes: &'a [u8],
    /// Its sender.
    pub from: SocketAddr,
    /// When the kernel got it, on the bus's clock.
    pub arrival: Stamp,
}

/// Who sends a packet every 10 ms or less often has sent nothing more when the newest is as young as
/// this.
const YOUNG: Duration = Duration::from_millis(10);

/// A bound, non-blocking UDP socket.
#[derive(Debug)]
pub struct RtpSocket {
    socket: UdpSocket,
    /// What comes now is younger than this: then nothing was there, or the last one came.
    emptied: Cell<Stamp>,
}

/// What datagrams are read into, one after the other: one for all sockets of a thread, so that it
/// stays in the processor's cache.
#[derive(Debug)]
pub struct ReceiveBuffer(platform::Buffer);

impl ReceiveBuffer {
    /// Allocates all that it will need.
    pub fn new() -> Self {
        ReceiveBuffer(platform::Buffer::new())
    }
}

impl Default for ReceiveBuffer {
    fn default() -> Self {
        ReceiveBuffer::new()
    }
}

impl RtpSocket {
    /// Binds to `local`; port 0 takes a free one.
    ///
    /// # Errors
    /// The operating system's, in most cases that the port is busy or the address not local.
    pub fn bind(local: SocketAddr) -> io::Result<Self> {
        let socket = UdpSocket::bind(local)?;
        socket.set_nonblocking(true)?;
        platform::ask_for_stamps(&socket)?;
        Ok(RtpSocket { socket, emptied: Cell::new(Stamp::ZERO) })
    }

    /// The address that it is bound to.
    ///
    /// # Errors
    /// The operating system's.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Sends one datagram. Never waits.
    ///
    /// # Errors
    /// The operating system's; `WouldBlock` when its buffer is full.
    pub fn send_to(&self, datagram: &[u8], to: SocketAddr) -> io::Result<()> {
        self.socket.send_to(datagram, to).map(drop)
    }

    /// Hands over what has come, up to `most` datagrams. Never waits, never allocates.
    ///
    /// It does not look behind a datagram that came less than 10 ms ago: in most cases nothing is
    /// there, and to find that out costs as much as to read. What is there is read in the next tick.
    pub fn receive(
        &self,
        buffer: &mut ReceiveBuffer,
        clock: &Clock,
        most: usize,
        mut take: impl FnMut(Datagram<'_>),
    ) {
        for _ in 0..most {
            let looked = clock.now();
            match buffer.0.next(&self.socket, clock, self.emptied.get()) {
                Ok(Some((datagram, age))) => {
                    self.emptied.set(datagram.arrival);
                    take(datagram);
                    if age < YOUNG {
                        return;
                    }
                }
                // Nothing more.
                Ok(None) => return self.emptied.set(looked),
                // An earlier datagram of ours has met a closed port (ICMP). What came is next.
                Err(_) => {}
            }
        }
    }
}

/// When a datagram came that is `age` old at `now`, by a clock that may have been set meanwhile: it was
/// not there at `emptied`.
#[cfg(target_os = "linux")]
fn arrival(now: Stamp, emptied: Stamp, age: Duration) -> Stamp {
    let age = age.min(now.since(emptied));
    Stamp::from_ns(now.ns().saturating_sub(age.as_nanos() as u64))
}

#[cfg(target_os = "linux")]
mod platform {
    use std::io::{self, IoSliceMut};
    use std::net::{SocketAddr, UdpSocket};
    use std::os::fd::AsRawFd;
    use std::time::Duration;

    use nix::errno::Errno;
    use nix::sys::socket::{
        ControlMessageOwned, MsgFlags, SockaddrLike, SockaddrStorage, recvmsg, setsockopt, sockopt,
    };
    use nix::sys::time::TimeSpec;
    use nix::time::{ClockId, clock_gettime};
    use stasis_bus::{Clock, Stamp};

    use super::{Datagram, LARGEST};

    /// What a receive writes to; made once.
    #[derive(Debug)]
    pub(super) struct Buffer {
        bytes: Box<[u8; LARGEST]>,
        control: Vec<u8>,
    }

    pub(super) fn ask_for_stamps(socket: &UdpSocket) -> io::Result<()> {
        Ok(setsockopt(socket, sockopt::ReceiveTimestampns, &true)?)
    }

    impl Buffer {
        pub(super) fn new() -> Self {
            Buffer { bytes: Box::new([0; LARGEST]), control: nix::cmsg_space!(TimeSpec) }
        }

        pub(super) fn next(
            &mut self,
            socket: &UdpSocket,
            clock: &Clock,
            emptied: Stamp,
        ) -> io::Result<Option<(Datagram<'_>, Duration)>> {
            let mut slices = [IoSliceMut::new(&mut self.bytes[..])];
            let control = Some(&mut self.control[..]);
            let flags = MsgFlags::MSG_DONTWAIT;
            let received =
                recvmsg::<SockaddrStorage>(socket.as_raw_fd(), &mut slices, control, flags);
            let message = match received {
                Ok(message) => message,
                Err(Errno::EAGAIN) => return Ok(None),
                Err(error) => return Err(error.into()),
            };
            let now = clock.now();
            let stamped = message.cmsgs().ok().and_then(|mut parts| {
                parts.find_map(|part| match part {
                    ControlMessageOwned::ScmTimestampns(time) => Some(time),
                    _ => None,
                })
            });
            let age = stamped.and_then(age).unwrap_or_default();
            let arrival = super::arrival(now, emptied, age);
            let from = message.address.and_then(|address| socket_addr(&address));
            let whole = !message.flags.contains(MsgFlags::MSG_TRUNC);
            let len = if whole { message.bytes } else { 0 };
            let from = from.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))?;
            Ok(Some((Datagram { bytes: &self.bytes[..len], from, arrival }, age)))
        }
    }

    /// How long ago `time` was, on the wall clock that the kernel stamps with.
    fn age(time: TimeSpec) -> Option<Duration> {
        let now = clock_gettime(ClockId::CLOCK_REALTIME).ok()?;
        // Negative when the wall clock was set back meanwhile.
        let age = now - time;
        (age >= TimeSpec::from(Duration::ZERO)).then(|| age.into())
    }

    fn socket_addr(address: &SockaddrStorage) -> Option<SocketAddr> {
        match address.family()? {
            nix::sys::socket::AddressFamily::Inet => {
                Some(SocketAddr::V4((*address.as_sockaddr_in()?).into()))
            }
            nix::sys::socket::AddressFamily::Inet6 => {
                Some(SocketAddr::V6((*address.as_sockaddr_in6()?).into()))
            }
            _ => None,
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod platform {
    use std::io;
    use std::net::UdpSocket;
    use std::time::Duration;

    use stasis_bus::{Clock, Stamp};

    use super::{Datagram, LARGEST};

    /// Without the kernel's time: a packet counts as come when it is read.
    #[derive(Debug)]
    pub(super) struct Buffer {
        bytes: Box<[u8; LARGEST]>,
    }

    pub(super) fn ask_for_stamps(_socket: &UdpSocket) -> io::Result<()> {
        Ok(())
    }

    impl Buffer {
        pub(super) fn new() -> Self {
            Buffer { bytes: Box::new([0; LARGEST]) }
        }

        pub(super) fn next(
            &mut self,
            socket: &UdpSocket,
            clock: &Clock,
            _emptied: Stamp,
        ) -> io::Result<Option<(Datagram<'_>, Duration)>> {
            match socket.recv_from(&mut self.bytes[..]) {
                Ok((len, from)) => {
                    let arrival = clock.now();
                    // Nobody knows how old it is: there may be more.
                    Ok(Some((Datagram { bytes: &self.bytes[..len], from, arrival }, Duration::MAX)))
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
                Err(error) => Err(error),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends a datagram and reads it 30 ms later; whether its stamp is of when it was sent.
    fn is_stamped_by_the_kernel() -> bool {
        let bus = stasis_bus::Bus::new(stasis_bus::Settings::default()).unwrap();
        let clock = bus.clock();
        let here = "127.0.0.1:0".parse().unwrap();
        let (sender, receiver) = (RtpSocket::bind(here).unwrap(), RtpSocket::bind(here).unwrap());
        let to = receiver.local_addr().unwrap();
        let before = clock.now();
        sender.send_to(b"early", to).unwrap();
        let after = clock.now();
        std::thread::sleep(Duration::from_millis(30));
        let mut arrivals = Vec::new();
        receiver.receive(&mut ReceiveBuffer::new(), &clock, 8, |datagram| {
            assert_eq!(datagram.bytes, b"early");
            assert_eq!(datagram.from, sender.local_addr().unwrap());
            arrivals.push(datagram.arrival);
        });
        assert_eq!(arrivals.len(), 1);
        let slack = Duration::from_millis(5);
        arrivals[0] + slack >= before && arrivals[0] <= after + slack
    }

    #[test]
    fn a_datagram_carries_the_time_at_which_the_kernel_got_it() {
        // Two clocks are read for it, one after the other, and a busy machine may come between
        // them: not every time.
        let is_stamped = (0..100).any(|_| is_stamped_by_the_kernel());
        assert!(is_stamped || !cfg!(target_os = "linux"));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_wall_clock_that_is_set_makes_no_datagram_older_than_the_last_look_or_younger_than_now() {
        let (emptied, now) = (Stamp::from_ms(5_000), Stamp::from_ms(5_019));
        let at = |age_ms| arrival(now, emptied, Duration::from_millis(age_ms)).ms();
        assert_eq!([at(0), at(7), at(19)], [5_019, 5_012, 5_000]);
        assert_eq!(at(3_600_000), 5_000, "set forward by an hour");
        assert_eq!(arrival(now, emptied, Duration::MAX), emptied);
        // After a stall of three seconds they are that old.
        let now = Stamp::from_ms(8_000);
        assert_eq!(arrival(now, emptied, Duration::from_millis(2_900)).ms(), 5_100);
        assert_eq!(arrival(emptied, now, Duration::from_secs(9)), emptied, "never before 0");
    }

    #[test]
    fn a_datagram_too_large_to_be_rtp_arrives_empty_or_cut() {
        let clock = stasis_bus::Bus::new(stasis_bus::Settings::default()).unwrap().clock();
        let here = "127.0.0.1:0".parse().unwrap();
        let (sender, receiver) = (RtpSocket::bind(here).unwrap(), RtpSocket::bind(here).unwrap());
        sender.send_to(&[0x80; 9_000], receiver.local_addr().unwrap()).unwrap();
        std::thread::sleep(Duration::from_millis(10));
        let mut sizes = Vec::new();
        receiver.receive(&mut ReceiveBuffer::new(), &clock, 8, |datagram| {
            sizes.push(datagram.bytes.len())
        });
        assert_eq!(sizes.len(), 1);
        assert!(sizes[0] <= LARGEST);
    }
}
