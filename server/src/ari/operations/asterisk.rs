//! `/asterisk`: the server itself.
//!
//! There are no modules that could be loaded, and no configuration that could be changed from here: those operations answer as where the thing in question is not there.

use crate::ari::Ari;
use crate::ari::model::{
    AsteriskInfo, AsteriskPing, BuildInfo, ConfigInfo, Date, LogChannel as Model, SetId,
    StatusInfo, SystemInfo, Variable,
};
use crate::ari::operation::{
    Operation, Outcome, Returns, command, delete, done, exchange, files, get, post, put,
};
use crate::ari::parameters::parameters;
use crate::ari::reply::Reply;
use crate::log::LogError;

parameters! {
    struct Only {
        /// Which parts; all if there is none.
        Query "only" only: Option<Vec<String>>, in ["build", "system", "config", "status"];
    }

    struct Object {
        /// The class of configuration.
        Path "configClass" class: String;
        /// The type of object.
        Path "objectType" kind: String;
        /// Which.
        Path "id" id: String;
    }

    struct UpdateObject {
        /// The class of configuration.
        Path "configClass" class: String;
        /// The type of object.
        Path "objectType" kind: String;
        /// Which.
        Path "id" id: String;
        /// Attributes and their values.
        Body "fields" fields: Option<serde_json::Value>;
    }

    struct Module {
        /// Which.
        Path "moduleName" name: String;
    }

    struct LogChannel {
        /// Which.
        Path "logChannelName" name: String;
    }

    struct NewLogChannel {
        /// Which.
        Path "logChannelName" name: String;
        /// The levels.
        Query "configuration" levels: String, missing "Configuration levels are required";
    }

    struct ReadVariable {
        /// The variable's name, or a function.
        Query "variable" variable: String, missing "Variable name is required";
    }

    struct SetVariable {
        /// The variable's name.
        Query "variable" variable: String, missing "Variable name is required";
        /// Its value; nothing takes it away.
        Query "value" value: Option<String>;
    }
}

const NO_NAME: (u16, &str) = (400, "The variable's name is missing.");

pub(super) fn operations() -> Vec<Operation> {
    let mut all = modules();
    all.extend([
        get("/asterisk/info", "getInfo", info)
            .says("What the server is.")
            .returns(Returns::Object("AsteriskInfo")),
        get("/asterisk/ping", "ping", ping)
            .says("Whether the server is there.")
            .returns(Returns::Object("AsteriskPing")),
        get("/asterisk/variable", "getGlobalVar", variable)
            .says("What a variable for all is; nothing when it is not set.")
            .returns(Returns::Object("Variable"))
            .fails(&[NO_NAME]),
        post("/asterisk/variable", "setGlobalVar", set_variable)
            .says("Sets a variable for all.")
            .fails(&[NO_NAME]),
    ]);
    all
}

/// What has no counterpart here.
fn modules() -> Vec<Operation> {
    let no_class = (404, "There is no such class of configuration.");
    let denied = (403, "It cannot be changed.");
    let bad = (400, "A parameter is missing or cannot be.");
    let no_module = (404, "There is no such module.");
    let busy = (409, "The module cannot be loaded or unloaded.");
    let no_log = (404, "There is no such log channel.");
    let object = "/asterisk/config/dynamic/{configClass}/{objectType}/{id}";
    vec![
        get(object, "getObject", |_, object: Object| no_config(&object.class))
            .says("An object of the dynamic configuration. There is none.")
            .returns(Returns::List("ConfigTuple"))
            .fails(&[no_class]),
        put(object, "updateObject", |_, object: UpdateObject| no_config(&object.class))
            .says("Changes an object of the dynamic configuration. There is none.")
            .returns(Returns::List("ConfigTuple"))
            .fails(&[bad, denied, no_class]),
        delete(object, "deleteObject", |_, object: Object| no_config(&object.class))
            .says("Deletes an object of the dynamic configuration. There is none.")
            .fails(&[denied, no_class]),
        get("/asterisk/modules", "listModules", |_, ()| {
            done(Reply::ok(&Vec::<crate::ari::model::Module>::new()))
        })
        .says("All modules that are loaded. There are none: nothing here can be loaded.")
        .returns(Returns::List("Module")),
        get("/asterisk/modules/{moduleName}", "getModule", |_, _: Module| {
            Err(Reply::error(404, "Module could not be found in running modules"))
        })
        .says("A module.")
        .returns(Returns::Object("Module"))
        .fails(&[no_module, busy]),
        post("/asterisk/modules/{moduleName}", "loadModule", |_, _: Module| {
            Err(Reply::error(409, "Module load declined"))
        })
        .says("Loads a module, which is always refused.")
        .fails(&[busy]),
        delete("/asterisk/modules/{moduleName}", "unloadModule", |_, _: Module| {
            Err(Reply::error(404, "Module not found in running modules"))
        })
        .says("Unloads a module.")
        .fails(&[no_module, busy]),
        put("/asterisk/modules/{moduleName}", "reloadModule", |_, _: Module| {
            Err(Reply::error(404, "Module not found in running modules"))
        })
        .says("Loads a module again.")
        .fails(&[no_module, busy]),
        get("/asterisk/logging", "listLogChannels", log_channels)
            .says("All log channels. The standard error, where the log goes besides, is none of them.")
            .returns(Returns::List("LogChannel")),
        post("/asterisk/logging/{logChannelName}", "addLog", |ari, new: NewLogChannel| {
            let log = ari.log.clone();
            of_log(move || log.add(&new.name, &new.levels))
        })
        .says("Adds a log channel: a file of this name, with these levels.")
        .fails(&[bad, (409, "There is one of this name.")]),
        delete("/asterisk/logging/{logChannelName}", "deleteLog", |ari, of: LogChannel| {
            let log = ari.log.clone();
            of_log(move || log.remove(&of.name))
        })
        .says("Takes a log channel away; its file stays.")
        .fails(&[no_log]),
        put("/asterisk/logging/{logChannelName}/rotate", "rotateLog", |ari, of: LogChannel| {
            let log = ari.log.clone();
            of_log(move || log.rotate(&of.name))
        })
        .says("Begins a log channel's file anew.")
        .fails(&[no_log]),
    ]
}

fn log_channels(ari: &Ari, (): ()) -> Outcome {
    let model = |info: crate::log::LogChannelInfo| Model {
        channel: info.path,
        kind: "File".into(),
        status: "Enabled".into(),
        configuration: info.levels,
    };
    done(Reply::ok(&ari.log.list().into_iter().map(model).collect::<Vec<_>>()))
}

/// Something is done with a log channel, where files may be waited for.
fn of_log(work: impl FnOnce() -> Result<(), LogError> + Send + 'static) -> Outcome {
    files(move || {
        work().map_err(|problem| {
            let status = match problem {
                LogError::Exists => 409,
                LogError::Unknown => 404,
                LogError::Name | LogError::Level(_) => 400,
                LogError::File { .. } => 500,
            };
            Reply::error(status, &problem.to_string())
        })?;
        Ok(Reply::no_content())
    })
}

fn no_config(class: &str) -> Outcome {
    Err(Reply::error(404, &format!("configClass '{class}' not found")))
}

fn info(ari: &Ari, Only { only }: Only) -> Outcome {
    let asked = |part: &str| {
        only.as_ref().is_none_or(|only| only.iter().any(|asked| asked == part)).then_some(())
    };
    let about = &ari.about;
    done(Reply::ok(&AsteriskInfo {
        build: asked("build").map(|()| BuildInfo {
            os: std::env::consts::OS,
            kernel: &about.kernel,
            options: "",
            machine: std::env::consts::ARCH,
            date: "",
            user: "",
        }),
        system: asked("system")
            .map(|()| SystemInfo { version: &about.version, entity_id: &about.id }),
        config: asked("config").map(|()| ConfigInfo {
            name: &about.name,
            default_language: &about.language,
            max_channels: None,
            max_open_files: about.max_open_files,
            max_load: None,
            setid: SetId { user: "", group: "" },
        }),
        status: asked("status").map(|()| StatusInfo {
            startup_time: Date(about.started),
            last_reload_time: Date(about.started),
        }),
    }))
}

fn ping(ari: &Ari, (): ()) -> Outcome {
    done(Reply::ok(&AsteriskPing {
        asterisk_id: &ari.about.id,
        ping: "pong",
        timestamp: Date(ari.now()),
    }))
}

fn variable(_: &Ari, ReadVariable { variable }: ReadVariable) -> Outcome {
    exchange(move |exchange| Ok(Reply::ok(&Variable { value: &exchange.global(&variable) })))
}

fn set_variable(_: &Ari, SetVariable { variable, value }: SetVariable) -> Outcome {
    command(move |exchange| {
        exchange.set_global(&variable, &value.unwrap_or_default());
        Ok(())
    })
}
