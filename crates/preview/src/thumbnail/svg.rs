//! Drawings, by a renderer that runs no script and fetches nothing. Text is left out: fonts of the machine would make
//! other pictures elsewhere, and the worker could not open them.

use image::RgbaImage;
use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::{ImageHrefResolver, Options, Tree};

use super::picture::{Picture, fit};
use crate::content::Content;
use crate::facts::Facts;
use crate::job::Failure;

/// Markup that is parsed at most. Larger drawings exist and are maps.
const BYTES_MAX: u64 = 32 * 1024 * 1024;

/// The drawing, with no file or address ever followed.
fn parse(content: &mut Content) -> Result<Tree, Failure> {
    let bytes = content.all(BYTES_MAX)?;
    let options = Options {
        image_href_resolver: ImageHrefResolver {
            resolve_data: ImageHrefResolver::default_data_resolver(),
            resolve_string: Box::new(|_, _| None),
        },
        ..Options::default()
    };
    Tree::from_data(&bytes, &options).map_err(|error| Failure::malformed(error.to_string()))
}

pub(super) fn draw(content: &mut Content, size: u32) -> Result<Picture, Failure> {
    render(&parse(content)?, size)
}

/// A drawing as large as asked for: it has no pixels that could be too few.
pub(super) fn render(tree: &Tree, size: u32) -> Result<Picture, Failure> {
    let (width, height) = (tree.size().width(), tree.size().height());
    let (to_width, to_height) = fit(f64::from(width), f64::from(height), size, true);
    let mut pixmap = Pixmap::new(to_width, to_height)
        .ok_or_else(|| Failure::malformed("the drawing has no extent"))?;
    #[expect(clippy::cast_precision_loss, reason = "sizes are small")]
    let scale = Transform::from_scale(to_width as f32 / width, to_height as f32 / height);
    resvg::render(tree, scale, &mut pixmap.as_mut());
    let pixels = pixmap
        .pixels()
        .iter()
        .flat_map(|pixel| {
            let pixel = pixel.demultiply();
            [pixel.red(), pixel.green(), pixel.blue(), pixel.alpha()]
        })
        .collect();
    let pixels = RgbaImage::from_raw(to_width, to_height, pixels);
    Ok(Picture::new(pixels.expect("one pixel for each")))
}

/// What a drawing tells of itself: its size in its own units.
pub(crate) fn facts(content: &mut Content, facts: &mut Facts) -> Result<(), Failure> {
    let tree = parse(content)?;
    facts.number("width", tree.size().width().round());
    facts.number("height", tree.size().height().round());
    Ok(())
}
