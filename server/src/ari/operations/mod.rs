//! All operations of ARI, one file for each resource, in one table.

mod applications;
mod asterisk;
mod bridges;
mod channels;
mod device_states;
mod endpoints;
mod events;
mod mailboxes;
mod media;
mod playbacks;
pub(super) mod recordings;
mod sounds;

use std::sync::Arc;

use stasis_control::Refusal;
use stasis_control::application::Source;
use stasis_control::channel::ChannelSnapshot;
use stasis_control::id::ChannelId;

use super::Ari;
use super::operation::Operation;
use super::reply::Reply;

/// The class of music where none is named.
const MUSIC: &str = "default";

/// All operations, by their resources.
pub(super) fn all() -> Vec<Operation> {
    [
        applications::operations(),
        asterisk::operations(),
        bridges::operations(),
        channels::operations(),
        device_states::operations(),
        endpoints::operations(),
        events::operations(),
        mailboxes::operations(),
        playbacks::operations(),
        recordings::operations(),
        sounds::operations(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// There is this channel.
fn find_channel(ari: &Ari, id: &str) -> Result<Arc<ChannelSnapshot>, Reply> {
    let found = ChannelId::new(id).ok().and_then(|id| ari.state.channel(&id));
    found.ok_or_else(|| Refusal::NoChannel(id.into()).into())
}

/// Sources of events.
fn sources(texts: &[String]) -> Result<Vec<Source>, Reply> {
    let bad = |_| Reply::error(400, "Invalid event source URI scheme");
    texts.iter().map(|text| text.parse().map_err(bad)).collect()
}
