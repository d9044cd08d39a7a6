// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Which image a step applies, and images that hold no system.

use platen_media::policy::OperatingSystemImage;
use platen_sequence::Step;

use super::carry::{Carrier, Done, StepError};
use super::perform::described;

fn said(text: impl Into<String>) -> StepError {
    StepError::Said(text.into())
}

impl<'a> Carrier<'a> {
    /// The image that a step names, and which of those in its WIM, from 1.
    pub(super) fn image(&self, step: &Step) -> Result<(&'a OperatingSystemImage, u32), StepError> {
        let id = self.property(step, "ImagePackageID").or_else(|| self.property(step, "InstallPackageID"));
        let image = self.contents()?.system_image(id.as_deref().unwrap_or_default())?;
        let index = self.property(step, "ImageIndex").or_else(|| self.property(step, "InstallEditionIndex"));
        let index = match index {
            None => image.index,
            Some(text) => text.parse().ok().filter(|index| *index > 0).ok_or_else(|| {
                said(format!("image index: expected a number from 1, found {text:?}; correct the step"))
            })?,
        };
        Ok((image, index))
    }

    /// Apply Data Image: files onto a volume beside the system's.
    pub(super) fn apply_data(&mut self, step: &Step) -> Result<Done, StepError> {
        self.take_volumes();
        let (image, index) = self.image(step)?;
        let volume = self.destination(step)?;
        if self.system.as_ref() == Some(&volume) {
            return Err(said(format!(
                "{} holds the system: expected another volume; name it in the step",
                described(&volume)
            )));
        }
        let keeps = self.property(step, "WipeDestinationPartition");
        if keeps.is_some_and(|word| word.eq_ignore_ascii_case("false")) {
            return Err(said(
                "a volume is emptied before an image is applied to it; let the step delete its content, or use a package",
            ));
        }
        self.apply_image(image, index, &volume)?;
        // Applying may have taken the volume away from its folder, where the state may stand.
        self.machine.root(&volume)?;
        self.machine.sync()?;
        Ok(Done::ok(format!("{} image {index} on {}", image.id, described(&volume))))
    }
}
