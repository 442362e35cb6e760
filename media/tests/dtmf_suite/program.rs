//! Codecs that the crate has not, through the ffmpeg program, where it is installed.

use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::LazyLock;

/// There and back through a codec. All take and give 8 kHz.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// ADPCM of 32 kbit/s.
    G726,
    /// GSM 06.10 full rate.
    Gsm,
    /// 12 kbit/s, for voice.
    Opus,
    /// Of 8 kHz, 11 kbit/s.
    Speex,
}

impl Program {
    /// The arguments that encode, and those that name the input to decode.
    fn arguments(self) -> [&'static str; 2] {
        match self {
            Program::G726 => ["-c:a g726 -b:a 32k -f g726", "-f g726 -code_size 4 -ar 8000"],
            Program::Gsm => ["-c:a libgsm -f gsm", "-f gsm -ar 8000"],
            Program::Speex => ["-c:a libspeex -b:a 11k -f ogg", "-f ogg"],
            Program::Opus => ["-c:a libopus -b:a 12k -application voip -f ogg", "-f ogg"],
        }
    }
}

/// Whether the program is there.
pub fn is_installed() -> bool {
    static INSTALLED: LazyLock<bool> = LazyLock::new(|| pipe("-version", &[]).is_some());
    *INSTALLED
}

/// What comes out for `samples`, or nothing when it does not work.
pub fn run(program: Program, samples: &[i16]) -> Option<Vec<i16>> {
    let [encode, decode] = program.arguments();
    let raw: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
    let coded = pipe(&format!("-v error -f s16le -ar 8000 -ac 1 -i - {encode} -"), &raw)?;
    let out = pipe(&format!("-v error {decode} -i - -ar 8000 -ac 1 -f s16le -"), &coded)?;
    Some(out.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect())
}

fn pipe(arguments: &str, input: &[u8]) -> Option<Vec<u8>> {
    let mut child = Command::new("ffmpeg")
        .args(arguments.split_whitespace())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let mut stdin = child.stdin.take()?;
    let output = std::thread::scope(|scope| {
        scope.spawn(move || drop(stdin.write_all(input)));
        child.wait_with_output()
    });
    output.ok().filter(|output| output.status.success()).map(|output| output.stdout)
}
