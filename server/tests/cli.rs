//! The binary, as one types it.

mod common;

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Output, Stdio};

use common::Folder;

fn stasis() -> Command {
    Command::new(env!("CARGO_BIN_EXE_stasis"))
}

fn run(args: &[&str]) -> Output {
    stasis().args(args).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_configuration_is_checked_and_what_is_wrong_is_said_with_its_line() {
    let folder = Folder::new();
    let file = folder.path().join("stasis.toml");
    let check = |config: &str| {
        std::fs::write(&file, config).unwrap();
        run(&["check-config", file.to_str().unwrap()])
    };
    let example = run(&["check-config", "--example"]);
    assert!(example.status.success());
    let all = check(&text(&example.stdout));
    assert!(all.status.success() && text(&all.stdout).contains("all is well"), "{all:?}");
    for (config, said) in [
        (
            "[http]\nlisten = ['127.0.0.1:8088']\nmax_conections = 5\n",
            "did you mean `max_connections`?",
        ),
        ("[http]\nlisten = ['here']\n", "line 2"),
        ("[ari.users.ann]\npassword = '$6$x'\n", "mkpasswd"),
        ("[phones.eve]\nwhen_called = 'perhaps'\n", "eve"),
        ("[sounds.music.jazz]\nfolder = 'jazz'\norder = 'odd'\n", "jazz"),
        ("[dialplan]\nfile = 'nosuch.conf'\n", "nosuch.conf"),
    ] {
        let checked = check(config);
        let problem = text(&checked.stderr);
        assert!(!checked.status.success() && problem.contains(said), "{config}: {problem}");
    }
    std::fs::write(folder.path().join("plan.conf"), "[a]\nexten => s,1,Anser()\n").unwrap();
    let problem = text(&check("[dialplan]\nfile = 'plan.conf'\n").stderr);
    assert!(problem.contains("line 2") && problem.contains("`Answer`"), "{problem}");
}

#[test]
fn shells_can_complete_the_commands() {
    for shell in ["bash", "zsh", "fish"] {
        assert!(text(&run(&["completions", shell]).stdout).contains("check-config"), "{shell}");
    }
}

/// A server that is a process of its own.
struct Served {
    child: Child,
    lines: Vec<String>,
}

impl Served {
    fn start(folder: &Folder, args: &[&str]) -> Self {
        let mut child = stasis()
            .args(["serve", "--listen", "127.0.0.1:0"])
            .args(args)
            .env("XDG_STATE_HOME", folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = Vec::new();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        while !lines.last().is_some_and(|line: &String| line.starts_with("Records")) {
            let mut line = String::new();
            assert!(out.read_line(&mut line).unwrap() > 0, "it ends before it has begun");
            lines.push(line.trim_end().to_owned());
        }
        // What it says when it makes a user comes at once after that.
        if args.is_empty() {
            for _ in 0..2 {
                let mut line = String::new();
                out.read_line(&mut line).unwrap();
                lines.push(line.trim().to_owned());
            }
        }
        child.stdout = Some(out.into_inner());
        Served { child, lines }
    }

    fn url(&self) -> String {
        let line = self.lines.iter().find_map(|line| line.strip_prefix("ARI listens at "));
        line.unwrap().trim_end_matches("/ari").to_owned()
    }

    /// Ends it by a signal; all that it has logged.
    fn terminate(mut self) -> String {
        let kill = Command::new("kill").arg(self.child.id().to_string()).status().unwrap();
        assert!(kill.success());
        assert!(self.child.wait().unwrap().success());
        let mut log = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
        log
    }
}

#[test]
fn a_server_is_started_looked_into_and_stopped() {
    let folder = Folder::new();
    // Whatever is logged, credentials and keys that somebody presses are not.
    let config = folder.path().join("stasis.toml");
    std::fs::write(&config, "[log]\nlevel = 'trace'\n[records]\ndatabase = 'stasis-records.db'\n")
        .unwrap();
    let config = config.to_str().unwrap();
    let served = Served::start(&folder, &["--user", "me:se:cret", "--config", config]);
    let url = served.url();
    let ask = |method: &str, path: &str| {
        common::Ask::new(method, &format!("{url}/ari{path}")).basic("me", "se:cret").send()
    };
    assert_eq!(ask("POST", "/bridges?bridgeId=room&name=Room").status, 200);
    let path = "/channels?endpoint=Test/carol&context=default&extension=wait&channelId=c1";
    assert_eq!(ask("POST", path).status, 200);
    let show = |what: &str, more: &[&str]| {
        let shown = stasis()
            .args(["show", what, "--url", &url])
            .args(more)
            .env("STASIS_USER", "me:se:cret")
            .output()
            .unwrap();
        assert!(shown.status.success(), "{shown:?}");
        text(&shown.stdout)
    };
    assert!(show("channels", &[]).lines().any(|line| line.starts_with("c1  Test/carol-")));
    assert!(show("bridges", &[]).contains("Room"));
    assert!(show("applications", &["--json"]).starts_with('['));
    assert!(show("topics", &[]).contains("channel:c1"));
    let wrong = run(&["show", "channels", "--url", &url, "--user", "me:no"]);
    assert!(text(&wrong.stderr).contains("not known"), "{wrong:?}");
    let socket = format!("{}/ari/events?app=a&api_key=me:se:cret", url.replace("http", "ws"));
    let mut socket = common::Socket::open(&socket, None, None).unwrap_or_else(|_| panic!());
    assert_eq!(ask("POST", "/channels?endpoint=Test/carol&app=a&channelId=c2").status, 200);
    socket.expect("StasisStart");
    assert_eq!(ask("POST", "/channels/c2/dtmf?dtmf=471147114711").status, 204);
    socket.send(
        r#"{"type":"RESTRequest","method":"POST","uri":"channels/c2/dtmf?dtmf=471147114711"}"#,
    );
    assert_eq!(socket.expect("RESTResponse")["status_code"], 204);
    let log = served.terminate();
    assert!(log.contains("c1"), "what happens to calls is logged: {log}");
    assert!(!log.contains("cret"), "credentials are not: {log}");
    assert!(!log.contains("471147"), "nor are keys: {log}");
    assert!(!log.contains('\u{1b}'), "and no colours where nobody sees them");
    assert!(folder.path().join("stasis-records.db").exists());
}

#[test]
fn without_a_user_one_is_made_and_told_once() {
    let folder = Folder::new();
    let served = Served::start(&folder, &[]);
    let (name, password) = served.lines.last().unwrap().split_once(':').unwrap();
    let ping = format!("{}/ari/asterisk/ping", served.url());
    assert_eq!(common::Ask::new("GET", &ping).basic(name, password).send().status, 200);
    assert_eq!(common::Ask::new("GET", &ping).basic(name, "stasis").send().status, 401);
    assert!(password.len() >= 32, "nobody guesses it");
    let password = password.to_owned();
    assert!(!served.terminate().contains(&password));
    assert!(folder.path().join("stasis/records.db").exists(), "in the user's state folder");
}
