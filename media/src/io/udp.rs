//! A UDP socket for one RTP stream, with the kernel's time of arrival.

use std::io;
use std::net::{SocketAddr, UdpSocket};

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

/// A bound, non-blocking UDP socket.
#[derive(Debug)]
pub struct RtpSocket {
    socket: UdpSocket,
    inner: platform::Receiver,
}

impl RtpSocket {
    /// Binds to `local`; port 0 takes a free one.
    ///
    /// # Errors
    /// The operating system's, in most cases that the port is busy or the address not local.
    pub fn bind(local: SocketAddr) -> io::Result<Self> {
        let socket = UdpSocket::bind(local)?;
        socket.set_nonblocking(true)?;
        let inner = platform::Receiver::new(&socket)?;
        Ok(RtpSocket { socket, inner })
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
    pub fn receive(&mut self, clock: &Clock, most: usize, mut take: impl FnMut(Datagram<'_>)) {
        for _ in 0..most {
            match self.inner.next(&self.socket, clock) {
                Ok(Some(datagram)) => take(datagram),
                // Nothing more.
                Ok(None) => return,
                // An earlier datagram of ours has met a closed port (ICMP). What came is next.
                Err(_) => {}
            }
        }
    }
}

/// When a datagram came that is `age` old at `now`, by a clock that may have been set meanwhile; none:
/// who knows. It was not there at `emptied`.
#[cfg(target_os = "linux")]
fn arrival(now: Stamp, emptied: Stamp, age: Option<std::time::Duration>) -> Stamp {
    let age = age.unwrap_or_default().min(now.since(emptied));
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
    pub(super) struct Receiver {
        bytes: Box<[u8; LARGEST]>,
        control: Vec<u8>,
        /// When nothing more was there: what comes now is younger.
        emptied: Stamp,
    }

    impl Receiver {
        pub(super) fn new(socket: &UdpSocket) -> io::Result<Self> {
            setsockopt(socket, sockopt::ReceiveTimestampns, &true)?;
            let (bytes, control) = (Box::new([0; LARGEST]), nix::cmsg_space!(TimeSpec));
            Ok(Receiver { bytes, control, emptied: Stamp::ZERO })
        }

        pub(super) fn next(
            &mut self,
            socket: &UdpSocket,
            clock: &Clock,
        ) -> io::Result<Option<Datagram<'_>>> {
            let before = clock.now();
            let mut slices = [IoSliceMut::new(&mut self.bytes[..])];
            let control = Some(&mut self.control[..]);
            let flags = MsgFlags::MSG_DONTWAIT;
            let received =
                recvmsg::<SockaddrStorage>(socket.as_raw_fd(), &mut slices, control, flags);
            let message = match received {
                Ok(message) => message,
                Err(Errno::EAGAIN) => {
                    self.emptied = before;
                    return Ok(None);
                }
                Err(error) => return Err(error.into()),
            };
            let stamp = message.cmsgs().ok().and_then(|mut parts| {
                parts.find_map(|part| match part {
                    ControlMessageOwned::ScmTimestampns(time) => Some(time),
                    _ => None,
                })
            });
            let wall = clock_gettime(ClockId::CLOCK_REALTIME).ok();
            let age = stamp.zip(wall).and_then(|(stamp, wall)| age(wall, stamp));
            let arrival = super::arrival(clock.now(), self.emptied, age);
            let from = message.address.and_then(|address| socket_addr(&address));
            let whole = !message.flags.contains(MsgFlags::MSG_TRUNC);
            let len = if whole { message.bytes } else { 0 };
            let from = from.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))?;
            Ok(Some(Datagram { bytes: &self.bytes[..len], from, arrival }))
        }
    }

    /// How long ago `stamp` was at `wall`, both on the wall clock, which the kernel stamps with. None
    /// when that was set back meanwhile.
    fn age(wall: TimeSpec, stamp: TimeSpec) -> Option<Duration> {
        let age = wall - stamp;
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

    use stasis_bus::Clock;

    use super::{Datagram, LARGEST};

    /// Without the kernel's time: a packet counts as come when it is read.
    #[derive(Debug)]
    pub(super) struct Receiver {
        bytes: Box<[u8; LARGEST]>,
    }

    impl Receiver {
        pub(super) fn new(_socket: &UdpSocket) -> io::Result<Self> {
            Ok(Receiver { bytes: Box::new([0; LARGEST]) })
        }

        pub(super) fn next(
            &mut self,
            socket: &UdpSocket,
            clock: &Clock,
        ) -> io::Result<Option<Datagram<'_>>> {
            match socket.recv_from(&mut self.bytes[..]) {
                Ok((len, from)) => {
                    let arrival = clock.now();
                    Ok(Some(Datagram { bytes: &self.bytes[..len], from, arrival }))
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
    use std::time::Duration;

    /// Sends a datagram and reads it 30 ms later; whether its stamp is of when it was sent.
    fn is_stamped_by_the_kernel() -> bool {
        let bus = stasis_bus::Bus::new(stasis_bus::Settings::default()).unwrap();
        let clock = bus.clock();
        let here = "127.0.0.1:0".parse().unwrap();
        let (sender, mut receiver) =
            (RtpSocket::bind(here).unwrap(), RtpSocket::bind(here).unwrap());
        let to = receiver.local_addr().unwrap();
        let before = clock.now();
        sender.send_to(b"early", to).unwrap();
        let after = clock.now();
        std::thread::sleep(Duration::from_millis(30));
        let mut arrivals = Vec::new();
        receiver.receive(&clock, 8, |datagram| {
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
        let at = |age_ms| arrival(now, emptied, Some(Duration::from_millis(age_ms))).ms();
        assert_eq!([at(0), at(7), at(19)], [5_019, 5_012, 5_000]);
        assert_eq!(at(3_600_000), 5_000, "set forward by an hour");
        assert_eq!(arrival(now, emptied, None), now, "set back");
        assert_eq!(arrival(now, emptied, Some(Duration::MAX)), emptied);
        // After a stall of three seconds they are that old.
        let now = Stamp::from_ms(8_000);
        assert_eq!(arrival(now, emptied, Some(Duration::from_millis(2_900))).ms(), 5_100);
        assert_eq!(arrival(emptied, now, Some(Duration::from_secs(9))), emptied, "never before 0");
    }

    #[test]
    fn a_datagram_too_large_to_be_rtp_arrives_empty_or_cut() {
        let clock = stasis_bus::Bus::new(stasis_bus::Settings::default()).unwrap().clock();
        let here = "127.0.0.1:0".parse().unwrap();
        let (sender, mut receiver) =
            (RtpSocket::bind(here).unwrap(), RtpSocket::bind(here).unwrap());
        sender.send_to(&[0x80; 9_000], receiver.local_addr().unwrap()).unwrap();
        std::thread::sleep(Duration::from_millis(10));
        let mut sizes = Vec::new();
        receiver.receive(&clock, 8, |datagram| sizes.push(datagram.bytes.len()));
        assert_eq!(sizes.len(), 1);
        assert!(sizes[0] <= LARGEST);
    }
}
