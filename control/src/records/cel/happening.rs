//! What is told of a channel by itself, whatever was before.

use std::sync::Arc;

use super::record::{CelEvent, CelExtra, CelRecord};
use crate::bridge::BridgeSnapshot;
use crate::channel::ChannelSnapshot;
use crate::message::{
    AttendedTransfer, BlindTransfer, ChannelEvent, ChannelHappening, TransferResult, UserEvent,
};
use crate::time::Timestamp;

pub(super) fn channel_event(event: &ChannelEvent, out: &mut Vec<CelRecord>) {
    let tell = |what| CelRecord::of(what, &event.channel, event.at);
    out.extend(match &event.event {
        ChannelHappening::DtmfEnd { digit, duration_ms } => {
            let extra = CelExtra::Dtmf { digit: *digit, duration_ms: *duration_ms };
            Some(tell(CelEvent::Dtmf).with(extra))
        }
        ChannelHappening::MusicStart { music_class } => {
            let extra = CelExtra::Music { class: music_class.clone() };
            Some(tell(CelEvent::StreamBegin).with(extra))
        }
        ChannelHappening::MusicStop => Some(tell(CelEvent::StreamEnd)),
        ChannelHappening::LocalOptimized { other } => {
            let extra = CelExtra::Optimized {
                local_two: other.base.name.clone(),
                local_two_uniqueid: other.base.id.to_string(),
            };
            Some(tell(CelEvent::LocalOptimize).with(extra))
        }
        _ => None,
    });
}

pub(super) fn user(event: &UserEvent, out: &mut Vec<CelRecord>) {
    let Some(channel) = &event.channel else { return };
    let mut record = CelRecord::of(CelEvent::UserDefined, channel, event.at);
    record.userfield.clone_from(&event.name);
    let extra = serde_json::to_string(&event.body).unwrap_or_default();
    out.push(record.with(CelExtra::User { extra }));
}

/// Name and id of a channel that may not be one.
fn names(channel: Option<&Arc<ChannelSnapshot>>) -> (String, String) {
    let none = || ("N/A".to_owned(), "N/A".to_owned());
    channel.map_or_else(none, |one| (one.base.name.clone(), one.base.id.to_string()))
}

pub(super) fn blind_transfer(
    transfer: &BlindTransfer,
    bridge: &BridgeSnapshot,
    at: Timestamp,
) -> Option<CelRecord> {
    let (name, id) = names(transfer.transferee.as_ref());
    let extra = CelExtra::BlindTransfer {
        extension: transfer.exten.clone(),
        context: transfer.context.clone(),
        bridge_id: bridge.id.to_string(),
        transferee_channel_name: name,
        transferee_channel_uniqueid: id,
    };
    let record = || CelRecord::of(CelEvent::BlindTransfer, &transfer.channel, at).with(extra);
    (transfer.result == TransferResult::Success).then(record)
}

pub(super) fn attended_transfer(
    transfer: &AttendedTransfer,
    bridge: &BridgeSnapshot,
    at: Timestamp,
) -> Option<CelRecord> {
    let (transferee, transferee_id) = names(transfer.transferee.as_ref());
    let (target, target_id) = names(transfer.target.as_ref());
    let second = transfer.second_bridge.as_ref();
    let extra = CelExtra::AttendedTransfer {
        bridge1_id: bridge.id.to_string(),
        channel2_name: transfer.second_leg.base.name.clone(),
        channel2_uniqueid: transfer.second_leg.base.id.to_string(),
        bridge2_id: second.map_or_else(|| "N/A".into(), |second| second.id.to_string()),
        transferee_channel_name: transferee,
        transferee_channel_uniqueid: transferee_id,
        transfer_target_channel_name: target,
        transfer_target_channel_uniqueid: target_id,
    };
    let record = || CelRecord::of(CelEvent::AttendedTransfer, &transfer.first_leg, at).with(extra);
    (transfer.result == TransferResult::Success).then(record)
}
