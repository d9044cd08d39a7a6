// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The targets, one file for each format.

mod allocation;
mod answer_file;
mod drive;
mod dynamic_rules;
mod gpt;
mod inf;
mod manifest;
mod minisign;
mod oci_index;
mod policy;
mod programs;
mod registry_import;
mod sequence;
mod sequence_export;
mod sequence_import;
mod sequence_toml;
mod unattend;
mod wim;
mod wql;

use crate::Target;

/// All of them.
pub const TARGETS: &[Target] = &[
    Target { name: "manifest", samples: manifest::samples, ask: manifest::ask, rounds: 12_000, least: 300 },
    Target { name: "policy", samples: policy::samples, ask: policy::ask, rounds: 8000, least: 400 },
    Target { name: "sequence", samples: sequence::samples, ask: sequence::ask, rounds: 9000, least: 400 },
    Target {
        name: "sequence_export",
        samples: sequence_export::samples,
        ask: sequence_export::ask,
        rounds: 4000,
        least: 100,
    },
    Target {
        name: "sequence_import",
        samples: sequence_import::samples,
        ask: sequence_import::ask,
        rounds: 700,
        least: 60,
    },
    Target {
        name: "sequence_toml",
        samples: sequence_toml::samples,
        ask: sequence_toml::ask,
        rounds: 3000,
        least: 200,
    },
    Target { name: "wql", samples: wql::samples, ask: wql::ask, rounds: 6000, least: 400 },
    Target {
        name: "dynamic_rules",
        samples: dynamic_rules::samples,
        ask: dynamic_rules::ask,
        rounds: 4000,
        least: 200,
    },
    Target { name: "answer_file", samples: answer_file::samples, ask: answer_file::ask, rounds: 1500, least: 50 },
    Target { name: "inf", samples: inf::samples, ask: inf::ask, rounds: 3000, least: 200 },
    Target { name: "unattend", samples: unattend::samples, ask: unattend::ask, rounds: 300, least: 30 },
    Target {
        name: "registry_import",
        samples: registry_import::samples,
        ask: registry_import::ask,
        rounds: 6000,
        least: 300,
    },
    Target { name: "programs", samples: programs::samples, ask: programs::ask, rounds: 3000, least: 150 },
    Target { name: "gpt", samples: gpt::samples, ask: gpt::ask, rounds: 10_000, least: 500 },
    Target { name: "drive", samples: drive::samples, ask: drive::ask, rounds: 600, least: 40 },
    Target { name: "allocation", samples: allocation::samples, ask: allocation::ask, rounds: 3000, least: 200 },
    Target { name: "wim", samples: wim::samples, ask: wim::ask, rounds: 600, least: 40 },
    Target { name: "oci_index", samples: oci_index::samples, ask: oci_index::ask, rounds: 2000, least: 100 },
    Target { name: "minisign", samples: minisign::samples, ask: minisign::ask, rounds: 3000, least: 50 },
];
