// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Why a drive is not ready.

use std::sync::Arc;

use platen_events::{Code, Step};
use platen_media::manifest::NotValid;

use crate::capacity::CapacityReport;
use crate::capacity::probe::Fake;
use crate::content::check::Differs;
use crate::content::source::SourceError;
use crate::drive::{DriveError, Trouble};

/// Why a drive was not written, read back or sealed.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "its messages name every field")]
pub enum WriteError {
    /// The drive failed.
    #[error("{step} the drive")]
    Drive { step: Step, source: DriveError },
    /// The drive gives back other bytes than it was given.
    #[error("read back: expected what was written")]
    Differs { step: Step, source: Differs },
    /// What was presumed to be on the drive already is not there.
    #[error("read back: expected what was presumed to be there already")]
    Changed(#[source] Differs),
    /// The drive does not store what was written for a try.
    #[error("asking whether the drive is as big as it claims")]
    Fake(#[source] Fake),
    /// A tested drive does not hold all that was written.
    #[error("testing the drive")]
    Tested(#[source] CapacityReport),
    /// The station's own content can't be read or is damaged.
    #[error("content")]
    Content(#[source] Arc<SourceError>),
    /// The medium's window closed between planning and writing.
    #[error("medium {name}")]
    NotValid { name: String, source: NotValid },
    /// The drive is not the one the plan was made for.
    #[error("the plan is for a drive of {planned_bytes} bytes, this one has {found_bytes}")]
    OtherDrive { planned_bytes: u64, found_bytes: u64 },
    /// The station's key can't be used.
    #[error("signing the drive's record: {detail}")]
    Unsigned { code: Code, detail: String },
    /// Stopped by the operator.
    #[error("stopped before the drive was finished")]
    Cancelled,
}

impl WriteError {
    pub(crate) fn of_content(error: Arc<SourceError>) -> Self {
        if matches!(*error, SourceError::Stopped) { Self::Cancelled } else { Self::Content(error) }
    }

    /// What the operator is told.
    pub fn code(&self) -> Code {
        match self {
            Self::Drive { source, .. } => source.code(),
            Self::Differs { step: Step::Seal, .. } => Code::SealFailed,
            Self::Differs { .. } => Code::ReadBackDiffers,
            Self::Changed(_) => Code::FileChanged,
            Self::Fake(fake) if fake.is_fake() => Code::Fake,
            Self::Fake(_) => Code::ReadBackDiffers,
            Self::Tested(tested) if tested.is_fake() => Code::Fake,
            Self::Tested(_) => Code::ReadBackDiffers,
            Self::Content(error) if matches!(**error, SourceError::Damaged { .. }) => Code::CacheDamaged,
            Self::Content(_) => Code::CacheMissing,
            Self::NotValid { source: NotValid::Expired { .. }, .. } => Code::Expired,
            Self::NotValid { .. } => Code::NotYetValid,
            Self::OtherDrive { .. } => Code::Vanished,
            Self::Unsigned { code, .. } => *code,
            Self::Cancelled => Code::Cancelled,
        }
    }

    /// The step in which it gave back other data than it should.
    pub(crate) fn wrong_data(&self) -> Option<Step> {
        match self {
            Self::Differs { step, .. } => Some(*step),
            Self::Fake(_) => Some(Step::Prepare),
            Self::Changed(_) | Self::Tested(_) => Some(Step::Verify),
            _ => None,
        }
    }

    /// The drive refused an operation and may have had a bad moment. One that gave back wrong data is never tried again,
    /// however right the second time might look; one that is gone, locked, fake or hopelessly slow stays what it is.
    pub(crate) fn is_worth_another_try(&self) -> bool {
        matches!(self, Self::Drive { source, .. } if source.trouble == Trouble::Broken)
    }
}
