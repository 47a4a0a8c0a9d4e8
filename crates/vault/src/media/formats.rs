//! The table of formats: their numbers, media types, classes, extensions, and what shows that content is one of them.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::MediaClass::{self, Audio, Binary, Image, Model3d, Text, Video};
use super::sniff;

/// One media type.
#[derive(Clone, Copy, Debug)]
pub(super) struct Format {
    /// Its number in databases: never changed, never reused, new ones at the end of the table.
    pub(super) code: u16,
    /// As served.
    pub(super) media_type: &'static str,
    /// What a file with one of the extensions counts as.
    pub(super) class: MediaClass,
    /// What the content must show before it is served as this type.
    pub(super) needs: Needs,
    /// In lower case, the usual one first.
    pub(super) extensions: &'static [&'static str],
}

/// What must be true of the content of a file with a format's extension.
#[derive(Clone, Copy, Debug)]
pub(super) enum Needs {
    /// It reads as text.
    Text,
    /// It reads as text and has an `svg` element at its start.
    Svg,
    /// It has the magic number of just this type.
    Magic,
    /// It has the magic number of one of these types, of which the format is a special case.
    MagicOf(&'static [&'static str]),
    /// It has no magic number, and a weaker sign than that.
    Check(fn(&[u8]) -> bool),
    /// There is no telling; it has no magic number of another format.
    NoOtherMagic,
    /// There is no telling, but it is binary and has no magic number of another format.
    NoOtherMagicNorText,
}

impl Needs {
    /// Whether all content that fulfils it is text.
    pub(super) const fn is_text(self) -> bool {
        matches!(self, Self::Text | Self::Svg)
    }
}

/// The number of `application/octet-stream`.
pub(super) const UNKNOWN_CODE: u16 = 1;

/// The formats that files with this extension (lower case) can have, likeliest first; most have one.
pub(super) fn by_extension(extension: &str) -> &'static [Format] {
    static INDEX: LazyLock<HashMap<&str, Vec<Format>>> = LazyLock::new(|| {
        let mut index: HashMap<&str, Vec<Format>> = HashMap::new();
        for format in FORMATS.iter().chain(WEAKER) {
            for extension in format.extensions {
                index.entry(extension).or_default().push(*format);
            }
        }
        index
    });
    INDEX.get(extension).map_or(&[], Vec::as_slice)
}

/// The format with this media type.
pub(super) fn by_media_type(media_type: &str) -> Option<&'static Format> {
    static INDEX: LazyLock<HashMap<&str, &Format>> = LazyLock::new(|| {
        FORMATS
            .iter()
            .map(|format| (format.media_type, format))
            .collect()
    });
    INDEX.get(media_type).copied()
}

/// The format with this number.
pub(super) fn by_code(code: u16) -> Option<&'static Format> {
    FORMATS.get(usize::from(code).checked_sub(1)?)
}

const fn row(
    code: u16,
    media_type: &'static str,
    class: MediaClass,
    needs: Needs,
    extensions: &'static [&'static str],
) -> Format {
    Format {
        code,
        media_type,
        class,
        needs,
        extensions,
    }
}

const ZIP: &[&str] = &["application/zip"];
const OLE: &[&str] = &["application/x-ole-storage"];
const TIFF: &[&str] = &["image/tiff"];
const ISO_MEDIA: &[&str] = &["video/mp4", "audio/mp4", "video/quicktime", "video/3gpp"];

/// Second ways to be a format, tried after the table's own: without a magic number, or as text.
const WEAKER: &[Format] = &[
    row(
        0,
        "audio/mpeg",
        Audio,
        Needs::Check(sniff::is_mpeg_audio),
        &["mp3", "mp2", "mpga"],
    ),
    row(
        0,
        "image/jxl",
        Image,
        Needs::Check(sniff::is_jxl_codestream),
        &["jxl"],
    ),
    row(0, "image/jp2", Image, Needs::NoOtherMagicNorText, &["j2k"]),
    row(0, "model/x-fbx", Model3d, Needs::NoOtherMagic, &["fbx"]),
    row(
        0,
        "model/vnd.usd",
        Model3d,
        Needs::NoOtherMagic,
        &["usd", "usda"],
    ),
    row(
        0,
        "model/x-blender",
        Model3d,
        Needs::MagicOf(&["application/gzip", "application/zstd"]),
        &["blend", "blend1"],
    ),
    row(0, "application/pdf", Image, Needs::Magic, &["ai"]),
];

/// Numbered from 1 without gaps, so that a number is a position.
#[rustfmt::skip] // One format, one row.
pub(super) const FORMATS: &[Format] = &[
    row(1, "application/octet-stream", Binary, Needs::NoOtherMagic, &[]),
    row(2, "text/plain", Text, Needs::Text, &["txt", "text", "log", "nfo", "diff", "patch", "ini", "cfg", "conf", "config", "properties", "env", "lst", "rs", "c", "h", "cc", "cpp", "cxx", "hh", "hpp", "hxx", "inl", "ipp", "m", "mm", "cs", "java", "kt", "kts", "scala", "groovy", "gradle", "go", "zig", "d", "nim", "swift", "dart", "lua", "rb", "pl", "pm", "php", "r", "jl", "hs", "ml", "mli", "fs", "fsx", "ex", "exs", "erl", "hrl", "clj", "cljs", "el", "lisp", "scm", "rkt", "vb", "bas", "pas", "asm", "s", "f90", "f95", "for", "v", "sv", "vhd", "vhdl", "sql", "graphql", "proto", "thrift", "sh", "bash", "zsh", "fish", "ps1", "psm1", "bat", "cmd", "awk", "sed", "mk", "cmake", "make", "dockerfile", "tex", "bib", "sty", "cls", "rst", "adoc", "asciidoc", "org", "textile", "ts", "tsx", "jsx", "vue", "svelte", "astro", "scss", "sass", "less", "styl", "coffee", "glsl", "vert", "frag", "geom", "comp", "hlsl", "wgsl", "metal", "shader", "cu", "cl", "gd", "tscn", "tres", "po", "pot", "srt", "ass", "sub", "lrc", "cue", "m3u", "m3u8", "pls", "mtl", "angelscript", "as", "ahk", "applescript", "vim", "editorconfig", "gitignore", "gitattributes", "lock", "tf", "hcl", "nix", "dot", "gv", "puml", "mmd", "reg", "desktop", "service", "list", "asc", "pem", "pub", "crt", "csr", "sum", "sha256", "md5", "ndif", "hex"]),
    row(3, "text/html", Text, Needs::Text, &["html", "htm"]),
    row(4, "text/css", Text, Needs::Text, &["css"]),
    row(5, "text/javascript", Text, Needs::Text, &["js", "mjs", "cjs"]),
    row(6, "text/markdown", Text, Needs::Text, &["md", "markdown", "mdown", "mkd"]),
    row(7, "application/json", Text, Needs::Text, &["json", "json5", "jsonc", "geojson", "ipynb", "map", "webmanifest", "har"]),
    row(8, "text/csv", Text, Needs::Text, &["csv"]),
    row(9, "application/xml", Text, Needs::Text, &["xml", "xsl", "xslt", "xsd", "dtd", "rng", "rss", "atom", "plist", "gpx", "kml", "opf", "ncx", "ui", "qrc", "resx", "csproj", "vcxproj", "xmp", "tmx", "fodt", "fb2", "musicxml", "drawio"]),
    row(10, "text/x-python", Text, Needs::Text, &["py", "pyw", "pyi", "pyx"]),
    row(11, "application/xhtml+xml", Text, Needs::Text, &["xhtml", "xht"]),
    row(12, "text/tab-separated-values", Text, Needs::Text, &["tsv", "tab"]),
    row(13, "application/yaml", Text, Needs::Text, &["yaml", "yml"]),
    row(14, "application/toml", Text, Needs::Text, &["toml"]),
    row(15, "application/x-ndjson", Text, Needs::Text, &["ndjson", "jsonl"]),
    row(16, "text/vtt", Text, Needs::Text, &["vtt"]),
    row(17, "text/calendar", Text, Needs::Text, &["ics"]),
    row(18, "text/vcard", Text, Needs::Text, &["vcf"]),
    row(19, "message/rfc822", Text, Needs::Text, &["eml", "mht", "mhtml"]),
    row(20, "image/png", Image, Needs::Magic, &["png", "apng"]),
    row(21, "image/jpeg", Image, Needs::Magic, &["jpg", "jpeg", "jpe", "jfif"]),
    row(22, "image/gif", Image, Needs::Magic, &["gif"]),
    row(23, "image/svg+xml", Image, Needs::Svg, &["svg"]),
    row(24, "image/webp", Image, Needs::Magic, &["webp"]),
    row(25, "image/bmp", Image, Needs::Magic, &["bmp", "dib"]),
    row(26, "image/vnd.microsoft.icon", Image, Needs::Check(sniff::is_icon), &["ico", "cur"]),
    row(27, "image/tiff", Image, Needs::Magic, &["tif", "tiff"]),
    row(28, "image/avif", Image, Needs::Magic, &["avif", "avifs"]),
    row(29, "image/heic", Image, Needs::Magic, &["heic", "heif", "hif"]),
    row(30, "image/jxl", Image, Needs::Magic, &["jxl"]),
    row(31, "image/jp2", Image, Needs::Magic, &["jp2", "jpx", "j2k", "jpf"]),
    row(32, "image/vnd.adobe.photoshop", Image, Needs::Magic, &["psd", "psb"]),
    row(33, "image/x-xcf", Image, Needs::Magic, &["xcf"]),
    row(34, "image/x-exr", Image, Needs::Magic, &["exr"]),
    row(35, "image/vnd.radiance", Image, Needs::Magic, &["hdr"]),
    row(36, "image/qoi", Image, Needs::Magic, &["qoi"]),
    row(37, "image/vnd.ms-dds", Image, Needs::Magic, &["dds"]),
    row(38, "image/x-tga", Image, Needs::NoOtherMagicNorText, &["tga"]),
    row(39, "image/x-portable-anymap", Image, Needs::Check(sniff::is_netpbm), &["pnm", "pbm", "pgm", "ppm", "pam"]),
    row(40, "image/x-clip-studio", Image, Needs::Magic, &["clip"]),
    row(41, "image/x-krita", Image, Needs::MagicOf(ZIP), &["kra", "ora"]),
    row(42, "image/x-adobe-dng", Image, Needs::MagicOf(TIFF), &["dng"]),
    row(43, "image/x-camera-raw", Image, Needs::MagicOf(TIFF), &["cr2", "nef", "nrw", "arw", "srf", "sr2", "pef", "orf", "rw2", "srw", "iiq", "3fr", "erf"]),
    row(44, "image/x-canon-cr3", Image, Needs::Magic, &["cr3"]),
    row(45, "image/x-fuji-raf", Image, Needs::Magic, &["raf"]),
    row(46, "application/postscript", Image, Needs::Magic, &["eps", "ps", "ai"]),
    row(47, "audio/mpeg", Audio, Needs::Magic, &["mp3", "mp2", "mpga"]),
    row(48, "audio/wav", Audio, Needs::Magic, &["wav", "wave", "bwf"]),
    row(49, "audio/ogg", Audio, Needs::Magic, &["ogg", "oga", "opus", "spx"]),
    row(50, "audio/mp4", Audio, Needs::MagicOf(ISO_MEDIA), &["m4a", "m4b", "m4r"]),
    row(51, "audio/flac", Audio, Needs::Magic, &["flac"]),
    row(52, "audio/aac", Audio, Needs::Check(sniff::is_adts), &["aac"]),
    row(53, "audio/aiff", Audio, Needs::Magic, &["aif", "aiff", "aifc"]),
    row(54, "audio/midi", Audio, Needs::Magic, &["mid", "midi", "kar"]),
    row(55, "audio/webm", Audio, Needs::MagicOf(&["video/webm"]), &["weba"]),
    row(56, "audio/matroska", Audio, Needs::MagicOf(&["video/matroska"]), &["mka"]),
    row(57, "audio/x-ms-wma", Audio, Needs::MagicOf(&["video/x-ms-asf"]), &["wma"]),
    row(58, "audio/amr", Audio, Needs::Magic, &["amr"]),
    row(59, "audio/x-ape", Audio, Needs::Magic, &["ape"]),
    row(60, "audio/x-wavpack", Audio, Needs::Magic, &["wv"]),
    row(61, "audio/x-caf", Audio, Needs::Magic, &["caf"]),
    row(62, "audio/ac3", Audio, Needs::NoOtherMagicNorText, &["ac3"]),
    row(63, "audio/x-mod", Audio, Needs::NoOtherMagicNorText, &["mod", "xm", "s3m", "it"]),
    row(64, "video/mp4", Video, Needs::MagicOf(ISO_MEDIA), &["mp4", "m4v", "mp4v", "f4v"]),
    row(65, "video/quicktime", Video, Needs::Magic, &["mov", "qt"]),
    row(66, "video/webm", Video, Needs::Magic, &["webm"]),
    row(67, "video/matroska", Video, Needs::Magic, &["mkv"]),
    row(68, "video/x-msvideo", Video, Needs::Magic, &["avi", "divx"]),
    row(69, "video/x-flv", Video, Needs::Magic, &["flv"]),
    row(70, "video/ogg", Video, Needs::Magic, &["ogv", "ogm"]),
    row(71, "video/mpeg", Video, Needs::Magic, &["mpg", "mpeg", "mpe", "m1v", "m2v", "vob"]),
    row(72, "video/mp2t", Video, Needs::Magic, &["ts", "mts", "m2ts", "m2t"]),
    row(73, "video/x-ms-asf", Video, Needs::Magic, &["wmv", "asf"]),
    row(74, "video/3gpp", Video, Needs::MagicOf(ISO_MEDIA), &["3gp", "3g2", "3gpp"]),
    row(75, "application/ogg", Video, Needs::Magic, &["ogx"]),
    row(76, "model/gltf+json", Model3d, Needs::Text, &["gltf"]),
    row(77, "model/gltf-binary", Model3d, Needs::Magic, &["glb", "vrm"]),
    row(78, "model/obj", Model3d, Needs::Text, &["obj"]),
    row(79, "model/stl", Model3d, Needs::NoOtherMagic, &["stl"]),
    row(80, "model/ply", Model3d, Needs::Magic, &["ply"]),
    row(81, "model/x-fbx", Model3d, Needs::Magic, &["fbx"]),
    row(82, "model/vnd.collada+xml", Model3d, Needs::Text, &["dae"]),
    row(83, "model/x-blender", Model3d, Needs::Magic, &["blend", "blend1"]),
    row(84, "model/3mf", Model3d, Needs::MagicOf(ZIP), &["3mf"]),
    row(85, "model/vnd.usdz+zip", Model3d, Needs::MagicOf(ZIP), &["usdz"]),
    row(86, "model/vnd.usd", Model3d, Needs::Magic, &["usdc", "usd", "usda"]),
    row(87, "model/x-b3d", Model3d, Needs::Magic, &["b3d"]),
    row(88, "model/x-3ds", Model3d, Needs::NoOtherMagicNorText, &["3ds", "max", "ma", "mb", "c4d", "lwo", "lxo", "ztl", "spm", "md2", "md3", "md5mesh", "skp", "x"]),
    row(89, "model/step", Model3d, Needs::Text, &["step", "stp"]),
    row(90, "model/iges", Model3d, Needs::Text, &["iges", "igs"]),
    row(91, "model/x3d+xml", Model3d, Needs::Text, &["x3d"]),
    row(92, "model/vrml", Model3d, Needs::Text, &["wrl", "vrml"]),
    row(93, "model/x-off", Model3d, Needs::Text, &["off"]),
    row(94, "application/pdf", Binary, Needs::Magic, &["pdf"]),
    row(95, "application/zip", Binary, Needs::Magic, &["zip", "cbz"]),
    row(96, "application/x-tar", Binary, Needs::Magic, &["tar", "cbt"]),
    row(97, "application/gzip", Binary, Needs::Magic, &["gz", "tgz", "svgz"]),
    row(98, "application/x-bzip2", Binary, Needs::Magic, &["bz2", "tbz2", "tbz"]),
    row(99, "application/x-xz", Binary, Needs::Magic, &["xz", "txz"]),
    row(100, "application/zstd", Binary, Needs::Magic, &["zst", "tzst"]),
    row(101, "application/x-lz4", Binary, Needs::Magic, &["lz4"]),
    row(102, "application/x-7z-compressed", Binary, Needs::Magic, &["7z"]),
    row(103, "application/vnd.rar", Binary, Needs::Magic, &["rar", "cbr"]),
    row(104, "font/ttf", Binary, Needs::Magic, &["ttf"]),
    row(105, "font/otf", Binary, Needs::Magic, &["otf"]),
    row(106, "font/collection", Binary, Needs::Magic, &["ttc", "otc"]),
    row(107, "font/woff", Binary, Needs::Magic, &["woff"]),
    row(108, "font/woff2", Binary, Needs::Magic, &["woff2"]),
    row(109, "application/vnd.ms-fontobject", Binary, Needs::NoOtherMagicNorText, &["eot"]),
    row(110, "application/vnd.sqlite3", Binary, Needs::Magic, &["sqlite", "sqlite3", "db", "db3", "vault"]),
    row(111, "application/wasm", Binary, Needs::Magic, &["wasm"]),
    row(112, "application/x-elf", Binary, Needs::Magic, &["elf", "so", "o", "ko"]),
    row(113, "application/vnd.microsoft.portable-executable", Binary, Needs::Magic, &["exe", "dll", "sys", "scr"]),
    row(114, "application/java-vm", Binary, Needs::Magic, &["class"]),
    row(115, "application/java-archive", Binary, Needs::MagicOf(ZIP), &["jar", "war", "ear"]),
    row(116, "application/vnd.android.package-archive", Binary, Needs::MagicOf(ZIP), &["apk", "aab"]),
    row(117, "application/x-ole-storage", Binary, Needs::Magic, &["msi"]),
    row(118, "application/msword", Binary, Needs::MagicOf(OLE), &["doc"]),
    row(119, "application/vnd.ms-excel", Binary, Needs::MagicOf(OLE), &["xls", "xlt"]),
    row(120, "application/vnd.ms-powerpoint", Binary, Needs::MagicOf(OLE), &["ppt", "pps"]),
    row(121, "application/vnd.ms-outlook", Binary, Needs::MagicOf(OLE), &["msg"]),
    row(122, "application/vnd.openxmlformats-officedocument.wordprocessingml.document", Binary, Needs::MagicOf(ZIP), &["docx", "docm", "dotx"]),
    row(123, "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", Binary, Needs::MagicOf(ZIP), &["xlsx", "xlsm", "xltx"]),
    row(124, "application/vnd.openxmlformats-officedocument.presentationml.presentation", Binary, Needs::MagicOf(ZIP), &["pptx", "pptm", "ppsx"]),
    row(125, "application/vnd.oasis.opendocument.text", Binary, Needs::MagicOf(ZIP), &["odt", "ott"]),
    row(126, "application/vnd.oasis.opendocument.spreadsheet", Binary, Needs::MagicOf(ZIP), &["ods", "ots"]),
    row(127, "application/vnd.oasis.opendocument.presentation", Binary, Needs::MagicOf(ZIP), &["odp", "otp"]),
    row(128, "application/vnd.oasis.opendocument.graphics", Binary, Needs::MagicOf(ZIP), &["odg"]),
    row(129, "application/epub+zip", Binary, Needs::MagicOf(ZIP), &["epub"]),
    row(130, "application/x-mobipocket-ebook", Binary, Needs::NoOtherMagicNorText, &["mobi", "azw", "azw3"]),
    row(131, "application/rtf", Binary, Needs::Magic, &["rtf"]),
    row(132, "application/x-archive", Binary, Needs::Magic, &["a", "ar", "lib"]),
    row(133, "application/vnd.debian.binary-package", Binary, Needs::MagicOf(&["application/x-archive"]), &["deb", "udeb"]),
    row(134, "application/x-rpm", Binary, Needs::Magic, &["rpm"]),
    row(135, "application/vnd.apache.parquet", Binary, Needs::Magic, &["parquet"]),
    row(136, "application/x-iso9660-image", Binary, Needs::NoOtherMagicNorText, &["iso"]),
    row(137, "application/x-apple-diskimage", Binary, Needs::NoOtherMagicNorText, &["dmg"]),
    row(138, "application/x-bittorrent", Binary, Needs::NoOtherMagic, &["torrent"]),
    row(139, "application/x-pickle", Binary, Needs::NoOtherMagicNorText, &["pkl", "pickle"]),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Digest;
    use std::collections::HashSet;

    #[test]
    fn the_table_is_sound() {
        let mut types = HashSet::new();
        for (position, format) in FORMATS.iter().enumerate() {
            assert_eq!(
                usize::from(format.code),
                position + 1,
                "{}",
                format.media_type
            );
            assert!(
                types.insert(format.media_type),
                "{} stands twice",
                format.media_type
            );
            assert!(format.media_type.is_ascii() && format.media_type.contains('/'));
            for extension in format.extensions {
                assert!(
                    extension
                        .bytes()
                        .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
                );
                let others = by_extension(extension)
                    .iter()
                    .filter(|f| f.code != 0)
                    .count();
                assert!(
                    others == 1 || *extension == "ts",
                    "{extension} stands twice"
                );
            }
        }
        for format in WEAKER {
            assert!(
                by_media_type(format.media_type).is_some(),
                "{}",
                format.media_type
            );
        }
        assert!(FORMATS.len() < 1 << super::super::FORMAT_BITS);
        assert_eq!(
            by_code(UNKNOWN_CODE).map(|f| f.media_type),
            Some("application/octet-stream")
        );
        assert!(by_code(0).is_none());
    }

    /// Numbers are kept in vaults. New formats go to the end; then pin the new length and digest.
    #[test]
    fn numbers_keep_their_meaning() {
        let listed: Vec<_> = FORMATS[..PINNED_LEN]
            .iter()
            .map(|f| format!("{} {}\n", f.code, f.media_type))
            .collect();
        assert_eq!(Digest::of(listed.concat().as_bytes()).to_string(), PINNED);
    }

    const PINNED_LEN: usize = 139;
    const PINNED: &str = "58d92131ab0e8d5aa38c8f9f619677bffb53a0562aae89ea9900c06a5cb9e72a";
}
