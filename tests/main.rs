//! The outside view: the real programs, driven on image files, judged by tools that are not ours.

mod common;
mod judges;
mod refusals;
mod workspace;
