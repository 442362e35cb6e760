//! What can be done to an exchange, with small numbers that stand for whom it is done to.
//!
//! A number picks one of those that are there; the largest pick one that is gone, or never was. So a case is
//! still one when it is made smaller.

use proptest::prelude::*;

/// One of those that there are.
pub type Pick = u8;

#[derive(Clone, Debug)]
pub enum Command {
    Originate {
        endpoint: Pick,
        id: Pick,
        other: Pick,
        then: Pick,
        time: Pick,
    },
    Create {
        endpoint: Pick,
        id: Pick,
        app: Pick,
    },
    Dial {
        channel: Pick,
        caller: Pick,
        time: Pick,
    },
    Incoming {
        endpoint: Pick,
        id: Pick,
        exten: Pick,
    },
    External {
        id: Pick,
        app: Pick,
        way: Pick,
    },
    Snoop {
        channel: Pick,
        id: Pick,
        app: Pick,
        way: Pick,
    },
    Hangup {
        channel: Pick,
        cause: Pick,
    },
    /// Answer, ring, hold, mute, music, …
    Change {
        channel: Pick,
        how: Pick,
    },
    Redirect {
        channel: Pick,
        endpoint: Pick,
    },
    SendDigits {
        channel: Pick,
        digits: Pick,
    },
    Variable {
        channel: Pick,
        name: Pick,
        value: Pick,
    },
    Continue {
        channel: Pick,
        exten: Pick,
        form: Pick,
    },
    Move {
        channel: Pick,
        app: Pick,
    },
    Claim {
        channel: Pick,
        app: Pick,
    },
    Play {
        channel: Pick,
        id: Pick,
        media: Pick,
    },
    PlayToBridge {
        bridge: Pick,
        id: Pick,
        media: Pick,
    },
    StopPlayback {
        playback: Pick,
    },
    ControlPlayback {
        playback: Pick,
        how: Pick,
    },
    Record {
        channel: Pick,
        name: Pick,
    },
    RecordBridge {
        bridge: Pick,
        name: Pick,
    },
    ControlRecording {
        name: Pick,
        how: Pick,
    },
    MakeBridge {
        id: Pick,
        kind: Pick,
    },
    DestroyBridge {
        bridge: Pick,
    },
    Add {
        bridge: Pick,
        channels: Vec<Pick>,
        how: Pick,
    },
    Remove {
        bridge: Pick,
        channels: Vec<Pick>,
    },
    Merge {
        from: Pick,
        into: Pick,
    },
    /// Music, variables.
    ChangeBridge {
        bridge: Pick,
        how: Pick,
    },
    BlindTransfer {
        channel: Pick,
        exten: Pick,
    },
    AttendedTransfer {
        first: Pick,
        second: Pick,
    },
    Register {
        app: Pick,
    },
    Deactivate {
        registration: Pick,
    },
    Subscribe {
        app: Pick,
        source: Pick,
        of: Pick,
    },
    Unsubscribe {
        app: Pick,
        source: Pick,
        of: Pick,
    },
    Filter {
        app: Pick,
    },
    UserEvent {
        app: Pick,
        source: Pick,
        of: Pick,
    },
    /// Devices, presence, mailboxes, endpoints, variables for all, messages, another dialplan.
    World {
        what: Pick,
        how: Pick,
    },
    /// What a technology of others says of one of its channels.
    Signal {
        channel: Pick,
        what: Pick,
    },
    /// Time passes.
    Wait {
        time: Pick,
    },
    /// Time passes until something is due.
    WaitForTimer,
    /// The engine has done all that it was to do so far, or a part of that.
    Engine {
        what: Pick,
        of: Pick,
    },
}

fn pick() -> impl Strategy<Value = Pick> {
    prop_oneof![6 => 0_u8..6, 2 => any::<u8>()]
}

/// The simplest as often as all others.
fn simple() -> impl Strategy<Value = Pick> {
    prop_oneof![Just(0), any::<u8>()]
}

fn picks() -> impl Strategy<Value = Vec<Pick>> {
    prop::collection::vec(pick(), 1..4)
}

/// Strategies for commands whose arguments are numbers, each with how often it comes.
macro_rules! commands {
    ($($weight:literal => $name:ident { $($field:ident: $strategy:expr),* }),* $(,)?) => {
        prop_oneof![$($weight => ($($strategy,)*).prop_map(
            |($($field,)*)| Command::$name { $($field),* }
        )),*]
    };
}

fn calling() -> impl Strategy<Value = Command> {
    let any = any::<u8>;
    commands![
        10 => Originate { endpoint: simple(), id: pick(), other: pick(), then: simple(), time: pick() },
        4 => Create { endpoint: any(), id: pick(), app: pick() },
        4 => Dial { channel: pick(), caller: pick(), time: pick() },
        6 => Incoming { endpoint: any(), id: pick(), exten: any() },
        2 => External { id: pick(), app: pick(), way: pick() },
        3 => Snoop { channel: pick(), id: pick(), app: pick(), way: pick() },
        4 => Hangup { channel: pick(), cause: any() },
        4 => Claim { channel: pick(), app: pick() },
        5 => Signal { channel: pick(), what: any() },
    ]
}

fn on_channels() -> impl Strategy<Value = Command> {
    let any = any::<u8>;
    commands![
        8 => Change { channel: pick(), how: any() },
        1 => Redirect { channel: pick(), endpoint: any() },
        2 => SendDigits { channel: pick(), digits: any() },
        3 => Variable { channel: pick(), name: any(), value: pick() },
        4 => Continue { channel: pick(), exten: any(), form: any() },
        3 => Move { channel: pick(), app: pick() },
        6 => Play { channel: pick(), id: pick(), media: any() },
        3 => StopPlayback { playback: pick() },
        3 => ControlPlayback { playback: pick(), how: any() },
        4 => Record { channel: pick(), name: pick() },
        3 => ControlRecording { name: pick(), how: any() },
    ]
}

fn on_bridges() -> impl Strategy<Value = Command> {
    let any = any::<u8>;
    commands![
        6 => MakeBridge { id: pick(), kind: pick() },
        2 => DestroyBridge { bridge: pick() },
        9 => Add { bridge: pick(), channels: picks(), how: any() },
        3 => Remove { bridge: pick(), channels: picks() },
        2 => Merge { from: pick(), into: pick() },
        2 => ChangeBridge { bridge: pick(), how: any() },
        2 => PlayToBridge { bridge: pick(), id: pick(), media: any() },
        2 => RecordBridge { bridge: pick(), name: pick() },
        4 => BlindTransfer { channel: pick(), exten: any() },
        4 => AttendedTransfer { first: pick(), second: pick() },
    ]
}

fn on_applications() -> impl Strategy<Value = Command> {
    let any = any::<u8>;
    commands![
        3 => Register { app: pick() },
        3 => Deactivate { registration: pick() },
        4 => Subscribe { app: pick(), source: any(), of: pick() },
        4 => Unsubscribe { app: pick(), source: any(), of: pick() },
        1 => Filter { app: pick() },
        1 => UserEvent { app: pick(), source: any(), of: pick() },
        2 => World { what: any(), how: pick() },
    ]
}

fn passing() -> impl Strategy<Value = Command> {
    prop_oneof![
        3 => pick().prop_map(|time| Command::Wait { time }),
        3 => Just(Command::WaitForTimer),
        8 => (any::<u8>(), pick()).prop_map(|(what, of)| Command::Engine { what, of }),
    ]
}

pub fn commands(most: usize) -> impl Strategy<Value = Vec<Command>> {
    let command = prop_oneof![
        4 => calling(),
        4 => on_channels(),
        4 => on_bridges(),
        2 => on_applications(),
        5 => passing(),
    ];
    prop::collection::vec(command, 1..most)
}
