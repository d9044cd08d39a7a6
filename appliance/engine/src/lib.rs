//! Plan, write, verify, seal, ledger; over the traits Drive and Clock.
