//! Records as rows of tables: their columns, and what is in them.

use std::sync::Arc;

use stasis_control::records::DateTime;
use stasis_control::records::cdr::CdrRecord;
use stasis_control::records::cel::CelRecord;

/// A record of either kind. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) enum Record {
    Cdr(Arc<CdrRecord>),
    Cel(Arc<CelRecord>),
}

/// The columns of the table `cdr`.
pub(super) const CDR_COLUMNS: [&str; 21] = [
    "accountcode",
    "src",
    "dst",
    "dcontext",
    "clid",
    "channel",
    "dstchannel",
    "lastapp",
    "lastdata",
    "start",
    "answer",
    "end",
    "duration",
    "billsec",
    "disposition",
    "amaflags",
    "uniqueid",
    "linkedid",
    "peeraccount",
    "sequence",
    "userfield",
];

/// The columns of the table `cel`, and of `cel.csv`.
pub(super) const CEL_COLUMNS: [&str; 20] = [
    "eventtype",
    "eventtime",
    "cid_name",
    "cid_num",
    "cid_ani",
    "cid_rdnis",
    "cid_dnid",
    "exten",
    "context",
    "channame",
    "appname",
    "appdata",
    "accountcode",
    "uniqueid",
    "linkedid",
    "peer",
    "peeraccount",
    "userfield",
    "amaflags",
    "extra",
];

/// The texts of an event, in the order of the columns; `extra` is a JSON object, or nothing.
pub(super) fn cel_texts(record: &CelRecord) -> [String; 20] {
    let text = |text: &String| text.clone();
    [
        record.event.name().into(),
        format!("{:#}", DateTime(record.time)),
        text(&record.cid_name),
        text(&record.cid_num),
        text(&record.cid_ani),
        text(&record.cid_rdnis),
        text(&record.cid_dnid),
        text(&record.exten),
        text(&record.context),
        text(&record.channel),
        text(&record.appname),
        text(&record.appdata),
        text(&record.accountcode),
        text(&record.uniqueid),
        text(&record.linkedid),
        text(&record.peer),
        text(&record.peeraccount),
        text(&record.userfield),
        record.amaflags.name().into(),
        record.extra.as_ref().map(ToString::to_string).unwrap_or_default(),
    ]
}
