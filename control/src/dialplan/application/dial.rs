//! `Dial`: whom to call, for how long, and how.

use super::list::{List, options};
use super::{Application, ArgumentError};

const FORM: &str = "Dial(Technology/resource&...,timeout,options,URL)";

/// How to dial: the letters of the third argument.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DialOptions {
    /// `g`: goes on with the dialplan when the one called hangs up.
    pub go_on: bool,
    /// `r`: the caller hears ringing, or a tone of this name (`Some("")`: ringing).
    pub ring: Option<String>,
    /// `m`: the caller hears music of this class (`Some("")`: the default class).
    pub music: Option<String>,
    /// `A`: this sound is played to the one called, before they are connected.
    pub announce: Option<String>,
    /// `t`: the one called may transfer.
    pub callee_transfers: bool,
    /// `T`: the caller may transfer.
    pub caller_transfers: bool,
    /// All other letters: taken, but without effect here.
    pub ignored: String,
}

impl DialOptions {
    fn parse(text: &str) -> DialOptions {
        let mut result = DialOptions::default();
        for (letter, value) in options(text) {
            let value = value.unwrap_or("").to_owned();
            match letter {
                'g' => result.go_on = true,
                'r' => result.ring = Some(value),
                'm' => result.music = Some(value),
                'A' => result.announce = Some(value).filter(|sound| !sound.is_empty()),
                't' => result.callee_transfers = true,
                'T' => result.caller_transfers = true,
                other => result.ignored.push(other),
            }
        }
        result
    }
}

pub(super) fn dial(list: &List) -> Result<Application, ArgumentError> {
    let destinations = list.parts(0);
    if destinations.is_empty() {
        return Err(ArgumentError::Missing { app: "Dial", what: "whom to call", form: FORM });
    }
    if destinations.iter().any(|it| {
        it.split_once('/')
            .is_none_or(|(technology, resource)| technology.is_empty() || resource.is_empty())
    }) {
        return Err(list.wrong(0, "destination: write Technology/resource"));
    }
    let options = Box::new(DialOptions::parse(list.item(2)));
    Ok(Application::Dial { destinations, timeout: list.seconds(1)?, options, url: list.text(3) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn destinations_time_and_options_are_read() {
        let parsed = Application::parse("Dial", "SIP/a&Local/b@c/n, 2.5,gtrm(jazz)A(hi)XU(s),u");
        let options = DialOptions {
            go_on: true,
            ring: Some("".into()),
            music: Some("jazz".into()),
            announce: Some("hi".into()),
            callee_transfers: true,
            caller_transfers: false,
            ignored: "XU".into(),
        };
        let expected = Application::Dial {
            destinations: vec!["SIP/a".into(), "Local/b@c/n".into()],
            timeout: Some(Duration::from_millis(2500)),
            options: Box::new(options),
            url: Some("u".into()),
        };
        assert_eq!(parsed, Ok(expected));
        for wrong in ["", "&,1,2,3,4,5,6,7", "100", "SIP/", "/a", "SIP/a,soon"] {
            assert!(Application::parse("Dial", wrong).is_err(), "{wrong}");
        }
    }
}
