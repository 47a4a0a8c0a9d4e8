//! Containers of sound and moving pictures: opened, their tracks found, their sound decoded.

use std::io::{Seek as _, SeekFrom};

use symphonia::core::codecs::CodecParameters;
use symphonia::core::codecs::audio::{AudioCodecParameters, AudioDecoder, AudioDecoderOptions};
use symphonia::core::errors::Error;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatOptions, FormatReader, SeekMode, SeekTo, Track, TrackType};
use symphonia::core::io::{MediaSource, MediaSourceStream, MediaSourceStreamOptions};
use symphonia::core::meta::MetadataOptions;
use symphonia::core::units::Time;

use crate::content::Content;
use crate::job::Failure;

/// Packets in a row that may be broken before the whole counts as broken.
const BROKEN_MAX: u32 = 200;

impl MediaSource for Content {
    fn is_seekable(&self) -> bool {
        true
    }

    fn byte_len(&self) -> Option<u64> {
        Some(self.len())
    }
}

/// An open container.
pub(crate) struct Container {
    pub(crate) reader: Box<dyn FormatReader>,
}

/// The sound of a container.
pub(crate) struct Sound {
    container: Container,
    decoder: Box<dyn AudioDecoder>,
    track: u32,
    broken: u32,
    /// Of the latest samples.
    pub(crate) rate: u32,
    pub(crate) channels: usize,
}

pub(crate) fn failure(error: Error) -> Failure {
    match error {
        Error::IoError(error) => error.into(),
        Error::DecodeError(what) => Failure::malformed(what),
        Error::LimitError(what) => Failure::too_large(what),
        Error::Unsupported(what) => Failure::unsupported(what),
        error => Failure::malformed(error.to_string()),
    }
}

impl Container {
    pub(crate) fn open(content: &Content, media_type: &str) -> Result<Self, Failure> {
        let mut content = content.clone();
        content.seek(SeekFrom::Start(0))?;
        let options = MediaSourceStreamOptions::default();
        let stream = MediaSourceStream::new(Box::new(content), options);
        let mut hint = Hint::new();
        hint.mime_type(media_type);
        let probe = symphonia::default::get_probe();
        let reader = probe
            .probe(
                &hint,
                stream,
                FormatOptions::default(),
                MetadataOptions::default(),
            )
            .map_err(failure)?;
        Ok(Self { reader })
    }

    /// Seconds of its longest track, if it tells.
    pub(crate) fn seconds(&self) -> Option<f64> {
        let seconds = |track: &Track| {
            let base = track.time_base?;
            let ticks = track.duration?;
            Some(base.calc_duration(ticks)?.as_secs_f64())
        };
        let told = self.reader.tracks().iter().filter_map(seconds);
        let longest = told.fold(0.0, f64::max);
        (longest > 0.0).then_some(longest)
    }
}

/// What is known of a track's sound.
pub(crate) fn audio(track: &Track) -> Option<&AudioCodecParameters> {
    match track.codec_params.as_ref()? {
        CodecParameters::Audio(parameters) => Some(parameters),
        _ => None,
    }
}

impl Sound {
    /// The container's first track of sound that can be decoded.
    pub(crate) fn open(container: Container) -> Result<Self, Failure> {
        let track = container.reader.first_track_known_codec(TrackType::Audio);
        let silent = || Failure::unsupported("there is no sound in it that is decoded here");
        let track = track.ok_or_else(silent)?;
        let parameters = audio(track).ok_or_else(silent)?;
        let decoder = symphonia::default::get_codecs()
            .make_audio_decoder(parameters, &AudioDecoderOptions::default())
            .map_err(failure)?;
        let (track, rate) = (track.id, parameters.sample_rate.unwrap_or(0));
        Ok(Self {
            container,
            decoder,
            track,
            broken: 0,
            rate,
            channels: 0,
        })
    }

    pub(crate) fn seconds(&self) -> Option<f64> {
        self.container.seconds()
    }

    /// The next samples, all channels interleaved; none at the end. What is broken is left out, unless all is.
    pub(crate) fn next(&mut self, samples: &mut Vec<f32>) -> Result<(), Failure> {
        samples.clear();
        loop {
            let packet = match self.container.reader.next_packet() {
                Ok(Some(packet)) if packet.track_id == self.track => packet,
                Ok(Some(_)) => continue,
                // What ends too early ends.
                Ok(None) | Err(Error::IoError(_) | Error::ResetRequired) => return Ok(()),
                Err(error) => return Err(failure(error)),
            };
            match self.decoder.decode(&packet) {
                Ok(decoded) => {
                    self.broken = 0;
                    if decoded.frames() == 0 {
                        continue;
                    }
                    self.rate = decoded.spec().rate();
                    self.channels = decoded.num_planes();
                    decoded.copy_to_vec_interleaved(samples);
                    return Ok(());
                }
                Err(Error::DecodeError(_) | Error::IoError(_)) if self.broken < BROKEN_MAX => {
                    self.broken += 1;
                }
                Err(error) => return Err(failure(error)),
            }
        }
    }

    /// Goes on near that second; `false` if there is no way to.
    pub(crate) fn seek(&mut self, seconds: f64) -> bool {
        let Some(time) = Time::try_from_secs_f64(seconds) else {
            return false;
        };
        let to = SeekTo::Time {
            time,
            track_id: Some(self.track),
        };
        let went = self.container.reader.seek(SeekMode::Coarse, to).is_ok();
        self.decoder.reset();
        went
    }
}
