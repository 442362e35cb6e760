//! The example `dtmf`: what it reads, what it writes, and that it reports no digit before its time.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Parser;
use serde_json::Value;

#[path = "../examples/dtmf.rs"]
mod dtmf;

/// A folder of this test's own, gone when it is over.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder =
            std::env::temp_dir().join(format!("stasis-dtmf-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        Folder(folder)
    }

    fn at(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Runs it: what it prints, what it complains of, and whether all was well.
fn run(args: &[&str]) -> (String, String, bool) {
    let options = dtmf::Options::try_parse_from(["dtmf"].iter().chain(args)).unwrap();
    let (mut out, mut errors) = (Vec::new(), Vec::new());
    let well = dtmf::run(&options, &mut out, &mut errors, false).unwrap();
    (String::from_utf8(out).unwrap(), String::from_utf8(errors).unwrap(), well)
}

/// The JSON lines for these files, all of which can be read.
fn search(files: &[&str]) -> Vec<Value> {
    let (out, errors, well) = run(&[&["--json"], files].concat());
    assert!(well && errors.is_empty(), "{errors}");
    lines(&out)
}

fn lines(out: &str) -> Vec<Value> {
    out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn digits(lines: &[Value]) -> String {
    lines.iter().map(|line| line["digit"].as_str().unwrap()).collect()
}

fn generate(digits: &str, path: &str, more: &[&str]) {
    let (_, errors, well) = run(&[&["--generate", digits, path], more].concat());
    assert!(well && errors.is_empty(), "{errors}");
}

/// The samples of a mono 16-bit file.
fn samples(path: impl AsRef<Path>) -> Vec<i16> {
    hound::WavReader::open(path).unwrap().samples().map(Result::unwrap).collect()
}

/// Writes samples of all channels in turn, in -1 to 1, in this format.
fn write(path: &str, channels: u16, hz: u32, bits: u16, samples: &[f64]) {
    let format = if bits == 32 { hound::SampleFormat::Float } else { hound::SampleFormat::Int };
    let spec =
        hound::WavSpec { channels, sample_rate: hz, bits_per_sample: bits, sample_format: format };
    let mut file = hound::WavWriter::create(path, spec).unwrap();
    for sample in samples {
        match bits {
            32 => file.write_sample(*sample as f32).unwrap(),
            bits => file.write_sample((sample * f64::from((1 << (bits - 1)) - 1)) as i32).unwrap(),
        }
    }
    file.finalize().unwrap();
}

/// Two sines of −7 dBm0 or so for each digit, 60 ms long with pauses of 60 ms, at any rate.
fn sing(digits: &str, hz: u32) -> Vec<f64> {
    let (low, high) = ([697.0, 770.0, 852.0, 941.0], [1209.0, 1336.0, 1477.0, 1633.0]);
    let (n, hz) = (hz as usize * 60 / 1_000, f64::from(hz));
    let mut all = vec![0.0; n];
    for digit in digits.chars() {
        let key = "123A456B789C*0#D".find(digit).unwrap();
        let sine = |f: f64, i: usize| 0.3 * (std::f64::consts::TAU * f * i as f64 / hz).sin();
        all.extend((0..n).map(|i| sine(low[key / 4], i) + sine(high[key % 4], i)));
        all.extend(vec![0.0; n]);
    }
    all
}

const ALL: &str = "0123456789*#ABCD";

#[test]
fn what_it_generates_it_reads_back_at_every_rate() {
    let folder = Folder::new("generate");
    for rate in ["8000", "16000", "24000", "32000", "48000"] {
        let path = folder.at(&format!("{rate}.wav"));
        let how = ["--rate", rate, "--on", "50", "--off", "60", "--level", "-12", "--twist", "3"];
        generate(ALL, &path, &how);
        let lines = search(&[&path]);
        assert_eq!(digits(&lines), ALL, "{rate}");
        for (n, line) in lines.iter().enumerate() {
            let start = 60.0 + 110.0 * n as f64;
            let at = |name: &str| line[name].as_f64().unwrap();
            assert!((at("start_ms") - start).abs() < 10.0, "{line}");
            assert!((at("duration_ms") - 50.0).abs() < 12.0, "{line}");
            assert!((start..start + 50.0).contains(&at("reported_ms")), "{line}");
        }
    }
}

#[test]
fn every_rate_and_format_gives_the_digits_where_they_are() {
    let folder = Folder::new("formats");
    for hz in [8_000, 11_025, 16_000, 22_050, 44_100, 48_000, 96_000, 192_000] {
        for bits in [8, 16, 24, 32] {
            let path = folder.at(&format!("{hz}-{bits}.wav"));
            write(&path, 1, hz, bits, &sing("159D", hz));
            let lines = search(&[&path]);
            assert_eq!(digits(&lines), "159D", "{hz} Hz, {bits} bits");
            for (n, line) in lines.iter().enumerate() {
                let start = line["start_ms"].as_f64().unwrap();
                assert!((start - 60.0 - 120.0 * n as f64).abs() < 10.0, "{hz} {bits} {line}");
            }
        }
    }
}

#[test]
fn each_channel_is_heard_by_itself_and_all_are_in_time_order() {
    let folder = Folder::new("stereo");
    let path = folder.at("both.wav");
    let left = sing("123", 8_000);
    // 60 ms later, so that the digits of one are in the pauses of the other.
    let right = [vec![0.0; 480], sing("456", 8_000)].concat();
    let at = |samples: &[f64], i: usize| samples.get(i).copied().unwrap_or(0.0);
    let both: Vec<f64> = (0..right.len()).flat_map(|i| [at(&left, i), at(&right, i)]).collect();
    write(&path, 2, 8_000, 16, &both);
    let lines = search(&[&path]);
    assert_eq!(digits(&lines), "142536");
    let channels: Vec<_> = lines.iter().map(|line| line["channel"].as_u64().unwrap()).collect();
    assert_eq!(channels, [0, 1, 0, 1, 0, 1]);
    let (table, _, _) = run(&[&path]);
    assert!(table.contains("both.wav: stereo, 8000 Hz, 0.5 s, digits 123 | 456"), "{table}");
}

#[test]
fn a_digit_needs_nothing_behind_where_it_is_reported() {
    let folder = Folder::new("cut");
    for hz in [8_000, 11_025, 16_000, 44_100, 48_000] {
        let (whole, cut) = (folder.at("whole.wav"), folder.at("cut.wav"));
        let sung = sing("1*5#9D", hz);
        write(&whole, 1, hz, 16, &sung);
        let lines = search(&[&whole]);
        assert_eq!(digits(&lines), "1*5#9D");
        for (n, line) in lines.iter().enumerate() {
            let reported = line["reported_ms"].as_f64().unwrap();
            let samples = (reported * f64::from(hz) / 1_000.0) as usize;
            write(&cut, 1, hz, 16, &sung[..samples]);
            let until = search(&[&cut]);
            assert_eq!(digits(&until), "1*5#9D"[..=n], "{hz} Hz until {reported} ms");
            assert_eq!(until[n]["start_ms"], line["start_ms"]);
            // Still under way at the end: as long as it was until then.
            let start = line["start_ms"].as_f64().unwrap();
            let end = start + until[n]["duration_ms"].as_f64().unwrap();
            assert!(end <= reported + 0.1 && end > start + 15.0, "{hz} Hz: {}", until[n]);
        }
    }
}

#[test]
fn g711_is_read_too_with_a_header_or_without() {
    use stasis_media::frame::SampleRate;
    use stasis_media::wav::{WavFormat, WavWriter};
    let folder = Folder::new("laws");
    let (pcm, wav) = (folder.at("pcm.wav"), folder.at("law.wav"));
    generate("12#", &pcm, &[]);
    for (format, raw) in [(WavFormat::Ulaw, "raw.ulaw"), (WavFormat::Alaw, "raw.alaw")] {
        let mut file = WavWriter::create(&wav, format, SampleRate::Hz8000).unwrap();
        file.write(&samples(&pcm)).unwrap();
        file.finish().unwrap();
        fs::write(folder.at(raw), &fs::read(&wav).unwrap()[58..]).unwrap();
        assert_eq!(digits(&search(&[&wav, &folder.at(raw)])), "12#12#");
    }
}

#[test]
fn files_that_cannot_be_read_are_named_and_the_others_are_done() {
    let folder = Folder::new("errors");
    let [one, text, gone, cut, two] = ["1", "text", "gone", "cut", "2"].map(|n| folder.at(n));
    generate("1", &one, &[]);
    generate("2", &two, &[]);
    fs::write(&text, "no WAV at all").unwrap();
    generate("77", &cut, &[]);
    let bytes = fs::read(&cut).unwrap();
    fs::write(&cut, &bytes[..bytes.len() / 2 + 400]).unwrap();
    let (out, errors, well) = run(&["--json", &one, &text, &gone, &cut, &two]);
    assert!(!well);
    assert_eq!(digits(&lines(&out)), "172", "also what there is of the one that was cut");
    let errors: Vec<_> = errors.lines().collect();
    assert_eq!(errors.len(), 3, "{errors:?}");
    assert!(errors[0].contains("text is not a WAV file"), "{errors:?}");
    assert!(errors[1].contains("gone does not exist"), "{errors:?}");
    assert!(errors[2].contains("cut is truncated"), "{errors:?}");
}

#[test]
fn files_are_in_the_order_given_and_those_of_a_folder_sorted() {
    let folder = Folder::new("order");
    fs::create_dir_all(folder.0.join("calls/b")).unwrap();
    // The first is the longest, so that the others are done before it.
    let first = folder.at("z.wav");
    write(&first, 1, 48_000, 16, &sing(&ALL.repeat(20), 48_000));
    for (name, digit) in [("c.WAV", "3"), ("a.wav", "1"), ("b/x.wav", "2"), ("d.txt", "4")] {
        generate(digit, &folder.at(&format!("calls/{name}")), &[]);
    }
    let calls = folder.at("calls");
    let lines = search(&[&first, &calls, &folder.at("calls/a.wav")]);
    assert_eq!(digits(&lines), ALL.repeat(20) + "1231");
    let expected = [&first, &folder.at("calls/a.wav"), &folder.at("calls/b/x.wav")];
    assert_eq!(lines[319]["file"], **expected[0]);
    assert_eq!(lines[320]["file"], **expected[1]);
    assert_eq!(lines[321]["file"], **expected[2]);
}

#[test]
fn a_line_has_the_promised_names_in_their_order() {
    let folder = Folder::new("names");
    let path = folder.at("5.wav");
    generate("5", &path, &[]);
    let (out, _, _) = run(&["--json", &path]);
    let names = ["file", "digit", "start_ms", "duration_ms", "reported_ms", "low_dbm0"];
    let names = [&names[..], &["high_dbm0", "twist_db"]].concat();
    let line: Value = serde_json::from_str(out.trim()).unwrap();
    assert_eq!(line.as_object().unwrap().keys().collect::<Vec<_>>(), names);
}

#[test]
fn the_table_ends_with_the_sum() {
    let folder = Folder::new("table");
    let (keys, none) = (folder.at("keys.wav"), folder.at("none.wav"));
    generate("11 22", &keys, &[]);
    generate("", &none, &["--off", "1000"]);
    let (out, _, _) = run(&[&keys, &none]);
    assert!(out.contains("keys.wav: mono, 8000 Hz, 0.9 s, digits 1122\n"), "{out}");
    assert!(out.contains("none.wav: mono, 8000 Hz, 1.0 s, no digits\n"), "{out}");
    let last = out.lines().last().unwrap();
    assert!(last.starts_with("digits: 1122; 2 files, 0.00 h, "), "{last}");
}

#[test]
fn what_is_no_digit_is_not_generated() {
    let folder = Folder::new("no-digit");
    let path = folder.at("out.wav");
    let (_, errors, well) = run(&["--generate", "12x", &path]);
    assert!(!well && errors.starts_with("'x' is not a DTMF digit"), "{errors}");
    assert!(!Path::new(&path).exists());
}
