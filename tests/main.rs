//! The outside view: the programs driven on image files.
