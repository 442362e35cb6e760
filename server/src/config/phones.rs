//! Simulated phones, as they are configured: what each does when it is called.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use stasis_control::tech::{Answers, PhoneSettings};
use stasis_media::dtmf::{Digit, NotADigit};
use stasis_media::sound::{Item, ItemError};

use super::{Config, ConfigError};

/// A simulated phone.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Phone {
    /// What becomes of a call to it: `answers`, `never`, `busy`, `congestion`, `rejects`.
    pub when_called: String,
    /// How long it rings before it answers, in milliseconds.
    pub answers_after_ms: u64,
    /// Whether it says that it rings.
    pub rings: bool,
    /// What it says when the call is up, one after the other: `sound:hello-world`, `tone:440`, …
    pub says: Vec<String>,
    /// Whether it says that again and again.
    pub repeats: bool,
    /// Keys that it presses.
    pub presses: Vec<Keys>,
    /// It hangs up so many milliseconds after the call is up. Not set: it waits for the other end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hangs_up_after_ms: Option<u64>,
}

/// Keys that a phone presses.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Keys {
    /// So long after the call is up, in milliseconds.
    pub after_ms: u64,
    /// Which.
    pub keys: String,
}

impl Default for Phone {
    fn default() -> Self {
        Phone {
            when_called: "answers".into(),
            answers_after_ms: 500,
            rings: true,
            says: Vec::new(),
            repeats: false,
            presses: Vec::new(),
            hangs_up_after_ms: None,
        }
    }
}

/// A phone cannot be.
#[derive(Debug, thiserror::Error)]
pub enum PhoneError {
    /// What becomes of a call is not known.
    #[error("when_called {0:?} is not known: use answers, never, busy, congestion or rejects")]
    WhenCalled(String),
    /// It cannot say that.
    #[error("says: {0}")]
    Says(#[from] ItemError),
    /// It cannot press that.
    #[error("keys: {0}")]
    Keys(#[from] NotADigit),
}

impl Phone {
    /// As the call model wants it.
    ///
    /// # Errors
    /// [`PhoneError`].
    pub fn settings(&self) -> Result<PhoneSettings, PhoneError> {
        let answers = match self.when_called.as_str() {
            "answers" => Answers::After(Duration::from_millis(self.answers_after_ms)),
            "never" => Answers::Never,
            "busy" => Answers::Busy,
            "congestion" => Answers::Congestion,
            "rejects" => Answers::Rejects,
            other => return Err(PhoneError::WhenCalled(other.into())),
        };
        let says: Result<Vec<Item>, _> = self.says.iter().map(|item| item.parse()).collect();
        let press = |keys: &Keys| {
            let digits: Result<Vec<Digit>, _> = keys.keys.chars().map(Digit::from_char).collect();
            Ok::<_, NotADigit>((Duration::from_millis(keys.after_ms), digits?))
        };
        Ok(PhoneSettings {
            answers,
            rings: self.rings,
            says: says?,
            repeats: self.repeats,
            presses: self.presses.iter().map(press).collect::<Result<_, _>>()?,
            hangs_up_after: self.hangs_up_after_ms.map(Duration::from_millis),
        })
    }
}

/// The phones that there are when none are configured.
fn built_in() -> BTreeMap<String, Phone> {
    let phone = |name: &str, phone| (name.to_owned(), phone);
    let not_up = |when: &str| Phone { when_called: when.into(), ..Phone::default() };
    let says = |sound: &str| vec![format!("sound:{sound}"), "silence:2000".into()];
    BTreeMap::from([
        phone("alice", Phone { says: says("hello-world"), repeats: true, ..Phone::default() }),
        phone("bob", Phone { says: says("demo-congrats"), repeats: true, ..Phone::default() }),
        phone("carol", Phone::default()),
        phone(
            "keys",
            Phone {
                presses: vec![Keys { after_ms: 1_000, keys: "123#".into() }],
                ..Phone::default()
            },
        ),
        phone("short", Phone { hangs_up_after_ms: Some(2_000), ..Phone::default() }),
        phone("noanswer", not_up("never")),
        phone("busy", not_up("busy")),
        phone("congestion", not_up("congestion")),
        phone("rejects", not_up("rejects")),
    ])
}

impl Config {
    /// The simulated phones: those that are configured, or else the built-in ones.
    ///
    /// # Errors
    /// [`ConfigError::Phone`].
    pub fn phones(&self) -> Result<BTreeMap<String, PhoneSettings>, ConfigError> {
        let phones = self.phones.clone().unwrap_or_else(built_in);
        let settings = |(name, phone): (String, Phone)| match phone.settings() {
            Ok(settings) => Ok((name, settings)),
            Err(problem) => Err(ConfigError::Phone { name, problem }),
        };
        phones.into_iter().map(settings).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_phones_can_be() {
        let phones = Config::default().phones().unwrap();
        assert!(phones.contains_key("alice") && phones["busy"].answers == Answers::Busy);
    }

    #[test]
    fn a_phone_that_cannot_be_is_told_by_its_name() {
        for (text, wrong) in [
            ("when_called = 'perhaps'", "perhaps"),
            ("says = ['bogus']", "bogus"),
            ("presses = [{ after_ms = 1, keys = '1x' }]", "'x'"),
        ] {
            let config = Config::parse(&format!("[phones.eve]\n{text}\n")).unwrap();
            let problem = config.phones().unwrap_err().to_string();
            assert!(problem.contains("eve") && problem.contains(wrong), "{problem}");
        }
    }
}
