//! A small picture that is ready to be sent.

use std::io::Cursor;

use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{DynamicImage, ImageEncoder as _, Rgba, RgbaImage};

use crate::job::Failure;

/// Where artefacts cannot be seen in a small picture.
const JPEG_QUALITY: u8 = 82;
/// What text and letters stand on. Not quite white, so that an edge can be seen on a white page.
pub(crate) const PAPER: Rgba<u8> = Rgba([252, 252, 250, 255]);
/// What they are written with.
pub(crate) const INK: Rgba<u8> = Rgba([38, 40, 46, 255]);

/// Pixels, with their alpha not multiplied.
pub(crate) struct Picture(RgbaImage);

impl Picture {
    pub(crate) fn new(pixels: RgbaImage) -> Self {
        Self(pixels)
    }

    pub(crate) fn width(&self) -> u32 {
        self.0.width()
    }

    pub(crate) fn height(&self) -> u32 {
        self.0.height()
    }

    /// Media type and bytes: PNG where something shows through or few colours make it small, else JPEG. No lossy
    /// WebP: what encodes it without C code is young.
    pub(crate) fn encode(&self) -> Result<(&'static str, Vec<u8>), Failure> {
        let broken = |error: image::ImageError| Failure::new("crashed", error.to_string());
        let is_opaque = self.0.pixels().all(|pixel| pixel[3] == 255);
        let mut png = Vec::new();
        let encoder =
            PngEncoder::new_with_quality(&mut png, CompressionType::Default, FilterType::Adaptive);
        if !is_opaque {
            let (width, height) = self.0.dimensions();
            let colour = image::ExtendedColorType::Rgba8;
            encoder
                .write_image(self.0.as_raw(), width, height, colour)
                .map_err(broken)?;
            return Ok(("image/png", png));
        }
        let opaque = DynamicImage::ImageRgba8(self.0.clone()).into_rgb8();
        opaque.write_with_encoder(encoder).map_err(broken)?;
        let mut jpeg = Cursor::new(Vec::new());
        let encoder = JpegEncoder::new_with_quality(&mut jpeg, JPEG_QUALITY);
        opaque.write_with_encoder(encoder).map_err(broken)?;
        let jpeg = jpeg.into_inner();
        // Of about the same size, the exact one.
        Ok(if png.len() <= jpeg.len() + jpeg.len() / 4 {
            ("image/png", png)
        } else {
            ("image/jpeg", jpeg)
        })
    }
}

/// `width` by `height` made to fit into a square of `size`; never larger than it was, unless `grow`. At least 1 by 1.
pub(crate) fn fit(width: f64, height: f64, size: u32, grow: bool) -> (u32, u32) {
    let scale = f64::from(size) / width.max(height);
    let scale = if grow { scale } else { scale.min(1.0) };
    let edge = |length: f64| {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it is between 1 and size"
        )]
        let edge = (length * scale).round().clamp(1.0, f64::from(size)) as u32;
        edge
    };
    (edge(width), edge(height))
}
