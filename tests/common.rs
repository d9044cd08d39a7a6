//! What every test of the programs needs: a station in a temporary folder.
