//! Text as the beginning of its first page. The letters are pictures that come with a crate, Latin ones only; others
//! are hinted at by bars, as in print too small to read.

use image::{Rgba, RgbaImage};
use noto_sans_mono_bitmap::{FontWeight, RasterHeight, get_raster, get_raster_width};

use super::picture::{INK, PAPER, Picture};
use crate::content::Content;
use crate::job::Failure;

/// More than any first page has.
const BYTES_MAX: u64 = 32 * 1024;
/// What a tabulator amounts to.
const TAB: usize = 4;

pub(super) fn draw(content: &mut Content, size: u32) -> Result<Picture, Failure> {
    let text = decode(&content.head(BYTES_MAX)?);
    // Half the size at 256: letters of six pixels still show the shape of a text.
    let (drawn, height) = match size {
        1024 => (1024, RasterHeight::Size32),
        _ => (512, RasterHeight::Size16),
    };
    let page = page(&text, drawn, height);
    if drawn == size {
        return Ok(Picture::new(page));
    }
    let (width, height) = (page.width() * size / drawn, page.height() * size / drawn);
    let filter = image::imageops::FilterType::CatmullRom;
    Ok(Picture::new(image::imageops::resize(
        &page, width, height, filter,
    )))
}

/// UTF-8, UTF-16 by its mark, else Latin-1: it is only looked at.
fn decode(head: &[u8]) -> String {
    let units = |from_bytes: fn([u8; 2]) -> u16| {
        let (pairs, _) = head[2..].as_chunks::<2>();
        pairs.iter().copied().map(from_bytes).collect::<Vec<_>>()
    };
    match head {
        [0xff, 0xfe, ..] => String::from_utf16_lossy(&units(u16::from_le_bytes)),
        [0xfe, 0xff, ..] => String::from_utf16_lossy(&units(u16::from_be_bytes)),
        _ => match std::str::from_utf8(head) {
            Ok(text) => text.trim_start_matches('\u{feff}').to_owned(),
            // The last character may be cut.
            Err(error) if error.error_len().is_none() => {
                String::from_utf8_lossy(&head[..error.valid_up_to()]).into_owned()
            }
            Err(_) => head.iter().map(|&byte| char::from(byte)).collect(),
        },
    }
}

fn page(text: &str, size: u32, letters: RasterHeight) -> RgbaImage {
    let width = size * 3 / 4;
    let margin = size / 20;
    let step = u32::try_from(get_raster_width(FontWeight::Regular, letters)).unwrap_or(8);
    let line_height = u32::try_from(letters.val()).unwrap_or(16) * 9 / 8;
    let columns = (width - 2 * margin) / step;
    let rows = (size - 2 * margin) / line_height;
    let mut page = RgbaImage::from_pixel(width, size, PAPER);
    for (line, row) in text.lines().zip(0..rows) {
        let mut column = 0;
        for letter in line.chars() {
            if column >= columns {
                break;
            }
            let (x, y) = (margin + column * step, margin + row * line_height);
            column += match letter {
                '\t' => {
                    let next = (column as usize / TAB + 1) * TAB;
                    u32::try_from(next).unwrap_or(columns) - column
                }
                letter if letter.is_control() => 0,
                letter if letter.is_whitespace() => 1,
                letter => {
                    stamp(&mut page, (x, y), step, letter, letters);
                    1
                }
            };
        }
    }
    page
}

fn stamp(page: &mut RgbaImage, (x, y): (u32, u32), step: u32, letter: char, size: RasterHeight) {
    let Some(raster) = get_raster(letter, FontWeight::Regular, size) else {
        let height = u32::try_from(size.val()).unwrap_or(16);
        for (x, y) in
            (x..x + step).flat_map(|x| (y + height / 2..y + height * 3 / 4).map(move |y| (x, y)))
        {
            blend(page, x, y, 90);
        }
        return;
    };
    for (row, y) in raster.rows().zip(y..) {
        for (&ink, x) in row.iter().zip(x..) {
            blend(page, x, y, ink);
        }
    }
}

fn blend(page: &mut RgbaImage, x: u32, y: u32, ink: u8) {
    if let Some(pixel) = page.get_pixel_mut_checked(x, y) {
        let mix = |paper: u8, colour: u8| {
            let mixed =
                u16::from(paper) * u16::from(255 - ink) + u16::from(colour) * u16::from(ink);
            u8::try_from(mixed / 255).unwrap_or(paper)
        };
        *pixel = Rgba([
            mix(pixel[0], INK[0]),
            mix(pixel[1], INK[1]),
            mix(pixel[2], INK[2]),
            255,
        ]);
    }
}
