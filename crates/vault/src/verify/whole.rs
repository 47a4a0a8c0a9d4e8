//! The last check of an asset that is read from end to end.

use crate::error::ReadError;
use crate::ids::Digest;
use crate::read::AssetReader;
use crate::sha256::Sha256;

/// The digests of a whole asset while its bytes go by; `get`, `export` and deep verification end with it.
#[derive(Default)]
pub struct WholeCheck {
    sha256: Sha256,
    crc32: crc32fast::Hasher,
    size: u64,
}

impl WholeCheck {
    /// Takes in the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.sha256.update(bytes);
        self.crc32.update(bytes);
        self.size += bytes.len() as u64;
    }

    /// Size, SHA-256 and CRC-32 of all that was taken in.
    pub(crate) fn sums(self) -> (u64, Digest, u32) {
        (self.size, self.sha256.finish(), self.crc32.finalize())
    }

    /// Compares with what was sealed.
    pub fn finish(self, reader: &AssetReader) -> Result<(), ReadError> {
        let asset = reader.asset();
        let (size, sha256, crc32) = self.sums();
        if size == asset.size && sha256 == asset.sha256 && crc32 == asset.crc32 {
            return Ok(());
        }
        let name = asset.name.escaped();
        let detail = if sha256 == asset.sha256 && size == asset.size {
            format!(
                "the bytes of “{name}” have the CRC-32 {crc32:08x}, sealed was {:08x}",
                asset.crc32
            )
        } else {
            format!(
                "the bytes of “{name}” hash to {sha256}, sealed was {}",
                asset.sha256
            )
        };
        Err(ReadError::Damaged {
            entry: asset.id.seq(),
            chunk: None,
            detail,
        })
    }
}
