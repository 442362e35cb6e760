//! What messages are called in statistics: as Asterisk calls its types of messages, where it has one like it.

use stasis_bus::{Filter, Message};
use stasis_control::bridge::BridgeUpdate;
use stasis_control::channel::ChannelUpdate;
use stasis_control::message::{
    ApplicationEvent, ApplicationHappening, ApplicationUpdate, BridgeEvent, BridgeHappening,
    ChannelEvent, ChannelHappening, DeviceUpdate, Dial, EndpointUpdate, MailboxUpdate,
    PlaybackEvent, PresenceUpdate, RecordingEvent, TextMessage, UserEvent, VariableSet,
};

use super::feed::{Feed, FeedError};

/// All names that [`kind_of`] gives.
pub const KINDS: [&str; 39] = [
    "ast_attended_transfer_type",
    "ast_blind_transfer_type",
    "ast_bridge_merge_message_type",
    "ast_bridge_snapshot_type",
    "ast_channel_dial_type",
    "ast_channel_dtmf_begin_type",
    "ast_channel_dtmf_end_type",
    "ast_channel_entered_bridge_type",
    "ast_channel_hangup_request_type",
    "ast_channel_hold_type",
    "ast_channel_left_bridge_type",
    "ast_channel_moh_start_type",
    "ast_channel_moh_stop_type",
    "ast_channel_snapshot_type",
    "ast_channel_talking_start",
    "ast_channel_talking_stop",
    "ast_channel_unhold_type",
    "ast_channel_varset_type",
    "ast_device_state_message_type",
    "ast_endpoint_snapshot_type",
    "ast_local_optimization_end_type",
    "ast_multi_user_event_type",
    "ast_mwi_state_type",
    "ast_presence_state_message_type",
    "stasis_app_playback_snapshot_type",
    "stasis_app_recording_snapshot_type",
    "application_call_broadcast",
    "application_call_claimed",
    "application_end",
    "application_move_failed",
    "application_registered",
    "application_replaced",
    "application_start",
    "application_unregistered",
    "application_update",
    "bridge_varset",
    "channel_tone_detected",
    "global_varset",
    "text_message",
];

/// The topics that have all there is to count, and what is accepted of them.
pub(super) fn everything(bus: &stasis_bus::Bus, name: &str) -> Result<(Feed, Filter), FeedError> {
    let topics = [
        "channel:all",
        "bridge:all",
        "endpoint:all",
        "deviceState:all",
        "presence:all",
        "mwi:all",
        "stasis:all",
        "playback:all",
        "recording:all",
        "variable:all",
        "message:all",
    ];
    let filter = Filter::nothing()
        .and::<ChannelUpdate>()
        .and::<ChannelEvent>()
        .and::<VariableSet>()
        .and::<Dial>()
        .and::<BridgeUpdate>()
        .and::<BridgeEvent>()
        .and::<EndpointUpdate>()
        .and::<DeviceUpdate>()
        .and::<PresenceUpdate>()
        .and::<MailboxUpdate>()
        .and::<ApplicationEvent>()
        .and::<ApplicationUpdate>()
        .and::<PlaybackEvent>()
        .and::<RecordingEvent>()
        .and::<TextMessage>()
        .and::<UserEvent>();
    Ok((Feed::new(bus, name, &topics)?, filter))
}

/// Whether a message is to be counted where it was heard. Playbacks and recordings are told twice, on the topic
/// of whom they concern and on their own: the latter counts.
pub(super) fn counts(message: &Message) -> bool {
    let topic = message.topic().name();
    let is_elsewhere = (message.is::<PlaybackEvent>() && topic != "playback:all")
        || (message.is::<RecordingEvent>() && topic != "recording:all");
    !is_elsewhere
}

/// What a message is called in statistics; none: it is none of the call model's.
pub fn kind_of(message: &Message) -> Option<&'static str> {
    if message.is::<ChannelUpdate>() {
        return Some("ast_channel_snapshot_type");
    }
    if let Some(set) = message.downcast_ref::<VariableSet>() {
        let is_global = set.channel.is_none();
        return Some(if is_global { "global_varset" } else { "ast_channel_varset_type" });
    }
    if let Some(event) = message.downcast_ref::<ChannelEvent>() {
        return Some(of_channel(&event.event));
    }
    if let Some(event) = message.downcast_ref::<BridgeEvent>() {
        return Some(of_bridge(&event.event));
    }
    if let Some(event) = message.downcast_ref::<ApplicationEvent>() {
        return Some(of_application(&event.event));
    }
    of_type(message)
}

/// By the type of the message alone.
fn of_type(message: &Message) -> Option<&'static str> {
    macro_rules! first_of {
        ($($kind:ty => $name:literal),* $(,)?) => {
            None$(.or_else(|| message.is::<$kind>().then_some($name)))*
        };
    }
    first_of!(
        BridgeUpdate => "ast_bridge_snapshot_type",
        Dial => "ast_channel_dial_type",
        DeviceUpdate => "ast_device_state_message_type",
        EndpointUpdate => "ast_endpoint_snapshot_type",
        UserEvent => "ast_multi_user_event_type",
        MailboxUpdate => "ast_mwi_state_type",
        PresenceUpdate => "ast_presence_state_message_type",
        PlaybackEvent => "stasis_app_playback_snapshot_type",
        RecordingEvent => "stasis_app_recording_snapshot_type",
        ApplicationUpdate => "application_update",
        TextMessage => "text_message",
    )
}

fn of_channel(event: &ChannelHappening) -> &'static str {
    match event {
        ChannelHappening::HangupRequest { .. } => "ast_channel_hangup_request_type",
        ChannelHappening::DtmfBegin { .. } => "ast_channel_dtmf_begin_type",
        ChannelHappening::DtmfEnd { .. } => "ast_channel_dtmf_end_type",
        ChannelHappening::Hold { .. } => "ast_channel_hold_type",
        ChannelHappening::Unhold => "ast_channel_unhold_type",
        ChannelHappening::MusicStart { .. } => "ast_channel_moh_start_type",
        ChannelHappening::MusicStop => "ast_channel_moh_stop_type",
        ChannelHappening::TalkingStarted => "ast_channel_talking_start",
        ChannelHappening::TalkingFinished { .. } => "ast_channel_talking_stop",
        ChannelHappening::ToneDetected { .. } => "channel_tone_detected",
        ChannelHappening::LocalOptimized { .. } => "ast_local_optimization_end_type",
    }
}

fn of_bridge(event: &BridgeHappening) -> &'static str {
    match event {
        BridgeHappening::Entered { .. } => "ast_channel_entered_bridge_type",
        BridgeHappening::Left { .. } => "ast_channel_left_bridge_type",
        BridgeHappening::Merged { .. } => "ast_bridge_merge_message_type",
        BridgeHappening::VariableSet { .. } => "bridge_varset",
        BridgeHappening::BlindTransfer(_) => "ast_blind_transfer_type",
        BridgeHappening::AttendedTransfer(_) => "ast_attended_transfer_type",
    }
}

fn of_application(event: &ApplicationHappening) -> &'static str {
    match event {
        ApplicationHappening::StasisStart { .. } => "application_start",
        ApplicationHappening::StasisEnd { .. } => "application_end",
        ApplicationHappening::MoveFailed { .. } => "application_move_failed",
        ApplicationHappening::Replaced => "application_replaced",
        ApplicationHappening::Registered => "application_registered",
        ApplicationHappening::Unregistered => "application_unregistered",
        ApplicationHappening::CallBroadcast { .. } => "application_call_broadcast",
        ApplicationHappening::CallClaimed { .. } => "application_call_claimed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_is_explained_and_no_two_are_the_same() {
        let docs = include_str!("../../../docs/metrics.md");
        let mut names = KINDS.to_vec();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), KINDS.len());
        for name in names {
            assert!(docs.contains(&format!("`{name}`")), "docs/metrics.md does not have {name}");
        }
    }
}
