//! One module for each group of verbs.

pub mod author;
pub mod cache;
pub mod ledger;
pub mod verify;
pub mod write;
