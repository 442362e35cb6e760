//! A player of scenarios: it does what was done, waits where it was waited, and says what was otherwise.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use crate::common::{Answer, Ask, Folder, Running, Socket, write_tone};
use crate::told::{by_object, line};
use crate::unify::{Loose, Names};

/// The dialplan of the scenarios.
const DIALPLAN: &str = include_str!("../../../control/tests/common/golden.conf");
/// How long something may take that did not take long.
const PATIENCE: Duration = Duration::from_secs(12);

/// Sounds as they were: each so many milliseconds long.
fn write_sounds(folder: &Folder) {
    let fixed = [
        ("hello-world", 1_000),
        ("goodbye", 600),
        ("beep", 200),
        ("tt-monkeys", 3_000),
        ("long", 8_000),
    ];
    let spoken = (0..10)
        .map(|digit| format!("digits/{digit}"))
        .chain(["40", "hundred", "thousand"].iter().map(|name| format!("digits/{name}")));
    let spoken = spoken.chain(('a'..='z').map(|letter| format!("letters/{letter}")));
    let all = fixed.iter().map(|(name, ms)| ((*name).to_owned(), *ms));
    for (name, ms) in all.chain(spoken.map(|name| (name, 250))) {
        write_tone(&folder.path().join(format!("sounds/en/{name}.wav")), 440.0, ms);
    }
}

struct Player {
    server: Running,
    names: Names,
    sockets: BTreeMap<String, Socket>,
    /// What came on sockets that are closed.
    before: BTreeMap<String, Vec<Value>>,
    waits: BTreeMap<String, usize>,
    differences: Vec<String>,
}

/// Plays a scenario; returns what was otherwise than recorded.
pub fn play(scenario: &Value) -> Vec<String> {
    let folder = Folder::new();
    write_sounds(&folder);
    std::fs::write(folder.path().join("extensions.conf"), DIALPLAN).unwrap();
    let server = Running::start_in(
        folder,
        "[ari]\nchannelvars = [\"GOLDVAR\"]\nallowed_origins = [\"http://app.example\"]\n\
         [sounds]\nfolders = [\"sounds\"]\n[dialplan]\nfile = \"extensions.conf\"\n[phones]\n\
         [call_log]\nenabled = false\n",
    );
    let mut player = Player {
        server,
        names: Names::default(),
        sockets: BTreeMap::new(),
        before: BTreeMap::new(),
        waits: BTreeMap::new(),
        differences: Vec::new(),
    };
    let steps = scenario["steps"].as_array().unwrap();
    steps.iter().for_each(|step| player.step(step));
    std::thread::sleep(Duration::from_millis(200));
    player.compare(scenario);
    player.differences
}

impl Player {
    fn step(&mut self, step: &Value) {
        if let Some(seconds) = step["pause"].as_f64() {
            std::thread::sleep(Duration::from_secs_f64(seconds));
        } else if step["wait"].is_object() {
            self.wait(&step["wait"]);
        } else if step["ws"].is_object() {
            self.socket(&step["ws"], &step["response"]);
        } else if step["request"].is_object() {
            self.request(step);
        }
    }

    fn differs(&mut self, what: String) {
        self.differences.push(what);
    }

    /// Waits for an event; the n-th wait of a kind is for the n-th of its kind.
    fn wait(&mut self, wait: &Value) {
        let on = wait["on"].as_str().unwrap_or_default();
        let Some(socket) = self.sockets.get(on) else { return };
        let count = self.waits.entry(wait.to_string()).or_default();
        *count += 1;
        let fields: Vec<(String, String)> = wait["match"]
            .as_object()
            .into_iter()
            .flatten()
            .filter_map(|(path, value)| {
                let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                Some((format!("/{}", path.replace('.', "/")), self.names.resolve(&value)?))
            })
            .collect();
        let is_it = |event: &Value| {
            event["type"] == wait["type"]
                && fields.iter().all(|(path, wanted)| match event.pointer(path) {
                    Some(Value::String(text)) => text == wanted,
                    Some(other) => &other.to_string() == wanted,
                    None => false,
                })
        };
        if !socket.wait_for(*count, PATIENCE, is_it) {
            self.differs(format!("waited in vain for {wait}"));
        }
    }

    fn socket(&mut self, ws: &Value, response: &Value) {
        let on = ws["on"].as_str().unwrap_or_default().to_owned();
        match ws["do"].as_str() {
            Some("open") => self.open(&on, ws, response),
            Some("close") => {
                let Some(mut socket) = self.sockets.remove(&on) else { return };
                if ws["hard"] == true {
                    socket.cut()
                } else {
                    socket.close()
                }
                self.before.entry(on).or_default().extend(socket.events());
            }
            Some("send") => {
                let text = ws["text"].as_str().map(str::to_owned);
                let text = text.unwrap_or_else(|| ws["json"].to_string());
                let text = self.names.resolve(&text).unwrap_or(text);
                if let Some(socket) = self.sockets.get(&on) {
                    socket.send(&text);
                }
            }
            _ => {}
        }
    }

    fn open(&mut self, on: &str, ws: &Value, response: &Value) {
        let (key, basic) = credentials(ws["auth"].as_str().unwrap_or("api_key"));
        let mut query = form_urlencoded::Serializer::new(String::new());
        pairs(&ws["query"]).into_iter().for_each(|(name, value)| {
            query.append_pair(&name, &value);
        });
        if let Some(key) = key {
            query.append_pair("api_key", key);
        }
        let url = format!("ws://{}/ari/events?{}", self.server.address, query.finish());
        let protocol = match ws.get("protocol") {
            None => Some("ari"),
            Some(protocol) => protocol.as_str(),
        };
        let status = response["status"].as_u64().unwrap_or_default();
        match Socket::open(&url, basic, protocol) {
            Ok(socket) => {
                let offered = response["headers"]["Sec-WebSocket-Protocol"].as_str();
                if status != 101 || socket.protocol.as_deref() != offered {
                    self.differs(format!("opened {ws}, with {:?}", socket.protocol));
                }
                self.sockets.insert(on.to_owned(), socket);
            }
            Err((ours, body)) if u64::from(ours) != status => {
                self.differs(format!("{ours} for {ws}: {body}"));
            }
            Err(_) => {}
        }
    }

    fn request(&mut self, step: &Value) {
        let (request, response) = (&step["request"], &step["response"]);
        let method = request["method"].as_str().unwrap_or_default();
        let path = request["path"].as_str().unwrap_or_default();
        let told = format!("{method} {path} {}", short(request));
        let Some(path) = self.names.resolve(path) else {
            return self.differs(format!("{told}: an id in it is not known"));
        };
        let answer = self.send(method, &path, request);
        if step["compare"] == "skip" {
            return;
        }
        let status = response["status"].as_u64().unwrap_or_default();
        if u64::from(answer.status) != status {
            let said = String::from_utf8_lossy(&answer.body).into_owned();
            return self.differs(format!("{told}: {} and not {status}: {said}", answer.status));
        }
        if step["compare"] != "status" {
            self.compare_answer(&told, step, &answer);
        }
    }

    fn compare_answer(&mut self, told: &str, step: &Value, answer: &Answer) {
        let response = &step["response"];
        let mut loose = Loose::of(step);
        // What has been begun may have gone on since.
        loose.varies.push("state".into());
        let headers = response["headers"].as_object().into_iter().flatten();
        for (name, recorded) in headers {
            let recorded = recorded.as_str().unwrap_or_default();
            let ours = answer.header(name).unwrap_or_default().to_owned();
            let is_page = recorded == "text/html";
            let found =
                self.names.value(&recorded.into(), &ours.clone().into(), name, &Loose::default());
            if !is_page && let Some(difference) = found {
                self.differs(format!("{told}: header {difference}"));
            }
        }
        if let Some(body) = response.get("body")
            && let Some(difference) = self.names.value(body, &answer.json(), "", &loose)
        {
            self.differs(format!("{told}: {difference}"));
        }
        if response.get("body_bytes").is_some() && answer.body.is_empty() {
            self.differs(format!("{told}: no file"));
        }
    }

    fn send(&self, method: &str, path: &str, request: &Value) -> Answer {
        let (key, basic) = credentials(request["auth"].as_str().unwrap_or("basic"));
        let mut query = form_urlencoded::Serializer::new(String::new());
        for (name, value) in pairs(&request["query"]) {
            query.append_pair(&name, &self.names.resolve(&value).unwrap_or(value));
        }
        if let Some(key) = key {
            query.append_pair("api_key", key);
        }
        let query = query.finish();
        let mark = if query.is_empty() { "" } else { "?" };
        let path: String = path.replace(' ', "%20");
        let mut ask = Ask::new(method, &self.server.url(&format!("/ari{path}{mark}{query}")));
        if let Some((name, password)) = basic {
            ask = ask.basic(name, password);
        }
        let mut kind = None;
        for (name, value) in request["headers"].as_object().into_iter().flatten() {
            match name.as_str() {
                "Content-Type" => kind = value.as_str(),
                name => ask = ask.header(name, value.as_str().unwrap_or_default()),
            }
        }
        if let Some(json) = request.get("json") {
            let text = json.to_string();
            ask = ask.body("application/json", self.names.resolve(&text).unwrap_or(text));
        } else if let Some(raw) = request["raw"].as_str() {
            ask = ask.body(kind.unwrap_or("application/json"), raw);
        } else if request["form"].is_object() {
            let mut form = form_urlencoded::Serializer::new(String::new());
            pairs(&request["form"]).into_iter().for_each(|(name, value)| {
                form.append_pair(&name, &value);
            });
            ask = ask.body("application/x-www-form-urlencoded", form.finish());
        }
        ask.send()
    }

    /// Compares what was told of each object.
    fn compare(&mut self, scenario: &Value) {
        let ours: Vec<(String, Value)> = {
            let before = std::mem::take(&mut self.before).into_iter();
            let now = self.sockets.iter().map(|(on, socket)| (on.clone(), socket.events()));
            let all = before.chain(now);
            all.flat_map(|(on, events)| events.into_iter().map(move |event| (on.clone(), event)))
                .collect()
        };
        let steps = scenario["steps"].as_array().unwrap().iter();
        let recorded: Vec<(&str, &Value, Loose)> = steps
            .filter_map(|step| {
                let event = step.get("event")?;
                Some((step["on"].as_str()?, event, Loose::of(step)))
            })
            .collect();
        let theirs = by_object(recorded.iter().map(|(on, event, _)| (*on, *event)));
        let ours = by_object(ours.iter().map(|(on, event)| (on.as_str(), event)));
        for (stream, theirs) in &theirs {
            let (on, app, object) = stream;
            // Of what has got its id here nothing is known until it is told.
            let Some(resolved) = self.names.resolve(object) else { continue };
            let key = (on.clone(), app.clone(), resolved);
            let ours = ours.get(&key).cloned().unwrap_or_default();
            let varies = scenario["varies"].as_array().into_iter().flatten();
            let varies = varies.into_iter().any(|v| {
                v["on"] == **on && v["stream"].as_str().is_some_and(|name| name == object)
            });
            let (mut now, mut then) = (lines(&ours), lines(theirs));
            if varies {
                now.sort();
                then.sort();
            }
            let then: Vec<_> =
                then.iter().map(|line| self.names.resolve(line).unwrap_or(line.clone())).collect();
            let is_same = now.len() == then.len()
                && now.iter().zip(&then).all(|(now, then)| now == then || then.contains('<'));
            if !is_same {
                self.differs(format!(
                    "told {on} {app} of {object}:\n    then {}\n    now  {}",
                    then.join(", "),
                    now.join(", ")
                ));
                continue;
            }
            if varies {
                continue;
            }
            for (ours, theirs) in ours.iter().zip(theirs) {
                let found = recorded.iter().find(|(_, event, _)| std::ptr::eq(*event, *theirs));
                let loose = found.map(|(.., loose)| loose.clone()).unwrap_or_default();
                if let Some(difference) = self.names.value(theirs, ours, "", &loose) {
                    let kind = theirs["type"].as_str().unwrap_or_default();
                    self.differs(format!("{kind} of {object}: {difference}"));
                }
            }
        }
        for (stream, ours) in &ours {
            let (on, app, object) = stream;
            let is_recorded = theirs.keys().any(|(o, a, theirs)| {
                o == on && a == app && self.names.resolve(theirs).is_none_or(|t| t == *object)
            });
            if !is_recorded {
                self.differs(format!(
                    "told {on} {app} of {object}, then not: {}",
                    lines(ours).join(", ")
                ));
            }
        }
    }
}

fn lines(events: &[&Value]) -> Vec<String> {
    events.iter().map(|event| line(event)).collect()
}

/// Who asks: by a key, or by name and password.
fn credentials(auth: &str) -> (Option<&'static str>, Option<(&'static str, &'static str)>) {
    match auth {
        "basic" => (None, Some(("ann", "secret"))),
        "wrong_pass" => (None, Some(("ann", "wrong"))),
        "wrong_user" => (None, Some(("eve", "secret"))),
        "api_key" => (Some("ann:secret"), None),
        "wrong_api_key" => (Some("ann:wrong"), None),
        "ro" => (None, Some(("ro", "ro"))),
        "ro_api_key" => (Some("ro:ro"), None),
        _ => (None, None),
    }
}

/// Names and values; a list is its name several times.
fn pairs(of: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let mut pairs = Vec::new();
    for (name, value) in of.as_object().into_iter().flatten() {
        match value {
            Value::Array(all) => pairs.extend(all.iter().map(|one| (name.clone(), text(one)))),
            one => pairs.push((name.clone(), text(one))),
        }
    }
    pairs
}

/// What was given with a request, in short.
fn short(request: &Value) -> String {
    let given = ["query", "json", "form", "raw"].iter().filter_map(|part| request.get(*part));
    let text = given.map(Value::to_string).collect::<Vec<_>>().join(" ");
    text.chars().take(120).collect()
}
