//! `Content-Disposition` (RFC 6266) from a name that is any bytes: a plain ASCII fallback for old clients and the
//! exact name in the extended notation of RFC 8187 for all others.

use std::fmt::Write as _;

use axum::http::HeaderValue;

/// What the browser should do with the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Disposition {
    /// Show them.
    Inline,
    /// Save them.
    Attachment,
}

impl Disposition {
    /// The header's value for a file called `name`. Bytes that are not UTF-8 become U+FFFD, control characters `_`.
    pub(crate) fn header(self, name: &[u8]) -> HeaderValue {
        let name: String = String::from_utf8_lossy(name)
            .chars()
            .map(|c| if c.is_control() { '_' } else { c })
            .collect();
        let fallback: String = name
            .chars()
            .map(|c| if is_plain(c) { c } else { '_' })
            .collect();
        let mut value = match self {
            Self::Inline => String::from("inline"),
            Self::Attachment => String::from("attachment"),
        };
        // Writing to a string cannot fail.
        let _ = write!(value, "; filename=\"{fallback}\"");
        if fallback != name {
            value.push_str("; filename*=UTF-8''");
            for byte in name.bytes() {
                if is_attr_char(byte) {
                    value.push(char::from(byte));
                } else {
                    let _ = write!(value, "%{byte:02X}");
                }
            }
        }
        HeaderValue::try_from(value).expect("only visible ASCII and spaces are left")
    }
}

/// Characters that every browser reads alike inside a quoted string: escapes are not, and Chromium decodes `%41`.
fn is_plain(c: char) -> bool {
    matches!(c, ' '..='~') && !matches!(c, '"' | '\\' | '%')
}

/// `attr-char` of RFC 8187 section 3.2.1.
fn is_attr_char(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$&+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attachment(name: &[u8]) -> String {
        Disposition::Attachment
            .header(name)
            .to_str()
            .unwrap()
            .to_owned()
    }

    #[test]
    fn plain_names_need_no_extension() {
        assert_eq!(
            attachment(b"a b (1).txt"),
            "attachment; filename=\"a b (1).txt\""
        );
        let inline = Disposition::Inline.header(b"x.png");
        assert_eq!(inline.to_str().unwrap(), "inline; filename=\"x.png\"");
    }

    #[test]
    fn hostile_names_stay_inside_the_quotes() {
        assert_eq!(
            attachment(b"a\"; filename=\"b\\\r\nSet-Cookie: x"),
            "attachment; filename=\"a_; filename=_b___Set-Cookie: x\"; \
             filename*=UTF-8''a%22%3B%20filename%3D%22b%5C__Set-Cookie%3A%20x"
        );
        assert_eq!(
            attachment(b"50%41"),
            "attachment; filename=\"50_41\"; filename*=UTF-8''50%2541"
        );
    }

    #[test]
    fn names_of_any_script_and_no_encoding() {
        assert_eq!(
            attachment("é€.png".as_bytes()),
            "attachment; filename=\"__.png\"; filename*=UTF-8''%C3%A9%E2%82%AC.png"
        );
        assert_eq!(
            attachment(b"\xff"),
            "attachment; filename=\"_\"; filename*=UTF-8''%EF%BF%BD"
        );
        assert!(attachment(&[b'x'; 1024]).len() < 1100);
    }
}
