//! Everything that happens before a medium reaches a station.
