//! One call detail record.

use serde::{Serialize, Serializer};

use crate::cause::Cause;
use crate::message::DialStatus;
use crate::records::{AmaFlags, DateTime, to_second, to_second_or_null};
use crate::time::Timestamp;

/// One stretch of a channel's life: alone, or with one other. As serde has it the fields are the columns of
/// the usual tables; moments are texts as [`DateTime`] writes them, of no answer null.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CdrRecord {
    /// Whose account the channel goes to.
    pub accountcode: String,
    /// The number of who calls.
    pub src: String,
    /// The extension where the channel was last.
    pub dst: String,
    /// The context of that.
    pub dcontext: String,
    /// Who calls: `"Name" <number>`.
    pub clid: String,
    /// The channel's name.
    pub channel: String,
    /// The name of the other; empty: it was alone.
    pub dstchannel: String,
    /// The application of the dialplan that has run last.
    pub lastapp: String,
    /// Its arguments.
    pub lastdata: String,
    /// When it begins.
    #[serde(serialize_with = "to_second")]
    pub start: Timestamp,
    /// When it was answered; none: never.
    #[serde(serialize_with = "to_second_or_null")]
    pub answer: Option<Timestamp>,
    /// When it ends.
    #[serde(serialize_with = "to_second")]
    pub end: Timestamp,
    /// From the beginning to the end, in whole seconds.
    pub duration: u64,
    /// From the answer to the end, in whole seconds.
    pub billsec: u64,
    /// What came of it.
    pub disposition: Disposition,
    /// How it is to be charged.
    pub amaflags: AmaFlags,
    /// The channel's id.
    pub uniqueid: String,
    /// The id of the first of all channels that it has to do with.
    pub linkedid: String,
    /// Whose account the other goes to.
    pub peeraccount: String,
    /// A number that no other record has, as long as the server runs.
    pub sequence: u64,
    /// What the dialplan has written.
    pub userfield: String,
}

impl CdrRecord {
    /// As one row of a table whose values are divided by commas (RFC 4180), without the end of the line:
    /// accountcode, src, dst, dcontext, clid, channel, dstchannel, lastapp, lastdata, start, answer, end,
    /// duration, billsec, disposition, amaflags. Texts are in quotes, and a quote in them is doubled.
    pub fn csv_row(&self) -> String {
        let moment = |at: Timestamp| DateTime(at).to_string();
        let texts = [
            &self.accountcode,
            &self.src,
            &self.dst,
            &self.dcontext,
            &self.clid,
            &self.channel,
            &self.dstchannel,
            &self.lastapp,
            &self.lastdata,
            &moment(self.start),
            &self.answer.map(moment).unwrap_or_default(),
            &moment(self.end),
        ];
        let mut row = String::with_capacity(256);
        for text in texts {
            row.push_str(&quoted(text));
            row.push(',');
        }
        row + &format!(
            "{},{},{},{}",
            self.duration,
            self.billsec,
            quoted(self.disposition.name()),
            quoted(self.amaflags.name())
        )
    }
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

/// What came of a call. The numbers are those that a bit mask of them is made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Disposition {
    /// Nobody has answered, or the caller has given up.
    #[default]
    NoAnswer = 0,
    /// It could not be.
    Failed = 2,
    /// The other was busy.
    Busy = 4,
    /// It was answered.
    Answered = 8,
    /// No way there was free.
    Congestion = 16,
}

impl Disposition {
    /// As records have it.
    pub fn name(self) -> &'static str {
        match self {
            Disposition::NoAnswer => "NO ANSWER",
            Disposition::Failed => "FAILED",
            Disposition::Busy => "BUSY",
            Disposition::Answered => "ANSWERED",
            Disposition::Congestion => "CONGESTION",
        }
    }

    /// As a number.
    pub fn number(self) -> u8 {
        self as u8
    }

    /// What comes of a call that was dialed and ends like that; none: it does not end, or was answered.
    pub(super) fn of_dial(status: DialStatus) -> Option<Self> {
        match status {
            DialStatus::NoAnswer | DialStatus::Cancel => Some(Disposition::NoAnswer),
            DialStatus::Busy => Some(Disposition::Busy),
            DialStatus::Congestion => Some(Disposition::Congestion),
            DialStatus::Unavailable => Some(Disposition::Failed),
            _ => None,
        }
    }

    /// What comes of a channel that was hung up with this cause before it was answered.
    pub(super) fn of_cause(cause: Cause) -> Self {
        match cause {
            Cause::BUSY => Disposition::Busy,
            Cause::CONGESTION => Disposition::Congestion,
            Cause::NORMAL
            | Cause::NO_RESPONSE
            | Cause::NO_ANSWER
            | Cause::REJECTED
            | Cause::ANSWERED_ELSEWHERE => Disposition::NoAnswer,
            _ => Disposition::Failed,
        }
    }
}

impl Serialize for Disposition {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> CdrRecord {
        CdrRecord {
            accountcode: String::new(),
            src: "700".into(),
            dst: "short".into(),
            dcontext: "golden".into(),
            clid: "\"Rec\" <700>".into(),
            channel: "Local/short@golden-00000001;2".into(),
            dstchannel: String::new(),
            lastapp: "Stasis".into(),
            lastdata: "golden,\"th,ree\"\n".into(),
            start: Timestamp::from_micros(1_795_245_250_000_000),
            answer: None,
            end: Timestamp::from_micros(1_795_245_252_400_000),
            duration: 2,
            billsec: 0,
            disposition: Disposition::NoAnswer,
            amaflags: AmaFlags::Documentation,
            uniqueid: "g-a;2".into(),
            linkedid: "g-a".into(),
            peeraccount: String::new(),
            sequence: 7,
            userfield: String::new(),
        }
    }

    #[test]
    fn a_row_quotes_its_texts() {
        let row = "\"\",\"700\",\"short\",\"golden\",\"\"\"Rec\"\" <700>\",\
            \"Local/short@golden-00000001;2\",\"\",\"Stasis\",\"golden,\"\"th,ree\"\"\n\",\
            \"2026-11-21 07:14:10\",\"\",\"2026-11-21 07:14:12\",2,0,\"NO ANSWER\",\"DOCUMENTATION\"";
        assert_eq!(record().csv_row(), row);
    }

    #[test]
    fn as_json_the_fields_are_columns() {
        let json = serde_json::to_value(record()).unwrap();
        assert_eq!(json["start"], "2026-11-21 07:14:10");
        assert_eq!(json["answer"], serde_json::Value::Null);
        assert_eq!((&json["disposition"], &json["sequence"]), (&"NO ANSWER".into(), &7.into()));
        assert_eq!(json.as_object().unwrap().len(), 21);
    }

    #[test]
    fn dispositions_have_their_numbers() {
        use Disposition::*;
        let all = [NoAnswer, Failed, Busy, Answered, Congestion];
        assert_eq!(all.map(Disposition::number), [0, 2, 4, 8, 16]);
    }
}
