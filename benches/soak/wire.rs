//! The load's sockets: few of them for many legs, read and written many packets at a time.

use std::io::{self, IoSlice, IoSliceMut};
use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::os::fd::AsRawFd;

use nix::errno::Errno;
use nix::sys::socket::{
    MsgFlags, MultiHeaders, SockaddrIn, recvmmsg, sendmmsg, setsockopt, sockopt,
};
use stasis_media::rtp::HEADER_LEN;

/// Sockets. The engine's legs have a port each, by which they are told apart.
pub const SOCKETS: usize = 16;
/// Packets of one system call.
const BATCH: usize = 64;
/// What a socket is asked to hold; the system gives as much of it as it may.
const BUFFER_BYTES: usize = 8 << 20;
const LARGEST: usize = 1_600;

/// A packet to be sent.
pub struct Outgoing<'a> {
    pub to: SockaddrIn,
    pub header: [u8; HEADER_LEN],
    pub payload: &'a [u8],
}

/// The sockets, and what receiving needs.
pub struct Wire {
    sockets: Vec<UdpSocket>,
    /// Not one for both: sending leaves in it where it sent to, which receiving would write to.
    outgoing: MultiHeaders<SockaddrIn>,
    incoming: MultiHeaders<SockaddrIn>,
    buffers: Vec<[u8; LARGEST]>,
}

impl Wire {
    /// Opens them all on the loopback address.
    pub fn open() -> io::Result<Self> {
        let open = |_| {
            let socket = UdpSocket::bind(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0))?;
            socket.set_nonblocking(true)?;
            setsockopt(&socket, sockopt::RcvBuf, &BUFFER_BYTES)?;
            setsockopt(&socket, sockopt::SndBuf, &BUFFER_BYTES)?;
            Ok(socket)
        };
        Ok(Wire {
            sockets: (0..SOCKETS).map(open).collect::<io::Result<_>>()?,
            outgoing: MultiHeaders::preallocate(BATCH, None),
            incoming: MultiHeaders::preallocate(BATCH, None),
            buffers: vec![[0; LARGEST]; BATCH],
        })
    }

    /// Their ports.
    pub fn ports(&self) -> io::Result<Vec<u16>> {
        self.sockets.iter().map(|socket| Ok(socket.local_addr()?.port())).collect()
    }

    /// Sends all of these from one socket; says how many the system took.
    pub fn send(&mut self, socket: usize, packets: &[Outgoing<'_>]) -> usize {
        let fd = self.sockets[socket].as_raw_fd();
        let mut sent = 0;
        for batch in packets.chunks(BATCH) {
            let slices: Vec<[IoSlice<'_>; 2]> = batch
                .iter()
                .map(|packet| [IoSlice::new(&packet.header), IoSlice::new(packet.payload)])
                .collect();
            let to: Vec<Option<SockaddrIn>> = batch.iter().map(|packet| Some(packet.to)).collect();
            let flags = MsgFlags::MSG_DONTWAIT;
            if let Ok(taken) = sendmmsg(fd, &mut self.outgoing, &slices, &to, [], flags) {
                sent += taken.count();
            }
        }
        sent
    }

    /// Hands over what has come to one socket, with the port that it came from.
    pub fn receive(&mut self, socket: usize, mut take: impl FnMut(u16, &[u8])) {
        let fd = self.sockets[socket].as_raw_fd();
        loop {
            let mut slices: Vec<[IoSliceMut<'_>; 1]> =
                self.buffers.iter_mut().map(|buffer| [IoSliceMut::new(buffer)]).collect();
            let flags = MsgFlags::MSG_DONTWAIT;
            let received = match recvmmsg(fd, &mut self.incoming, slices.iter_mut(), flags, None) {
                Ok(received) => received,
                Err(Errno::EINTR) => continue,
                Err(_) => return, // nothing more
            };
            let mut count = 0;
            for message in received {
                count += 1;
                if let (Some(from), Some(bytes)) = (message.address, message.iovs().next()) {
                    take(from.port(), bytes);
                }
            }
            if count < BATCH {
                return;
            }
        }
    }
}
