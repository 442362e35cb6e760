//! Clients that cost as little as can be: HTTP on a connection that is kept open, and a WebSocket that is read
//! frame by frame.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// `bench:bench`.
const BASIC: &str = "Authorization: Basic YmVuY2g6YmVuY2g=\r\n";

/// A connection that is kept open.
pub struct Http {
    stream: TcpStream,
    buffer: Vec<u8>,
    filled: usize,
}

/// An answer: its status, and its body.
pub struct Answer {
    pub status: u16,
    pub body: Vec<u8>,
}

impl Http {
    pub fn connect(to: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(to)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        Ok(Http { stream, buffer: vec![0; 256 << 10], filled: 0 })
    }

    /// A request, as it is sent.
    pub fn request(method: &str, path: &str) -> Vec<u8> {
        let end = if method == "GET" { "" } else { "Content-Length: 0\r\n" };
        format!("{method} /ari{path} HTTP/1.1\r\nHost: localhost\r\n{BASIC}{end}\r\n").into_bytes()
    }

    pub fn send(&mut self, request: &[u8]) -> io::Result<()> {
        self.stream.write_all(request)
    }

    /// The next answer.
    pub fn receive(&mut self) -> io::Result<Answer> {
        loop {
            if let Some((answer, length)) = parse(&self.buffer[..self.filled]) {
                self.buffer.copy_within(length..self.filled, 0);
                self.filled -= length;
                return Ok(answer);
            }
            if self.filled == self.buffer.len() {
                self.buffer.resize(2 * self.filled, 0);
            }
            match self.stream.read(&mut self.buffer[self.filled..])? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                read => self.filled += read,
            }
        }
    }

    /// Asks, and waits for the answer.
    pub fn ask(&mut self, method: &str, path: &str) -> io::Result<Answer> {
        self.send(&Http::request(method, path))?;
        self.receive()
    }
}

/// An answer and its length, if all of it is there.
fn parse(bytes: &[u8]) -> Option<(Answer, usize)> {
    let head = bytes.windows(4).position(|end| end == b"\r\n\r\n")? + 4;
    let text = std::str::from_utf8(&bytes[..head]).ok()?;
    let status = text.get(9..12)?.parse().ok()?;
    let length = text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    let end = head + length.unwrap_or(0);
    let body = bytes.get(head..end)?.to_vec();
    Some((Answer { status, body }, end))
}

/// A WebSocket.
pub struct Events {
    stream: TcpStream,
    buffer: Vec<u8>,
    from: usize,
    to: usize,
}

impl Events {
    /// Listens for an application.
    pub fn listen(to: SocketAddr, query: &str) -> io::Result<Self> {
        let mut stream = TcpStream::connect(to)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        let request = format!(
            "GET /ari/events?{query} HTTP/1.1\r\nHost: localhost\r\n{BASIC}Upgrade: websocket\r\n\
             Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        stream.write_all(request.as_bytes())?;
        let mut events = Events { stream, buffer: vec![0; 1 << 20], from: 0, to: 0 };
        loop {
            let head = &events.buffer[..events.to];
            if let Some(end) = head.windows(4).position(|end| end == b"\r\n\r\n") {
                if !head.starts_with(b"HTTP/1.1 101") {
                    return Err(io::Error::other("the server opens no WebSocket"));
                }
                events.from = end + 4;
                return Ok(events);
            }
            events.fill()?;
        }
    }

    fn fill(&mut self) -> io::Result<()> {
        if self.from > 0 {
            self.buffer.copy_within(self.from..self.to, 0);
            (self.from, self.to) = (0, self.to - self.from);
        }
        if self.to == self.buffer.len() {
            self.buffer.resize(2 * self.to, 0);
        }
        match self.stream.read(&mut self.buffer[self.to..])? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            read => {
                self.to += read;
                Ok(())
            }
        }
    }

    /// The next event, as it was sent; pings are answered.
    pub fn next(&mut self) -> io::Result<&[u8]> {
        loop {
            if let Some((kind, start, end)) = frame(&self.buffer[self.from..self.to]) {
                let (start, end) = (self.from + start, self.from + end);
                self.from = end;
                match kind {
                    TEXT => return Ok(&self.buffer[start..end]),
                    PING => self.stream.write_all(&PONG)?,
                    _ => {}
                }
                continue;
            }
            self.fill()?;
        }
    }
}

/// Kinds of frames (RFC 6455, 5.2), and the answer to a ping, without content, masked by zeros.
const TEXT: u8 = 1;
const PING: u8 = 9;
const PONG: [u8; 6] = [0x8a, 0x80, 0, 0, 0, 0];

/// A frame of RFC 6455, 5.2, as servers send them: its kind, and where its content is.
fn frame(bytes: &[u8]) -> Option<(u8, usize, usize)> {
    let (first, second) = (*bytes.first()?, *bytes.get(1)?);
    let (start, length) = match second & 0x7f {
        126 => (4, usize::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?))),
        127 => (10, usize::try_from(u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?)).ok()?),
        short => (2, usize::from(short)),
    };
    (bytes.len() >= start + length).then_some((first & 0x0f, start, start + length))
}
