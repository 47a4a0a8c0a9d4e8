//! Sound and moving pictures: what the container tells of its tracks, and the tags.

use symphonia::core::codecs::CodecParameters;
use symphonia::core::formats::TrackType;
use symphonia::core::meta::{MetadataRevision, StandardTag, Tag};

use super::Facts;
use crate::content::Content;
use crate::job::Failure;
use crate::sound::{Container, Sound, audio};

/// Sound whose length nothing tells is decoded up to here to measure it: half an hour.
const SECONDS_MEASURED_MAX: f64 = 1800.0;

pub(super) fn read(content: &Content, media_type: &str, facts: &mut Facts) -> Result<(), Failure> {
    let mut container = Container::open(content, media_type)?;
    let seconds = container.seconds();
    if let Some(track) = container.reader.first_track(TrackType::Video)
        && let Some(CodecParameters::Video(video)) = &track.codec_params
        && let (Some(width), Some(height)) = (video.width, video.height)
    {
        facts.number("width", width);
        facts.number("height", height);
    }
    if let Some(parameters) = container
        .reader
        .first_track(TrackType::Audio)
        .and_then(audio)
    {
        if let Some(rate) = parameters.sample_rate {
            facts.number("sample_rate", rate);
        }
        if let Some(channels) = &parameters.channels {
            facts.number("channels", u32::try_from(channels.count()).unwrap_or(0));
        }
        if let Some(bits) = parameters.bits_per_sample {
            facts.number("bit_depth", bits);
        }
        let registry = symphonia::default::get_codecs();
        if let Some(codec) = registry.get_audio_decoder(parameters.codec) {
            facts.text("codec", codec.codec.info.long_name);
        }
    }
    let mut revisions = container.reader.metadata();
    let mut read = Vec::new();
    read.extend(std::iter::from_fn(|| revisions.pop()));
    read.extend(revisions.current().cloned());
    // What was read last may correct what was read before, and says nothing of the rest.
    for revision in read.iter().rev() {
        tags(revision, facts);
    }
    let seconds = seconds.or_else(|| measured(container));
    if let Some(seconds) = seconds.filter(|seconds| *seconds > 0.0) {
        facts.number("duration", (seconds * 1000.0).round() / 1000.0);
        #[expect(clippy::cast_precision_loss, reason = "it is rounded anyway")]
        let bits = content.len() as f64 * 8.0;
        facts.number("bitrate", (bits / seconds).round());
    }
    Ok(())
}

/// By decoding it, where that is possible and has an end.
fn measured(container: Container) -> Option<f64> {
    let mut sound = Sound::open(container).ok()?;
    let (mut seconds, mut samples) = (0.0, Vec::new());
    loop {
        sound.next(&mut samples).ok()?;
        if samples.is_empty() {
            return Some(seconds);
        }
        let frames = samples.len() / sound.channels.max(1);
        seconds += f64::from(u32::try_from(frames).ok()?) / f64::from(sound.rate.max(1));
        if seconds > SECONDS_MEASURED_MAX {
            return None;
        }
    }
}

fn tags(revision: &MetadataRevision, facts: &mut Facts) {
    let of_tracks = revision
        .per_track
        .iter()
        .flat_map(|track| &track.metadata.tags);
    for Tag { std, .. } in revision.media.tags.iter().chain(of_tracks) {
        match std {
            Some(StandardTag::TrackTitle(text)) => facts.text("title", text),
            Some(StandardTag::Artist(text)) => facts.text("artist", text),
            Some(StandardTag::Album(text)) => facts.text("album", text),
            Some(StandardTag::Genre(text)) => facts.text("genre", text),
            Some(StandardTag::Comment(text)) => facts.text("comment", text),
            Some(StandardTag::Encoder(text)) => facts.text("software", text),
            Some(StandardTag::TrackNumber(number)) => {
                facts.number("track", u32::try_from(*number).unwrap_or(0));
            }
            Some(StandardTag::ReleaseYear(year) | StandardTag::RecordingYear(year)) => {
                facts.number("year", *year);
            }
            Some(StandardTag::ReleaseDate(date) | StandardTag::RecordingDate(date)) => {
                let year = date.get(..4).and_then(|year| year.parse::<u16>().ok());
                if let Some(year) = year {
                    facts.number("year", year);
                }
            }
            _ => {}
        }
    }
}
