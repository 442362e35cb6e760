//! `Echo`: answers at once, and says what it hears.

use std::collections::HashMap;

use stasis_media::leg::LegSetting;

use super::{Context, Half, Instruction, Request, RequestError, Signal, Technology};
use crate::channel::{ChannelKey, ChannelState};
use crate::media::{Line, MediaOrder};

/// The echoes that there are, with both their lines.
#[derive(Default)]
pub(crate) struct Echo {
    lines: HashMap<ChannelKey, [Line; 2]>,
}

impl Technology for Echo {
    fn names(&self) -> &'static [&'static str] {
        &["Echo"]
    }

    fn request(&mut self, request: &Request<'_>) -> Result<Vec<Half>, RequestError> {
        let name = match request.resource {
            "" => "Echo/echo".to_owned(),
            resource => format!("Echo/{resource}"),
        };
        let (state, exten) = (ChannelState::Down, String::from("s"));
        Ok(vec![Half { name, suffix: "", state, exten, context: None, endpoint: None }])
    }

    fn begin(&mut self, channels: &[ChannelKey], _: &Request<'_>, context: &mut Context<'_>) {
        let &[channel] = channels else { return };
        let [near, far] = [Line(context.number()), Line(context.number())];
        context.order(MediaOrder::OpenPair([near, far]));
        context.order(MediaOrder::Set(far, LegSetting::Echo(true)));
        self.lines.insert(channel, [near, far]);
        context.own_line(far, channel);
        context.signal(channel, Signal::Line(near));
    }

    fn instruct(&mut self, channel: ChannelKey, what: Instruction<'_>, context: &mut Context<'_>) {
        match what {
            Instruction::Call { .. } => context.signal(channel, Signal::Answered),
            Instruction::Hangup(_) => {
                for line in self.lines.remove(&channel).into_iter().flatten() {
                    context.order(MediaOrder::CloseLine(line));
                }
            }
            _ => {}
        }
    }
}
