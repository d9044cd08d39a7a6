//! Plain data every part may speak: drive and port ids, progress, outcomes, operator codes.
