//! From a definition to a signed OCI layout: contents, boot kit, boot image, creation log.

mod base64;
pub mod boot_image;
pub mod boot_kit;
mod error;
pub mod keys;

pub use error::{AuthorError, AuthorErrorKind};
pub use keys::Signer;
