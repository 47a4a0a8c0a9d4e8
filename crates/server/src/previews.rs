//! Pictures of assets and facts about them. Decoders run in processes of their own ([`Pool`]); here it is decided
//! what is asked of them.

mod pool;
mod worker;

use std::sync::Arc;

use compactvault_preview::{Failure, Output};

use crate::error::ApiError;

pub use pool::{Ask, Keep, Pool, Priority, Siblings};
pub use worker::WorkerCommand;

/// Why something was not made of an asset's content. Several may wait for the same.
#[derive(Clone, Debug)]
pub enum PreviewError {
    /// The content, or what it takes: it would be the same the next time.
    Failed(Failure),
    /// Too much is asked for already, or the server stops.
    Busy,
    /// The vault could not give the bytes.
    Unreadable(Unreadable),
    /// This server makes none.
    Off,
}

/// What the vault said instead of giving bytes.
#[derive(Clone, Debug)]
pub struct Unreadable(ApiError);

/// What was made, shared by all who waited for it.
pub type Made = Result<Arc<Output>, PreviewError>;

impl From<ApiError> for PreviewError {
    fn from(error: ApiError) -> Self {
        Self::Unreadable(Unreadable(error))
    }
}

impl From<PreviewError> for ApiError {
    fn from(error: PreviewError) -> Self {
        match error {
            PreviewError::Failed(failure) => {
                let message = format!("this cannot be shown: {}", failure.message);
                Self::not_found(message)
            }
            PreviewError::Busy => Self::busy(),
            PreviewError::Unreadable(Unreadable(error)) => error,
            PreviewError::Off => Self::not_found("this server was started without previews"),
        }
    }
}
