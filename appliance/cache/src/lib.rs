//! Content-addressed store in an OCI image layout.
