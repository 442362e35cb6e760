//! `/deviceStates`: what devices do.

use stasis_control::device::DeviceState;
use stasis_control::endpoint::EndpointState;

use crate::ari::Ari;
use crate::ari::model::DeviceState as Model;
use crate::ari::operation::{Operation, Outcome, Returns, command, delete, done, get, put};
use crate::ari::parameters::{Later, parameters};
use crate::ari::reply::Reply;

parameters! {
    struct One {
        /// Its name.
        Path "deviceName" name: String;
    }

    struct Update {
        /// Its name; it begins with `Stasis:`.
        Path "deviceName" name: String;
        /// What it does.
        Query "deviceState" state: Later<String>,
            in ["NOT_INUSE", "INUSE", "BUSY", "INVALID", "UNAVAILABLE", "RINGING", "RINGINUSE", "ONHOLD"];
    }
}

pub(super) fn operations() -> Vec<Operation> {
    let not_ours = (409, "Its state is not for clients to set: only those of Stasis: are.");
    let unknown = (404, "There is no such device.");
    vec![
        get("/deviceStates", "list", list)
            .says("All devices whose states clients have set.")
            .returns(Returns::List("DeviceState")),
        get("/deviceStates/{deviceName}", "get", |ari, One { name }: One| {
            done(Reply::ok(&Model { name: &name, state: state_of(ari, &name).name() }))
        })
        .says("What a device does, also one that nobody has ever heard of.")
        .returns(Returns::Object("DeviceState")),
        put("/deviceStates/{deviceName}", "update", update)
            .says("Sets what a device does.")
            .fails(&[(400, "There is no such state."), unknown, not_ours]),
        delete("/deviceStates/{deviceName}", "delete", |_, One { name }: One| {
            command(move |exchange| exchange.delete_device_state(&name))
        })
        .says("What a device does is not known any more.")
        .fails(&[unknown, not_ours]),
    ]
}

/// What a device does. An endpoint that has no calls does nothing; of others that is not known.
fn state_of(ari: &Ari, name: &str) -> DeviceState {
    let idle = || match ari.state.endpoint(name)?.state {
        EndpointState::Online => Some(DeviceState::NotInuse),
        EndpointState::Offline => Some(DeviceState::Unavailable),
        EndpointState::Unknown => None,
    };
    ari.state.device(name).or_else(idle).unwrap_or_default()
}

fn list(ari: &Ari, (): ()) -> Outcome {
    let all = ari.state.devices();
    let ours = all.iter().filter(|device| device.name.starts_with("Stasis:"));
    let model = ours.map(|device| Model { name: &device.name, state: device.state.name() });
    done(Reply::ok(&model.collect::<Vec<_>>()))
}

fn update(_: &Ari, Update { name, state }: Update) -> Outcome {
    let state = state.or("Missing parameter deviceState")?;
    let state = DeviceState::parse(&state);
    let state = state.ok_or_else(|| Reply::error(400, "There is no such device state"))?;
    command(move |exchange| exchange.set_device_state(&name, state))
}
