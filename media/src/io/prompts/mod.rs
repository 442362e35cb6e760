//! Prompts: what is to be played is found, read, put together, and delivered to the media thread.
//!
//! [`Prompts::play`] tells the engine of a playlist at once, and threads of its own (`readers`) read the
//! files behind it: `library` knows where they are (a `place`: in a folder, or `built_in`), `cache` keeps what was
//! read for all who hear it. Music on hold (`music`) comes the same way; `listing` says what is there.

mod built_in;
mod cache;
mod error;
mod event;
mod library;
mod listing;
mod music;
mod place;
mod readers;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use stasis_bus::Topic;

pub use built_in::BuiltIn;
pub use cache::PromptFigures;
pub use error::PromptError;
pub use event::{MusicFailed, PlaybackFailed};
pub use listing::{ListedSound, SoundFormat};
pub use music::{MusicClass, MusicOrder, MusicSource};

use crate::frame::SampleRate;
use crate::id::{PlaybackId, Target};
use crate::io::{ControlError, Media, StartError};
use crate::resample::resample_all;
use crate::sound::say::{self, Grammar};
use crate::sound::{Delivery, Item, Language, MOST_SILENCE, Playlist, SoundName};
use crate::wav::{MAX_SECONDS, Pcm, Repeat, WavError};
use cache::Cache;
use library::Library;
use place::Place;
use readers::Readers;

/// The latest place that a playback begins at.
const MOST_OFFSET: Duration = Duration::from_secs(MAX_SECONDS);

/// Where sounds are, and how many of them are kept in memory.
#[derive(Clone, Debug)]
pub struct PromptSettings {
    /// Folders of sounds, those to be preferred first.
    pub directories: Vec<PathBuf>,
    /// Sounds that are part of the program, for what is in no folder. None by default.
    pub built_in: BuiltIn,
    /// The language of a sound that is not there in the one asked for, or where none is. English by
    /// default.
    pub language: Language,
    /// Bytes of sounds that are kept, besides those that are being played. 64 MiB by default: an hour
    /// at 8 kHz.
    pub cache_bytes: usize,
}

impl Default for PromptSettings {
    fn default() -> Self {
        let (directories, language) = (Vec::new(), Language::english());
        PromptSettings {
            directories,
            built_in: BuiltIn::default(),
            language,
            cache_bytes: 64 << 20,
        }
    }
}

/// How items are played.
#[derive(Clone, Debug)]
pub struct PlayOptions {
    /// The language of sounds and numbers; `None`: the default one.
    pub language: Option<Language>,
    /// Where the first item begins.
    pub offset: Duration,
    /// Whether all begins again at the end. Once by default.
    pub repeat: Repeat,
}

impl Default for PlayOptions {
    fn default() -> Self {
        PlayOptions { language: None, offset: Duration::ZERO, repeat: Repeat::Once }
    }
}

/// Plays items: sounds, digits, numbers, tones. A clone is the same, with the same cache.
///
/// ```
/// use stasis_bus::{Bus, Settings};
/// use stasis_media::frame::SampleRate;
/// use stasis_media::io::{Media, MediaSettings, PlayOptions, PromptSettings, Prompts};
///
/// let bus = Bus::new(Settings::default())?;
/// let topic = bus.topic("room");
/// let media = Media::start(&bus, MediaSettings::default())?;
/// let bridge = media.add_bridge(SampleRate::Hz8000, &topic)?;
///
/// let directories = vec!["/usr/share/sounds".into()];
/// let prompts = Prompts::new(PromptSettings { directories, ..Default::default() })?;
/// let items = vec!["tone:beep".parse()?, "silence:500".parse()?];
/// let playback = prompts.play(&media, bridge, items, PlayOptions::default(), &topic)?;
/// println!("{playback} has begun");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Prompts {
    shelves: Arc<Shelves>,
    readers: Readers,
}

/// Where sounds come from.
struct Shelves {
    library: Library,
    cache: Cache,
}

impl Prompts {
    /// Prompts from these folders, read by the threads `prompts-0` and `prompts-1`. Reads nothing yet.
    ///
    /// # Errors
    /// [`StartError`] when the operating system has no threads for it.
    pub fn new(settings: PromptSettings) -> Result<Self, StartError> {
        Ok(Prompts { shelves: Arc::new(Shelves::new(settings)), readers: Readers::start()? })
    }

    /// Prompts without threads, for [`Media::by_hand`]: [`play`](Self::play) and [`music`](Self::music) look
    /// for files, read them and deliver them before they return. They block for that.
    pub fn by_hand(settings: PromptSettings) -> Self {
        Prompts { shelves: Arc::new(Shelves::new(settings)), readers: Readers::ByHand }
    }

    /// Plays items one after the other to a leg or a bridge, when what was to be played to it before
    /// is over. Returns at once: files are looked for and read meanwhile. An item that cannot be had,
    /// also one whose file is missing, is told on `topic` by [`PlaybackFailed`], maybe before this
    /// returns; those before it are heard, then the playback fails. A tone that never ends is the
    /// last item.
    ///
    /// # Errors
    /// [`PromptError::Nothing`] without items, [`PromptError::Control`] when the engine does not take
    /// the order. Nothing of what concerns files.
    pub fn play(
        &self,
        media: &Media,
        target: impl Into<Target>,
        mut items: Vec<Item>,
        options: PlayOptions,
        topic: &Topic,
    ) -> Result<PlaybackId, PromptError> {
        let target = target.into();
        let rate = rate_of(media, target)?;
        let endless = endless(&items, rate);
        if let Some((last, _)) = endless {
            items.truncate(last + 1);
        }
        if items.is_empty() {
            return Err(PromptError::Nothing);
        }
        let (list, mut delivery) = Playlist::awaiting(rate, items.len(), options.repeat);
        let list = list.starting_at(samples(options.offset.min(MOST_OFFSET), rate));
        let list = match endless {
            Some((item, sample)) => list.repeating_from(item, sample),
            None => list,
        };
        let playback = media.play(target, list)?;
        let (shelves, topic) = (self.shelves.clone(), topic.clone());
        self.readers.spawn(move || {
            let language = options.language.as_ref();
            if let Err((item, error)) = shelves.deliver(&items, language, rate, &mut delivery) {
                let reason = error.to_string();
                topic.publish(PlaybackFailed { playback, target, item: item as u32, reason });
            }
            drop(delivery); // after that was told: now the playback may fail
        });
        Ok(playback)
    }

    /// Gives a leg, or a holding bridge, the music of a class in place of what it had. Its files are
    /// delivered as they are read; those that cannot be are left out, with a warning in the log. If
    /// none can, that is told on `topic` by [`MusicFailed`]. Lists the folder: this blocks for that.
    ///
    /// # Errors
    /// Those of [`MusicClass::items`] when there is nothing to read, [`PromptError::Control`] when the engine does not take the order.
    pub fn music(
        &self,
        media: &Media,
        target: impl Into<Target>,
        class: &MusicClass,
        topic: &Topic,
    ) -> Result<(), PromptError> {
        let target = target.into();
        let rate = rate_of(media, target)?;
        let items = class.items()?;
        let (list, delivery) = Playlist::awaiting(rate, items.len(), Repeat::Forever);
        media.music(target, Some(list))?;
        let (shelves, work, to) = (self.shelves.clone(), (class.clone(), items), topic.clone());
        self.readers.spawn(move || {
            music::deliver_or_tell(&shelves, work, rate, delivery, (target, to));
        });
        Ok(())
    }

    /// All that an item sounds, as one sound at `rate`, in a language or the default one. Blocks and
    /// allocates: not for the media thread.
    ///
    /// # Errors
    /// [`PromptError`] when it cannot be had: what is missing, and what to do about it.
    pub fn load(
        &self,
        item: &Item,
        language: Option<&Language>,
        rate: SampleRate,
    ) -> Result<Pcm, PromptError> {
        self.shelves.load(item, language, rate)
    }

    /// All sounds that can be played by name, sorted by it: in the folders, and built in. A folder that cannot be
    /// read is left out, with a warning in the log. Looks at every file: this blocks.
    pub fn list(&self) -> Vec<ListedSound> {
        self.shelves.library.list()
    }

    /// What the cache has done, and what is in it.
    pub fn figures(&self) -> PromptFigures {
        self.shelves.cache.figures()
    }
}

impl Shelves {
    fn new(settings: PromptSettings) -> Self {
        let PromptSettings { directories, built_in, language, cache_bytes } = settings;
        let library = Library { directories, built_in, language };
        Shelves { library, cache: Cache::new(cache_bytes) }
    }

    /// Delivers all, up to the first that cannot be had: gives its number, and why.
    fn deliver(
        &self,
        items: &[Item],
        language: Option<&Language>,
        rate: SampleRate,
        delivery: &mut Delivery,
    ) -> Result<(), (usize, PromptError)> {
        for (number, item) in items.iter().enumerate() {
            if delivery.is_abandoned() {
                return Ok(()); // it was stopped
            }
            let pcm = self.load(item, language, rate).map_err(|error| (number, error))?;
            let _ = delivery.push(pcm); // there is room for all
        }
        Ok(())
    }

    fn load(
        &self,
        item: &Item,
        language: Option<&Language>,
        rate: SampleRate,
    ) -> Result<Pcm, PromptError> {
        let language = language.unwrap_or(&self.library.language);
        match item {
            Item::Sound(name) => self.sound(name, language, rate),
            Item::File(path) => self.file(&library::find_file(path, rate)?, rate),
            Item::Tone(cadence) => Ok(cadence.render(rate)),
            Item::Digits(digits) => self.joined(&say::digits(digits), language, rate),
            Item::Characters(text) => self.joined(&say::characters(text), language, rate),
            Item::Number(number) => {
                self.joined(&Grammar::of(language).number(*number), language, rate)
            }
            Item::Silence(time) => {
                Ok(Pcm::new(rate, vec![0; samples((*time).min(MOST_SILENCE), rate)]))
            }
            Item::Pcm(pcm) if pcm.rate() == rate => Ok(pcm.clone()),
            Item::Pcm(pcm) => {
                Ok(Pcm::new(rate, resample_all(pcm.samples(), pcm.rate().hz(), rate)?))
            }
        }
    }

    fn sound(
        &self,
        name: &SoundName,
        language: &Language,
        rate: SampleRate,
    ) -> Result<Pcm, PromptError> {
        self.file(&self.library.find(name, language, rate)?, rate)
    }

    fn file(&self, place: &Place, rate: SampleRate) -> Result<Pcm, PromptError> {
        let Some(stamp) = place.stamp() else {
            return Err(Arc::new(WavError::NotFound { file: place.file() }).into());
        };
        Ok(self.cache.get(place, stamp, rate, || place.read(rate))?)
    }

    /// Sounds without a pause between.
    fn joined(
        &self,
        names: &[SoundName],
        language: &Language,
        rate: SampleRate,
    ) -> Result<Pcm, PromptError> {
        if let [name] = names {
            return self.sound(name, language, rate);
        }
        let most = samples(Duration::from_secs(MAX_SECONDS), rate);
        let mut joined = Vec::new();
        for name in names {
            let pcm = self.sound(name, language, rate)?;
            if joined.len() + pcm.samples().len() > most {
                return Err(PromptError::TooLong);
            }
            joined.extend_from_slice(pcm.samples());
        }
        Ok(Pcm::new(rate, joined))
    }
}

/// The first item that never ends, and the sample of it that follows on its last.
fn endless(items: &[Item], rate: SampleRate) -> Option<(usize, usize)> {
    items.iter().enumerate().find_map(|(number, item)| match item {
        Item::Tone(cadence) => Some((number, cadence.repeats_at(rate)?)),
        _ => None,
    })
}

fn rate_of(media: &Media, target: Target) -> Result<SampleRate, ControlError> {
    match target {
        Target::Leg(leg) => media.leg_rate(leg),
        Target::Bridge(bridge) => media.bridge_rate(bridge),
    }
}

/// Samples in a time at a rate.
fn samples(time: Duration, rate: SampleRate) -> usize {
    let samples = time.as_nanos() * u128::from(rate.hz()) / 1_000_000_000;
    usize::try_from(samples).unwrap_or(usize::MAX)
}
