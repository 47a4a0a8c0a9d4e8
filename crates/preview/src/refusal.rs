//! Why content cannot be shown: one type for every parser of what people dropped, with a sentence for the person who
//! looks at it.

use std::fmt;
use std::io;

/// A clear "no". `code` is stable, `message` says what is wrong with the content and what still works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// One of [`Refusal::CODES`].
    pub code: &'static str,
    /// A sentence without the file's name.
    pub message: String,
}

impl Refusal {
    /// Every code there is.
    pub const CODES: [&'static str; 4] =
        ["unsupported", "damaged_content", "too_large", "unreadable"];

    /// A kind of content, or a feature of it, that is not known here.
    pub fn unsupported(message: impl Into<String>) -> Self {
        Self {
            code: "unsupported",
            message: message.into(),
        }
    }

    /// Content that is not what it says it is.
    pub fn damaged(message: impl Into<String>) -> Self {
        Self {
            code: "damaged_content",
            message: message.into(),
        }
    }

    /// Content beyond a bound.
    pub fn too_large(message: impl Into<String>) -> Self {
        Self {
            code: "too_large",
            message: message.into(),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Refusal {}

impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Self {
        // Content that ends too early is the content's fault, everything else is whoever hands it out.
        if error.kind() == io::ErrorKind::UnexpectedEof {
            return Self::damaged("the file ends in the middle of something");
        }
        Self {
            code: "unreadable",
            message: format!("the content could not be read: {error}"),
        }
    }
}
