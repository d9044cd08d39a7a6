// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Task sequences: the model, its strict reader, and the rules for stand-alone media.
//!
//! The words and the XML are Microsoft Configuration Manager's. Reading never drops anything silently: what this
//! crate does not know is refused with its line and column. Nothing here opens a file or runs a step; the engine that
//! will carry a sequence out takes [`TaskSequence`] as it is.

mod condition;
mod error;
pub mod limits;
pub mod lint;
mod model;
mod outline;
mod read;
mod reference;
mod step;

pub use condition::{Comparison, Condition, Expression, VariableOperator};
pub use error::{Problem, SequenceError};
pub use lint::{Finding, Fix, LintContext, Severity, lint};
pub use model::{Entry, Group, Node, RunIn, SequenceVersion, Step, TaskSequence, Variable};
pub use reference::{Reference, ReferenceKind};
pub use step::{Category, Place, StepKind};
