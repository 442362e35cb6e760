//! Why something could not be played.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use crate::io::ControlError;
use crate::resample::ResampleError;
use crate::sound::{Language, SoundName};
use crate::wav::{MAX_SECONDS, WavError};

/// Why something could not be played.
#[derive(Debug, thiserror::Error)]
pub enum PromptError {
    /// There is no sound of this name, in no folder of sounds and no language that is looked for.
    #[error(
        "there is no sound {name} in the language {language} or the default one: put {name}.wav, .ulaw or .alaw into {}",
        folder.as_ref().map_or("a folder of sounds, and name that in the settings".into(), |folder| folder.display().to_string())
    )]
    NotFound {
        /// The name.
        name: SoundName,
        /// The language that was asked for.
        language: Language,
        /// Where it could be put; none when there is no folder of sounds.
        folder: Option<PathBuf>,
    },
    /// There is no such file, nor one with an ending of sounds behind its name.
    #[error("there is no file {}, nor one of this name with .wav, .ulaw or .alaw: check the path", .0.display())]
    NoFile(PathBuf),
    /// The file cannot be read.
    #[error(transparent)]
    File(#[from] Arc<WavError>),
    /// All its sounds together are longer than what is kept in memory.
    #[error("the sounds of one item are longer than {MAX_SECONDS} s: say less at once")]
    TooLong,
    /// A bug here, please report it.
    #[error(transparent)]
    Rate(#[from] ResampleError),
    /// There is nothing to play.
    #[error("there is nothing to play: give an item, for instance sound:hello")]
    Nothing,
    /// The folder of a class of music cannot be read.
    #[error("the music in {} cannot be listed ({source}): check the path and who may read it", directory.display())]
    Folder {
        /// The folder.
        directory: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// The folder of a class of music has no sounds.
    #[error("there is no music in {}: put files that end with .wav, .ulaw or .alaw there", .0.display())]
    NoMusic(PathBuf),
    /// The engine did not take the order.
    #[error(transparent)]
    Control(#[from] ControlError),
}
