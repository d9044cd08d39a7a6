// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What a deployment medium is: its definition, its manifest, its policy, and the signatures over them.
//!
//! Left to right: a [`spec::MediaSpec`] is what a person writes; authoring turns it into a [`manifest::Manifest`];
//! a manifest whose signature was checked here against trusted keys is a [`sign::SignedMedia`], and there is no
//! other way to make one.
//!
//! This crate opens no devices and writes no files. It never holds a private key: signing is in `platen-author`.

pub mod allocation;
pub mod boot_image;
mod chain;
mod digest;
pub mod envelope;
pub mod examination;
pub mod fields;
pub mod keyboard;
pub mod manifest;
mod moment;
mod path;
pub mod piece_tree;
pub mod placement;
pub mod policy;
mod reading;
pub mod sign;
pub mod spec;
pub mod stored;
mod systems;
pub mod text;
mod timestamp;

pub use chain::{causes, chain};
pub use digest::{Blake3, Digested, ParseDigestError, Sha256, Sha256Hasher};
pub use moment::Moment;
pub use path::{MAX_LEVELS, MediaPath, PathError};
pub use platen_disk::{LabelError, Scheme, VolumeLabel, fold_name};
pub use reading::{read_at_most, read_piece};
pub use systems::{LOGS_FOLDER, is_made_by_system};
pub use timestamp::{ParseTimestampError, Timestamp};
