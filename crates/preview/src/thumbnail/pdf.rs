//! The first page of a document. Fonts that it does not bring along are replaced by those that come with the renderer.

use hayro::hayro_interpret::InterpreterSettings;
use hayro::hayro_syntax::Pdf;
use hayro::vello_cpu::color::palette::css::WHITE;
use hayro::{PixmapSettings, RenderCache, RenderSettings, render};
use image::RgbaImage;

use super::picture::Picture;
use crate::content::Content;
use crate::facts::Facts;
use crate::job::Failure;

/// Documents that are read at most; a page may lie anywhere in them.
const BYTES_MAX: u64 = 192 * 1024 * 1024;

/// The document, without its pages being looked at.
fn load(content: &mut Content) -> Result<Pdf, Failure> {
    use hayro::hayro_syntax::LoadPdfError;
    let bytes = content.all(BYTES_MAX)?;
    Pdf::new(bytes).map_err(|error| match error {
        LoadPdfError::Decryption(_) => Failure::unsupported("the document is encrypted"),
        LoadPdfError::Invalid => Failure::malformed("the document cannot be read"),
    })
}

pub(super) fn draw(content: &mut Content, size: u32) -> Result<Picture, Failure> {
    let pdf = load(content)?;
    let page = pdf.pages().first();
    let page = page.ok_or_else(|| Failure::malformed("the document has no pages"))?;
    let (width, height) = page.render_dimensions();
    if !(width >= 1.0 && height >= 1.0) {
        return Err(Failure::malformed("the page has no extent"));
    }
    #[expect(clippy::cast_precision_loss, reason = "sizes are small")]
    // A little more, so that what is cut off is never the last pixel.
    let scale = (size as f32 + 0.01) / width.max(height);
    let settings = PixmapSettings {
        x_scale: scale.max(1.01 / width),
        y_scale: scale.max(1.01 / height),
        bg_color: WHITE,
    };
    let pixmap = render(
        page,
        &RenderCache::new(),
        &InterpreterSettings::default(),
        &RenderSettings::default(),
        &settings,
    );
    let (width, height) = (u32::from(pixmap.width()), u32::from(pixmap.height()));
    // On white paper nothing shows through, multiplied or not.
    let pixels = RgbaImage::from_raw(width, height, pixmap.data_as_u8_slice().to_vec());
    let pixels = pixels.ok_or_else(|| Failure::malformed("the page has no extent"))?;
    Ok(Picture::new(pixels))
}

/// What a document tells of itself.
pub(crate) fn facts(content: &mut Content, facts: &mut Facts) -> Result<(), Failure> {
    let pdf = load(content)?;
    facts.number(
        "pages",
        u32::try_from(pdf.pages().len()).unwrap_or(u32::MAX),
    );
    let about = pdf.metadata();
    for (key, text) in [
        ("title", &about.title),
        ("author", &about.author),
        ("producer", &about.producer),
        ("software", &about.creator),
    ] {
        if let Some(text) = text {
            facts.text(key, &decode(text));
        }
    }
    if let Some(date) = &about.creation_date {
        facts.number("year", date.year);
    }
    Ok(())
}

/// Text strings are UTF-16 or UTF-8 by their mark, else nearly Latin-1 (ISO 32000-2, 7.9.2.2).
fn decode(text: &[u8]) -> String {
    match text {
        [0xfe, 0xff, rest @ ..] => {
            let (pairs, _) = rest.as_chunks::<2>();
            let units: Vec<_> = pairs.iter().map(|pair| u16::from_be_bytes(*pair)).collect();
            String::from_utf16_lossy(&units)
        }
        [0xef, 0xbb, 0xbf, rest @ ..] => String::from_utf8_lossy(rest).into_owned(),
        _ => text.iter().map(|&byte| char::from(byte)).collect(),
    }
}
