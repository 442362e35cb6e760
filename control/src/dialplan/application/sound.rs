//! What is played, sent, read and recorded.

use std::time::Duration;

use super::list::{List, options};
use super::{Application, ArgumentError};

const PLAYBACK: &str = "Playback(sound&sound,skip,noanswer)";
const BACKGROUND: &str = "Background(sound&sound,options,language,context)";
const RECORD: &str = "Record(file.wav,silence,maximum,options)";
const READ: &str = "Read(VARIABLE,sound,digits,options,attempts,timeout)";
const SEND: &str = "SendDTMF(digits,milliseconds between,milliseconds each)";

/// How sounds are played.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PlaybackOptions {
    /// `skip`: not at all, if the call is not answered.
    pub skip: bool,
    /// `noanswer`: without answering the call before.
    pub no_answer: bool,
}

/// How sounds are played while digits are listened for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BackgroundOptions {
    /// `s`: not at all, if the call is not answered.
    pub skip: bool,
    /// `n`: without answering the call before.
    pub no_answer: bool,
    /// `m`: only a digit that is an extension ends the sound.
    pub only_matching: bool,
    /// `p`: a digit is not gone on with; it is left to what follows.
    pub keep_digits: bool,
}

/// How the caller is recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecordOptions {
    /// `a`: behind what is in the file already.
    pub append: bool,
    /// `n`: without answering the call before.
    pub no_answer: bool,
    /// `q`: without a beep.
    pub quiet: bool,
    /// `s`: not at all, if the call is not answered.
    pub skip: bool,
    /// `k`: also what was recorded when the caller hangs up is kept.
    pub keep: bool,
    /// What ends it.
    pub terminator: RecordTerminator,
}

/// The key that ends a recording.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RecordTerminator {
    /// `#`
    #[default]
    Hash,
    /// `t`: `*`
    Star,
    /// `y`: any key
    Any,
    /// `x`: none
    None,
}

/// How digits are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReadOptions {
    /// `s`: not at all, if the call is not answered.
    pub skip: bool,
    /// `n`: also if the call is not answered.
    pub no_answer: bool,
    /// `i`: the prompt is the name of a tone.
    pub tone: bool,
}

pub(super) fn playback(list: &List) -> Result<Application, ArgumentError> {
    list.needed(0, "a sound", PLAYBACK)?;
    let mut options = PlaybackOptions::default();
    for at in 1..list.items.len() {
        match list.item(at).to_ascii_lowercase().as_str() {
            "" => {}
            "skip" => options.skip = true,
            "noanswer" => options.no_answer = true,
            _ => return Err(list.wrong(at, "option: skip or noanswer")),
        }
    }
    Ok(Application::Playback { sounds: list.parts(0), options })
}

pub(super) fn background(list: &List) -> Result<Application, ArgumentError> {
    list.needed(0, "a sound", BACKGROUND)?;
    let mut chosen = BackgroundOptions::default();
    for (letter, _) in options(list.item(1)) {
        match letter {
            's' => chosen.skip = true,
            'n' => chosen.no_answer = true,
            'm' => chosen.only_matching = true,
            'p' => chosen.keep_digits = true,
            _ => return Err(list.wrong(1, "option: letters of s, n, m and p")),
        }
    }
    let (language, context) = (list.text(2), list.text(3));
    Ok(Application::Background { sounds: list.parts(0), options: chosen, language, context })
}

pub(super) fn wait_exten(list: &List) -> Result<Application, ArgumentError> {
    let music = options(list.item(1)).find(|(letter, _)| *letter == 'm');
    let music = music.map(|(_, class)| class.unwrap_or("").to_owned());
    Ok(Application::WaitExten { duration: list.seconds(0)?, music })
}

pub(super) fn send_dtmf(list: &List) -> Result<Application, ArgumentError> {
    let digits = list.needed(0, "digits", SEND)?;
    if digits.contains(|digit: char| !"0123456789*#ABCDabcdwW".contains(digit)) {
        return Err(list.wrong(0, "list of digits: 0-9 * # A-D, w and W for silence"));
    }
    let between = list.millis(1)?.unwrap_or(Duration::from_millis(250));
    Ok(Application::SendDtmf { digits: digits.into(), between, duration: list.millis(2)? })
}

pub(super) fn record(list: &List) -> Result<Application, ArgumentError> {
    let name = list.needed(0, "a file", RECORD)?;
    let (file, format) = name.rsplit_once(['.', ':']).unwrap_or((name, ""));
    if file.is_empty() || format.is_empty() || format.contains('/') {
        return Err(list.wrong(0, "file with a format: write name.wav"));
    }
    let mut chosen = RecordOptions::default();
    for (letter, _) in options(list.item(3)) {
        match letter {
            'a' => chosen.append = true,
            'n' => chosen.no_answer = true,
            'q' => chosen.quiet = true,
            's' => chosen.skip = true,
            'k' => chosen.keep = true,
            't' => chosen.terminator = RecordTerminator::Star,
            'y' => chosen.terminator = RecordTerminator::Any,
            'x' => chosen.terminator = RecordTerminator::None,
            _ => return Err(list.wrong(3, "option: letters of a, n, q, s, k, t, y and x")),
        }
    }
    let limit = |at| Ok(list.seconds(at)?.filter(|limit| !limit.is_zero()));
    Ok(Application::Record {
        file: file.into(),
        format: format.to_ascii_lowercase(),
        silence: limit(1)?,
        max_duration: limit(2)?,
        options: chosen,
    })
}

pub(super) fn read(list: &List) -> Result<Application, ArgumentError> {
    let variable = list.needed(0, "a variable", READ)?.into();
    let mut chosen = ReadOptions::default();
    for (letter, _) in options(list.item(3)) {
        match letter {
            's' => chosen.skip = true,
            'n' => chosen.no_answer = true,
            'i' => chosen.tone = true,
            _ => return Err(list.wrong(3, "option: letters of s, n and i")),
        }
    }
    Ok(Application::Read {
        variable,
        prompts: list.parts(1),
        max_digits: list.count(2, "number of digits")?.filter(|&digits| digits > 0),
        options: chosen,
        attempts: list.count(4, "number of attempts")?.unwrap_or(1).max(1),
        timeout: list.seconds(5)?.filter(|timeout| !timeout.is_zero()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(name: &str, args: &[&str]) {
        for args in args {
            assert!(Application::parse(name, args).is_err(), "{name}({args})");
        }
    }

    #[test]
    fn sounds_are_a_list_with_options() {
        let sounds = vec!["a/b".to_owned(), "c".to_owned()];
        let options = PlaybackOptions { skip: true, no_answer: true };
        let expected = Application::Playback { sounds: sounds.clone(), options };
        assert_eq!(Application::parse("Playback", "a/b&c,skip,noanswer"), Ok(expected));
        refused("Playback", &["", "a,loud", "a,say"]);

        let options =
            BackgroundOptions { skip: true, only_matching: true, ..BackgroundOptions::default() };
        let (language, context) = (Some("de".into()), Some("menu".into()));
        let expected = Application::Background { sounds, options, language, context };
        assert_eq!(Application::parse("Background", "a/b&c,sm,de,menu"), Ok(expected));
        refused("Background", &["", "a,z"]);
    }

    #[test]
    fn digits_to_send_are_digits() {
        let (digits, between) = ("12#".to_owned(), Duration::from_millis(100));
        let duration = Some(Duration::from_millis(200));
        let expected = Application::SendDtmf { digits, between, duration };
        assert_eq!(Application::parse("SendDTMF", "12#,100,200"), Ok(expected));
        refused("SendDTMF", &["", "12e", "1,x"]);
    }

    #[test]
    fn a_recording_has_a_file_a_format_and_ends() {
        let options = RecordOptions {
            keep: true,
            terminator: RecordTerminator::Any,
            ..RecordOptions::default()
        };
        let expected = Application::Record {
            file: "a.b/c".into(),
            format: "wav".into(),
            silence: Some(Duration::from_secs(3)),
            max_duration: None,
            options,
        };
        assert_eq!(Application::parse("Record", "a.b/c.WAV,3,0,ky"), Ok(expected));
        refused("Record", &["", "a", "a.b/c", ".wav", "a.", "a.wav,x", "a.wav,,,z"]);
    }

    #[test]
    fn what_is_read_has_a_variable_and_limits() {
        let expected = Application::Read {
            variable: "PIN".into(),
            prompts: vec!["enter".into(), "pin".into()],
            max_digits: Some(4),
            options: ReadOptions { no_answer: true, ..ReadOptions::default() },
            attempts: 3,
            timeout: Some(Duration::from_secs(5)),
        };
        assert_eq!(Application::parse("Read", "PIN,enter&pin,4,n,3,5"), Ok(expected));
        refused("Read", &["", "A,,x", "A,,,z", "A,,,,-1"]);
        let music = Some("jazz".to_owned());
        let expected = Application::WaitExten { duration: None, music };
        assert_eq!(Application::parse("WaitExten", ",m(jazz)"), Ok(expected));
    }
}
