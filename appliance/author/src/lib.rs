//! From a definition to a signed OCI layout: contents, boot kit, boot image, creation log.

pub mod boot_image;
pub mod boot_kit;
