//! What can be done with content, going by its media type alone.

/// Media types that are looked at in the same way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Pixels.
    Raster,
    /// Pixels that no decoder here knows, in a container whose EXIF can be read.
    Photo,
    /// A drawing.
    Svg,
    /// Sound.
    Audio,
    /// Moving pictures, of which the container is read and no more.
    Video,
    /// Letters.
    Font,
    /// Lines.
    Text,
    /// Pages.
    Pdf,
}

impl Kind {
    /// The kind of a media type; `None` for what nothing is known about.
    pub fn of(media_type: &str) -> Option<Self> {
        Some(match media_type {
            "image/png"
            | "image/jpeg"
            | "image/gif"
            | "image/webp"
            | "image/bmp"
            | "image/vnd.microsoft.icon"
            | "image/tiff"
            | "image/vnd.radiance"
            | "image/qoi"
            | "image/vnd.ms-dds"
            | "image/x-tga"
            | "image/x-portable-anymap" => Self::Raster,
            "image/avif" | "image/heic" | "image/x-adobe-dng" | "image/x-camera-raw" => Self::Photo,
            "image/svg+xml" => Self::Svg,
            "audio/mpeg" | "audio/wav" | "audio/ogg" | "audio/mp4" | "audio/flac" | "audio/aac"
            | "audio/aiff" | "audio/webm" | "audio/matroska" => Self::Audio,
            "video/mp4" | "video/quicktime" | "video/webm" | "video/matroska" | "video/3gpp"
            | "video/ogg" => Self::Video,
            "font/ttf" | "font/otf" | "font/collection" | "font/woff" | "font/woff2" => Self::Font,
            "application/pdf" => Self::Pdf,
            "application/json"
            | "application/xml"
            | "application/yaml"
            | "application/toml"
            | "application/xhtml+xml"
            | "application/x-ndjson"
            | "message/rfc822" => Self::Text,
            _ if media_type.starts_with("text/") => Self::Text,
            _ => return None,
        })
    }

    /// Whether there are pictures of it.
    pub fn has_picture(self) -> bool {
        !matches!(self, Self::Video | Self::Photo)
    }

    /// Whether there are facts about it.
    pub fn has_facts(self) -> bool {
        self != Self::Text
    }
}

/// Whether a picture can be expected of a file, going by its type and size. Some turn out to be damaged all the same.
pub fn has_picture(media_type: &str, bytes: u64) -> bool {
    bytes > 0 && Kind::of(media_type).is_some_and(Kind::has_picture)
}

/// Whether facts can be expected of a file.
pub fn has_facts(media_type: &str, bytes: u64) -> bool {
    bytes > 0 && Kind::of(media_type).is_some_and(Kind::has_facts)
}
