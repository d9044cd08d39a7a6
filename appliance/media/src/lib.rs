//! What a deployment medium is: definition, manifest, policy, signatures.
