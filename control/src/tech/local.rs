//! `Local/exten@context`: two channels back to back. What is done with the first half happens to the
//! second, which the dialplan has.
//!
//! With `/n` the two stay; without it they are left out as soon as both are in bridges of two, and the
//! others hear each other directly.

use std::collections::HashMap;

use super::{Context, Half, Instruction, Request, RequestError, Signal, Technology};
use crate::channel::{ChannelKey, ChannelState};
use crate::media::{Line, MediaOrder};

/// Both halves of all pairs.
#[derive(Default)]
pub(crate) struct Local {
    halves: HashMap<ChannelKey, Side>,
}

/// One half.
struct Side {
    other: ChannelKey,
    line: Line,
    is_first: bool,
    /// Whether the pair may be left out.
    may_go: bool,
}

/// `exten`, `context` and whether the pair may be left out, of `exten@context/options`.
fn parse(resource: &str) -> (&str, Option<&str>, bool) {
    let (place, options) = resource.split_once('/').unwrap_or((resource, ""));
    let (exten, context) = match place.split_once('@') {
        Some((exten, context)) => (exten, Some(context).filter(|context| !context.is_empty())),
        None => (place, None),
    };
    (exten, context, !options.contains('n'))
}

impl Technology for Local {
    fn names(&self) -> &'static [&'static str] {
        &["Local"]
    }

    fn request(&mut self, request: &Request<'_>) -> Result<Vec<Half>, RequestError> {
        let (exten, context, _) = parse(request.resource);
        if exten.is_empty() {
            return Err(RequestError::Malformed {
                technology: request.technology.into(),
                resource: request.resource.into(),
                hint: "write Local/exten@context, with /n to keep both halves",
            });
        }
        let name = format!("Local/{exten}@{}", context.unwrap_or("default"));
        let half = |suffix, state| Half {
            name: name.clone(),
            suffix,
            state,
            exten: exten.into(),
            context: Some(context.unwrap_or("default").into()),
            endpoint: None,
        };
        Ok(vec![half(";1", ChannelState::Down), half(";2", ChannelState::Ring)])
    }

    fn begin(&mut self, channels: &[ChannelKey], request: &Request<'_>, context: &mut Context<'_>) {
        let &[first, second] = channels else { return };
        let may_go = parse(request.resource).2;
        let lines = [Line(context.number()), Line(context.number())];
        context.order(MediaOrder::OpenPair(lines));
        let [line, other_line] = lines;
        self.halves.insert(first, Side { other: second, line, is_first: true, may_go });
        self.halves
            .insert(second, Side { other: first, line: other_line, is_first: false, may_go });
        context.signal(first, Signal::Line(line));
        context.signal(second, Signal::Line(other_line));
    }

    fn instruct(&mut self, channel: ChannelKey, what: Instruction<'_>, context: &mut Context<'_>) {
        let Some(side) = self.halves.get(&channel) else { return };
        let other = side.other;
        match what {
            Instruction::Call { caller, connected } if side.is_first => {
                let back =
                    crate::party::Caller { ani: caller.ani.clone(), ..connected.clone().into() };
                context.signal(other, Signal::Inherit(channel));
                context.signal(other, Signal::Parties(back, caller.id.clone()));
                context.signal(other, Signal::Start);
            }
            Instruction::Call { .. } | Instruction::Redirect(_) | Instruction::Ring(false) => {}
            Instruction::Ring(true) => context.signal(other, Signal::Ringing),
            Instruction::Progress => context.signal(other, Signal::Progress),
            Instruction::Busy => context.signal(other, Signal::Busy),
            Instruction::Congestion => context.signal(other, Signal::Congestion),
            Instruction::Answer => context.signal(other, Signal::Answered),
            Instruction::Hold(held) => context.signal(other, Signal::Hold(held)),
            Instruction::Connected(party) => {
                context.signal(other, Signal::Caller(party.clone()));
            }
            Instruction::Hangup(cause) => {
                context.order(MediaOrder::CloseLine(side.line));
                self.halves.remove(&channel);
                if self.halves.contains_key(&other) {
                    context.signal(other, Signal::HungUp { cause, tech_cause: None });
                }
            }
        }
    }

    fn other_half(&self, channel: ChannelKey) -> Option<ChannelKey> {
        self.halves.get(&channel).filter(|side| side.may_go).map(|side| side.other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_in_the_dialplan_is_read_with_its_options() {
        assert_eq!(parse("echo@golden/n"), ("echo", Some("golden"), false));
        assert_eq!(parse("echo@golden"), ("echo", Some("golden"), true));
        assert_eq!(parse("s"), ("s", None, true));
        assert_eq!(parse("s@/n"), ("s", None, false));
    }
}
