//! One module for each group of verbs.

pub mod author;
pub mod cache;
pub mod drives;
pub mod examine;
pub mod ledger;
pub mod overwrite;
pub mod verify;
pub mod write;
