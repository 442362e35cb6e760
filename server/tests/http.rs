//! Who is let in, what is refused and how, and what becomes of those who do not keep up.

mod common;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use common::{Ask, Running, Socket};
use serde_json::{Value, json};

/// Phones that need no patience.
const QUICK: &str = "[phones.ann]\nanswers_after_ms = 10\n[phones.busy]\nwhen_called = 'busy'\n";

fn get(server: &Running, path: &str) -> common::Answer {
    Ask::new("GET", &server.url(path)).send()
}

#[test]
fn who_is_not_known_is_told_nothing() {
    let server = Running::start(
        "[ari.users.hashed]\npassword = '$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1'\n\
         [ari.users.some-long-key]\nread_only = true\n",
    );
    let ping = "/ari/asterisk/ping";
    for (path, basic) in [
        ("", None),
        ("", Some(("ann", "wrong"))),
        ("", Some(("ann", ""))),
        ("", Some(("eve", "secret"))),
        ("", Some(("hashed", "wrong"))),
        ("?api_key=ann:wrong", None),
        ("?api_key=ann", None),
        ("?api_key=", None),
        // Who says who they are in a header is not asked for a key.
        ("?api_key=ann:secret", Some(("ann", "wrong"))),
    ] {
        let mut ask = Ask::new("GET", &server.url(&format!("{ping}{path}")));
        if let Some((name, password)) = basic {
            ask = ask.basic(name, password);
        }
        let answer = ask.send();
        assert_eq!(answer.status, 401, "{path} {basic:?}");
        assert_eq!(answer.json(), json!({"message": "Authentication required"}));
        assert!(answer.header("WWW-Authenticate").unwrap().starts_with("Basic realm="));
    }
    for key in ["ann:secret", "ann%3Asecret", "hashed:Hello%20world!", "some-long-key"] {
        assert_eq!(get(&server, &format!("{ping}?api_key={key}")).status, 200, "{key}");
    }
    assert_eq!(get(&server, "/ari/nosuch").status, 401);
    assert_eq!(get(&server, "/ari/api-docs/resources.json").status, 401);
}

#[test]
fn who_may_only_look_changes_nothing() {
    let server = Running::start(QUICK);
    let ask = |method: &str, path: &str| {
        Ask::new(method, &server.url(path)).basic("ro", "ro").send().status
    };
    assert_eq!(ask("GET", "/ari/channels"), 200);
    assert_eq!(ask("OPTIONS", "/ari/channels"), 204);
    assert_eq!(ask("POST", "/ari/bridges"), 403);
    assert_eq!(ask("PUT", "/ari/deviceStates/Stasis:x?deviceState=INUSE"), 403);
    assert_eq!(ask("DELETE", "/ari/channels/x"), 403);
    // Nor by a WebSocket, which it may open.
    let url = format!("ws://{}/ari/events?app=look", server.address);
    let mut socket = Socket::open(&url, Some(("ro", "ro")), None).unwrap_or_else(|_| panic!());
    socket.send(r#"{"type":"RESTRequest","request_id":"1","method":"POST","uri":"bridges"}"#);
    socket.send(r#"{"type":"RESTRequest","request_id":"2","method":"GET","uri":"bridges"}"#);
    assert_eq!(socket.expect("RESTResponse")["status_code"], 403);
    assert_eq!(socket.expect("RESTResponse")["status_code"], 200);
    assert_eq!(server.ask("GET", "/bridges").json(), json!([]));
}

#[test]
fn a_body_may_be_so_large_and_no_larger() {
    let server = Running::start("");
    let url = server.url("/ari/bridges");
    let body = format!(r#"{{"name":"{}"}}"#, "x".repeat(2 << 20));
    let answer =
        Ask::new("POST", &url).basic("ann", "secret").body("application/json", body).send();
    assert_eq!(answer.status, 413);
    let empty = Ask::new("POST", &url).basic("ann", "secret").body("application/octet-stream", " ");
    assert_eq!(empty.send().status, 200, "a body that is no JSON is left alone");
    let broken = Ask::new("POST", &url).basic("ann", "secret").body("application/json", "{");
    assert_eq!(broken.send().message(), "Error parsing request body");
}

#[test]
fn no_name_of_a_recording_leads_out_of_its_folder() {
    let server = Running::start(QUICK);
    std::fs::write(server.folder.path().join("secret.wav"), "secret").unwrap();
    for name in
        ["..%2Fsecret", "%2Fetc%2Fpasswd", "..", "a%2F..%2F..%2Fsecret", "a%00b", "..%5Csecret"]
    {
        for path in
            [format!("/recordings/stored/{name}"), format!("/recordings/stored/{name}/file")]
        {
            let answer = server.ask("GET", &path);
            assert!((400..500).contains(&answer.status), "{path}: {}", answer.status);
        }
        assert_eq!(server.ask("DELETE", &format!("/recordings/stored/{name}")).status, 404);
    }
    let mut socket = server.listen("app=a");
    server.ask("POST", "/channels?endpoint=Test/ann&app=a&channelId=c");
    socket.expect("StasisStart");
    let record = server.ask("POST", "/channels/c/record?name=..%2Fx&format=wav");
    assert_eq!(record.status, 400);
    assert!(server.folder.path().join("secret.wav").exists());
    let play = server.ask("POST", "/channels/c/play?media=sound:..%2F..%2Fsecret&playbackId=p");
    assert_eq!(play.status, 201);
    assert_eq!(socket.expect("PlaybackFinished")["playback"]["state"], "failed");
}

#[test]
fn a_server_tells_that_it_is_well_and_what_it_can() {
    let server = Running::start("");
    assert_eq!(get(&server, "/healthz").body, b"ok\n");
    let metrics = String::from_utf8(get(&server, "/metrics").body).unwrap();
    assert!(metrics.contains("# TYPE stasis_channels gauge"), "{metrics}");
    let api = get(&server, "/openapi.json").json();
    let url = server.url("/ari");
    assert_eq!((&api["openapi"], &api["servers"][0]["url"]), (&json!("3.1.0"), &json!(url)));
    let list = server.ask("GET", "/api-docs/resources.json").json();
    assert_eq!((&list["swaggerVersion"], &list["basePath"]), (&json!("1.1"), &json!(url)));
    assert_eq!(list["apis"].as_array().unwrap().len(), 11);
    let behind = Ask::new("GET", &server.url("/ari/api-docs/events.json"))
        .basic("ann", "secret")
        .header("X-Forwarded-Proto", "https")
        .header("X-Forwarded-Host", "pbx.example")
        .send();
    assert_eq!(behind.json()["basePath"], "https://pbx.example/ari");
    assert_eq!(get(&server, "/topics").status, 401);
    assert_eq!(get(&server, "/nosuch").status, 404);
    assert_eq!(Ask::new("POST", &server.url("/healthz")).send().status, 405);
}

#[test]
fn a_browser_may_ask_without_credentials_what_its_page_may_ask() {
    let server = Running::start("[ari]\nallowed_origins = ['https://app.example']\n");
    let ask = |origin: &str| {
        Ask::new("OPTIONS", &server.url("/ari/channels"))
            .header("Origin", origin)
            .header("Access-Control-Request-Method", "POST")
            .send()
    };
    let allowed = ask("https://app.example");
    assert_eq!(allowed.status, 204);
    assert_eq!(allowed.header("Access-Control-Allow-Methods"), Some("OPTIONS,GET,POST"));
    assert_eq!(ask("https://evil.example").status, 401);
}

#[test]
fn a_socket_may_listen_for_several_applications_and_another_may_take_one_of_them() {
    let server = Running::start(QUICK);
    let mut first = server.listen("app=a,b");
    let mut second = server.listen("app=b&subscribeAll=true");
    let replaced = first.expect("ApplicationReplaced");
    assert_eq!(replaced["application"], "b");
    server.ask("POST", "/channels?endpoint=Test/ann&app=a&channelId=one");
    server.ask("POST", "/channels?endpoint=Test/ann&app=b&channelId=two");
    assert_eq!(first.expect("StasisStart")["channel"]["id"], "one");
    assert_eq!(second.expect("StasisStart")["channel"]["id"], "two");
    // Who has asked for all is told of both, from the first on.
    let created: Vec<_> = second.events();
    let created = created.iter().filter(|event| event["type"] == "ChannelCreated");
    let ids: Vec<_> = created.map(|event| event["channel"]["id"].clone()).collect();
    assert_eq!(ids, ["one", "two"]);
    assert!(
        first
            .events()
            .iter()
            .all(|event| event["application"] != "b" || event["type"] == "ApplicationReplaced")
    );
    // Who leaves takes along only what is still theirs.
    first.close();
    server.ask("POST", "/channels/two/move?app=a");
    assert_eq!(second.expect("ApplicationMoveFailed")["destination"], "a");
}

#[test]
fn one_event_is_the_same_for_all_who_are_told_but_for_their_names() {
    let server = Running::start(QUICK);
    let mut sockets: Vec<_> = ["a", "b", "c"]
        .iter()
        .map(|app| server.listen(&format!("app={app}&subscribeAll=true")))
        .collect();
    server.ask("POST", "/channels?endpoint=Test/ann&app=a&channelId=one");
    let told: Vec<Value> = sockets
        .iter_mut()
        .map(|socket| {
            let mut event = socket.expect("ChannelCreated");
            event.as_object_mut().unwrap().remove("application");
            event
        })
        .collect();
    assert!(told[0] == told[1] && told[1] == told[2], "{told:#?}");
}

/// A WebSocket that somebody has opened who does nothing more.
fn handshake(server: &Running, app: &str) -> TcpStream {
    let mut stream = TcpStream::connect(server.address).unwrap();
    write!(
        stream,
        "GET /ari/events?app={app}&api_key=ann:secret HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n\
         Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    .unwrap();
    let mut first = [0; 12];
    stream.read_exact(&mut first).unwrap();
    assert_eq!(&first, b"HTTP/1.1 101");
    stream
}

#[test]
fn a_client_that_does_not_answer_any_more_is_let_go() {
    let server = Running::start("[ari]\nping_sec = 1\n");
    let alive = server.listen("app=alive");
    let mut dead = handshake(&server, "dead");
    dead.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut all = Vec::new();
    dead.read_to_end(&mut all).expect("it is closed");
    assert!(all.windows(2).filter(|frame| *frame == [0x89, 0]).count() >= 4, "after some pings");
    // Who answers has noticed nothing, and the other's application is free.
    server.ask("POST", "/events/user/still?application=alive");
    assert!(alive.wait_for(1, Duration::from_secs(5), |event| event["eventname"] == "still"));
    assert_eq!(server.ask("GET", "/applications/dead").status, 404);
}

#[test]
fn a_client_that_does_not_keep_up_is_told_how_much_it_has_missed() {
    let server = Running::start("[ari]\noutbox_messages = 50\ngrace_sec = 20\n");
    // It reads nothing for now.
    let mut slow = handshake(&server, "slow");
    let mut quick = server.listen("app=quick");
    let sent = 2_000;
    let body = json!({"variables": {"text": "x".repeat(8_000)}});
    for number in 0..sent {
        let path = format!("/events/user/event{number}?application=slow");
        assert_eq!(server.ask_with("POST", &path, &body).status, 204);
    }
    server.ask("POST", "/events/user/last?application=quick");
    assert_eq!(
        quick.expect("ChannelUserevent")["eventname"],
        "last",
        "its neighbour misses nothing"
    );
    // Now it reads all that there is, to the end.
    slow.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let mut all = Vec::new();
    let _ = slow.read_to_end(&mut all);
    let text = String::from_utf8_lossy(&all);
    let told = text.matches("\"eventname\":\"event").count() / 2; // in the event, and in what the user says
    let reason =
        text.rfind("too slow: ").map(|at| &text[at..]).unwrap_or_else(|| panic!("no reason"));
    let missed: usize = reason.split(' ').nth(2).unwrap().parse().unwrap();
    assert_eq!(told + missed, sent, "{reason}");
    assert!(missed > 0);
}

#[test]
fn a_server_that_stops_hangs_up_tells_so_and_ends_its_sockets() {
    let mut server = Running::start(&format!("{QUICK}[records.cdr]\nunanswered = true\n"));
    let mut socket = server.listen("app=a");
    server.ask("POST", "/channels?endpoint=Test/ann&app=a&channelId=one");
    socket.expect("StasisStart");
    server.stop();
    assert_eq!(socket.expect("StasisEnd")["channel"]["id"], "one");
    assert_eq!(socket.expect("ChannelDestroyed")["channel"]["id"], "one");
    assert_eq!(socket.closed().map(|(code, _)| code), Some(1001));
    assert!(TcpStream::connect(server.address).is_err(), "nobody listens any more");
    let records = rusqlite::Connection::open(server.folder.path().join("records.db")).unwrap();
    let count: u32 = records.query_row("SELECT count(*) FROM cdr", [], |row| row.get(0)).unwrap();
    assert_eq!(count, 1, "what has happened is written down");
}

#[test]
fn an_application_that_has_lost_its_socket_is_still_there() {
    let server = Running::start(QUICK);
    let mut socket = server.listen("app=a");
    server.ask("POST", "/channels?endpoint=Test/ann&app=a&channelId=one");
    socket.expect("StasisStart");
    socket.cut();
    let filter = json!({"disallowed": [{"type": "ChannelVarset"}]});
    assert_eq!(server.ask_with("PUT", "/applications/a/eventFilter", &filter).status, 200);
    let mut again = server.listen("app=a");
    server.ask("POST", "/channels/one/variable?variable=X&value=y");
    server.ask("DELETE", "/channels/one");
    assert_eq!(again.expect("ChannelDestroyed")["channel"]["id"], "one");
    assert!(!again.kinds().contains(&"ChannelVarset".into()), "the filter stays");
}

#[test]
fn requests_on_a_socket_are_done_in_their_order_and_answered_between_events() {
    let server = Running::start(QUICK);
    let mut socket = server.listen("app=a");
    for number in 0..200 {
        let request = json!({"type": "RESTRequest", "request_id": number.to_string(), "method": "POST",
            "uri": "asterisk/variable", "query_strings": [{"name": "variable", "value": "N"},
            {"name": "value", "value": number.to_string()}]});
        socket.send(&request.to_string());
    }
    for number in 0..200 {
        let answer = socket.expect("RESTResponse");
        assert_eq!(
            (&answer["request_id"], &answer["status_code"]),
            (&json!(number.to_string()), &json!(204))
        );
    }
    assert_eq!(server.ask("GET", "/asterisk/variable?variable=N").json()["value"], "199");
}

#[test]
fn what_an_rtp_peer_has_sent_and_received_is_told() {
    let server = Running::start("");
    let mut socket = server.listen("app=a");
    let peer = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    peer.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let host = peer.local_addr().unwrap();
    let path =
        format!("/channels/externalMedia?app=a&channelId=x&format=ulaw&external_host={host}");
    let channel = server.ask("POST", &path).json();
    let port: u16 =
        channel["channelvars"]["UNICASTRTP_LOCAL_PORT"].as_str().unwrap().parse().unwrap();
    socket.expect("StasisStart");
    // Sound for it, and from it, until its figures are told, which is every few seconds.
    server.ask("POST", "/channels/x/play?media=tone:440");
    let mut told = Value::Null;
    for number in 0..600_u32 {
        let mut packet = vec![0x80, 0];
        packet.extend((number as u16).to_be_bytes());
        packet.extend((160 * number).to_be_bytes());
        packet.extend(4711_u32.to_be_bytes());
        packet.extend([0xff; 160]);
        peer.send_to(&packet, ("127.0.0.1", port)).unwrap();
        std::thread::sleep(Duration::from_millis(20));
        told = server.ask("GET", "/channels/x/rtp_statistics").json();
        if told["rxoctetcount"].as_u64().unwrap_or(0) > 0 {
            break;
        }
    }
    let mut packet = [0; 2_048];
    peer.recv(&mut packet).unwrap();
    let ours = u32::from_be_bytes(packet[8..12].try_into().unwrap());
    assert_eq!((&told["local_ssrc"], &told["remote_ssrc"]), (&json!(ours), &json!(4711)), "{told}");
    assert_eq!(told["rxoctetcount"].as_u64().unwrap() % 160, 0);
    assert!(told["txcount"].as_u64().unwrap() > 0 && told["channel_uniqueid"] == "x", "{told}");
}

#[test]
fn odd_requests_are_refused_and_nothing_else_is_lost() {
    let server = Running::start("");
    let long = "x".repeat(300);
    for (method, path, status) in [
        ("GET", format!("/channels/{long}"), 404),
        ("GET", "/channels/%FF".into(), 400),
        ("GET", "/channels/a%00b".into(), 404),
        ("POST", "/channels?endpoint=Test/ann&app=a&channelId=a%0Ab".into(), 400),
        ("POST", format!("/bridges?bridgeId={long}"), 400),
        ("POST", "/channels?endpoint=Test/nobody&app=a".into(), 400),
        ("POST", "/channels?endpoint=%2F&app=a".into(), 400),
        ("POST", "/channels?endpoint=Test/ann&app=a&timeout=soon".into(), 400),
        ("POST", "/channels?endpoint=Test/alice&context=none&extension=1".into(), 400),
        ("POST", "/channels?endpoint=Test/alice&extension=s&priority=0".into(), 400),
        ("POST", "/channels?endpoint=Test/alice&extension=s&label=nosuch".into(), 400),
        (
            "POST",
            "/channels/externalMedia?app=a&format=ulaw&external_host=nohost:99999".into(),
            400,
        ),
        ("POST", "/channels/externalMedia?app=a&format=ulaw&external_host=nohost:9".into(), 400),
        ("POST", "/applications/all/subscription?eventSource=channel:all".into(), 404),
        ("POST", "/events/user/x?application=none&source=channel:,bridge:".into(), 404),
        ("PUT", "/mailboxes/m?oldMessages=99999999999999999999".into(), 400),
        ("TRACE", "/channels".into(), 405),
    ] {
        let answer = server.ask(method, &path);
        assert_eq!(answer.status, status, "{method} {path}: {}", answer.message());
        assert!(!answer.message().is_empty(), "{method} {path}");
    }
    assert_eq!(server.ask("GET", "/asterisk/ping").status, 200);
}
