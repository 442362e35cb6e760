//! Causes by name: ITU-T Q.850 (05/98), table 1, in the names that dialplans use for them.

use super::super::error::nearest;
use super::ArgumentError;

const CAUSES: [(u16, &str); 48] = [
    (1, "UNALLOCATED"),
    (2, "NO_ROUTE_TRANSIT_NET"),
    (3, "NO_ROUTE_DESTINATION"),
    (5, "MISDIALLED_TRUNK_PREFIX"),
    (6, "CHANNEL_UNACCEPTABLE"),
    (7, "CALL_AWARDED_DELIVERED"),
    (8, "PRE_EMPTED"),
    (14, "NUMBER_PORTED_NOT_HERE"),
    (16, "NORMAL_CLEARING"),
    (17, "USER_BUSY"),
    (18, "NO_USER_RESPONSE"),
    (19, "NO_ANSWER"),
    (20, "SUBSCRIBER_ABSENT"),
    (21, "CALL_REJECTED"),
    (22, "NUMBER_CHANGED"),
    (23, "REDIRECTED_TO_NEW_DESTINATION"),
    (26, "ANSWERED_ELSEWHERE"),
    (27, "DESTINATION_OUT_OF_ORDER"),
    (28, "INVALID_NUMBER_FORMAT"),
    (29, "FACILITY_REJECTED"),
    (30, "RESPONSE_TO_STATUS_ENQUIRY"),
    (31, "NORMAL_UNSPECIFIED"),
    (34, "NORMAL_CIRCUIT_CONGESTION"),
    (38, "NETWORK_OUT_OF_ORDER"),
    (41, "NORMAL_TEMPORARY_FAILURE"),
    (42, "SWITCH_CONGESTION"),
    (43, "ACCESS_INFO_DISCARDED"),
    (44, "REQUESTED_CHAN_UNAVAIL"),
    (50, "FACILITY_NOT_SUBSCRIBED"),
    (52, "OUTGOING_CALL_BARRED"),
    (54, "INCOMING_CALL_BARRED"),
    (57, "BEARERCAPABILITY_NOTAUTH"),
    (58, "BEARERCAPABILITY_NOTAVAIL"),
    (65, "BEARERCAPABILITY_NOTIMPL"),
    (66, "CHAN_NOT_IMPLEMENTED"),
    (69, "FACILITY_NOT_IMPLEMENTED"),
    (81, "INVALID_CALL_REFERENCE"),
    (88, "INCOMPATIBLE_DESTINATION"),
    (95, "INVALID_MSG_UNSPECIFIED"),
    (96, "MANDATORY_IE_MISSING"),
    (97, "MESSAGE_TYPE_NONEXIST"),
    (98, "WRONG_MESSAGE"),
    (99, "IE_NONEXIST"),
    (100, "INVALID_IE_CONTENTS"),
    (101, "WRONG_CALL_STATE"),
    (102, "RECOVERY_ON_TIMER_EXPIRE"),
    (111, "PROTOCOL_ERROR"),
    (127, "INTERWORKING"),
];

/// A cause by its number (0 to 127) or name, in any case; `None` for an empty text.
pub(super) fn parse(text: &str) -> Result<Option<u16>, ArgumentError> {
    if text.is_empty() {
        return Ok(None);
    }
    if let Ok(number) = text.parse::<u16>() {
        let what = "cause: the causes of Q.850 are 0 to 127";
        let wrong = ArgumentError::Wrong { app: "Hangup", text: text.into(), what };
        return if number < 128 { Ok(Some(number)) } else { Err(wrong) };
    }
    let found = CAUSES.iter().find(|(_, name)| name.eq_ignore_ascii_case(text));
    let unknown = || {
        let nearest = nearest(text, CAUSES.iter().map(|(_, name)| *name));
        let nearest = CAUSES.iter().map(|(_, name)| *name).find(|name| Some(*name) == nearest);
        ArgumentError::Cause { name: text.into(), nearest }
    };
    found.map(|(number, _)| Some(*number)).ok_or_else(unknown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_have_numbers_and_names() {
        assert_eq!(parse(""), Ok(None));
        assert_eq!(parse("21"), Ok(Some(21)));
        assert_eq!(parse("user_busy"), Ok(Some(17)));
        assert_eq!(parse("NORMAL_CLEARING"), Ok(Some(16)));
        assert!(parse("128").is_err());
        let error = parse("USER_BUZY").unwrap_err().to_string();
        assert!(error.ends_with("did you mean `USER_BUSY`?"), "{error}");
    }
}
