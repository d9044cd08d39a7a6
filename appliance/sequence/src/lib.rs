//! Task sequences: model, strict reading, the rules for stand-alone media.
