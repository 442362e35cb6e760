//! What ARI applications are given and told.

use std::time::Duration;

use super::super::operator::regex;
use super::list::List;
use super::{Application, ArgumentError};

pub(super) fn stasis(list: List) -> Result<Application, ArgumentError> {
    let app = list.needed(0, "the name of an application", "Stasis(name,argument,...)")?.into();
    Ok(Application::Stasis { app, args: list.items.into_iter().skip(1).collect() })
}

pub(super) fn broadcast(list: &List) -> Result<Application, ArgumentError> {
    let timeout = list.millis(0)?.unwrap_or(Duration::from_millis(500));
    if timeout > Duration::from_secs(60) {
        return Err(list.wrong(0, "number of milliseconds up to 60000"));
    }
    let filter = list.text(1);
    if filter.as_deref().is_some_and(|filter| regex(filter).is_err()) {
        return Err(list.wrong(1, "regular expression"));
    }
    let args = list.text(2).map_or(Vec::new(), |args| args.split(':').map(str::to_owned).collect());
    let notify_claimed =
        ["yes", "true", "on", "1"].iter().any(|yes| list.item(3).eq_ignore_ascii_case(yes));
    Ok(Application::StasisBroadcast { timeout, filter, args, notify_claimed })
}

pub(super) fn user_event(list: &List) -> Result<Application, ArgumentError> {
    let name = list.needed(0, "a name", "UserEvent(Name,Key: value,...)")?.into();
    let header = |item: &String| {
        let (key, value) = item.split_once(':').unwrap_or((item, ""));
        (key.trim().to_owned(), value.trim().to_owned())
    };
    Ok(Application::UserEvent { name, headers: list.items.iter().skip(1).map(header).collect() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(name: &str, args: &str) -> Application {
        Application::parse(name, args).unwrap()
    }

    #[test]
    fn the_broadcast_has_four_optional_arguments() {
        let broadcast = |args| parse("StasisBroadcast", args);
        let (timeout, filter, args) = (Duration::from_millis(500), None, Vec::new());
        assert_eq!(
            broadcast(""),
            Application::StasisBroadcast { timeout, filter, args, notify_claimed: false }
        );
        let (timeout, filter) = (Duration::from_secs(2), Some("^ivr-.*".into()));
        let args = vec!["sales".into(), "high".into()];
        assert_eq!(
            broadcast("2000,^ivr-.*,sales:high, yes"),
            Application::StasisBroadcast { timeout, filter, args, notify_claimed: true }
        );
        for wrong in ["x", "60001", "1,("] {
            assert!(Application::parse("StasisBroadcast", wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_events_headers_are_keys_and_values() {
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        let headers = vec![pair("Key", "value"), pair("Other", "t:wo"), pair("Alone", "")];
        let expected = Application::UserEvent { name: "Gold".into(), headers };
        assert_eq!(parse("UserEvent", "Gold,Key: value,Other: t:wo,Alone"), expected);
    }
}
