// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The targets, one file for each format.

mod allocation;
mod drive;
mod gpt;
mod manifest;
mod minisign;
mod oci_index;
mod policy;
mod sequence;
mod wim;

use crate::Target;

/// All of them.
pub const TARGETS: &[Target] = &[
    Target { name: "manifest", samples: manifest::samples, ask: manifest::ask, rounds: 12_000, least: 300 },
    Target { name: "policy", samples: policy::samples, ask: policy::ask, rounds: 8000, least: 400 },
    Target { name: "sequence", samples: sequence::samples, ask: sequence::ask, rounds: 9000, least: 400 },
    Target { name: "gpt", samples: gpt::samples, ask: gpt::ask, rounds: 10_000, least: 500 },
    Target { name: "drive", samples: drive::samples, ask: drive::ask, rounds: 600, least: 40 },
    Target { name: "allocation", samples: allocation::samples, ask: allocation::ask, rounds: 3000, least: 200 },
    Target { name: "wim", samples: wim::samples, ask: wim::ask, rounds: 600, least: 40 },
    Target { name: "oci_index", samples: oci_index::samples, ask: oci_index::ask, rounds: 2000, least: 100 },
    Target { name: "minisign", samples: minisign::samples, ask: minisign::ask, rounds: 3000, least: 50 },
];
