//! The one place that links libwim.
