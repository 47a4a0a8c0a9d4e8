//! Small pictures of files: what each kind looks like, in one place per kind.

mod audio;
mod font;
mod pdf;
mod picture;
mod raster;
mod svg;
mod text;

use std::time::Duration;

use serde_json::json;

pub(crate) use font::facts as facts_of_font;
pub(crate) use pdf::facts as facts_of_pages;
pub(crate) use raster::facts as facts_of_pixels;
pub(crate) use svg::facts as facts_of_drawing;

use crate::job::{Failure, Job, Limits, Output, Work};
use crate::kind::Kind;

/// Longest edges that are made.
pub const SIZES: [u32; 3] = [256, 512, 1024];

/// Makes the picture. Parameter `size` is one of [`SIZES`]; the header tells `media_type`, `width` and `height`.
pub static THUMBNAIL: Job = Job {
    name: "thumbnail",
    version: 1,
    limits: Limits {
        output_bytes: 8 * 1024 * 1024,
        cpu: Duration::from_secs(15),
        ..Limits::USUAL
    },
    run: make,
};

fn make(work: &mut Work) -> Result<Output, Failure> {
    let size = work
        .number("size")
        .and_then(|size| u32::try_from(size).ok());
    let size = size.filter(|size| SIZES.contains(size));
    let size = size.ok_or_else(|| Failure::unsupported("pictures of that size are not made"))?;
    let media_type = work.request.media_type.clone();
    let kind = Kind::of(&media_type).filter(|kind| kind.has_picture());
    let content = &mut work.content;
    let picture = match kind {
        Some(Kind::Raster) => raster::draw(content, &media_type, size),
        Some(Kind::Svg) => svg::draw(content, size),
        Some(Kind::Audio) => audio::draw(content, &media_type, size),
        Some(Kind::Font) => font::draw(content, size),
        Some(Kind::Text) => text::draw(content, size),
        Some(Kind::Pdf) => pdf::draw(content, size),
        Some(Kind::Video | Kind::Photo) | None => Err(Failure::unsupported(format!(
            "there are no pictures of {media_type}"
        ))),
    }?;
    let (media_type, bytes) = picture.encode()?;
    Ok(Output {
        header: json!({
            "media_type": media_type, "width": picture.width(), "height": picture.height(),
        }),
        bytes,
    })
}
