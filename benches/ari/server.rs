//! The server: this bench once more, in a process of its own.

use std::error::Error;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

use stasis_server::config::Config;
use stasis_server::server::Server;

/// What calls do there: `spin` sets two variables again and again, which is five events a round.
const DIALPLAN: &str = "
[default]
exten => spin,1,Answer()
 same => n,Wait(1)
 same => n(top),Set(I=$[${I} + 1])
 same => n,Set(J=${I})
 same => n,GotoIf($[${I} < ROUNDS]?top)
 same => n,Hangup()
exten => wait,1,Answer()
 same => n,Wait(3600)
";

/// A server that runs, and ends when this is dropped.
pub struct Running {
    child: Child,
    stdin: Option<ChildStdin>,
    pub address: SocketAddr,
    folder: PathBuf,
}

impl Running {
    /// Starts one whose calls spin so often.
    pub fn start(rounds: u64) -> Result<Self, Box<dyn Error>> {
        let name = format!("stasis-bench-ari-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder)?;
        let dialplan = DIALPLAN.replace("ROUNDS", &rounds.to_string());
        std::fs::write(folder.join("extensions.conf"), dialplan)?;
        std::fs::write(
            folder.join("stasis.toml"),
            "[http]\nlisten = ['127.0.0.1:0']\n[ari.users.bench]\npassword = 'bench'\n\
             [dialplan]\nfile = 'extensions.conf'\n[media]\nlegs = 16384\nbridges = 4096\n\
             rtp_ports = [0, 0]\n[phones.carol]\nanswers_after_ms = 20\n[log]\nlevel = 'error'\n",
        )?;
        let mut child = Command::new(std::env::current_exe()?)
            .arg("--serve")
            .arg(&folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        let out = child.stdout.take().ok_or("the server has no output")?;
        BufReader::new(out).read_line(&mut line)?;
        let address = line.trim().parse().map_err(|_| "the server has not begun to listen")?;
        let stdin = child.stdin.take();
        Ok(Running { child, stdin, address, folder })
    }

    /// What its threads have computed so far, in microseconds.
    pub fn cpu_us(&self) -> u64 {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.child.id()));
        let of_task = |task: std::fs::DirEntry| -> Option<u64> {
            let text = std::fs::read_to_string(task.path().join("schedstat")).ok()?;
            text.split(' ').next()?.parse().ok()
        };
        let all = tasks.into_iter().flatten().flatten().filter_map(of_task);
        all.sum::<u64>() / 1_000
    }

    /// The memory that it has, in kB.
    pub fn memory_kb(&self) -> u64 {
        let read = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()));
        let status = read.unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or_default()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.stdin.take());
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Is the server, until the standard input ends.
pub fn serve(folder: &Path) {
    let run = || -> Result<(), Box<dyn Error + Send + Sync>> {
        let config = Config::read(&folder.join("stasis.toml"))?;
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        runtime.block_on(async {
            let server = Server::start(&config).await?;
            println!("{}", server.addresses()[0]);
            std::io::stdout().flush()?;
            tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await??;
            server.stop().await;
            Ok(())
        })
    };
    if let Err(problem) = run() {
        eprintln!("ari: {problem}");
        std::process::exit(2);
    }
}
