//! What the soak is asked to do.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use stasis_media::codec::Codec;

/// Media threads, at most.
pub const MOST_THREADS: i64 = 16;

/// Runs a media thread under load, and checks everything that comes back.
///
/// Exit code 0: all went well; 1: ticks were missed, or something was lost or wrong; 2: it could not
/// run; 3: the machine was taken away by its host for more than 1 % of the time, and nothing was
/// learned.
#[derive(Parser, Clone, Debug)]
#[command(name = "soak")]
pub struct Args {
    /// RTP legs in all, spread evenly over the rooms; 0 with `--idle-rooms`
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(0..=25_000))]
    pub legs: u32,
    /// Mixing bridges [default: one for every ten legs]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    pub rooms: Option<u32>,
    /// How many speak in each room, the others only listen and send nothing [default, and 0: all]
    #[arg(long, value_name = "T")]
    pub talkers: Option<u32>,
    /// So many more bridges, in which nobody is
    #[arg(long, value_name = "N", default_value_t = 0)]
    #[arg(value_parser = clap::value_parser!(u32).range(0..=100_000))]
    pub idle_rooms: u32,
    /// Media threads, over which legs and rooms are spread
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=MOST_THREADS))]
    pub threads: u32,
    /// What all legs speak
    #[arg(long, value_enum, default_value = "pcmu")]
    pub codec: CodecName,
    /// How long it measures, after two seconds of warming up
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=604_800))]
    pub seconds: u64,
    /// Listens to every leg for digits; some legs send digits, and all of these must be told of
    #[arg(long)]
    pub dtmf: bool,
    /// Records every room to a temporary folder
    #[arg(long)]
    pub record: bool,
    /// So many legs a second leave their room and join it again
    #[arg(long, value_name = "PER_SECOND", default_value_t = 0)]
    pub churn: u32,
    /// One more subscriber of everything, whose callback never returns
    #[arg(long)]
    pub slow_subscriber: bool,
    /// Prints the result as one line of JSON
    #[arg(long)]
    pub json: bool,
    /// Writes a page with figures and plots to this folder
    #[arg(long, value_name = "DIR")]
    pub report: Option<PathBuf>,
    /// Adds one line of a table to this file: the name, and the main figures
    #[arg(long, value_name = "FILE", requires = "name")]
    pub summary: Option<PathBuf>,
    /// What that line is to begin with
    #[arg(long)]
    pub name: Option<String>,
    /// Is the load's process
    #[arg(long, hide = true)]
    pub generate: bool,
    /// Cargo says so when it runs benches
    #[arg(long, hide = true)]
    pub bench: bool,
}

/// A codec, as the command line has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum CodecName {
    Pcmu,
    Pcma,
    G722,
    Opus,
}

impl CodecName {
    /// Its lower-case name.
    pub fn name(self) -> &'static str {
        match self {
            CodecName::Pcmu => "pcmu",
            CodecName::Pcma => "pcma",
            CodecName::G722 => "g722",
            CodecName::Opus => "opus",
        }
    }

    /// The codec, at its highest rate.
    pub fn codec(self) -> Codec {
        match self {
            CodecName::Pcmu => Codec::PCMU,
            CodecName::Pcma => Codec::PCMA,
            CodecName::G722 => Codec::G722,
            CodecName::Opus => Codec::OPUS,
        }
    }
}

impl Args {
    /// What a run as a test is: short, with few legs.
    pub fn test() -> Self {
        let words = ["soak", "--legs", "12", "--rooms", "2", "--seconds", "1"];
        let options = ["--dtmf", "--record", "--churn", "4", "--slow-subscriber"];
        Args::parse_from(words.iter().chain(&options))
    }

    /// Rooms with legs in them, never more than legs.
    pub fn rooms(&self) -> u32 {
        self.rooms.unwrap_or(self.legs / 10).max(1).min(self.legs)
    }

    /// Who speaks in each room, at most; everybody when there are fewer.
    pub fn talkers(&self) -> u32 {
        let most = self.legs.div_ceil(self.rooms().max(1));
        self.talkers.filter(|talkers| *talkers > 0).map_or(most, |talkers| talkers.min(most))
    }

    /// The same run, as words for the load's process.
    pub fn for_generator(&self) -> Vec<String> {
        let mut words = vec!["--generate".into()];
        let numbers = [
            ("--legs", u64::from(self.legs)),
            ("--rooms", u64::from(self.rooms().max(1))),
            ("--talkers", u64::from(self.talkers())),
            ("--seconds", self.seconds),
        ];
        words
            .extend(numbers.iter().flat_map(|(name, value)| [name.to_string(), value.to_string()]));
        words.extend(["--codec".into(), self.codec.name().into()]);
        if self.dtmf {
            words.push("--dtmf".into());
        }
        words
    }
}

#[cfg(test)]
#[allow(unused)] // a bench has no harness, and so no tests
mod tests {
    use super::*;

    #[test]
    fn cargo_s_own_argument_is_tolerated_and_rooms_and_talkers_fit_the_legs() {
        let args = Args::parse_from(["soak", "--bench", "--legs", "25", "--talkers", "90"]);
        assert_eq!((args.rooms(), args.talkers()), (2, 13));
        let args = Args::parse_from(["soak", "--legs", "3", "--rooms", "9", "--talkers", "0"]);
        assert_eq!((args.rooms(), args.talkers()), (3, 1));
        let args = Args::parse_from(["soak", "--legs", "20", "--rooms", "2", "--talkers", "3"]);
        assert_eq!(args.talkers(), 3);
        let args = Args::parse_from(["soak", "--legs", "0", "--idle-rooms", "5", "--rooms", "3"]);
        assert_eq!((args.rooms(), args.talkers()), (0, 0));
        assert!(Args::try_parse_from(["soak", "--threads", "0"]).is_err());
        assert!(Args::try_parse_from(["soak", "--summary", "file"]).is_err(), "without a name");
        assert!(Args::try_parse_from(["soak", "--codec", "gsm"]).is_err());
    }

    #[test]
    fn the_load_s_process_is_asked_for_the_same_run() {
        let lines = ["soak --dtmf --codec opus", "soak --rooms 7", "soak --legs 0 --idle-rooms 9"];
        for words in lines.map(|line| line.split(' ')) {
            let args = Args::parse_from(words);
            let told = Args::parse_from(["soak".into()].into_iter().chain(args.for_generator()));
            assert!(told.generate && !args.generate);
            let all = |args: &Args| {
                (args.legs, args.rooms(), args.talkers(), args.codec, args.seconds, args.dtmf)
            };
            assert_eq!(all(&told), all(&args));
        }
        assert!(Args::test().dtmf);
    }
}
