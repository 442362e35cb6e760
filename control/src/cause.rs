//! Hangup causes: why a call was cleared (ITU-T Q.850).

use std::fmt;

use serde::Serialize;

/// A hangup cause (ITU-T Q.850). Any number may come from outside; those without a text are told as
/// "Unknown".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Cause(pub u16);

impl Cause {
    /// Not known.
    pub const UNKNOWN: Cause = Cause(0);
    /// The call was cleared as calls are.
    pub const NORMAL: Cause = Cause(16);
    /// The called party is busy.
    pub const BUSY: Cause = Cause(17);
    /// Nothing was heard from the called party.
    pub const NO_RESPONSE: Cause = Cause(18);
    /// The called party was alerted, and has not answered.
    pub const NO_ANSWER: Cause = Cause(19);
    /// The called party does not want the call.
    pub const REJECTED: Cause = Cause(21);
    /// Another of those who were called has answered.
    pub const ANSWERED_ELSEWHERE: Cause = Cause(26);
    /// There is nobody of that number.
    pub const UNALLOCATED: Cause = Cause(1);
    /// No way to the called party is free.
    pub const CONGESTION: Cause = Cause(34);
    /// What is to be done is not there.
    pub const FAILURE: Cause = Cause(38);

    /// What it means, in words; "Unknown" where it has none.
    pub fn text(self) -> &'static str {
        match self.0 {
            1 => "Unallocated (unassigned) number",
            2 => "No route to specified transit network",
            3 => "No route to destination",
            6 => "Channel unacceptable",
            7 => "Call awarded and being delivered in an established channel",
            16 => "Normal Clearing",
            17 => "User busy",
            18 => "No user responding",
            19 => "User alerting, no answer",
            20 => "Subscriber absent",
            21 => "Call Rejected",
            22 => "Number changed",
            26 => "Answered elsewhere",
            27 => "Destination out of order",
            28 => "Invalid number format",
            29 => "Facility rejected",
            30 => "Response to status enquiry",
            31 => "Normal, unspecified",
            34 => "Circuit/channel congestion",
            38 => "Network out of order",
            41 => "Temporary failure",
            42 => "Switching equipment congestion",
            43 => "Access information discarded",
            44 => "Requested channel not available",
            50 => "Facility not subscribed",
            52 => "Outgoing call barred",
            54 => "Incoming call barred",
            57 => "Bearer capability not authorized",
            58 => "Bearer capability not available",
            65 => "Bearer capability not implemented",
            66 => "Channel not implemented",
            69 => "Facility not implemented",
            81 => "Invalid call reference value",
            88 => "Incompatible destination",
            95 => "Invalid message, unspecified",
            96 => "Mandatory information element is missing",
            97 => "Message type non-existent",
            98 => "Message not compatible with call state",
            99 => "Information element non-existent",
            100 => "Invalid information element contents",
            101 => "Message not compatible with call state",
            102 => "Recovery on timer expiry",
            103 => "Parameter non-existent",
            111 => "Protocol error, unspecified",
            127 => "Interworking, unspecified",
            _ => "Unknown",
        }
    }

    /// The cause that a word stands for, as in `reason=busy`; none for an unknown word.
    pub fn of_reason(word: &str) -> Option<Self> {
        let cause = match word {
            "normal" => Cause::NORMAL,
            "busy" => Cause::BUSY,
            "congestion" => Cause::CONGESTION,
            "no_answer" => Cause::NO_ANSWER,
            "timeout" => Cause::NO_RESPONSE,
            "rejected" => Cause::REJECTED,
            "unallocated" => Cause::UNALLOCATED,
            "normal_unspecified" => Cause(31),
            "number_incomplete" => Cause(28),
            "codec_mismatch" => Cause(58),
            "interworking" => Cause(127),
            "failure" => Cause::FAILURE,
            "answered_elsewhere" => Cause::ANSWERED_ELSEWHERE,
            _ => return None,
        };
        Some(cause)
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.text(), self.0)
    }
}
