//! Looking into content: what is in an archive, a document, a model. Bytes in, values out.

pub mod document;
pub mod members;
pub mod model;
pub mod refusal;
