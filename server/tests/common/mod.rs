//! What tests have in common: a server of their own on a free port, and clients for it.
#![allow(dead_code)] // not every test needs all of it

use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::Value;
use stasis_media::frame::SampleRate;
use stasis_media::wav::{WavFormat, WavWriter};
use stasis_server::config::Config;
use stasis_server::server::Server;
use tungstenite::client::IntoClientRequest;
use tungstenite::stream::MaybeTlsStream;
use tungstenite::{Message, WebSocket};

/// Where the recordings of a live Asterisk are; none: nowhere.
pub fn recordings() -> Option<PathBuf> {
    let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/ari");
    let folder = std::env::var_os("STASIS_ARI").map_or_else(beside, PathBuf::from);
    folder.is_dir().then_some(folder)
}

/// A folder that goes with its test.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path =
            std::env::temp_dir().join(format!("stasis-server-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Writes a tone as a sound.
pub fn write_tone(path: &Path, hz: f64, ms: usize) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let turn = std::f64::consts::TAU * hz / 8_000.0;
    let tone: Vec<i16> = (0..ms * 8).map(|n| ((n as f64 * turn).sin() * 8_000.0) as i16).collect();
    let mut writer = WavWriter::create(path, WavFormat::Pcm16, SampleRate::Hz8000).unwrap();
    writer.write(&tone).unwrap();
    writer.finish().unwrap();
}

/// A server that runs, and ends with its test.
pub struct Running {
    runtime: tokio::runtime::Runtime,
    server: Option<Server>,
    pub folder: Folder,
    pub address: SocketAddr,
}

/// The users that there are: all rights, and only looking.
pub const USERS: &str =
    "[ari.users.ann]\npassword = \"secret\"\n[ari.users.ro]\npassword = \"ro\"\nread_only = true\n";

impl Running {
    /// With this configuration besides a free port, two users, and a folder of its own.
    pub fn start(more: &str) -> Self {
        Running::start_in(Folder::new(), more)
    }

    pub fn start_in(folder: Folder, more: &str) -> Self {
        let text = format!(
            "[http]\nlisten = [\"127.0.0.1:0\"]\n[media]\nrealtime = false\nlegs = 512\nbridges = 128\n\
             rtp_ports = [0, 0]\n{USERS}{more}"
        );
        let file = folder.path().join("stasis.toml");
        std::fs::write(&file, text).unwrap();
        let config = Config::read(&file).unwrap_or_else(|problem| panic!("{problem}"));
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let server = runtime.block_on(Server::start(&config)).unwrap();
        let address = server.addresses()[0];
        Running { runtime, server: Some(server), folder, address }
    }

    /// Stops it as a signal would.
    pub fn stop(&mut self) {
        if let Some(server) = self.server.take() {
            self.runtime.block_on(server.stop());
        }
    }

    pub fn server(&self) -> &Server {
        self.server.as_ref().expect("it runs")
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Asks as the user with all rights.
    pub fn ask(&self, method: &str, path: &str) -> Answer {
        Ask::new(method, &self.url(&format!("/ari{path}"))).basic("ann", "secret").send()
    }

    /// Asks with a JSON body.
    pub fn ask_with(&self, method: &str, path: &str, body: &Value) -> Answer {
        let ask = Ask::new(method, &self.url(&format!("/ari{path}"))).basic("ann", "secret");
        ask.body("application/json", body.to_string()).send()
    }

    /// Opens a WebSocket.
    pub fn listen(&self, query: &str) -> Socket {
        let url = format!("ws://{}/ari/events?{query}&api_key=ann:secret", self.address);
        Socket::open(&url, None, Some("ari")).unwrap_or_else(|(status, _)| panic!("{status}"))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A request.
pub struct Ask {
    method: String,
    url: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

/// What was answered.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Ask {
    pub fn new(method: &str, url: &str) -> Self {
        Ask { method: method.into(), url: url.into(), headers: Vec::new(), body: Vec::new() }
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    pub fn basic(self, name: &str, password: &str) -> Self {
        use base64::Engine;
        let text = base64::engine::general_purpose::STANDARD.encode(format!("{name}:{password}"));
        self.header("Authorization", &format!("Basic {text}"))
    }

    pub fn body(mut self, kind: &str, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self.header("Content-Type", kind)
    }

    pub fn send(self) -> Answer {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .allow_non_standard_methods(true)
            .timeout_global(Some(Duration::from_secs(30)))
            .build()
            .into();
        let mut request = ureq::http::Request::builder().method(&*self.method).uri(&self.url);
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let mut answer = match self.body.is_empty() {
            true => agent.run(request.body(()).unwrap()).unwrap(),
            false => agent.run(request.body(self.body).unwrap()).unwrap(),
        };
        let headers = answer.headers().iter();
        let headers = headers
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap_or_default().to_owned()))
            .collect();
        let status = answer.status().as_u16();
        let body = answer.body_mut().with_config().limit(64 << 20).read_to_vec().unwrap();
        Answer { status, headers, body }
    }
}

impl Answer {
    /// The body as JSON; null: it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// What it says is wrong.
    pub fn message(&self) -> String {
        self.json()["message"].as_str().unwrap_or_default().to_owned()
    }
}

#[derive(Default)]
struct Heard {
    events: Vec<Value>,
    /// Why it was closed: the code, and what was said.
    closed: Option<(u16, String)>,
}

/// A WebSocket; a thread of its own reads it.
pub struct Socket {
    heard: Arc<(Mutex<Heard>, Condvar)>,
    stream: TcpStream,
    writer: Arc<Mutex<WebSocket<MaybeTlsStream<TcpStream>>>>,
    reader: Option<JoinHandle<()>>,
    /// What the server has answered to the offer of a protocol.
    pub protocol: Option<String>,
    seen: usize,
}

impl Socket {
    /// Opens one; else the status, and the body.
    pub fn open(
        url: &str,
        basic: Option<(&str, &str)>,
        protocol: Option<&str>,
    ) -> Result<Self, (u16, String)> {
        let mut request = url.into_client_request().unwrap();
        let headers = request.headers_mut();
        if let Some((name, password)) = basic {
            use base64::Engine;
            let text =
                base64::engine::general_purpose::STANDARD.encode(format!("{name}:{password}"));
            headers.insert("Authorization", format!("Basic {text}").parse().unwrap());
        }
        if let Some(protocol) = protocol {
            headers.insert("Sec-WebSocket-Protocol", protocol.parse().unwrap());
        }
        let host = request.uri().authority().unwrap().to_string();
        let stream = TcpStream::connect(&host).unwrap();
        let (socket, answer) = match tungstenite::client::client(
            request,
            MaybeTlsStream::Plain(stream.try_clone().unwrap()),
        ) {
            Ok(opened) => opened,
            Err(tungstenite::HandshakeError::Failure(tungstenite::Error::Http(answer))) => {
                let body = answer.body().clone().unwrap_or_default();
                return Err((answer.status().as_u16(), String::from_utf8_lossy(&body).into()));
            }
            Err(other) => panic!("{other}"),
        };
        let protocol = answer.headers().get("Sec-WebSocket-Protocol");
        let protocol = protocol.map(|name| name.to_str().unwrap().to_owned());
        // A lock is held only while there is something to read or write.
        stream.set_read_timeout(Some(Duration::from_millis(5))).unwrap();
        let heard: Arc<(Mutex<Heard>, Condvar)> = Arc::default();
        let writer = Arc::new(Mutex::new(socket));
        let (to, from) = (heard.clone(), writer.clone());
        let reader = std::thread::spawn(move || read(&from, &to));
        Ok(Socket { heard, stream, writer, reader: Some(reader), protocol, seen: 0 })
    }

    pub fn send(&self, text: &str) {
        self.writer.lock().unwrap().send(Message::text(text)).unwrap();
    }

    /// All that has come so far.
    pub fn events(&self) -> Vec<Value> {
        self.heard.0.lock().unwrap().events.clone()
    }

    /// The next event that is so, after those that this has returned or passed over; none: it does not come.
    pub fn next(&mut self, is_it: impl Fn(&Value) -> bool) -> Option<Value> {
        let (heard, changed) = &*self.heard;
        let mut heard = heard.lock().unwrap();
        loop {
            while let Some(event) = heard.events.get(self.seen) {
                self.seen += 1;
                if is_it(event) {
                    return Some(event.clone());
                }
            }
            if heard.closed.is_some() {
                return None;
            }
            let waited = changed.wait_timeout(heard, Duration::from_secs(10)).unwrap();
            heard = waited.0;
            if waited.1.timed_out() {
                return None;
            }
        }
    }

    /// The next event of this type.
    pub fn expect(&mut self, kind: &str) -> Value {
        self.next(|event| event["type"] == kind)
            .unwrap_or_else(|| panic!("no {kind} has come: {:#?}", self.kinds()))
    }

    /// Waits until so many events that are so have come; `false`: they do not.
    pub fn wait_for(&self, count: usize, wait: Duration, is_it: impl Fn(&Value) -> bool) -> bool {
        let (heard, changed) = &*self.heard;
        let heard = heard.lock().unwrap();
        let too_few =
            |heard: &mut Heard| heard.events.iter().filter(|event| is_it(event)).count() < count;
        !changed.wait_timeout_while(heard, wait, too_few).unwrap().1.timed_out()
    }

    pub fn kinds(&self) -> Vec<String> {
        let kind = |event: &Value| event["type"].as_str().unwrap_or_default().to_owned();
        self.events().iter().map(kind).collect()
    }

    /// Why it was closed, when it is: the code, and what was said.
    pub fn closed(&self) -> Option<(u16, String)> {
        let (heard, changed) = &*self.heard;
        let heard = heard.lock().unwrap();
        let wait = Duration::from_secs(20);
        let open = |heard: &mut Heard| heard.closed.is_none();
        let (heard, _) = changed.wait_timeout_while(heard, wait, open).unwrap();
        heard.closed.clone()
    }

    /// Closes it as is usual.
    pub fn close(&mut self) {
        let _ = self.writer.lock().unwrap().close(None);
        self.end();
    }

    /// Cuts it off.
    pub fn cut(&mut self) {
        let _ = self.stream.shutdown(std::net::Shutdown::Both);
        self.end();
    }

    fn end(&mut self) {
        if let Some(reader) = self.reader.take() {
            reader.join().unwrap();
        }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if self.reader.is_some() {
            self.cut();
        }
    }
}

fn read(socket: &Mutex<WebSocket<MaybeTlsStream<TcpStream>>>, heard: &(Mutex<Heard>, Condvar)) {
    let closed = loop {
        let read = socket.lock().unwrap().read();
        match read {
            Ok(Message::Text(text)) => {
                let event = serde_json::from_str(&text).expect("every message is JSON");
                heard.0.lock().unwrap().events.push(event);
                heard.1.notify_all();
            }
            Ok(Message::Close(frame)) => {
                break frame.map_or((1005, String::new()), |frame| {
                    (frame.code.into(), frame.reason.to_string())
                });
            }
            Ok(_) => {}
            Err(tungstenite::Error::Io(problem))
                if matches!(
                    problem.kind(),
                    std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut
                ) =>
            {
                // Somebody may want to write.
                std::thread::sleep(Duration::from_micros(200));
            }
            Err(_) => break (1006, String::new()),
        }
    };
    heard.0.lock().unwrap().closed.get_or_insert(closed);
    heard.1.notify_all();
}
