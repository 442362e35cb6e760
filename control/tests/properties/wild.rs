//! A technology whose signals come when the case says so, in whatever order.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use stasis_control::cause::Cause;
use stasis_control::channel::{ChannelKey, ChannelState};
use stasis_control::media::{Line, MediaOrder, RtpOpen};
use stasis_control::party::Party;
use stasis_control::tech::{Context, Half, Instruction, Request, RequestError, Signal, Technology};

/// All channels that there ever were, for who signals.
pub type Keys = Arc<Mutex<Vec<ChannelKey>>>;

#[derive(Default)]
pub struct Wild {
    pub keys: Keys,
    lines: HashMap<ChannelKey, Line>,
}

impl Technology for Wild {
    fn names(&self) -> &'static [&'static str] {
        &["Wild"]
    }

    fn request(&mut self, request: &Request<'_>) -> Result<Vec<Half>, RequestError> {
        let name = format!("Wild/{}", request.resource);
        let (state, exten) = (ChannelState::Down, "s".into());
        Ok(vec![Half { name, suffix: "", state, exten, context: None, endpoint: None }])
    }

    fn begin(&mut self, channels: &[ChannelKey], _: &Request<'_>, context: &mut Context<'_>) {
        let channel = channels[0];
        let line = Line(context.number());
        let open = RtpOpen { remote: ([127, 0, 0, 1], 4_000).into(), formats: Vec::new() };
        context.order(MediaOrder::OpenRtp(line, open));
        context.signal(channel, Signal::Line(line));
        self.lines.insert(channel, line);
        self.keys.lock().unwrap().push(channel);
    }

    fn instruct(&mut self, channel: ChannelKey, what: Instruction<'_>, context: &mut Context<'_>) {
        if let Instruction::Hangup(_) = what {
            let line = self.lines.remove(&channel).expect("it is hung up once");
            context.order(MediaOrder::CloseLine(line));
        }
    }
}

/// What is said of a channel.
pub fn signal(what: u8) -> Signal {
    let hung_up = |cause| Signal::HungUp { cause: Cause(cause), tech_cause: Some(486) };
    match what % 12 {
        0..=2 => Signal::Answered,
        3 => Signal::Ringing,
        4 => Signal::Progress,
        5 => Signal::Busy,
        6 => Signal::Congestion,
        7 => hung_up(16),
        8 => hung_up(0),
        9 => Signal::Hold(what & 16 != 0),
        10 => Signal::Caller(Party::number("77")),
        _ => Signal::Variable("WILD", what.to_string()),
    }
}
