// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Task sequences: the model, its readers, and the rules for stand-alone media.
//!
//! The words and the XML are Microsoft Configuration Manager's. Reading never drops anything silently: what this
//! crate does not know is refused with its line and column or, when an export of another program is taken in
//! ([`Imported`]), kept and reported. Nothing here opens a file or runs a step; the engine that
//! will carry a sequence out takes [`TaskSequence`] as it is.

mod condition;
mod definition;
mod difference;
mod dynamic;
mod error;
mod export;
mod format;
mod import;
pub mod layout;
pub mod limits;
pub mod lint;
mod mdt;
mod model;
mod outline;
mod read;
mod reference;
pub mod run;
mod secret;
mod share;
mod step;

pub use condition::{Comparison, Condition, Expression, VariableOperator};
pub use definition::Needed;
pub use difference::differences;
pub use dynamic::{DynamicRule, DynamicVariable};
pub use error::{Problem, SequenceError};
pub use export::{Export, NamedReference, ZipError};
pub use format::{MAX_TOML_BYTES, Written};
pub use import::{Change, ChangeKind, Form, Imported};
pub use lint::{Finding, Fix, LintContext, Severity, lint};
pub use model::{Entry, Group, ListedContent, Node, RunIn, SequenceVersion, Step, TaskSequence, Variable};
pub use reference::{Reference, ReferenceKind};
pub use secret::Secret;
pub use share::{ShareVariables, share_list, share_variables};
pub use step::{Category, Place, StepKind};
