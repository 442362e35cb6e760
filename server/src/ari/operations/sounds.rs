//! `/sounds`: what there is to be played.

use crate::ari::Ari;
use crate::ari::operation::{Operation, Outcome, Returns, files, get};
use crate::ari::parameters::parameters;
use crate::ari::reply::Reply;

parameters! {
    struct Which {
        /// Only in this language.
        Query "lang" language: Option<String>;
        /// Only in this format.
        Query "format" format: Option<String>;
    }

    struct One {
        /// Its name; slashes in it are percent-encoded.
        Path "soundId" id: String;
    }
}

pub(super) fn operations() -> Vec<Operation> {
    vec![
        get("/sounds", "list", list)
            .says("All sounds.")
            .returns(Returns::List("Sound"))
            .fails(&[(404, "There is none that is asked for.")]),
        get("/sounds/{soundId}", "get", read)
            .says("A sound.")
            .returns(Returns::Object("Sound"))
            .fails(&[(404, "There is no such sound.")]),
    ]
}

fn list(ari: &Ari, Which { language, format }: Which) -> Outcome {
    let prompts = ari.prompts.clone();
    files(move || {
        let all = crate::sounds::list(&prompts, language.as_deref(), format.as_deref());
        match all.is_empty() && (language.is_some() || format.is_some()) {
            true => Err(Reply::error(404, "No sounds found that matched the query")),
            false => Ok(Reply::ok(&all)),
        }
    })
}

fn read(ari: &Ari, One { id }: One) -> Outcome {
    let prompts = ari.prompts.clone();
    files(move || {
        let found = crate::sounds::find(&prompts, &id);
        found.map(|sound| Reply::ok(&sound)).ok_or_else(|| Reply::error(404, "Sound not found"))
    })
}
