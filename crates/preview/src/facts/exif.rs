//! What cameras write into pictures.

use std::io::{Seek as _, SeekFrom};

use exif::{Exif, In, Rational, Reader, Tag, Value};

use super::Facts;
use crate::content::Content;

/// Reads what there is; a picture without is nothing unusual.
pub(super) fn read(content: &Content, facts: &mut Facts) {
    let mut content = content.clone();
    let found = content.seek(SeekFrom::Start(0)).ok().and_then(|_| {
        let mut reader = Reader::new();
        reader.continue_on_error(true);
        let read = reader.read_from_container(&mut content);
        read.or_else(|error| error.distill_partial_result(|_| ()))
            .ok()
    });
    if let Some(exif) = found {
        tell(&exif, facts);
    }
}

fn tell(exif: &Exif, facts: &mut Facts) {
    camera(exif, facts);
    for (tag, key) in [
        (Tag::LensModel, "lens"),
        (Tag::Software, "software"),
        (Tag::Artist, "artist"),
        (Tag::ImageDescription, "title"),
    ] {
        if let Some(text) = text(exif, tag) {
            facts.text(key, &text);
        }
    }
    for tag in [Tag::DateTimeOriginal, Tag::DateTimeDigitized, Tag::DateTime] {
        if let Some(taken) = text(exif, tag).and_then(|text| date(&text)) {
            facts.text("taken", &taken);
        }
    }
    if let Some(seconds) = number(exif, Tag::ExposureTime).filter(|seconds| *seconds > 0.0) {
        let told = if seconds < 0.4 {
            format!("1/{} s", (1.0 / seconds).round())
        } else {
            format!("{} s", (seconds * 10.0).round() / 10.0)
        };
        facts.text("exposure", &told);
    }
    for (tag, key) in [
        (Tag::FNumber, "aperture"),
        (Tag::PhotographicSensitivity, "iso"),
        (Tag::FocalLength, "focal_length"),
        (Tag::Orientation, "orientation"),
        (Tag::PixelXDimension, "width"),
        (Tag::PixelYDimension, "height"),
    ] {
        if let Some(number) = number(exif, tag).filter(|number| *number > 0.0) {
            facts.number(key, number);
        }
    }
    for (tag, reference, key, most) in [
        (Tag::GPSLatitude, Tag::GPSLatitudeRef, "latitude", 90.0),
        (Tag::GPSLongitude, Tag::GPSLongitudeRef, "longitude", 180.0),
    ] {
        if let Some(degrees) = degrees(exif, tag, reference).filter(|it| it.abs() <= most) {
            facts.number(key, degrees);
        }
    }
}

/// Maker and model in one, since many models begin with their maker.
fn camera(exif: &Exif, facts: &mut Facts) {
    let (make, model) = (text(exif, Tag::Make), text(exif, Tag::Model));
    let (Some(make), Some(model)) = (&make, &model) else {
        if let Some(one) = make.or(model) {
            facts.text("camera", &one);
        }
        return;
    };
    let first = make.split_whitespace().next().unwrap_or_default();
    if model.to_lowercase().starts_with(&first.to_lowercase()) {
        facts.text("camera", model);
    } else {
        facts.text("camera", &format!("{make} {model}"));
    }
}

fn text(exif: &Exif, tag: Tag) -> Option<String> {
    let Value::Ascii(lines) = &exif.get_field(tag, In::PRIMARY)?.value else {
        return None;
    };
    let text = String::from_utf8_lossy(lines.first()?);
    let text = text.trim_matches(['\0', ' ']).to_owned();
    (!text.is_empty()).then_some(text)
}

fn number(exif: &Exif, tag: Tag) -> Option<f64> {
    match &exif.get_field(tag, In::PRIMARY)?.value {
        Value::Rational(numbers) => numbers.first().map(Rational::to_f64),
        value => value.get_uint(0).map(f64::from),
    }
}

fn degrees(exif: &Exif, tag: Tag, reference: Tag) -> Option<f64> {
    let Value::Rational(parts) = &exif.get_field(tag, In::PRIMARY)?.value else {
        return None;
    };
    let part = |index: usize| parts.get(index).map_or(0.0, Rational::to_f64);
    let degrees = part(0) + part(1) / 60.0 + part(2) / 3600.0;
    let is_negative = matches!(text(exif, reference)?.as_str(), "S" | "W");
    Some(if is_negative { -degrees } else { degrees })
}

/// `2024:05:01 12:33:10` as `2024-05-01 12:33:10`; `None` for what cameras without a clock write.
fn date(text: &str) -> Option<String> {
    let (day, time) = text.split_at_checked(10)?;
    let is_date = day.bytes().enumerate().all(|(at, byte)| match at {
        4 | 7 => matches!(byte, b':' | b'-'),
        _ => byte.is_ascii_digit(),
    });
    (is_date && !day.starts_with("0000")).then(|| day.replace(':', "-") + time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_of_cameras_are_written_as_dates() {
        assert_eq!(
            date("2024:05:01 12:33:10").as_deref(),
            Some("2024-05-01 12:33:10")
        );
        for none in [
            "0000:00:00 00:00:00",
            "    :  :     :  :  ",
            "2024",
            "ä024:05:01",
        ] {
            assert_eq!(date(none), None, "{none}");
        }
    }
}
