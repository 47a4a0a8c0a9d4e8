//! Sound as a waveform: the loudest moments along its time, in a colour that can be seen on dark and on light.

use image::{Rgba, RgbaImage};

use super::picture::Picture;
use crate::content::Content;
use crate::job::Failure;
use crate::sound::{Container, Sound};

/// Seconds that are decoded as a whole; of longer sound, samples along it.
const WHOLE_SECONDS_MAX: f64 = 600.0;
/// Packets decoded at each place of those.
const PACKETS_PER_PLACE: usize = 4;
/// Samples of one channel, where nothing tells the length: an hour of the finest sound.
const SAMPLES_MAX: u64 = 3600 * 48_000;
/// Peaks kept while the length is not known; twice as many make room by halving.
const PEAKS_KEPT: usize = 2048;

const WAVE: Rgba<u8> = Rgba([91, 141, 239, 255]);

pub(super) fn draw(content: &mut Content, media_type: &str, size: u32) -> Result<Picture, Failure> {
    let mut sound = Sound::open(Container::open(content, media_type)?)?;
    let bars = size / 4;
    let peaks = match sound
        .seconds()
        .filter(|seconds| *seconds > WHOLE_SECONDS_MAX)
    {
        Some(seconds) => sampled(&mut sound, seconds, bars)?,
        None => whole(&mut sound)?,
    };
    if peaks.is_empty() {
        return Err(Failure::malformed("there is no sound in it"));
    }
    Ok(Picture::new(waveform(&peaks, size, bars)))
}

/// The loudest of each of some hundred to thousand stretches of equal length.
fn whole(sound: &mut Sound) -> Result<Vec<f32>, Failure> {
    let (mut peaks, mut stretch) = (Vec::new(), 64);
    let (mut peak, mut gathered, mut all) = (0.0_f32, 0_u64, 0_u64);
    let mut samples = Vec::new();
    loop {
        sound.next(&mut samples)?;
        if samples.is_empty() || all > SAMPLES_MAX {
            break;
        }
        for frame in samples.chunks(sound.channels.max(1)) {
            let loudest = frame
                .iter()
                .fold(0.0_f32, |loudest, sample| loudest.max(sample.abs()));
            peak = peak.max(loudest);
            gathered += 1;
            if gathered == stretch {
                peaks.push(peak);
                (peak, gathered) = (0.0, 0);
            }
            if peaks.len() == 2 * PEAKS_KEPT {
                peaks = peaks.chunks(2).map(|two| two[0].max(two[1])).collect();
                stretch *= 2;
            }
        }
        all += (samples.len() / sound.channels.max(1)) as u64;
    }
    if gathered > 0 {
        peaks.push(peak);
    }
    Ok(peaks)
}

/// The loudest of a moment at each of so many places.
fn sampled(sound: &mut Sound, seconds: f64, places: u32) -> Result<Vec<f32>, Failure> {
    let mut samples = Vec::new();
    let mut peaks = Vec::new();
    for place in 0..places {
        let at = seconds * f64::from(place) / f64::from(places);
        if !sound.seek(at) {
            // Where there is no way to jump, the beginning stands for all.
            return if peaks.is_empty() {
                whole(sound)
            } else {
                Ok(peaks)
            };
        }
        let mut peak = 0.0_f32;
        for _ in 0..PACKETS_PER_PLACE {
            sound.next(&mut samples)?;
            peak = samples
                .iter()
                .fold(peak, |peak, sample| peak.max(sample.abs()));
        }
        peaks.push(peak);
    }
    Ok(peaks)
}

fn waveform(peaks: &[f32], size: u32, bars: u32) -> RgbaImage {
    let height = size / 2;
    let mut picture = RgbaImage::from_pixel(size, height, Rgba([WAVE[0], WAVE[1], WAVE[2], 0]));
    let finite = |peak: &f32| if peak.is_finite() { *peak } else { 0.0 };
    let loudest = peaks.iter().map(finite).fold(0.0, f32::max).max(1e-4);
    let step = size / bars;
    for bar in 0..bars {
        let at = |bar: u32| (peaks.len() * bar as usize) / bars as usize;
        let from = at(bar).min(peaks.len() - 1);
        let to = at(bar + 1).max(from + 1).min(peaks.len());
        let peak = peaks[from..to].iter().map(finite).fold(0.0, f32::max) / loudest;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_precision_loss,
            clippy::cast_sign_loss,
            reason = "peaks are at most 1, sizes small"
        )]
        let half = ((peak * (height / 2 - 2) as f32) as u32).max(1);
        for x in bar * step..bar * step + step * 3 / 4 {
            for y in height / 2 - half..height / 2 + half {
                picture.put_pixel(x, y, WAVE);
            }
        }
    }
    picture
}
