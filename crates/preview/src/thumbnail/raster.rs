//! Pixels: decoded, made smaller, turned as the camera was held. Of several frames or pages the first is shown.

use fast_image_resize::{FilterType, ResizeAlg, ResizeOptions, Resizer};
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits};

use super::picture::{Picture, fit};
use crate::content::Content;
use crate::facts::Facts;
use crate::job::Failure;

/// Pixels of the largest picture that is decoded; cameras with more are rare.
const PIXELS_MAX: u64 = 160_000_000;
/// Bytes that decoded pixels may have, with what the decoder needs besides. Below the memory of the job, which also
/// holds what is made of them.
const DECODED_BYTES_MAX: u64 = 640 * 1024 * 1024;
/// Longest edge that is decoded.
const EDGE_MAX: u32 = 65_535;

/// A decoder that has read the file's beginning and keeps to the bounds, and how the picture is to be turned.
fn open(
    content: &mut Content,
    media_type: &str,
) -> Result<(impl ImageDecoder, Orientation), Failure> {
    let format = match media_type {
        "image/png" => ImageFormat::Png,
        "image/jpeg" => ImageFormat::Jpeg,
        "image/gif" => ImageFormat::Gif,
        "image/webp" => ImageFormat::WebP,
        "image/bmp" => ImageFormat::Bmp,
        "image/vnd.microsoft.icon" => ImageFormat::Ico,
        "image/tiff" => ImageFormat::Tiff,
        "image/vnd.radiance" => ImageFormat::Hdr,
        "image/qoi" => ImageFormat::Qoi,
        "image/vnd.ms-dds" => ImageFormat::Dds,
        "image/x-tga" => ImageFormat::Tga,
        "image/x-portable-anymap" => ImageFormat::Pnm,
        _ => return Err(Failure::unsupported(format!("{media_type} is not decoded"))),
    };
    let mut limits = Limits::no_limits();
    limits.max_image_width = Some(EDGE_MAX);
    limits.max_image_height = Some(EDGE_MAX);
    limits.max_alloc = Some(DECODED_BYTES_MAX);
    let mut reader = ImageReader::with_format(content.clone(), format);
    reader.limits(limits.clone());
    let mut decoder = reader.into_decoder().map_err(failure)?;
    decoder.set_limits(limits).map_err(failure)?;
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    Ok((decoder, orientation))
}

pub(super) fn draw(content: &mut Content, media_type: &str, size: u32) -> Result<Picture, Failure> {
    let (decoder, orientation) = open(content, media_type)?;
    let (width, height) = decoder.dimensions();
    let pixels = u64::from(width) * u64::from(height);
    if pixels > PIXELS_MAX || decoder.total_bytes() > DECODED_BYTES_MAX {
        let message = format!("the picture has {width} × {height} pixels");
        return Err(Failure::too_large(message));
    }
    if pixels == 0 {
        return Err(Failure::malformed("the picture has no pixels"));
    }
    let whole = DynamicImage::from_decoder(decoder).map_err(failure)?;
    let mut small = shrink(whole, size)?;
    small.apply_orientation(orientation);
    Ok(Picture::new(small.into_rgba8()))
}

fn shrink(whole: DynamicImage, size: u32) -> Result<DynamicImage, Failure> {
    let (width, height) = (whole.width(), whole.height());
    let (to_width, to_height) = fit(f64::from(width), f64::from(height), size, false);
    if (to_width, to_height) == (width, height) {
        return Ok(whole);
    }
    let mut small = DynamicImage::new(to_width, to_height, whole.color());
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Lanczos3));
    Resizer::new()
        .resize(&whole, &mut small, &options)
        .map_err(|error| Failure::unsupported(format!("its pixels cannot be scaled: {error}")))?;
    Ok(small)
}

fn failure(error: ImageError) -> Failure {
    match error {
        ImageError::Limits(_) => Failure::too_large("the picture has too many pixels"),
        ImageError::IoError(error) => error.into(),
        ImageError::Unsupported(error) => Failure::unsupported(error.to_string()),
        error => Failure::malformed(error.to_string()),
    }
}

/// What pixels tell of themselves, as they are shown.
pub(crate) fn facts(
    content: &mut Content,
    media_type: &str,
    facts: &mut Facts,
) -> Result<(), Failure> {
    let (decoder, orientation) = open(content, media_type)?;
    let (mut width, mut height) = decoder.dimensions();
    let turned = [
        Orientation::Rotate90,
        Orientation::Rotate270,
        Orientation::Rotate90FlipH,
        Orientation::Rotate270FlipH,
    ];
    if turned.contains(&orientation) {
        std::mem::swap(&mut width, &mut height);
    }
    facts.number("width", width);
    facts.number("height", height);
    let colour = decoder.color_type();
    let bits = u32::from(colour.bits_per_pixel()) / u32::from(colour.channel_count().max(1));
    facts.number("bit_depth", bits);
    let name = match (colour.has_color(), colour.has_alpha()) {
        (true, true) => "RGB with alpha",
        (true, false) => "RGB",
        (false, true) => "grey with alpha",
        (false, false) => "grey",
    };
    facts.text("colour", name);
    Ok(())
}
