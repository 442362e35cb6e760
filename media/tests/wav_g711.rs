//! G.711 in WAV files and bare, against sox, where it is installed: the same samples both ways.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use stasis_media::frame::SampleRate;
use stasis_media::wav::{Pcm, WavFormat, WavWriter};

const RATE: SampleRate = SampleRate::Hz8000;

fn sox(arguments: &[&str]) -> bool {
    match Command::new("sox").args(arguments).status() {
        Ok(status) => {
            assert!(status.success(), "sox {arguments:?}");
            true
        }
        Err(_) => false, // not there
    }
}

fn folder() -> PathBuf {
    let folder = std::env::temp_dir().join(format!("stasis-g711-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn load(path: &Path) -> Vec<i16> {
    Pcm::load(path, RATE).unwrap().samples().to_vec()
}

#[test]
fn sox_and_we_read_the_same_of_what_the_other_has_written() {
    let folder = folder();
    let path = |name: &str| folder.join(name);
    let name = |name: &str| path(name).to_str().unwrap().to_owned();
    let sound: Vec<i16> = (0..=u16::MAX).map(|n| n.wrapping_mul(40_503) as i16).collect();
    for (format, law) in [(WavFormat::Ulaw, "u-law"), (WavFormat::Alaw, "a-law")] {
        let mut writer = WavWriter::create(path("ours.wav"), format, RATE).unwrap();
        writer.write(&sound).unwrap();
        writer.finish().unwrap();
        let ours = load(&path("ours.wav"));
        if !sox(&[&name("ours.wav"), "-t", "raw", "-b", "16", "-e", "signed", &name("theirs.raw")])
        {
            eprintln!("sox is not installed: nothing to compare with");
            break;
        }
        let read: Vec<i16> = fs::read(path("theirs.raw"))
            .unwrap()
            .chunks_exact(2)
            .map(|bytes| i16::from_le_bytes([bytes[0], bytes[1]]))
            .collect();
        assert_eq!(read, ours, "{format}");

        sox(&[&name("ours.wav"), "-e", law, &name("theirs.wav")]);
        assert_eq!(load(&path("theirs.wav")), ours, "{format}");
        let bare = if format == WavFormat::Ulaw { "theirs.ul" } else { "theirs.al" };
        sox(&[&name("ours.wav"), &name(bare)]);
        assert_eq!(load(&path(bare)), ours, "{format}");
    }
    fs::remove_dir_all(folder).unwrap();
}
