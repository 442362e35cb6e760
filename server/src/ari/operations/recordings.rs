//! `/recordings`: what is recorded, and what was.
//!
//! A recording is kept as a file of its name in the folder of recordings; `/` in a name divides folders, and
//! no name leads out of it.

use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf};

use stasis_control::Refusal;
use stasis_control::media::RecordControl;

use crate::ari::Ari;
use crate::ari::model::{LiveRecording, StoredRecording};
use crate::ari::operation::{Operation, Outcome, Returns, command, delete, done, files, get, post};
use crate::ari::parameters::{Later, parameters};
use crate::ari::reply::Reply;

parameters! {
    struct One {
        /// Its name.
        Path "recordingName" name: String;
    }

    struct Copy {
        /// Its name.
        Path "recordingName" name: String;
        /// The name of the copy.
        Query "destinationRecordingName" destination: Later<String>;
    }
}

/// The ending of files of recordings: all are WAV, whatever is in them.
const ENDING: &str = "wav";

/// Whether a text can be the name of a recording: it leads nowhere else.
pub(in crate::ari) fn is_name(name: &str) -> bool {
    let has_nothing_else = |part| matches!(part, Component::Normal(_));
    !name.is_empty()
        && !name.contains('\\')
        && !name.chars().any(char::is_control)
        && name.split('/').all(|part| !part.is_empty() && part != "." && part != "..")
        && Path::new(name).components().all(has_nothing_else)
}

/// Recordings that are kept.
#[derive(Clone, Debug)]
pub struct Recordings {
    folder: PathBuf,
}

impl Recordings {
    /// In this folder, which may not be there yet.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Recordings { folder: folder.into() }
    }

    /// The file of a name.
    fn file(&self, name: &str) -> Option<PathBuf> {
        is_name(name).then(|| self.folder.join(format!("{name}.{ENDING}")))
    }

    /// Whether there is one of this name.
    pub fn has(&self, name: &str) -> bool {
        self.file(name).is_some_and(|file| file.is_file())
    }

    fn find(&self, name: &str) -> Result<PathBuf, Reply> {
        let found = self.file(name).filter(|file| file.is_file());
        found.ok_or_else(|| Reply::error(404, "Recording not found"))
    }

    /// The names of all, in order.
    fn names(&self) -> Vec<String> {
        let mut names = Vec::new();
        let mut folders = vec![self.folder.clone()];
        while let Some(folder) = folders.pop() {
            let Ok(entries) = std::fs::read_dir(&folder) else { continue };
            for entry in entries.flatten() {
                let (path, kind) = (entry.path(), entry.file_type());
                match kind {
                    Ok(kind) if kind.is_dir() => folders.push(path),
                    Ok(kind) if kind.is_file() => {
                        let is_ours = path.extension().is_some_and(|ending| ending == ENDING);
                        let name = path.strip_prefix(&self.folder).ok().filter(|_| is_ours);
                        names.extend(
                            name.and_then(|name| {
                                name.with_extension("").to_str().map(str::to_owned)
                            }),
                        );
                    }
                    _ => {}
                }
            }
        }
        names.sort();
        names
    }
}

pub(super) fn operations() -> Vec<Operation> {
    let mut all = stored();
    all.extend(live());
    all
}

fn stored() -> Vec<Operation> {
    let unknown = (404, "There is no such recording.");
    vec![
        get("/recordings/stored", "listStored", |ari, ()| {
            let recordings = ari.recordings.clone();
            files(move || {
                let names = recordings.names();
                let model = names.iter().map(|name| StoredRecording { name, format: ENDING });
                Ok(Reply::ok(&model.collect::<Vec<_>>()))
            })
        })
        .says("All recordings that are kept.")
        .returns(Returns::List("StoredRecording")),
        get("/recordings/stored/{recordingName}", "getStored", |ari, One { name }: One| {
            let recordings = ari.recordings.clone();
            files(move || {
                recordings.find(&name)?;
                Ok(Reply::ok(&StoredRecording { name: &name, format: ENDING }))
            })
        })
        .says("A recording that is kept.")
        .returns(Returns::Object("StoredRecording"))
        .fails(&[unknown]),
        delete("/recordings/stored/{recordingName}", "deleteStored", |ari, One { name }: One| {
            let recordings = ari.recordings.clone();
            files(move || {
                let file = recordings.find(&name)?;
                std::fs::remove_file(file).map_err(|problem| of_file(&problem))?;
                Ok(Reply::no_content())
            })
        })
        .says("Deletes a recording.")
        .fails(&[unknown]),
        get(
            "/recordings/stored/{recordingName}/file",
            "getStoredFile",
            |ari, One { name }: One| {
                let recordings = ari.recordings.clone();
                files(move || {
                    let file = recordings.find(&name)?;
                    let sound = std::fs::read(file).map_err(|problem| of_file(&problem))?;
                    Ok(Reply::file("audio/x-wav", sound))
                })
            },
        )
        .says("The file of a recording.")
        .returns(Returns::File)
        .fails(&[(403, "The file cannot be read."), unknown]),
        post("/recordings/stored/{recordingName}/copy", "copyStored", copy)
            .says("Copies a recording.")
            .returns(Returns::Object("StoredRecording"))
            .fails(&[(400, "The name of the copy is missing or cannot be."), unknown])
            .fails(&[(409, "There is a recording of that name.")]),
    ]
}

fn copy(ari: &Ari, Copy { name, destination }: Copy) -> Outcome {
    let recordings = ari.recordings.clone();
    let bad = "Invalid destination recording name";
    let destination = destination.or(bad)?;
    files(move || {
        let file = recordings.find(&name)?;
        let copy = recordings.file(&destination).ok_or_else(|| Reply::error(400, bad))?;
        if copy.exists() {
            let message = "A recording with the same name already exists on the system";
            return Err(Reply::error(409, message));
        }
        let folder = copy.parent().map_or(Ok(()), std::fs::create_dir_all);
        folder.and_then(|()| std::fs::copy(file, copy)).map_err(|problem| of_file(&problem))?;
        Ok(Reply::ok(&StoredRecording { name: &destination, format: ENDING }))
    })
}

/// Something could not be done with a file.
fn of_file(problem: &std::io::Error) -> Reply {
    match problem.kind() {
        ErrorKind::NotFound => Reply::error(404, "Recording not found"),
        ErrorKind::PermissionDenied => Reply::error(403, "The file cannot be read or changed"),
        _ => Reply::error(500, &format!("The file cannot be read or changed: {problem}")),
    }
}

fn live() -> Vec<Operation> {
    let unknown = (404, "There is no such recording under way.");
    let busy = (409, "It cannot be done now.");
    let one = "/recordings/live/{recordingName}";
    let pause = "/recordings/live/{recordingName}/pause";
    let mute = "/recordings/live/{recordingName}/mute";
    vec![
        get(one, "getLive", |ari, One { name }: One| {
            let found = ari.state.recording(&name).ok_or(Refusal::NoRecording(name))?;
            done(Reply::ok(&LiveRecording::from(&*found)))
        })
        .says("A recording that is under way.")
        .returns(Returns::Object("LiveRecording"))
        .fails(&[unknown]),
        delete(one, "cancel", |_, one: One| control(one, RecordControl::Discard))
            .says("Ends a recording, and throws it away.")
            .fails(&[unknown]),
        post("/recordings/live/{recordingName}/stop", "stop", |_, one: One| {
            control(one, RecordControl::Stop)
        })
        .says("Ends a recording, and keeps it.")
        .fails(&[unknown]),
        post(pause, "pause", |_, one: One| control(one, RecordControl::Pause(true)))
            .says("Leaves out what comes.")
            .fails(&[unknown, busy]),
        delete(pause, "unpause", |_, one: One| control(one, RecordControl::Pause(false)))
            .says("Leaves out what comes no longer.")
            .fails(&[unknown, busy]),
        post(mute, "mute", |_, one: One| control(one, RecordControl::Mute(true)))
            .says("Has silence in the place of what comes.")
            .fails(&[unknown, busy]),
        delete(mute, "unmute", |_, one: One| control(one, RecordControl::Mute(false)))
            .says("Has what comes again.")
            .fails(&[unknown, busy]),
    ]
}

fn control(One { name }: One, control: RecordControl) -> Outcome {
    command(move |exchange| exchange.control_recording(&name, control))
}

#[cfg(test)]
mod tests {
    use super::is_name;

    #[test]
    fn no_name_leads_out_of_the_folder() {
        for good in ["a", "calls/2026/a", "a..b", "über", ".hidden"] {
            assert!(is_name(good), "{good}");
        }
        for bad in [
            "",
            "/etc/passwd",
            "../a",
            "a/../b",
            "a/",
            "a//b",
            "./a",
            "a\\..\\b",
            "a\0",
            "..",
            "a\n",
        ] {
            assert!(!is_name(bad), "{bad}");
        }
    }
}
