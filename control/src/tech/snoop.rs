//! `Snoop`: a channel without a party, which overhears another one and may speak to it. It is made by
//! request only, and ends with the channel that it overhears.

use std::collections::HashMap;

use super::{Context, Half, Instruction, Request, RequestError, Signal, Technology};
use crate::channel::{ChannelKey, ChannelState};
use crate::media::{Line, MediaOrder};

/// Those that snoop, with their lines.
#[derive(Default)]
pub(crate) struct Snoop {
    lines: HashMap<ChannelKey, Line>,
}

impl Technology for Snoop {
    fn names(&self) -> &'static [&'static str] {
        &["Snoop"]
    }

    fn request(&mut self, request: &Request<'_>) -> Result<Vec<Half>, RequestError> {
        if request.snoop.is_none() {
            return Err(RequestError::Unknown {
                technology: request.technology.into(),
                resource: request.resource.into(),
                hint: "a snooping channel is made of the channel that it is to overhear",
            });
        }
        let name = format!("Snoop/{}", request.resource);
        let (state, exten) = (ChannelState::Up, String::from("s"));
        Ok(vec![Half { name, suffix: "", state, exten, context: None, endpoint: None }])
    }

    fn begin(&mut self, channels: &[ChannelKey], request: &Request<'_>, context: &mut Context<'_>) {
        let (&[channel], Some(snoop)) = (channels, request.snoop) else { return };
        let line = Line(context.number());
        let super::SnoopRequest { of, spy, whisper } = snoop;
        context.order(MediaOrder::OpenSnoop { line, of, spy, whisper });
        self.lines.insert(channel, line);
        context.signal(channel, Signal::Line(line));
    }

    fn instruct(&mut self, channel: ChannelKey, what: Instruction<'_>, context: &mut Context<'_>) {
        if let Instruction::Hangup(_) = what
            && let Some(line) = self.lines.remove(&channel)
        {
            context.order(MediaOrder::CloseLine(line));
        }
    }
}
